//! A server of files on loopback, with faults to order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// What the server does with a request for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Closes the connection after each of these numbers of bytes, one per request; then none.
    Cut(Vec<usize>),
    /// Answers every request with the whole file.
    NoRange,
    /// Answers a range request with another range: this many bytes too early.
    WrongOffset(u64),
    /// Answers every range request with 416.
    NotSatisfiable,
    /// Sends the file up to this byte, then nothing more, and keeps the connection open.
    Stall(usize),
    /// Sends a file of the same length with other bytes.
    OtherBytes,
    /// Answers with this status.
    Status(u16),
    /// Redirects to this address.
    Redirect(String),
    /// Sends a byte each few milliseconds.
    Slow,
}

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) path: String,
    /// The start of the range that was asked for.
    pub(crate) from: Option<u64>,
    /// Whether the range was asked for on the condition that the file is the same.
    pub(crate) if_range: bool,
}

#[derive(Debug, Default)]
struct Shared {
    files: Mutex<BTreeMap<String, Arc<Vec<u8>>>>,
    faults: Mutex<BTreeMap<String, Fault>>,
    headers: Mutex<BTreeMap<String, String>>,
    seen: Mutex<Vec<Seen>>,
    open: AtomicUsize,
}

/// The server. It ends when it is dropped.
pub(crate) struct Server {
    pub(crate) address: String,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let serving = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = serving.clone();
                tokio::spawn(async move {
                    shared.open.fetch_add(1, Ordering::Relaxed);
                    // The client may go away at any time.
                    let _ = serve(stream, &shared).await;
                    shared.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { address, shared, _task: AbortOnDropHandle::new(task) }
    }

    /// Serves a file and returns its address.
    pub(crate) fn file(&self, path: &str, bytes: Vec<u8>) -> String {
        self.shared.files.lock().insert(path.to_owned(), Arc::new(bytes));
        format!("{}{path}", self.address)
    }

    pub(crate) fn fault(&self, path: &str, fault: Fault) {
        self.shared.faults.lock().insert(path.to_owned(), fault);
    }

    pub(crate) fn mend(&self, path: &str) {
        self.shared.faults.lock().remove(path);
    }

    /// Adds headers to the answers for a file, each ended by `\r\n`.
    pub(crate) fn headers(&self, path: &str, headers: String) {
        self.shared.headers.lock().insert(path.to_owned(), headers);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().clone()
    }
}

/// Answers one request and closes the connection.
async fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let from = header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<u64>().ok());
    shared.seen.lock().push(Seen { path: path.clone(), from, if_range: header("if-range").is_some() });
    let file = shared.files.lock().get(&path).cloned();
    let fault = {
        let mut faults = shared.faults.lock();
        match faults.get_mut(&path) {
            // The next cut; the last one ends the fault.
            Some(Fault::Cut(cuts)) if cuts.is_empty() => None,
            Some(Fault::Cut(cuts)) => Some(Fault::Cut(vec![cuts.remove(0)])),
            other => other.cloned(),
        }
    };
    let more = shared.headers.lock().get(&path).cloned().unwrap_or_default();
    let Some(file) = file else { return reply(&mut stream, "404 Not Found", &more, b"").await };
    let (size, mut from) = (file.len() as u64, from);
    let mut body = file.to_vec();
    match &fault {
        Some(Fault::Status(status)) => return reply(&mut stream, &format!("{status} No"), &more, b"").await,
        Some(Fault::Redirect(to)) => {
            return reply(&mut stream, "302 Found", &format!("{more}Location: {to}\r\n"), b"").await;
        }
        Some(Fault::NotSatisfiable) if from.is_some() => {
            let range = format!("Content-Range: bytes */{size}\r\n");
            return reply(&mut stream, "416 Range Not Satisfiable", &range, b"").await;
        }
        Some(Fault::OtherBytes) => body.iter_mut().for_each(|byte| *byte ^= 0x55),
        Some(Fault::NoRange) => from = None,
        Some(Fault::WrongOffset(early)) => from = from.map(|from| from.saturating_sub(*early)),
        _ => {}
    }
    let status = match from {
        Some(from) if from >= size => {
            let range = format!("Content-Range: bytes */{size}\r\n");
            return reply(&mut stream, "416 Range Not Satisfiable", &range, b"").await;
        }
        Some(from) => {
            body.drain(..from as usize);
            format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{size}\r\n", size - 1)
        }
        None => "HTTP/1.1 200 OK\r\n".to_owned(),
    };
    let head = format!("{status}Content-Length: {}\r\n{more}Connection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    match fault {
        Some(Fault::Cut(cuts)) => {
            let end = cuts.first().copied().unwrap_or(0).min(body.len());
            stream.write_all(&body[..end]).await?;
            stream.flush().await?;
            stream.shutdown().await
        }
        Some(Fault::Stall(end)) => {
            let end = end.saturating_sub(from.unwrap_or(0) as usize);
            stream.write_all(&body[..end.min(body.len())]).await?;
            stream.flush().await?;
            // Until the client goes away.
            let _ = stream.read_u8().await;
            Ok(())
        }
        Some(Fault::Slow) => {
            for piece in body.chunks(1 << 10) {
                stream.write_all(piece).await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            stream.shutdown().await
        }
        _ => {
            stream.write_all(&body).await?;
            stream.shutdown().await
        }
    }
}

async fn reply(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}
