//! The programs themselves: what they link, how they end, and what they say when the port is taken.

use std::process::Command;

use aura_sandbox::{Reply, Rule};
use aura_tests::aura::{Aura, program};
use aura_tests::http::{HttpDoor, eventually, sandboxed};
use serde_json::json;

use super::{quick, rule, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_said() {
    let (_sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let door = HttpDoor::start(aura);
    let port = door.port().to_string();
    for (name, arguments) in [("aura-server", vec!["--port", &port]), ("aura", vec!["serve", "--port", &port])] {
        let second = Aura::of(program(name)).run(&arguments);
        assert_eq!(second.code, 1, "{second:?}");
        assert!(second.err.contains("error[port_taken]") && second.err.contains(&port), "{second:?}");
        assert_eq!(second.out, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_gently() {
    let slow = Reply { first_ms: Some(1_500), ..text("Done.") };
    let (sandbox, aura) = sandboxed(quick(vec![rule("slow", slow), Rule::reply("At once.")])).await;
    let door = HttpDoor::start(aura);
    // A stream without an end must not keep it.
    let events = door.get("/events").send().await.unwrap();
    let id = door.id().to_string();
    let (chat, ()) = tokio::join!(door.chat(json!({"text": "slow"})), async {
        let arrived = async || sandbox.requests().await.iter().any(|request| request.path.contains("chat"));
        assert!(eventually(arrived).await);
        assert!(Command::new("kill").arg(&id).status().unwrap().success());
    });
    assert_eq!(chat["response"], "Done.", "what was under way is answered: {chat}");
    assert!(events.text().await.is_ok(), "the stream ends, it does not break off");
    let gone = async || door.get("/health").send().await.is_err();
    assert!(eventually(gone).await, "it takes nobody in any more");
}

#[test]
fn the_headless_program_links_no_web_view_and_the_app_does() {
    let linked = |name: &str| {
        let done = Command::new("ldd").arg(program(name)).output().unwrap();
        String::from_utf8_lossy(&done.stdout).to_lowercase()
    };
    let headless = linked("aura-server");
    assert!(headless.contains("libc.so"), "{headless}");
    for library in ["webkit", "javascriptcore", "libgtk", "libgdk"] {
        assert!(!headless.contains(library), "{headless}");
    }
    assert!(linked("aura").contains("webkit"), "what this test looks for is what a web view links");
}
