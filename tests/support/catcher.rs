//! A server on loopback that keeps every byte it receives, as the server of an attacker would.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// What a request may take to arrive. AURA sends each in one piece.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// The running catcher. Its thread ends with the test's process.
#[derive(Debug)]
pub struct Catcher {
    port: u16,
    caught: Arc<Mutex<Vec<String>>>,
}

impl Default for Catcher {
    fn default() -> Self {
        Self::start()
    }
}

impl Catcher {
    /// Starts a catcher that answers every request with an empty JSON object, and as a proxy opens no tunnel.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let caught = Arc::<Mutex<Vec<String>>>::default();
        let into = caught.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let into = into.clone();
                std::thread::spawn(move || catch(stream, &into));
            }
        });
        Self { port, caught }
    }

    /// Its address, with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The requests so far, each with its head and body.
    pub fn caught(&self) -> Vec<String> {
        self.caught.lock().clone()
    }
}

fn catch(mut stream: TcpStream, caught: &Mutex<Vec<String>>) {
    let _ = stream.set_read_timeout(Some(READ_TIMEOUT));
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    // Noted while it arrives: what was sent was sent, even if the request is never complete.
    let number = {
        let mut caught = caught.lock();
        caught.push(String::new());
        caught.len() - 1
    };
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| body.len() >= body_length(head));
        let is_tunnel = text.starts_with("CONNECT ");
        caught.lock()[number] = text;
        if whole {
            let reply = if is_tunnel {
                "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            } else {
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
            };
            let _ = stream.write_all(reply.as_bytes());
            return;
        }
    }
}

fn body_length(head: &str) -> usize {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.and_then(|(_, length)| length.trim().parse().ok()).unwrap_or(0)
}
