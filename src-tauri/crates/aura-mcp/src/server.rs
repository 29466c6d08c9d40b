//! One server: started when it is wanted, kept running, and started again when it fails.

mod connection;
mod handshake;
mod pending;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::config::ServerConfig;
use crate::error::Failure;
use crate::limits::Limits;
use crate::secrets::SecretResolver;

pub(crate) use connection::Connection;

/// A server that ran this long is sound: its failures are counted anew.
const SOUND: Duration = Duration::from_secs(60);
/// The longest wait for the end of a connection.
const CLOSE: Duration = Duration::from_secs(5);
/// The shortest time between two requests for the list of tools.
const REFRESH: Duration = Duration::from_secs(1);

/// Where a server stands.
#[derive(Clone)]
pub(crate) enum Stage {
    /// Not wanted yet.
    Stopped,
    Starting,
    Ready(Arc<Connection>),
    Failed {
        failure: Failure,
        retry_at: Option<Instant>,
    },
}

/// A configured server. Dropping it stops it.
pub(crate) struct Server {
    pub(crate) config: ServerConfig,
    control: Arc<Control>,
    task: JoinHandle<()>,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

struct Control {
    config: ServerConfig,
    limits: Limits,
    secrets: Arc<dyn SecretResolver>,
    stage: watch::Sender<Stage>,
    /// Somebody wants the server, at once.
    wanted: Notify,
    /// Counts every change of a stage or a list of tools.
    changes: watch::Sender<u64>,
}

impl Server {
    pub(crate) fn new(
        config: ServerConfig,
        limits: Limits,
        secrets: Arc<dyn SecretResolver>,
        changes: watch::Sender<u64>,
    ) -> Self {
        let (stage, _) = watch::channel(Stage::Stopped);
        let control =
            Arc::new(Control { config: config.clone(), limits, secrets, stage, wanted: Notify::new(), changes });
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (control, stop) = (control.clone(), stop.clone());
            async move {
                control.run(&stop).await;
                control.set(Stage::Stopped);
            }
        });
        Self { config, control, task, stop: stop.clone(), _stop_on_drop: stop.drop_guard() }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.control.stage.borrow().clone()
    }

    pub(crate) fn stages(&self) -> watch::Receiver<Stage> {
        self.control.stage.subscribe()
    }

    /// Starts the server unless it runs, or is about to be started again.
    pub(crate) fn want(&self) {
        if !self.stop.is_cancelled() && self.control.stage.send_if_modified(Stage::begin) {
            self.control.wanted.notify_one();
        }
    }

    /// Stops the server.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until the server is gone.
    pub(crate) async fn gone(&mut self) {
        // An error means that the task is gone, and the server with it.
        let _ = (&mut self.task).await;
    }
}

impl Stage {
    /// Begins what does not begin by itself; whether there was anything to begin.
    fn begin(&mut self) -> bool {
        let begins = matches!(self, Self::Stopped | Self::Failed { retry_at: None, .. });
        if begins {
            *self = Self::Starting;
        }
        begins
    }
}

impl Control {
    fn set(&self, stage: Stage) {
        self.stage.send_replace(stage);
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    async fn run(&self, stop: &CancellationToken) {
        let mut failures = 0;
        let wanted = || stop.run_until_cancelled(self.wanted.notified());
        wanted().await;
        while !stop.is_cancelled() {
            self.set(Stage::Starting);
            let start = Instant::now();
            let Some(failure) = self.start_and_keep(stop).await else { return };
            if start.elapsed() > SOUND {
                failures = 0;
            }
            failures += 1;
            let name = &self.config.name;
            tracing::debug!(server = name, failures, "an MCP server is not ready");
            let wait = self.wait(failures).filter(|_| is_passing(&failure));
            self.set(Stage::Failed { failure, retry_at: wait.map(|wait| Instant::now() + wait) });
            match wait {
                Some(wait) => {
                    stop.run_until_cancelled(tokio::time::sleep(wait)).await;
                }
                None => {
                    wanted().await;
                    failures = 0;
                }
            }
        }
    }

    /// The wait before the next start; none after too many failures.
    fn wait(&self, failures: u32) -> Option<Duration> {
        let limits = &self.limits;
        (failures <= limits.restarts).then(|| {
            let factor = 1 << (failures - 1).min(16);
            limits.first_restart.saturating_mul(factor).min(limits.last_restart)
        })
    }

    /// Runs the server until it fails; `None` when it was stopped.
    async fn start_and_keep(&self, stop: &CancellationToken) -> Option<Failure> {
        let Limits { start: limit, .. } = self.limits;
        let starting = async {
            let opened = handshake::open(&self.config, &*self.secrets, &self.limits).await?;
            let connection = Connection::new(&self.config.name, &opened, &self.limits).await?;
            Ok((opened, Arc::new(connection)))
        };
        let starting = tokio::time::timeout(limit, Box::pin(starting));
        let (opened, connection) = match stop.run_until_cancelled(starting).await? {
            Ok(Ok(ready)) => ready,
            Ok(Err(failure)) => return Some(failure),
            Err(_) => return Some(Failure::StartTimeout { limit }),
        };
        self.set(Stage::Ready(connection.clone()));
        let end = opened.end.clone();
        let stop_service = opened.service.cancellation_token();
        let mut waiting = std::pin::pin!(opened.service.waiting());
        let found = tokio::select! {
            _ = &mut waiting => None,
            failure = self.keep(&connection) => Some(failure),
            () = stop.cancelled() => {
                stop_service.cancel();
                // It closes the connection and ends the program.
                let _ = tokio::time::timeout(CLOSE, waiting).await;
                return None;
            }
        };
        if let Some(failure) = found {
            // Set first, so that it is told instead of the end that it causes. When the connection has ended, the transport knows more: the
            // program's status.
            if failure != handshake::closed() {
                end.set(failure);
            }
            stop_service.cancel();
            let _ = tokio::time::timeout(CLOSE, waiting).await;
        }
        Some(end.get().unwrap_or_else(handshake::closed))
    }

    /// Keeps a list of tools current, and looks after a server that hangs. Returns when it is of no use any more.
    async fn keep(&self, connection: &Connection) -> Failure {
        loop {
            let checked = tokio::select! {
                () = connection.broken.cancelled() => return handshake::closed(),
                () = connection.tools_changed.notified() => {
                    let refreshed = tokio::time::timeout(self.limits.call, connection.refresh()).await;
                    if let Ok(Ok(true)) = refreshed {
                        self.changed();
                    }
                    tokio::time::sleep(REFRESH).await;
                    refreshed.map(|refreshed| refreshed.map(drop))
                }
                () = connection.suspected.notified() => tokio::time::timeout(self.limits.hang, connection.ping()).await,
            };
            match checked {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => return failure,
                Err(_) => return Failure::Unresponsive,
            }
        }
    }
}

/// Whether a failure may pass by itself.
fn is_passing(failure: &Failure) -> bool {
    match failure {
        Failure::MissingSecret { .. }
        | Failure::Secrets { .. }
        | Failure::NotStarted { .. }
        | Failure::Address { .. }
        | Failure::Unauthorized => false,
        Failure::Unreachable { .. }
        | Failure::Handshake { .. }
        | Failure::StartTimeout { .. }
        | Failure::Ended { .. }
        | Failure::Flooded
        | Failure::SessionLost
        | Failure::NotReading
        | Failure::Unresponsive => true,
    }
}
