//! What a call costs.

use jiff::civil::Date;
use serde::Deserialize;

use crate::providers::Usage;

/// What a price is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A million tokens.
    MillionTokens,
    /// An hour of audio.
    AudioHour,
    /// A million characters.
    MillionCharacters,
}

impl Unit {
    /// The unit in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MillionTokens => "1M tokens",
            Self::AudioHour => "hour of audio",
            Self::MillionCharacters => "1M characters",
        }
    }
}

/// A list price in US dollars.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// What it is for.
    pub unit: Unit,
    /// What goes in.
    pub input: f64,
    /// Input that the provider remembered.
    pub cached: Option<f64>,
    /// Audio that goes in, where it costs something else.
    pub audio: Option<f64>,
    /// What comes out.
    pub output: Option<f64>,
    /// The first day it applies; from the beginning without one.
    pub from: Option<Date>,
    /// The shortest audio that is billed, in seconds.
    pub min_seconds: Option<f32>,
}

impl Price {
    /// What a call cost, in US dollars, when enough is known of it.
    pub fn cost(&self, usage: &Usage) -> Option<f64> {
        match self.unit {
            Unit::MillionTokens => {
                let input = self.audio.filter(|_| usage.audio_seconds.is_some()).unwrap_or(self.input);
                let read = usage.input_tokens?;
                // Part of what was read; never more than that.
                let cached = usage.cached_tokens.unwrap_or(0).min(read);
                let read = f64::from(read - cached) * input + f64::from(cached) * self.cached.unwrap_or(input);
                let output = f64::from(usage.output_tokens?) * self.output.unwrap_or(0.0);
                Some((read + output) / 1e6)
            }
            Unit::AudioHour => {
                let seconds = usage.audio_seconds?.max(self.min_seconds.unwrap_or(0.0));
                Some(f64::from(seconds) * self.input / 3600.0)
            }
            Unit::MillionCharacters => Some(f64::from(usage.characters?) * self.input / 1e6),
        }
    }
}
