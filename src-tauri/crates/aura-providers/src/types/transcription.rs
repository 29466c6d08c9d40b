//! Speech to text: the request and the transcript.

use std::time::Duration;

use aura_audio::{SPEECH_RATE, speech_wav};
use bytes::Bytes;

use super::usage::Usage;

/// A recording to transcribe. Cheap to clone: the recording is shared. An option that a provider does not support is not sent.
#[derive(Debug, Clone, Default)]
pub struct TranscriptionRequest {
    /// The name of the model.
    pub model: String,
    /// A complete WAV file: 16 kHz, mono, 16-bit, as [`speech_wav`] writes it.
    pub wav: Bytes,
    /// The duration of the recording.
    pub duration: Duration,
    /// The language that is spoken, as an ISO 639-1 code or BCP 47 tag; `None` lets the model detect it.
    pub language: Option<String>,
    /// The text that precedes the recording, or a text in the desired style; in the language of the recording.
    pub prompt: Option<String>,
    /// Names and terms that are likely to occur.
    pub vocabulary: Vec<String>,
    /// Whether to return the time of each word.
    pub words: bool,
    /// Whether to translate into English.
    pub translate: bool,
    /// The sampling temperature, 0 to 1; `None` is 0.
    pub temperature: Option<f64>,
    /// Whether to raise the token limit of the answer, after a call that failed with
    /// [`FailureDetail::MaxTokensExhausted`](super::FailureDetail::MaxTokensExhausted).
    pub raise_max_tokens: bool,
}

impl TranscriptionRequest {
    /// A request for 16-bit mono samples at [`SPEECH_RATE`].
    pub fn new(model: impl Into<String>, samples: &[i16]) -> Self {
        Self {
            model: model.into(),
            wav: speech_wav(samples),
            duration: Duration::from_secs_f64(samples.len() as f64 / f64::from(SPEECH_RATE)),
            ..Self::default()
        }
    }

    /// A request for a sound file: WAV, MP3, Ogg Vorbis or FLAC, at any sample rate. Decoding is CPU-bound: in an async
    /// program, call this on a blocking thread for long files.
    ///
    /// # Errors
    /// When the file cannot be decoded, or is longer than [`aura_audio::MAX_DURATION`].
    pub fn from_file(model: impl Into<String>, file: Bytes) -> Result<Self, aura_audio::Error> {
        let pcm = aura_audio::decode(file)?;
        if pcm.duration() > aura_audio::MAX_DURATION {
            return Err(aura_audio::Error::TooLong);
        }
        Ok(Self::new(model, &pcm.to_speech()))
    }

    /// Sets the language that is spoken.
    #[must_use]
    pub fn with_language(mut self, language: impl Into<String>) -> Self {
        self.language = Some(language.into());
        self
    }

    /// Sets the text that precedes the recording.
    #[must_use]
    pub fn with_prompt(mut self, prompt: impl Into<String>) -> Self {
        self.prompt = Some(prompt.into());
        self
    }

    /// Adds names and terms that are likely to occur.
    #[must_use]
    pub fn with_vocabulary(mut self, terms: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.vocabulary.extend(terms.into_iter().map(Into::into));
        self
    }
}

/// A transcribed recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transcript {
    /// The text, trimmed; empty when no speech was recognised.
    pub text: String,
    /// Segments with their times, where the provider reports them.
    pub segments: Vec<Segment>,
    /// Words with their times, where they were requested and the provider reports them.
    pub words: Vec<Word>,
    /// The model's confidence in each segment, where the provider reports it.
    pub confidences: Vec<SegmentConfidence>,
    /// The detected language, as the provider names it.
    pub language: Option<String>,
    /// What the call consumed.
    pub usage: Usage,
}

/// A segment of a transcript.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Segment {
    /// The start, in seconds.
    pub start: f64,
    /// The end, in seconds.
    pub end: f64,
    /// The text, trimmed.
    pub text: String,
}

/// The model's confidence in a segment. Whisper invents text for silence; these numbers reveal it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SegmentConfidence {
    /// The probability that nobody spoke: `no_speech_prob`, 0 to 1.
    pub no_speech: f32,
    /// The mean log probability of the tokens: `avg_logprob`, at most 0.
    pub log_prob: f32,
    /// The text, trimmed.
    pub text: String,
}

/// A word of a transcript.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Word {
    /// The start, in seconds.
    pub start: f64,
    /// The end, in seconds.
    pub end: f64,
    /// The word, trimmed.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_becomes_a_recording_at_the_speech_rate() {
        let samples: Vec<i16> = (0..16_000).map(|at| (at % 100) as i16).collect();
        let request = TranscriptionRequest::from_file("m", speech_wav(&samples)).unwrap();
        assert_eq!((request.duration, request.wav.len()), (Duration::from_secs(1), 44 + 32_000));
        assert!(TranscriptionRequest::from_file("m", Bytes::from_static(b"hello")).is_err());
    }
}
