//! Listen: records the microphone until the key is released. The recording is written to the disk meanwhile.

use std::path::PathBuf;
use std::time::Duration;

use aura_audio::{SPEECH_RATE, VoiceActivity};
use tokio::time::Instant;

use super::hands_free::{StartedRecording, has_ended};
use super::level_reports::LevelReports;
use super::live_words::LiveWords;
use super::recorded_speech::{RecordedSpeech, length};
use super::recorder::RecordingFile;
use super::turn::Turn;
use crate::error::Result;
use crate::event::Event;
use crate::ports::{Lowered, Recording, Replacement};
use crate::purpose::Purpose;
use crate::record::{Notice, NoticeFacts, NoticeKind, Stage};

/// How long a microphone may deliver digital silence before it counts as ready. One that wakes up does so for a moment, one that removes
/// noise itself does so in every pause.
const MAX_ZEROS: Duration = Duration::from_millis(400);
/// After this much silence, no word is lost with the 20 ms or so that the microphone has not delivered yet when the key is released.
const QUIET: Duration = Duration::from_millis(200);
/// A microphone whose last block is older has fallen behind. Blocks come every 20 ms.
const MAX_BLOCK_AGE: Duration = Duration::from_millis(40);
/// A recording with at least this much speech is answered although the microphone was disconnected.
const MIN_SPEECH_OF_LOST_MICROPHONE: Duration = Duration::from_millis(500);

/// Whether nothing that was said is missing, although the microphone has not delivered its last sound.
fn is_complete(activity: &VoiceActivity, last_block: Instant) -> bool {
    activity.speech().is_some() && activity.silence() >= QUIET && last_block.elapsed() <= MAX_BLOCK_AGE
}

impl Turn {
    /// Records until the key is released, the limit is reached, or the microphone is disconnected. Returns the recording, and the
    /// transcription that goes on meanwhile.
    ///
    /// # Errors
    /// When there is no microphone, it is disconnected before enough was recorded, or the recording holds no speech.
    pub(super) async fn listen(&self) -> Result<(RecordedSpeech, LiveWords<'_>)> {
        let _stage = self.time(Stage::Listening);
        let settings = &self.config.settings.listening;
        let _lowered = self.lower_other_sound();
        let hands_free = self.request.hands_free.as_deref();
        let ends_itself = hands_free.is_some() || self.request.purpose == Purpose::Transcribe;
        // The user is shown that AURA listens once the turn is in the history. The microphone opens meanwhile.
        let (recording, ()) = tokio::join!(self.open_microphone(), async {
            self.begun().await;
            self.show(Stage::Listening);
        });
        let StartedRecording { mut recording, mut samples } = recording?;
        // The file is created only now: without a microphone there is nothing to save.
        let path = self.recording_path("question");
        let file = path.clone().map(|path| RecordingFile::create(path, SPEECH_RATE, self));
        self.edit(|record| record.question_audio = path);
        let limit = settings.longest_seconds as usize * SPEECH_RATE as usize;
        let mut activity = VoiceActivity::default();
        activity.push(&samples);
        if let Some(file) = file.as_ref().filter(|_| !samples.is_empty()) {
            file.write(samples.clone()).await;
        }
        let mut live = self.live_words();
        self.hear(&mut live, &samples, &activity);
        let mut is_ready = false;
        let mut levels = LevelReports::after(0);
        let (mut released, mut last_block) = (false, Instant::now());
        loop {
            let all_read = recording.is_read();
            let block = tokio::select! {
                biased;
                () = self.release.cancelled(), if !released => {
                    released = true;
                    recording.stop();
                    continue;
                }
                block = recording.next() => block,
                () = std::future::ready(()), if released && all_read && is_complete(&activity, last_block) => break,
            };
            last_block = Instant::now();
            match block {
                Some(Ok(block)) => {
                    self.tell_other_microphone(&mut recording);
                    samples.extend_from_slice(&block);
                    activity.push(&block);
                    self.hear(&mut live, &samples, &activity);
                    if !is_ready && (block.iter().any(|sample| *sample != 0) || length(&samples) >= MAX_ZEROS) {
                        is_ready = true;
                        self.context.events.send(Event::Recording { turn: self.id.clone() });
                        self.cue_listening();
                    }
                    if let Some(file) = &file {
                        file.write(block).await;
                    }
                }
                Some(Err(error)) if activity.duration() >= MIN_SPEECH_OF_LOST_MICROPHONE => {
                    self.notify_error(NoticeKind::MicrophoneLost, &error);
                    break;
                }
                Some(Err(error)) => return Err(error),
                None => break,
            }
            if !released {
                levels.report(&samples, &self.context.events);
            }
            if !released && ends_itself && has_ended(&activity, length(&samples)) {
                released = true;
                recording.stop();
            }
            if samples.len() >= limit && !released {
                let seconds = settings.longest_seconds;
                let message =
                    format!("The recording reached its limit of {seconds} seconds. AURA answers what it heard so far.");
                let facts = NoticeFacts { seconds: Some(seconds), ..NoticeFacts::default() };
                self.notify(Notice::new(NoticeKind::RecordingLimit, message).with(facts));
                released = true;
                recording.stop();
            }
        }
        self.stopped_listening();
        if let Some(hands_free) = hands_free.filter(|_| activity.speech().is_none()) {
            self.end_hands_free(hands_free);
        }
        Ok((RecordedSpeech::new(samples, &activity, file)?, live))
    }

    /// Opens the first microphone of the person's order that can be used. A question that interrupted the last answer is being recorded already.
    pub(super) async fn open_microphone(&self) -> Result<StartedRecording> {
        if let Some(started) = self.request.hands_free.as_ref().and_then(|hands_free| hands_free.take()) {
            return Ok(started);
        }
        let order = self.config.settings.listening.microphones();
        let recording = self.context.ports.microphone.record(&order).await?;
        Ok(StartedRecording { recording, samples: Vec::new() })
    }

    /// Lowers other programs while a recording is made, if the person wants that.
    pub(super) fn lower_other_sound(&self) -> Option<Lowered> {
        self.config.settings.listening.lower_other_sound.then(|| self.context.ports.other_sound.lower())
    }

    /// Says once that another microphone records than the first choice. To be called with each block.
    pub(super) fn tell_other_microphone(&self, recording: &mut Recording) {
        if let Some(Replacement { label, .. }) = recording.take_replacement() {
            let message = format!("The microphone that you chose could not be used, so AURA listens with “{label}”.");
            let facts = NoticeFacts { microphone: Some(label), ..NoticeFacts::default() };
            self.notify(Notice::new(NoticeKind::OtherMicrophone, message).with(facts));
        }
    }

    /// The path of a recording of this turn; `None` when recordings are not saved.
    pub(super) fn recording_path(&self, part: &str) -> Option<PathBuf> {
        Some(self.context.recordings.as_ref()?.join(format!("{}-{part}.wav", self.id)))
    }
}
