//! What the assistant watches: the settings file, the history, the session, and the models on this computer.

use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use super::{Assistant, log_problems};
use crate::event::Event;

/// How often the settings file is checked for changes by another program. A check reads the file's metadata alone and, unlike file
/// notifications, works on network drives.
const SETTINGS_CHECK: Duration = Duration::from_secs(1);

/// The least time between two events about the store of models, and about the MCP servers.
const EVENT_INTERVAL: Duration = Duration::from_millis(250);

impl Assistant {
    /// Watches the settings file for changes by other programs: the command line, the server, the desktop app, or an editor.
    pub(super) fn watch_settings(&self) {
        let assistant = self.downgrade();
        let _ = self.0.settings_watch.set(AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                tokio::time::sleep(SETTINGS_CHECK).await;
                let Some(assistant) = assistant.upgrade() else { return };
                let store = assistant.0.store.clone();
                if tokio::task::spawn_blocking(move || store.refresh()).await.is_ok_and(|has_changed| has_changed) {
                    log_problems(&assistant.config());
                    assistant.reconfigure();
                    assistant.announce();
                }
            }
        })));
    }

    /// Sends a snapshot whenever the history's problem changes: a repair, a full disk, or the end of it.
    pub(super) fn watch_history(&self) {
        let mut problem = self.0.ports.history.problem();
        let assistant = self.downgrade();
        let _ = self.0.history_watch.set(AbortOnDropHandle::new(tokio::spawn(async move {
            // Ends with the history.
            while problem.changed().await.is_ok() {
                let Some(assistant) = assistant.upgrade() else { return };
                assistant.announce();
            }
        })));
    }

    /// Sends a snapshot whenever a turn began a session, or changed a setting, which then applies.
    pub(super) fn watch_session(&self) {
        let session = self.0.turns.context().session.clone();
        let assistant = self.downgrade();
        let _ = self.0.session_watch.set(AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                session.changed_by_turn().await;
                let Some(assistant) = assistant.upgrade() else { return };
                assistant.reconfigure();
                assistant.announce();
            }
        })));
    }

    /// Sends an event whenever something changes with the MCP servers.
    pub(super) fn watch_mcp(&self) {
        let mut changes = self.0.turns.context().mcp.changes();
        let assistant = self.downgrade();
        let _ = self.0.mcp_watch.set(AbortOnDropHandle::new(tokio::spawn(async move {
            // Ends with the assistant.
            while changes.changed().await.is_ok() {
                let Some(assistant) = assistant.upgrade() else { return };
                assistant.send(Event::McpServers { servers: assistant.mcp_servers().await });
                drop(assistant);
                tokio::time::sleep(EVENT_INTERVAL).await;
            }
        })));
    }

    /// Sends an event whenever something changes in the store of models.
    pub(super) fn watch_models(&self) {
        let mut changes = self.0.ports.local_model_store.changes();
        let assistant = self.downgrade();
        let _ = self.0.models_watch.set(AbortOnDropHandle::new(tokio::spawn(async move {
            // Ends with the store.
            let mut routes = Vec::new();
            while changes.changed().await.is_ok() {
                let Some(assistant) = assistant.upgrade() else { return };
                let view = assistant.local_models().await;
                // A model that was downloaded or deleted may be one that the next question uses.
                let now = assistant.routes();
                if now != routes {
                    routes = now;
                    assistant.announce();
                }
                assistant.send(Event::LocalModels { view: Box::new(view) });
                drop(assistant);
                tokio::time::sleep(EVENT_INTERVAL).await;
            }
        })));
    }
}
