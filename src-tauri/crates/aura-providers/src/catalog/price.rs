//! List prices, and the cost of a call.

use jiff::civil::Date;
use serde::Deserialize;

use crate::types::Usage;

/// The unit of a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unit {
    /// A million tokens.
    MillionTokens,
    /// An hour of audio.
    AudioHour,
    /// A million characters.
    MillionCharacters,
}

impl Unit {
    /// The unit for users, such as `1M tokens`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MillionTokens => "1M tokens",
            Self::AudioHour => "hour of audio",
            Self::MillionCharacters => "1M characters",
        }
    }
}

/// A list price, in US dollars.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Price {
    /// The unit of all amounts.
    pub unit: Unit,
    /// The price of input.
    pub input: f64,
    /// The price of cached input; `None`: the same as other input.
    pub cached: Option<f64>,
    /// The price of audio input; `None`: the same as other input.
    pub audio: Option<f64>,
    /// The price of output; `None`: output is free.
    pub output: Option<f64>,
    /// The first day on which it applies; `None`: it always has.
    pub from: Option<Date>,
    /// The minimum duration that is billed, in seconds.
    pub min_seconds: Option<f32>,
}

impl Price {
    /// The cost of a call in US dollars; `None` when the usage lacks a number that the price needs.
    pub fn cost(&self, usage: &Usage) -> Option<f64> {
        match self.unit {
            Unit::MillionTokens => {
                let input = self.audio.filter(|_| usage.audio_seconds.is_some()).unwrap_or(self.input);
                let tokens = usage.input_tokens?;
                // Cached tokens are part of the input tokens, whatever the provider reports.
                let cached = usage.cached_tokens.unwrap_or(0).min(tokens);
                let input = f64::from(tokens - cached) * input + f64::from(cached) * self.cached.unwrap_or(input);
                let output = f64::from(usage.output_tokens?) * self.output.unwrap_or(0.0);
                Some((input + output) / 1e6)
            }
            Unit::AudioHour => {
                let seconds = usage.audio_seconds?.max(self.min_seconds.unwrap_or(0.0));
                Some(f64::from(seconds) * self.input / 3600.0)
            }
            Unit::MillionCharacters => Some(f64::from(usage.characters?) * self.input / 1e6),
        }
    }
}
