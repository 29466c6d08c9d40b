//! `aura mcp`: another program asks through AURA, over standard input and output.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use aura_tests::aura::Aura;
use serde_json::{Value, json};

/// The other program.
struct Client {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    id: u64,
}

impl Client {
    fn start(aura: &Aura, arguments: &[&str]) -> Self {
        let mut command = aura.command(&["--sandbox", "mcp"]);
        let piped = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = piped.spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut client = Self { child, to, from, id: 0 };
        let about = json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
        });
        assert_eq!(client.ask("initialize", &about)["serverInfo"]["name"], "aura");
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.to, "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params}));
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|cause| panic!("{cause}: {line}"));
        assert_eq!(answer["id"], self.id, "{answer}");
        answer["result"].take()
    }

    fn tools(&mut self) -> Vec<String> {
        let listed = self.ask("tools/list", &json!({}));
        listed["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", &json!({"name": tool, "arguments": arguments}))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn another_program_asks_and_gets_neither_microphone_nor_screen() {
    let aura = Aura::new();
    let mut client = Client::start(&aura, &[]);
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
    drop(std::mem::replace(&mut client.to, {
        let mut other = std::process::Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
        let to = other.stdin.take().unwrap();
        other.wait().unwrap();
        to
    }));
    assert!(client.child.wait().unwrap().success());
}

#[test]
fn what_the_person_allows_is_offered() {
    let aura = Aura::new();
    assert_eq!(Client::start(&aura, &["--microphone"]).tools(), ["ask", "listen", "speak"]);
    assert_eq!(Client::start(&aura, &["--screen"]).tools(), ["ask", "speak", "look_at_screen"]);
}
