//! A running sandbox.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::{Router, serve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Delays, Fixed, SandboxConfig};
use crate::faults::Fault;
use crate::log::RequestRecord;
use crate::script::Script;
use crate::socket::{ConnectionHandle, Connections, SandboxListener};
use crate::state::State;
use crate::{control, gemini, groq, openai};

/// Why a sandbox could not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The port is taken or forbidden.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// A running sandbox; dropping it stops it.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    state: Arc<State>,
    connections: Arc<Connections>,
    stopping: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Listens on 127.0.0.1 and serves on the current tokio runtime.
    pub async fn start(config: SandboxConfig) -> Result<Self, SandboxError> {
        let port = config.port;
        let listen = |source| SandboxError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let state = State::new(config);
        let connections = Arc::new(Connections::default());
        let stopping = CancellationToken::new();
        let service = router(state.clone()).into_make_service_with_connect_info::<ConnectionHandle>();
        let listener = SandboxListener::new(listener, connections.clone());
        let signal = stopping.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            if let Err(error) = serve(listener, service).with_graceful_shutdown(signal).await {
                tracing::error!(%error, "the sandbox stopped");
            }
        });
        Ok(Self { address, state, connections, stopping, task: Some(task) })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://127.0.0.1:PORT`, under which `/control/…` lies.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stands for `https://api.groq.com/openai/v1`.
    pub fn groq_base_url(&self) -> String {
        format!("{}/groq/openai/v1", self.url())
    }

    /// Stands for `https://generativelanguage.googleapis.com/v1beta`.
    pub fn gemini_base_url(&self) -> String {
        format!("{}/gemini/v1beta", self.url())
    }

    /// Stands for `https://api.openai.com/v1` and its like.
    pub fn openai_base_url(&self) -> String {
        format!("{}/openai/v1", self.url())
    }

    /// The key that every provider accepts.
    pub fn key(&self) -> &str {
        &self.state.config.key
    }

    /// Replaces what the models answer.
    pub fn set_script(&self, script: Script) {
        self.state.set_script(script);
    }

    /// Adds a fault behind those that are waiting.
    pub fn add_fault(&self, fault: Fault) {
        self.state.faults().push(fault);
    }

    /// The faults that are still waiting.
    pub fn faults(&self) -> Vec<Fault> {
        self.state.faults().list()
    }

    /// Ends every fault.
    pub fn clear_faults(&self) {
        self.state.faults().clear();
    }

    /// Replaces how long each service takes.
    pub fn set_delays(&self, delays: Delays) {
        self.state.set_delays(delays);
    }

    /// Replaces the fixed answers.
    pub fn set_fixed(&self, fixed: Fixed) {
        self.state.set_fixed(fixed);
    }

    /// What was received since the start or the last clearing, oldest first.
    pub async fn requests(&self) -> Vec<RequestRecord> {
        self.state.log.list()
    }

    /// Forgets what was received.
    pub fn clear_requests(&self) {
        self.state.log.clear();
    }

    /// Back to the configuration it was started with, with an empty log.
    pub fn reset(&self) {
        self.state.reset();
    }

    /// Stops listening and closes every connection; afterwards connecting is refused.
    pub async fn stop(mut self) {
        self.halt();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::debug!(%error, "the sandbox's task ended badly");
        }
    }

    fn halt(&self) {
        self.stopping.cancel();
        self.connections.close();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.halt();
    }
}

fn router(state: Arc<State>) -> Router {
    Router::new()
        .nest("/groq/openai/v1", groq::routes())
        .nest("/gemini/v1beta", gemini::routes())
        // The newest official client asks for v1; the same methods are served there.
        .nest("/gemini/v1", gemini::routes())
        .nest("/openai/v1", openai::routes())
        .nest("/control", control::routes())
        // Each provider has its own limits, and answers them in its own form.
        .layer(DefaultBodyLimit::disable())
        .with_state(state)
}
