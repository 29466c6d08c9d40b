//! The router: it holds the settings, keys and connections, and makes route plans from them.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aura_providers::catalog::Catalog;
use aura_providers::{
    Failure, FailureDetail, FailureKind, HttpPools, HttpTimeouts, ListedModel, LocalModels, ModelListing,
    NoLocalModels, NoPrograms, Programs, Service,
};
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::api_keys::ApiKeys;
use crate::attempt::{Attempt, Route, RouteNotice, RouteNoticeReason};
use crate::counters::AttemptCount;
use crate::error::Result;
use crate::health::{self, HealthReport, ProviderHealth, ServiceHealth, Status};
use crate::info::{ModelInfo, ProviderInfo, RouteInfo, ServerInfo, VoiceInfo};
use crate::inventory;
use crate::ledger::UsageTotals;
use crate::live_failures::LiveFailures;
use crate::model_lists::{ModelList, ModelLists};
use crate::monitor::{Availability, Monitor};
use crate::plan::{Candidate, RoutePlan};
use crate::provider_problem::ProviderProblem;
use crate::ranking;
use crate::routing_table::{Environment, Inputs, RoutingTable};
use crate::settings::{RouteOverrides, RoutingSettings};
use crate::usage::{UsageReport, UsageTracker};

/// How long a provider may take to list its models or its voices.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// Plans routes and makes calls with failover between them. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Router(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    environment: Environment,
    /// What the routing table is built from. Locked while it is rebuilt, so that an older table never replaces a newer one.
    inputs: Mutex<Inputs>,
    /// Replaced when the timeouts of the HTTP clients change.
    http: ArcSwap<HttpPools>,
    pub(crate) table: ArcSwap<RoutingTable>,
    pub(crate) lists: ModelLists,
    pub(crate) monitor: Monitor,
    pub(crate) live_failures: LiveFailures,
}

/// The settings, keys and connections of one moment. Plan every service of one request from the same snapshot.
pub struct RoutingSnapshot(Arc<RoutingTable>);

/// Whose model lists to refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelListRefresh {
    /// Servers that the user added and whose list is unknown: without it, none of their models is known.
    Unknown,
    /// Providers whose list is unknown or more than six hours old.
    Stale,
    /// Every provider.
    All,
}

/// Builds a [`Router`].
#[must_use]
pub struct RouterBuilder {
    settings: RoutingSettings,
    keys: ApiKeys,
    catalog: Arc<Catalog>,
    programs: Arc<dyn Programs>,
    local_models: Arc<dyn LocalModels>,
    variables: BTreeMap<String, String>,
    model_lists: Option<PathBuf>,
    usage: Option<UsageTracker>,
    builtin_only: bool,
}

impl RouterBuilder {
    /// Routes by these settings. Default: [`RoutingSettings::default`].
    pub fn settings(mut self, settings: RoutingSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Authenticates with these API keys. Default: none.
    pub fn keys(mut self, keys: ApiKeys) -> Self {
        self.keys = keys;
        self
    }

    /// Adds the API key of one provider.
    pub fn key(mut self, provider: &str, key: impl Into<secrecy::SecretString>) -> Self {
        self.keys.insert(provider, key.into());
        self
    }

    /// Takes models, prices and voices from this catalog. Default: [`Catalog::embedded`].
    pub fn catalog(mut self, catalog: Arc<Catalog>) -> Self {
        self.catalog = catalog;
        self
    }

    /// Runs local programs through this interface. Default: none are run.
    pub fn programs(mut self, programs: Arc<dyn Programs>) -> Self {
        self.programs = programs;
        self
    }

    /// Runs models on this computer through this interface. Default: none are installed.
    pub fn local_models(mut self, models: Arc<dyn LocalModels>) -> Self {
        self.local_models = models;
        self
    }

    /// Reads provider addresses (such as `GROQ_BASE_URL`) and the configuration of local programs from these environment
    /// variables. Default: none.
    pub fn variables(mut self, variables: BTreeMap<String, String>) -> Self {
        self.variables = variables;
        self
    }

    /// Keeps the providers' model lists in this file for the next start. Default: in memory only.
    pub fn model_list_file(mut self, file: PathBuf) -> Self {
        self.model_lists = Some(file);
        self
    }

    /// Reports usage to this tracker. Default: one without a ledger.
    pub fn usage(mut self, usage: UsageTracker) -> Self {
        self.usage = Some(usage);
        self
    }

    /// Ignores the OpenAI-compatible servers in the settings, so that tests against a sandbox do not call them. Default: false.
    pub fn builtin_only(mut self, builtin_only: bool) -> Self {
        self.builtin_only = builtin_only;
        self
    }

    /// Builds the router. Opens no connection; reads the model list file. Must be called on a Tokio runtime, unless a
    /// [`usage`](Self::usage) tracker is given.
    ///
    /// # Errors
    /// When the HTTP clients cannot be built.
    pub fn build(self) -> Result<Router> {
        let http = HttpPools::new(http_timeouts(&self.settings))?;
        let lists = ModelLists::open(self.model_lists);
        let environment = Environment {
            catalog: self.catalog,
            programs: self.programs,
            local_models: self.local_models,
            variables: self.variables,
            builtin_only: self.builtin_only,
        };
        let inputs = Inputs::new(self.settings, self.keys);
        let table = RoutingTable::build(&environment, &inputs, &http, lists.known(), None);
        Ok(Router(Arc::new(Inner {
            environment,
            inputs: Mutex::new(inputs),
            http: ArcSwap::from_pointee(http),
            table: ArcSwap::from_pointee(table),
            lists,
            monitor: Monitor::new(self.usage.unwrap_or_else(|| UsageTracker::start(None))),
            live_failures: LiveFailures::default(),
        })))
    }
}

fn http_timeouts(settings: &RoutingSettings) -> HttpTimeouts {
    let time = |ms: u32| Duration::from_millis(ms.into());
    HttpTimeouts { connect: time(settings.timeouts.connect_ms), error_body: time(settings.timeouts.error_body_ms) }
}

/// The models that a provider lists. A provider that does not respond in time has [`FailureKind::Timeout`].
async fn list_models(models: &dyn ModelListing) -> Result<Vec<ListedModel>, FailureKind> {
    match tokio::time::timeout(LIST_TIMEOUT, models.models()).await {
        Ok(listed) => listed.map_err(|failure| failure.kind),
        Err(_) => Err(FailureKind::Timeout),
    }
}

impl Router {
    /// A builder with default settings, no keys, and the embedded catalog.
    pub fn builder() -> RouterBuilder {
        RouterBuilder {
            settings: RoutingSettings::default(),
            keys: ApiKeys::default(),
            catalog: Catalog::embedded(),
            programs: Arc::new(NoPrograms),
            local_models: Arc::new(NoLocalModels),
            variables: BTreeMap::new(),
            model_lists: None,
            usage: None,
            builtin_only: false,
        }
    }

    /// Replaces the settings and keys. The next plan uses them; requests in flight keep theirs. Connections whose address, key and
    /// preset did not change are kept, unless the HTTP timeouts changed.
    pub fn reconfigure(&self, settings: RoutingSettings, keys: ApiKeys) {
        let mut inputs = self.0.inputs.lock();
        let timeouts = http_timeouts(&settings);
        if timeouts != self.0.http.load().timeouts() {
            match HttpPools::new(timeouts) {
                Ok(http) => self.0.http.store(Arc::new(http)),
                Err(error) => {
                    tracing::warn!(%error, "cannot apply the new connection timeouts; the old ones stay in effect")
                }
            }
        }
        *inputs = Inputs::new(settings, keys);
        self.rebuild(&inputs);
    }

    /// Discards what was recorded about a provider's API key. Call it before [`Router::reconfigure`] with the new one: a rejection
    /// of a key that was handed over earlier is ignored from now on.
    pub fn reset_key(&self, provider: &str) {
        let offered = self.0.table.load().offered(provider);
        self.0.monitor.reset_key(provider, Instant::now(), offered);
    }

    fn rebuild(&self, inputs: &Inputs) {
        let (previous, http) = (self.0.table.load(), self.0.http.load());
        let table = RoutingTable::build(&self.0.environment, inputs, &http, self.0.lists.known(), Some(&previous));
        self.0.table.store(Arc::new(table));
    }

    /// Rebuilds the routing table from the model lists as they are now.
    fn apply_model_lists(&self) {
        let inputs = self.0.inputs.lock();
        self.rebuild(&inputs);
    }

    /// The model catalog.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.0.environment.catalog
    }

    /// Settings, keys and connections as they are now, for a request that uses several services.
    pub fn snapshot(&self) -> RoutingSnapshot {
        RoutingSnapshot(self.0.table.load_full())
    }

    /// The routes for a service, in the order they will be tried.
    ///
    /// # Errors
    /// [`Error::UnknownProvider`](crate::Error::UnknownProvider) when `overrides` names one,
    /// [`Error::NoRoute`](crate::Error::NoRoute) when no provider is ready.
    pub fn plan(&self, service: Service, overrides: &RouteOverrides) -> Result<RoutePlan> {
        self.plan_from(&self.snapshot(), service, overrides)
    }

    /// The routes for a service, in the order they will be tried, from one snapshot.
    ///
    /// # Errors
    /// [`Error::UnknownProvider`](crate::Error::UnknownProvider) when `overrides` names one,
    /// [`Error::NoRoute`](crate::Error::NoRoute) when no provider is ready.
    pub fn plan_from(
        &self,
        RoutingSnapshot(table): &RoutingSnapshot,
        service: Service,
        overrides: &RouteOverrides,
    ) -> Result<RoutePlan> {
        let mut plan = table.plan(service, overrides)?;
        self.keep_within_limit(table, &mut plan)?;
        if let Some(preference) = table.preference(service, overrides) {
            let health = &self.0.monitor.health;
            plan.reason =
                ranking::order(self.catalog(), preference, &mut plan.candidates, service, health).map(Box::new);
        }
        Ok(plan)
    }

    /// Leaves out the providers whose calls are billed once the limit for the day is reached.
    fn keep_within_limit(&self, table: &RoutingTable, plan: &mut RoutePlan) -> Result<()> {
        let Some(limit) = table.daily_limit().filter(|limit| self.today().usd >= *limit) else { return Ok(()) };
        let billed: Vec<Candidate> = plan.candidates.extract_if(.., |candidate| !candidate.is_local).collect();
        let why = format!("today's limit of ${limit:.2} is reached.");
        let notices = billed.iter().map(|Candidate { route, label, .. }| {
            RouteNotice::skipped(&route.provider, label, RouteNoticeReason::DailyLimit, &why)
        });
        if plan.candidates.is_empty() {
            let providers = billed.iter().map(|candidate| candidate.route.provider.clone());
            let reasons = providers.zip(notices.map(|notice| notice.message)).collect();
            return Err(crate::Error::NoRoute { service: plan.service, reasons });
        }
        plan.notices.extend(notices.take(1));
        Ok(())
    }

    /// Opens a connection to the first route of each service ahead of time, so that the next calls need no handshake.
    pub async fn preconnect(&self, services: &[Service], overrides: &RouteOverrides) {
        let mut providers: Vec<(String, Arc<dyn ModelListing>, Vec<Service>)> = Vec::new();
        for service in services {
            let Ok(plan) = self.plan(*service, overrides) else { continue };
            let Some(first) = self.in_order(&plan).next() else { continue };
            let Some(models) = &first.services.models else { continue };
            match providers.iter_mut().find(|(name, ..)| *name == first.route.provider) {
                Some((_, _, services)) => services.push(*service),
                None => providers.push((first.route.provider.clone(), models.clone(), vec![*service])),
            }
        }
        let calls = providers.iter().map(|(_, models, services)| models.preconnect_for(services));
        futures::future::join_all(calls).await;
    }

    /// Whether the route that is called first can call tools: false only where that is known to be impossible. Without such a route, a
    /// request whose tools are optional is answered as if there were none.
    pub async fn calls_tools(&self, plan: &RoutePlan) -> bool {
        let Some(first) = self.in_order(plan).next() else { return false };
        match &first.services.chat {
            Some(chat) => chat.calls_tools(&first.route.model).await,
            None => false,
        }
    }

    /// Whether a route of the plan can answer a question with an image: false only where that is known to be impossible.
    pub async fn sees(&self, plan: &RoutePlan) -> bool {
        for candidate in self.in_order(plan) {
            if let Some(chat) = &candidate.services.chat
                && chat.sees(&candidate.route.model).await
            {
                return true;
            }
        }
        false
    }

    /// Refreshes the model lists of providers. The call is free, and also shows whether the API key is valid. A provider that does
    /// not respond within 5 s keeps its last list. True when a list changed, or a key turned out to be rejected or accepted.
    pub async fn refresh_model_lists(&self, which: ModelListRefresh) -> bool {
        let now = jiff::Timestamp::now();
        let known = self.0.lists.known();
        let table = self.0.table.load_full();
        let mut listers = table.listers();
        listers.retain(|lister| match which {
            ModelListRefresh::Unknown => lister.is_custom && known.models(&lister.name, &lister.address).is_none(),
            ModelListRefresh::Stale => known.is_stale(&lister.name, &lister.address, now),
            ModelListRefresh::All => true,
        });
        let calls = listers.into_iter().map(async |lister| {
            let (requested_at, mut asked_at) = (jiff::Timestamp::now(), Instant::now());
            let mut listed = list_models(&*lister.models).await;
            if listed.as_ref().is_err_and(|kind| *kind == FailureKind::KeyRejected) {
                // One refusal may be a stray one.
                asked_at = Instant::now();
                listed = list_models(&*lister.models).await;
            }
            let (offered, verdict) = (table.offered(&lister.name), listed.as_ref().map(drop).map_err(|kind| *kind));
            let changed = self.0.monitor.record_listing(&lister.name, verdict, asked_at, table.keys_read_at, offered);
            let list = |models| (lister.name, ModelList { address: lister.address, requested_at, models });
            (listed.ok().map(list), changed)
        });
        let (lists, keys_changed): (Vec<_>, Vec<bool>) = futures::future::join_all(calls).await.into_iter().unzip();
        let lists: Vec<_> = lists.into_iter().flatten().collect();
        let has_lists = !lists.is_empty();
        let changed = self.0.lists.update(lists);
        if has_lists {
            // Also without a change: another refresh may have stored the same lists a moment ago, and not applied them yet.
            self.apply_model_lists();
        }
        changed || keys_changed.contains(&true)
    }

    /// Records that a provider no longer serves a model, or not to this account. Later requests avoid it.
    fn record_missing_model(&self, route: &Route, failure: &Failure) {
        let is_not_entitled = failure.detail == Some(FailureDetail::NotEntitled);
        let reason = is_not_entitled.then_some(failure.message.as_str());
        if self.0.lists.mark_missing(&route.provider, &route.model, reason) {
            tracing::warn!(
                provider = route.provider,
                model = route.model,
                "the provider no longer serves this model; later requests use another one"
            );
            self.apply_model_lists();
        }
    }

    /// Records an attempt. `keys_read_at` is when its API key was read; `models` lists the provider's models with the same key.
    pub(crate) fn record(
        &self,
        attempt: &Attempt,
        failure: Option<&Failure>,
        keys_read_at: Instant,
        models: Option<&Arc<dyn ModelListing>>,
    ) {
        let provider = &attempt.route.provider;
        let offered = self.0.table.load().offered(provider);
        self.0.monitor.record(attempt, failure, keys_read_at, offered, models.is_some());
        match failure {
            Some(failure) if failure.kind == FailureKind::ModelGone => {
                self.record_missing_model(&attempt.route, failure);
            }
            Some(failure) if failure.kind == FailureKind::KeyRejected => {
                if let Some(models) = models {
                    self.check_key(provider, keys_read_at, models.clone());
                }
            }
            _ => {}
        }
    }

    /// Asks for the provider's model list in the background: the call is free, and shows whether the API key is really rejected.
    /// One refusal may come from a gateway, or be an incident of the provider.
    fn check_key(&self, provider: &str, keys_read_at: Instant, models: Arc<dyn ModelListing>) {
        if !self.0.monitor.begin_key_check(provider, keys_read_at) {
            return;
        }
        let (router, provider) = (self.clone(), provider.to_owned());
        tokio::spawn(async move {
            let asked_at = Instant::now();
            let listed = list_models(&*models).await.map(drop);
            let offered = router.0.table.load().offered(&provider);
            router.0.monitor.finish_key_check(&provider, listed, asked_at, keys_read_at, offered);
        });
    }

    /// The routes of a plan in the order in which they would be tried now.
    fn in_order<'a>(&self, plan: &'a RoutePlan) -> impl Iterator<Item = &'a Candidate> + use<'a> {
        let order = self.0.monitor.circuits.order(&plan.candidates, plan.service);
        order.into_iter().map(|index| &plan.candidates[index])
    }

    /// Changes of availability, as they happen. A subscriber that falls more than 256 changes behind misses the oldest ones.
    pub fn availability(&self) -> broadcast::Receiver<Availability> {
        self.0.monitor.subscribe()
    }

    /// The health of every provider, from real traffic. Makes no call.
    pub fn health(&self) -> HealthReport {
        let providers: Vec<ProviderHealth> =
            self.providers().into_iter().map(|provider| self.provider_health(provider)).collect();
        let fallbacks = self.0.monitor.health.fallbacks();
        HealthReport { status: health::overall(&providers), fallbacks, providers }
    }

    fn provider_health(&self, provider: ProviderInfo) -> ProviderHealth {
        let ProviderInfo { name, label, services, problem, .. } = provider;
        let services: Vec<_> = services.iter().map(|service| self.0.monitor.service_health(&name, *service)).collect();
        let worst = services.iter().max_by_key(|service| service.status);
        let (status, reason) = match (problem, worst) {
            (Some(problem), _) => (Status::Unavailable, Some(problem.to_string())),
            (None, Some(worst)) => (worst.status, worst.reason.clone()),
            (None, None) => (Status::Unavailable, None),
        };
        ProviderHealth { name, label, status, reason, services }
    }

    /// The health of the embeddings of every provider that offers them, by its name. They are not part of [`Router::health`], which is
    /// about questions.
    pub fn embedding_health(&self) -> Vec<(String, ServiceHealth)> {
        let names = self.0.table.load().embedding_providers();
        names.into_iter().map(|name| (name.clone(), self.0.monitor.service_health(&name, Service::Embedding))).collect()
    }

    /// Usage and cost of all calls today.
    pub fn today(&self) -> UsageTotals {
        self.0.monitor.usage.today()
    }

    /// Usage and cost per provider and service, today and this month.
    pub fn usage(&self) -> UsageReport {
        self.0.monitor.usage.report(self.catalog().verified_on())
    }

    /// Attempts since the router was built, by provider, service and outcome.
    pub fn attempt_counts(&self) -> Vec<AttemptCount> {
        self.0.monitor.attempt_counts()
    }

    /// Whether a provider serves a model for a service, under this name or by a replacement. `None` when its models are not known.
    pub fn serves(&self, provider: &str, service: Service, model: &str) -> Option<bool> {
        self.0.table.load().serves(provider, service, model)
    }

    /// The models that can be requested: the catalog's, and those that the providers list beyond them.
    pub fn models(&self) -> Vec<ModelInfo> {
        self.0.table.load().models()
    }

    /// The services of one of these models; `None` when the provider has no such model. Empty when they are not known.
    pub fn services_of(&self, provider: &str, model: &str) -> Option<Vec<Service>> {
        self.0.table.load().services_of(provider, model)
    }

    /// The context window of a provider's model, in tokens; `None` when it is not known.
    pub fn context_of(&self, provider: &str, model: &str) -> Option<u32> {
        self.0.table.load().context_of(provider, model)
    }

    /// The voices of a provider, or of all when it is `None`: the catalog's, and those that servers list. A server that does not
    /// respond within 5 s is left out.
    pub async fn voices(&self, provider: Option<&str>) -> Vec<VoiceInfo> {
        let (mut voices, servers) = {
            let table = self.0.table.load();
            (table.voices(provider), table.voice_listers(provider))
        };
        let listed = servers.into_iter().map(async |(name, model, lister)| {
            let listed = tokio::time::timeout(LIST_TIMEOUT, lister.voices()).await;
            let listed = listed.ok().and_then(std::result::Result::ok).unwrap_or_default();
            listed.into_iter().map(move |voice| VoiceInfo {
                name: voice.id,
                provider: name.clone(),
                model: model.clone(),
                language: None,
                gender: None,
            })
        });
        for voice in futures::future::join_all(listed).await.into_iter().flatten() {
            let same = |known: &VoiceInfo| known.provider == voice.provider && known.name == voice.name;
            if !voices.iter().any(same) {
                voices.push(voice);
            }
        }
        voices
    }

    /// The known kinds of OpenAI-compatible servers, and which of them run on this computer now. Takes at most 0.7 s.
    pub async fn servers(&self) -> Vec<ServerInfo> {
        inventory::servers(&self.0.http.load_full(), self.catalog()).await
    }

    /// The names of every provider and configured server, in fallback order.
    pub fn provider_names(&self) -> Vec<String> {
        self.0.table.load().provider_names()
    }

    /// Every provider and configured server, in fallback order.
    pub fn providers(&self) -> Vec<ProviderInfo> {
        let mut providers = self.0.table.load().provider_infos();
        for provider in &mut providers {
            if provider.problem.is_none() && self.0.monitor.circuits.is_key_rejected(&provider.name) {
                provider.problem = Some(ProviderProblem::KeyRejected);
            }
        }
        providers
    }

    /// The routes of every service: first those that would be tried now, then those that are skipped because their circuit is open.
    pub fn routes(&self) -> Vec<RouteInfo> {
        let route = |service| match self.plan(service, &RouteOverrides::default()) {
            Ok(plan) => RouteInfo { service, routes: self.routes_of(&plan), reason: plan.reason.map(|reason| *reason) },
            Err(_) => RouteInfo { service, routes: Vec::new(), reason: None },
        };
        Service::ALL.into_iter().map(route).collect()
    }

    fn routes_of(&self, plan: &RoutePlan) -> Vec<Route> {
        let mut routes: Vec<Route> = self.in_order(plan).map(|candidate| candidate.route.clone()).collect();
        let rest: Vec<Route> = plan.candidates.iter().map(|candidate| candidate.route.clone()).collect();
        routes.extend(rest.into_iter().filter(|route| !routes.contains(route)).collect::<Vec<_>>());
        routes
    }
}
