//! Requests and responses of the operations on models, voices and service tests.

use aura_providers::Service;
use aura_router::{Cost, Route};
use serde::{Deserialize, Serialize};

use crate::record::Notice;

/// Request of `models` and `voices`: filters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct ModelsQuery {
    /// Only those of the provider with this ID.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub provider: Option<String>,
    /// Only those for this service.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub service: Option<Service>,
}

/// Request of `test`: one call that shows whether a service works. The call may be billed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Test {
    /// The service.
    pub service: Service,
    /// ID of the provider; absent: the provider of the default route.
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub provider: Option<String>,
    /// The model's ID; absent: the model in the settings, else the catalog's default model.
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub model: Option<String>,
    /// The voice's ID, for `tts`; absent: the voice in the settings, else the catalog's default voice.
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub voice: Option<String>,
    /// The input: text for `llm` and `tts`, a base64-encoded audio file for `stt`, a base64-encoded picture for `vlm`. Files
    /// may have at most 25 MB. Absent: AURA's own input.
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub input: Option<String>,
    /// Whether the speech of a `tts` test is played.
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub aloud: bool,
}

/// Response of `test`: the result of a successful call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TestResult {
    /// The service that was tested.
    pub service: Service,
    /// The route that answered.
    pub route: Route,
    /// The transcript or the answer; for `tts` the duration of the speech, in words.
    pub result: String,
    /// The duration of the speech of a `tts` test, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub speech_ms: Option<u32>,
    /// Duration of the call, in milliseconds.
    pub latency_ms: u32,
    /// Time to the first content, in milliseconds; absent when the reply was not streamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub first_ms: Option<u32>,
    /// The speech of a `tts` test: a WAV file, base64-encoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub audio: Option<String>,
    /// The cost of the call.
    pub cost: Cost,
    /// Notices to show to the user.
    pub notices: Vec<Notice>,
}
