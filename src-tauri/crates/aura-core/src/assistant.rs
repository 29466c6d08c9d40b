//! The assistant as a whole: ports, settings, keys, routes and turns, and the doors' one handle on them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwapOption;
use serde_json::Value;

use crate::api::Snapshot;
use crate::config::{Environment, Keys, Store};
use crate::error::{Error, Result};
use crate::event::{Event, Events};
use crate::ports::Ports;
use crate::router::Router;
use crate::turn::{Room, Turns};

/// How an assistant is set up.
#[derive(Clone, Default)]
pub struct Setup {
    /// The settings file; none: settings last until the program ends.
    pub settings_file: Option<PathBuf>,
    /// The folder for recordings, which must exist.
    pub data: PathBuf,
    /// The environment over the settings.
    pub environment: Environment,
    /// Whether the sandbox answers instead of the real providers; it is shown wherever it matters.
    pub sandbox: bool,
}

/// The assistant. Cheap to clone; its work ends when the last clone is dropped.
#[derive(Clone)]
pub struct Assistant(Arc<Inner>);

struct Inner {
    ports: Ports,
    store: Arc<Store>,
    keys: Arc<Keys>,
    router: Router,
    events: Events,
    turns: Turns,
    session: Mutex<String>,
    sandbox: bool,
    shortcut_problem: ArcSwapOption<String>,
}

impl Assistant {
    /// Starts it on the current runtime: reads the settings, opens nothing. Keys are read by [`Assistant::load_keys`].
    pub async fn start(ports: Ports, setup: Setup) -> Result<Self> {
        let recordings = setup.data.join("recordings");
        tokio::fs::create_dir_all(&recordings)
            .await
            .map_err(|cause| Error::storage("make the folder for recordings", cause))?;
        let Setup { settings_file, environment, sandbox, .. } = setup;
        let keys = Arc::new(Keys::new(ports.secrets.clone(), environment.clone()));
        let store = tokio::task::spawn_blocking(move || Store::open(settings_file, environment))
            .await
            .map_err(Error::internal)?;
        let store = Arc::new(store);
        for problem in &store.get().problems {
            tracing::warn!("{problem}");
        }
        let router = Router::new(store.clone(), keys.clone(), ports.programs.clone())?;
        let events = Events::default();
        let turns = Turns::start(Room {
            ports: ports.clone(),
            router: router.clone(),
            store: store.clone(),
            events: events.clone(),
            recordings,
        });
        Ok(Self(Arc::new(Inner {
            ports,
            store,
            keys,
            router,
            events,
            turns,
            session: Mutex::new(new_session()),
            sandbox,
            shortcut_problem: ArcSwapOption::empty(),
        })))
    }

    /// Reads the saved keys and asks the person's own servers for their models. Apart from the start, because a keyring may
    /// ask the person first.
    pub async fn load_keys(&self) {
        let names: Vec<String> = self.0.router.providers().into_iter().map(|provider| provider.name).collect();
        self.0.keys.load(&names).await;
        self.0.router.refresh();
        self.0.router.discover().await;
        self.changed();
    }

    /// Listens to everything that happens.
    pub fn subscribe(&self) -> tokio::sync::broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    /// All that an interface shows at rest.
    pub fn snapshot(&self) -> Snapshot {
        let config = self.0.store.get();
        Snapshot {
            version: env!("CARGO_PKG_VERSION").into(),
            sandbox: self.0.sandbox,
            stage: self.0.turns.stage(),
            session: self.session(),
            settings: config.settings.clone(),
            from_environment: config.from_environment.clone(),
            settings_problems: config.problems.clone(),
            providers: self.0.router.providers(),
            routes: self.0.router.routes(),
            keyring_problem: self.0.keys.problem(),
            shortcut_problem: self.0.shortcut_problem.load().as_deref().cloned(),
        }
    }

    /// Says whether the global shortcut works; the shell knows.
    pub fn shortcut_is(&self, problem: Option<String>) {
        self.0.shortcut_problem.store(problem.map(Arc::new));
        self.changed();
    }

    /// The turns that share memory now.
    pub fn session(&self) -> String {
        self.0.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Forgets what was said: the next turn begins afresh.
    pub(crate) fn begin_session(&self) -> Snapshot {
        *self.0.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = new_session();
        self.changed()
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.0.ports
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    pub(crate) fn router(&self) -> &Router {
        &self.0.router
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.0.turns
    }

    /// Changes settings; they hold from the next request on.
    pub(crate) async fn change(&self, changes: Value) -> Result<Snapshot> {
        let store = self.0.store.clone();
        tokio::task::spawn_blocking(move || store.change(&changes)).await.map_err(Error::internal)??;
        Ok(self.changed())
    }

    /// Asks changed servers for their models, and tells everyone when one has something new to say.
    pub(crate) fn discover(&self) {
        let assistant = self.clone();
        tokio::spawn(async move {
            if assistant.0.router.discover().await {
                assistant.changed();
            }
        });
    }

    /// Takes changes over and tells everyone.
    pub(crate) fn changed(&self) -> Snapshot {
        self.0.router.refresh();
        let snapshot = self.snapshot();
        self.0.events.send(Event::Changed { snapshot: Box::new(snapshot.clone()) });
        snapshot
    }
}

fn new_session() -> String {
    uuid::Uuid::now_v7().to_string()
}
