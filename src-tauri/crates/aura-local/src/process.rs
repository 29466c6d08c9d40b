//! One engine process with one loaded model: how it starts, and how a request is handed to it.

mod driver;

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use aura_providers::inherited_variables;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::protocol::{self, Event, Load, LoadFailedKind, Request};
use driver::Driver;

/// Events of a request that wait for the caller. The engine is slowed down when the caller reads no faster than that.
const EVENTS: usize = 16;
/// Frames that wait to be written: a request and its cancellation.
const FRAMES: usize = 4;
/// Bytes of standard error that are kept: the last line says what went wrong.
const STDERR_LIMIT: usize = 512;
/// Without it, Windows opens a console for each engine that the desktop app starts.
#[cfg(windows)]
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// The limits of an engine process.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Limits {
    /// The longest time to load a model.
    pub load: Duration,
    /// The longest time without an event while a request is handled.
    pub silence: Duration,
    /// The longest time from a cancellation to the end of the request. The engine is killed then.
    pub cancel: Duration,
    /// The longest time from the end of its input to the end of the process. It is killed then.
    pub exit: Duration,
    /// The time without a request after which a model is unloaded.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            load: Duration::from_secs(60),
            // Slow processors need a minute for a long question before the first word of the answer.
            silence: Duration::from_secs(180),
            cancel: Duration::from_secs(2),
            exit: Duration::from_secs(2),
            idle: Duration::from_secs(600),
        }
    }
}

/// Why an engine process ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    /// It was told to, or nobody used it.
    #[error("The model was unloaded.")]
    Unloaded,
    /// It did not stop a cancelled request, and was killed.
    #[error("The engine did not stop a cancelled request.")]
    Stuck,
    /// It ended by itself. Holds its exit status and the last line of its standard error.
    #[error("The engine crashed: {0}")]
    Crashed(String),
    /// It sent something that the protocol does not allow, and was killed.
    #[error("The engine sent something that makes no sense: {0}")]
    Damaged(String),
    /// It sent nothing for too long, and was killed.
    #[error("The engine did not answer for {} seconds and was stopped.", .0.as_secs())]
    Silent(Duration),
}

impl Ended {
    /// Whether the engine failed.
    pub(crate) fn is_crash(&self) -> bool {
        matches!(self, Self::Crashed(_) | Self::Damaged(_) | Self::Silent(_))
    }
}

/// Why a process with a loaded model could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The program cannot be run.
    #[error("The engine {program} cannot be started: {cause}")]
    NotStarted { program: String, cause: io::Error },
    /// The engine says why it cannot load the model.
    #[error("{message}")]
    Refused { kind: LoadFailedKind, message: String },
    /// The engine failed while it loaded the model.
    #[error("{0}")]
    Failed(Ended),
    /// The model took too long to load.
    #[error("The model was not loaded within {} seconds.", .0.as_secs())]
    TooSlow(Duration),
}

/// Receives what becomes of requests and of the process.
pub(crate) trait Observer: Send + Sync {
    /// A request was handled to its end.
    fn succeeded(&self);
    /// The process has ended.
    fn ended(&self, ended: &Ended);
}

/// An event of a request with its payload, or the end of the process in the middle of it.
pub(crate) type Delivery = Result<(Event, Vec<u8>), Ended>;

/// A request that was handed to the driver.
struct Begin {
    id: u64,
    frame: Vec<u8>,
    payload: Bytes,
    events: mpsc::Sender<Delivery>,
    /// Released when the engine can take the next request.
    permit: OwnedSemaphorePermit,
    /// Tells the caller that the engine receives the request.
    taken: oneshot::Sender<()>,
}

/// Why a request was not handed over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    /// The process has ended, or is about to.
    #[error("the process has ended")]
    Gone,
    /// The request does not fit into a frame.
    #[error("The request is too large for a model on this computer.")]
    TooLarge,
}

/// An engine process with a loaded model. Dropping it lets the process end once the request that it handles is done.
#[derive(Debug)]
pub(crate) struct Process {
    commands: mpsc::Sender<Begin>,
    has_ended: watch::Receiver<bool>,
    voices: Vec<String>,
}

impl Process {
    /// Starts a process and loads a model. Dropping the future kills the process.
    pub(crate) async fn start(
        program: &Path,
        load: Load,
        limits: Limits,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, StartError> {
        let mut parts = Parts::spawn(program)?;
        let loaded = timeout(limits.load, async {
            protocol::write(&mut parts.stdin, &Request::Load(load), &[]).await.ok();
            protocol::read::<Event, _>(&mut parts.stdout).await
        })
        .await;
        let failed = match loaded {
            Err(_) => StartError::TooSlow(limits.load),
            Ok(Ok(Some((Event::Ready { voices, .. }, _)))) => {
                let (commands, inbox) = mpsc::channel(1);
                let (ended, has_ended) = watch::channel(false);
                tokio::spawn(Driver::new(parts, limits, observer).run(inbox, ended));
                return Ok(Self { commands, has_ended, voices });
            }
            Ok(Ok(Some((Event::LoadFailed { kind, message }, _)))) => StartError::Refused { kind, message },
            Ok(Ok(Some(_))) => StartError::Failed(Ended::Damaged("an event before the model was loaded".into())),
            Ok(Err(cause)) if cause.kind() == io::ErrorKind::InvalidData => {
                StartError::Failed(Ended::Damaged(cause.to_string()))
            }
            Ok(Ok(None) | Err(_)) => {
                return Err(StartError::Failed(Ended::Crashed(parts.wait(limits.exit).await)));
            }
        };
        parts.kill().await;
        Err(failed)
    }

    /// Whether the process takes no further request.
    pub(crate) fn is_gone(&self) -> bool {
        self.commands.is_closed()
    }

    /// The ids of the model's voices.
    pub(crate) fn voices(&self) -> &[String] {
        &self.voices
    }

    /// Hands over a request. The engine handles one at a time: the caller has the only permit, which is released when the engine is
    /// done. Dropping the receiver cancels the request.
    pub(crate) async fn begin(
        &self,
        request: &Request,
        id: u64,
        payload: Bytes,
        permit: OwnedSemaphorePermit,
    ) -> Result<mpsc::Receiver<Delivery>, NotTaken> {
        let frame = protocol::encode(request, &payload).map_err(|_| NotTaken::TooLarge)?;
        let (events, receiver) = mpsc::channel(EVENTS);
        let (taken, is_taken) = oneshot::channel();
        let begin = Begin { id, frame, payload, events, permit, taken };
        self.commands.send(begin).await.map_err(|_| NotTaken::Gone)?;
        is_taken.await.map_err(|_| NotTaken::Gone)?;
        Ok(receiver)
    }

    /// Ends the process and waits until it is gone.
    pub(crate) async fn unload(self: Arc<Self>) {
        let mut has_ended = self.has_ended.clone();
        drop(self);
        // An error means that the driver is gone, and the process with it.
        let _ = has_ended.wait_for(|ended| *ended).await;
    }
}

/// The parts of a running process.
struct Parts {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    last_line: LastLine,
}

impl Parts {
    fn spawn(program: &Path) -> Result<Self, StartError> {
        let not_started = |cause| StartError::NotStarted { program: program.display().to_string(), cause };
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(inherited_variables())
            // llama.cpp would start a debugger before it aborts.
            .env("GGML_NO_BACKTRACE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(windows)]
        command.creation_flags(CREATE_NO_WINDOW);
        let mut child = command.spawn().map_err(not_started)?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(not_started(io::Error::other("it has no standard streams")));
        };
        Ok(Self { child, stdin, stdout: BufReader::new(stdout), last_line: LastLine::of(stderr) })
    }

    /// Kills the process and waits until it is gone.
    async fn kill(mut self) {
        self.child.kill().await.ok();
    }

    /// Waits for the end of a process that closed its output, and says why it ended.
    async fn wait(mut self, limit: Duration) -> String {
        reason(&mut self.child, &self.last_line, limit).await
    }
}

/// Waits for the end of a process that closed its output; kills it if it does not end. Returns its exit status and its last words.
async fn reason(child: &mut Child, last_line: &LastLine, limit: Duration) -> String {
    let status = match timeout(limit, child.wait()).await {
        Ok(Ok(status)) => status.to_string(),
        Ok(Err(cause)) => cause.to_string(),
        Err(_) => {
            child.kill().await.ok();
            "it closed its output".to_owned()
        }
    };
    match last_line.get().await {
        line if line.is_empty() => status,
        line => format!("{status}, {line}"),
    }
}

/// The last line of a process's standard error, which a task of its own reads.
struct LastLine {
    end: Arc<Mutex<Vec<u8>>>,
    is_read: watch::Receiver<()>,
    task: AbortHandle,
}

impl LastLine {
    fn of(mut stderr: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let end = Arc::new(Mutex::new(Vec::new()));
        let (reading, is_read) = watch::channel(());
        let kept = end.clone();
        let task = tokio::spawn(async move {
            let _reading = reading;
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
                let mut end = kept.lock();
                end.extend_from_slice(&buffer[..count]);
                let surplus = end.len().saturating_sub(STDERR_LIMIT);
                end.drain(..surplus);
            }
        });
        Self { end, is_read, task: task.abort_handle() }
    }

    /// The last line, once the process has ended. A process that it started itself may still hold the stream open.
    async fn get(&self) -> String {
        let mut is_read = self.is_read.clone();
        let _ = timeout(Duration::from_millis(200), is_read.changed()).await;
        let end = self.end.lock();
        let text = String::from_utf8_lossy(&end);
        let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        line.chars().filter(|letter| !letter.is_control()).take(160).collect()
    }
}

impl Drop for LastLine {
    fn drop(&mut self) {
        self.task.abort();
    }
}
