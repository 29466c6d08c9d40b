//! Timers: set by a tool, said when they are over, and kept when AURA ends.

use std::time::Duration;

use aura_core::api::{self, Ask, Speech, UndoAction};
use aura_core::event::Event;
use aura_core::record::{Stage, ToolOutcome};
use aura_testkit::harness::Harness;
use serde_json::{Value, json};

use super::acting::{acting, asking, at_desk, outcomes, set_calls};

fn saved(harness: &Harness) -> Vec<Value> {
    let file = std::fs::read(harness.data().join("timers.json")).unwrap_or_else(|_| b"[]".to_vec());
    serde_json::from_slice(&file).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_is_set_without_a_question_and_said_when_it_is_over() {
    let mut harness = acting(&[("set_timer", json!({"seconds": 1, "label": "the tea is ready"}))]).await;
    let record = asking(&harness, "Remind me of the tea in a second.").await.unwrap();
    assert_eq!(outcomes(&record), [("set_timer", ToolOutcome::Done)]);
    assert_eq!(record.tools[0].consent, None);
    let said = harness
        .next(|event| match event {
            Event::Done { record } if record.transcript.is_empty() => Some((**record).clone()),
            _ => None,
        })
        .await;
    assert_eq!((said.error, said.answer.as_str()), (None, "Reminder: the tea is ready."));
    assert_eq!(said.spoken, said.answer);
    harness.until(|harness| saved(harness).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_are_listed_cancelled_and_undone() {
    let harness = acting(&[
        ("set_timer", json!({"seconds": 600, "label": "eggs"})),
        ("list_timers", json!({})),
        ("cancel_timer", json!({"timer": 1})),
    ])
    .await;
    let record = asking(&harness, "Timers, please.").await.unwrap();
    assert_eq!(record.tools.iter().map(|tool| tool.outcome).collect::<Vec<_>>(), [ToolOutcome::Done; 3]);
    let told: Vec<String> =
        harness.sandbox.requests().await.iter().filter_map(|it| it.json.as_ref()).map(Value::to_string).collect();
    assert!(told.iter().any(|text| text.contains("eggs") && text.contains("seconds_left")), "the model reads the list");
    assert_eq!(saved(&harness), Vec::<Value>::new());
    api::undo(&harness.assistant, UndoAction { turn: record.id.clone(), index: 2 }).await.unwrap();
    assert_eq!(saved(&harness)[0]["label"], "eggs");
    api::undo(&harness.assistant, UndoAction { turn: record.id, index: 0 }).await.unwrap();
    assert_eq!(saved(&harness), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_that_fell_due_while_aura_was_off_is_said_at_the_start() {
    let before = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(7_200);
    let timer = json!([{"id": 1, "label": "Brot", "due": before.to_string(), "seconds": 60, "language": "de"}]);
    let harness = Harness::set_up(&[], |setup| {
        std::fs::write(setup.data.join("timers.json"), timer.to_string()).unwrap();
    })
    .await;
    let mut harness = at_desk(harness, &[]).await;
    let said = harness.done().await;
    assert!(said.answer.starts_with("Erinnerung: Brot. Fällig war das vor 2 Stunden"), "{}", said.answer);
    harness.until(|harness| saved(harness).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_waits_until_an_answer_was_heard() {
    let mut harness = acting(&[("set_timer", json!({"seconds": 1}))]).await;
    asking(&harness, "Set a timer.").await.unwrap();
    set_calls(&harness, &[]);
    // Playback stops before its end.
    harness.ports.speaker.output.most.store(100, std::sync::atomic::Ordering::SeqCst);
    let assistant = harness.assistant.clone();
    let asked = tokio::spawn(async move {
        api::ask(&assistant, Ask { text: "Talk.".into(), speech: Speech::Aloud, ..Ask::default() }).await.unwrap()
    });
    harness.next(|event| matches!(event, Event::Stage { stage: Stage::Speaking, .. }).then_some(())).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(saved(&harness).len(), 1, "the answer is still being heard");
    harness.ports.speaker.output.most.store(u64::MAX, std::sync::atomic::Ordering::SeqCst);
    assert!(!asked.await.unwrap().interrupted);
    harness
        .next(|event| {
            matches!(event, Event::Done { record } if record.answer == "Your timer of 1 second is over.").then_some(())
        })
        .await;
}
