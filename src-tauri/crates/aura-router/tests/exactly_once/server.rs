//! A provider on a raw socket: it counts the requests that reach it, and breaks a connection at any byte.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Where a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// After this many bytes of the request.
    Request(usize),
    /// After this many bytes of the reply.
    Reply(usize),
}

/// How it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    Reset,
    /// Nothing more comes.
    Hang,
}

/// What has happened so far, and what is to come.
#[derive(Default)]
struct State {
    /// Requests that cost something, of which at least one byte arrived.
    posts: usize,
    /// Bytes of the last whole request, and of the last whole reply.
    lengths: (usize, usize),
    /// The fault of the next request, and whether its connection must have served another one before.
    fault: Option<(Place, Break, bool)>,
}

/// A running server.
#[derive(Clone, Default)]
pub(crate) struct Server {
    pub(crate) address: String,
    /// Whether connections serve more than one request.
    keep_alive: bool,
    state: Arc<Mutex<State>>,
    /// A connection hangs.
    pub(crate) hangs: Arc<Notify>,
}

impl Server {
    pub(crate) async fn start(keep_alive: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { address, keep_alive, ..Self::default() };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let server = serving.clone();
                tokio::spawn(async move { server.serve(socket).await });
            }
        });
        server
    }

    /// Requests that cost something, and that reached the server.
    pub(crate) fn posts(&self) -> usize {
        self.state.lock().unwrap().posts
    }

    /// Bytes of the last whole request, and of the last whole reply.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        self.state.lock().unwrap().lengths
    }

    /// Breaks the next connection, or the next one that is used again if connections are kept alive.
    pub(crate) fn set_fault(&self, place: Place, how: Break) {
        self.state.lock().unwrap().fault = Some((place, how, self.keep_alive));
    }

    /// Whether the fault has not happened.
    pub(crate) fn has_fault(&self) -> bool {
        self.state.lock().unwrap().fault.is_some()
    }

    async fn serve(&self, mut socket: TcpStream) {
        for served in 0.. {
            let mut first = [0];
            if socket.read(&mut first).await.unwrap_or(0) == 0 {
                return;
            }
            let is_post = first == *b"P";
            let fault = {
                let mut state = self.state.lock().unwrap();
                state.posts += usize::from(is_post);
                let is_due = |(.., reused): &mut (Place, Break, bool)| is_post && (!*reused || served > 0);
                state.fault.take_if(is_due).map(|(place, how, _)| (place, how))
            };
            let mut request = first.to_vec();
            let limit = match fault {
                Some((Place::Request(bytes), _)) => bytes,
                _ => usize::MAX,
            };
            while request.len() < limit && !is_whole(&request) {
                let mut buffer = vec![0; 4_096.min(limit - request.len())];
                match socket.read(&mut buffer).await {
                    Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
                    _ => return,
                }
            }
            let reply = self.reply(&String::from_utf8_lossy(&request));
            let bytes = match fault {
                Some((Place::Request(_), _)) => 0,
                Some((Place::Reply(bytes), _)) => bytes.min(reply.len()),
                None => reply.len(),
            };
            if socket.write_all(&reply[..bytes]).await.is_err() {
                return;
            }
            match fault {
                Some((_, Break::Reset)) => {
                    // Closing without lingering sends RST.
                    socket.set_zero_linger().unwrap();
                    return;
                }
                Some((_, Break::Hang)) => {
                    self.hangs.notify_one();
                    while socket.read(&mut [0; 64]).await.unwrap_or(0) > 0 {}
                    return;
                }
                None if is_post => self.state.lock().unwrap().lengths = (request.len(), reply.len()),
                None => {}
            }
            if !self.keep_alive {
                return;
            }
        }
    }

    fn reply(&self, request: &str) -> Vec<u8> {
        let path = request.split(' ').nth(1).unwrap_or_default();
        let (content_type, body) = if path.ends_with("/chat/completions") {
            ("text/event-stream", answer().into_bytes())
        } else if path.ends_with("/audio/transcriptions") {
            let text = "what time is it ".repeat(20);
            ("application/json", serde_json::json!({"text": text, "duration": 1.0}).to_string().into_bytes())
        } else if path.ends_with("/audio/speech") {
            ("audio/wav", speech())
        } else {
            ("application/json", br#"{"object":"list","data":[]}"#.to_vec())
        };
        let connection = if self.keep_alive { "keep-alive" } else { "close" };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: {connection}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body].concat()
    }
}

/// Whether a request has its whole head and body.
fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    request.len() - end - 4 >= length.parse().unwrap()
}

/// A streamed answer of ten words.
fn answer() -> String {
    let chunk = |delta: serde_json::Value, finish: Option<&str>| {
        let choice = serde_json::json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", serde_json::json!({"id": "x", "model": "m", "choices": [choice]}))
    };
    let word = |n| if n == 9 { "word9.".to_owned() } else { format!("word{n} ") };
    let words: String = (0..10).map(|n| chunk(serde_json::json!({"content": word(n)}), None)).collect();
    format!("{words}{}data: [DONE]\n\n", chunk(serde_json::json!({}), Some("stop")))
}

/// A tenth of a second of a tone as a WAV file.
fn speech() -> Vec<u8> {
    let samples: Vec<u8> = (0..1_600_i16).flat_map(|n| ((n % 40 - 20) * 500).to_le_bytes()).collect();
    let length = u32::try_from(samples.len()).unwrap();
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + length).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    // PCM, mono, 16 000 samples of 2 bytes per second.
    wav.extend([1, 0, 1, 0]);
    wav.extend(16_000_u32.to_le_bytes());
    wav.extend(32_000_u32.to_le_bytes());
    wav.extend([2, 0, 16, 0]);
    wav.extend(b"data");
    wav.extend(length.to_le_bytes());
    wav.extend(samples);
    wav
}
