//! Who answers, and what happens when they fail.
//!
//! One request makes a [`Plan`] from one snapshot of settings and keys, then works it off: an attempt, a look at how it failed,
//! the next step by the table in [`policy`]. It is the only place that retries.

mod call;
mod choice;
mod circuit;
mod course;
mod joint;
mod lists;
pub mod policy;
mod world;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

pub use call::{Answered, Said};
pub use course::Observer;
use lists::{List, Lists};
use world::World;
pub use world::{Candidate, Plan};

use crate::api::{ModelView, ProviderView, RouteView, ServerView, VoiceView, Wishes};
use crate::config::{Keys, Store};
use crate::error::Result;
use crate::event::{Event, Events};
use crate::health::{self, Health, HealthReport, ProviderHealth, Status};
use crate::ports::Programs;
use crate::providers::{Class, Failure, Http, Service, Waits};
use crate::record::{Attempt, Route};
use crate::tally::{Tallies, Tally};
use crate::usage::{Accounts, UsageReport};

/// How long a provider may take to list its models.
const LIST_WAIT: Duration = Duration::from_secs(5);

/// Chooses routes and works them off. Cheap to clone.
#[derive(Clone)]
pub struct Router(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    keys: Arc<Keys>,
    /// Connections; replaced when the person wants to wait for them longer or less.
    http: ArcSwap<Http>,
    programs: Arc<dyn Programs>,
    sandbox: bool,
    world: ArcSwap<World>,
    building: Mutex<()>,
    circuits: circuit::Circuits,
    lists: Lists,
    health: Health,
    accounts: Accounts,
    tallies: Tallies,
    events: Events,
}

/// The settings, keys and connections of one moment.
pub(crate) struct Moment(Arc<World>);

/// Which providers are asked for their models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The person's own servers that were never asked: without a list no model of theirs is known.
    Unknown,
    /// All whose list is missing or old.
    Stale,
    /// All.
    All,
}

fn waits(store: &Store) -> Waits {
    let clocks = store.get().settings.clocks;
    let time = |ms: u32| Duration::from_millis(ms.into());
    Waits { connect: time(clocks.connect_ms), error_body: time(clocks.error_body_ms) }
}

impl Router {
    /// A router over these settings and keys. `lists` is the file in which model lists are kept for the next start. With the sandbox
    /// the person's own servers are left out: nothing there stands in for them, and they may cost money.
    pub(crate) fn new(
        store: Arc<Store>,
        keys: Arc<Keys>,
        programs: Arc<dyn Programs>,
        events: Events,
        accounts: Accounts,
        lists: Option<PathBuf>,
        sandbox: bool,
    ) -> Result<Self> {
        let http = Http::new(waits(&store))?;
        let lists = Lists::open(lists);
        let world = ArcSwap::from_pointee(World::build(&store, &keys, &http, &programs, lists.known(), sandbox));
        let (circuits, health, tallies, building) = Default::default();
        Ok(Self(Arc::new(Inner {
            store,
            keys,
            http: ArcSwap::from_pointee(http),
            programs,
            sandbox,
            world,
            building,
            circuits,
            lists,
            health,
            accounts,
            tallies,
            events,
        })))
    }

    /// Takes changed settings or keys over: the next request sees them, one under way does not.
    pub fn refresh(&self) {
        let inner = &self.0;
        // Two at once could leave the older world in place.
        let _building = inner.building.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, waits) = (inner.lists.known(), waits(&inner.store));
        if waits != inner.http.load().waits() {
            match Http::new(waits) {
                Ok(http) => inner.http.store(Arc::new(http)),
                Err(error) => tracing::warn!(%error, "the connections stay as they were"),
            }
        }
        let http = inner.http.load();
        let world = World::build(&inner.store, &inner.keys, &http, &inner.programs, known, inner.sandbox);
        inner.world.store(Arc::new(world));
    }

    /// A provider has another key, or none: what it said to the old one no longer counts.
    pub(crate) fn forgive(&self, provider: &str) {
        let now = Instant::now();
        // From here on nobody begins with the old one.
        self.refresh();
        let back = self.0.circuits.forgive(provider, now);
        self.tell_how(provider, &back);
    }

    /// The settings, keys and connections as they are now, for a request that uses several services.
    pub(crate) fn moment(&self) -> Moment {
        Moment(self.0.world.load_full())
    }

    /// The routes for a service, in the order they will be tried.
    pub fn plan(&self, service: Service, wishes: &Wishes) -> Result<Plan> {
        self.plan_at(&self.moment(), service, wishes)
    }

    /// The same from the settings and keys of a moment.
    pub(crate) fn plan_at(&self, Moment(world): &Moment, service: Service, wishes: &Wishes) -> Result<Plan> {
        let mut plan = world.plan(service, wishes)?;
        if let Some(preference) = world.preference(service, wishes) {
            plan.why = choice::order(preference, &mut plan.candidates, service, &self.0.health);
        }
        Ok(plan)
    }

    /// Opens connections to the first route of each service, so that the calls find them open.
    pub async fn warm(&self, services: &[Service], wishes: &Wishes) {
        let mut seen = Vec::new();
        let mut accounts = Vec::new();
        for service in services {
            let Ok(plan) = self.plan(*service, wishes) else { continue };
            let Some(first) = self.in_order(&plan).next() else { continue };
            if seen.contains(&first.route.provider) {
                continue;
            }
            seen.push(first.route.provider.clone());
            accounts.extend(first.services.account.clone());
        }
        futures::future::join_all(accounts.iter().map(|account| account.warm())).await;
    }

    /// Asks providers for their models. One that does not answer in time keeps what it said before. True when something new was
    /// learnt; [`Router::refresh`] then uses it.
    pub(crate) async fn discover(&self, which: Ask) -> bool {
        let now = jiff::Timestamp::now();
        let known = self.0.lists.known();
        let world = self.0.world.load_full();
        let mut asked = world.listers();
        asked.retain(|lister| match which {
            Ask::Unknown => lister.own_server && known.models(&lister.name, &lister.address).is_none(),
            Ask::Stale => known.is_stale(&lister.name, &lister.address, now),
            Ask::All => true,
        });
        let asked = asked.into_iter().map(async |lister| {
            let at = jiff::Timestamp::now();
            match tokio::time::timeout(LIST_WAIT, lister.account.models()).await {
                Ok(Ok(models)) => (Some((lister.name, List { address: lister.address, at, models })), false),
                Ok(Err(failure)) => (None, self.was_refused(&lister.name, world.made, &failure)),
                Err(_) => (None, false),
            }
        });
        let (lists, refused): (Vec<_>, Vec<bool>) = futures::future::join_all(asked).await.into_iter().unzip();
        self.0.lists.learn(lists.into_iter().flatten().collect()) || refused.contains(&true)
    }

    /// A key that cannot even list the models is wrong: better told now than at the first question. True when that is news.
    fn was_refused(&self, provider: &str, made: Instant, failure: &Failure) -> bool {
        if !policy::refuses_key(failure) || self.0.circuits.is_forgiven_since(provider, made) {
            return false;
        }
        let known = self.0.circuits.is_refused(provider);
        let away = self.0.circuits.refused(provider, policy::pause(failure).unwrap_or_default());
        self.tell_how(provider, &away);
        !known
    }

    /// A model answered that it is gone, or that it is not for this account: the next requests go by it.
    fn model_gone(&self, route: &Route, failure: &Failure) {
        let why = failure.not_offered.then_some(failure.message.as_str());
        if self.0.lists.gone(&route.provider, &route.model, why) {
            tracing::warn!(provider = route.provider, model = route.model, "the model is gone; others stand in");
            self.refresh();
        }
    }

    /// Writes an attempt into every book.
    fn note(&self, attempt: &Attempt, failure: Option<&Failure>, made: Instant) {
        let (provider, service) = (&attempt.route.provider, attempt.service);
        let circuits = &self.0.circuits;
        let changed = match failure {
            None => circuits.succeeded(provider, service),
            Some(failure) if failure.class == Class::Auth && circuits.is_forgiven_since(provider, made) => Vec::new(),
            Some(failure) => match policy::pause(failure) {
                Some(pause) if policy::refuses_key(failure) => circuits.refused(provider, pause),
                pause if circuits.failed(provider, service, failure.class, pause) => vec![service],
                _ => Vec::new(),
            },
        };
        self.0.health.note(attempt, attempt.first_ms);
        self.0.accounts.note(attempt);
        self.0.tallies.note(attempt);
        self.tell_how(provider, &changed);
    }

    /// Tells everyone how a provider is at these services now.
    fn tell_how(&self, provider: &str, services: &[Service]) {
        let offered = self.0.world.load().offered(provider);
        for service in services.iter().copied().filter(|service| offered.contains(service)) {
            let of = self.service_health(provider, service);
            self.0.events.send(Event::Availability {
                provider: provider.to_owned(),
                service,
                status: of.status,
                reason: of.reason,
                until: of.cooldown_until,
            });
        }
    }

    /// The routes of a plan in the order in which they are tried now.
    fn in_order<'a>(&self, plan: &'a Plan) -> impl Iterator<Item = &'a Candidate> + use<'a> {
        self.0.circuits.order(&plan.candidates, plan.service).into_iter().map(|place| &plan.candidates[place])
    }

    fn service_health(&self, provider: &str, service: Service) -> health::ServiceHealth {
        let (circuit, left) = self.0.circuits.state(provider, service);
        self.0.health.figures(provider, service).health(service, circuit, left)
    }

    /// How everything is, as real traffic showed.
    pub fn health(&self) -> HealthReport {
        let providers: Vec<ProviderHealth> =
            self.providers().into_iter().map(|view| self.provider_health(view)).collect();
        HealthReport { status: health::overall(&providers), fallbacks: self.0.health.fallbacks(), providers }
    }

    fn provider_health(&self, view: ProviderView) -> ProviderHealth {
        let services: Vec<_> = view.services.iter().map(|service| self.service_health(&view.name, *service)).collect();
        let worst = services.iter().max_by_key(|of| of.status);
        let (status, reason) = match (view.problem, worst) {
            (Some(problem), _) => (Status::Unavailable, Some(problem)),
            (None, Some(worst)) => (worst.status, worst.reason.clone()),
            (None, None) => (Status::Unavailable, None),
        };
        ProviderHealth { name: view.name, label: view.label, status, reason, services }
    }

    /// What was used and what it cost, today and this month.
    pub fn usage(&self) -> UsageReport {
        self.0.accounts.report()
    }

    /// What was done since the start.
    pub(crate) fn tallies(&self) -> Vec<Tally> {
        self.0.tallies.list()
    }

    /// Whether a provider serves a model for a service, under this name or in its place. `None`: it does not say which it has.
    pub(crate) fn serves(&self, provider: &str, service: Service, model: &str) -> Option<bool> {
        self.0.world.load().serves(provider, service, model)
    }

    /// The models that can be asked for: the catalog's and those that providers list.
    pub fn models(&self) -> Vec<ModelView> {
        self.0.world.load().models()
    }

    /// The voices of a provider, or of all: the catalog's, and those that servers list.
    pub async fn voices(&self, provider: Option<&str>) -> Vec<VoiceView> {
        let (mut voices, servers) = {
            let world = self.0.world.load();
            (world.voices(provider), world.voice_listers(provider))
        };
        let listed = servers.into_iter().map(async |(name, model, account)| {
            let listed = tokio::time::timeout(LIST_WAIT, account.voices()).await;
            let listed = listed.ok().and_then(Result::ok).unwrap_or_default();
            listed.into_iter().map(move |voice| VoiceView {
                name: voice.id,
                provider: name.clone(),
                model: model.clone(),
                language: None,
                gender: None,
            })
        });
        for voice in futures::future::join_all(listed).await.into_iter().flatten() {
            let same = |known: &VoiceView| known.provider == voice.provider && known.name == voice.name;
            if !voices.iter().any(same) {
                voices.push(voice);
            }
        }
        voices
    }

    /// The kinds of OpenAI-compatible servers, and which of them answer on this computer now.
    pub async fn servers(&self) -> Vec<ServerView> {
        world::servers(&self.0.http.load_full(), &self.0.programs).await
    }

    /// Every provider as the interface shows it.
    pub fn providers(&self) -> Vec<ProviderView> {
        let mut views = self.0.world.load().views(&self.0.keys);
        for view in &mut views {
            if view.problem.is_none() && self.0.circuits.is_refused(&view.name) {
                view.problem = Some("Its key was refused. Save a new one.".into());
            }
        }
        views
    }

    /// The routes of a plan: those that are tried now, then those that are left alone.
    fn routes_of(&self, plan: &Plan) -> Vec<Route> {
        let mut routes: Vec<Route> = self.in_order(plan).map(|candidate| candidate.route.clone()).collect();
        let rest: Vec<Route> = plan.candidates.iter().map(|candidate| candidate.route.clone()).collect();
        routes.extend(rest.into_iter().filter(|route| !routes.contains(route)).collect::<Vec<_>>());
        routes
    }

    /// Who would do each service now.
    pub fn routes(&self) -> Vec<RouteView> {
        Service::ALL
            .into_iter()
            .map(|service| match self.plan(service, &Wishes::default()) {
                Ok(plan) => RouteView { service, routes: self.routes_of(&plan), why: plan.why },
                Err(_) => RouteView { service, routes: Vec::new(), why: None },
            })
            .collect()
    }
}
