//! The local API against web pages of others in a real browser: nothing gets in, and no token goes out.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod chromium;
mod foreign;

use aura_sandbox::{FixedAnswers, Rule, Sandbox, SandboxConfig, Script};
use aura_tests::http::{HttpServer, eventually, sandboxed};
use chromium::Chromium;
use foreign::Foreign;
use serde_json::{Value, json};

/// The local API with its web UI, and providers.
async fn server() -> (Sandbox, HttpServer) {
    let script = Script { rules: vec![Rule::reply("The capital of France is Paris.")] };
    let fixed = FixedAnswers { transcript: Some("What is it?".into()), audio: None };
    let (sandbox, aura) = sandboxed(SandboxConfig { script, fixed, ..SandboxConfig::default() }).await;
    (sandbox, HttpServer::serving(aura, "aura", &["serve"]))
}

/// Everything that an attack could have changed, or made AURA do.
async fn state(sandbox: &Sandbox, server: &HttpServer) -> (usize, Value, String) {
    let asked = sandbox.requests().await.iter().filter(|request| request.method == "POST").count();
    let config = server.get("/providers/config/llm").send().await.unwrap().json().await.unwrap();
    (asked, config, server.settings())
}

/// How many requests to a route were refused with status 403.
async fn refused(server: &HttpServer, route: &str) -> u64 {
    let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    let of_it = metrics.lines().filter(|line| {
        line.starts_with(&format!("aura_http_requests_total{{route=\"{route}\"")) && line.contains("status=\"403\"")
    });
    of_it.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// A page of another website.
fn site(_: &str) -> (&'static str, String) {
    ("text/html", "<!doctype html><title>Foreign</title><body>A foreign page</body>".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_rebound_to_this_computer_gets_in_nowhere() {
    let (sandbox, server) = server().await;
    let before = state(&sandbox, &server).await;
    let browser = Chromium::start().await;
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"] {
        browser.open(&format!("http://{host}:{}/app/", server.port())).await;
        browser.wait_for_text("forbidden_host").await;
        // The page has the origin of the server, as after a rebinding: the browser permits everything.
        for (path, method) in [
            ("/health", "GET"),
            ("/app/index.html", "GET"),
            ("/v1/models", "GET"),
            ("/chat", "POST"),
            ("/providers/switch", "POST"),
            ("/app/rpc/snapshot", "POST"),
            ("/proof", "POST"),
            ("/session/s/history", "DELETE"),
        ] {
            let body =
                if method == "POST" { r#"JSON.stringify({text: "Hello", nonce: "0".repeat(64)})"# } else { "null" };
            let script = format!(
                "const r = await fetch('{path}', {{method: '{method}', body: {body}, headers: {{'Content-Type': 'application/json'}}}});
                 return [r.status, (await r.json()).error.code]"
            );
            assert_eq!(browser.run(&script).await, json!([403, "forbidden_host"]), "{host} {method} {path}");
        }
    }
    assert_eq!(state(&sandbox, &server).await, before);
    // The test would notice: under its own name, the same browser gets in.
    browser.open(&format!("http://localhost:{}/docs", server.port())).await;
    assert_eq!(browser.run("return (await fetch('/health')).status").await, 200);
}

/// Ways in which a page can send a request, as bodies of `async` functions that return what the page learns. `AURA` is its address.
const REQUESTS: &[(&str, &str)] = &[
    ("cors", r"return await (await fetch(`${AURA}/providers/info`)).text()"),
    (
        "cors with a token",
        r"return await (await fetch(`${AURA}/health`, {headers: {Authorization: 'Bearer x'}})).text()",
    ),
    (
        "cors with JSON",
        r"return await (await fetch(`${AURA}/chat`, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: QUESTION})).text()",
    ),
    ("cors with text", r"return await (await fetch(`${AURA}/chat`, {method: 'POST', body: QUESTION})).text()"),
    ("delete", r"return await (await fetch(`${AURA}/session/s/history`, {method: 'DELETE'})).text()"),
    (
        "no-cors",
        r"const r = await fetch(`${AURA}/chat`, {method: 'POST', mode: 'no-cors', body: QUESTION}); return r.type + await r.text()",
    ),
    (
        "no-cors to the rpc",
        r"const r = await fetch(`${AURA}/app/rpc/ask`, {method: 'POST', mode: 'no-cors', body: QUESTION}); return r.type + await r.text()",
    ),
    (
        "no-cors switch",
        r"const r = await fetch(`${AURA}/providers/switch`, {method: 'POST', mode: 'no-cors', body: SWITCH}); return r.type + await r.text()",
    ),
    ("proof", r"return await (await fetch(`${AURA}/proof`, {method: 'POST', body: QUESTION})).text()"),
    (
        "beacon",
        r"navigator.sendBeacon(`${AURA}/chat`, QUESTION); await new Promise((r) => setTimeout(r, 200)); return ''",
    ),
    (
        "request without a referrer",
        r"const r = await fetch(`${AURA}/chat`, {method: 'POST', mode: 'no-cors', referrerPolicy: 'no-referrer', body: QUESTION}); return r.type",
    ),
    (
        "events",
        r"return await new Promise((r) => { const e = new EventSource(`${AURA}/events`); e.onmessage = (m) => r(m.data); e.onerror = () => { e.close(); r('') } })",
    ),
    (
        "socket",
        r"return await new Promise((r) => { const s = new WebSocket(`${AURA.replace('http', 'ws')}/events`); s.onopen = () => r('open'); s.onerror = () => r('') })",
    ),
    ("script", r"return await loaded('script', 'src', `${AURA}/openapi.json`)"),
    ("picture", r"return await loaded('img', 'src', `${AURA}/app/icon.svg`)"),
    (
        "frame",
        r"await loaded('iframe', 'src', `${AURA}/app/`); try { return frames[0].document.body.innerText } catch { return '' }",
    ),
    (
        "sandboxed frame",
        r"return await new Promise((r) => { addEventListener('message', (m) => r(m.data)); const f = document.createElement('iframe'); f.sandbox = 'allow-scripts'; f.srcdoc = `<script>fetch('${AURA}/chat', {method: 'POST', mode: 'no-cors', body: '{}'}).then((r) => r.text()).then((t) => parent.postMessage(t, '*'), () => parent.postMessage('', '*'))<` + '/script>'; document.body.append(f) })",
    ),
    (
        "service worker of AURA's",
        r"return await navigator.serviceWorker.register(`${AURA}/docs/page.js`).then(() => 'registered', () => '')",
    ),
];

/// What every script of [`REQUESTS`] may use.
const PRELUDE: &str = r#"
const QUESTION = '{"text": "Who are you?"}';
const SWITCH = '{"service_type": "llm", "provider": "gemini"}';
const loaded = (tag, name, url) => new Promise((r) => {
  const element = document.createElement(tag);
  element.onload = () => r(tag === 'iframe' ? '' : 'loaded');
  element.onerror = () => r('');
  element[name] = url;
  document.body.append(element);
});
"#;

/// What a page learns when it learns nothing.
fn learns_nothing(result: &Value) -> bool {
    result.as_str().is_some_and(|text| matches!(text, "" | "opaque") || text.starts_with("TypeError"))
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_others_and_their_workers_learn_and_change_nothing() {
    let (sandbox, server) = server().await;
    let foreign = Foreign::serve(0, |path| match path {
        "/worker.js" => {
            let script = "onmessage = async ({data, source}) => {
                try { const r = await fetch(...data); source.postMessage(r.type + await r.text()) } catch { source.postMessage('') }
            }; oninstall = () => skipWaiting(); onactivate = (e) => e.waitUntil(clients.claim())";
            ("text/javascript", script.into())
        }
        _ => site(path),
    });
    let before = state(&sandbox, &server).await;
    let browser = Chromium::start().await;
    // Another port of this computer is the same site, but another origin.
    for host in ["attacker.example", "localhost", "127.0.0.1"] {
        for aura in ["localhost", "127.0.0.1"] {
            let aura = format!("http://{aura}:{}", server.port());
            browser.open(&foreign.url(host)).await;
            for (name, script) in REQUESTS {
                // Only a page on this computer is trusted enough for a worker.
                if host.ends_with(".example") && name.contains("worker") {
                    continue;
                }
                let result = browser.run(&format!("const AURA = '{aura}'; {PRELUDE} {script}")).await;
                assert!(learns_nothing(&result), "{host}, {name}: {result}");
            }
        }
    }
    browser.open(&foreign.url("localhost")).await;
    let worker = format!(
        "await navigator.serviceWorker.register('/worker.js'); await navigator.serviceWorker.ready;
         const worker = (await navigator.serviceWorker.getRegistration()).active;
         const ask = (...what) => new Promise((r) => {{
           navigator.serviceWorker.onmessage = (m) => r(m.data); navigator.serviceWorker.startMessages(); worker.postMessage(what)
         }});
         const AURA = 'http://localhost:{}';
         return [await ask(`${{AURA}}/health`), await ask(`${{AURA}}/chat`, {{method: 'POST', mode: 'no-cors', body: '{{}}'}}),
                 await ask('/page')]",
        server.port()
    );
    let learned = browser.run(&worker).await;
    assert!(learned[2].as_str().is_some_and(|own| own.contains("A foreign page")), "the worker works: {learned}");
    assert_eq!((&learned[0], &learned[1]), (&json!(""), &json!("opaque")));
    assert_eq!(state(&sandbox, &server).await, before);
    // The requests did reach AURA, and it refused them.
    for route in ["/chat", "/providers/switch", "/providers/info", "/events"] {
        assert!(refused(&server, route).await > 0, "no request to {route} was refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_and_links_of_others_get_in_nowhere() {
    let (sandbox, server) = server().await;
    let foreign = Foreign::serve(0, site);
    let before = state(&sandbox, &server).await;
    let browser = Chromium::start().await;
    let forms = [
        ("/chat", "application/x-www-form-urlencoded", "text", "Who are you?"),
        ("/chat", "text/plain", r#"{\"text\": \"Who are you?\", \"a\": \""#, r#"\"}"#),
        ("/process", "multipart/form-data", "audio", "RIFF"),
        (
            "/providers/switch",
            "text/plain",
            r#"{\"service_type\": \"llm\", \"provider\": \"gemini\", \"a\": \""#,
            r#"\"}"#,
        ),
        ("/app/rpc/ask", "text/plain", r#"{\"text\": \"Who are you?\", \"a\": \""#, r#"\"}"#),
    ];
    for host in ["attacker.example", "localhost"] {
        for (number, (path, media, name, value)) in forms.iter().enumerate() {
            browser.open(&foreign.url(host)).await;
            let already = refused(&server, path.strip_suffix("/ask").map_or(path, |_| "/app/rpc/{operation}")).await;
            let script = format!(
                "const form = document.createElement('form'); form.method = 'post'; form.enctype = '{media}';
                 form.action = 'http://localhost:{}{path}';
                 const field = document.createElement('input'); field.name = \"{name}\"; field.value = \"{value}\";
                 form.append(field); document.body.append(form); form.submit()",
                server.port()
            );
            browser.run(&script).await;
            let route = if path.starts_with("/app/rpc") { "/app/rpc/{operation}" } else { path };
            let came = eventually(async || refused(&server, route).await == already + 1).await;
            assert!(came, "{host}, form {number} to {path} was not refused");
            browser.wait_for_text("forbidden_origin").await;
        }
        // A link of a foreign page leads nowhere either.
        browser.open(&foreign.url(host)).await;
        browser.run(&format!("location.href = 'http://localhost:{}/session/s/history'", server.port())).await;
        browser.wait_for_text("forbidden_origin").await;
        assert!(browser.url().await.contains("/session/s/history"));
    }
    assert_eq!(state(&sandbox, &server).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_the_port_after_the_end_gets_no_token() {
    let (_sandbox, server) = server().await;
    let (port, token) = (server.port(), server.token());
    let browser = Chromium::start().await;
    browser.open(&format!("http://localhost:{port}/app/")).await;
    browser.wait_for_text("Sign in to AURA").await;
    browser.write("input[type=password]", &format!("{token}\u{e007}")).await;
    browser.wait_for_text("Providers").await;
    assert_eq!(browser.run("return sessionStorage.getItem('aura.token')").await, json!(token));
    // A request shortly before, whose connection the browser keeps.
    let history = "return (await fetch('./rpc/history', {method: 'POST', body: '{}',
                   headers: {'Content-Type': 'application/json', Authorization: `Bearer ${sessionStorage.getItem('aura.token')}`}})).status";
    assert_eq!(browser.run(history).await, 200);

    let aura = server.stop();
    let thief = Foreign::serve(port, |path| match path {
        "/proof" => ("application/json", json!({"proof": "0".repeat(64)}).to_string()),
        _ => ("text/event-stream", "data: {}\n\n".into()),
    });
    browser.wait_for_text("That token isn’t valid").await;
    let received = thief.received();
    assert!(received.iter().any(|request| request.contains("/proof")), "the page asked for the proof: {received:#?}");
    assert!(!received.iter().any(|request| request.contains(&token)), "the token went out: {received:#?}");
    assert_eq!(browser.run("return sessionStorage.getItem('aura.token')").await, Value::Null);
    // Nor does it go out when the person signs in again on the page that is still open.
    browser.write("input[type=password]", &format!("{token}\u{e007}")).await;
    let asked_again = async || thief.received().iter().filter(|request| request.contains("/proof")).count() > 1;
    assert!(eventually(asked_again).await, "{:#?}", thief.received());
    browser.wait_for_text("That token isn’t valid").await;
    assert!(!thief.received().iter().any(|request| request.contains(&token)), "{:#?}", thief.received());
    // What the thief could have collected would be of no use: the next server has another token.
    let next = HttpServer::serving(aura, "aura", &["serve"]);
    assert_ne!(next.token(), token);
}
