//! What goes in and out of the operations about models, voices, servers and tests.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::providers::Service;
use crate::record::{Notice, Route};
use crate::usage::Cost;

/// Which models, or which voices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct ModelsQuery {
    /// Only those of this provider.
    #[ts(optional)]
    pub provider: Option<String>,
    /// Only those for this service.
    #[ts(optional)]
    pub service: Option<Service>,
}

/// Where the knowledge of a model comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Source {
    /// The provider lists it.
    Live,
    /// Only the catalog does: the provider was not asked yet, or lists no models.
    Catalog,
}

/// A price as the interface shows it, US dollars.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[ts(export)]
pub struct PriceView {
    /// What it is for, in words: `1M tokens`, `hour of audio`, `1M characters`.
    pub unit: String,
    /// What goes in.
    pub input: f64,
    /// What comes out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub output: Option<f64>,
}

/// A model as the interface shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ModelView {
    /// The name to send.
    pub name: String,
    /// Whose it is.
    pub provider: String,
    /// What it does.
    pub services: Vec<Service>,
    /// Its voices, for `tts`.
    pub voices: Vec<String>,
    /// Tokens it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub context: Option<u32>,
    /// Tokens it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub max_output: Option<u32>,
    /// What it costs; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub price: Option<PriceView>,
    /// When the provider switches it off, or did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    pub retired_on: Option<jiff::civil::Date>,
    /// What answers in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub replaced_by: Option<String>,
    /// Why it cannot be used now: the provider no longer lists it, or answered that it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub problem: Option<String>,
    /// Where this is known from.
    pub source: Source,
    /// A remark for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub note: Option<String>,
}

/// A voice as the interface shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct VoiceView {
    /// The name to send.
    pub name: String,
    /// Whose it is.
    pub provider: String,
    /// The model that has it.
    pub model: String,
    /// ISO 639-1 code, where it speaks one language only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub language: Option<String>,
    /// `female` or `male`, where the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub gender: Option<String>,
}

/// A kind of OpenAI-compatible server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ServerView {
    /// The preset's name.
    pub preset: String,
    /// Its name for the person.
    pub label: String,
    /// Where it is found when nobody moved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub base_url: Option<String>,
    /// Whether it runs on this computer.
    pub local: bool,
    /// Whether it needs a key.
    pub needs_key: bool,
    /// What it offers.
    pub services: Vec<Service>,
    /// Whether one answers at that address now.
    pub found: bool,
}

/// A billed call to see whether a service works. Made only when the person asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Test {
    /// What.
    pub service: Service,
    /// By whom; absent: by the default route.
    #[serde(default)]
    #[ts(optional)]
    pub provider: Option<String>,
    /// With which model; absent: the chosen one, or the catalog's.
    #[serde(default)]
    #[ts(optional)]
    pub model: Option<String>,
    /// With which voice, for `tts`.
    #[serde(default)]
    #[ts(optional)]
    pub voice: Option<String>,
    /// What to work on: a text for `llm` and `tts`, a base64 sound file for `stt`, a base64 picture for `vlm`. Absent: AURA's own.
    #[serde(default)]
    #[ts(optional)]
    pub input: Option<String>,
    /// Whether the speech of a `tts` test is heard.
    #[serde(default)]
    #[ts(as = "Option<_>", optional)]
    pub aloud: bool,
}

/// What a test showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct TestResult {
    /// What was tested.
    pub service: Service,
    /// Who answered.
    pub route: Route,
    /// The transcript or the answer; for speech how long it is.
    pub result: String,
    /// How long it took, milliseconds.
    pub latency_ms: u32,
    /// To the first content, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub first_ms: Option<u32>,
    /// The speech, a base64 WAV file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub audio: Option<String>,
    /// What it cost.
    pub cost: Cost,
    /// What the person should know.
    pub notices: Vec<Notice>,
}
