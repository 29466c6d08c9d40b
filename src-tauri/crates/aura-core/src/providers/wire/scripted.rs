//! A tiny HTTP server for tests: it answers one connection after another as told, then refuses.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens on one connection.
#[derive(Clone)]
pub(crate) struct Act {
    chunks: Vec<Vec<u8>>,
    pause: Duration,
    /// Whether the connection stays open and silent at the end.
    hang: bool,
    /// Whether a request is expected at all.
    read: bool,
}

/// A running server.
pub(crate) struct Scripted {
    /// Its address, with a slash.
    pub(crate) base: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// The requests so far, head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Bytes as they are, then the connection closes.
pub(crate) fn raw(bytes: &[u8]) -> Act {
    Act { chunks: vec![bytes.to_vec()], pause: Duration::ZERO, hang: false, read: true }
}

/// A connection that is only opened.
pub(crate) fn knock() -> Act {
    Act { read: false, ..raw(b"") }
}

/// A reply with a length.
pub(crate) fn reply(status: &str, headers: &str, body: &[u8]) -> Act {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    raw(&bytes)
}

/// A success in JSON.
pub(crate) fn json(body: &str) -> Act {
    reply("200 OK", "content-type: application/json\r\n", body.as_bytes())
}

/// An event stream that ends with the connection.
pub(crate) fn events(body: &[u8]) -> Act {
    reply("200 OK", "content-type: text/event-stream\r\n", body)
}

/// A reply of an unknown length whose body breaks off without its end.
pub(crate) fn cut(content_type: &str, body: &[u8]) -> Act {
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(b"\r\n");
    raw(&bytes)
}

/// The same bytes, a few at a time.
pub(crate) fn slowly(mut act: Act, size: usize) -> Act {
    act.chunks = act.chunks.concat().chunks(size).map(<[u8]>::to_vec).collect();
    act.pause = Duration::from_millis(1);
    act
}

/// The same bytes, then silence.
pub(crate) fn hanging(mut act: Act) -> Act {
    act.hang = true;
    act
}

/// Starts a server that performs one act per connection.
pub(crate) async fn start(acts: Vec<Act>) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = requests.clone();
    tokio::spawn(async move {
        for act in acts {
            let Ok((socket, _)) = listener.accept().await else { return };
            tokio::spawn(perform(socket, act, seen.clone()));
        }
    });
    Scripted { base, requests }
}

async fn perform(mut socket: TcpStream, act: Act, seen: Arc<Mutex<Vec<String>>>) {
    if act.read {
        let request = request(&mut socket).await;
        seen.lock().unwrap().push(request);
    }
    for chunk in &act.chunks {
        if socket.write_all(chunk).await.is_err() || socket.flush().await.is_err() {
            return;
        }
        tokio::time::sleep(act.pause).await;
    }
    if act.hang {
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
