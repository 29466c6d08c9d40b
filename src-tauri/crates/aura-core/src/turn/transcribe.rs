//! Transcribe: what was recorded becomes text.

use super::listen::Heard;
use super::trace::Turn;
use crate::audio::{SPEECH_RATE, speech_wav};
use crate::error::{Code, Error, Result};
use crate::providers::{Service, SttRequest};
use crate::record::Stage;

/// What Whisper invents for silence. Compared with the whole transcript, never with a part of it.
const INVENTED: &[&str] = &[
    "you",
    "thank you",
    "thanks for watching",
    "thank you for watching",
    "bye",
    "okay",
    "so",
    "the end",
    "subtitles by the amara.org community",
];

impl Turn {
    /// The question in words.
    pub(super) async fn transcribe(&self, heard: Heard) -> Result<String> {
        let stage = self.enter(Stage::Transcribing);
        let plan = self.room.router.plan(Service::Stt, &self.request.wishes)?;
        let seconds = heard.samples.len() as f64 / f64::from(SPEECH_RATE);
        let request = SttRequest {
            model: String::new(),
            wav: speech_wav(&heard.samples),
            duration: std::time::Duration::from_secs_f64(seconds),
            language: self.config.settings.listening.language.clone(),
        };
        // Short sounds may well hold no words: an empty transcript is only a failure when there was enough to hear.
        let voiced = heard.voiced >= std::time::Duration::from_secs(1);
        let keep = async {
            match heard.disk {
                Some(disk) => disk.close().await,
                None => Ok(()),
            }
        };
        let (answered, kept) = tokio::join!(self.room.router.transcribe(&plan, &request, voiced, self), keep);
        if let Err(error) = kept {
            self.tell_error("not_kept", &error);
        }
        let answered = answered?;
        stage.by(&answered.route);
        let text = answered.value.text.trim();
        if text.is_empty() || (invented(text) && answered.value.no_speech.is_some_and(|probability| probability > 0.6))
        {
            return Err(Error::new(
                Code::NothingHeard,
                "I heard something, but no words. Please say it again, a little slower or closer.",
            ));
        }
        Ok(text.to_owned())
    }
}

fn invented(text: &str) -> bool {
    let plain = text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    INVENTED.contains(&plain.as_str())
}
