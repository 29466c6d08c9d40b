//! Speak: synthesizes and plays sentences while the rest of the answer is still being written. The next sentence is synthesized
//! while the current one plays.

use std::sync::Arc;
use std::time::Duration;

use aura_audio::{Pcm, Resampler, to_i16};
use aura_providers::{Service, SpeechOptions};
use aura_router::{Route, RouteOverrides, RoutePlan, Sink};
use tokio::sync::mpsc;

use super::language;
use super::opening_output::OpeningOutput;
use super::recorder::RecordingFile;
use super::request::Speech;
use super::sentences::split_to;
use super::turn::Turn;
use super::voice::{Prosody, Voice};
use crate::config::Settings;
use crate::error::Result;
use crate::event::Event;
use crate::record::{Notice, NoticeFacts, NoticeKind, Playback, Stage};

/// The longest sound that may be synthesized ahead of playback: enough to bridge a slow provider, and little to pay for in vain
/// when the user interrupts.
const AHEAD: Duration = Duration::from_secs(6);
/// Parts of sound that may be queued for playback. One sentence has fewer, so that playback never holds up a provider's stream.
const SOUND_QUEUE: usize = 4_096;

/// An item of the playback queue.
enum Sound {
    /// The sentence that the following samples speak.
    Sentence(String),
    /// Samples of the current sentence.
    Samples(Pcm),
}

/// Counts the sound of a `tts` call and queues it for playback.
struct SoundSink<'a> {
    voice: &'a Voice,
    to_play: &'a mpsc::Sender<Sound>,
}

impl Sink<Pcm> for SoundSink<'_> {
    async fn send(&mut self, pcm: Pcm) {
        self.voice.add_synthesized(pcm.duration());
        // The queue is closed once playback failed.
        let _ = self.to_play.send(Sound::Samples(pcm)).await;
    }
}

impl Turn {
    /// Speaks the sentences as they arrive, until the last one was played.
    ///
    /// # Errors
    /// When a sentence could not be synthesized.
    pub(super) async fn speak(
        &self,
        opening: Option<OpeningOutput>,
        mut sentences: mpsc::Receiver<String>,
    ) -> Result<()> {
        if self.speech() == Speech::None {
            return Ok(());
        }
        let Some(first) = sentences.recv().await else { return Ok(()) };
        let stage = self.time(Stage::Speaking);
        // A caller that gets the sound decides about both itself.
        let prosody = if self.is_detached() { Prosody::default() } else { Prosody::of(&self.config.settings.speaking) };
        let (plan, is_spoken) = self.speech_plan(prosody, self.language().as_deref())?;
        if let Some(code) = self.language().filter(|_| !is_spoken) {
            let language = language::name(&code);
            let message =
                format!("None of the voices that may be used speaks {language}. Choose another one under Providers.");
            let facts = NoticeFacts { language: Some(code.clone()), ..NoticeFacts::default() };
            self.notify(Notice::new(NoticeKind::VoiceLanguage, message).with(facts));
        }
        let output = match opening {
            Some(opening) => match opening.output().await {
                Ok((output, is_other)) => {
                    if is_other {
                        let message =
                            "The speaker that you chose could not be used, so AURA spoke through the default one.";
                        self.notify(Notice::new(NoticeKind::OtherSpeaker, message));
                    }
                    Some(output)
                }
                Err(error) => {
                    self.notify_error(NoticeKind::NoSpeaker, &error);
                    None
                }
            },
            None => None,
        };
        if let Some(output) = &output {
            // Ends a tone.
            output.begin();
        }
        let voice = Arc::new(Voice::new(output, prosody).keeping_samples(self.request.hands_free.is_some()));
        self.set_voice(voice.clone());

        let (to_play, sounds) = mpsc::channel(SOUND_QUEUE);
        let synthesize = async {
            let result = self.synthesize(first, sentences, plan, &voice, to_play).await;
            if let Ok(Some(route)) = &result {
                stage.answered_by(route);
            }
            result
        };
        let play = async {
            let ((), played) = tokio::join!(self.collect(sounds, &voice), voice.play());
            played
        };
        let (synthesized, played, ()) = tokio::join!(synthesize, play, self.track_playback(&voice));
        self.context.last_voice.ended();
        self.show_playback(Playback::Idle);
        if let Err(error) = played {
            self.notify_error(NoticeKind::NoSpeaker, &error);
        }
        synthesized.map(drop)
    }

    /// Plans the routes for speech at this speed in a language, an ISO 639-1 code. False when none of them may speak the language.
    ///
    /// # Errors
    /// When there is no route.
    pub(super) fn speech_plan(&self, prosody: Prosody, language: Option<&str>) -> Result<(RoutePlan, bool)> {
        let mut plan = self.plan_with(Service::Tts, &self.speech_overrides(language))?;
        if let Some(speed) = prosody.changed_speed() {
            plan = plan.with_speech_options(SpeechOptions::default().with_speed(speed));
        }
        let is_spoken = language.is_none_or(|language| plan.speak_in(self.context.router.catalog(), language));
        Ok((plan, is_spoken))
    }

    /// The overrides of the turn, with the voice that the person chose for a language. A voice whose provider is gone is left out.
    pub(super) fn speech_overrides(&self, language: Option<&str>) -> RouteOverrides {
        let Settings { speaking, fallback, .. } = &self.config.settings;
        let mut overrides = self.request.overrides.clone();
        let chosen = language.and_then(|language| speaking.voices.get(language));
        if let Some(voice) = chosen.filter(|voice| self.context.has_provider(&voice.provider)) {
            voice.apply(&mut overrides, *fallback);
        }
        overrides
    }

    /// Synthesizes the sentences, a little ahead of playback. Returns the route of the last one.
    async fn synthesize(
        &self,
        first: String,
        mut sentences: mpsc::Receiver<String>,
        mut plan: RoutePlan,
        voice: &Voice,
        to_play: mpsc::Sender<Sound>,
    ) -> Result<Option<Route>> {
        let max_chars = plan.max_speech_chars();
        let mut route = None;
        // A preface is no part of the answer.
        let mut waiting = Some(first);
        let mut next = self.preface().map(|preface| (preface.to_owned(), false));
        next = next.or_else(|| waiting.take().map(|first| (first, true)));
        while let Some((sentence, is_answer)) = next {
            for part in split_to(&sentence, max_chars) {
                voice.wait_until_within(AHEAD).await;
                let shown = if is_answer { part.clone() } else { String::new() };
                let _ = to_play.send(Sound::Sentence(shown)).await;
                let mut sink = SoundSink { voice, to_play: &to_play };
                let routed = self.context.router.speak(&plan, &part, self, &mut sink).await?;
                // Later sentences skip a provider that just failed, so they do not wait for its timeout again, and the voice
                // stays the same.
                plan.pin(&routed.route);
                route = Some(routed.route);
            }
            let following = if waiting.is_some() { waiting.take() } else { sentences.recv().await };
            next = following.map(|sentence| (sentence, true));
        }
        Ok(route)
    }

    /// Collects the sound to be played, and saves it as a file.
    async fn collect(&self, mut sounds: mpsc::Receiver<Sound>, voice: &Voice) {
        let mut saved: Option<(Option<RecordingFile>, u32)> = None;
        let mut to_file = Resampler::new(0, 0);
        let mut to_output = Resampler::new(0, 0);
        let mut rate = 0;
        while let Some(sound) = sounds.recv().await {
            let (samples, file_samples) = match sound {
                Sound::Sentence(sentence) => {
                    voice.write(&to_output.finish());
                    voice.begin_sentence(sentence);
                    continue;
                }
                Sound::Samples(pcm) => {
                    let (_, file_rate) = saved.get_or_insert_with(|| {
                        let path = self.recording_path("answer");
                        self.edit(|record| record.answer_audio = path.clone());
                        let file = path.map(|path| RecordingFile::create(path, pcm.rate, self));
                        (file, pcm.rate)
                    });
                    if pcm.rate != rate {
                        rate = pcm.rate;
                        to_file = Resampler::new(rate, *file_rate);
                        to_output = Resampler::new(rate, voice.rate());
                    }
                    (to_output.push(&pcm.samples), to_file.push(&pcm.samples))
                }
            };
            voice.write(&samples);
            if let Some((Some(file), _)) = &saved {
                file.write(file_samples.into_iter().map(to_i16).collect()).await;
            }
        }
        voice.write(&to_output.finish());
        voice.finish_sentences();
        if let Some((Some(file), _)) = saved {
            file.write(to_file.finish().into_iter().map(to_i16).collect()).await;
            if let Err(error) = file.close().await {
                self.notify_error(NoticeKind::RecordingNotSaved, &error);
            }
        }
    }

    /// Reports the first sound, and each sentence when its playback begins.
    async fn track_playback(&self, voice: &Voice) {
        if voice.output().is_none() || !voice.reached(1).await {
            return;
        }
        let first_sound_ms = self.ms_since_asked();
        self.edit(|record| record.first_sound_ms = Some(first_sound_ms));
        self.show(Stage::Speaking);
        self.show_playback(Playback::Playing);
        let mut last = None;
        while let Some((index, sentence)) = voice.next_sentence(last).await {
            last = Some(index);
            // Between two sentences, the model may have looked at the screen.
            self.show_speaking_again();
            if sentence.is_empty() {
                continue; // a preface
            }
            self.context.events.send(Event::Speaking { turn: self.id.clone(), sentence });
        }
    }
}
