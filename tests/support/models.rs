//! A server of models on loopback, and a catalog that names it: for the store of models of the program under test.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::aura::Aura;

/// The size of a model in bytes.
pub const SIZE: usize = 2_000_000;

/// Two language models, `one` and `two`, whose files it serves. Ends when it is dropped.
#[derive(Debug)]
pub struct ModelServer {
    folder: TempDir,
    address: String,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether it sends only half of a file, and then a byte twice a second, so that the download neither ends nor stalls.
    holds: AtomicBool,
    ended: AtomicBool,
}

/// The content of each file.
fn content() -> Vec<u8> {
    (0..SIZE).map(|index| (index * 31 % 251) as u8).collect()
}

impl Default for ModelServer {
    fn default() -> Self {
        Self::start()
    }
}

impl ModelServer {
    /// Starts it, and writes its catalog.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket").to_string();
        let state = Arc::new(State::default());
        let serving = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.ended.load(Ordering::Relaxed) {
                    return;
                }
                let state = serving.clone();
                // The client may go away at any time.
                std::thread::spawn(move || drop(serve(stream, &state)));
            }
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        let model = |id: &str| {
            json!({
                "id": id, "label": format!("Model {id}"), "engine": "llama", "services": ["llm"], "languages": ["en"],
                "description": "For tests.", "memory": 1_000_000, "license": "MIT", "source": "https://example.com/",
                "suggested": true,
                "files": [{"role": "model", "name": "model.gguf", "size": SIZE, "urls": [format!("http://{address}/{id}")]}],
            })
        };
        let catalog = json!({"runtimes": [], "archives": {}, "models": [model("one"), model("two")]});
        std::fs::write(folder.path().join("catalog.json"), catalog.to_string()).expect("the folder can be written");
        Self { folder, address, state }
    }

    /// A program that uses this catalog.
    #[must_use]
    pub fn with(&self, aura: Aura) -> Aura {
        aura.with("AURA_MODEL_CATALOG", self.catalog())
    }

    /// The file of the catalog.
    pub fn catalog(&self) -> PathBuf {
        self.folder.path().join("catalog.json")
    }

    /// From now on it sends only half of each file, and then a byte twice a second; or again everything.
    pub fn hold(&self, holds: bool) {
        self.state.holds.store(holds, Ordering::Relaxed);
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(&self.address);
    }
}

fn serve(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let start =
        head.lines().find_map(|line| line.strip_prefix("range: bytes=")?.trim().strip_suffix('-')?.parse().ok());
    let (body, start) = (content(), start.unwrap_or(0_usize));
    let status = match start {
        0 => "HTTP/1.1 200 OK\r\n".to_owned(),
        _ => format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{SIZE}\r\n", SIZE - 1),
    };
    write!(stream, "{status}Content-Length: {}\r\nConnection: close\r\n\r\n", SIZE - start)?;
    if state.holds.load(Ordering::Relaxed) {
        let half = start.max(SIZE / 2);
        stream.write_all(&body[start..half])?;
        // Until the client goes away, or the test ends.
        for one in body[half..].chunks(1) {
            std::thread::sleep(Duration::from_millis(500));
            if state.ended.load(Ordering::Relaxed) {
                break;
            }
            stream.write_all(one)?;
        }
        return Ok(());
    }
    stream.write_all(&body[start..])
}

/// The folder of the models that tests run: `AURA_MODELS`, else `models` in the target folder. `cargo xtask test` fills it.
pub fn installed() -> PathBuf {
    let default = || crate::aura::programs().parent().expect("the target folder").join("models");
    let folder = std::env::var_os("AURA_MODELS").map_or_else(default, PathBuf::from);
    assert!(
        folder.join("moonshine-tiny-en").is_dir(),
        "there are no models in {}: run cargo xtask models, or set AURA_MODELS",
        folder.display()
    );
    folder
}
