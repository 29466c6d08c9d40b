//! The local door of the running app: `aura ptt`, a second `aura`, foot pedals and scripts call operations through a socket
//! that only this person can open.

use std::path::Path;
use std::time::Duration;

use aura_core::error::{Code, Error, Result};
use aura_core::{Assistant, api};
use interprocess::local_socket::tokio::{Listener, Stream, prelude::*};
use interprocess::local_socket::{GenericFilePath, GenericNamespaced, ListenerOptions, Name};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

/// A request longer than this is none of ours: 25 MB of sound in base64, for a test of listening.
const LONGEST_REQUEST: u64 = 36 * 1024 * 1024;

/// What only moves a key, shows a window or looks is answered at once by an app that is well.
const AT_ONCE: &[&str] = &["snapshot", "press", "release", "finish", "cancel", SHOW];
/// How long that is waited for.
const SOON: Duration = Duration::from_secs(10);
/// How long anything else is waited for: a turn with everything that it may wait for takes a few minutes.
const LATEST: Duration = Duration::from_secs(15 * 60);

/// Called for a second `aura`: the window comes to the front.
pub(crate) const SHOW: &str = "show";

#[derive(Serialize, Deserialize)]
struct Call {
    operation: String,
    request: Value,
}

/// The socket lies in the data folder, which only this person can enter.
fn name(data: &Path) -> Result<Name<'static>> {
    let path = data.join("aura.sock");
    let name = if cfg!(unix) {
        path.to_fs_name::<GenericFilePath>()
    } else {
        format!("aura-{}", path.display().to_string().replace(['\\', '/', ':'], "-")).to_ns_name::<GenericNamespaced>()
    };
    name.map_err(|cause| {
        Error::new(
            Code::Storage,
            "The data folder's path is too long for a socket. Set AURA_DATA_DIR to a shorter one.",
        )
        .because(cause)
    })
}

/// Opens the door. `None`: another AURA of this person has it.
pub(crate) async fn open(data: &Path) -> Result<Option<Listener>> {
    if Stream::connect(name(data)?).await.is_ok() {
        return Ok(None);
    }
    // What a crash left behind answers nobody.
    if cfg!(unix) {
        let _ = tokio::fs::remove_file(data.join("aura.sock")).await;
    }
    let listener = ListenerOptions::new().name(name(data)?).create_tokio();
    listener.map(Some).map_err(|cause| Error::storage("open the door for `aura ptt`", cause))
}

/// Serves the door until the program ends. `show` brings the window to the front.
pub(crate) async fn serve(listener: Listener, assistant: Assistant, show: impl Fn() + Send + Sync + 'static) {
    let show = std::sync::Arc::new(show);
    loop {
        match listener.accept().await {
            Ok(stream) => {
                let (assistant, show) = (assistant.clone(), show.clone());
                tokio::spawn(async move {
                    if let Err(cause) = answer(stream, &assistant, &*show).await {
                        tracing::debug!(%cause, "a caller at the local door went away");
                    }
                });
            }
            Err(cause) => {
                tracing::warn!(%cause, "the local door could not take a call");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(stream: Stream, assistant: &Assistant, show: &(dyn Fn() + Send + Sync)) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    (&mut stream).take(LONGEST_REQUEST).read_line(&mut line).await?;
    let result = match serde_json::from_str::<Call>(&line) {
        Ok(call) if call.operation == SHOW => {
            show();
            Ok(Value::Null)
        }
        Ok(call) => api::call(assistant, &call.operation, call.request).await,
        Err(cause) => Err(Error::invalid("The request at the local door is not valid.").because(cause)),
    };
    let reply = match result {
        Ok(value) => serde_json::json!({ "ok": value }),
        Err(error) => serde_json::json!({ "error": error }),
    };
    stream.get_mut().write_all(format!("{reply}\n").as_bytes()).await
}

/// Calls an operation of the running app.
pub(crate) async fn call(data: &Path, operation: &str, request: Value) -> Result<Value> {
    let limit = if AT_ONCE.contains(&operation) { SOON } else { LATEST };
    tokio::time::timeout(limit, exchange(data, operation, request)).await.unwrap_or_else(|_| {
        Err(Error::new(
            Code::NotRunning,
            "AURA is running but does not answer. End it, start it again with `aura`, then try again.",
        ))
    })
}

async fn exchange(data: &Path, operation: &str, request: Value) -> Result<Value> {
    let gone = |cause: std::io::Error| {
        Error::new(Code::NotRunning, "AURA is not running. Start it with `aura`, then try again.").because(cause)
    };
    let stream = Stream::connect(name(data)?).await.map_err(gone)?;
    let mut stream = BufReader::new(stream);
    let call = serde_json::to_string(&Call { operation: operation.to_owned(), request }).map_err(Error::internal)?;
    stream.get_mut().write_all(format!("{call}\n").as_bytes()).await.map_err(gone)?;
    let mut line = String::new();
    stream.read_line(&mut line).await.map_err(gone)?;
    let mut reply: Value = serde_json::from_str(&line).map_err(Error::internal)?;
    match reply.get_mut("error") {
        Some(error) => Err(serde_json::from_value(error.take()).map_err(Error::internal)?),
        None => Ok(reply["ok"].take()),
    }
}
