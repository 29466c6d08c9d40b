//! Servers over standard input and output: as they should be, and as they should not.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aura_mcp::{Call, Error, Failure, Fingerprint, Limits, ServerConfig, ServerState, Servers, Transport};
use common::{SOON, Values, call, scripted, short, started, status, until};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

fn lines(path: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether a process is there, and no zombie.
#[cfg(target_os = "linux")]
fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn tools_are_listed_and_called() {
    let servers = scripted("", &[], short());
    assert_eq!(status(&servers).state, ServerState::Stopped);
    assert_eq!(started(&servers).await, ServerState::Ready);
    let state = status(&servers);
    assert_eq!((state.implementation.as_deref(), state.tools), (Some("scripted 1.2"), servers.tools().len()));
    let echo = servers.tool("s__echo").expect("it is listed");
    assert_eq!((echo.server.as_str(), echo.name.as_str(), echo.description.as_str()), ("s", "echo", "Does echo."));
    let arguments = json!({"a": "ä\n", "b": [1, null]});
    let exactly = Call::of(&echo, arguments.as_object().cloned().unwrap());
    let output = servers.call(exactly, &CancellationToken::new()).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&output.text).unwrap(), arguments);
    assert!(!output.is_error && !output.truncated && output.pictures.is_empty());
    assert_eq!(call(&servers, "picture", json!({})).await.unwrap().pictures[0].media_type, "image/png");
}

#[tokio::test]
async fn a_server_starts_with_its_first_call() {
    let servers = scripted("greets", &[], short());
    assert_eq!(call(&servers, "echo", json!({})).await.unwrap().text, "{}");
    assert_eq!(status(&servers).state, ServerState::Ready);
}

#[tokio::test]
async fn a_server_of_the_versions_without_a_handshake_works() {
    let servers = scripted("modern", &[], short());
    assert_eq!(started(&servers).await, ServerState::Ready);
    assert_eq!(call(&servers, "echo", json!({"a": 1})).await.unwrap().text, "{\"a\":1}");
    let error = call(&servers, "die", json!({})).await.unwrap_err();
    assert!(matches!(error, Error::Ended { .. }), "{error:?}");
    assert_eq!(call(&servers, "count", json!({})).await.unwrap().text, "1");
}

#[tokio::test]
async fn a_failure_of_the_tool_is_output_and_one_of_the_protocol_is_an_error() {
    let servers = scripted("", &[], short());
    let failed = call(&servers, "fail", json!({})).await.unwrap();
    assert_eq!((failed.text.as_str(), failed.is_error), ("no such file", true));
    let rejected = call(&servers, "reject", json!({})).await.unwrap_err();
    assert_eq!(rejected, Error::Rejected { server: "s".into(), code: -32602, message: "bad arguments".into() });
    let unknown = call(&servers, "nothing", json!({})).await.unwrap_err();
    assert_eq!(unknown, Error::UnknownTool { server: "s".into(), tool: "nothing".into() });
    assert!(!unknown.may_have_run());
    let unreadable = call(&servers, "unreadable", json!({})).await.unwrap_err();
    assert_eq!(unreadable, Error::InvalidAnswer { tool: "unreadable".into() });
    assert!(unreadable.may_have_run());
    let nobody = servers.call(Call::new("t", "echo"), &CancellationToken::new()).await.unwrap_err();
    assert_eq!(nobody, Error::UnknownServer { server: "t".into() });
}

#[tokio::test]
async fn answers_come_in_any_order() {
    let servers = scripted("", &[], short());
    started(&servers).await;
    let waits = [400, 10, 200, 100, 300];
    let calls = waits.map(|ms| {
        let servers = &servers;
        async move { call(servers, "wait", json!({"ms": ms})).await.unwrap().text }
    });
    let start = Instant::now();
    let texts = futures::future::join_all(calls).await;
    assert_eq!(texts, waits.map(|ms| ms.to_string()));
    assert!(start.elapsed() < Duration::from_secs(1), "they ran one after another");
}

#[tokio::test]
async fn the_program_gets_its_own_values_and_none_of_auras() {
    let servers = scripted("", &[("TOKEN", "sk-secret-12345"), ("SCRIPT_MODE", "on")], short());
    let text = call(&servers, "env", json!({})).await.unwrap().text;
    // It tells its secret, which does not go on.
    assert!(text.contains("TOKEN=•••") && !text.contains("sk-secret"), "{text}");
    assert!(text.contains("PATH="), "{text}");
    let names: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(!names.iter().any(|name| name.starts_with("CARGO")), "{names:?}");
}

#[tokio::test]
async fn a_missing_value_is_named_and_nothing_is_started() {
    let servers = scripted("", &[], short());
    let mut config = ServerConfig::stdio("s", env!("CARGO_BIN_EXE_scripted-mcp-server"));
    if let aura_mcp::Transport::Stdio { env, .. } = &mut config.transport {
        env.insert("TOKEN".into());
    }
    servers.configure([config]);
    let failed = ServerState::Failed { failure: Failure::MissingSecret { name: "TOKEN".into() }, retry_in: None };
    assert_eq!(started(&servers).await, failed);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said() {
    let servers = scripted("", &[], short());
    servers.configure([ServerConfig::stdio("s", "no-such-program-anywhere")]);
    let ServerState::Failed { failure: Failure::NotStarted { program, .. }, .. } = started(&servers).await else {
        panic!("{:?}", status(&servers))
    };
    assert_eq!(program, "no-such-program-anywhere");
}

#[tokio::test]
async fn a_server_that_ends_at_once_says_why_without_its_secret() {
    let servers = scripted("dies", &[("LICENCE", "abc-123-def")], Limits { restarts: 2, ..short() });
    servers.start();
    let gave_up = || matches!(status(&servers).state, ServerState::Failed { retry_in: None, .. });
    until("AURA stops trying", gave_up).await;
    let ServerState::Failed { failure: Failure::Ended { status }, .. } = status(&servers).state else {
        panic!("{:?}", servers.status())
    };
    assert_eq!(status, "exit status: 3, the licence ••• is no good");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_and_ended() {
    let servers = scripted("silent", &[], Limits { start: Duration::from_millis(300), ..short() });
    let ServerState::Failed { failure, .. } = started(&servers).await else { panic!("{:?}", servers.status()) };
    assert_eq!(failure, Failure::StartTimeout { limit: Duration::from_millis(300) });
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_cancelled_at_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let servers = scripted("", &[("SCRIPT_LOG", log.to_str().unwrap())], short());
    started(&servers).await;
    let cancelled = |count: usize| {
        let log = log.clone();
        move || {
            let all = lines(&log);
            let ids: Vec<_> =
                all.iter().filter(|line| line["method"] == "tools/call").map(|line| &line["id"]).collect();
            let ends = all.iter().filter(|line| line["method"] == "notifications/cancelled");
            let ends: Vec<_> = ends.map(|line| &line["params"]["requestId"]).collect();
            ends.len() == count && ends == ids
        }
    };
    // By its time.
    let mut slow = Call::new("s", "wait");
    slow.arguments.insert("ms".into(), json!(60_000));
    let limited = Call { timeout: Some(Duration::from_millis(100)), ..slow.clone() };
    let error = servers.call(limited, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(error, Error::Timeout { tool: "wait".into(), limit: Duration::from_millis(100) });
    until("the server is told", cancelled(1)).await;
    // By the token.
    let cancel = CancellationToken::new();
    let (outcome, ()) = tokio::join!(servers.call(slow.clone(), &cancel), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancel.cancel();
    });
    assert_eq!(outcome.unwrap_err(), Error::Cancelled);
    until("the server is told", cancelled(2)).await;
    // By dropping the future.
    let dropped = tokio::time::timeout(Duration::from_millis(100), servers.call(slow, &CancellationToken::new())).await;
    assert!(dropped.is_err());
    until("the server is told", cancelled(3)).await;
    // The server lives on.
    assert_eq!(call(&servers, "count", json!({})).await.unwrap().text, "1");
}

#[tokio::test]
async fn a_server_that_dies_in_a_call_comes_back_and_the_call_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let servers = scripted("", &[("SCRIPT_LOG", log.to_str().unwrap())], short());
    started(&servers).await;
    let (died, bystander) =
        tokio::join!(call(&servers, "die", json!({})), call(&servers, "wait", json!({"ms": 60_000})));
    let ended =
        Error::Ended { server: "s".into(), failure: Failure::Ended { status: "exit status: 7, out of memory".into() } };
    assert_eq!((died.as_ref().unwrap_err(), bystander.as_ref().unwrap_err()), (&ended, &ended));
    assert!(ended.may_have_run());
    // The next call waits for the restart.
    assert_eq!(call(&servers, "count", json!({})).await.unwrap().text, "1");
    let deaths = lines(&log).into_iter().filter(|line| line["params"]["name"] == "die").count();
    assert_eq!(deaths, 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_broken_pipe_is_told_with_how_the_program_ended() {
    // It reads no further than the request for the list of tools, and lives on for a while.
    let lines = "for line in 1 2 3; do read -r line <&3; printf '%s\\n' \"$line\"; done";
    let script = format!(
        "exec 3<&0 </dev/null; {{ {{ {lines}; }} | \"$0\" 3<&-; }} & exec 3<&-; wait; sleep 0.5; echo out of memory >&2; exit 7"
    );
    let mut config = ServerConfig::stdio("s", "sh");
    if let Transport::Stdio { args, .. } = &mut config.transport {
        *args = ["-c", &script, env!("CARGO_BIN_EXE_scripted-mcp-server")].map(str::to_owned).to_vec();
    }
    let servers = Servers::new(Arc::new(Values(BTreeMap::new())), short());
    servers.configure([config]);
    started(&servers).await;
    let failure = Failure::Ended { status: "exit status: 7, out of memory".into() };
    assert_eq!(call(&servers, "echo", json!({})).await.unwrap_err(), Error::Ended { server: "s".into(), failure });
}

#[tokio::test]
async fn a_server_that_hangs_is_restarted() {
    let servers = scripted("", &[], Limits { call: Duration::from_millis(500), ..short() });
    started(&servers).await;
    let error = call(&servers, "deaf", json!({})).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    // It does not answer a ping either.
    let unresponsive = || match status(&servers).state {
        ServerState::Failed { failure, .. } => failure == Failure::Unresponsive,
        _ => false,
    };
    until("it is found out", unresponsive).await;
    assert_eq!(call(&servers, "echo", json!({})).await.unwrap().text, "{}");
}

#[tokio::test]
async fn an_answer_over_the_limit_fails_its_call_alone() {
    let servers = scripted("", &[], short());
    started(&servers).await;
    let (big, waiting) =
        tokio::join!(call(&servers, "big", json!({"bytes": 20_000_000})), call(&servers, "wait", json!({"ms": 300})));
    assert_eq!(big.unwrap_err(), Error::AnswerTooLarge { tool: "big".into(), limit: 8 << 20 });
    assert_eq!(waiting.unwrap().text, "300");
    // Small for its text, but not in memory.
    let many = call(&servers, "many_values", json!({})).await.unwrap_err();
    assert!(matches!(many, Error::AnswerTooLarge { .. }), "{many:?}");
    // What fits into a message, but not into an output, is cut.
    let cut = call(&servers, "big", json!({"bytes": 1_000_000})).await.unwrap();
    assert!(cut.truncated && cut.text.len() <= 64 << 10 && cut.text.len() > 60_000);
    assert_eq!(status(&servers).state, ServerState::Ready);
}

#[tokio::test]
async fn a_flood_from_the_first_moment_is_a_failure() {
    let servers = scripted("floods", &[], Limits { restarts: 0, ..short() });
    let ServerState::Failed { failure, .. } = started(&servers).await else { panic!("{:?}", servers.status()) };
    assert_eq!(failure, Failure::Flooded);
}

#[tokio::test]
async fn a_server_that_stops_reading_is_restarted() {
    let servers = scripted("", &[], short());
    started(&servers).await;
    let long = json!({"text": "x".repeat(1_000_000)});
    let (deaf, unread) = tokio::join!(call(&servers, "deaf", json!({})), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        call(&servers, "echo", long).await
    });
    let ended = Error::Ended { server: "s".into(), failure: Failure::NotReading };
    assert_eq!(deaf.unwrap_err(), ended);
    assert!(unread.is_err(), "{unread:?}");
    assert_eq!(call(&servers, "echo", json!({})).await.unwrap().text, "{}");
}

#[tokio::test]
async fn a_server_gets_no_model_no_answers_and_no_folders() {
    let servers = scripted("", &[], short());
    let asked = call(&servers, "ask", json!({})).await.unwrap().text;
    let answers: Vec<Value> = serde_json::from_str(&asked).unwrap();
    let codes: Vec<_> = answers.iter().map(|answer| answer["error"]["code"].as_i64()).collect();
    assert_eq!(codes, [Some(-32601); 4], "{asked}");
    let wants = call(&servers, "needs_input", json!({})).await.unwrap_err();
    assert_eq!(wants, Error::NeedsInput { tool: "needs_input".into() });
}

#[tokio::test]
async fn false_tools_are_left_out_and_named() {
    let servers = scripted("lies", &[], short());
    assert_eq!(started(&servers).await, ServerState::Ready);
    let names: Vec<_> = servers.tools().iter().map(|tool| tool.name.clone()).collect();
    assert_eq!(names, ["echo"]);
    let rejected: Vec<_> = status(&servers).rejected.into_iter().map(|tool| tool.name).collect();
    assert_eq!(rejected, ["no_object", "wrong_type", "remote", "", "echo", "long"]);
    let refused = call(&servers, "remote", json!({})).await.unwrap_err();
    assert!(matches!(refused, Error::UnknownTool { .. }));
}

#[tokio::test]
async fn an_endless_list_of_tools_is_cut() {
    let servers = scripted("many", &[], short());
    assert_eq!(started(&servers).await, ServerState::Ready);
    let status = status(&servers);
    assert_eq!((status.tools, status.has_more_tools), (128, true));
}

#[tokio::test]
async fn a_tool_that_changed_is_not_the_one_that_was_offered() {
    let servers = scripted("", &[], short());
    started(&servers).await;
    let offered = servers.tool("s__echo").unwrap();
    let mut changes = servers.changes();
    changes.mark_unchanged();
    call(&servers, "change", json!({})).await.unwrap();
    tokio::time::timeout(SOON, changes.wait_for(|_| servers.tool("s__new").is_some())).await.unwrap().unwrap();
    let error = servers.call(Call::of(&offered, Default::default()), &CancellationToken::new()).await.unwrap_err();
    assert_eq!(error, Error::ToolChanged { server: "s".into(), tool: "echo".into() });
    let now: Fingerprint = servers.tool("s__echo").unwrap().fingerprint;
    assert_ne!(now, offered.fingerprint);
    let gone = call(&servers, "count", json!({})).await.unwrap_err();
    assert!(matches!(gone, Error::UnknownTool { .. }));
}

#[tokio::test]
async fn more_calls_than_allowed_wait_and_are_refused_in_the_end() {
    let servers = scripted("", &[], Limits { calls_at_once: 1, call: Duration::from_millis(600), ..short() });
    started(&servers).await;
    let quick = || call(&servers, "wait", json!({"ms": 200}));
    let (first, second) = tokio::join!(quick(), quick());
    assert_eq!((first.unwrap().text, second.unwrap().text), ("200".into(), "200".into()));
    let never = CancellationToken::new();
    let endless = servers.call(Call { timeout: Some(Duration::from_secs(3)), ..slow() }, &never);
    let (_, refused) = tokio::join!(endless, async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        call(&servers, "echo", json!({})).await
    });
    let refused = refused.unwrap_err();
    assert_eq!(refused, Error::Busy { server: "s".into() });
    assert!(!refused.may_have_run());
}

fn slow() -> Call {
    let mut call = Call::new("s", "wait");
    call.arguments.insert("ms".into(), json!(60_000));
    call
}

#[cfg(target_os = "linux")]
async fn with_grandchild(end: impl AsyncFnOnce(Servers)) {
    let servers = scripted("", &[], short());
    let child = call(&servers, "spawn", json!({})).await.unwrap().text;
    assert!(is_alive(&child), "{child}");
    end(servers).await;
    until("the program of the program is gone", || !is_alive(&child)).await;
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn nothing_of_a_server_outlives_it() {
    with_grandchild(async |servers| drop(servers)).await;
    with_grandchild(async |servers| servers.close().await).await;
    with_grandchild(async |servers| {
        let _ = call(&servers, "die", json!({})).await;
        // The new one has no such child.
        call(&servers, "echo", json!({})).await.unwrap();
    })
    .await;
    with_grandchild(async |servers| {
        servers.configure([]);
        assert!(servers.status().is_empty() && servers.tools().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_server_keeps_running_while_its_configuration_is_the_same() {
    let servers = scripted("", &[], short());
    assert_eq!(call(&servers, "count", json!({})).await.unwrap().text, "1");
    let config = |timeout_seconds| {
        let mut config = ServerConfig::stdio("s", env!("CARGO_BIN_EXE_scripted-mcp-server"));
        if let aura_mcp::Transport::Stdio { args, .. } = &mut config.transport {
            args.push(String::new());
        }
        ServerConfig { timeout_seconds, ..config }
    };
    servers.configure([config(None)]);
    assert_eq!(call(&servers, "count", json!({})).await.unwrap().text, "2");
    servers.configure([config(Some(1))]);
    assert_eq!(call(&servers, "count", json!({})).await.unwrap().text, "1");
    let limited = servers.call(slow(), &CancellationToken::new()).await.unwrap_err();
    assert_eq!(limited, Error::Timeout { tool: "wait".into(), limit: Duration::from_secs(1) });
    servers.restart("s").unwrap();
    assert_eq!(call(&servers, "count", json!({})).await.unwrap().text, "1");
    servers.configure([ServerConfig { enabled: false, ..config(None) }]);
    assert_eq!(call(&servers, "count", json!({})).await.unwrap_err(), Error::Disabled { server: "s".into() });
    assert_eq!(status(&servers).state, ServerState::Disabled);
}
