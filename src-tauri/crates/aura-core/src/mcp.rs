//! The MCP servers of the settings: started while a person is at the desk, shown, and offered to the model.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use aura_mcp::{Call, Limits, SecretError, SecretName, SecretResolver, ServerState, ServerStatus, Servers, ToolInfo};
use aura_mcp::{Failure, ToolOutput};
use parking_lot::Mutex;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{McpServer, Settings};
use crate::consent::Permission;
use crate::error::{Error, ErrorCode, Result};
use crate::ports::Secrets;

/// Tools of servers that the model is offered at once. A longer list costs more of its context than it is good for.
const MAX_OFFERED: usize = 64;

/// The servers. They run only while somebody is there to be asked. Cheap to clone.
#[derive(Clone)]
pub(crate) struct McpServers(Arc<Inner>);

struct Inner {
    servers: Servers,
    values: Arc<Values>,
    /// Whether somebody is there to be asked.
    is_attended: AtomicBool,
    /// Whether the servers were last allowed to run, and the servers of the settings at that time.
    applied: Mutex<(bool, BTreeMap<String, McpServer>)>,
}

/// The values of variables and headers: in the keyring, or for this session only.
struct Values {
    secrets: Arc<dyn Secrets>,
    /// Those that were read or saved, so that the keyring is not asked twice.
    known: Mutex<HashMap<SecretName, SecretString>>,
}

#[async_trait]
impl SecretResolver for Values {
    async fn resolve(&self, name: &SecretName) -> Result<Option<SecretString>, SecretError> {
        if let Some(known) = self.known.lock().get(name).cloned() {
            return Ok(Some(known));
        }
        let found = self.secrets.get(&name.to_string()).await.map_err(|error| SecretError(error.message))?;
        if let Some(value) = &found {
            self.known.lock().insert(name.clone(), value.clone());
        }
        Ok(found)
    }
}

impl McpServers {
    /// No servers yet.
    pub(crate) fn new(secrets: Arc<dyn Secrets>) -> Self {
        let values = Arc::new(Values { secrets, known: Mutex::default() });
        let servers = Servers::new(values.clone(), Limits::default());
        Self(Arc::new(Inner { servers, values, is_attended: AtomicBool::new(false), applied: Mutex::default() }))
    }

    /// Starts the servers of the settings, and from now on those that are added.
    pub(crate) fn attend(&self, settings: &Settings) {
        self.0.is_attended.store(true, Ordering::Release);
        self.apply(settings);
    }

    /// Starts and stops servers, as the settings say. Whatever changed, also a permission alone, counts as a change, so that it is shown.
    pub(crate) fn apply(&self, settings: &Settings) {
        let may_run = self.0.is_attended.load(Ordering::Acquire) && settings.actions.enabled;
        let wanted = (may_run, settings.mcp_servers.clone());
        let mut applied = self.0.applied.lock();
        if *applied != wanted {
            let running = wanted.1.iter().filter(|_| may_run);
            self.0.servers.configure(running.map(|(name, server)| server.config(name)));
            self.0.servers.start();
            *applied = wanted;
        }
    }

    /// The tools that the model is offered: those of the servers that are ready, except those that the settings forbid.
    pub(crate) fn offered(&self, settings: &Settings) -> impl Iterator<Item = Arc<ToolInfo>> {
        let tools = self.0.servers.tools().into_iter();
        tools.filter(|tool| permission(settings, tool) != Permission::Never).take(MAX_OFFERED)
    }

    /// Carries out a call, once. Dropping the future tells the server to stop.
    ///
    /// # Errors
    /// When the server is not ready, changed the tool, fails, or takes too long.
    pub(crate) async fn call(&self, call: Call) -> Result<ToolOutput, aura_mcp::Error> {
        self.0.servers.call(call, &CancellationToken::new()).await
    }

    /// Saves a value of a server, and starts the server with it. In the keyring, else in memory until AURA ends: returns whether it is in
    /// the keyring.
    pub(crate) async fn save_value(&self, name: SecretName, value: SecretString) -> bool {
        let saved = self.0.values.secrets.set(&name.to_string(), value.clone()).await;
        if let Err(error) = &saved {
            tracing::warn!(%error, "the value of an MCP server is kept for this session only");
        }
        self.0.values.known.lock().insert(name.clone(), value);
        // It may not be configured yet.
        let _ = self.0.servers.restart(&name.server);
        saved.is_ok()
    }

    /// Deletes the values of a server.
    pub(crate) async fn forget_values(&self, names: Vec<SecretName>) {
        for name in names {
            self.0.values.known.lock().remove(&name);
            if let Err(error) = self.0.values.secrets.delete(&name.to_string()).await {
                tracing::warn!(%error, "the value of an MCP server could not be deleted");
            }
        }
    }

    /// Stops a server and starts it again.
    ///
    /// # Errors
    /// With [`ErrorCode::NotFound`] when it is not among those that are started.
    pub(crate) fn restart(&self, server: &str) -> Result<()> {
        self.0.servers.restart(server).map_err(|error| Error::new(ErrorCode::NotFound, error.to_string()))
    }

    /// Counts the changes of states and lists of tools.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.servers.changes()
    }

    /// Stops all servers and waits until they are gone.
    pub(crate) async fn close(&self) {
        self.0.servers.close().await;
    }

    /// The servers of the settings, by name.
    pub(crate) async fn view(&self, settings: &Settings) -> Vec<McpServerView> {
        let statuses = self.0.servers.status();
        let tools = self.0.servers.tools();
        let mut views = Vec::new();
        for (name, server) in &settings.mcp_servers {
            let status = statuses.iter().find(|status| &status.name == name);
            let mut view = McpServerView::new(name, server, status);
            let own = tools.iter().filter(|tool| &tool.server == name);
            view.tools = own.map(|tool| McpToolView::new(tool, server)).collect();
            for value in server.config(name).secrets() {
                let is_set = matches!(self.0.values.resolve(&value).await, Ok(Some(_)));
                view.values.push(McpValueView { name: value, is_set });
            }
            views.push(view);
        }
        views
    }
}

/// What may be done with a tool of a server without a question.
pub(crate) fn permission(settings: &Settings, tool: &ToolInfo) -> Permission {
    settings.mcp_servers.get(&tool.server).map(|server| server.permission(tool)).unwrap_or_default()
}

/// An MCP server, for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct McpServerView {
    /// Its name in the settings.
    pub name: String,
    /// Where it stands.
    pub state: McpServerState,
    /// Why it cannot be used, in a sentence; absent when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub problem: Option<String>,
    /// The same as facts, for a sentence in another language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub problem_facts: Option<Failure>,
    /// The name and version that it gives itself; absent until it was ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub implementation: Option<String>,
    /// Its tools; empty unless it is ready.
    pub tools: Vec<McpToolView>,
    /// Tools that are not offered because of what the server says about them: each a name and the reason.
    pub rejected: Vec<String>,
    /// The values that it needs.
    pub values: Vec<McpValueView>,
}

/// Where an MCP server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum McpServerState {
    /// Switched off.
    Off,
    /// Not started: the desktop app does not run, AURA may not act in other programs, or the server waits to be started.
    Stopped,
    /// About to be ready.
    Starting,
    /// Its tools can be called.
    Ready,
    /// It failed, and is started again by itself.
    Retrying,
    /// It failed, and is started again only when it is asked for.
    Failed,
}

/// A tool of an MCP server. Its words are the server's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct McpToolView {
    /// Its name on the server.
    pub name: String,
    /// Its name for people; absent when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub title: Option<String>,
    /// What it does; may be empty.
    pub description: String,
    /// What a permission is for: it changes with the tool.
    pub fingerprint: String,
    /// What may be done with it without a question.
    pub permission: Permission,
    /// Whether it has changed since the permission was given, which no longer holds.
    pub has_changed: bool,
}

/// A value that an MCP server needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct McpValueView {
    /// Which variable or header.
    #[serde(flatten)]
    pub name: SecretName,
    /// Whether it has a value.
    pub is_set: bool,
}

impl McpServerView {
    fn new(name: &str, server: &McpServer, status: Option<&ServerStatus>) -> Self {
        let mut view = Self {
            name: name.to_owned(),
            state: if server.enabled { McpServerState::Stopped } else { McpServerState::Off },
            problem: None,
            problem_facts: None,
            implementation: None,
            tools: Vec::new(),
            rejected: Vec::new(),
            values: Vec::new(),
        };
        let Some(status) = status else { return view };
        view.state = match &status.state {
            ServerState::Disabled => McpServerState::Off,
            ServerState::Stopped => McpServerState::Stopped,
            ServerState::Starting => McpServerState::Starting,
            ServerState::Ready => McpServerState::Ready,
            ServerState::Failed { failure, retry_in } => {
                view.problem = Some(problem(failure));
                view.problem_facts = Some(failure.clone());
                if retry_in.is_some() { McpServerState::Retrying } else { McpServerState::Failed }
            }
        };
        view.implementation.clone_from(&status.implementation);
        view.rejected = status.rejected.iter().map(|tool| format!("{}: {}", tool.name, tool.reason)).collect();
        if status.has_more_tools {
            view.rejected.push("…: the server has more tools than AURA offers".into());
        }
        view
    }
}

impl McpToolView {
    fn new(tool: &ToolInfo, server: &McpServer) -> Self {
        let fingerprint = tool.fingerprint.to_string();
        Self {
            name: tool.name.clone(),
            title: tool.title.clone(),
            description: tool.description.clone(),
            permission: server.permission(tool),
            has_changed: server.tools.get(&tool.name).is_some_and(|kept| kept.fingerprint != fingerprint),
            fingerprint,
        }
    }
}

/// A failure as a sentence.
fn problem(failure: &Failure) -> String {
    let text = failure.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
