//! AURA against aimock, an imitation of providers that others wrote: what AURA sends and understands, and how it fails over, does not rest on its
//! own sandbox alone. In live transcription it hears nothing, so that its words come after the commit: words before the release are tested with
//! the sandbox.
//!
//! `cargo xtask test --only api` installs it.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod chaos;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use aura_core::api::{self, SaveKey};
use aura_core::event::Event;
use aura_core::record::{Stage, TurnRecord};
use aura_providers::FailureKind;
use aura_testkit::harness::Harness;
use aura_tests::process::Running;
use serde_json::{Value, json};

const TEXT: &str = "What is the highest mountain in Europe?";
const KEY: &str = "judge-key";

/// Starts aimock with these fixtures. Returns its base URL.
fn aimock(folder: &Path, fixtures: &Value) -> (Running, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/node_modules/@copilotkit/aimock/dist/cli.js");
    assert!(script.is_file(), "{} is missing: run `cargo xtask test --only api`", script.display());
    let file = folder.join("fixtures.json");
    std::fs::write(&file, json!({ "fixtures": fixtures }).to_string()).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut node = Command::new("node");
    node.arg(script).args(["--port", &port.to_string(), "--chunk-size", "6", "--latency", "20"]);
    node.args(["--validate-on-load", "--fixtures"]).arg(file).env("AIMOCK_API_KEYS", KEY).stdout(Stdio::piped());
    let mut running = Running::start(&mut node, "nodejs");
    let lines = BufReader::new(running.stdout().unwrap()).lines().map_while(Result::ok);
    let mut said = Vec::new();
    let is_up = lines.inspect(|line| said.push(line.clone())).any(|line| line.contains(&port.to_string()));
    assert!(is_up, "aimock does not listen: {said:?}");
    (running, format!("http://127.0.0.1:{port}/v1"))
}

/// Asks a question whose transcript comes from aimock. Returns the turn and the words that were shown.
async fn speak(base_url: &str) -> (TurnRecord, Vec<String>) {
    let mut harness = Harness::new().await;
    let own = json!({"preset": "openai", "base_url": base_url});
    let stt = json!({"provider": "own", "model": "gpt-transcribe", "then": []});
    harness.change(json!({"providers": {"own": own}, "routes": {"stt": stt}})).await;
    let key = SaveKey { provider: "own".into(), key: KEY.into(), session_only: true };
    api::save_key(&harness.assistant, key).await.unwrap();
    let mut events = harness.assistant.subscribe();
    let record = harness.speak().await;
    let mut shown = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Event::Partial { committed, tentative, .. } = event {
            shown.push(format!("{committed}{tentative}"));
        }
    }
    (record, shown)
}

/// The models that were asked for the transcript, and how each call failed.
fn attempts(record: &TurnRecord) -> Vec<(String, Option<FailureKind>)> {
    let stage = record.stages.iter().find(|stage| stage.stage == Stage::Transcribing).unwrap();
    stage.attempts.iter().map(|attempt| (attempt.route.model.clone(), attempt.kind)).collect()
}

/// The transcript of a live session, and that of a whole recording.
fn fixtures(live: Value, whole: &str) -> Value {
    json!([
        live,
        {"match": {"endpoint": "transcription"}, "response": {"transcription": {"text": whole}}},
    ])
}

fn live() -> Value {
    json!({"match": {"endpoint": "realtime-transcription"}, "response": {"transcription": {"text": TEXT}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_transcript_is_shown_word_by_word_and_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let (_aimock, url) = aimock(folder.path(), &fixtures(live(), "not this one"));
    let (record, shown) = speak(&url).await;
    assert_eq!((record.error.as_ref(), record.transcript.as_str()), (None, TEXT));
    assert_eq!(attempts(&record), [("gpt-live-transcribe".into(), None)]);
    assert!(!shown.is_empty() && shown.iter().all(|words| TEXT.starts_with(words)), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_breaks_off_falls_back_to_the_whole_recording() {
    for (fault, value) in [("truncateAfterChunks", 2), ("disconnectAfterMs", 50)] {
        let folder = tempfile::tempdir().unwrap();
        let mut broken = live();
        broken[fault] = value.into();
        let (_aimock, url) = aimock(folder.path(), &fixtures(broken, TEXT));
        let (record, _) = speak(&url).await;
        assert_eq!((record.error.as_ref(), record.transcript.as_str()), (None, TEXT), "{fault}");
        let attempts = attempts(&record);
        let expected =
            [("gpt-live-transcribe".into(), Some(FailureKind::Interrupted)), ("gpt-transcribe".into(), None)];
        assert_eq!(attempts, expected, "{fault}");
    }
}
