//! Detached turns: without a device, and independent of the turn on the stage.

use std::sync::atomic::Ordering;
use std::time::Duration;

use aura_core::event::{Event, TurnUpdate};
use aura_core::record::Stage;
use aura_core::{ANSWER_RATE, DetachedTurn};
use aura_sandbox::{Rule, Script, ScriptedReply};
use aura_testkit::fake_ports::{Mic, speech};
use aura_testkit::harness::Harness;
use serde_json::json;

fn spoken() -> DetachedTurn {
    let sound = Some(aura_audio::speech_wav(&speech(1.5)));
    DetachedTurn { sound, session: "detached".into(), aloud: true, ..DetachedTurn::default() }
}

fn typed(text: &str) -> DetachedTurn {
    DetachedTurn { text: text.into(), session: "detached".into(), ..DetachedTurn::default() }
}

/// A harness without microphone, speaker and screen.
async fn harness_without_devices() -> Harness {
    let harness = Harness::new().await;
    *harness.ports.microphone.0.lock().unwrap() = Mic::None;
    harness.ports.speaker.missing.store(true, Ordering::SeqCst);
    harness.ports.screen.refused.store(true, Ordering::SeqCst);
    harness
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_question_uses_no_device_and_saves_no_file() {
    let mut harness = harness_without_devices().await;
    // Settings for the devices of this computer do not apply to a detached turn.
    harness.change(json!({"speaking": {"muted": true}, "screen": {"share": "always"}})).await;
    let (mut updates, work) = harness.assistant.detached(spoken());
    let outcome = work.await;
    let record = &outcome.record;
    assert_eq!((record.error.as_ref(), record.transcript.as_str()), (None, "what time is it"));
    assert!(record.notices.is_empty(), "{:?}", record.notices);
    assert_eq!((&record.question_audio, &record.answer_audio), (&None, &None));
    assert_eq!(harness.ports.screen.captures.load(Ordering::SeqCst), 0);
    let (mut samples, mut stages) = (0, Vec::new());
    while let Ok(update) = updates.try_recv() {
        match update {
            TurnUpdate::Sound(pcm) => {
                assert_eq!(pcm.rate, ANSWER_RATE);
                samples += pcm.samples.len();
            }
            TurnUpdate::Event(Event::Stage { stage, .. }) => stages.push(stage),
            TurnUpdate::Event(_) => {}
        }
    }
    let seconds = samples as f64 / f64::from(ANSWER_RATE);
    assert!((0.78..0.82).contains(&seconds), "two sentences of 400 ms, {seconds} s");
    assert_eq!(stages, [Stage::Listening, Stage::Transcribing, Stage::Thinking, Stage::Speaking, Stage::Idle]);
    // Subscribers receive no event of it.
    while let Ok(event) = harness.events.try_recv() {
        assert!(matches!(event, Event::Changed { .. } | Event::Availability { .. }), "{event:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_detached_turns_run_at_once_without_ending_the_turn_on_the_stage() {
    let mut harness = Harness::new().await;
    let slow = ScriptedReply { text: "Slowly.".into(), first_ms: Some(1_000), ..ScriptedReply::default() };
    harness.sandbox.set_script(Script { rules: vec![Rule { reply: slow, ..Rule::default() }] });
    harness.press().await;
    let all = (0..50).map(|number| harness.assistant.detached(typed(&format!("Question {number}"))).1);
    let outcomes = futures::future::join_all(all).await;
    // All requests wait at the provider at the same time: the last one arrives before the first one ends.
    let requests = harness.sandbox.requests().await;
    let posted = requests.iter().filter(|request| request.method == "POST");
    let spans: Vec<(f64, f64)> = posted.filter_map(|request| Some((request.arrived_ms, request.ended_ms?))).collect();
    let concurrent = |moment: f64| spans.iter().filter(|(from, to)| (*from..*to).contains(&moment)).count();
    let most = spans.iter().map(|(from, _)| concurrent(*from)).max().unwrap_or_default();
    assert!(most >= 10, "the turns run one after another: {spans:?}");
    assert!(outcomes.iter().all(|outcome| outcome.record.answer == "Slowly."), "{outcomes:?}");
    assert_eq!(harness.assistant.snapshot().stage, Stage::Listening, "the turn on the stage continues");
    harness.release_when_heard().await;
    assert_eq!(harness.done().await.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_future_cancels_the_request() {
    let harness = Harness::new().await;
    let late = ScriptedReply { text: "Too late.".into(), first_ms: Some(20_000), ..ScriptedReply::default() };
    harness.sandbox.set_script(Script { rules: vec![Rule { reply: late, ..Rule::default() }] });
    let (_updates, work) = harness.assistant.detached(typed("Wait for me"));
    let task = tokio::spawn(work);
    let wait_for = async |wanted: fn(&aura_sandbox::RequestRecord) -> bool| {
        let end = tokio::time::Instant::now() + Duration::from_secs(30);
        while !harness.sandbox.requests().await.iter().any(|request| request.method == "POST" && wanted(request)) {
            assert!(tokio::time::Instant::now() < end, "the request did not get there in time");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    wait_for(|_| true).await;
    task.abort();
    wait_for(|request| request.cancelled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn detached_turns_of_one_session_share_memory() {
    let harness = harness_without_devices().await;
    let record = harness.assistant.detached(typed("My name is Ada")).1.await.record;
    assert_eq!(record.error, None);
    harness.assistant.detached(DetachedTurn { context: Some("Window `Invoice`".into()), ..typed("Who am I?") }).1.await;
    let requests = harness.sandbox.requests().await;
    let last = requests.iter().rev().find(|request| request.method == "POST").unwrap();
    let sent = last.json.as_ref().unwrap()["messages"].to_string();
    assert!(sent.contains("My name is Ada") && sent.contains("Invoice"), "{sent}");
}
