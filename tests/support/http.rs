//! The HTTP door under test: the program `aura-server` as a person starts it, and a caller who is that person.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use aura_sandbox::{DEFAULT_KEY, Sandbox, SandboxConfig};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

use crate::aura::{Aura, program};
use crate::process::Running;

/// A running door; it ends with this value.
#[derive(Debug)]
pub struct HttpDoor {
    // Read before the folder that it lies in is gone.
    log: Log,
    running: Running,
    aura: Aura,
    port: u16,
    client: Client,
}

impl HttpDoor {
    /// Starts the program without a window on a free port and waits until it listens.
    pub fn start(aura: Aura) -> Self {
        Self::serving(aura, "aura-server", &[])
    }

    /// Starts a program that opens the door.
    pub fn serving(aura: Aura, name: &str, arguments: &[&str]) -> Self {
        // It must not outlive a test that is killed.
        let mut command = aura.command_of(Path::new("setpriv"), &["--pdeathsig", "KILL", "--"]);
        command.arg(program(name)).args(arguments).args(["--port", "0"]);
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(aura.log()).expect("the folder can be written");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut running = Running::start(&mut command, "util-linux");
        let line = running.first_line();
        let port = line.rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("the door tells its address, not `{line}`"));
        // A client without TLS still wants to know how it would be done.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client =
            Client::builder().no_proxy().timeout(Duration::from_secs(90)).build().expect("a client without TLS");
        let log = Log(aura.log());
        Self { log, running, aura, port, client }
    }

    /// Ends it gently and starts it again over the same files.
    pub fn restart(self) -> Self {
        Self::start(self.stop())
    }

    /// Ends it gently; its files stay.
    pub fn stop(self) -> Aura {
        let Self { log: _log, running, aura, .. } = self;
        drop(running);
        aura
    }

    /// Ends it by force, in the middle of whatever it does; its files stay.
    pub fn kill(self) -> Aura {
        let Self { log: _log, mut running, aura, .. } = self;
        let id = running.id().to_string();
        let killed = std::process::Command::new("kill").args(["-KILL", &id]).status();
        assert!(killed.is_ok_and(|status| status.success()), "the door can be killed");
        running.wait();
        aura
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// How it was started, and its files.
    pub fn aura(&self) -> &Aura {
        &self.aura
    }

    /// The token, as the person can read it.
    pub fn token(&self) -> String {
        std::fs::read_to_string(self.aura.data().join("door-token")).expect("the door has a token")
    }

    /// The settings file; empty when there is none.
    pub fn settings(&self) -> String {
        std::fs::read_to_string(self.aura.folder().join("config/config.toml")).unwrap_or_default()
    }

    /// A request, as the person who started the door.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
    }

    /// A request, as the person who started the door.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(self.url(path))
    }

    /// A request, as the person who started the door.
    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.client.delete(self.url(path))
    }

    /// Asks a question; fails when it is not answered.
    pub async fn chat(&self, question: Value) -> Value {
        let reply = self.post("/chat").json(&question).send().await.expect("the door answers");
        answer(reply).await
    }

    /// Makes another route the default.
    pub async fn switch(&self, change: Value) -> Value {
        let reply = self.post("/providers/switch").json(&change).send().await.expect("the door answers");
        answer(reply).await
    }
}

/// What the door said, shown when the test fails.
#[derive(Debug)]
struct Log(PathBuf);

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("-- the door's log:\n{}", std::fs::read_to_string(&self.0).unwrap_or_default());
        }
    }
}

/// The JSON of a reply that must be 200.
pub async fn answer(reply: Response) -> Value {
    let status = reply.status();
    let text = reply.text().await.expect("an answer arrives whole");
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|cause| panic!("this is not JSON ({cause}): {text}"))
}

/// Sandbox providers, and AURA's folders with Groq and Gemini pointing at them.
pub async fn sandboxed(config: SandboxConfig) -> (Sandbox, Aura) {
    let sandbox = Sandbox::start(config).await.expect("the sandbox can listen on loopback");
    let aura = Aura::new().with_all([
        ("GROQ_BASE_URL", sandbox.groq_base_url()),
        ("GEMINI_BASE_URL", sandbox.gemini_base_url()),
        ("GROQ_API_KEY", DEFAULT_KEY.to_owned()),
        ("GEMINI_API_KEY", DEFAULT_KEY.to_owned()),
    ]);
    (sandbox, aura)
}

/// Looks again and again until something holds; false after half a minute.
pub async fn eventually(mut holds: impl AsyncFnMut() -> bool) -> bool {
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while tokio::time::Instant::now() < end {
        if holds().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}
