//! Push-to-talk: press, release, cancel and retry.

use std::sync::atomic::Ordering;

use aura_core::api::{self, Nothing, Press, Retry, TurnId};
use aura_core::error::ErrorCode;
use aura_core::event::Event;
use aura_core::record::{NoticeKind, Stage};
use aura_router::RouteOverrides;
use aura_sandbox::{Fault, FaultKind, Service as SandboxService};
use aura_testkit::fake_ports::{Mic, speech};
use aura_testkit::harness::Harness;
use serde_json::json;

use super::notice_kinds;

#[tokio::test(flavor = "multi_thread")]
async fn a_press_interrupts_the_answer_and_the_record_keeps_the_part_that_was_played() {
    let mut harness = Harness::new().await;
    // The first sentence lasts 400 ms; playback stops within the second one.
    harness.ports.speaker.output.most.store(48 * 500, Ordering::SeqCst);
    harness.press().await;
    harness.release_when_heard().await;
    harness
        .next(|event| matches!(event, Event::Speaking { sentence, .. } if sentence.starts_with("Time")).then_some(()))
        .await;
    harness.press().await;
    let first = harness.done().await;
    assert!(first.interrupted);
    assert_eq!(first.error, None, "an answer that the user interrupted is not a failure");
    assert!(first.spoken.starts_with("It is three o'clock in the afternoon."), "{}", first.spoken);
    assert!(!first.spoken.ends_with("I would say."), "{}", first.spoken);
    harness.ports.speaker.output.most.store(u64::MAX, Ordering::SeqCst);
    harness.release_when_heard().await;
    let second = harness.done().await;
    assert_eq!(second.error, None);
    assert!(!second.interrupted);
    let sent = harness.sandbox.requests().await;
    let last = sent.iter().rev().find(|request| request.service == SandboxService::Llm).unwrap();
    let body = serde_json::to_string(&last.json).unwrap();
    assert!(body.contains("[interrupted]"), "the next question is sent with the part that was played: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_while_thinking_ends_the_turn() {
    let mut harness = Harness::new().await;
    harness.sandbox.add_fault(Fault::new(FaultKind::Silent).service(SandboxService::Llm));
    harness.press().await;
    harness.release_when_heard().await;
    harness.next(|event| matches!(event, Event::Stage { stage: Stage::Thinking, .. }).then_some(())).await;
    api::cancel(&harness.assistant, Nothing {}).await.unwrap();
    let record = harness.done().await;
    assert_eq!(record.error.unwrap().code, ErrorCode::Cancelled);
    assert_eq!(harness.assistant.snapshot().stage, Stage::Idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_turn_can_be_retried_from_its_recording() {
    let mut harness = Harness::new().await;
    harness.sandbox.add_fault(Fault::status(500).service(SandboxService::Stt));
    let failed = harness.speak().await;
    assert_eq!(failed.error.unwrap().code, ErrorCode::AllRoutesFailed);
    assert!(failed.question_audio.as_ref().unwrap().exists(), "the recording is saved although transcription failed");
    harness.sandbox.clear_faults();
    // The circuits are still open; the retry is the probe.
    let record = api::retry(&harness.assistant, Retry { id: failed.id.clone(), ..Retry::default() }).await.unwrap();
    assert_eq!((record.error, record.transcript.as_str()), (None, "what time is it"));
    let path = failed.question_audio.unwrap();
    api::delete_turn(&harness.assistant, TurnId { id: failed.id }).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn in_hold_mode_a_tap_is_discarded_and_in_auto_mode_it_toggles() {
    let mut harness = Harness::new().await;
    harness.change(json!({"listening": {"mode": "hold"}})).await;
    // On the paused clock, no time passes between press and release, however slow the machine is.
    tokio::time::pause();
    harness.press().await;
    harness.next(|event| matches!(event, Event::Stage { stage: Stage::Listening, .. }).then_some(())).await;
    api::release(&harness.assistant, Nothing {}).await.unwrap();
    harness.next(|event| matches!(event, Event::Stage { stage: Stage::Idle, .. }).then_some(())).await;
    tokio::time::resume();
    assert!(harness.ports.history.turns.lock().unwrap().is_empty());
    harness.change(json!({"listening": {"mode": "auto"}})).await;
    tokio::time::pause();
    harness.press().await;
    api::release(&harness.assistant, Nothing {}).await.unwrap();
    harness.next(|event| matches!(event, Event::Recording { .. }).then_some(())).await;
    tokio::time::resume();
    harness.next(|event| matches!(event, Event::Level { elapsed_ms, .. } if *elapsed_ms > 1_300).then_some(())).await;
    harness.press().await;
    api::release(&harness.assistant, Nothing {}).await.unwrap();
    assert_eq!(harness.done().await.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_ends_at_its_limit_with_a_notice() {
    let mut harness = Harness::new().await;
    harness.change(json!({"listening": {"longest_seconds": 5}})).await;
    *harness.ports.microphone.0.lock().unwrap() = Mic::Hears(speech(6.0));
    harness.press().await;
    let record = harness.done().await;
    assert_eq!((record.error.clone(), notice_kinds(&record)), (None, vec![NoticeKind::RecordingLimit]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_after_a_pause_does_not_wait_for_more_silence() {
    let mut harness = Harness::new().await;
    *harness.ports.microphone.0.lock().unwrap() = Mic::Endless(speech(1.2));
    assert_eq!(harness.speak().await.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_microphone_that_is_late_is_waited_for_after_a_pause() {
    let mut harness = Harness::new().await;
    let pause = vec![0; 16_000 * 3 / 10];
    *harness.ports.microphone.0.lock().unwrap() = Mic::Late([speech(1.2), pause].concat(), speech(1.0));
    assert_eq!(harness.speak().await.error, None);
    let sent = harness.sandbox.requests().await;
    let seconds = sent.iter().find(|request| request.service == SandboxService::Stt).unwrap().audio_seconds.unwrap();
    assert!(seconds > 2.5, "the end was lost: {seconds} s were sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_may_override_routes() {
    let mut harness = Harness::new().await;
    let overrides = RouteOverrides { stt: Some("gemini".into()), ..RouteOverrides::default() };
    api::press(&harness.assistant, Press { overrides, ..Press::default() }).await.unwrap();
    harness.release_when_heard().await;
    let record = harness.done().await;
    assert_eq!(record.stages[1].route.as_ref().unwrap().provider, "gemini");
}
