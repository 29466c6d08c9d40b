//! The running sandbox and its server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::{Router, serve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Delays, FixedAnswers, SandboxConfig};
use crate::faults::Fault;
use crate::listener::{ConnectionHandle, OpenConnections, SandboxListener};
use crate::request_log::RequestRecord;
use crate::script::Script;
use crate::state::SandboxState;
use crate::{control, gemini, groq, openai};

/// Error from [`Sandbox::start`].
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The port is in use or not permitted.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// Configured port.
        port: u16,
        /// Error of the operating system.
        source: std::io::Error,
    },
}

/// A running sandbox. Dropping it stops it.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    state: Arc<SandboxState>,
    connections: Arc<OpenConnections>,
    stopping: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Listens on 127.0.0.1 and serves on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// [`SandboxError::Listen`] if the port cannot be opened.
    pub async fn start(config: SandboxConfig) -> Result<Self, SandboxError> {
        let port = config.port;
        let listen = |source| SandboxError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let state = SandboxState::new(config);
        let connections = Arc::new(OpenConnections::default());
        let stopping = CancellationToken::new();
        let service = router(state.clone()).into_make_service_with_connect_info::<ConnectionHandle>();
        let listener = SandboxListener::new(listener, connections.clone());
        let signal = stopping.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            if let Err(error) = serve(listener, service).with_graceful_shutdown(signal).await {
                tracing::error!(%error, "the sandbox's server failed");
            }
        });
        Ok(Self { address, state, connections, stopping, task: Some(task) })
    }

    /// TCP port that the sandbox listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Root URL `http://127.0.0.1:PORT`. The control routes are at `/control/…` below it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Base URL that replaces `https://api.groq.com/openai/v1`.
    pub fn groq_base_url(&self) -> String {
        format!("{}/groq/openai/v1", self.url())
    }

    /// Base URL that replaces `https://generativelanguage.googleapis.com/v1beta`.
    pub fn gemini_base_url(&self) -> String {
        format!("{}/gemini/v1beta", self.url())
    }

    /// Base URL that replaces `https://api.openai.com/v1` or that of a compatible server.
    pub fn openai_base_url(&self) -> String {
        format!("{}/openai/v1", self.url())
    }

    /// API key that every provider accepts.
    pub fn key(&self) -> &str {
        &self.state.config.key
    }

    /// Replaces the script.
    pub fn set_script(&self, script: Script) {
        self.state.set_script(script);
    }

    /// Adds a fault after those already active.
    pub fn add_fault(&self, fault: Fault) {
        self.state.faults().push(fault);
    }

    /// Faults that are still active.
    pub fn faults(&self) -> Vec<Fault> {
        self.state.faults().list()
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.state.faults().clear();
    }

    /// Replaces the delays.
    pub fn set_delays(&self, delays: Delays) {
        self.state.set_delays(delays);
    }

    /// Replaces the fixed answers.
    pub fn set_fixed(&self, fixed: FixedAnswers) {
        self.state.set_fixed(fixed);
    }

    /// Requests since the start or since the log was last cleared, oldest first.
    pub async fn requests(&self) -> Vec<RequestRecord> {
        self.state.log.list()
    }

    /// Clears the request log.
    pub fn clear_requests(&self) {
        self.state.log.clear();
    }

    /// Restores the configuration that the sandbox was started with, removes all faults and clears the log.
    pub fn reset(&self) {
        self.state.reset();
    }

    /// Stops listening and aborts every connection. Later connections are refused.
    pub async fn stop(mut self) {
        self.shut_down();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::debug!(%error, "the sandbox's server task failed");
        }
    }

    fn shut_down(&self) {
        self.stopping.cancel();
        self.connections.close();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn router(state: Arc<SandboxState>) -> Router {
    Router::new()
        .nest("/groq/openai/v1", groq::routes())
        .nest("/gemini/v1beta", gemini::routes())
        // The official client can also use v1, which has the same methods.
        .nest("/gemini/v1", gemini::routes())
        .nest("/gemini/ws", gemini::live_routes())
        .nest("/openai/v1", openai::routes())
        .nest("/control", control::routes())
        // The handlers enforce each provider's own body limit and report it in the provider's format.
        .layer(DefaultBodyLimit::disable())
        .with_state(state)
}
