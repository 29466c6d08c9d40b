//! The local socket of the running app, which only the same user can open. Through it, `aura ptt` and other commands call operations of
//! the app, and a second `aura` brings its window to the front.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aura_core::error::{Error, ErrorCode, Result};
use aura_core::{Assistant, api};
use interprocess::local_socket::tokio::{Listener, Stream, prelude::*};
use interprocess::local_socket::{GenericFilePath, GenericNamespaced, ListenerOptions, Name};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::Semaphore;

use crate::app_lock::AppLock;

/// Largest request in bytes: 25 MB of sound in base64, for a test of speech recognition.
const MAX_REQUEST: u64 = 36 * 1024 * 1024;

/// Most connections at once; further ones wait until one is closed.
const MAX_CONNECTIONS: usize = 32;
/// Longest time in which a request arrives, or a reply is read.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(30);

/// Operations that a healthy app answers at once.
const QUICK_OPERATIONS: &[&str] = &["snapshot", "press", "release", "finish", "cancel", SHOW];
/// Longest wait for one of [`QUICK_OPERATIONS`].
const QUICK_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for any other operation. A turn with all its own timeouts can take several minutes.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// How long an app that holds the lock may take until it answers on its socket, or until it has ended.
const PATIENCE: Duration = Duration::from_secs(30);
/// The wait before the next attempt.
const NEXT_ATTEMPT: Duration = Duration::from_millis(50);

/// The request of a second `aura`: bring the window to the front.
pub(crate) const SHOW: &str = "show";

/// One request: a line of JSON. The reply is a line with `ok` or `error`.
#[derive(Serialize, Deserialize)]
struct SocketRequest {
    operation: String,
    request: Value,
}

/// The socket's name. On Unix it is a file in the data folder, which only the user can enter.
fn name(data: &Path) -> Result<Name<'static>> {
    let path = data.join("aura.sock");
    let name = if cfg!(unix) {
        path.to_fs_name::<GenericFilePath>()
    } else {
        format!("aura-{}", path.display().to_string().replace(['\\', '/', ':'], "-")).to_ns_name::<GenericNamespaced>()
    };
    name.map_err(|cause| {
        Error::new(
            ErrorCode::Storage,
            "The path of the data folder is too long for a socket. Set AURA_DATA_DIR to a shorter path.",
        )
        .because(cause)
    })
}

/// Takes the lock, or brings the window of the app that has it to the front and returns `None`.
///
/// # Errors
/// The lock cannot be taken, or the app that has it does not answer.
pub(crate) async fn take_lock_or_show(data: &Path) -> Result<Option<AppLock>> {
    let begun = tokio::time::Instant::now();
    loop {
        let folder = data.to_owned();
        let lock = tokio::task::spawn_blocking(move || AppLock::take(&folder)).await.map_err(Error::internal)??;
        // An app of an earlier version has no lock, and answers.
        if lock.is_some() && Stream::connect(name(data)?).await.is_err() {
            return Ok(lock);
        }
        drop(lock);
        // The other app may be starting, or ending: then it does not answer.
        match call(data, SHOW, Value::Null).await {
            Ok(_) => return Ok(None),
            Err(error) if begun.elapsed() >= PATIENCE => return Err(error),
            Err(_) => tokio::time::sleep(NEXT_ATTEMPT).await,
        }
    }
}

/// Opens the socket. Only the app that holds the lock of the data folder may do so.
///
/// # Errors
/// The socket cannot be created in the data folder.
pub(crate) async fn open(data: &Path, _: &AppLock) -> Result<Listener> {
    // A crash leaves the file behind. Nobody else has it open, because this app has the lock.
    remove(data);
    // The file is removed by `remove`, under the lock, and not when the listener is dropped: by then another app may have its own there.
    let listener = ListenerOptions::new().name(name(data)?).reclaim_name(false).create_tokio();
    listener.map_err(|cause| Error::storage("open the socket for `aura ptt`", cause))
}

/// Removes the socket's file, so that nobody connects to an app that is ending.
pub(crate) fn remove(data: &Path) {
    if cfg!(unix) {
        let _ = std::fs::remove_file(data.join("aura.sock"));
    }
}

/// Serves requests until the program ends. `show` brings the window to the front.
pub(crate) async fn serve(listener: Listener, assistant: Assistant, show: impl Fn() + Send + Sync + 'static) {
    let show = Arc::new(show);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(place) = places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok(stream) => {
                let (assistant, show) = (assistant.clone(), show.clone());
                tokio::spawn(async move {
                    let _place = place;
                    if let Err(cause) = answer(stream, &assistant, &*show).await {
                        tracing::debug!(%cause, "a connection to the local socket ended early");
                    }
                });
            }
            Err(cause) => {
                tracing::warn!(%cause, "the local socket could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Answers the one request of a connection. A caller that closes its connection before the reply stops the operation.
async fn answer(stream: Stream, assistant: &Assistant, show: &(dyn Fn() + Send + Sync)) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let mut request = (&mut stream).take(MAX_REQUEST);
    tokio::time::timeout(TRANSFER_TIMEOUT, request.read_line(&mut line)).await??;
    let reply = tokio::select! {
        // A caller that needs no reply may have left already: what needs no waiting is done even so.
        biased;
        reply = reply(&line, assistant, show) => reply,
        () = closed(&mut stream) => return Ok(()),
    };
    tokio::time::timeout(TRANSFER_TIMEOUT, stream.get_mut().write_all(format!("{reply}\n").as_bytes())).await?
}

async fn reply(line: &str, assistant: &Assistant, show: &(dyn Fn() + Send + Sync)) -> Value {
    let result = match serde_json::from_str::<SocketRequest>(line) {
        Ok(request) if request.operation == SHOW => {
            show();
            Ok(Value::Null)
        }
        Ok(request) => api::call(assistant, &request.operation, request.request).await,
        Err(cause) => Err(Error::invalid("The request to the local socket is not valid.").because(cause)),
    };
    match result {
        Ok(value) => serde_json::json!({ "ok": value }),
        Err(error) => serde_json::json!({ "error": error }),
    }
}

/// Waits until the caller closes its connection. What it sends after its request is ignored.
async fn closed(stream: &mut BufReader<Stream>) {
    while let Ok(more) = stream.fill_buf().await {
        if more.is_empty() {
            return;
        }
        let length = more.len();
        stream.consume(length);
    }
}

/// Calls an operation of the running app.
///
/// # Errors
/// `not_running` if no app is running or it does not respond, else the error of the operation.
pub(crate) async fn call(data: &Path, operation: &str, request: Value) -> Result<Value> {
    let timeout = if QUICK_OPERATIONS.contains(&operation) { QUICK_TIMEOUT } else { OPERATION_TIMEOUT };
    tokio::time::timeout(timeout, exchange(data, operation, request)).await.unwrap_or_else(|_| {
        Err(Error::new(
            ErrorCode::NotRunning,
            "AURA is running but does not respond. Quit it, start it again with `aura`, then try again.",
        ))
    })
}

async fn exchange(data: &Path, operation: &str, request: Value) -> Result<Value> {
    let not_running = |cause: std::io::Error| {
        Error::new(ErrorCode::NotRunning, "AURA is not running. Start it with `aura`, then try again.").because(cause)
    };
    let stream = Stream::connect(name(data)?).await.map_err(not_running)?;
    let mut stream = BufReader::new(stream);
    let line =
        serde_json::to_string(&SocketRequest { operation: operation.to_owned(), request }).map_err(Error::internal)?;
    stream.get_mut().write_all(format!("{line}\n").as_bytes()).await.map_err(not_running)?;
    let mut line = String::new();
    stream.read_line(&mut line).await.map_err(not_running)?;
    let mut reply: Value = serde_json::from_str(&line).map_err(Error::internal)?;
    match reply.get_mut("error") {
        Some(error) => Err(serde_json::from_value(error.take()).map_err(Error::internal)?),
        None => Ok(reply["ok"].take()),
    }
}

#[cfg(test)]
mod tests {
    use aura_core::event::Event;
    use aura_core::record::Stage;
    use aura_sandbox::{Fault, FaultKind};
    use aura_testkit::harness::Harness;
    use serde_json::json;
    use tempfile::TempDir;
    use tokio_util::task::AbortOnDropHandle;

    use super::*;

    /// A socket in a folder of its own, with an assistant behind it.
    async fn socket(assistant: Assistant) -> (TempDir, AbortOnDropHandle<()>) {
        let folder = tempfile::tempdir().unwrap();
        let lock = AppLock::take(folder.path()).unwrap().unwrap();
        let listener = open(folder.path(), &lock).await.unwrap();
        let served = tokio::spawn(serve(listener, assistant, || {}));
        (folder, AbortOnDropHandle::new(served))
    }

    async fn connect(folder: &TempDir) -> BufReader<Stream> {
        BufReader::new(Stream::connect(name(folder.path()).unwrap()).await.unwrap())
    }

    async fn send(stream: &mut BufReader<Stream>, operation: &str, request: Value) {
        let line = json!({"operation": operation, "request": request});
        stream.get_mut().write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Waits until the assistant is at a stage.
    async fn until(harness: &mut Harness, wanted: Stage) {
        harness.next(|event| matches!(event, Event::Stage { stage, .. } if *stage == wanted).then_some(())).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_caller_that_leaves_stops_its_turn_and_no_other() {
        let mut harness = Harness::new().await;
        harness.sandbox.add_fault(Fault::new(FaultKind::Silent));
        let (folder, _served) = socket(harness.assistant.clone()).await;
        let mut caller = connect(&folder).await;
        send(&mut caller, "ask", json!({"text": "Does anybody wait for this?"})).await;
        until(&mut harness, Stage::Thinking).await;
        drop(caller);
        let record = harness.done().await;
        assert_eq!(record.error.unwrap().code, ErrorCode::Cancelled);

        // A caller whose turn was replaced does not stop the next one.
        let (mut first, mut second) = (connect(&folder).await, connect(&folder).await);
        send(&mut first, "ask", json!({"text": "And this?"})).await;
        until(&mut harness, Stage::Thinking).await;
        harness.press().await;
        until(&mut harness, Stage::Listening).await;
        drop(first);
        send(&mut second, "snapshot", json!({})).await;
        let mut line = String::new();
        second.read_line(&mut line).await.unwrap();
        let reply: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(reply["ok"]["stage"], "listening", "{line}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_command_of_a_caller_that_waits_for_no_reply_is_carried_out() {
        let mut harness = Harness::new().await;
        let (folder, _served) = socket(harness.assistant.clone()).await;
        let mut caller = connect(&folder).await;
        send(&mut caller, "press", json!({})).await;
        drop(caller);
        until(&mut harness, Stage::Listening).await;
    }

    #[tokio::test]
    async fn a_request_that_does_not_arrive_gives_its_place_to_another() {
        let harness = Harness::new().await;
        let (folder, _served) = socket(harness.assistant.clone()).await;
        let began = tokio::time::Instant::now();
        let mut held = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            let mut caller = connect(&folder).await;
            caller.get_mut().write_all(b"{\"operation\"").await.unwrap();
            held.push(caller);
        }
        let mut next = connect(&folder).await;
        send(&mut next, "snapshot", json!({})).await;
        // All places are taken, so time passes until the requests are given up.
        tokio::time::pause();
        let mut line = String::new();
        next.read_line(&mut line).await.unwrap();
        assert!(line.starts_with("{\"ok\""), "{line}");
        assert!(began.elapsed() >= TRANSFER_TIMEOUT, "more than {MAX_CONNECTIONS} connections were served at once");
        for caller in &mut held {
            let mut rest = String::new();
            assert!(matches!(caller.read_line(&mut rest).await, Ok(0) | Err(_)), "{rest}");
        }
    }
}
