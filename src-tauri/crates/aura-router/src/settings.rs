//! The configuration of the router: routes, providers, consent and timeouts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use aura_providers::{Realtime, Service};

/// Everything that decides how a request is routed, apart from the API keys.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RoutingSettings {
    /// Whether other providers may be used when the first one fails or is not ready.
    pub fallback: bool,
    /// Whether another provider may answer what the first one blocked for its content.
    pub fallback_when_blocked: bool,
    /// Whether to make hedged requests: when the first route takes longer than the 95th percentile of its latency, the next one is
    /// called as well. The first result wins; both calls may be billed.
    pub hedge: bool,
    /// How the first route is chosen when neither the settings nor the request name a provider for the service.
    pub preference: RoutePreference,
    /// The chosen route for each service.
    pub routes: Routes,
    /// Settings by provider name. A name that is not a built-in provider adds an OpenAI-compatible server.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// The timeouts of requests.
    pub timeouts: Timeouts,
    /// The cost of a day, in US dollars, from which on only providers are used whose calls are not billed; `None`: no limit.
    pub daily_limit: Option<f64>,
}

impl Default for RoutingSettings {
    fn default() -> Self {
        Self {
            fallback: true,
            fallback_when_blocked: false,
            hedge: false,
            preference: RoutePreference::default(),
            routes: Routes::default(),
            providers: BTreeMap::new(),
            timeouts: Timeouts::default(),
            daily_limit: None,
        }
    }
}

/// How the first route is chosen when neither the settings nor the request name a provider for the service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum RoutePreference {
    /// The first provider that is ready, in fallback order.
    #[default]
    Order,
    /// The lowest measured latency.
    Speed,
    /// The best rank over speed, quality and cost together.
    Balanced,
    /// The highest quality rating in the catalog.
    Quality,
    /// The lowest price.
    Cost,
}

/// The chosen route for each service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Routes {
    /// Speech to text.
    pub stt: RouteChoice,
    /// Text.
    pub llm: RouteChoice,
    /// Text about an image.
    pub vlm: RouteChoice,
    /// Text to speech.
    pub tts: RouteChoice,
    /// Embeddings.
    #[cfg_attr(feature = "ts", ts(skip))]
    #[serde(skip_serializing_if = "RouteChoice::is_default")]
    pub embedding: RouteChoice,
}

impl Routes {
    /// The chosen route for a service.
    pub fn get(&self, service: Service) -> &RouteChoice {
        match service {
            Service::Stt => &self.stt,
            Service::Llm => &self.llm,
            Service::Vlm => &self.vlm,
            Service::Tts => &self.tts,
            Service::Embedding => &self.embedding,
        }
    }

    /// The chosen route for a service, mutable.
    pub fn get_mut(&mut self, service: Service) -> &mut RouteChoice {
        match service {
            Service::Stt => &mut self.stt,
            Service::Llm => &mut self.llm,
            Service::Vlm => &mut self.vlm,
            Service::Tts => &mut self.tts,
            Service::Embedding => &mut self.embedding,
        }
    }
}

/// The chosen route for one service. Defaults for what is absent come from the list of providers and the catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct RouteChoice {
    /// The provider to try first. Absent: the first one that is ready, `offline` last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub provider: Option<String>,
    /// The model of that provider. Absent: the catalog's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub model: Option<String>,
    /// The voice of that provider, for speech. Absent: the catalog's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub voice: Option<String>,
    /// The providers to fall back to, in order. Absent: all others, in the order of [`PROVIDERS`](aura_providers::PROVIDERS).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub then: Option<Vec<String>>,
}

impl RouteChoice {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Settings of one provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct ProviderSettings {
    /// The preset of an OpenAI-compatible server; see [`aura_providers::presets`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub preset: Option<String>,
    /// The address. Absent: the default of the provider or of the preset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub base_url: Option<String>,
    /// How an OpenAI-compatible server transcribes live speech. Absent: as its preset says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub realtime: Option<Realtime>,
    /// The kinds of data that it may receive.
    pub may_receive: Consent,
}

/// The kinds of data a provider may receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Consent {
    /// Recordings of the user's voice.
    pub audio: bool,
    /// Images of the screen.
    pub screen: bool,
    /// Text: what the user said, and what is spoken.
    pub text: bool,
}

impl Default for Consent {
    /// Everything is allowed: saving a key for a provider, or adding a server, is the consent. Each kind can be revoked.
    fn default() -> Self {
        Self { audio: true, screen: true, text: true }
    }
}

impl Consent {
    /// Whether the provider may receive the data that this service sends.
    pub fn allows(self, service: Service) -> bool {
        match service {
            Service::Stt => self.audio,
            Service::Vlm => self.screen && self.text,
            Service::Llm | Service::Tts | Service::Embedding => self.text,
        }
    }
}

/// The timeouts of a request, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Timeouts {
    /// For opening a connection. Default: 3,000.
    pub connect_ms: u32,
    /// For the first content of an answer or of speech. Default: 8,000.
    pub first_content_ms: u32,
    /// For a whole transcript. Default: 15,000.
    pub transcript_ms: u32,
    /// For the first content from a local server, which may have to load its model first. Default: 60,000.
    pub local_first_content_ms: u32,
    /// Between two chunks of a stream. Default: 5,000.
    pub between_ms: u32,
    /// For the body of an error reply, after its status arrived. Default: 3,000.
    pub error_body_ms: u32,
    /// For the whole request, over all attempts. Models on this computer may take ten minutes all the same. Default: 60,000.
    pub whole_ms: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_ms: 3_000,
            first_content_ms: 8_000,
            transcript_ms: 15_000,
            local_first_content_ms: 60_000,
            between_ms: 5_000,
            error_body_ms: 3_000,
            whole_ms: 60_000,
        }
    }
}

/// The routes that one request asks for. A service with an override uses no other provider unless `fallback` is true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct RouteOverrides {
    /// `provider` or `provider/model`, for speech to text.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub stt: Option<String>,
    /// `provider` or `provider/model`, for text.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub llm: Option<String>,
    /// `provider` or `provider/model`, for text about an image.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub vlm: Option<String>,
    /// `provider` or `provider/model`, for text to speech.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub tts: Option<String>,
    /// `provider` or `provider/model`, for embeddings.
    #[cfg_attr(feature = "ts", ts(skip))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<String>,
    /// The voice for `tts`.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub voice: Option<String>,
    /// Whether other providers may be used when the named one fails or is not ready.
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub fallback: bool,
}

impl RouteOverrides {
    /// The override for a service: `provider` or `provider/model`.
    pub fn get(&self, service: Service) -> Option<&str> {
        match service {
            Service::Stt => self.stt.as_deref(),
            Service::Llm => self.llm.as_deref(),
            Service::Vlm => self.vlm.as_deref(),
            Service::Tts => self.tts.as_deref(),
            Service::Embedding => self.embedding.as_deref(),
        }
    }

    /// Overrides the route of a service: `provider` or `provider/model`.
    pub fn set(&mut self, service: Service, route: String) {
        let field = match service {
            Service::Stt => &mut self.stt,
            Service::Llm => &mut self.llm,
            Service::Vlm => &mut self.vlm,
            Service::Tts => &mut self.tts,
            Service::Embedding => &mut self.embedding,
        };
        *field = Some(route);
    }
}
