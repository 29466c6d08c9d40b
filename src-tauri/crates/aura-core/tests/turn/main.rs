//! Whole turns through the operations: fake ports, and real HTTP to the sandbox providers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod acting;
mod at_cursor;
mod budget;
mod consent_by_voice;
mod conversations;
mod detached;
mod devices;
mod follow_ups;
mod hands_free;
mod keys;
mod live;
mod mcp_servers;
mod memory;
mod mid_loop;
mod personas;
mod playback;
mod press;
mod routes;
mod stage;
mod timers;
mod tools;
mod unfinished;
mod upload;
mod vocabulary;
mod voices;
mod wall;

use std::time::Duration;

use aura_core::event::Event;
use aura_core::record::{NoticeKind, Stage, TurnRecord};
use aura_testkit::harness::Harness;

/// The kinds of a record's notices, in order.
fn notice_kinds(record: &TurnRecord) -> Vec<NoticeKind> {
    record.notices.iter().map(|notice| notice.kind).collect()
}

/// The provider that answered the thinking stage.
fn answering_provider(record: &TurnRecord) -> Option<String> {
    let thinking = record.stages.iter().find(|stage| stage.stage == Stage::Thinking);
    thinking.and_then(|stage| stage.route.as_ref()).map(|route| route.provider.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_question_is_answered_aloud() {
    let mut harness = Harness::new().await;
    let record = harness.speak().await;
    assert_eq!(record.error, None);
    assert_eq!(record.transcript, "what time is it");
    assert!(record.answer.starts_with("It is **three** o'clock"), "{}", record.answer);
    assert_eq!(record.spoken, "It is three o'clock in the afternoon. Time for a cup of tea, I would say.");
    let stages: Vec<(Stage, Option<String>)> = record
        .stages
        .iter()
        .map(|stage| (stage.stage, stage.route.as_ref().map(|route| route.provider.clone())))
        .collect();
    let groq = || Some("groq".to_owned());
    assert_eq!(
        stages,
        [(Stage::Listening, None), (Stage::Transcribing, groq()), (Stage::Thinking, groq()), (Stage::Speaking, groq())]
    );
    assert!(record.first_sound_ms.is_some());
    let question = std::fs::read(record.question_audio.unwrap()).unwrap();
    assert!(aura_audio::read_wav(&question).unwrap().duration() > Duration::from_secs(1));
    let answer = std::fs::read(record.answer_audio.unwrap()).unwrap();
    let seconds = aura_audio::read_wav(&answer).unwrap().duration().as_secs_f32();
    assert!((0.78..0.82).contains(&seconds), "two sentences of 400 ms, {seconds} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_report_the_turn_in_order() {
    let mut harness = Harness::new().await;
    let mut events = harness.assistant.subscribe();
    harness.speak().await;
    let mut received = Vec::new();
    while let Ok(event) = events.try_recv() {
        let name = match event {
            Event::Stage { stage, .. } => format!("{stage:?}"),
            Event::Recording { .. } => "recording".into(),
            Event::Transcript { text, .. } => text,
            Event::Speaking { sentence, .. } => sentence,
            Event::Done { .. } => "done".into(),
            _ => continue,
        };
        received.push(name);
    }
    let expected = [
        "Listening",
        "recording",
        "Transcribing",
        "what time is it",
        "Thinking",
        "Speaking",
        "It is three o'clock in the afternoon.",
        "Time for a cup of tea, I would say.",
        "Idle",
        "done",
    ];
    assert_eq!(received, expected);
}
