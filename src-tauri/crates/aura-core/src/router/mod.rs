//! Who answers, and what happens when they fail.
//!
//! One request makes a [`Plan`] from one snapshot of settings and keys, then works it off: an attempt, a look at how it failed,
//! the next step by the table in [`policy`]. It is the only place that retries.

mod call;
mod circuit;
pub mod policy;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

pub use call::{Answered, Observer, Said};
use world::World;
pub use world::{Candidate, Plan};

use crate::api::{ModelView, ProviderView, RouteView, Wishes};
use crate::config::{Keys, Store};
use crate::error::Result;
use crate::ports::Programs;
use crate::providers::{ListedModel, Service};

/// How long a server may take to list its models.
const LIST_WAIT: Duration = Duration::from_secs(3);

/// Chooses routes and works them off. Cheap to clone.
#[derive(Clone)]
pub struct Router(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    keys: Arc<Keys>,
    http: reqwest::Client,
    programs: Arc<dyn Programs>,
    world: ArcSwap<World>,
    circuits: circuit::Circuits,
    listed: ArcSwap<Listed>,
}

/// What servers said about their models, by their name.
type Listed = BTreeMap<String, Vec<ListedModel>>;

impl Router {
    /// A router over these settings and keys.
    pub fn new(store: Arc<Store>, keys: Arc<Keys>, programs: Arc<dyn Programs>) -> Result<Self> {
        let http = crate::providers::wire::http::client()?;
        let world = ArcSwap::from_pointee(World::build(&store, &keys, &http, &programs, &Listed::new()));
        let circuits = circuit::Circuits::default();
        Ok(Self(Arc::new(Inner { store, keys, http, programs, world, circuits, listed: ArcSwap::default() })))
    }

    /// Takes changed settings or keys over: the next request sees them, one under way does not.
    pub fn refresh(&self) {
        let inner = &self.0;
        inner.world.store(Arc::new(World::build(
            &inner.store,
            &inner.keys,
            &inner.http,
            &inner.programs,
            &inner.listed.load(),
        )));
    }

    /// The routes for a service, in the order they will be tried.
    pub fn plan(&self, service: Service, wishes: &Wishes) -> Result<Plan> {
        let mut plan = self.0.world.load().plan(service, wishes)?;
        self.0.circuits.order(&mut plan.candidates, service);
        Ok(plan)
    }

    /// Opens connections to the first route of each service, so that the calls find them open.
    pub async fn warm(&self, services: &[Service], wishes: &Wishes) {
        let mut seen = Vec::new();
        let mut accounts = Vec::new();
        for service in services {
            let Some(first) = self.plan(*service, wishes).ok().and_then(|plan| plan.candidates.into_iter().next())
            else {
                continue;
            };
            if seen.contains(&first.route.provider) {
                continue;
            }
            seen.push(first.route.provider.clone());
            accounts.extend(first.services.account.clone());
        }
        futures::future::join_all(accounts.iter().map(|account| account.warm())).await;
    }

    /// Asks the person's own servers for their models, because no catalog knows them. A server that does not answer in
    /// time keeps what it said before. True when something new was learnt; [`Router::refresh`] then uses it.
    pub async fn discover(&self) -> bool {
        let servers = self.0.world.load().servers();
        let asked = servers.into_iter().map(async |(name, account)| {
            let listed = tokio::time::timeout(LIST_WAIT, account.models()).await;
            listed.ok().and_then(Result::ok).map(|models| (name, models))
        });
        let answers: Listed = futures::future::join_all(asked).await.into_iter().flatten().collect();
        let known = self.0.listed.load();
        let news = answers.iter().any(|(name, models)| known.get(name) != Some(models));
        if news {
            let mut all = Listed::clone(&known);
            all.extend(answers);
            self.0.listed.store(Arc::new(all));
        }
        news
    }

    /// The models that can be asked for: the catalog's and those that servers list.
    pub fn models(&self) -> Vec<ModelView> {
        self.0.world.load().models()
    }

    /// Every provider as the interface shows it.
    pub fn providers(&self) -> Vec<ProviderView> {
        self.0.world.load().views(&self.0.keys)
    }

    /// Who would do each service now.
    pub fn routes(&self) -> Vec<RouteView> {
        Service::ALL
            .into_iter()
            .map(|service| RouteView {
                service,
                routes: self
                    .plan(service, &Wishes::default())
                    .map(|plan| plan.candidates.into_iter().map(|c| c.route).collect())
                    .unwrap_or_default(),
            })
            .collect()
    }
}
