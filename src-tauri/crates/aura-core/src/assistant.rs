//! The assistant as a whole: ports, settings, keys, routes and turns, and the doors' one handle on them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::api::Snapshot;
use crate::config::{Environment, Keys, Store};
use crate::error::{Error, Result};
use crate::event::{Audience, Event, Events, Told};
use crate::ports::Ports;
use crate::providers::Service;
use crate::router::{Ask, Router};
use crate::tally::Tally;
use crate::turn::{Aside, Outcome, Room, Turns, take_aside};
use crate::usage::Accounts;

/// How often it is looked whether a model list is old.
const LOOK_FOR_STALE: Duration = Duration::from_secs(1_800);

/// How often it is looked whether another program changed the settings file.
const LOOK_FOR_SETTINGS: Duration = Duration::from_secs(1);

/// How an assistant is set up.
#[derive(Clone, Default)]
pub struct Setup {
    /// The settings file; none: settings last until the program ends.
    pub settings_file: Option<PathBuf>,
    /// The folder for recordings, which must exist.
    pub data: PathBuf,
    /// The folder for what the person exports; none: the folder for recordings.
    pub exports: Option<PathBuf>,
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
    door_problem: ArcSwapOption<String>,
    accounts: Accounts,
    /// Asks providers for their models from time to time; ends with the assistant.
    background: OnceLock<AbortOnDropHandle<()>>,
    /// Follows the settings file; ends with the assistant.
    following: OnceLock<AbortOnDropHandle<()>>,
    exports: PathBuf,
    /// Stops what keeps the microphone or the speaker busy outside a turn.
    occupied: Mutex<CancellationToken>,
}

impl Assistant {
    /// Starts it on the current runtime: reads the settings, opens nothing. Keys are read by [`Assistant::load_keys`].
    pub async fn start(ports: Ports, setup: Setup) -> Result<Self> {
        let recordings = setup.data.join("recordings");
        tokio::fs::create_dir_all(&recordings)
            .await
            .map_err(|cause| Error::storage("make the folder for recordings", cause))?;
        let Setup { settings_file, environment, sandbox, data, exports } = setup;
        let keys = Arc::new(Keys::new(ports.secrets.clone(), environment.clone()));
        let store = tokio::task::spawn_blocking(move || Store::open(settings_file, environment))
            .await
            .map_err(Error::internal)?;
        let store = Arc::new(store);
        for problem in &store.get().problems {
            tracing::warn!("{problem}");
        }
        let events = Events::default();
        let accounts = Accounts::start((!sandbox).then(|| ports.ledger.clone()));
        let (programs, told, sums) = (ports.programs.clone(), events.clone(), accounts.clone());
        // What the sandbox lists is not what the providers have.
        let lists = Some(data.join(if sandbox { "models.sandbox.json" } else { "models.json" }));
        let (known_store, known_keys) = (store.clone(), keys.clone());
        let make = move || Router::new(known_store, known_keys, programs, told, sums, lists, sandbox);
        let router = tokio::task::spawn_blocking(make).await.map_err(Error::internal)??;
        let turns = Turns::start(Room {
            ports: ports.clone(),
            router: router.clone(),
            store: store.clone(),
            events: Audience::Everyone(events.clone()),
            recordings: Some(recordings),
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
            door_problem: ArcSwapOption::empty(),
            accounts,
            background: OnceLock::new(),
            following: OnceLock::new(),
            exports: exports.unwrap_or(data),
            occupied: Mutex::default(),
        })))
    }

    /// Reads the saved keys and what was used this month, and asks providers for their models: the person's own servers at once,
    /// the others in the background and from time to time. Apart from the start, because a keyring may ask the person first.
    pub async fn load_keys(&self) {
        let names: Vec<String> = self.0.router.providers().into_iter().map(|provider| provider.name).collect();
        self.0.keys.load(&names).await;
        // What the sandbox did cost nothing, and what was paid is none of its business.
        if !self.0.sandbox {
            self.0.accounts.load(&*self.0.ports.ledger).await;
        }
        self.0.router.refresh();
        self.0.router.discover(Ask::Unknown).await;
        self.changed();
        self.follow_settings();
        let assistant = Arc::downgrade(&self.0);
        let _ = self.0.background.set(AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                let Some(assistant) = assistant.upgrade().map(Assistant) else { return };
                if assistant.0.router.discover(Ask::Stale).await {
                    assistant.changed();
                }
                drop(assistant);
                tokio::time::sleep(LOOK_FOR_STALE).await;
            }
        })));
    }

    /// Asks every provider for its models now: a free call that also tells whether its key is taken.
    pub async fn ask_providers(&self) {
        if self.0.router.discover(Ask::All).await {
            self.changed();
        }
    }

    /// Waits until what was used is written down. The last thing before the program ends.
    pub async fn close(&self) {
        self.0.accounts.flush().await;
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
            door_problem: self.0.door_problem.load().as_deref().cloned(),
        }
    }

    /// Answers a question beside whatever is on the stage, touching no device: for callers that bring the question and take the answer.
    /// The caller is told what happens, the answer's sound included, while the future runs; dropping it stops the work.
    pub fn aside(
        &self,
        question: Aside,
    ) -> (mpsc::UnboundedReceiver<Told>, impl Future<Output = Outcome> + Send + 'static + use<>) {
        let (tell, told) = mpsc::unbounded_channel();
        let room = Room {
            ports: self.0.ports.clone(),
            router: self.0.router.clone(),
            store: self.0.store.clone(),
            events: Audience::One(tell.clone()),
            recordings: None,
        };
        (told, Box::pin(take_aside(room, question, tell)))
    }

    /// Whether a provider serves a model for a service, under this name or by another that took its place. `None`: it does not say
    /// which models it has.
    pub fn serves(&self, provider: &str, service: Service, model: &str) -> Option<bool> {
        self.0.router.serves(provider, service, model)
    }

    /// What was done since the program started.
    pub fn tallies(&self) -> Vec<Tally> {
        self.0.router.tallies()
    }

    /// Says whether the global shortcut works; the shell knows.
    pub fn shortcut_is(&self, problem: Option<String>) {
        self.0.shortcut_problem.store(problem.map(Arc::new));
        self.changed();
    }

    /// Says why the HTTP door could not be opened, if it could not; the shell knows.
    pub fn door_is(&self, problem: Option<String>) {
        self.0.door_problem.store(problem.map(Arc::new));
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

    /// The microphone or the speaker is used outside a turn from now on; what used it before is stopped. The token tells when this
    /// is to end.
    pub(crate) fn occupied(&self) -> CancellationToken {
        let next = CancellationToken::new();
        let mut current = self.0.occupied.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, next.clone()).cancel();
        next
    }

    /// Stops what uses the microphone or the speaker outside a turn.
    pub(crate) fn quiet(&self) {
        self.0.occupied.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }

    /// Tells everyone who listens.
    pub(crate) fn tell(&self, event: Event) {
        self.0.events.send(event);
    }

    /// Where exports go.
    pub(crate) fn exports(&self) -> &std::path::Path {
        &self.0.exports
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.0.ports
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Who answers what: for a door that asks providers without a turn.
    pub fn router(&self) -> &Router {
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

    /// Takes over what other programs write into the settings file: the command line beside a server, a server beside the app, or the
    /// person with an editor.
    fn follow_settings(&self) {
        let assistant = Arc::downgrade(&self.0);
        let _ = self.0.following.set(AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_FOR_SETTINGS).await;
                let Some(assistant) = assistant.upgrade().map(Assistant) else { return };
                let store = assistant.0.store.clone();
                if tokio::task::spawn_blocking(move || store.refresh()).await.is_ok_and(|new| new) {
                    for problem in &assistant.0.store.get().problems {
                        tracing::warn!("{problem}");
                    }
                    assistant.changed();
                }
            }
        })));
    }

    /// Asks changed servers for their models, and tells everyone when one has something new to say.
    pub(crate) fn discover(&self) {
        let assistant = self.clone();
        tokio::spawn(async move {
            if assistant.0.router.discover(Ask::Stale).await {
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
