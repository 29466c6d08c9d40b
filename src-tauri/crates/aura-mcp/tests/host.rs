//! AURA as a server for other programs.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aura_mcp::{Call, Error, ServerConfig, Servers, Transport};
use common::{SOON, Values, call, short, started, until};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const PROGRAM: &str = env!("CARGO_BIN_EXE_scripted-mcp-host");

/// AURA as seen by a client, with what the user allows.
fn aura(allowed: &str, log: &str) -> Servers {
    let transport = Transport::Stdio {
        command: PROGRAM.into(),
        args: vec![allowed.into()],
        env: BTreeSet::from(["SCRIPT_LOG".to_owned()]),
        cwd: None,
    };
    let values = [("SCRIPT_LOG".to_owned(), log.to_owned())];
    let servers = Servers::new(Arc::new(Values(values.into())), short());
    servers.configure([ServerConfig { transport, ..ServerConfig::stdio("s", PROGRAM) }]);
    servers
}

fn names(servers: &Servers) -> Vec<String> {
    servers.tools().iter().map(|tool| tool.name.clone()).collect()
}

#[tokio::test]
async fn other_programs_ask_listen_speak_and_see() {
    let servers = aura("microphone,screen", "");
    started(&servers).await;
    assert_eq!(names(&servers), ["ask", "listen", "speak", "look_at_screen"]);
    assert!(servers.tools().iter().all(|tool| tool.title.is_some() && tool.hints.destructive == Some(false)));
    let answer = call(&servers, "ask", json!({"question": "Wie spät?"})).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.is_error), ("You asked: Wie spät?", false));
    assert_eq!(call(&servers, "listen", json!({})).await.unwrap().text, "[Nobody spoke.]");
    assert_eq!(call(&servers, "speak", json!({"text": "Hello"})).await.unwrap().text, "It was said.");
    let seen = call(&servers, "look_at_screen", json!({})).await.unwrap();
    assert_eq!(seen.pictures[0].data, b"\x89PNG\r\n\x1a\nscreen"[..]);
    let failed = call(&servers, "ask", json!({"question": "nothing"})).await.unwrap();
    assert_eq!((failed.text.as_str(), failed.is_error), ("No provider answered.", true));
}

#[tokio::test]
async fn wrong_arguments_are_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let servers = aura("microphone,screen", log.to_str().unwrap());
    let wrong = [
        ("ask", json!({})),
        ("ask", json!({"question": 5})),
        ("ask", json!({"question": "  "})),
        ("ask", json!({"question": "a", "screen": true})),
        ("speak", json!({"text": "x".repeat(20_000)})),
        ("listen", json!({"seconds": 5})),
    ];
    for (tool, arguments) in wrong {
        let error = call(&servers, tool, arguments).await.unwrap_err();
        assert!(matches!(error, Error::Rejected { code: -32602, .. }), "{tool}: {error:?}");
    }
    assert!(!log.exists());
}

#[tokio::test]
async fn what_is_not_allowed_is_neither_offered_nor_done() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let servers = aura("", log.to_str().unwrap());
    started(&servers).await;
    assert_eq!(names(&servers), ["ask", "speak"]);
    // A program that calls it all the same.
    let lines = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
        }}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "listen", "arguments": {}}}),
        json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "look_at_screen"}}),
    ];
    let answers = talk(&lines.map(|line| line.to_string()), 3, log.to_str().unwrap());
    for id in [2, 3] {
        let answer = answers.iter().find(|answer| answer["id"] == id).unwrap();
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains("not allowed"), "{answer}");
    }
    assert_eq!(answers[0]["result"]["protocolVersion"], "2025-06-18");
    assert!(!log.exists());
}

/// Writes lines to the program, waits for this number of answers, closes its input, and returns all answers until its end.
fn talk(lines: &[String], count: usize, log: &str) -> Vec<Value> {
    let mut program = Command::new(PROGRAM);
    program.env("SCRIPT_LOG", log).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    for line in lines {
        writeln!(input, "{line}").unwrap();
    }
    let mut answers = BufReader::new(output).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap());
    let mut found: Vec<Value> = answers.by_ref().take(count).collect();
    drop(input);
    found.extend(answers);
    child.wait().unwrap();
    found
}

#[tokio::test]
async fn what_nobody_waits_for_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let servers = aura("", log.to_str().unwrap());
    let mut long = Call::new("s", "speak");
    long.arguments.insert("text".into(), "on and on".into());
    let is_stopped = |count: usize| {
        let log = log.clone();
        move || std::fs::read_to_string(&log).unwrap_or_default().matches("stopped").count() == count
    };
    // The call is cancelled.
    let limited = Call { timeout: Some(Duration::from_millis(300)), ..long.clone() };
    let error = servers.call(limited, &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    until("it is stopped", is_stopped(1)).await;
    // The other program ends.
    let never = CancellationToken::new();
    let (_, ()) = tokio::join!(servers.call(long, &never), async {
        let speaks = || std::fs::read_to_string(&log).unwrap_or_default().matches("speaking").count() == 2;
        until("it speaks", speaks).await;
        servers.close().await;
    });
    until("it is stopped", is_stopped(2)).await;
}

#[tokio::test]
async fn more_calls_than_allowed_are_refused() {
    let servers = aura("", "");
    started(&servers).await;
    let never = CancellationToken::new();
    let long = || {
        let mut call = Call { timeout: Some(Duration::from_secs(2)), ..Call::new("s", "speak") };
        call.arguments.insert("text".into(), "on and on".into());
        servers.call(call, &never)
    };
    let (_, refused) = tokio::join!(futures::future::join_all([long(), long(), long(), long()]), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        call(&servers, "ask", json!({"question": "a"})).await.unwrap()
    });
    assert!(refused.is_error && refused.text.contains("busy"), "{refused:?}");
    // Until the server knows that nobody waits for the first ones.
    let start = Instant::now();
    while call(&servers, "ask", json!({"question": "a"})).await.unwrap().is_error {
        assert!(start.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn what_is_no_protocol_ends_or_is_ignored() {
    assert!(talk(&[], 0, "").is_empty());
    assert!(talk(&["hello".into(), "{\"a\": 1}".into()], 0, "").len() <= 1);
}
