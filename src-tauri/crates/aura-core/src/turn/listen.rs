//! Listen: records the microphone until the key is released. The recording is written to the disk meanwhile.

use std::path::PathBuf;
use std::time::Duration;

use aura_audio::{SPEECH_RATE, meter};
use tokio::time::Instant;

use super::prepare::Prepared;
use super::recorded_speech::{RecordedSpeech, speech_duration};
use super::recorder::RecordingFile;
use super::turn::Turn;
use crate::error::Result;
use crate::event::Event;
use crate::ports::Recording;
use crate::record::{Notice, NoticeFacts, NoticeKind, Stage};

/// The least time between two level events: 30 per second.
const LEVEL_INTERVAL: Duration = Duration::from_millis(33);
/// A recording with at least this much speech is answered although the microphone was disconnected.
const MIN_SPEECH_OF_LOST_MICROPHONE: Duration = Duration::from_millis(500);

impl Turn {
    /// Records until the key is released, the limit is reached, or the microphone is disconnected.
    ///
    /// # Errors
    /// When there is no microphone, it is disconnected before enough was recorded, or the recording holds no speech.
    pub(super) async fn listen(&self, prepared: &Prepared) -> Result<RecordedSpeech> {
        let _stage = self.time(Stage::Listening);
        let settings = &self.config.settings.listening;
        // The user is shown that AURA listens once the turn is in the history. The microphone opens meanwhile.
        let (recording, ()) = tokio::join!(self.open_microphone(), async {
            self.begun().await;
            self.show(Stage::Listening);
        });
        let mut recording = recording?;
        // The file is created only now: without a microphone there is nothing to save.
        let path = self.recording_path("question");
        let file = path.clone().map(|path| RecordingFile::create(path, SPEECH_RATE, self));
        self.edit(|record| record.question_audio = path);
        let limit = settings.longest_seconds as usize * SPEECH_RATE as usize;
        let mut samples: Vec<i16> = Vec::new();
        let mut level_sent = Instant::now();
        let mut measured = 0;
        let mut released = false;
        loop {
            let block = tokio::select! {
                biased;
                () = self.release.cancelled(), if !released => {
                    released = true;
                    recording.stop();
                    continue;
                }
                block = recording.next() => block,
            };
            match block {
                Some(Ok(block)) => {
                    if samples.is_empty() && !block.is_empty() {
                        self.context.events.send(Event::Recording { turn: self.id.clone() });
                        prepared.play_start_tone(self.release.clone());
                    }
                    samples.extend_from_slice(&block);
                    if let Some(file) = &file {
                        file.write(block).await;
                    }
                }
                Some(Err(error)) if speech_duration(&samples) >= MIN_SPEECH_OF_LOST_MICROPHONE => {
                    self.notify_error(NoticeKind::MicrophoneLost, &error);
                    break;
                }
                Some(Err(error)) => return Err(error),
                None => break,
            }
            if level_sent.elapsed() >= LEVEL_INTERVAL && !released {
                let elapsed_ms =
                    u32::try_from(samples.len() as u64 * 1_000 / u64::from(SPEECH_RATE)).unwrap_or(u32::MAX);
                self.context.events.send(Event::Level { level: meter(&samples[measured..]), elapsed_ms });
                (level_sent, measured) = (Instant::now(), samples.len());
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
        RecordedSpeech::new(samples, file)
    }

    /// Opens the chosen microphone, or the default one with a notice when that is gone.
    async fn open_microphone(&self) -> Result<Recording> {
        let microphone = &self.context.ports.microphone;
        let chosen = self.config.settings.listening.microphone.as_deref();
        let (recording, is_other) = microphone.record_or_default(chosen).await?;
        if is_other {
            let message = "The microphone that you chose could not be used, so AURA listened with the default one.";
            self.notify(Notice::new(NoticeKind::OtherMicrophone, message));
        }
        Ok(recording)
    }

    /// The path of a recording of this turn; `None` when recordings are not saved.
    pub(super) fn recording_path(&self, part: &str) -> Option<PathBuf> {
        Some(self.context.recordings.as_ref()?.join(format!("{}-{part}.wav", self.id)))
    }
}
