//! The reference servers of the protocol's authors, and programs that use AURA as a server, from npm and PyPI. `cargo xtask test --only mcp`
//! installs them.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod common;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use aura_mcp::{Call, Error, Limits, ServerConfig, ServerState, Servers, ToolOutput, Transport, import};
use common::{SOON, Values, started, status, until};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// The folder of what cargo builds, where the servers are, too.
fn target() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_scripted-mcp-server")).ancestors().nth(2).unwrap().to_owned()
}

/// The main file of a server from npm.
fn script(package: &str) -> String {
    let folder = target().join("mcp-servers/node_modules/@modelcontextprotocol").join(package);
    installed(folder.join("dist/index.js"))
}

fn installed(file: PathBuf) -> String {
    assert!(file.is_file(), "{} is missing: run `cargo xtask test --only mcp`", file.display());
    file.to_str().unwrap().to_owned()
}

/// The only server of a list, under the name `s`.
async fn ready(list: Value) -> Servers {
    let imported = import(&json!({"mcpServers": {"s": list}}).to_string()).unwrap().remove(0).unwrap();
    let values = imported.values.iter().map(|(name, value)| {
        use secrecy::ExposeSecret;
        (name.name.clone(), value.expose_secret().to_owned())
    });
    let servers = Servers::new(Arc::new(Values(values.collect())), Limits::default());
    servers.configure([imported.config]);
    assert_eq!(started(&servers).await, ServerState::Ready);
    assert_eq!(status(&servers).rejected, []);
    servers
}

async fn call(servers: &Servers, tool: &str, arguments: Value) -> Result<ToolOutput, Error> {
    let tool = servers.tools().into_iter().find(|known| known.name == tool).expect("the tool is listed");
    let arguments = arguments.as_object().cloned().unwrap_or_default();
    servers.call(Call::of(&tool, arguments), &CancellationToken::new()).await
}

fn names(servers: &Servers) -> BTreeSet<String> {
    servers.tools().iter().map(|tool| tool.name.clone()).collect()
}

#[tokio::test]
async fn the_server_time_tells_the_time() {
    let program = installed(target().join("python-mcp/bin/mcp-server-time"));
    let servers = ready(json!({"command": program, "args": ["--local-timezone", "Europe/Berlin"]})).await;
    assert_eq!(names(&servers), ["convert_time", "get_current_time"].map(str::to_owned).into());
    let converted = json!({"source_timezone": "Asia/Tokyo", "time": "10:30", "target_timezone": "Asia/Kolkata"});
    let output = call(&servers, "convert_time", converted).await.unwrap();
    assert!(!output.is_error && output.text.contains("T07:00:00+05:30"), "{}", output.text);
    let wrong = call(&servers, "get_current_time", json!({"timezone": "Mars/Base"})).await.unwrap();
    assert!(wrong.is_error && wrong.text.contains("Mars/Base"), "{wrong:?}");
}

#[tokio::test]
async fn the_server_memory_remembers_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("memory.jsonl");
    let servers = ready(json!({
        "command": "node", "args": [script("server-memory")], "env": {"MEMORY_FILE_PATH": file.to_str().unwrap()},
    }))
    .await;
    let entity = json!({"name": "Ada", "entityType": "person", "observations": ["writes programs"]});
    call(&servers, "create_entities", json!({"entities": [entity]})).await.unwrap();
    servers.restart("s").unwrap();
    servers.settled(SOON).await;
    let found = call(&servers, "search_nodes", json!({"query": "programs"})).await.unwrap();
    assert!(found.text.contains("Ada"), "{found:?}");
    assert!(std::fs::read_to_string(file).unwrap().contains("Ada"));
}

#[tokio::test]
async fn the_server_filesystem_stays_in_its_folder() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let servers = ready(json!({
        "command": "node", "args": [script("server-filesystem"), folder.path().to_str().unwrap()],
    }))
    .await;
    let file = folder.path().join("note.txt");
    let content = "Größe: ✓\n".repeat(10_000);
    call(&servers, "write_file", json!({"path": file, "content": content})).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
    let read = call(&servers, "read_text_file", json!({"path": file})).await.unwrap();
    assert!(read.truncated && content.starts_with(&read.text) && read.text.len() > 60_000);
    let picture = folder.path().join("dot.png");
    std::fs::write(&picture, b"\x89PNG\r\n\x1a\nrest").unwrap();
    let seen = call(&servers, "read_media_file", json!({"path": picture})).await.unwrap();
    assert_eq!(seen.pictures[0].data, b"\x89PNG\r\n\x1a\nrest"[..]);
    std::fs::write(outside.path().join("secret.txt"), "secret").unwrap();
    let refused = call(&servers, "read_text_file", json!({"path": outside.path().join("secret.txt")})).await.unwrap();
    assert!(refused.is_error && refused.text.contains("denied"), "{refused:?}");
    // What the server says of its tools.
    let hints = |name: &str| servers.tools().into_iter().find(|tool| tool.name == name).unwrap().hints;
    assert_eq!((hints("read_text_file").read_only, hints("write_file").read_only), (Some(true), Some(false)));
}

/// What holds for the server that has everything, whatever the transport.
async fn has_everything(servers: &Servers) {
    let known = names(servers);
    for tool in ["echo", "get-sum", "get-tiny-image", "get-structured-content", "trigger-long-running-operation"] {
        assert!(known.contains(tool), "{tool} is not in {known:?}");
    }
    // It offers these only to a client that gives it a model, or an answer of the user.
    assert!(!known.contains("trigger-sampling-request") && !known.contains("trigger-elicitation-request"), "{known:?}");
    assert_eq!(call(servers, "echo", json!({"message": "ä"})).await.unwrap().text, "Echo: ä");
    let sum = call(servers, "get-sum", json!({"a": 2, "b": 3})).await.unwrap();
    assert!(sum.text.contains('5'), "{sum:?}");
    let wrong = call(servers, "get-sum", json!({"a": "two"})).await;
    assert!(wrong.as_ref().map_or(true, |output| output.is_error), "{wrong:?}");
    let picture = call(servers, "get-tiny-image", json!({})).await.unwrap();
    assert_eq!((picture.pictures.len(), picture.pictures[0].media_type), (1, "image/png"));
    let weather = call(servers, "get-structured-content", json!({"location": "Chicago"})).await.unwrap();
    assert!(weather.text.contains("temperature"), "{weather:?}");
    // Progress, and the end of patience.
    let long = |seconds: u32| json!({"duration": seconds, "steps": 5});
    let done = call(servers, "trigger-long-running-operation", long(1)).await.unwrap();
    assert!(done.text.contains("completed"), "{done:?}");
    let tool = servers.tools().into_iter().find(|tool| tool.name == "trigger-long-running-operation").unwrap();
    let arguments = long(60).as_object().cloned().unwrap();
    let limited = Call { timeout: Some(Duration::from_millis(500)), ..Call::of(&tool, arguments) };
    let error = servers.call(limited, &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert_eq!(call(servers, "echo", json!({"message": "b"})).await.unwrap().text, "Echo: b");
}

#[tokio::test]
async fn the_server_everything_works_over_standard_input() {
    let servers = ready(json!({"command": "node", "args": [script("server-everything")]})).await;
    has_everything(&servers).await;
}

#[tokio::test]
async fn the_server_everything_works_over_http_and_comes_back() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = script("server-everything");
    let start = || {
        let mut node = tokio::process::Command::new("node");
        node.args([&script, "streamableHttp"]).env("PORT", port.to_string());
        node.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap()
    };
    let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    let mut server = start();
    until("it listens", listens).await;
    let servers = ready(json!({"type": "http", "url": format!("http://127.0.0.1:{port}/mcp")})).await;
    has_everything(&servers).await;
    // Its session is gone with it.
    server.kill().await.unwrap();
    let _again = start();
    until("it listens again", listens).await;
    // The first call finds that the session is gone, and fails soon; a later one goes over a new connection.
    let limited = || Call { timeout: Some(Duration::from_secs(5)), ..echo("c") };
    let mut outcome = servers.call(limited(), &CancellationToken::new()).await;
    for _ in 0..5 {
        match &outcome {
            Ok(_) => break,
            Err(error) => assert!(matches!(error, Error::Ended { .. } | Error::NotReady { .. }), "{error:?}"),
        }
        outcome = servers.call(limited(), &CancellationToken::new()).await;
    }
    assert_eq!(outcome.unwrap().text, "Echo: c");
}

fn echo(message: &str) -> Call {
    let mut call = Call::new("s", "echo");
    call.arguments.insert("message".into(), message.into());
    call
}

/// A package runner starts a shell, which starts the server: all of them end.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_server_of_a_package_runner_ends_with_it() {
    let program = installed(target().join("mcp-servers/node_modules/.bin/mcp-server-everything"));
    let config = ServerConfig {
        transport: Transport::Stdio {
            command: "sh".into(),
            // Standard input goes to the program in the background.
            args: vec!["-c".into(), format!("exec 3<&0; '{program}' <&3 & wait")],
            env: BTreeSet::new(),
            cwd: None,
        },
        ..ServerConfig::stdio("s", "sh")
    };
    let servers = Servers::new(Arc::new(Values(Default::default())), Limits::default());
    servers.configure([config]);
    assert_eq!(started(&servers).await, ServerState::Ready);
    let running = || {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = all.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
        lines.filter(|line| line.contains(&program)).count()
    };
    assert!(running() >= 2);
    servers.close().await;
    until("all of it is gone", || running() == 0).await;
}

/// Runs a program to its end; what it prints as JSON.
async fn printed(program: &str, arguments: &[&str]) -> Value {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let done = tokio::time::timeout(Duration::from_secs(60), command.output()).await.unwrap().unwrap();
    let (out, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{program} {arguments:?}: {out}{error}");
    serde_json::from_str(&out).unwrap_or_else(|cause| panic!("{cause}: {out}"))
}

const AURA: &str = env!("CARGO_BIN_EXE_scripted-mcp-host");

#[tokio::test]
async fn the_inspector_uses_aura() {
    let inspector = target().join("mcp-servers/node_modules/@modelcontextprotocol/inspector/cli/build/cli.js");
    let inspector = installed(inspector);
    let run = async |arguments: &[&str]| {
        let all: Vec<&str> = [&inspector, "--cli", AURA].into_iter().chain(arguments.iter().copied()).collect();
        printed("node", &all).await
    };
    let listed = run(&["microphone", "--method", "tools/list"]).await;
    let names: Vec<_> = listed["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["ask", "listen", "speak"]);
    let question = ["--method", "tools/call", "--tool-name", "ask", "--tool-arg", "question=Why?"];
    assert_eq!(run(&question).await["content"][0]["text"], "You asked: Why?");
}

#[tokio::test]
async fn the_sdk_for_python_uses_aura() {
    let python = installed(target().join("python-mcp/bin/python"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/host.py");
    let seen = printed(&python, &[script, AURA, "screen"]).await;
    let expected = json!({
        "name": "aura", "tools": ["ask", "speak", "look_at_screen"], "answer": "You asked: Why?", "picture": "image/png",
        "refused": true,
    });
    assert_eq!(seen, expected);
}
