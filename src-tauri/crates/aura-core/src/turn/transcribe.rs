//! Transcribe: what was recorded becomes text.

use std::time::Duration;

use super::listen::Heard;
use super::trace::Turn;
use crate::audio::{SPEECH_RATE, speech_wav};
use crate::error::{Code, Error, Result};
use crate::providers::{Doubt, Service, SttRequest, Transcript};
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
            wav: speech_wav(&heard.samples),
            duration: Duration::from_secs_f64(seconds),
            language: self.config.settings.listening.language.clone(),
            ..SttRequest::default()
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
    // Both of the same part, and of every part: what is silent for a while between two sentences was said all the same.
    let silent = |doubt: &Doubt| doubt.no_speech > 0.6;
    let all = |is: &dyn Fn(&Doubt) -> bool| !transcript.doubts.is_empty() && transcript.doubts.iter().all(is);
    let guessed = all(&|doubt| silent(doubt) && doubt.log_prob < -0.7);
    text.is_empty() || guessed || (invented(text) && (all(&silent) || voiced < SHORT))
}

fn invented(text: &str) -> bool {
    let plain = text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    INVENTED.contains(&plain.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What models make of silence is dropped, and the same words are kept when somebody said them.
    #[test]
    fn trap_02_invented_words_are_dropped_and_spoken_ones_kept() {
        let heard = |text: &str, doubts: &[(f32, f32)], voiced_ms| {
            let doubt = |&(no_speech, log_prob): &(f32, f32)| Doubt { no_speech, log_prob, text: String::new() };
            let transcript =
                Transcript { text: text.into(), doubts: doubts.iter().map(doubt).collect(), ..Transcript::default() };
            !nothing_said(&transcript, Duration::from_millis(voiced_ms))
        };
        assert!(!heard("Thank you.", &[(0.91, -0.93)], 900));
        assert!(!heard("Thanks for watching!", &[], 200), "Gemini gives no numbers");
        assert!(!heard("Some long sentence nobody said.", &[(0.8, -0.9)], 900));
        assert!(!heard(" ", &[], 900));
        assert!(heard("Thank you.", &[(0.01, -0.2)], 900));
        assert!(heard("Thank you.", &[], 900));
        assert!(heard("Thank you for the coat.", &[(0.7, -0.3)], 300), "never by a part");
    }

    #[test]
    fn one_doubtful_part_does_not_drop_what_was_said_in_the_others() {
        let part = |no_speech, log_prob| Doubt { no_speech, log_prob, text: String::new() };
        let kept = |doubts: Vec<Doubt>| {
            let transcript = Transcript { text: "Open the settings. Please.".into(), doubts, ..Transcript::default() };
            !nothing_said(&transcript, Duration::from_secs(2))
        };
        assert!(kept(vec![part(0.01, -0.2), part(0.9, -0.9)]), "one of them was surely said");
        assert!(kept(vec![part(0.9, -0.3), part(0.1, -0.9)]), "the numbers are of two parts");
        assert!(!kept(vec![part(0.9, -0.9), part(0.8, -0.8)]));
    }
}
