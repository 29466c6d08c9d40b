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

/// Speech to be written down. Cheap to clone: an attempt can always be made again.
#[derive(Debug, Clone)]
pub struct SttRequest {
    /// The model.
    pub model: String,
    /// A complete WAV file: 16 kHz, mono, 16-bit.
    pub wav: Bytes,
    /// How long it is.
    pub duration: Duration,
    /// ISO 639-1 code when known.
    pub language: Option<String>,
}

/// What was understood.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transcript {
    /// The words, trimmed; empty when there were none.
    pub text: String,
    /// Highest `no_speech_prob` of the segments, where the provider reports it.
    pub no_speech: Option<f32>,
    /// Its parts with their times, where the provider tells them.
    pub segments: Vec<Segment>,
    /// The language that was heard, in the provider's own words.
    pub language: Option<String>,
    /// Lowest `avg_logprob` of the segments, where the provider reports it.
    pub log_prob: Option<f32>,
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

/// Text to be spoken. At most [`TextToSpeech::max_chars`] long: the caller splits.
#[derive(Debug, Clone)]
pub struct TtsRequest {
    /// The model.
    pub model: String,
    /// The voice.
    pub voice: String,
    /// The words.
    pub text: String,
}

/// A piece of speech.
#[derive(Debug, Clone, PartialEq)]
pub enum SpeechPiece {
    /// Mono samples, in order.
    Pcm(Pcm),
    /// A whole compressed file (MP3, OGG, FLAC), for [`crate::ports::Speaker::decode`].
    File(Bytes),
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedModel {
    /// The name to send.
    pub id: String,
    /// What it can do, as far as the list or its name tells.
    pub services: Vec<Service>,
    /// Tokens it can read.
    pub context: Option<u32>,
    /// Tokens it can write.
    pub max_output: Option<u32>,
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
