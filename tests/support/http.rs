//! The local API under test: the program `aura-server`, and a client that runs as the same user.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use aura_sandbox::{Sandbox, SandboxConfig};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

use crate::aura::{Aura, program};
use crate::process::Running;
use crate::providers::{gemini_variables, groq_variables};

/// A running server of the local API; dropping it ends the server.
#[derive(Debug)]
pub struct HttpServer {
    // Dropped before `aura`, whose folder contains the log.
    log: Log,
    running: Running,
    aura: Aura,
    port: u16,
    client: Client,
}

impl HttpServer {
    /// Starts `aura-server` on a free port and waits until it listens.
    pub fn start(aura: Aura) -> Self {
        Self::serving(aura, "aura-server", &[])
    }

    /// Starts a program that serves the local API.
    pub fn serving(aura: Aura, name: &str, arguments: &[&str]) -> Self {
        Self::under(aura, &[], name, arguments)
    }

    /// Like [`Self::serving`], as the argument of another program that runs it in its own place.
    pub fn under(aura: Aura, wrapper: &[&str], name: &str, arguments: &[&str]) -> Self {
        // It must not outlive a killed test.
        let mut command = aura.command_of(Path::new("setpriv"), &["--pdeathsig", "KILL", "--"]);
        command.args(wrapper).arg(program(name)).args(arguments).args(["--port", "0"]);
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(aura.log()).expect("the folder can be written");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut running = Running::start(&mut command, "util-linux");
        let line = running.first_line();
        let port = line.rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("the server prints its address, not `{line}`"));
        // reqwest needs a TLS provider even for plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client =
            Client::builder().no_proxy().timeout(Duration::from_secs(90)).build().expect("a client without TLS");
        let log = Log(aura.log());
        Self { log, running, aura, port, client }
    }

    /// Ends the server with SIGTERM and starts it again on the same files.
    pub fn restart(self) -> Self {
        Self::start(self.stop())
    }

    /// Ends the server with SIGTERM. Its files stay.
    pub fn stop(self) -> Aura {
        let Self { log: _log, running, aura, .. } = self;
        drop(running);
        aura
    }

    /// Ends the server with SIGKILL. Its files stay.
    pub fn kill(self) -> Aura {
        self.end_by("KILL")
    }

    /// Ends the server with this signal, such as `ABRT`. Its files stay.
    pub fn end_by(self, signal: &str) -> Aura {
        let Self { log: _log, mut running, aura, .. } = self;
        let id = running.id().to_string();
        let killed = std::process::Command::new("kill").args([&format!("-{signal}"), &id]).status();
        assert!(killed.is_ok_and(|status| status.success()), "the server can be killed");
        running.wait();
        aura
    }

    /// The port that the server listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process ID of the server.
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.aura.log()).unwrap_or_default()
    }

    /// How the server was started, and its files.
    pub fn aura(&self) -> &Aura {
        &self.aura
    }

    /// The token of the local API.
    pub fn token(&self) -> String {
        std::fs::read_to_string(self.aura.data().join("api-token")).expect("the server has a token")
    }

    /// The content of the settings file; empty if there is none.
    pub fn settings(&self) -> String {
        std::fs::read_to_string(self.aura.folder().join("config/config.toml")).unwrap_or_default()
    }

    /// A GET request as the user who started the server.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
    }

    /// A POST request as the user who started the server.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(self.url(path))
    }

    /// A DELETE request as the user who started the server.
    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.client.delete(self.url(path))
    }

    /// Posts to `/chat`; panics if the status is not 200.
    pub async fn chat(&self, question: Value) -> Value {
        let reply = self.post("/chat").json(&question).send().await.expect("the local API answers");
        answer(reply).await
    }

    /// Posts to `/providers/switch`; panics if the status is not 200.
    pub async fn switch(&self, change: Value) -> Value {
        let reply = self.post("/providers/switch").json(&change).send().await.expect("the local API answers");
        answer(reply).await
    }
}

/// The server's log, printed if the test fails.
#[derive(Debug)]
struct Log(PathBuf);

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("-- the server's log:\n{}", std::fs::read_to_string(&self.0).unwrap_or_default());
        }
    }
}

/// The JSON of a reply; panics if its status is not 200.
pub async fn answer(reply: Response) -> Value {
    let status = reply.status();
    let text = reply.text().await.expect("the whole reply arrives");
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|cause| panic!("this is not JSON ({cause}): {text}"))
}

/// A sandbox, and an AURA whose Groq and Gemini are that sandbox.
pub async fn sandboxed(config: SandboxConfig) -> (Sandbox, Aura) {
    let sandbox = Sandbox::start(config).await.expect("the sandbox can listen on loopback");
    let aura = Aura::new().with_all(groq_variables(&sandbox)).with_all(gemini_variables(&sandbox));
    (sandbox, aura)
}

/// Polls until `holds` returns true. False after 30 s.
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
