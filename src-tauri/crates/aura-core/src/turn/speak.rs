//! Speak: sentences become sound while the rest is still written. The next one is made while this one is heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::answer::Opening;
use super::listen::Disk;
use super::sentences::split_to;
use super::trace::{Turn, lock};
use crate::api::Speech;
use crate::audio::{Pcm, Resampler, to_i16};
use crate::error::Result;
use crate::event::Event;
use crate::ports::Output;
use crate::providers::Service;
use crate::record::Stage;
use crate::router::Plan;

/// Sound that may be made ahead of what is heard: enough to bridge a slow voice, little enough not to be paid for in vain.
const AHEAD: Duration = Duration::from_secs(6);
/// How often it is looked how far the speaker is; the first sound is looked for more often.
const FOLLOW: Duration = Duration::from_millis(25);
const FOLLOW_FIRST: Duration = Duration::from_millis(2);
/// Characters that a voice says in a second, for the part of a sentence whose length is not known yet.
const CHARACTERS_A_SECOND: f64 = 15.0;

/// What is being said: which samples belong to which sentence.
pub(crate) struct Voice {
    output: Option<Arc<dyn Output>>,
    marks: Mutex<Vec<Mark>>,
    /// Samples given to the output.
    given: AtomicU64,
    /// Milliseconds of sound made, at any rate.
    made_ms: AtomicU64,
    /// What was played when it was stopped; the output counts the next utterance from then on.
    stopped_at: OnceLock<u64>,
    /// Cancelled when all was played.
    done: CancellationToken,
}

struct Mark {
    sentence: String,
    from: u64,
    /// `None` while the sentence is still coming.
    to: Option<u64>,
}

enum Sound {
    Sentence(String),
    Piece(Pcm),
}

impl Voice {
    fn new(output: Option<Arc<dyn Output>>) -> Self {
        Self {
            output,
            marks: Mutex::default(),
            given: AtomicU64::new(0),
            made_ms: AtomicU64::new(0),
            stopped_at: OnceLock::new(),
            done: CancellationToken::new(),
        }
    }

    /// Silence, at once.
    pub(crate) fn stop(&self) {
        if let Some(output) = &self.output {
            output.stop();
            self.stopped_at.get_or_init(|| output.played());
        }
    }

    /// What was heard: whole sentences, and the words of the one that was cut.
    pub(crate) fn spoken(&self) -> String {
        let Some(output) = &self.output else { return String::new() };
        let (played, rate) = (self.stopped_at.get().copied().unwrap_or_else(|| output.played()), output.rate());
        let marks = lock(&self.marks);
        let heard: Vec<String> =
            marks.iter().map(|mark| mark.heard(played, rate)).filter(|text| !text.is_empty()).collect();
        heard.join(" ")
    }

    fn begin_sentence(&self, sentence: String) {
        let at = self.given.load(Ordering::Acquire);
        let mut marks = lock(&self.marks);
        if let Some(last) = marks.last_mut() {
            last.to.get_or_insert(at);
        }
        marks.push(Mark { sentence, from: at, to: None });
    }

    fn ahead(&self) -> Duration {
        let Some(output) = &self.output else { return Duration::ZERO };
        let heard = output.played() * 1_000 / u64::from(output.rate().max(1));
        Duration::from_millis(self.made_ms.load(Ordering::Acquire).saturating_sub(heard))
    }
}

impl Mark {
    fn heard(&self, played: u64, rate: u32) -> String {
        if self.to == Some(self.from) {
            return String::new(); // no voice could say it
        }
        if self.to.is_some_and(|to| played >= to) {
            return self.sentence.clone();
        }
        let heard = played.saturating_sub(self.from) as f64;
        let expected = self.sentence.chars().count() as f64 / CHARACTERS_A_SECOND * f64::from(rate);
        let whole = self.to.map_or(expected, |to| (to - self.from) as f64).max(1.0);
        let words: Vec<&str> = self.sentence.split_whitespace().collect();
        let count = ((heard / whole).min(1.0) * words.len() as f64).floor() as usize;
        words[..count].join(" ")
    }
}

impl Turn {
    /// Speaks the sentences as they come, until there are no more and all was heard.
    pub(super) async fn speak(
        &self,
        opening: Option<Opening>,
        mut sentences: mpsc::UnboundedReceiver<String>,
    ) -> Result<()> {
        if self.speech() == Speech::None {
            return Ok(());
        }
        let Some(first) = sentences.recv().await else { return Ok(()) };
        let stage = self.time(Stage::Speaking);
        let plan = self.plan(Service::Tts)?;
        let output = match opening {
            Some(opening) => match opening.output().await {
                Ok(output) => Some(output),
                Err(error) => {
                    self.tell_error("no_speaker", &error);
                    None
                }
            },
            None => None,
        };
        if let Some(output) = &output {
            output.begin();
        }
        let voice = Arc::new(Voice::new(output));
        *lock(&self.voice) = Some(voice.clone());

        let (to_play, sounds) = mpsc::unbounded_channel();
        let make = async {
            let result = self.make(first, sentences, plan, &voice, to_play).await;
            if let Ok(Some(route)) = &result {
                stage.by(route);
            }
            result
        };
        let play = async {
            let result = self.play(sounds, &voice).await;
            voice.done.cancel();
            result
        };
        let (made, played, ()) = tokio::join!(make, play, self.follow(&voice));
        if let Err(error) = played {
            self.tell_error("no_speaker", &error);
        }
        made.map(drop)
    }

    /// Turns sentences into sound, a little ahead of what is heard. Gives the route of the last one.
    async fn make(
        &self,
        first: String,
        mut sentences: mpsc::UnboundedReceiver<String>,
        mut plan: Plan,
        voice: &Voice,
        to_play: mpsc::UnboundedSender<Sound>,
    ) -> Result<Option<crate::record::Route>> {
        let most = plan
            .candidates
            .iter()
            .filter_map(|candidate| Some(candidate.services.tts.as_ref()?.max_chars(&candidate.route.model)))
            .min();
        let mut route = None;
        let mut next = Some(first);
        while let Some(sentence) = next {
            for part in split_to(&sentence, most.unwrap_or(usize::MAX).max(1)) {
                while voice.ahead() > AHEAD {
                    tokio::time::sleep(FOLLOW).await;
                }
                let _ = to_play.send(Sound::Sentence(part.clone()));
                let mut on_sound = |pcm: Pcm| {
                    voice.made_ms.fetch_add(u64::try_from(pcm.duration().as_millis()).unwrap_or(0), Ordering::AcqRel);
                    let _ = to_play.send(Sound::Piece(pcm));
                };
                let answered =
                    self.room.router.speak(&plan, &part, &self.room.ports.speaker, self, &mut on_sound).await?;
                // Who failed is not paid for at every sentence, and the voice does not change with each.
                plan.stay_with(&answered.route);
                route = Some(answered.route);
            }
            next = sentences.recv().await;
        }
        Ok(route)
    }

    /// Plays the sound and keeps it as a file. A speaker that fails ends the playing, not the file.
    async fn play(&self, mut sounds: mpsc::UnboundedReceiver<Sound>, voice: &Voice) -> Result<()> {
        let mut kept: Option<(Option<Disk>, u32)> = None;
        let mut to_file = Resampler::new(0, 0);
        let mut to_output = Resampler::new(0, 0);
        let mut rate = 0;
        let mut result = Ok(());
        while let Some(sound) = sounds.recv().await {
            let (samples, file) = match sound {
                Sound::Sentence(sentence) => {
                    let rest = to_output.finish();
                    if result.is_ok() {
                        result = give(voice, &rest).await;
                    }
                    voice.begin_sentence(sentence);
                    continue;
                }
                Sound::Piece(pcm) => {
                    let (_, file_rate) = kept.get_or_insert_with(|| {
                        let path = self.keep("answer");
                        self.edit(|record| record.answer_audio = path.clone());
                        (path.map(|path| Disk::create(path, pcm.rate, self.dismissed())), pcm.rate)
                    });
                    if pcm.rate != rate {
                        rate = pcm.rate;
                        to_file = Resampler::new(rate, *file_rate);
                        to_output = Resampler::new(rate, voice.output.as_ref().map_or(0, |output| output.rate()));
                    }
                    (to_output.push(&pcm.samples), to_file.push(&pcm.samples))
                }
            };
            if let Some((Some(disk), _)) = &kept {
                disk.write(file.into_iter().map(to_i16).collect());
            }
            if result.is_ok() {
                result = give(voice, &samples).await;
            }
        }
        if result.is_ok() {
            result = give(voice, &to_output.finish()).await;
        }
        if let Some(last) = lock(&voice.marks).last_mut() {
            last.to.get_or_insert(voice.given.load(Ordering::Acquire));
        }
        if let Some((Some(disk), _)) = kept {
            disk.write(to_file.finish().into_iter().map(to_i16).collect());
            if let Err(error) = disk.close().await {
                self.tell_error("not_kept", &error);
            }
        }
        result?;
        match &voice.output {
            Some(output) => output.drained().await,
            None => Ok(()),
        }
    }

    /// Looks how far the speaker is: the first sound, and which sentence is heard.
    async fn follow(&self, voice: &Voice) {
        let Some(output) = &voice.output else { return };
        let mut said = 0;
        loop {
            // Looked at first: what was played last is still told.
            let done = voice.done.is_cancelled();
            let played = output.played();
            if played > 0 && said == 0 {
                let first_sound_ms = self.since_asked();
                self.edit(|record| record.first_sound_ms = Some(first_sound_ms));
                self.show(Stage::Speaking);
            }
            let heard = lock(&voice.marks)
                .iter()
                .filter(|mark| played > mark.from)
                .map(|mark| mark.sentence.clone())
                .collect::<Vec<_>>();
            for sentence in heard.iter().skip(said) {
                self.room.events.send(Event::Speaking { turn: self.id.clone(), sentence: sentence.clone() });
            }
            said = said.max(heard.len());
            if done {
                return;
            }
            let pause = if said == 0 { FOLLOW_FIRST } else { FOLLOW };
            // An error only says that the time is over.
            let _ = tokio::time::timeout(pause, voice.done.cancelled()).await;
        }
    }
}

/// Gives samples to the output, if there is one, waiting while it is full.
async fn give(voice: &Voice, samples: &[f32]) -> Result<()> {
    let Some(output) = &voice.output else { return Ok(()) };
    output.write(samples).await?;
    voice.given.fetch_add(samples.len() as u64, Ordering::AcqRel);
    Ok(())
}
