//! The routing table: the settings, API keys and connections of one moment, and the route plans made from them.

mod models;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use aura_providers::catalog::Catalog;
use aura_providers::{
    Connection, HttpPools, ListedModel, LocalModels, ModelListing, PROVIDERS, Programs, Provider, Realtime, Service,
    Services, SpeechOptions, find, preset,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use url::Url;

use crate::api_keys::{ApiKeys, KeyChoice};
use crate::attempt::{Route, RouteNotice, RouteNoticeKind, RouteNoticeReason};
use crate::error::{Error, Result};
use crate::model_lists::KnownModels;
use crate::plan::{Candidate, RoutePlan};
use crate::provider_problem::ProviderProblem;
use crate::settings::{Consent, RouteChoice, RouteOverrides, RoutePreference, RoutingSettings};

/// The provider kind of every configured name that is not a built-in provider.
pub(crate) const SERVER_KIND: &str = "openai_compatible";

/// What stays the same for the life of a router.
pub(crate) struct Environment {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) programs: Arc<dyn Programs>,
    pub(crate) local_models: Arc<dyn LocalModels>,
    /// Environment variables: provider addresses, and the configuration of local programs.
    pub(crate) variables: BTreeMap<String, String>,
    /// Whether the servers that the user added are left out.
    pub(crate) builtin_only: bool,
}

/// Settings and connections that belong together. Replaced as a whole when one of them changes.
pub(crate) struct RoutingTable {
    settings: Arc<RoutingSettings>,
    /// In fallback order; `offline` is last.
    pub(crate) providers: Vec<ConnectedProvider>,
    pub(crate) known: Arc<KnownModels>,
    pub(crate) catalog: Arc<Catalog>,
    /// The models that are installed on this computer.
    pub(crate) local_models: Arc<dyn LocalModels>,
    pub(crate) keys_read_at: Instant,
}

/// A configured provider and the connection to it.
pub(crate) struct ConnectedProvider {
    pub(crate) name: String,
    /// The name under which the catalog lists its models: the preset, for a server that the user added.
    pub(crate) catalog_id: String,
    pub(crate) kind: &'static Provider,
    pub(crate) services: Services,
    pub(crate) consent: Consent,
    /// Whether it runs on this computer or in the local network: it may have to load its model first, and no call is billed.
    is_local: bool,
    /// Why it cannot be used; a sentence that begins with "It" or "Its".
    pub(crate) problem: Option<ProviderProblem>,
    /// Its address; empty for local programs, and for a server at the address of its preset.
    pub(crate) address: String,
    /// The address that requests go to; `None` for local programs.
    pub(crate) location: Option<Url>,
    key: Option<SecretString>,
    preset: Option<String>,
    realtime: Option<Realtime>,
    http: HttpPools,
}

impl ConnectedProvider {
    /// The display name; for a server that the user added, the name that the user chose.
    pub(crate) fn label(&self) -> String {
        if self.kind.id == SERVER_KIND { self.name.clone() } else { self.kind.label.into() }
    }

    /// Whether the connections are the same, so that the adapter and what it learned about the server can be kept.
    fn is_same_connection(&self, other: &Self) -> bool {
        let key = |provider: &Self| provider.key.as_ref().map(|key| key.expose_secret().to_owned());
        self.name == other.name
            && self.address == other.address
            && self.preset == other.preset
            && self.realtime == other.realtime
            && self.http.is_same(&other.http)
            && key(self) == key(other)
    }
}

/// A provider whose models can be listed.
pub(crate) struct ModelLister {
    pub(crate) name: String,
    pub(crate) address: String,
    /// Whether it is a server that the user added.
    pub(crate) is_custom: bool,
    pub(crate) models: Arc<dyn ModelListing>,
}

/// The route that a request asks for: `provider` or `provider/model`. The model's name may contain slashes.
#[derive(Clone, Copy)]
struct Requested<'a> {
    provider: &'a str,
    model: Option<&'a str>,
}

impl<'a> Requested<'a> {
    fn parse(route: &'a str) -> Self {
        match route.split_once('/') {
            Some((provider, model)) if !model.is_empty() => Self { provider, model: Some(model) },
            _ => Self { provider: route.trim_end_matches('/'), model: None },
        }
    }
}

/// What the router was configured with.
pub(crate) struct Inputs {
    pub(crate) settings: Arc<RoutingSettings>,
    pub(crate) keys: Arc<ApiKeys>,
    /// When the keys were handed over.
    pub(crate) keys_read_at: Instant,
}

impl Inputs {
    pub(crate) fn new(settings: RoutingSettings, keys: ApiKeys) -> Self {
        Self { settings: Arc::new(settings), keys: Arc::new(keys), keys_read_at: Instant::now() }
    }
}

impl RoutingTable {
    /// Connects every provider. The adapters of `previous` are kept where the connection did not change.
    pub(crate) fn build(
        environment: &Environment,
        inputs: &Inputs,
        http: &HttpPools,
        known: Arc<KnownModels>,
        previous: Option<&Self>,
    ) -> Self {
        let settings = &inputs.settings;
        let builtin = PROVIDERS.iter().filter(|kind| kind.id != SERVER_KIND).map(|kind| (kind.id.to_owned(), *kind));
        let servers = settings
            .providers
            .keys()
            .filter(|name| !environment.builtin_only && PROVIDERS.iter().all(|kind| kind.id != name.as_str()))
            .filter_map(|name| Some((name.clone(), find(SERVER_KIND)?)));
        let mut all: Vec<(String, &'static Provider)> = builtin.collect();
        // `offline` stays last in every fallback order, after the servers that the user added.
        let offline = all.pop();
        all.extend(servers);
        all.extend(offline);
        let providers = all
            .into_iter()
            .map(|(name, kind)| {
                let mut provider = connect(environment, settings, &inputs.keys, http, name, kind);
                let unchanged =
                    previous.and_then(|table| table.providers.iter().find(|other| provider.is_same_connection(other)));
                if let Some(unchanged) = unchanged {
                    provider.services = unchanged.services.clone();
                }
                provider
            })
            .collect();
        let (settings, keys_read_at) = (settings.clone(), inputs.keys_read_at);
        let (catalog, local_models) = (environment.catalog.clone(), environment.local_models.clone());
        Self { settings, providers, known, catalog, local_models, keys_read_at }
    }

    /// The cost of a day, in US dollars, from which on no billed call is made.
    pub(crate) fn daily_limit(&self) -> Option<f64> {
        self.settings.daily_limit
    }

    pub(crate) fn provider(&self, name: &str) -> Option<&ConnectedProvider> {
        let name = self.canonical(name);
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// The configured name of a provider: another name, such as `local`, means the built-in provider unless a server bears it.
    fn canonical<'a>(&self, name: &'a str) -> &'a str {
        if self.providers.iter().any(|provider| provider.name == name) {
            return name;
        }
        find(name).map_or(name, |kind| if kind.id == SERVER_KIND { name } else { kind.id })
    }

    /// The routes that a request may try, before they are ranked.
    ///
    /// # Errors
    /// [`Error::UnknownProvider`] and [`Error::NoRoute`].
    pub(crate) fn plan(&self, service: Service, overrides: &RouteOverrides) -> Result<RoutePlan> {
        let settings = &*self.settings;
        let choice = settings.routes.get(service);
        let requested = overrides.get(service).map(Requested::parse);
        let requested = requested.map(|route| Requested { provider: self.canonical(route.provider), ..route });
        if let Some(requested) = requested
            && self.provider(requested.provider).is_none()
        {
            let known = self.providers.iter().map(|provider| provider.name.clone()).collect();
            return Err(Error::UnknownProvider { name: requested.provider.to_owned(), known });
        }
        let may_fall_back = match requested {
            Some(_) => overrides.fallback,
            None => settings.fallback || overrides.fallback,
        };
        let is_chosen = requested.is_some() || choice.provider.is_some();
        let mut plan = RoutePlan {
            service,
            candidates: Vec::new(),
            timeouts: settings.timeouts,
            notices: Vec::new(),
            hedge: settings.hedge,
            fallback_on_block: settings.fallback_when_blocked,
            speech: SpeechOptions::default(),
            reason: None,
            keys_read_at: self.keys_read_at,
        };
        let mut reasons = Vec::new();
        for (index, name) in self.order(choice, requested).into_iter().enumerate() {
            let Some(provider) = self.provider(&name) else { continue };
            // Without fallback, only the chosen provider is used; when none is chosen, the first one that is ready.
            if !may_fall_back && (if is_chosen { index > 0 } else { !plan.candidates.is_empty() }) {
                break;
            }
            match self.candidate(provider, service, requested, overrides, &mut plan.notices) {
                Ok(candidate) => plan.candidates.push(candidate),
                Err(Skipped { reason, message: why }) => {
                    // Only the chosen provider is worth a notice; the others are fallbacks.
                    if index == 0 && is_chosen && may_fall_back {
                        let (name, label) = (&provider.name, provider.label());
                        plan.notices.push(RouteNotice::skipped(name, &label, reason, &lowercase_first(&why)));
                    }
                    reasons.push((provider.name.clone(), why));
                }
            }
        }
        if plan.candidates.is_empty() {
            return Err(Error::NoRoute { service, reasons });
        }
        Ok(plan)
    }

    /// The names of the providers to try: the requested or chosen one, then the fallbacks, then `offline`.
    fn order(&self, choice: &RouteChoice, requested: Option<Requested<'_>>) -> Vec<String> {
        let first = requested.map(|requested| requested.provider.to_owned()).or_else(|| choice.provider.clone());
        let fallbacks = choice
            .then
            .clone()
            .unwrap_or_else(|| self.providers.iter().map(|provider| provider.name.clone()).collect());
        let last = self.providers.last().map(|provider| provider.name.clone());
        let mut order: Vec<String> = Vec::new();
        for name in first.into_iter().chain(fallbacks).chain(last) {
            let name = self.canonical(&name).to_owned();
            if !order.contains(&name) {
                order.push(name);
            }
        }
        order
    }

    /// The route of one provider, or a sentence that says why it has none.
    fn candidate(
        &self,
        provider: &ConnectedProvider,
        service: Service,
        requested: Option<Requested<'_>>,
        overrides: &RouteOverrides,
        notices: &mut Vec<RouteNotice>,
    ) -> Result<Candidate, Skipped> {
        let is_connected = match service {
            Service::Stt => provider.services.stt.is_some(),
            Service::Llm | Service::Vlm => provider.services.chat.is_some(),
            Service::Tts => provider.services.tts.is_some(),
            Service::Embedding => provider.services.embedding.is_some(),
        };
        let is_offered = service == Service::Embedding || provider.kind.services.contains(&service);
        if !is_connected || !is_offered {
            return Err(Skipped::new(RouteNoticeReason::NotOffered, "It does not offer this service."));
        }
        if let Some(problem) = &provider.problem {
            return Err(Skipped::new(RouteNoticeReason::NotSetUp, &problem.to_string()));
        }
        if !provider.consent.allows(service) {
            let message = "It may not receive this kind of data. You can change that under Providers.";
            return Err(Skipped::new(RouteNoticeReason::NoConsent, message));
        }
        let choice = self.settings.routes.get(service);
        let is_chosen = choice.provider.as_deref().is_some_and(|name| self.canonical(name) == provider.name);
        let requested_here = requested.filter(|requested| requested.provider == provider.name);
        let named = requested_here
            .and_then(|requested| requested.model.map(str::to_owned))
            .or_else(|| choice.model.clone().filter(|_| is_chosen));
        let model = match named {
            Some(named) => {
                let resolved = self.resolve(provider, service, &named);
                if let Some(replaced) = &resolved.replaced {
                    let when = replaced.on.as_deref().map(|on| format!(" on {on}")).unwrap_or_default();
                    let why = format!("{} was retired{when}.", replaced.from);
                    let (kind, reason) = (RouteNoticeKind::ModelReplaced, RouteNoticeReason::Retired);
                    let mut notice = RouteNotice::replaced(kind, &replaced.from, &replaced.by, reason, &why);
                    notice.facts.retired_on.clone_from(&replaced.on);
                    notices.push(notice);
                }
                self.replace_if_missing(provider, service, resolved.model, notices)
            }
            None => {
                let needed = || Skipped::new(RouteNoticeReason::NoModel, "It needs a model. Choose one.");
                self.model(provider, service, overrides).ok_or_else(needed)?.to_owned()
            }
        };
        let voice = (service == Service::Tts).then(|| {
            let requested_voice = overrides.voice.clone().filter(|_| requested.is_none() || requested_here.is_some());
            requested_voice
                .or_else(|| choice.voice.clone().filter(|_| is_chosen))
                .map(|voice| self.catalog.resolve_voice(&provider.catalog_id, &model, &voice))
                .or_else(|| self.catalog.default_voice(&provider.catalog_id, &model).map(str::to_owned))
                .unwrap_or_default()
        });
        Ok(Candidate {
            route: Route { provider: provider.name.clone(), model, voice },
            label: provider.label(),
            catalog_id: provider.catalog_id.clone(),
            services: provider.services.clone(),
            is_local: provider.is_local,
            is_builtin_fallback: provider.kind.local,
        })
    }

    /// The models that the provider itself lists; `None` when they are not known.
    pub(crate) fn listed(&self, provider: &ConnectedProvider) -> Option<&[ListedModel]> {
        self.known.models(&provider.name, &provider.address)
    }

    /// How the first route is chosen; `None` when the request or the settings name a provider, or the fallback order decides.
    pub(crate) fn preference(&self, service: Service, overrides: &RouteOverrides) -> Option<RoutePreference> {
        let settings = &*self.settings;
        let is_open = overrides.get(service).is_none() && settings.routes.get(service).provider.is_none();
        (is_open && settings.preference != RoutePreference::Order).then_some(settings.preference)
    }
}

/// Why a provider is left out of a plan.
struct Skipped {
    reason: RouteNoticeReason,
    /// The reason in a sentence.
    message: String,
}

impl Skipped {
    fn new(reason: RouteNoticeReason, message: &str) -> Self {
        Self { reason, message: message.to_owned() }
    }
}

/// A sentence as it is written after a colon.
fn lowercase_first(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// Prepares a connection. Opens nothing.
fn connect(
    environment: &Environment,
    settings: &RoutingSettings,
    keys: &ApiKeys,
    http: &HttpPools,
    name: String,
    kind: &'static Provider,
) -> ConnectedProvider {
    let own = settings.providers.get(&name).cloned().unwrap_or_default();
    let address = kind
        .base_url_env
        .and_then(|variable| environment.variables.get(variable).map(String::as_str))
        .or(own.base_url.as_deref())
        .or(kind.base_url);
    let mut problem = None;
    let base_url = address.and_then(|address| {
        let slash = if address.ends_with('/') { "" } else { "/" };
        Url::parse(&format!("{address}{slash}"))
            .map_err(|_| problem = Some(ProviderProblem::InvalidAddress { address: address.to_owned() }))
            .ok()
    });
    let catalog_id = own.preset.clone().unwrap_or_else(|| name.clone());
    let preset = preset(&catalog_id);
    let location = base_url.clone().or_else(|| preset.base_url.clone().filter(|_| kind.id == SERVER_KIND));
    let is_local = kind.local || (kind.id == SERVER_KIND && location.as_ref().is_some_and(|url| preset.is_local(url)));
    let key = match keys.choose(&name, location.as_ref()) {
        KeyChoice::Use(key) => Some(key.clone()),
        KeyChoice::None => {
            if kind.key_env.is_some() {
                problem.get_or_insert(ProviderProblem::NoKey);
            }
            None
        }
        KeyChoice::OtherAddress => {
            problem.get_or_insert(ProviderProblem::KeyOfOtherAddress);
            None
        }
        KeyChoice::Unprotected => {
            problem.get_or_insert(ProviderProblem::KeyUnprotected);
            None
        }
    };
    let address = base_url.as_ref().map(Url::to_string).unwrap_or_default();
    let mut connection = Connection::new(name.clone(), http.clone())
        .with_catalog(environment.catalog.clone())
        .with_programs(environment.programs.clone())
        .with_local_models(environment.local_models.clone());
    connection.base_url = base_url;
    connection.key.clone_from(&key);
    connection.preset.clone_from(&own.preset);
    connection.realtime = own.realtime;
    connection.variables.clone_from(&environment.variables);
    let services = (kind.connect)(connection);
    let consent = if kind.local { Consent::default() } else { own.may_receive };
    ConnectedProvider {
        name,
        catalog_id,
        kind,
        services,
        consent,
        is_local,
        problem,
        address,
        location,
        key,
        preset: own.preset,
        realtime: own.realtime,
        http: http.clone(),
    }
}
