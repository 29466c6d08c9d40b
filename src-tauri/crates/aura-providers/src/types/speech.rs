//! Text to speech: the request, its options, and the stream of audio.

use aura_audio::Pcm;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::failure::Failure;
use super::usage::Usage;

/// How a text is spoken. An option that a voice does not support is not sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpeechOptions {
    /// The speed as a factor of the voice's own; OpenAI takes 0.25 to 4.
    pub speed: Option<f32>,
    /// The style in words: `warmly`, `like a news reader`.
    pub style: Option<String>,
    /// The language of the text, as a BCP 47 tag.
    pub language: Option<String>,
    /// The preferred sample rate, in hertz. The actual one is in [`Pcm::rate`].
    pub sample_rate: Option<u32>,
    /// A voice for each speaker of a dialogue whose lines begin with a name. Only Gemini supports it, with exactly two speakers.
    pub speakers: Vec<SpeakerVoice>,
}

impl SpeechOptions {
    /// Sets the speed, as a factor of the voice's own.
    #[must_use]
    pub fn with_speed(mut self, speed: f32) -> Self {
        self.speed = Some(speed);
        self
    }

    /// Sets the style, in words.
    #[must_use]
    pub fn with_style(mut self, style: impl Into<String>) -> Self {
        self.style = Some(style.into());
        self
    }

    /// Sets the language of the text, as a BCP 47 tag.
    #[must_use]
    pub fn with_language(mut self, language: impl Into<String>) -> Self {
        self.language = Some(language.into());
        self
    }
}

/// The voice of one speaker of a dialogue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpeakerVoice {
    /// The speaker's name in the text.
    pub name: String,
    /// The id of the voice.
    pub voice: String,
}

/// Text to be spoken. Longer texts than [`TextToSpeech::max_chars`](super::TextToSpeech::max_chars) must be split by the caller.
#[derive(Debug, Clone, Default)]
pub struct SpeechRequest {
    /// The name of the model.
    pub model: String,
    /// The id of the voice; empty for the model's default voice.
    pub voice: String,
    /// The text.
    pub text: String,
    /// How it is spoken.
    pub options: SpeechOptions,
}

impl SpeechRequest {
    /// A request with the model's default voice.
    pub fn new(model: impl Into<String>, text: impl Into<String>) -> Self {
        Self { model: model.into(), text: text.into(), ..Self::default() }
    }

    /// Sets the voice.
    #[must_use]
    pub fn with_voice(mut self, voice: impl Into<String>) -> Self {
        self.voice = voice.into();
        self
    }

    /// Sets how the text is spoken.
    #[must_use]
    pub fn with_options(mut self, options: SpeechOptions) -> Self {
        self.options = options;
        self
    }
}

/// An event of streamed speech.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SpeechEvent {
    /// Mono samples, in order.
    Pcm(Pcm),
    /// A whole compressed file (MP3, Ogg Vorbis or FLAC), for [`aura_audio::decode`].
    File(Bytes),
    /// What the call consumed, if the provider says so. No audio.
    Usage(Box<Usage>),
}

/// Streamed speech. A stream that ends without a failure was complete.
pub type SpeechStream = BoxStream<'static, Result<SpeechEvent, Failure>>;
