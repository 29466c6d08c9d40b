//! The real window under WebDriver: `WebKitWebDriver` starts the app; this is the part of the protocol that the tests use.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::aura::{App, Aura};
use crate::display::windows;
use crate::process::{Running, run, wait_until};

/// The key that identifies an element in the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The time limit of a command. A script may take half of it: axe-core is slow on a busy computer.
const TIMEOUT: Duration = Duration::from_secs(180);

/// The page of the main window. Its URL may omit the name.
pub const MAIN: &str = "index.html";
/// The page of the overlay.
pub const OVERLAY: &str = "overlay.html";

/// Functions that return the role and the accessible name of an element.
pub(crate) const ROLE_AND_NAME: &str = r#"
const implied = {BUTTON: 'button', TEXTAREA: 'textbox', SELECT: 'combobox', A: 'link', INPUT: 'textbox', H1: 'heading', H2: 'heading'};
const roleOf = (e) => e.getAttribute('role') ?? (e.type === 'checkbox' ? 'checkbox' : implied[e.tagName] ?? '');
const labels = (e) => (e.getAttribute('aria-labelledby') ?? '').split(/\s+/).filter(Boolean).map((id) => document.getElementById(id)?.textContent ?? '');
const nameOf = (e) => [e.getAttribute('aria-label') ?? '', ...labels(e), ...[...(e.labels ?? [])].map((l) => l.textContent), e.textContent];
const is = (e, role, name) => (role === '' || roleOf(e) === role) && nameOf(e).some((n) => n.trim().replace(/\s+/g, ' ').startsWith(name));
"#;

/// Finds the last visible element with a role, which may be empty, and the beginning of an accessible name.
const FIND: &str = r#"
const wanted = (e) => is(e, arguments[0], arguments[1]);
return [...document.querySelectorAll('*')].filter((e) => wanted(e) && e.getClientRects().length > 0).at(-1) ?? null;
"#;

/// The app and its windows, controlled through WebDriver.
#[derive(Debug)]
pub struct Window {
    runtime: Runtime,
    http: Client,
    session: String,
    /// The app.
    pub app: App,
    /// The file with the process ID of the app.
    started: Option<PathBuf>,
}

impl Window {
    /// Starts the app under WebDriver and selects the main window.
    pub fn open(aura: Aura) -> Self {
        // A free port. It is unlikely that another program takes it before the driver starts.
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let wrapper = aura.folder().join("aura-under-test");
        let script = format!(
            "#!/bin/sh\necho $$ > \"$0.pid\"\ndate +%s%N > \"$0.begun\"\nexec timeout --kill-after=5 {} '{}'\n",
            aura.life(),
            aura.program().display()
        );
        std::fs::write(&wrapper, script).expect("the folder can be written");
        std::fs::set_permissions(&wrapper, PermissionsExt::from_mode(0o755)).expect("the script can be made a program");

        let aura = aura.with("TAURI_WEBVIEW_AUTOMATION", "true");
        let mut driver =
            aura.command_of(Path::new("WebKitWebDriver"), &[&format!("--port={port}"), "--host=127.0.0.1"]);
        let log = std::fs::File::create(aura.log()).expect("the folder can be written");
        let driver = Running::start(driver.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log), "webkit2gtk-driver");

        // reqwest needs a TLS provider even for plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().timeout(TIMEOUT).build().expect("a client without TLS");
        let runtime = Runtime::new().expect("threads can be started");
        let base = format!("http://127.0.0.1:{port}");
        let listens = || runtime.block_on(async { http.get(format!("{base}/status")).send().await.is_ok() });
        assert!(wait_until(Duration::from_secs(20), listens), "WebKitWebDriver did not start");

        let app = App::of(driver, aura);
        let mut window = Self { runtime, http, session: base, app, started: Some(wrapper.with_extension("pid")) };
        let options = json!({"binary": wrapper, "args": []});
        let begun = window.command(
            Method::POST,
            "/session",
            json!({"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}}),
        );
        window.session =
            format!("{}/session/{}", window.session, begun["sessionId"].as_str().expect("a session has a name"));
        window.command(Method::POST, "/timeouts", json!({"script": TIMEOUT.as_millis() / 2}));
        window.app.wait_until_ready();
        window.switch_to(MAIN);
        // A key that is pressed before would be lost.
        let is_mounted = || window.script("return document.getElementById('app').childElementCount > 0", &[]) == true;
        assert!(wait_until(Duration::from_secs(20), is_mounted), "the page stays empty");
        window
    }

    fn command(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.session);
        let request = self.http.request(method.clone(), url);
        let request = if method == Method::POST { request.json(&body) } else { request };
        let reply: Value = self.runtime.block_on(async {
            let reply = request.send().await.expect("WebKitWebDriver answers");
            reply.json().await.expect("WebKitWebDriver answers in JSON")
        });
        assert!(reply["value"]["error"].is_null(), "{path} {body}: {reply:#}");
        reply["value"].clone()
    }

    /// Selects the window that shows this page.
    pub fn switch_to(&self, page: &str) {
        let found = wait_until(Duration::from_secs(20), || {
            let handles = self.command(Method::GET, "/window/handles", Value::Null);
            handles.as_array().into_iter().flatten().any(|handle| {
                self.command(Method::POST, "/window", json!({"handle": handle}));
                self.command(Method::GET, "/url", Value::Null)
                    .as_str()
                    .is_some_and(|url| url.contains(page) || (page == MAIN && !url.contains(OVERLAY)))
            })
        });
        assert!(found, "no window shows {page}");
    }

    /// Runs a script in the page.
    pub fn script(&self, script: &str, arguments: &[Value]) -> Value {
        self.command(Method::POST, "/execute/sync", json!({"script": script, "args": arguments}))
    }

    /// Runs a script that passes its result to its last argument, a callback, and waits for it.
    pub fn script_async(&self, script: &str, arguments: &[Value]) -> Value {
        self.command(Method::POST, "/execute/async", json!({"script": script, "args": arguments}))
    }

    /// The visible text of the page. A window that was never shown has no layout; then all text of its elements.
    pub fn text(&self) -> String {
        self.script("return document.body.innerText || document.body.textContent", &[])
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Waits until the page shows a text.
    pub fn wait_for_text(&self, text: &str) {
        let shown = wait_until(Duration::from_secs(40), || self.text().contains(text));
        assert!(shown, "“{text}” did not appear in:\n{}", self.text());
    }

    /// Waits for the element with this role and accessible name.
    pub fn find(&self, role: &str, name: &str) -> Value {
        let mut found = Value::Null;
        wait_until(Duration::from_secs(20), || {
            found = self.look_for(role, name);
            found.is_object()
        });
        assert!(found.is_object(), "there is no {role} “{name}” in:\n{}", self.text());
        found
    }

    /// Whether an element with this role and accessible name is visible now.
    pub fn shows(&self, role: &str, name: &str) -> bool {
        self.look_for(role, name).is_object()
    }

    fn look_for(&self, role: &str, name: &str) -> Value {
        self.script(&format!("{ROLE_AND_NAME}{FIND}"), &[json!(role), json!(name)])
    }

    fn on(&self, element: &Value, what: &str, body: Value) {
        let id = element[ELEMENT].as_str().expect("an element");
        // The driver does not scroll within a scrollable part of the page.
        self.script("arguments[0].scrollIntoView({ block: 'nearest' })", std::slice::from_ref(element));
        self.command(Method::POST, &format!("/element/{id}/{what}"), body);
    }

    /// Clicks an element.
    pub fn click(&self, role: &str, name: &str) {
        self.on(&self.find(role, name), "click", json!({}));
    }

    /// Types into an element; `\u{e007}` is Enter.
    pub fn write(&self, role: &str, name: &str, text: &str) {
        self.on(&self.find(role, name), "value", json!({"text": text}));
    }

    /// Moves the pointer onto an element and presses its button down.
    pub fn press(&self, role: &str, name: &str) {
        let origin = self.find(role, name);
        let to = json!({"type": "pointerMove", "duration": 0, "origin": origin, "x": 0, "y": 0});
        self.pointer(&[to, json!({"type": "pointerDown", "button": 0})]);
    }

    /// Releases the pointer's button.
    pub fn release(&self) {
        self.pointer(&[json!({"type": "pointerUp", "button": 0})]);
    }

    fn pointer(&self, actions: &[Value]) {
        let mouse =
            json!({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions});
        self.command(Method::POST, "/actions", json!({"actions": [mouse]}));
    }

    /// Presses (`keyDown`) or releases (`keyUp`) a key.
    pub fn key(&self, edge: &str, key: &str) {
        self.keys(&[json!({"type": edge, "value": key})]);
    }

    /// Performs key actions in order.
    pub(crate) fn keys(&self, actions: &[Value]) {
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.command(Method::POST, "/actions", json!({"actions": [keyboard]}));
    }

    /// Resizes the window so that its page has this size, and waits for it.
    pub fn resize(&self, width: u32, height: u32) {
        self.command(Method::POST, "/window/rect", json!({"x": 0, "y": 0, "width": width, "height": height}));
        let fits = || self.script("return [innerWidth, innerHeight]", &[]) == json!([width, height]);
        assert!(
            wait_until(Duration::from_secs(10), fits),
            "the page does not become {width} × {height}: {}",
            self.script("return [innerWidth, innerHeight, outerWidth, outerHeight]", &[])
        );
    }

    /// The start time of the app, in milliseconds since 1970.
    pub fn begun_ms(&self) -> Option<f64> {
        let file = self.started.as_ref()?.with_extension("begun");
        Some(std::fs::read_to_string(file).ok()?.trim().parse::<f64>().ok()? / 1e6)
    }

    /// Waits until all finite animations have ended.
    pub fn wait_until_still(&self) {
        let still = || {
            self.script(
                "return document.getAnimations().filter((a) => a.effect?.getTiming().iterations !== Infinity).length",
                &[],
            ) == 0
        };
        wait_until(Duration::from_secs(5), still);
    }

    /// Saves a screenshot of the page in [`screenshots`].
    pub fn screenshot(&self, name: &str) -> PathBuf {
        self.wait_until_still();
        let encoded = self.command(Method::GET, "/screenshot", Value::Null);
        let png =
            base64::prelude::BASE64_STANDARD.decode(encoded.as_str().unwrap_or_default()).expect("a picture in base64");
        let file = screenshots().join(format!("{name}.png"));
        std::fs::write(&file, png).expect("the folder can be written");
        file
    }

    /// Saves a picture of a window, found by its title, from the screen. WebKit's own screenshot hangs if the window was just resized.
    pub fn picture_on_screen(&self, title: &str, file: &Path) {
        self.wait_until_still();
        // Two frames: what the first one draws is on the screen when the second one begins.
        let drawn = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 120)))";
        self.script_async(drawn, &[]);
        let id = windows(title).last().unwrap_or_else(|| panic!("no window is called {title}")).to_string();
        run(Command::new("import").args(["-window", &id]).arg(file), "imagemagick");
    }
}

/// The folder for screenshots, beside the folder of the built programs.
pub fn screenshots() -> PathBuf {
    let folder = crate::aura::programs().parent().expect("a build has a folder").join("screenshots");
    std::fs::create_dir_all(&folder).expect("the build's folder can be written");
    folder
}

impl Drop for Window {
    fn drop(&mut self) {
        let Some(started) = self.started.take() else { return };
        if std::thread::panicking() {
            let page = self.runtime.block_on(async {
                let body = json!({"script": "return document.body.innerText", "args": []});
                let reply = self.http.post(format!("{}/execute/sync", self.session)).json(&body).send().await.ok()?;
                reply.text().await.ok()
            });
            eprintln!("-- the window: {page:?}");
        }
        // The driver started the app, so it is ended by its own process ID.
        if let Ok(id) = std::fs::read_to_string(started) {
            run(Command::new("sh").args(["-c", "kill \"$1\" 2>/dev/null; true", "sh", id.trim()]), "dash");
        }
    }
}
