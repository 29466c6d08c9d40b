//! Chromium under WebDriver, and the part of the protocol that the tests use.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use aura_tests::http::eventually;
use aura_tests::process::Running;
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// The key that identifies an element in the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The time limit of a command, and of a script.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A browser with an empty profile; dropping it ends the browser.
pub(crate) struct Chromium {
    http: Client,
    session: String,
    driver: Running,
    // Removed last.
    _profile: tempfile::TempDir,
}

impl Chromium {
    /// Starts the browser. It resolves every name under `.example` to this computer, as an attacker's name server may.
    pub(crate) async fn start() -> Self {
        // A free port. It is unlikely that another program takes it before the driver starts.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port();
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver");
        driver.arg(format!("--port={port}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        driver.env("HOME", profile.path()).env("TMPDIR", profile.path());
        let driver = Running::start(&mut driver, "chromium-driver");
        // reqwest needs a TLS provider even for plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().timeout(TIMEOUT).build().unwrap();
        let base = format!("http://127.0.0.1:{port}");
        let listens = async || http.get(format!("{base}/status")).send().await.is_ok();
        assert!(eventually(listens).await, "chromedriver did not start");
        let mut browser = Self { http, session: base, driver, _profile: profile };
        let begun = browser.post("/session", capabilities(browser._profile.path())).await;
        browser.session = format!("{}/session/{}", browser.session, begun["sessionId"].as_str().unwrap());
        browser
            .post("/timeouts", json!({"script": TIMEOUT.as_millis() / 2, "pageLoad": TIMEOUT.as_millis() / 2}))
            .await;
        browser
    }

    async fn command(&self, method: Method, path: &str, body: &Value) -> Result<Value, Value> {
        let request = self.http.request(method.clone(), format!("{}{path}", self.session));
        let request = if method == Method::POST { request.json(body) } else { request };
        let reply = request.send().await.expect("chromedriver answers");
        let reply: Value = reply.json().await.expect("chromedriver answers in JSON");
        if reply["value"]["error"].is_null() { Ok(reply["value"].clone()) } else { Err(reply["value"].clone()) }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.command(Method::POST, path, &body).await.unwrap_or_else(|error| panic!("{path} {body}: {error:#}"))
    }

    /// Opens a page.
    pub(crate) async fn open(&self, url: &str) {
        self.post("/url", json!({"url": url})).await;
    }

    /// The URL of the current page.
    pub(crate) async fn url(&self) -> String {
        self.command(Method::GET, "/url", &Value::Null).await.unwrap().as_str().unwrap().to_owned()
    }

    /// Runs the body of an `async` function in the page; returns its result. An exception becomes a text that begins with its name.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1]; (async () => {{ {script} }})().then(done, (e) => done(`${{e.name}}: ${{e.message}}`))"
        );
        self.post("/execute/async", json!({"script": script, "args": []})).await
    }

    /// The visible text of the page.
    pub(crate) async fn text(&self) -> String {
        self.run("return document.body?.innerText ?? ''").await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page shows a text.
    pub(crate) async fn wait_for_text(&self, wanted: &str) {
        let shown = eventually(async || self.text().await.contains(wanted)).await;
        assert!(shown, "“{wanted}” did not appear in:\n{}", self.text().await);
    }

    /// Types into the element that a CSS selector finds; `\u{e007}` is Enter.
    pub(crate) async fn write(&self, selector: &str, text: &str) {
        let found = self.post("/element", json!({"using": "css selector", "value": selector})).await;
        let id = found[ELEMENT].as_str().unwrap();
        self.post(&format!("/element/{id}/value"), json!({"text": text})).await;
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // A killed driver does not end the browser.
        self.driver.end_family();
    }
}

fn capabilities(profile: &Path) -> Value {
    let arguments = [
        "--headless",
        // It runs no foreign code, and the tests may run as root.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--lang=en",
        "--host-resolver-rules=MAP *.example 127.0.0.1",
        &format!("--user-data-dir={}", profile.join("profile").display()),
    ];
    let options = json!({"args": arguments});
    json!({"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}})
}
