//! The answer to the question whether something may be done, by voice: with the key, and hands-free.

use aura_core::api::{self, AnsweredBy, Nothing, SetHandsFree};
use aura_core::event::Event;
use aura_core::record::{Stage, ToolOutcome, TurnRecord};
use aura_sandbox::{
    FixedAnswers, FixedAudio, Rule, RuleCondition, Script, ScriptedReply, Service, TestSignal, ToolCall,
};
use aura_testkit::fake_ports::{Mic, Room, speech};
use aura_testkit::harness::Harness;
use serde_json::json;

use super::acting::{acting, asking, outcomes, question};

/// The recogniser hears these in order, and the model calls a tool that changes something before it answers.
fn set_heard(harness: &Harness, transcripts: &[&str]) {
    let audio = Some(FixedAudio { sound: TestSignal::Tone, ms: 400 });
    harness.sandbox.set_fixed(FixedAnswers { transcript: None, audio });
    let transcript = |text: &&str| Rule {
        when: RuleCondition { service: Some(Service::Stt), ..RuleCondition::default() },
        reply: ScriptedReply { text: (*text).into(), ..ScriptedReply::default() },
        times: Some(1),
    };
    let copy = ToolCall { name: "set_clipboard".into(), arguments: json!({"text": "x"}) };
    let rules = transcripts.iter().map(transcript);
    let rules = rules.chain([Rule::calling(vec![copy]), Rule::reply("That is all.")]).collect();
    harness.sandbox.set_script(Script { rules });
}

fn consented(record: &TurnRecord) -> (ToolOutcome, AnsweredBy) {
    (record.tools[0].outcome, record.tools[0].consent.unwrap().by)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_records_the_answer_instead_of_a_new_question() {
    for (said, outcome) in [
        ("Yes, please.", ToolOutcome::Done),
        ("Ja.", ToolOutcome::Done),
        ("¡Sí, adelante!", ToolOutcome::Done),
        ("No.", ToolOutcome::Declined),
        ("Yes, but another text.", ToolOutcome::Declined),
        ("What time is it?", ToolOutcome::Declined),
    ] {
        let mut harness = acting(&[]).await;
        set_heard(&harness, &[said]);
        let asked = asking(&harness, "Copy that.");
        question(&mut harness).await;
        harness.press().await;
        harness.next(|event| matches!(event, Event::Stage { stage: Stage::Listening, .. }).then_some(())).await;
        harness.release_when_heard().await;
        let record = asked.await.unwrap();
        assert_eq!(consented(&record), (outcome, AnsweredBy::Voice), "{said}");
        assert_eq!(record.transcript, "Copy that.", "{said}");
        assert_eq!(harness.ports.history.turns.lock().unwrap().len(), 1, "{said}: the answer is no turn");
        assert_eq!(harness.recordings(), Vec::<std::path::PathBuf>::new(), "{said}: the answer is not kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_leaves_the_question_and_a_spoken_question_can_be_answered_by_a_second_try() {
    let mut harness = acting(&[]).await;
    set_heard(&harness, &["Yes."]);
    *harness.ports.microphone.0.lock().unwrap() = Mic::Hears(vec![0; 16_000]);
    let asked = asking(&harness, "Copy that.");
    let request = question(&mut harness).await;
    harness.press().await;
    harness.release_when_heard().await;
    harness.next(|event| matches!(event, Event::Stage { stage: Stage::Thinking, .. }).then_some(())).await;
    assert_eq!(harness.assistant.snapshot().consent, Some(request), "nothing was said, so the question waits");
    *harness.ports.microphone.0.lock().unwrap() = Mic::Hears(speech(1.2));
    harness.press().await;
    harness.release_when_heard().await;
    assert_eq!(consented(&asked.await.unwrap()), (ToolOutcome::Done, AnsweredBy::Voice));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_spoken_is_asked_aloud_and_silenced_by_the_answer() {
    let mut harness = acting(&[]).await;
    set_heard(&harness, &["Copy that.", "Yes."]);
    harness.press().await;
    harness.release_when_heard().await;
    question(&mut harness).await;
    let asked = "Shall I put “x” on the clipboard?";
    harness
        .next(|event| matches!(event, Event::Speaking { sentence, .. } if sentence.contains(asked)).then_some(()))
        .await;
    harness.press().await;
    harness.release_when_heard().await;
    let record = harness.done().await;
    assert_eq!(consented(&record), (ToolOutcome::Done, AnsweredBy::Voice));
    assert_eq!(record.answer, "That is all.", "the question is no part of the answer");
    assert!(
        record.spoken.ends_with("That is all."),
        "the answer is heard after the question was cut: {}",
        record.spoken
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn in_hands_free_use_speech_is_the_answer_while_aura_asks() {
    let mut harness = acting(&[]).await;
    let room = Room::default();
    *harness.ports.microphone.0.lock().unwrap() = Mic::Room(room.clone());
    set_heard(&harness, &["Copy that.", "Yes, do it."]);
    api::hands_free(&harness.assistant, SetHandsFree::default()).await.unwrap();
    harness.next(|event| matches!(event, Event::Recording { .. }).then_some(())).await;
    room.speak(speech(1.2));
    question(&mut harness).await;
    harness.next(|event| matches!(event, Event::Speaking { .. }).then_some(())).await;
    room.speak(speech(1.2));
    let record = harness.done().await;
    assert_eq!((record.error.clone(), record.transcript.as_str()), (None, "Copy that."));
    assert_eq!(consented(&record), (ToolOutcome::Done, AnsweredBy::Voice), "{record:#?}");
    assert_eq!(harness.ports.desktop.done(), ["copy x"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn escape_while_the_answer_is_recorded_stops_the_turn() {
    let mut harness = acting(&[]).await;
    set_heard(&harness, &["Yes."]);
    let asked = asking(&harness, "Copy that.");
    question(&mut harness).await;
    harness.press().await;
    harness.next(|event| matches!(event, Event::Level { .. }).then_some(())).await;
    api::cancel(&harness.assistant, Nothing {}).await.unwrap();
    let record = asked.await.unwrap();
    assert_eq!(outcomes(&record), [("set_clipboard", ToolOutcome::Stopped)]);
    assert_eq!(harness.ports.desktop.done(), [""; 0]);
    assert_eq!(harness.assistant.snapshot().consent, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_question_withdraws_the_one_that_waits() {
    let mut harness: Harness = acting(&[("set_clipboard", json!({"text": "x"}))]).await;
    let first = asking(&harness, "Copy that.");
    let request = question(&mut harness).await;
    let second = asking(&harness, "What time is it?");
    assert_eq!(outcomes(&first.await.unwrap()), [("set_clipboard", ToolOutcome::Stopped)]);
    assert_eq!(second.await.unwrap().answer, "That is all.");
    let late = api::AnswerConsent { id: request.id, answer: api::ConsentAnswer::Yes, by: AnsweredBy::Api };
    assert!(api::answer_consent(&harness.assistant, late).await.is_err());
    assert_eq!(harness.ports.desktop.done(), [""; 0]);
}
