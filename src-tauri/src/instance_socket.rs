//! The local socket of the running app, which only the same user can open. Through it, `aura ptt` and other commands call operations of
//! the app, and a second `aura` brings its window to the front.

use std::path::Path;
use std::time::Duration;

use aura_core::error::{Error, ErrorCode, Result};
use aura_core::{Assistant, api};
use interprocess::local_socket::tokio::{Listener, Stream, prelude::*};
use interprocess::local_socket::{GenericFilePath, GenericNamespaced, ListenerOptions, Name};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::app_lock::AppLock;

/// Largest request in bytes: 25 MB of sound in base64, for a test of speech recognition.
const MAX_REQUEST: u64 = 36 * 1024 * 1024;

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
    let show = std::sync::Arc::new(show);
    loop {
        match listener.accept().await {
            Ok(stream) => {
                let (assistant, show) = (assistant.clone(), show.clone());
                tokio::spawn(async move {
                    if let Err(cause) = answer(stream, &assistant, &*show).await {
                        tracing::debug!(%cause, "a client of the local socket disconnected");
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

async fn answer(stream: Stream, assistant: &Assistant, show: &(dyn Fn() + Send + Sync)) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    (&mut stream).take(MAX_REQUEST).read_line(&mut line).await?;
    let result = match serde_json::from_str::<SocketRequest>(&line) {
        Ok(request) if request.operation == SHOW => {
            show();
            Ok(Value::Null)
        }
        Ok(request) => api::call(assistant, &request.operation, request.request).await,
        Err(cause) => Err(Error::invalid("The request to the local socket is not valid.").because(cause)),
    };
    let reply = match result {
        Ok(value) => serde_json::json!({ "ok": value }),
        Err(error) => serde_json::json!({ "error": error }),
    };
    stream.get_mut().write_all(format!("{reply}\n").as_bytes()).await
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
