//! Transcribe: what was recorded becomes text.

use std::time::Duration;

use super::listen::Heard;
use super::trace::Turn;
use crate::audio::{SPEECH_RATE, speech_wav};
use crate::error::{Code, Error, Result};
use crate::providers::{Service, SttRequest, Transcript};
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

/// A sound shorter than this holds no sentence.
const SHORT: Duration = Duration::from_millis(500);

impl Turn {
    /// The question in words.
    pub(super) async fn transcribe(&self, heard: Heard) -> Result<String> {
        let stage = self.enter(Stage::Transcribing);
        let plan = self.plan(Service::Stt)?;
        let seconds = heard.samples.len() as f64 / f64::from(SPEECH_RATE);
        let request = SttRequest {
            model: String::new(),
            wav: speech_wav(&heard.samples),
            duration: Duration::from_secs_f64(seconds),
            language: self.config.settings.listening.language.clone(),
        };
        // Short sounds may well hold no words: an empty transcript is only a failure when there was enough to hear.
        let voiced = heard.voiced >= Duration::from_secs(1);
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
        if nothing_said(&answered.value, heard.voiced) {
            return Err(Error::new(
                Code::NothingHeard,
                "I heard something, but no words. Please say it again, a little slower or closer.",
            ));
        }
        Ok(text.to_owned())
    }
}

/// Whether the words are no words of the person's: there are none, the model says itself that it guessed, or they are what models
/// invent, for a sound too short or too unlike speech to hold them.
fn nothing_said(transcript: &Transcript, voiced: Duration) -> bool {
    let text = transcript.text.trim();
    let doubts = transcript.no_speech.is_some_and(|probability| probability > 0.6);
    let guessed = doubts && transcript.log_prob.is_some_and(|probability| probability < -0.7);
    text.is_empty() || guessed || (invented(text) && (doubts || voiced < SHORT))
}

fn invented(text: &str) -> bool {
    let plain = text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    INVENTED.contains(&plain.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trap 2: what models make of silence is dropped, and the same words are kept when somebody said them.
    #[test]
    fn invented_words_are_dropped_and_spoken_ones_kept() {
        let heard = |text: &str, no_speech, log_prob, voiced_ms| {
            let transcript = Transcript { text: text.into(), no_speech, log_prob, ..Transcript::default() };
            !nothing_said(&transcript, Duration::from_millis(voiced_ms))
        };
        assert!(!heard("Thank you.", Some(0.91), Some(-0.93), 900));
        assert!(!heard("Thanks for watching!", None, None, 200), "Gemini gives no numbers");
        assert!(!heard("Some long sentence nobody said.", Some(0.8), Some(-0.9), 900));
        assert!(!heard(" ", None, None, 900));
        assert!(heard("Thank you.", Some(0.01), Some(-0.2), 900));
        assert!(heard("Thank you.", None, None, 900));
        assert!(heard("Thank you for the coat.", Some(0.7), Some(-0.3), 300), "never by a part");
    }
}
