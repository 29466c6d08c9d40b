//! What a call consumed, and what is left of the rate limit.

use serde::{Deserialize, Serialize};

/// What a call consumed, as far as the provider reports it. `None` means unknown, not zero.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Usage {
    /// Input tokens, cached ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub input_tokens: Option<u32>,
    /// Input tokens that the provider read from its cache, at a lower price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub cached_tokens: Option<u32>,
    /// Output tokens, reasoning included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub output_tokens: Option<u32>,
    /// Seconds of audio, input or output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub audio_seconds: Option<f32>,
    /// Characters of spoken text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub characters: Option<u32>,
    /// The cost in US dollars, where the provider reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub cost_usd: Option<f64>,
    /// The model that answered. An alias such as `gemini-flash-latest` resolves to a model that can change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub model: Option<String>,
    /// What is left of the rate limit after this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub rate_limit: Option<RateLimit>,
}

/// A provider's rate limits, from the `x-ratelimit-*` headers of its replies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct RateLimit {
    /// Requests per period; at Groq per day.
    pub requests: Option<u32>,
    /// Requests left in this period.
    pub requests_left: Option<u32>,
    /// Seconds until the request limit resets.
    pub requests_reset_s: Option<f32>,
    /// Tokens per period; at Groq per minute.
    pub tokens: Option<u32>,
    /// Tokens left in this period.
    pub tokens_left: Option<u32>,
    /// Seconds until the token limit resets.
    pub tokens_reset_s: Option<f32>,
    /// Seconds of audio per period; at Groq per hour.
    pub audio_seconds: Option<u32>,
    /// Seconds of audio left in this period.
    pub audio_seconds_left: Option<u32>,
    /// Seconds until the audio limit resets.
    pub audio_seconds_reset_s: Option<f32>,
}
