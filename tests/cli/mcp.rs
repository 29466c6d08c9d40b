//! `aura mcp`: another program asks through AURA, over standard input and output.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use aura_tests::aura::Aura;
use aura_tests::mcp_client::McpClient;
use serde_json::json;

fn start(aura: &Aura, arguments: &[&str]) -> McpClient {
    McpClient::start(aura.command(&["--sandbox", "mcp"]).args(arguments))
}

#[test]
fn another_program_asks_and_gets_neither_microphone_nor_screen() {
    let aura = Aura::new();
    let mut client = start(&aura, &[]);
    assert_eq!(client.tools(), ["ask", "speak"]);
    let answer = client.call("ask", json!({"question": "What time is it?"}));
    assert_eq!(answer["isError"], false, "{answer}");
    assert!(!answer["content"][0]["text"].as_str().unwrap().is_empty(), "{answer}");
    for refused in ["listen", "look_at_screen"] {
        let answer = client.call(refused, json!({}));
        assert_eq!(answer["isError"], true, "{answer}");
        assert!(answer["content"][0]["text"].as_str().unwrap().contains("not allowed"), "{answer}");
    }
    // It ends with the other program.
    assert!(client.close().success());
}

#[test]
fn what_the_person_allows_is_offered() {
    let aura = Aura::new();
    assert_eq!(start(&aura, &["--microphone"]).tools(), ["ask", "listen", "speak"]);
    assert_eq!(start(&aura, &["--screen"]).tools(), ["ask", "speak", "look_at_screen"]);
}
