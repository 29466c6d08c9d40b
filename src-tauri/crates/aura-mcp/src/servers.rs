//! All servers: the crate's door.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rmcp::model::JsonObject;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::ServerConfig;
use crate::error::{Error, Failure};
use crate::limits::Limits;
use crate::secrets::SecretResolver;
use crate::server::{Connection, Server, Stage};
use crate::tools::{Fingerprint, RejectedTool, ToolInfo, ToolOutput};

/// The longest wait of a call for a server that is about to be started again.
const SOON: Duration = Duration::from_secs(3);

/// The configured servers. Dropping it stops them: each program is killed with all that it started.
///
/// It needs a tokio runtime from the first [`Servers::configure`] on.
pub struct Servers {
    secrets: Arc<dyn SecretResolver>,
    limits: Limits,
    servers: RwLock<BTreeMap<String, Entry>>,
    changes: watch::Sender<u64>,
}

enum Entry {
    On(Server),
    Off,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The server's name in the configuration.
    pub server: String,
    /// The tool's name on the server.
    pub tool: String,
    /// The arguments.
    pub arguments: JsonObject,
    /// The tool that was offered: the call fails if the server has changed it since.
    pub fingerprint: Option<Fingerprint>,
    /// The longest time; absent for that of the server or of the limits.
    pub timeout: Option<Duration>,
}

impl Call {
    /// A call without arguments.
    pub fn new(server: impl Into<String>, tool: impl Into<String>) -> Self {
        Self {
            server: server.into(),
            tool: tool.into(),
            arguments: JsonObject::new(),
            fingerprint: None,
            timeout: None,
        }
    }

    /// A call of exactly this tool.
    pub fn of(tool: &ToolInfo, arguments: JsonObject) -> Self {
        Self { arguments, fingerprint: Some(tool.fingerprint), ..Self::new(&tool.server, &tool.name) }
    }
}

/// Where a server stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerState {
    /// Switched off.
    Disabled,
    /// Not started yet.
    Stopped,
    /// About to be ready.
    Starting,
    /// Its tools can be called.
    Ready,
    /// It cannot be used.
    Failed {
        /// Why.
        failure: Failure,
        /// The time until AURA tries again; `None` when it waits for the user or a call.
        retry_in: Option<Duration>,
    },
}

/// A server for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Where it stands.
    pub state: ServerState,
    /// The name and version that it gives itself, once it was ready.
    pub implementation: Option<String>,
    /// The number of its tools.
    pub tools: usize,
    /// Tools that are not offered, and why.
    pub rejected: Vec<RejectedTool>,
    /// Whether it has more tools than are offered.
    pub has_more_tools: bool,
}

impl Servers {
    /// No servers yet.
    pub fn new(secrets: Arc<dyn SecretResolver>, limits: Limits) -> Self {
        let (changes, _) = watch::channel(0);
        Self { secrets, limits, servers: RwLock::default(), changes }
    }

    /// Replaces the list of servers. One whose configuration is the same keeps running; another one is stopped, and started again when it
    /// is wanted. Of two with one name, the last counts.
    pub fn configure(&self, configs: impl IntoIterator<Item = ServerConfig>) {
        let mut servers = self.servers.write();
        let mut old = std::mem::take(&mut *servers);
        for config in configs {
            let entry = match old.remove(&config.name) {
                Some(Entry::On(server)) if server.config == config => Entry::On(server),
                _ if config.enabled => Entry::On(self.server(config.clone())),
                _ => Entry::Off,
            };
            servers.insert(config.name, entry);
        }
        drop(servers);
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn server(&self, config: ServerConfig) -> Server {
        Server::new(config, self.limits.clone(), self.secrets.clone(), self.changes.clone())
    }

    /// Starts all servers that are switched on. Without it, a server starts with its first call.
    pub fn start(&self) {
        for entry in self.servers.read().values() {
            if let Entry::On(server) = entry {
                server.want();
            }
        }
    }

    /// Stops a server and starts it again, with its secrets as they are now.
    ///
    /// # Errors
    /// When there is no such server, or it is switched off.
    pub fn restart(&self, server: &str) -> Result<(), Error> {
        let mut servers = self.servers.write();
        match servers.get_mut(server) {
            None => Err(Error::UnknownServer { server: server.to_owned() }),
            Some(Entry::Off) => Err(Error::Disabled { server: server.to_owned() }),
            Some(Entry::On(running)) => {
                *running = self.server(running.config.clone());
                running.want();
                Ok(())
            }
        }
    }

    /// Waits until no server is starting any more, or the time is over.
    pub async fn settled(&self, within: Duration) {
        let stages: Vec<_> = self.on(Server::stages);
        let all = async {
            for mut stage in stages {
                // An error means that the server is gone.
                let _ = stage.wait_for(|stage| !matches!(stage, Stage::Starting)).await;
            }
        };
        let _ = tokio::time::timeout(within, all).await;
    }

    fn on<T>(&self, of: impl Fn(&Server) -> T) -> Vec<T> {
        let servers = self.servers.read();
        let on = servers.values().filter_map(|entry| match entry {
            Entry::On(server) => Some(of(server)),
            Entry::Off => None,
        });
        on.collect()
    }

    /// The tools of all servers that are ready, by server.
    pub fn tools(&self) -> Vec<Arc<ToolInfo>> {
        let mut tools = Vec::new();
        for stage in self.on(Server::stage) {
            if let Stage::Ready(connection) = stage {
                tools.extend(connection.listing().tools.iter().cloned());
            }
        }
        tools
    }

    /// The tool that has this name for models, if its server is ready.
    pub fn tool(&self, model_name: &str) -> Option<Arc<ToolInfo>> {
        self.tools().into_iter().find(|tool| tool.model_name == model_name)
    }

    /// All servers, by name.
    pub fn status(&self) -> Vec<ServerStatus> {
        let servers = self.servers.read();
        servers.iter().map(|(name, entry)| status(name, entry)).collect()
    }

    /// Counts the changes of states and lists of tools.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Carries out a call, once: it is never repeated. A server that has not been started is started first. Dropping the future, or
    /// cancelling the token, tells the server to stop.
    ///
    /// # Errors
    /// When the server is not there or not ready, has no such tool, fails, or takes too long. [`Error::may_have_run`] says whether the call
    /// may have had an effect. A tool that reports a failure of its own is no error, but an output with `is_error`.
    pub async fn call(&self, call: Call, cancel: &CancellationToken) -> Result<ToolOutput, Error> {
        let (stages, own_limit) = self.wanted(&call.server)?;
        let starting = cancel.run_until_cancelled(self.ready(&call.server, stages));
        let connection = starting.await.ok_or(Error::Cancelled)??;
        let listing = connection.listing();
        let Some(tool) = listing.tools.iter().find(|tool| tool.name == call.tool) else {
            return Err(Error::UnknownTool { server: call.server, tool: call.tool });
        };
        if call.fingerprint.is_some_and(|offered| offered != tool.fingerprint) {
            return Err(Error::ToolChanged { server: call.server, tool: call.tool });
        }
        let limit = call.timeout.or(own_limit).unwrap_or(self.limits.call);
        connection.call(tool, call.arguments, limit, cancel).await
    }

    /// Starts the server unless it runs. Returns its stages, and the limit of a call in its configuration.
    fn wanted(&self, server: &str) -> Result<(watch::Receiver<Stage>, Option<Duration>), Error> {
        match self.servers.read().get(server) {
            None => Err(Error::UnknownServer { server: server.to_owned() }),
            Some(Entry::Off) => Err(Error::Disabled { server: server.to_owned() }),
            Some(Entry::On(running)) => {
                running.want();
                let limit = running.config.timeout_seconds.map(|seconds| Duration::from_secs(seconds.into()));
                Ok((running.stages(), limit))
            }
        }
    }

    async fn ready(&self, server: &str, mut stages: watch::Receiver<Stage>) -> Result<Arc<Connection>, Error> {
        let not_ready = |failure| Error::NotReady { server: server.to_owned(), failure };
        let is_coming = |stage: &Stage| match stage {
            Stage::Starting => true,
            // About to fail.
            Stage::Ready(connection) => connection.is_broken(),
            Stage::Failed { retry_at: Some(at), .. } => at.saturating_duration_since(Instant::now()) <= SOON,
            _ => false,
        };
        let settled = tokio::time::timeout(self.limits.start + SOON, stages.wait_for(|stage| !is_coming(stage))).await;
        let stage = match settled {
            Ok(Ok(stage)) => stage.clone(),
            // The server was removed or replaced.
            Ok(Err(_)) => Stage::Stopped,
            Err(_) => return Err(not_ready(Failure::StartTimeout { limit: self.limits.start })),
        };
        match stage {
            Stage::Ready(connection) => Ok(connection),
            Stage::Failed { failure, .. } => Err(not_ready(failure)),
            Stage::Stopped | Stage::Starting => Err(not_ready(Failure::Unreachable { cause: "it was stopped".into() })),
        }
    }

    /// Stops all servers and waits until they are gone.
    pub async fn close(&self) {
        let servers = std::mem::take(&mut *self.servers.write());
        let on = servers.into_values().filter_map(|entry| match entry {
            Entry::On(server) => Some(server),
            Entry::Off => None,
        });
        let mut on: Vec<Server> = on.collect();
        on.iter().for_each(Server::stop);
        for server in &mut on {
            server.gone().await;
        }
    }
}

fn status(name: &str, entry: &Entry) -> ServerStatus {
    let mut status = ServerStatus {
        name: name.to_owned(),
        state: ServerState::Disabled,
        implementation: None,
        tools: 0,
        rejected: Vec::new(),
        has_more_tools: false,
    };
    let Entry::On(server) = entry else { return status };
    status.state = match server.stage() {
        Stage::Stopped => ServerState::Stopped,
        Stage::Starting => ServerState::Starting,
        Stage::Failed { failure, retry_at } => {
            ServerState::Failed { failure, retry_in: retry_at.map(|at| at.saturating_duration_since(Instant::now())) }
        }
        Stage::Ready(connection) => {
            let listing = connection.listing();
            status.implementation = connection.implementation();
            (status.tools, status.rejected) = (listing.tools.len(), listing.rejected.clone());
            status.has_more_tools = listing.is_cut;
            ServerState::Ready
        }
    };
    status
}
