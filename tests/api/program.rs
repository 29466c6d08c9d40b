//! The programs: their libraries, their shutdown, and the error for a port in use.

use std::process::Command;

use aura_sandbox::{Rule, ScriptedReply};
use aura_tests::aura::{Aura, program};
use aura_tests::http::{HttpServer, eventually, sandboxed};
use serde_json::json;

use super::{quick, rule, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_reported() {
    let (_sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let server = HttpServer::start(aura);
    let port = server.port().to_string();
    for (name, arguments) in [("aura-server", vec!["--port", &port]), ("aura", vec!["serve", "--port", &port])] {
        let second = Aura::of(program(name)).run(&arguments);
        assert_eq!(second.code, 1, "{second:?}");
        assert!(second.err.contains("error[port_taken]") && second.err.contains(&port), "{second:?}");
        assert_eq!(second.out, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_is_graceful() {
    let slow = ScriptedReply { first_ms: Some(1_500), ..text("Done.") };
    let (sandbox, aura) = sandboxed(quick(vec![rule("slow", slow), Rule::reply("At once.")])).await;
    let server = HttpServer::start(aura);
    // An endless stream must not block the shutdown.
    let events = server.get("/events").send().await.unwrap();
    let id = server.id().to_string();
    let (chat, ()) = tokio::join!(server.chat(json!({"text": "slow"})), async {
        let arrived = async || sandbox.requests().await.iter().any(|request| request.path.contains("chat"));
        assert!(eventually(arrived).await);
        assert!(Command::new("kill").arg(&id).status().unwrap().success());
    });
    assert_eq!(chat["response"], "Done.", "a running request is answered: {chat}");
    assert!(events.text().await.is_ok(), "the stream ends without an error");
    let gone = async || server.get("/health").send().await.is_err();
    assert!(eventually(gone).await, "new connections are refused");
}

#[test]
fn only_the_app_links_a_web_view() {
    let linked = |name: &str| {
        let done = Command::new("ldd").arg(program(name)).output().unwrap();
        String::from_utf8_lossy(&done.stdout).to_lowercase()
    };
    let headless = linked("aura-server");
    assert!(headless.contains("libc.so"), "{headless}");
    for library in ["webkit", "javascriptcore", "libgtk", "libgdk"] {
        assert!(!headless.contains(library), "{headless}");
    }
    assert!(linked("aura").contains("webkit"), "the app links the libraries that this test looks for");
}
