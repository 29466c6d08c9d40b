//! The web interface: its files need no token, its operations and events do.

use std::time::Duration;

use aura_tests::http::{HttpServer, answer, sandboxed};
use futures::StreamExt;
use serde_json::{Value, json};

use super::quick;

async fn server() -> (aura_sandbox::Sandbox, HttpServer) {
    let (sandbox, aura) = sandboxed(quick(Vec::new())).await;
    (sandbox, HttpServer::serving(aura, "aura", &["serve"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn its_files_are_served_with_a_strict_policy() {
    let (_sandbox, server) = server().await;
    let page = server.get("/app").send().await.unwrap();
    assert_eq!((page.status().as_u16(), page.url().path()), (200, "/app/"));
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    let html = page.text().await.unwrap();
    // Every file that the page loads is served, at a relative path.
    let sources = html.split(['"', '\'']).filter(|part| part.ends_with(".js") || part.ends_with(".css"));
    let sources: Vec<&str> = sources.collect();
    assert!(!sources.is_empty(), "{html}");
    for source in sources {
        let path = source.strip_prefix("./").unwrap_or_else(|| panic!("`{source}` is not beside the page"));
        let file = server.get(&format!("/app/{path}")).send().await.unwrap();
        assert_eq!(file.status(), 200, "{path}");
        let kind = file.headers()["content-type"].to_str().unwrap();
        assert!(kind.starts_with("text/javascript") || kind.starts_with("text/css"), "{path}: {kind}");
    }
    for missing in ["/app/nothing.js", "/app/../config.toml", "/app/%2e%2e/config.toml", "/app/%FF"] {
        let status = server.get(missing).send().await.unwrap().status().as_u16();
        assert!(status == 404 || status == 400, "{missing}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_need_the_token_even_for_the_same_user() {
    let (_sandbox, server) = server().await;
    let without = server.post("/app/rpc/snapshot").json(&json!({})).send().await.unwrap();
    assert_eq!(without.status(), 401);
    let refused: Value = without.json().await.unwrap();
    assert_eq!(refused["error"]["code"], "unauthorized");
    assert_eq!(server.get("/app/events").send().await.unwrap().status(), 401);

    let with = async |operation: &str, request: Value| {
        server.post(&format!("/app/rpc/{operation}")).bearer_auth(server.token()).json(&request).send().await.unwrap()
    };
    let snapshot = answer(with("snapshot", json!({})).await).await;
    assert_eq!(snapshot["stage"], "idle");
    // Operations and errors are those of the window.
    assert_eq!(with("ask", json!({"text": " "})).await.status(), 422);
    assert_eq!(with("format_disk", json!({})).await.status(), 404);
    let saved =
        with("save_key", json!({"provider": "groq", "key": "gsk_a_key_that_is_secret_1234", "session_only": true}));
    let text = saved.await.text().await.unwrap();
    assert!(!text.contains("gsk_a_key"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_event_is_a_snapshot() {
    let (_sandbox, server) = server().await;
    let stream = server.get("/app/events").bearer_auth(server.token()).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let mut stream = stream.bytes_stream();
    let mut seen = String::new();
    let mut until = async |wanted: &str| {
        let read = async {
            while !seen.contains(wanted) {
                seen.push_str(&String::from_utf8_lossy(&stream.next().await.expect("the stream continues").unwrap()));
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(60), read).await;
        assert!(came.is_ok(), "`{wanted}` did not come");
    };
    until("data: {\"type\":\"changed\"").await;
    let ask = server.post("/app/rpc/ask").bearer_auth(server.token());
    let asked = ask.json(&json!({"text": "What is the capital of France?", "speech": "none"})).send();
    let (asked, ()) = tokio::join!(asked, until("\"type\":\"done\""));
    assert_eq!(asked.unwrap().status(), 200);
}
