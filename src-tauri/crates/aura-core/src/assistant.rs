//! The assistant: ports, settings, API keys, router and turns.

mod attending;
mod watching;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use aura_providers::catalog::Catalog;
use aura_providers::{Service, installed_model};
use aura_router::{Availability, ModelListRefresh, Router, UsageTracker};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{broadcast, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::blocking::blocking;
use crate::config::{Config, Environment, Keys, SettingsStore};
use crate::consent::Consents;
use crate::error::{Error, Result};
use crate::event::{Event, EventSink, Events, TurnUpdate, TurnUpdates};
use crate::local_models::LocalModelsView;
use crate::mcp::{McpServerView, McpServers};
use crate::ports::Ports;
use crate::record::TurnRecord;
use crate::timers::Timers;
use crate::turn::{
    CurrentSession, DetachedTurn, LastPicture, LastVoice, Owner, SummarySlot, TurnContext, TurnOutcome, TurnRequest,
    Turns, UnsavedTurns, add_unknown_recordings, end_unfinished, run_detached,
};
use crate::update_checks;
use crate::upkeep::Upkeep;
use crate::views::{ProviderView, RouteView, Snapshot};

/// How often the age of the model lists is checked.
const STALE_LIST_CHECK: Duration = Duration::from_secs(1_800);

/// The longest time at the end for turns that are under way to stop and to be saved. A history that another process keeps busy takes 3 s
/// for each record.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time at the end for the ledger, and for turns that could not be saved earlier.
const LAST_SAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// The configuration of an [`Assistant`].
#[derive(Clone, Default)]
pub struct Setup {
    /// The path of the settings file. `None`: settings are lost when the program ends.
    pub settings_file: Option<PathBuf>,
    /// The folder for recordings and model lists; created if it is missing.
    pub data: PathBuf,
    /// The folder for exports. `None`: [`Setup::data`].
    pub exports: Option<PathBuf>,
    /// The environment variables that decide settings at start.
    pub environment: Environment,
    /// Whether the sandbox answers instead of the real providers. Interfaces show this.
    pub sandbox: bool,
    /// The models and prices. `None`: those that this version came with.
    pub catalog: Option<Arc<Catalog>>,
    /// How long AURA waits for the person's consent before it takes it for a no. `None`: a minute.
    pub consent_timeout: Option<Duration>,
}

/// The assistant. Cheap to clone; background work ends when the last clone is dropped.
#[derive(Clone)]
pub struct Assistant(Arc<Inner>);

/// A reference that does not keep the assistant alive.
pub(crate) struct WeakAssistant(Weak<Inner>);

impl WeakAssistant {
    /// The assistant, unless it has ended.
    pub(crate) fn upgrade(&self) -> Option<Assistant> {
        self.0.upgrade().map(Assistant)
    }
}

struct Inner {
    ports: Ports,
    store: Arc<SettingsStore>,
    keys: Arc<Keys>,
    router: Router,
    events: Events,
    turns: Turns,
    sandbox: bool,
    shortcut_problem: ArcSwapOption<String>,
    server_problem: ArcSwapOption<Error>,
    usage: UsageTracker,
    /// The folder for recordings.
    recordings: PathBuf,
    /// The task that saves turns which could not be saved at their end.
    _saving: AbortOnDropHandle<()>,
    /// The task that refreshes model lists.
    background: OnceLock<AbortOnDropHandle<()>>,
    /// The task that watches the settings file.
    settings_watch: OnceLock<AbortOnDropHandle<()>>,
    /// The task that sends a snapshot when the history's problem changes.
    history_watch: OnceLock<AbortOnDropHandle<()>>,
    /// The task that sends a snapshot when a turn began a session.
    session_watch: OnceLock<AbortOnDropHandle<()>>,
    /// The task that tells what changes in the store of models.
    models_watch: OnceLock<AbortOnDropHandle<()>>,
    /// The task that tells what changes with the MCP servers.
    mcp_watch: OnceLock<AbortOnDropHandle<()>>,
    /// The task that compresses recordings and deletes old ones.
    upkeep: OnceLock<AbortOnDropHandle<()>>,
    /// The tasks that look for a new version, and tell what becomes of it.
    updates: OnceLock<[AbortOnDropHandle<()>; 2]>,
    /// The task that forwards availability changes as events.
    _forwarding: AbortOnDropHandle<()>,
    exports: PathBuf,
    /// The task of hands-free use, while it is on.
    hands_free: Mutex<Option<AbortOnDropHandle<()>>>,
    /// Cancelled to end a replay or a microphone test, which use devices outside a turn.
    devices: Mutex<CancellationToken>,
}

impl Assistant {
    /// Starts the assistant on the current Tokio runtime. Reads the settings but opens no device;
    /// [`Assistant::start_background`] reads the API keys.
    ///
    /// # Errors
    /// When the HTTP clients cannot be built. A folder for recordings that cannot be created costs only the recordings.
    pub async fn start(ports: Ports, setup: Setup) -> Result<Self> {
        let recordings = setup.data.join("recordings");
        if let Err(cause) = tokio::fs::create_dir_all(&recordings).await {
            tracing::warn!(%cause, folder = %recordings.display(), "recordings cannot be saved");
        }
        let Setup { settings_file, environment, sandbox, data, exports, catalog, consent_timeout } = setup;
        let keys = Arc::new(Keys::new(ports.secrets.clone(), environment.clone()));
        let variables = environment.variables();
        let store = blocking(move || SettingsStore::open(settings_file, environment)).await?;
        let store = Arc::new(store);
        log_problems(&store.get());
        let events = Events::default();
        let usage = UsageTracker::start((!sandbox).then(|| ports.ledger.clone()));
        // The sandbox's model lists must not replace those of the real providers.
        let lists = data.join(if sandbox { "models.sandbox.json" } else { "models.json" });
        let builder = Router::builder()
            .settings(store.get().settings.routing())
            .keys(keys.all(&store.get().settings))
            .programs(ports.programs.clone())
            .local_models(ports.local_models.clone())
            .variables(variables)
            .model_list_file(lists)
            .usage(usage.clone())
            .builtin_only(sandbox)
            .catalog(catalog.unwrap_or_else(Catalog::embedded));
        let router = blocking(move || builder.build()).await??;
        let forwarding = tokio::spawn(forward(router.availability(), events.clone()));
        let (folder, unsaved) = (data.join("running"), UnsavedTurns::default());
        let owner = blocking(move || Owner::register(&folder)).await?;
        let owner = Arc::new(owner);
        let file = data.join("timers.json");
        let timers = blocking(move || Timers::open(file)).await?;
        let mcp = McpServers::new(ports.secrets.clone());
        let saving = tokio::spawn(unsaved.clone().run(ports.history.clone()));
        let turns = Turns::start(TurnContext {
            ports: ports.clone(),
            router: router.clone(),
            store: store.clone(),
            events: EventSink::Everyone(events.clone()),
            recordings: Some(recordings.clone()),
            owner,
            unsaved,
            session: CurrentSession::new(),
            summary_slot: SummarySlot::default(),
            last_picture: LastPicture::default(),
            last_voice: LastVoice::default(),
            consents: Consents::default(),
            consent_timeout,
            mcp,
            timers,
            closing: CancellationToken::new(),
            running: TaskTracker::new(),
        });
        let assistant = Self(Arc::new(Inner {
            ports,
            store,
            keys,
            router,
            events,
            turns,
            sandbox,
            shortcut_problem: ArcSwapOption::empty(),
            server_problem: ArcSwapOption::empty(),
            usage,
            recordings,
            _saving: AbortOnDropHandle::new(saving),
            background: OnceLock::new(),
            settings_watch: OnceLock::new(),
            history_watch: OnceLock::new(),
            session_watch: OnceLock::new(),
            models_watch: OnceLock::new(),
            mcp_watch: OnceLock::new(),
            upkeep: OnceLock::new(),
            updates: OnceLock::new(),
            _forwarding: AbortOnDropHandle::new(forwarding),
            exports: exports.unwrap_or(data),
            hands_free: Mutex::default(),
            devices: Mutex::default(),
        }));
        assistant.watch_history();
        assistant.watch_models();
        assistant.watch_mcp();
        assistant.watch_session();
        assistant.recover(false).await;
        Ok(assistant)
    }

    /// Adds recordings that the history does not know, reads the saved API keys and this month's usage, and fetches the model lists of
    /// the user's own servers. Then starts three background tasks: one refreshes model lists, one watches the settings file, one
    /// compresses and deletes old recordings. Separate from [`Assistant::start`], because
    /// a keyring may ask the user for permission first.
    pub async fn start_background(&self) {
        self.recover(true).await;
        self.0.keys.load(&self.0.router.providers()).await;
        // The sandbox costs nothing and does not show real usage.
        if !self.0.sandbox {
            self.0.usage.load(&*self.0.ports.ledger).await;
        }
        self.reconfigure();
        self.0.router.refresh_model_lists(ModelListRefresh::Unknown).await;
        self.announce();
        self.watch_settings();
        self.start_upkeep();
        let _ = self.0.updates.set(update_checks::start(
            &self.0.ports.updates,
            self.0.store.clone(),
            self.0.events.clone(),
        ));
        let assistant = self.downgrade();
        let _ = self.0.background.set(AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                let Some(assistant) = assistant.upgrade() else { return };
                if assistant.0.router.refresh_model_lists(ModelListRefresh::Stale).await {
                    assistant.announce();
                }
                // Those of a command line that was killed meanwhile.
                assistant.recover(false).await;
                drop(assistant);
                tokio::time::sleep(STALE_LIST_CHECK).await;
            }
        })));
    }

    /// Fetches every provider's model list now. The call is free and shows whether the API key is accepted.
    pub async fn refresh_model_lists(&self) {
        if self.0.router.refresh_model_lists(ModelListRefresh::All).await {
            self.announce();
        }
    }

    /// Stops every turn that is under way, and waits a few seconds at most until turns and usage are saved. Must be the last call before
    /// the program ends; no further turn begins.
    pub async fn close(&self) {
        if timeout(STOP_TIMEOUT, self.0.turns.close()).await.is_err() {
            tracing::warn!("a turn could not be saved before AURA ends; it is found at the next start");
        }
        self.0.ports.other_sound.restored().await;
        if timeout(LAST_SAVE_TIMEOUT, self.0.turns.context().mcp.close()).await.is_err() {
            tracing::warn!("an MCP server did not end in time and is killed");
        }
        let saved = async { tokio::join!(self.0.turns.context().unsaved.saved(), self.0.usage.flush()) };
        if timeout(LAST_SAVE_TIMEOUT, saved).await.is_err() {
            tracing::warn!("the history or the ledger is busy; not everything could be saved before AURA ends");
        }
        self.0.ports.history.close().await;
    }

    /// Subscribes to all events from now on. A slow subscriber misses the oldest ones.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    /// The current settings and the problems of the settings file. Call this once per request, so that the request sees one state.
    pub fn config(&self) -> Arc<Config> {
        self.0.store.get()
    }

    /// Every built-in provider and configured server.
    pub fn providers(&self) -> Vec<ProviderView> {
        let view = |info: aura_router::ProviderInfo| {
            let key = self.0.keys.view(&info);
            ProviderView::new(info, key)
        };
        self.0.router.providers().into_iter().map(view).collect()
    }

    /// The current routes, one entry per service.
    pub fn routes(&self) -> Vec<RouteView> {
        let spoken = self.config().settings.listening.language.clone();
        let providers = self.0.router.providers();
        let is_built_in = |name: &str| providers.iter().any(|provider| provider.local && provider.name == name);
        let view = |info| {
            let mut view = RouteView::from(info);
            if let Some(first) = view.routes.first().filter(|route| is_built_in(&route.provider)) {
                let models = &*self.0.ports.local_models;
                let used = |language| installed_model(models, &first.model, view.service, language);
                // A language model may answer in a language that it does not list; a voice cannot speak one.
                let writes = matches!(view.service, Service::Llm | Service::Vlm);
                let model = used(spoken.as_deref()).or_else(|| writes.then(|| used(None)).flatten());
                view.local_model = model.map(|model| model.id);
            }
            view
        };
        self.0.router.routes().into_iter().map(view).collect()
    }

    /// The whole state that an interface shows while nothing happens.
    pub fn snapshot(&self) -> Snapshot {
        let config = self.config();
        let history_problem = self.0.ports.history.problem().borrow().clone();
        let server_problem = self.0.server_problem.load();
        Snapshot {
            version: env!("CARGO_PKG_VERSION").into(),
            sandbox: self.0.sandbox,
            stage: self.0.turns.stage(),
            session: self.session(),
            hands_free: self.is_hands_free(),
            playback: self.0.turns.context().last_voice.playback(),
            consent: self.turns().context().consents.pending(),
            acting_tools: self.acting_tools(),
            settings: config.settings.clone(),
            from_environment: config.from_environment.clone(),
            overruled: config.overruled.clone(),
            settings_problems: config.problems.iter().map(ToString::to_string).collect(),
            settings_problem_facts: config.problems.clone(),
            providers: self.providers(),
            routes: self.routes(),
            keyring_problem: self.0.keys.problem(),
            history_problem: history_problem.as_ref().map(ToString::to_string),
            history_problem_facts: history_problem,
            shortcut_problem: self.0.shortcut_problem.load().as_deref().cloned(),
            server_problem: server_problem.as_ref().map(|error| error.message.clone()),
            server_problem_code: server_problem.as_ref().map(|error| error.code),
        }
    }

    /// Answers a question without using a device or the stage, for a caller that brings the question and receives the answer.
    ///
    /// Updates arrive while the future is polled, including the answer's sound. The queue is bounded, so read it while polling the
    /// future, or drop the receiver to get no updates. Dropping the future stops the turn.
    pub fn detached(
        &self,
        question: DetachedTurn,
    ) -> (mpsc::Receiver<TurnUpdate>, impl Future<Output = TurnOutcome> + Send + 'static + use<>) {
        let (updates, receiver) = TurnUpdates::channel();
        let events = EventSink::One(updates.clone());
        let context = TurnContext { events, recordings: None, ..self.0.turns.context().clone() };
        (receiver, Box::pin(run_detached(context, question, updates)))
    }

    /// Sets why the global shortcut does not work, in a sentence; `None` when it works. Shown in the snapshot.
    pub fn set_shortcut_problem(&self, problem: Option<String>) {
        self.0.shortcut_problem.store(problem.map(Arc::new));
        self.announce();
    }

    /// Sets why the local API could not be opened; `None` when it is open or switched off. Shown in the snapshot.
    pub fn set_server_problem(&self, problem: Option<Error>) {
        self.0.server_problem.store(problem.map(Arc::new));
        self.announce();
    }

    /// Whether the providers are those of the sandbox.
    pub(crate) fn is_sandbox(&self) -> bool {
        self.0.sandbox
    }

    /// ID of the current session. Turns of one session share memory.
    pub fn session(&self) -> String {
        self.0.turns.context().session.id()
    }

    /// Starts a new session: the next turn remembers nothing of the earlier ones.
    pub(crate) fn begin_session(&self) -> Snapshot {
        self.0.turns.context().session.begin();
        self.announce()
    }

    /// Makes a session the current one.
    pub(crate) fn enter_session(&self, id: String) -> Snapshot {
        let session = &self.0.turns.context().session;
        if session.id() != id {
            session.enter(id);
            self.forget_last();
        }
        self.announce()
    }

    /// Forgets the last picture that was sent, and the sound of the last answer.
    pub(crate) fn forget_last(&self) {
        let context = self.0.turns.context();
        context.last_picture.forget();
        context.last_voice.forget();
    }

    /// Claims the microphone or the speaker for use outside a turn, and ends the previous claim. The token is cancelled when
    /// this claim ends.
    pub(crate) fn claim_devices(&self) -> CancellationToken {
        let next = CancellationToken::new();
        let mut current = self.0.devices.lock();
        std::mem::replace(&mut *current, next.clone()).cancel();
        next
    }

    /// Ends the current claim of [`Assistant::claim_devices`].
    pub(crate) fn release_devices(&self) {
        self.0.devices.lock().cancel();
    }

    /// Runs a turn. It needs the microphone and the speaker, so it ends a replay or a microphone test.
    pub(crate) async fn run(&self, request: TurnRequest) -> Result<TurnRecord> {
        self.release_devices();
        self.turns().run(request).await
    }

    /// The task of hands-free use, while it is on.
    pub(crate) fn hands_free_task(&self) -> &Mutex<Option<AbortOnDropHandle<()>>> {
        &self.0.hands_free
    }

    /// A reference that does not keep the assistant alive.
    pub(crate) fn downgrade(&self) -> WeakAssistant {
        WeakAssistant(Arc::downgrade(&self.0))
    }

    /// Sends an event to all subscribers.
    pub(crate) fn send(&self, event: Event) {
        self.0.events.send(event);
    }

    /// The folder for exports.
    pub(crate) fn exports(&self) -> &std::path::Path {
        &self.0.exports
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.0.ports
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// The router, for callers that make single calls without a turn.
    pub fn router(&self) -> &Router {
        &self.0.router
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.0.turns
    }

    /// Changes settings. They apply from the next request on.
    pub(crate) async fn change(&self, changes: Value) -> Result<Snapshot> {
        let store = self.0.store.clone();
        blocking(move || store.change(&changes)).await??;
        self.reconfigure();
        Ok(self.announce())
    }

    /// Applies a new or deleted API key, discards what was recorded about the old one, and sends a snapshot.
    pub(crate) fn key_changed(&self, provider: &str) -> Snapshot {
        self.0.router.reset_key(provider);
        self.reconfigure();
        self.announce()
    }

    /// Compresses recordings, and deletes what the settings no longer allow, from now on.
    fn start_upkeep(&self) {
        let upkeep = Upkeep {
            history: self.0.ports.history.clone(),
            ledger: self.0.ports.ledger.clone(),
            recordings: self.0.recordings.clone(),
        };
        let task = upkeep.run(self.0.store.clone(), self.subscribe());
        let _ = self.0.upkeep.set(AbortOnDropHandle::new(tokio::spawn(task)));
    }

    /// Ends the turns of processes that have ended and, with `recordings`, adds those that the history does not know.
    async fn recover(&self, recordings: bool) {
        let TurnContext { owner, unsaved, .. } = self.0.turns.context();
        let (history, folder) = (&*self.0.ports.history, &self.0.recordings);
        let mut found = end_unfinished(history, owner, folder, unsaved).await;
        if recordings && found.is_ok() {
            found = add_unknown_recordings(history, folder, unsaved).await.map(|added| {
                if added > 0 {
                    self.send(Event::History);
                }
            });
        }
        if let Err(error) = found {
            tracing::warn!(%error, "turns that an earlier AURA did not end could not be looked for");
        }
    }

    /// The models that can run on this computer. Suggestions are for the language that the user speaks, else that of the windows.
    pub(crate) async fn local_models(&self) -> LocalModelsView {
        self.0.ports.local_model_store.view(self.config().settings.language()).await
    }

    /// The MCP servers of the settings.
    pub(crate) async fn mcp_servers(&self) -> Vec<McpServerView> {
        self.turns().context().mcp.view(&self.config().settings).await
    }

    /// Lets the router see that models were chosen or deleted, and sends a snapshot.
    pub(crate) async fn installed_models_changed(&self) -> LocalModelsView {
        self.reconfigure();
        self.announce();
        self.local_models().await
    }

    /// Fetches stale model lists in the background, and sends a snapshot if one changed.
    pub(crate) fn refresh_stale_lists(&self) {
        let assistant = self.clone();
        tokio::spawn(async move {
            if assistant.0.router.refresh_model_lists(ModelListRefresh::Stale).await {
                assistant.announce();
            }
        });
    }

    /// Passes the current settings and API keys to the router.
    fn reconfigure(&self) {
        let config = self.config();
        self.0.router.reconfigure(config.settings.routing(), self.0.keys.all(&config.settings));
        self.0.turns.context().mcp.apply(&config.settings);
    }

    /// Sends a new snapshot to all subscribers.
    pub(crate) fn announce(&self) -> Snapshot {
        let snapshot = self.snapshot();
        self.0.events.send(Event::Changed { snapshot: Box::new(snapshot.clone()) });
        snapshot
    }
}

/// Forwards availability changes as events until the router is dropped.
async fn forward(mut availability: broadcast::Receiver<Availability>, events: Events) {
    loop {
        match availability.recv().await {
            Ok(change) => events.send(change.into()),
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

fn log_problems(config: &Config) {
    for problem in &config.problems {
        tracing::warn!("{problem}");
    }
    for overruled in config.overruled.iter().filter(|overruled| overruled.in_effect) {
        tracing::warn!("{}", overruled.message());
    }
}
