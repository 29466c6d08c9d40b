//! What a question is sent with: earlier turns, and a summary of those that do not fit.

use aura_core::DetachedTurn;
use aura_core::api::{Ask, Speech};
use aura_core::record::TurnRecord;
use aura_sandbox::Service;
use aura_testkit::harness::Harness;
use serde_json::Value;

fn typed(text: &str) -> Ask {
    Ask { text: text.into(), screen: Some(false), speech: Speech::None, ..Ask::default() }
}

/// Adds turns to the current session, each of about 600 tokens.
fn add_turns(harness: &Harness, count: usize) {
    let session = harness.assistant.session();
    let mut turns = harness.ports.history.turns.lock().unwrap();
    for number in 0..count {
        let record = serde_json::json!({
            "id": format!("turn-{number:03}"),
            "session": session,
            "started_at": "2026-11-01T12:00:00Z",
            "transcript": format!("Question number {number}. {}", "lamp ".repeat(350)),
            "answer": "Yes.",
            "spoken": "",
            "interrupted": false,
            "stages": [],
            "notices": [],
        });
        turns.push(serde_json::from_value::<TurnRecord>(record).unwrap());
    }
}

/// The messages of each request to a model, in order.
async fn requests(harness: &Harness) -> Vec<Vec<Value>> {
    let all = harness.sandbox.requests().await;
    let asked = all.iter().filter(|request| request.service == Service::Llm);
    asked.map(|request| request.json.as_ref().unwrap()["messages"].as_array().unwrap().clone()).collect()
}

fn text(messages: &[Value]) -> String {
    Value::from(messages).to_string()
}

/// Whether a request asks for a summary.
fn is_for_summary(messages: &[Value]) -> bool {
    text(messages).contains("You keep the memory of a conversation")
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_beyond_the_budget_are_left_out_and_then_summarised() {
    let harness = Harness::new().await;
    add_turns(&harness, 40);
    harness.ask_for(typed("How many lamps are there?")).await;
    let first = requests(&harness).await.remove(0);
    let sent = text(&first);
    assert!(sent.contains("Question number 39.") && !sent.contains("Question number 0."), "the newest turns fit");
    // The system prompt, the question, and 16,000 tokens of turns.
    assert!((40..56).contains(&first.len()), "{} messages", first.len());

    harness.until(|harness| !harness.ports.history.summaries.lock().unwrap().is_empty()).await;
    let summary = harness.ports.history.summaries.lock().unwrap()[0].clone();
    assert!(summary.text.contains("three** o'clock") && summary.through.as_str() < "turn-039", "{summary:?}");
    assert_eq!(summary.through, format!("turn-{:03}", summary.turns - 1));
    let asked = requests(&harness).await.remove(1);
    assert!(is_for_summary(&asked) && text(&asked).contains("Person: Question number 0."), "{asked:?}");

    harness.ask_for(typed("And now?")).await;
    let third = requests(&harness).await.remove(2);
    let (summarised, next) = (third[1].to_string(), third[3].to_string());
    assert!(summarised.contains("earlier in this conversation") && summarised.contains("o'clock"), "{summarised}");
    assert!(next.contains(&format!("Question number {}.", summary.turns)), "nothing is left out between: {next}");
    assert_eq!(requests(&harness).await.len(), 3, "the rest fits, so that no other summary is due");
    // Each call is paid for, and counted.
    let usage = harness.assistant.router().usage();
    let attempts: Vec<_> = usage.lines.iter().filter(|line| line.service == aura_providers::Service::Llm).collect();
    assert_eq!(attempts.iter().map(|line| line.today.attempts).sum::<u32>(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_conversation_is_sent_whole_and_never_summarised() {
    let harness = Harness::new().await;
    add_turns(&harness, 12);
    harness.ask_for(typed("How many lamps are there?")).await;
    harness.ask_for(typed("And now?")).await;
    let requests = requests(&harness).await;
    assert_eq!(requests.iter().map(Vec::len).collect::<Vec<_>>(), [1 + 24 + 1, 1 + 26 + 1]);
    assert!(text(&requests[0]).contains("Question number 0."), "twelve turns, not eight");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_turn_is_followed_by_no_summary() {
    let harness = Harness::new().await;
    add_turns(&harness, 40);
    let session = harness.assistant.session();
    let question = DetachedTurn { text: "How many lamps?".into(), session, ..DetachedTurn::default() };
    let (updates, run) = harness.assistant.detached(question);
    drop(updates);
    assert_eq!(run.await.record.error, None);
    harness.ask_for(typed("And now?")).await;
    harness.until(|harness| !harness.ports.history.summaries.lock().unwrap().is_empty()).await;
    let kinds: Vec<bool> = requests(&harness).await.iter().map(|messages| is_for_summary(messages)).collect();
    assert_eq!(kinds, [false, false, true]);
}
