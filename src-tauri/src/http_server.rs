//! Runs the local API inside the desktop app while the settings turn it on.

use std::path::PathBuf;

use aura_core::Assistant;
use aura_core::error::{Error, Result};
use aura_server::{LocalApi, Token};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::changes;

/// A running server. Dropping it starts the shutdown.
struct RunningServer {
    shutdown: DropGuard,
    task: JoinHandle<()>,
}

impl RunningServer {
    /// Shuts down: finishes open requests, then frees the port.
    async fn shut_down(self) {
        drop(self.shutdown);
        let _ = self.task.await;
    }
}

/// Starts, moves and stops the server as the settings change, until `exiting` is cancelled.
pub(crate) async fn follow(assistant: Assistant, data: PathBuf, exiting: CancellationToken) {
    let mut events = assistant.subscribe();
    let mut current = aura_core::config::LocalApi::default();
    let mut server: Option<RunningServer> = None;
    loop {
        let wanted = assistant.config().settings.local_api.clone();
        if wanted != current {
            if let Some(server) = server.take() {
                server.shut_down().await;
            }
            let mut problem = None;
            if wanted.open {
                match start(wanted.port, &assistant, data.clone()).await {
                    Ok(started) => server = Some(started),
                    Err(error) => {
                        tracing::warn!(detail = ?error.detail, "{}", error.message);
                        problem = Some(error);
                    }
                }
            }
            current = wanted;
            assistant.set_server_problem(problem);
        }
        let is_running = tokio::select! {
            is_running = changes::next(&mut events) => is_running,
            () = exiting.cancelled() => false,
        };
        if !is_running {
            break;
        }
    }
    if let Some(server) = server {
        server.shut_down().await;
    }
}

async fn start(port: u16, assistant: &Assistant, data: PathBuf) -> Result<RunningServer> {
    let listener = aura_server::listen(port).await?;
    let token = tokio::task::spawn_blocking(move || Token::create(&data)).await.map_err(Error::internal)??;
    let shutdown = CancellationToken::new();
    let api = LocalApi::new(assistant.clone(), token).with_web_ui(crate::interface::files());
    let task = tokio::spawn(aura_server::serve(listener, api, shutdown.clone()));
    tracing::info!(port, "the local API is running");
    Ok(RunningServer { shutdown: shutdown.drop_guard(), task })
}
