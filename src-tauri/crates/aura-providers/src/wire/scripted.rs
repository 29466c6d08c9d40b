//! A small HTTP server for tests: it serves one scripted reply per connection, then refuses connections.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The behaviour on one connection.
#[derive(Clone)]
pub(crate) struct ScriptedReply {
    chunks: Vec<Vec<u8>>,
    pause: Duration,
    /// Whether the connection stays open and silent at the end.
    hang: bool,
    /// Whether a request is read first.
    read: bool,
}

/// A running server.
pub(crate) struct ScriptedServer {
    /// Its base URL, with a trailing slash.
    pub(crate) base: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl ScriptedServer {
    /// The requests so far, headers and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Sends these bytes, then closes the connection.
pub(crate) fn raw(bytes: &[u8]) -> ScriptedReply {
    ScriptedReply { chunks: vec![bytes.to_vec()], pause: Duration::ZERO, hang: false, read: true }
}

/// Accepts a connection without reading a request.
pub(crate) fn no_request() -> ScriptedReply {
    ScriptedReply { read: false, ..raw(b"") }
}

/// A reply with a `content-length`.
pub(crate) fn reply(status: &str, headers: &str, body: &[u8]) -> ScriptedReply {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    raw(&bytes)
}

/// A successful JSON reply.
pub(crate) fn json(body: &str) -> ScriptedReply {
    reply("200 OK", "content-type: application/json\r\n", body.as_bytes())
}

/// A complete event stream.
pub(crate) fn events(body: &[u8]) -> ScriptedReply {
    reply("200 OK", "content-type: text/event-stream\r\n", body)
}

/// A chunked reply whose body lacks its last chunk.
pub(crate) fn cut(content_type: &str, body: &[u8]) -> ScriptedReply {
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(b"\r\n");
    raw(&bytes)
}

/// Sends the reply in pieces of `size` bytes, 1 ms apart.
pub(crate) fn slowly(mut scripted: ScriptedReply, size: usize) -> ScriptedReply {
    scripted.chunks = scripted.chunks.concat().chunks(size).map(<[u8]>::to_vec).collect();
    scripted.pause = Duration::from_millis(1);
    scripted
}

/// Keeps the connection open after the reply.
pub(crate) fn hanging(mut scripted: ScriptedReply) -> ScriptedReply {
    scripted.hang = true;
    scripted
}

/// Starts a server with one reply per connection.
pub(crate) async fn start(replies: Vec<ScriptedReply>) -> ScriptedServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let received = requests.clone();
    tokio::spawn(async move {
        for scripted in replies {
            let Ok((socket, _)) = listener.accept().await else { return };
            tokio::spawn(serve(socket, scripted, received.clone()));
        }
    });
    ScriptedServer { base, requests }
}

async fn serve(mut socket: TcpStream, scripted: ScriptedReply, received: Arc<Mutex<Vec<String>>>) {
    if scripted.read {
        let request = request(&mut socket).await;
        received.lock().unwrap().push(request);
    }
    for chunk in &scripted.chunks {
        if socket.write_all(chunk).await.is_err() || socket.flush().await.is_err() {
            return;
        }
        tokio::time::sleep(scripted.pause).await;
    }
    if scripted.hang {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    drop(socket.shutdown().await);
}

async fn request(socket: &mut TcpStream) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = socket.read(&mut buffer).await.unwrap_or(0);
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if count == 0 {
                return text;
            }
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length: ").and_then(|length| length.parse::<usize>().ok())
        });
        if count == 0 || body.len() >= length.unwrap_or(0) {
            return text;
        }
    }
}
