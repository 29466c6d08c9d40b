//! Transcribe: turns the recording into text.

use std::time::Duration;

use aura_audio::{SPEECH_RATE, speech_wav};
use aura_providers::{SegmentConfidence, Service, Transcript, TranscriptionRequest};
use aura_router::{LiveTranscription, Routed};

use super::language;
use super::live_words::LiveWords;
use super::recorded_speech::{RecordedSpeech, holds_words};
use super::turn::Turn;
use crate::error::{Error, ErrorCode, Result};
use crate::record::{NoticeKind, Stage};

/// Transcripts that Whisper hallucinates for silence. Compared with a whole transcript, never with a part of it.
const HALLUCINATIONS: &[&str] = &[
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

/// The least speech that can hold one of these sentences.
const MIN_SENTENCE: Duration = Duration::from_millis(500);

impl Turn {
    /// Transcribes the question: by the transcription that went on while it was recorded, or as a whole.
    ///
    /// # Errors
    /// When every route failed, or with [`ErrorCode::NothingHeard`] when nobody spoke.
    pub(super) async fn transcribe(&self, mut recorded: RecordedSpeech, live: LiveWords<'_>) -> Result<String> {
        let stage = self.enter(Stage::Transcribing);
        let file = recorded.file.take();
        let save = async {
            match file {
                Some(file) => file.close().await,
                None => Ok(()),
            }
        };
        let transcribe = self.finish_transcript(live, &recorded);
        let read = async {
            if self.request.purpose.has_memory() {
                self.earlier_turns().await;
            }
        };
        let (routed, saved, ()) = tokio::join!(transcribe, save, read);
        if let Err(error) = saved {
            self.notify_error(NoticeKind::RecordingNotSaved, &error);
        }
        let routed = routed?;
        stage.answered_by(&routed.route);
        self.set_recognised(routed.value.language.as_deref().and_then(language::code));
        words_of(&routed.value, recorded.speech_duration)
    }

    /// Has the recording transcribed: by an upload that began while it was made, or sent as a whole.
    ///
    /// # Errors
    /// When there is no route, or every route failed.
    pub(super) async fn recognise(
        &self,
        recorded: &RecordedSpeech,
        upload: Option<LiveTranscription>,
    ) -> Result<Routed<Transcript>> {
        let plan = self.plan(Service::Stt)?;
        let seconds = recorded.spoken().len() as f64 / f64::from(SPEECH_RATE);
        let request = TranscriptionRequest {
            wav: speech_wav(recorded.spoken()),
            duration: Duration::from_secs_f64(seconds),
            language: self.config.settings.listening.language.clone(),
            vocabulary: self.config.settings.listening.vocabulary.clone(),
            ..TranscriptionRequest::default()
        };
        let has_words = holds_words(recorded.speech_duration);
        let router = &self.context.router;
        Ok(match upload {
            Some(upload) => router.finish_upload(upload, &plan, &request, has_words, self).await?,
            None => router.transcribe(&plan, &request, has_words, self).await?,
        })
    }
}

/// The words of a transcript.
///
/// # Errors
/// With [`ErrorCode::NothingHeard`] when nobody spoke them.
pub(super) fn words_of(transcript: &Transcript, speech_duration: Duration) -> Result<String> {
    if is_silence(transcript, speech_duration) {
        return Err(Error::new(
            ErrorCode::NothingHeard,
            "I heard something, but no words. Say it again, a little slower or closer to the microphone.",
        ));
    }
    Ok(transcript.text.trim().to_owned())
}

/// Whether nobody spoke the transcript: it is empty, the model reports that it guessed, or it is a known hallucination and the
/// recording is too short or too unlike speech for it.
fn is_silence(transcript: &Transcript, speech_duration: Duration) -> bool {
    let text = transcript.text.trim();
    // Both values must belong to the same segment, and hold for every segment: a pause between two sentences makes one silent
    // segment in a real transcript.
    let silent = |segment: &SegmentConfidence| segment.no_speech > 0.6;
    let all = |is: &dyn Fn(&SegmentConfidence) -> bool| {
        !transcript.confidences.is_empty() && transcript.confidences.iter().all(is)
    };
    let guessed = all(&|segment| silent(segment) && segment.log_prob < -0.7);
    text.is_empty() || guessed || (is_hallucination(text) && (all(&silent) || speech_duration < MIN_SENTENCE))
}

fn is_hallucination(text: &str) -> bool {
    let plain = text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    HALLUCINATIONS.contains(&plain.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_02_hallucinated_words_are_dropped_and_the_same_words_kept_when_spoken() {
        let is_kept = |text: &str, confidences: &[(f32, f32)], speech_ms| {
            let doubt =
                |&(no_speech, log_prob): &(f32, f32)| SegmentConfidence { no_speech, log_prob, text: String::new() };
            let transcript = Transcript {
                text: text.into(),
                confidences: confidences.iter().map(doubt).collect(),
                ..Transcript::default()
            };
            !is_silence(&transcript, Duration::from_millis(speech_ms))
        };
        assert!(!is_kept("Thank you.", &[(0.91, -0.93)], 900));
        assert!(!is_kept("Thanks for watching!", &[], 200), "Gemini gives no numbers");
        assert!(!is_kept("Some long sentence nobody said.", &[(0.8, -0.9)], 900));
        assert!(!is_kept(" ", &[], 900));
        assert!(is_kept("Thank you.", &[(0.01, -0.2)], 900));
        assert!(is_kept("Thank you.", &[], 900));
        assert!(is_kept("Thank you for the coat.", &[(0.7, -0.3)], 300), "only a whole transcript is compared");
    }

    #[test]
    fn one_doubtful_segment_does_not_drop_the_transcript() {
        let segment = |no_speech, log_prob| SegmentConfidence { no_speech, log_prob, text: String::new() };
        let is_kept = |confidences: Vec<SegmentConfidence>| {
            let transcript =
                Transcript { text: "Open the settings. Please.".into(), confidences, ..Transcript::default() };
            !is_silence(&transcript, Duration::from_secs(2))
        };
        assert!(is_kept(vec![segment(0.01, -0.2), segment(0.9, -0.9)]), "one segment is certain");
        assert!(is_kept(vec![segment(0.9, -0.3), segment(0.1, -0.9)]), "the values belong to two segments");
        assert!(!is_kept(vec![segment(0.9, -0.9), segment(0.8, -0.8)]));
    }
}
