//! What an interface shows: a snapshot of the assistant, and its providers, routes, models, voices and servers.

use aura_providers::Service;
use aura_providers::catalog::ModelNote;
use aura_router::{
    Consent, ModelInfo, ModelSource, PriceInfo, ProviderInfo, ProviderProblem, Route, RouteInfo, RouteReason,
    ServerInfo, VoiceInfo,
};
use serde::{Deserialize, Serialize};

use crate::config::{KeyView, Overruled, Settings, SettingsProblem};
use crate::consent::ConsentRequest;
use crate::error::ErrorCode;
use crate::history_problem::HistoryProblem;
use crate::record::{Playback, Stage};

/// The whole state that an interface shows while nothing happens. Sent with every change of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Snapshot {
    /// AURA's version, such as `0.1.0`.
    pub version: String,
    /// Whether the sandbox answers instead of the real providers.
    pub sandbox: bool,
    /// The stage of the current turn; idle when there is none.
    pub stage: Stage,
    /// ID of the current session. Turns of one session share memory.
    pub session: String,
    /// Whether hands-free use is on: AURA listens again after each answer.
    pub hands_free: bool,
    /// Whether an answer is being played.
    pub playback: Playback,
    /// What the person is asked now; absent when nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub consent: Option<ConsentRequest>,
    /// The tools that act, for the permissions in the settings. Empty where AURA cannot act: in a server.
    #[serde(default)]
    pub acting_tools: Vec<String>,
    /// The settings in effect: the settings file, and over it the environment variables that nobody has changed since the start.
    pub settings: Settings,
    /// Paths of the settings that environment variables decide now, such as `routes.llm.provider`.
    pub from_environment: Vec<String>,
    /// What was remembered and is overruled by an environment variable, now or at the next start.
    #[serde(default)]
    pub overruled: Vec<Overruled>,
    /// Problems found in the settings file, one sentence each. A value with a problem keeps its default.
    pub settings_problems: Vec<String>,
    /// The same as facts, for sentences in another language.
    #[serde(default)]
    pub settings_problem_facts: Vec<SettingsProblem>,
    /// Every built-in provider and configured server.
    pub providers: Vec<ProviderView>,
    /// The current routes, one entry per service.
    pub routes: Vec<RouteView>,
    /// Why API keys cannot be saved on this computer, in a sentence; absent when they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub keyring_problem: Option<String>,
    /// What is wrong with the history or was repaired lately, in sentences; absent when nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub history_problem: Option<String>,
    /// The same as facts, for sentences in another language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub history_problem_facts: Option<HistoryProblem>,
    /// Why the global shortcut does not work, in a sentence; absent when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub shortcut_problem: Option<String>,
    /// Why the local API could not be opened, in a sentence; absent when it is open, or switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub server_problem: Option<String>,
    /// The same as a code, for a sentence in another language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub server_problem_code: Option<ErrorCode>,
}

/// A provider as an interface shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ProviderView {
    /// The provider's ID in settings and requests, such as `groq`.
    pub name: String,
    /// The provider's name to show to the user, such as `Groq`.
    pub label: String,
    /// The services that the provider offers.
    pub services: Vec<Service>,
    /// Whether the provider runs on this computer.
    pub local: bool,
    /// Whether the provider needs an API key.
    pub needs_key: bool,
    /// The last characters of the provider's API key and where the key is stored; absent without a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub key: Option<KeyView>,
    /// The kinds of data that may be sent to the provider.
    pub may_receive: Consent,
    /// Why the provider is not used, in a sentence; absent when it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub problem: Option<String>,
    /// The same as facts, for a sentence in another language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub problem_facts: Option<ProviderProblem>,
}

/// The current routes of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RouteView {
    /// The service.
    pub service: Service,
    /// The default route first, then the fallback routes in order. Routes that are not ready are left out.
    pub routes: Vec<Route>,
    /// Why the first route comes first, in a sentence; absent when the user chose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub why: Option<String>,
    /// The same as facts, for a sentence in another language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub why_facts: Option<RouteReason>,
    /// ID of the installed model that the next question uses for the first route; present when that is the built-in provider and a model
    /// on this computer does it. For a question in a language that only another model knows, that one is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub local_model: Option<String>,
}

/// Where the description of a model comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The provider's own model list.
    Live,
    /// The built-in catalog alone: the provider's list was not fetched yet, or the provider has none.
    Catalog,
}

/// A price in US dollars per unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PriceView {
    /// The unit in words: `1M tokens`, `hour of audio` or `1M characters`.
    pub unit: String,
    /// US dollars per unit of input.
    pub input: f64,
    /// US dollars per unit of output; absent when only input is billed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub output: Option<f64>,
}

/// A model as an interface shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ModelView {
    /// The model's ID as it is sent to the provider.
    pub name: String,
    /// The ID of the provider that offers the model.
    pub provider: String,
    /// The services that the model can do.
    pub services: Vec<Service>,
    /// The model's voices; empty unless it offers `tts`.
    pub voices: Vec<String>,
    /// Size of the context window in tokens; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub context: Option<u32>,
    /// The longest answer in tokens; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub max_output: Option<u32>,
    /// The model's price; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub price: Option<PriceView>,
    /// The day on which the provider retires or retired the model; absent when none was announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "string"))]
    pub retired_on: Option<jiff::civil::Date>,
    /// The model that is used instead of a retired one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub replaced_by: Option<String>,
    /// Why the model cannot be used now, in a sentence: the provider no longer lists it, or rejected it as gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub problem: Option<String>,
    /// Where this description comes from.
    pub source: Source,
    /// A remark to show to the user, or the name of a local model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub note: Option<String>,
    /// The remark as facts, for a sentence in another language; absent for a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub note_facts: Option<ModelNote>,
}

/// A voice as an interface shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct VoiceView {
    /// The voice's ID as it is sent to the provider.
    pub name: String,
    /// The ID of the provider that offers the voice.
    pub provider: String,
    /// The model that the voice belongs to.
    pub model: String,
    /// ISO 639-1 code of the voice's language; absent when the voice speaks several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub language: Option<String>,
    /// `female` or `male`; absent when the provider does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub gender: Option<String>,
}

/// A kind of OpenAI-compatible server that can be added as a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ServerView {
    /// The preset's ID, such as `ollama`.
    pub preset: String,
    /// The server's name to show to the user.
    pub label: String,
    /// The server's usual base URL; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub base_url: Option<String>,
    /// Whether the server runs on this computer.
    pub local: bool,
    /// Whether the server needs an API key.
    pub needs_key: bool,
    /// The services that the server offers.
    pub services: Vec<Service>,
    /// Whether a server responds at that URL now.
    pub found: bool,
}

impl ProviderView {
    /// The view of a provider and of its API key.
    pub(crate) fn new(info: ProviderInfo, key: Option<KeyView>) -> Self {
        let ProviderInfo { name, label, services, local, needs_key, may_receive, problem, .. } = info;
        let sentence = problem.as_ref().map(ToString::to_string);
        Self { name, label, services, local, needs_key, key, may_receive, problem: sentence, problem_facts: problem }
    }
}

impl From<RouteInfo> for RouteView {
    fn from(info: RouteInfo) -> Self {
        let RouteInfo { service, routes, reason, .. } = info;
        Self { service, routes, why: reason.as_ref().map(ToString::to_string), why_facts: reason, local_model: None }
    }
}

impl From<PriceInfo> for PriceView {
    fn from(info: PriceInfo) -> Self {
        Self { unit: info.unit.as_str().into(), input: info.input, output: info.output }
    }
}

impl From<ModelInfo> for ModelView {
    fn from(info: ModelInfo) -> Self {
        Self {
            name: info.name,
            provider: info.provider,
            services: info.services,
            voices: info.voices,
            context: info.context,
            max_output: info.max_output,
            price: info.price.map(PriceView::from),
            retired_on: info.retired_on,
            replaced_by: info.replaced_by,
            problem: info.problem,
            source: match info.source {
                ModelSource::Live => Source::Live,
                ModelSource::Catalog => Source::Catalog,
            },
            note: info.note,
            note_facts: info.note_facts,
        }
    }
}

impl From<VoiceInfo> for VoiceView {
    fn from(info: VoiceInfo) -> Self {
        let VoiceInfo { name, provider, model, language, gender, .. } = info;
        Self { name, provider, model, language, gender }
    }
}

impl From<ServerInfo> for ServerView {
    fn from(info: ServerInfo) -> Self {
        let ServerInfo { preset, label, base_url, local, needs_key, services, found, .. } = info;
        Self { preset, label, base_url, local, needs_key, services, found }
    }
}
