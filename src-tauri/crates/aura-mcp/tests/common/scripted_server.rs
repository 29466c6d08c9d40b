//! An MCP server for tests, written without the SDK: lines of JSON on standard input and output. The first argument says how it begins,
//! and the tools what it does.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::io::{BufRead, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

/// Whether the list of tools is the second one.
static CHANGED: AtomicBool = AtomicBool::new(false);
/// Calls of `count`.
static COUNT: AtomicU32 = AtomicU32::new(0);
/// The call of `ask` that is going on, and the answers that it has.
static ASKING: Mutex<Option<(Value, Vec<Value>)>> = Mutex::new(None);

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    match mode.as_str() {
        "dies" => {
            eprintln!("first line\nthe licence {} is no good", std::env::var("LICENCE").unwrap_or_default());
            std::process::exit(3);
        }
        "silent" => loop {
            std::thread::park();
        },
        "greets" => println!("Welcome!\n{{\"not\": \"a message\"}}\n"),
        _ => {}
    }
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        log(&message);
        if message["method"] == "tools/call" && !message["params"]["name"].as_str().is_some_and(is_in_order) {
            // Each call for itself, so that answers come in any order.
            std::thread::spawn(move || call(&message));
            continue;
        }
        match message["method"].as_str() {
            // A server of a version without a handshake.
            Some("initialize") if mode == "modern" => {
                let error = json!({"code": -32601, "message": "Method not found"});
                send(&json!({"jsonrpc": "2.0", "id": message["id"], "error": error}));
            }
            Some("server/discover") => answer(
                &message,
                json!({
                    "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
                    "serverInfo": {"name": "scripted", "version": "1.2"}, "ttlMs": 0, "cacheScope": "private",
                }),
            ),
            Some("initialize") => {
                let version = &message["params"]["protocolVersion"];
                let about = json!({"name": "scripted", "version": "1.2"});
                answer(
                    &message,
                    json!({"protocolVersion": version, "capabilities": {"tools": {"listChanged": true}}, "serverInfo": about}),
                );
                if mode == "floods" {
                    loop {
                        send(
                            &json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}),
                        );
                    }
                }
            }
            Some("ping") => answer(&message, json!({})),
            Some("tools/list") => answer(&message, tools(&mode, &message)),
            Some("tools/call") => call(&message),
            None => collect(message),
            Some(_) => {}
        }
    }
}

/// Every message that comes in, for the tests.
fn log(message: &Value) {
    if let Some(path) = std::env::var_os("SCRIPT_LOG")
        && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path)
    {
        let _ = writeln!(file, "{message}");
    }
}

fn is_in_order(tool: &str) -> bool {
    matches!(tool, "deaf")
}

fn send(message: &Value) {
    let mut out = std::io::stdout().lock();
    // The other end may be gone.
    if writeln!(out, "{message}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

fn answer(to: &Value, result: Value) {
    send(&json!({"jsonrpc": "2.0", "id": to["id"], "result": result}));
}

fn text(to: &Value, text: impl Into<String>) {
    answer(to, json!({"content": [{"type": "text", "text": text.into()}]}));
}

fn tool(name: &str) -> Value {
    let mut tool = json!({"name": name, "description": format!("Does {name}."), "inputSchema": {"type": "object"}});
    if name == "read" {
        tool["annotations"] = json!({"readOnlyHint": true, "openWorldHint": false});
    }
    tool
}

fn tools(mode: &str, message: &Value) -> Value {
    match mode {
        "many" => {
            let from = message["params"]["cursor"].as_str().and_then(|cursor| cursor.parse().ok()).unwrap_or(0_u32);
            let page: Vec<Value> = (from..from + 50).map(|index| tool(&format!("tool_{index}"))).collect();
            json!({"tools": page, "nextCursor": (from + 50).to_string()})
        }
        "lies" => json!({"tools": [
            tool("echo"),
            {"name": "no_object", "inputSchema": "none"},
            {"name": "wrong_type", "inputSchema": {"type": "object", "properties": {"a": {"type": "texts"}}}},
            {"name": "remote", "inputSchema": {"type": "object", "properties": {"a": {"$ref": "https://example.com/a"}}}},
            {"name": 5, "inputSchema": {}},
            tool("echo"),
            {"name": "long", "inputSchema": {"type": "object", "description": "x".repeat(100_000)}},
        ]}),
        _ if CHANGED.load(Ordering::Relaxed) => {
            let mut echo = tool("echo");
            echo["description"] = json!("Does something else.");
            json!({"tools": [echo, tool("new")]})
        }
        _ => {
            let names = [
                "echo",
                "read",
                "fail",
                "reject",
                "env",
                "wait",
                "count",
                "deaf",
                "big",
                "many_values",
                "picture",
                "unreadable",
                "die",
                "flood",
                "ask",
                "many_pings",
                "spawn",
                "change",
                "needs_input",
            ];
            json!({"tools": names.map(tool)})
        }
    }
}

fn call(message: &Value) {
    let arguments = &message["params"]["arguments"];
    let number = |name: &str| arguments[name].as_u64().unwrap_or_default();
    match message["params"]["name"].as_str().unwrap_or_default() {
        "echo" => text(message, arguments.to_string()),
        "read" => text(message, std::env::var("TEXT").unwrap_or_default()),
        "fail" => answer(message, json!({"content": [{"type": "text", "text": "no such file"}], "isError": true})),
        "reject" => {
            send(&json!({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32602, "message": "bad arguments"}}))
        }
        "env" => {
            let all: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
            text(message, all.join("\n"));
        }
        "wait" => {
            std::thread::sleep(Duration::from_millis(number("ms")));
            text(message, arguments["ms"].to_string());
        }
        "count" => text(message, (COUNT.fetch_add(1, Ordering::Relaxed) + 1).to_string()),
        // It stops reading, too.
        "deaf" => loop {
            std::thread::park();
        },
        // With the id at the end, as the SDK for JavaScript writes it.
        "big" => {
            let content = "x\\\"id\\\":1,".repeat(usize::try_from(number("bytes")).unwrap_or_default() / 10);
            let mut out = std::io::stdout().lock();
            let _ = writeln!(
                out,
                "{{\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":\"{content}\"}}]}},\"jsonrpc\":\"2.0\",\"id\":{}}}",
                message["id"]
            );
            let _ = out.flush();
        }
        "many_values" => answer(message, json!({"content": [], "structuredContent": vec![0; 2_000_000]})),
        "picture" => {
            let content = json!({"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"});
            answer(message, json!({"content": [content]}));
        }
        "unreadable" => send(&json!({"jsonrpc": "2.0", "id": message["id"], "result": "done", "error": 5})),
        "die" => {
            eprintln!("out of memory");
            std::process::exit(7);
        }
        "flood" => loop {
            send(
                &json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x".repeat(1_000)}}),
            );
        },
        "many_pings" => {
            for id in 0..100_000 {
                send(&json!({"jsonrpc": "2.0", "id": id, "method": "ping"}));
            }
        }
        "ask" => {
            *ASKING.lock().unwrap() = Some((message.clone(), Vec::new()));
            ask();
        }
        "spawn" => {
            let child = std::process::Command::new("sleep").arg("1000").stdin(std::process::Stdio::null()).spawn();
            text(message, child.map(|child| child.id().to_string()).unwrap_or_default());
        }
        "change" => {
            CHANGED.store(true, Ordering::Relaxed);
            send(&json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}));
            text(message, "changed");
        }
        "needs_input" => answer(
            message,
            json!({
                "resultType": "input_required",
                "inputRequests": {"a": {"method": "elicitation/create", "params": {"mode": "form", "message": "Your password?", "requestedSchema": {"type": "object", "properties": {}}}}},
            }),
        ),
        _ => {}
    }
}

/// Asks for a model, the user and the folders.
fn ask() {
    let message = json!({"role": "user", "content": {"type": "text", "text": "Hi"}});
    let schema = json!({"type": "object", "properties": {}});
    let requests = [
        ("sampling/createMessage", json!({"messages": [message], "maxTokens": 9})),
        ("elicitation/create", json!({"message": "Your password?", "requestedSchema": schema})),
        ("roots/list", json!({})),
        ("something/else", json!({})),
    ];
    for (id, (method, params)) in requests.into_iter().enumerate() {
        send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
    }
}

/// Collects the answers to [`ask`], and gives them as its result.
fn collect(answer: Value) {
    let mut asking = ASKING.lock().unwrap();
    if let Some((message, answers)) = asking.as_mut() {
        answers.push(answer);
        if answers.len() == 4 {
            answers.sort_by_key(|answer| answer["id"].as_u64());
            text(message, json!(answers).to_string());
            *asking = None;
        }
    }
}
