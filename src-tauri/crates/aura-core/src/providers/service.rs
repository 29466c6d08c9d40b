//! The four services as a provider offers them, and what goes in and comes out.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{ChatRequest, ChatStream, Failure};
use crate::audio::Pcm;

/// What a provider can do for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Service {
    /// Speech to text.
    Stt,
    /// Text.
    Llm,
    /// Text about an image.
    Vlm,
    /// Text to speech.
    Tts,
}

impl Service {
    /// All four, in the order of a turn.
    pub const ALL: [Service; 4] = [Service::Stt, Service::Llm, Service::Vlm, Service::Tts];

    /// The name in settings, requests and variables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stt => "stt",
            Self::Llm => "llm",
            Self::Vlm => "vlm",
            Self::Tts => "tts",
        }
    }
}

impl std::str::FromStr for Service {
    type Err = crate::error::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|service| service.as_str() == name).ok_or_else(|| {
            crate::error::Error::invalid(format!("There is no service `{name}`. Use stt, llm, vlm or tts."))
        })
    }
}

/// What a call used, as far as the provider told. Absent numbers are unknown, never zero.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[ts(export)]
pub struct Usage {
    /// Tokens read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub input_tokens: Option<u32>,
    /// Those of them that the provider remembered from an earlier call, which is cheaper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub cached_tokens: Option<u32>,
    /// Tokens written, reasoning included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub output_tokens: Option<u32>,
    /// Seconds of audio, in or out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub audio_seconds: Option<f32>,
    /// Characters spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub characters: Option<u32>,
    /// What it cost in US dollars, when the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub cost_usd: Option<f64>,
    /// The model that really answered, when the provider names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub model: Option<String>,
    /// What is left of the provider's allowance after this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub rate_limit: Option<RateLimit>,
}

/// A provider's allowance, as the headers of its replies tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
#[ts(export)]
pub struct RateLimit {
    /// Requests in a period; at Groq a day.
    pub requests: Option<u32>,
    /// Requests that are left.
    pub requests_left: Option<u32>,
    /// Seconds until there are more.
    pub requests_reset_s: Option<f32>,
    /// Tokens in a period; at Groq a minute.
    pub tokens: Option<u32>,
    /// Tokens that are left.
    pub tokens_left: Option<u32>,
    /// Seconds until there are more.
    pub tokens_reset_s: Option<f32>,
    /// Seconds of audio in a period; at Groq an hour.
    pub audio_seconds: Option<u32>,
    /// Seconds of audio that are left.
    pub audio_seconds_left: Option<u32>,
    /// Seconds until there are more.
    pub audio_seconds_reset_s: Option<f32>,
}

/// Speech to be written down. Cheap to clone: an attempt can always be made again. What a provider does not take is left out.
#[derive(Debug, Clone, Default)]
pub struct SttRequest {
    /// The model.
    pub model: String,
    /// A complete WAV file: 16 kHz, mono, 16-bit.
    pub wav: Bytes,
    /// How long it is.
    pub duration: Duration,
    /// ISO 639-1 code when known.
    pub language: Option<String>,
    /// What was said before, or a text in the style that is wanted; in the language of the speech.
    pub prompt: Option<String>,
    /// Names and terms that are likely to be said.
    pub vocabulary: Vec<String>,
    /// Whether the time of each word is wanted, where the provider tells it.
    pub words: bool,
    /// Whether the words are wanted in English, whatever was spoken.
    pub translate: bool,
    /// How freely unclear sounds are guessed, 0 to 1; none: as little as can be.
    pub temperature: Option<f64>,
    /// Whether thinking, or the length of the speech, took all the room of the last call.
    pub more_room: bool,
}

/// What was understood.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transcript {
    /// The words, trimmed; empty when there were none.
    pub text: String,
    /// Its parts with their times, where the provider tells them.
    pub segments: Vec<Segment>,
    /// Its words with their times, where they were asked for and the provider tells them.
    pub words: Vec<Word>,
    /// How unsure the model is of each part, where the provider reports it.
    pub doubts: Vec<Doubt>,
    /// The language that was heard, in the provider's own words.
    pub language: Option<String>,
    /// What it used.
    pub usage: Usage,
}

/// A part of a transcript.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Segment {
    /// When it begins, seconds.
    pub start: f64,
    /// When it ends, seconds.
    pub end: f64,
    /// The words, trimmed.
    pub text: String,
}

/// How unsure the model is of a part of a transcript.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Doubt {
    /// How likely it is that nobody spoke: `no_speech_prob`, 0 to 1.
    pub no_speech: f32,
    /// How sure it is of the words: `avg_logprob`, at most 0.
    pub log_prob: f32,
    /// The words, trimmed.
    pub text: String,
}

/// A word of a transcript.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Word {
    /// When it begins, seconds.
    pub start: f64,
    /// When it ends, seconds.
    pub end: f64,
    /// The word, trimmed.
    pub text: String,
}

/// Turns speech into text.
#[async_trait]
pub trait SpeechToText: Send + Sync {
    /// One call.
    async fn transcribe(&self, request: &SttRequest) -> Result<Transcript, Failure>;
}

/// Answers questions, with or without a picture.
#[async_trait]
pub trait Chat: Send + Sync {
    /// One call; returns when the headers are there. Dropping the stream ends the call.
    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure>;
}

/// How a text is spoken. What a voice cannot do is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delivery {
    /// How fast; 1 is the voice's own pace.
    pub speed: Option<f32>,
    /// How it should sound, in words: `warmly`, `like a news reader`.
    pub style: Option<String>,
    /// The language of the text, as a BCP 47 tag.
    pub language: Option<String>,
    /// The rate of the sound that is wanted, samples a second. What arrives says its own.
    pub sample_rate: Option<u32>,
    /// Who speaks, when the text is a conversation whose lines begin with a name. Two at most, at Gemini alone.
    pub speakers: Vec<SpeakerVoice>,
}

/// One speaker of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpeakerVoice {
    /// The name in the text.
    pub name: String,
    /// The voice.
    pub voice: String,
}

/// Text to be spoken. At most [`TextToSpeech::max_chars`] long: the caller splits.
#[derive(Debug, Clone, Default)]
pub struct TtsRequest {
    /// The model.
    pub model: String,
    /// The voice.
    pub voice: String,
    /// The words.
    pub text: String,
    /// How they are spoken.
    pub delivery: Delivery,
}

/// A piece of speech.
#[derive(Debug, Clone, PartialEq)]
pub enum SpeechPiece {
    /// Mono samples, in order.
    Pcm(Pcm),
    /// A whole compressed file (MP3, OGG, FLAC), for [`crate::ports::Speaker::decode`].
    File(Bytes),
    /// What the call used, when the provider tells; no sound.
    Used(Box<Usage>),
}

/// Speech as it arrives. A stream that ends without an error was complete.
pub type SpeechStream = BoxStream<'static, Result<SpeechPiece, Failure>>;

/// Turns text into speech.
#[async_trait]
pub trait TextToSpeech: Send + Sync {
    /// One call; returns when the headers are there. Dropping the stream ends the call.
    async fn speak(&self, request: &TtsRequest) -> Result<SpeechStream, Failure>;

    /// The longest text one call takes, in characters.
    fn max_chars(&self, model: &str) -> usize;
}

/// A model as a provider lists it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListedModel {
    /// The name to send.
    pub id: String,
    /// What it can do, as far as the list or its name tells.
    pub services: Vec<Service>,
    /// Tokens it can read.
    pub context: Option<u32>,
    /// Tokens it can write.
    pub max_output: Option<u32>,
    /// What it costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<ListedPrice>,
    /// The voices it speaks with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub voices: Vec<String>,
    /// When the provider switches it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown_on: Option<jiff::civil::Date>,
}

/// A price as a provider lists it, in US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ListedPrice {
    /// What goes in.
    pub input: f64,
    /// What comes out.
    pub output: f64,
}

/// A voice as a provider lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVoice {
    /// The name to send.
    pub id: String,
    /// The name for the person.
    pub label: String,
}

/// The free calls: which models there are, and a connection that is open before it is needed.
#[async_trait]
pub trait Account: Send + Sync {
    /// The model list; also the check of a key.
    async fn models(&self) -> Result<Vec<ListedModel>, Failure>;

    /// The voices that are not in the catalog; servers with voices of their own list them.
    async fn voices(&self) -> Result<Vec<ListedVoice>, Failure> {
        Ok(Vec::new())
    }

    /// Opens a connection, so that the next call finds one. Errors do not matter here.
    async fn warm(&self);
}
