//! Descriptions of providers, routes, models, voices and servers, to be shown to a user. They contain no secrets.

use aura_providers::Service;
use aura_providers::catalog::{ModelNote, Unit};
use jiff::civil::Date;

use crate::attempt::Route;
use crate::provider_problem::ProviderProblem;
use crate::route_reason::RouteReason;
use crate::settings::Consent;

/// A provider or a configured server.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProviderInfo {
    /// The name in settings and requests.
    pub name: String,
    /// The display name.
    pub label: String,
    /// The services that it offers.
    pub services: Vec<Service>,
    /// Whether it is the built-in offline fallback, which runs on this computer.
    pub local: bool,
    /// Whether it needs an API key.
    pub needs_key: bool,
    /// The address that requests go to; `None` for local programs.
    pub address: Option<url::Url>,
    /// The preset of a server that the user added; else the name.
    pub preset: String,
    /// The kinds of data that it may receive.
    pub may_receive: Consent,
    /// Why it cannot be used; `None` when it is ready.
    pub problem: Option<ProviderProblem>,
}

/// The current routes of a service.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RouteInfo {
    /// The service.
    pub service: Service,
    /// The routes in the order they would be tried now, then those that would be skipped because their circuit is open. Providers
    /// that are not ready are left out.
    pub routes: Vec<Route>,
    /// Why the first route is first, when it was chosen by a [`RoutePreference`](crate::RoutePreference).
    pub reason: Option<RouteReason>,
}

/// The source of what is known about a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelSource {
    /// The provider's own model list.
    Live,
    /// Only the catalog: the provider lists no models, or its list is not known yet.
    Catalog,
}

/// A list price, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PriceInfo {
    /// The unit that the amounts are for.
    pub unit: Unit,
    /// US dollars for one unit of input.
    pub input: f64,
    /// US dollars for one unit of output; `None` when output is not billed separately.
    pub output: Option<f64>,
}

/// A model that can be requested.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The name that is sent to the provider.
    pub name: String,
    /// The name of the provider that serves it.
    pub provider: String,
    /// The services that it can be used for.
    pub services: Vec<Service>,
    /// The names of its voices, for speech.
    pub voices: Vec<String>,
    /// The context window in tokens; `None` when unknown.
    pub context: Option<u32>,
    /// The longest answer in tokens; `None` when unknown.
    pub max_output: Option<u32>,
    /// The price; `None` when unknown.
    pub price: Option<PriceInfo>,
    /// The day on which the provider switches it off, or has switched it off.
    pub retired_on: Option<Date>,
    /// The name of the model that replaces it.
    pub replaced_by: Option<String>,
    /// A sentence that says why it cannot be used now; `None` when it can.
    pub problem: Option<String>,
    /// Where this information comes from.
    pub source: ModelSource,
    /// A remark from the catalog, or the name of a local model.
    pub note: Option<String>,
    /// The same, typed; `None` for a name.
    pub note_facts: Option<ModelNote>,
}

/// A voice that can be requested.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VoiceInfo {
    /// The name that is sent to the provider.
    pub name: String,
    /// The name of the provider that serves it.
    pub provider: String,
    /// The model that has this voice.
    pub model: String,
    /// ISO 639-1 code; `None` when it speaks several languages or the provider does not say.
    pub language: Option<String>,
    /// `female` or `male`, when the provider says so.
    pub gender: Option<String>,
}

/// A kind of OpenAI-compatible server that can be added.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerInfo {
    /// The name of the preset.
    pub preset: String,
    /// The display name.
    pub label: String,
    /// The default address; `None` when each server has its own.
    pub base_url: Option<String>,
    /// Whether it runs on this computer.
    pub local: bool,
    /// Whether it needs an API key.
    pub needs_key: bool,
    /// The services it offers.
    pub services: Vec<Service>,
    /// Whether a server responds at that address now. Always false for servers that do not run on this computer.
    pub found: bool,
}
