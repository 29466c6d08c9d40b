//! The stage, the microphone and the speaker: which turn has them, and which files a turn leaves.

use std::sync::atomic::Ordering;

use aura_core::api::{self, Ask, Meter, Nothing, Retry, Speech, TurnId};
use aura_core::error::ErrorCode;
use aura_core::event::Event;
use aura_core::ports::Output;
use aura_core::record::Stage;
use aura_sandbox::{Rule, Script};
use aura_testkit::fake_ports::{Mic, speech};
use aura_testkit::harness::{Harness, LIMIT};
use serde_json::json;

fn recording(event: &Event) -> Option<()> {
    matches!(event, Event::Recording { .. }).then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_turn_does_not_take_the_stage_from_the_next_one() {
    let mut harness = Harness::new().await;
    // Saving the first turn takes long.
    harness.ports.history.is_blocked.store(true, Ordering::SeqCst);
    harness.press().await;
    harness.next(recording).await;
    api::cancel(&harness.assistant, Nothing {}).await.unwrap();
    harness.press().await;
    harness.next(recording).await;
    harness.ports.history.is_blocked.store(false, Ordering::SeqCst);
    let mut idle = harness.assistant.subscribe();
    assert_eq!(harness.done().await.error.unwrap().code, ErrorCode::Cancelled);
    assert_eq!(harness.assistant.snapshot().stage, Stage::Listening, "the second turn is recording");
    while let Ok(event) = idle.try_recv() {
        assert!(!matches!(event, Event::Stage { stage: Stage::Idle, .. }), "subscribers receive an idle stage");
    }
    harness.release_when_heard().await;
    assert_eq!(harness.done().await.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stage_is_idle_after_a_cancel() {
    let mut harness = Harness::new().await;
    harness.press().await;
    harness.next(recording).await;
    api::cancel(&harness.assistant, Nothing {}).await.unwrap();
    harness.done().await;
    assert_eq!(harness.assistant.snapshot().stage, Stage::Idle);
}

#[tokio::test]
async fn finish_ends_a_recording_in_every_push_to_talk_mode() {
    for mode in ["toggle", "auto", "hold"] {
        let mut harness = Harness::new().await;
        harness.change(json!({"listening": {"mode": mode}})).await;
        // So soon after the press that a release would mean something else in each mode.
        tokio::time::pause();
        harness.press().await;
        harness.next(|event| matches!(event, Event::Level { .. }).then_some(())).await;
        api::finish(&harness.assistant, Nothing {}).await.unwrap();
        tokio::time::resume();
        let record = harness.done().await;
        assert_eq!((record.error, record.transcript.as_str()), (None, "what time is it"), "{mode}");
    }
}

#[tokio::test]
async fn a_tap_that_keeps_the_microphone_open_is_told() {
    let mut harness = Harness::new().await;
    harness.change(json!({"listening": {"mode": "toggle"}})).await;
    harness.press().await;
    harness.next(recording).await;
    api::release(&harness.assistant, Nothing {}).await.unwrap();
    harness.next(|event| matches!(event, Event::Latched { .. }).then_some(())).await;
    api::cancel(&harness.assistant, Nothing {}).await.unwrap();
    harness.done().await;
}

#[tokio::test]
async fn the_start_tone_waits_for_the_speaker_only_while_the_key_is_held() {
    let mut harness = Harness::new().await;
    let has_played = |harness: &Harness| harness.ports.speaker.output.played() > 0;
    tokio::time::pause();
    harness.ports.speaker.asleep.store(true, Ordering::SeqCst);
    harness.press().await;
    harness.next(recording).await;
    assert!(!has_played(&harness));
    harness.ports.speaker.asleep.store(false, Ordering::SeqCst);
    harness.until(has_played).await;
    assert_eq!(harness.ports.speaker.output.played(), 48 * 50, "50 milliseconds");
    tokio::time::resume();
    api::cancel(&harness.assistant, Nothing {}).await.unwrap();
    harness.done().await;

    // Once the key is released, the tone is not played any more.
    harness.ports.speaker.output.begin();
    harness.ports.speaker.asleep.store(true, Ordering::SeqCst);
    harness.press().await;
    harness.next(recording).await;
    api::cancel(&harness.assistant, Nothing {}).await.unwrap();
    harness.done().await;
    harness.ports.speaker.asleep.store(false, Ordering::SeqCst);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!has_played(&harness));
}

#[tokio::test]
async fn a_turn_without_a_recording_leaves_no_file() {
    let mut harness = Harness::new().await;
    *harness.ports.microphone.0.lock().unwrap() = Mic::None;
    harness.press().await;
    let record = harness.done().await;
    assert_eq!((record.error.unwrap().code, record.question_audio), (ErrorCode::NoMicrophone, None));
    assert_eq!(harness.recordings(), Vec::<std::path::PathBuf>::new());

    // A hold that is too short to be intended.
    harness.change(json!({"listening": {"mode": "hold"}})).await;
    *harness.ports.microphone.0.lock().unwrap() = Mic::Hears(speech(1.2));
    tokio::time::pause();
    harness.press().await;
    harness.next(recording).await;
    api::release(&harness.assistant, Nothing {}).await.unwrap();
    harness.next(|event| matches!(event, Event::Stage { stage: Stage::Idle, .. }).then_some(())).await;
    tokio::time::resume();
    harness.until(|harness| harness.recordings().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_ends_a_replay_and_a_microphone_test() {
    let mut harness = Harness::new().await;
    let spoken = harness.ask("What time is it?").await;
    let id = TurnId { id: spoken.id };
    for press in [true, false] {
        // The fake speaker stops playing, so the replay would never end.
        harness.ports.speaker.output.begin();
        harness.ports.speaker.output.most.store(1, Ordering::SeqCst);
        let assistant = harness.assistant.clone();
        let replay = tokio::spawn({
            let id = id.clone();
            async move { api::replay(&assistant, id).await }
        });
        harness.until(|harness| harness.ports.speaker.output.played() > 0).await;
        if press {
            harness.press().await;
        } else {
            harness.ask_for(Ask { text: "And now?".into(), speech: Speech::None, ..Ask::default() }).await;
        }
        tokio::time::timeout(LIMIT, replay).await.expect("the replay still runs").unwrap().unwrap();
        api::cancel(&harness.assistant, Nothing {}).await.unwrap();
        harness.until(|harness| harness.assistant.snapshot().stage == Stage::Idle).await;
    }
    let assistant = harness.assistant.clone();
    let meter = tokio::spawn(async move { api::meter(&assistant, Meter { seconds: 60, microphone: None }).await });
    harness.next(|event| matches!(event, Event::Level { .. }).then_some(())).await;
    harness.press().await;
    // Without the press, the test would last a minute; this waits half of that.
    let ended = tokio::time::timeout(LIMIT / 2, meter).await;
    ended.expect("the microphone test still runs").unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_sends_the_attached_picture_again_and_never_a_screenshot_instead() {
    let harness = Harness::new().await;
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.jpg");
    std::fs::write(&picture, include_bytes!("../../../aura-testkit/src/screen.jpg")).unwrap();
    let ask =
        Ask { text: "What is this?".into(), image: Some(picture.clone()), speech: Speech::None, ..Ask::default() };
    let first = harness.ask_for(ask).await;
    assert_eq!((first.error.clone(), first.picture.as_ref()), (None, Some(&picture)));
    let retry = || Retry { id: first.id.clone(), ..Retry::default() };
    harness.change(json!({"screen": {"share": "never"}})).await;
    let again = api::retry(&harness.assistant, retry()).await.unwrap();
    assert_eq!((again.error, again.picture, again.seen), (None, Some(picture.clone()), first.seen.clone()));
    assert_eq!(harness.ports.screen.captures.load(Ordering::SeqCst), 0, "the screen was captured");
    let sent = harness.sandbox.requests().await;
    let seen: Vec<_> =
        sent.iter().flat_map(|request| &request.images).map(|image| (image.width, image.height)).collect();
    assert_eq!(seen, [(320, 80); 2], "the picture was sent both times");

    // The file is deleted: the retry fails, and no screenshot is sent instead.
    std::fs::remove_file(&picture).unwrap();
    let without = api::retry(&harness.assistant, retry()).await.unwrap();
    assert_eq!(without.error.unwrap().code, ErrorCode::InvalidRequest);
    assert_eq!(harness.ports.screen.captures.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_takes_a_new_screenshot_unless_the_settings_forbid_it() {
    let harness = Harness::new().await;
    harness.sandbox.set_script(Script {
        rules: vec![Rule::calling_when_asked("screen", "look_at_screen"), Rule::reply("A clock.")],
    });
    let first = harness.ask("What is on my screen?").await;
    assert!(first.seen.is_some());
    let retry = || Retry { id: first.id.clone(), ..Retry::default() };
    assert!(api::retry(&harness.assistant, retry()).await.unwrap().seen.is_some());
    harness.change(json!({"screen": {"share": "never"}})).await;
    assert_eq!(api::retry(&harness.assistant, retry()).await.unwrap().seen, None);
    assert_eq!(harness.ports.screen.captures.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_ends_when_its_caller_leaves() {
    let mut harness = Harness::new().await;
    harness.sandbox.add_fault(aura_sandbox::Fault::new(aura_sandbox::FaultKind::Silent));
    let assistant = harness.assistant.clone();
    let asked = tokio::spawn(async move {
        let question = Ask { text: "Does anybody wait for this?".into(), speech: Speech::None, ..Ask::default() };
        api::ask(&assistant, question).await
    });
    harness.next(|event| matches!(event, Event::Stage { stage: Stage::Thinking, .. }).then_some(())).await;
    asked.abort();
    let record = harness.done().await;
    assert_eq!(record.error.unwrap().code, ErrorCode::Cancelled);
    assert_eq!(harness.assistant.snapshot().stage, Stage::Idle);
}
