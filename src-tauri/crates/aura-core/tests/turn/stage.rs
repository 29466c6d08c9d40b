//! Who has the stage, the microphone and the speaker, and what is left behind.

use std::sync::atomic::Ordering;

use aura_core::api::{self, Ask, Meter, Nothing, Retry, Speech, TurnId};
use aura_core::error::Code;
use aura_core::event::Event;
use aura_core::ports::Output;
use aura_core::record::Stage;
use serde_json::json;

use crate::house::House;
use crate::machine::Mic;

fn recording(event: &Event) -> Option<()> {
    matches!(event, Event::Recording { .. }).then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_turn_does_not_take_the_stage_from_the_next_one() {
    let mut house = House::new().await;
    // The first one takes long to save what there is of it.
    house.machine.history.1.store(true, Ordering::SeqCst);
    house.press().await;
    house.next(recording).await;
    api::cancel(&house.assistant, Nothing {}).await.unwrap();
    house.press().await;
    house.next(recording).await;
    house.machine.history.1.store(false, Ordering::SeqCst);
    let mut idle = house.assistant.subscribe();
    assert_eq!(house.done().await.error.unwrap().code, Code::Cancelled);
    assert_eq!(house.assistant.snapshot().stage, Stage::Listening, "the second one is being recorded");
    while let Ok(event) = idle.try_recv() {
        assert!(!matches!(event, Event::Stage { stage: Stage::Idle, .. }), "listeners are told that nothing goes on");
    }
    house.release_when_heard().await;
    assert_eq!(house.done().await.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_cancel_the_stage_is_empty() {
    let mut house = House::new().await;
    house.press().await;
    house.next(recording).await;
    api::cancel(&house.assistant, Nothing {}).await.unwrap();
    house.done().await;
    assert_eq!(house.assistant.snapshot().stage, Stage::Idle);
}

#[tokio::test]
async fn a_recording_is_finished_whatever_the_talk_key_is_set_to() {
    for mode in ["toggle", "auto", "hold"] {
        let mut house = House::new().await;
        house.change(json!({"listening": {"mode": mode}})).await;
        // A moment after the press, for which a release would mean something else with each of them.
        tokio::time::pause();
        house.press().await;
        house.next(|event| matches!(event, Event::Level { .. }).then_some(())).await;
        api::finish(&house.assistant, Nothing {}).await.unwrap();
        tokio::time::resume();
        let record = house.done().await;
        assert_eq!((record.error, record.transcript.as_str()), (None, "what time is it"), "{mode}");
    }
}

#[tokio::test]
async fn the_chime_waits_for_the_speaker_and_no_longer_than_the_key_is_held() {
    let mut house = House::new().await;
    let chimed = |house: &House| house.machine.speaker.output.played() > 0;
    tokio::time::pause();
    house.machine.speaker.asleep.store(true, Ordering::SeqCst);
    house.press().await;
    house.next(recording).await;
    assert!(!chimed(&house));
    house.machine.speaker.asleep.store(false, Ordering::SeqCst);
    house.until(chimed).await;
    assert_eq!(house.machine.speaker.output.played(), 48 * 50, "50 milliseconds");
    tokio::time::resume();
    api::cancel(&house.assistant, Nothing {}).await.unwrap();
    house.done().await;

    // Too late it would be taken for something else.
    house.machine.speaker.output.begin();
    house.machine.speaker.asleep.store(true, Ordering::SeqCst);
    house.press().await;
    house.next(recording).await;
    api::cancel(&house.assistant, Nothing {}).await.unwrap();
    house.done().await;
    house.machine.speaker.asleep.store(false, Ordering::SeqCst);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!chimed(&house));
}

#[tokio::test]
async fn what_was_not_recorded_leaves_no_file() {
    let mut house = House::new().await;
    *house.machine.microphone.0.lock().unwrap() = Mic::None;
    house.press().await;
    let record = house.done().await;
    assert_eq!((record.error.unwrap().code, record.question_audio), (Code::NoMicrophone, None));
    assert_eq!(house.recordings(), Vec::<std::path::PathBuf>::new());

    // A hold that was too short to be meant.
    house.change(json!({"listening": {"mode": "hold"}})).await;
    *house.machine.microphone.0.lock().unwrap() = Mic::Hears(crate::machine::speech(1.2));
    tokio::time::pause();
    house.press().await;
    house.next(recording).await;
    api::release(&house.assistant, Nothing {}).await.unwrap();
    house.next(|event| matches!(event, Event::Stage { stage: Stage::Idle, .. }).then_some(())).await;
    tokio::time::resume();
    house.until(|house| house.recordings().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_silences_what_was_heard_again_and_ends_a_microphone_test() {
    let mut house = House::new().await;
    let spoken = house.ask("What time is it?").await;
    let id = TurnId { id: spoken.id };
    for press in [true, false] {
        // The replay would never come to its end.
        house.machine.speaker.output.begin();
        house.machine.speaker.output.most.store(1, Ordering::SeqCst);
        let assistant = house.assistant.clone();
        let replay = tokio::spawn({
            let id = id.clone();
            async move { api::replay(&assistant, id).await }
        });
        house.until(|house| house.machine.speaker.output.played() > 0).await;
        if press {
            house.press().await;
        } else {
            house.ask_for(Ask { text: "And now?".into(), speech: Speech::None, ..Ask::default() }).await;
        }
        tokio::time::timeout(crate::house::LIMIT, replay).await.expect("it is still being heard").unwrap().unwrap();
        api::cancel(&house.assistant, Nothing {}).await.unwrap();
        house.until(|house| house.assistant.snapshot().stage == Stage::Idle).await;
    }
    let assistant = house.assistant.clone();
    let meter = tokio::spawn(async move { api::meter(&assistant, Meter { seconds: 60, microphone: None }).await });
    house.next(|event| matches!(event, Event::Level { .. }).then_some(())).await;
    house.press().await;
    // Ended by the press: it would last a minute otherwise, and this waits half of that.
    let ended = tokio::time::timeout(crate::house::LIMIT / 2, meter).await;
    ended.expect("the microphone is still being tried").unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_takes_the_same_picture_and_never_the_screen_instead() {
    let house = House::new().await;
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.jpg");
    std::fs::write(&picture, include_bytes!("screen.jpg")).unwrap();
    let ask =
        Ask { text: "What is this?".into(), image: Some(picture.clone()), speech: Speech::None, ..Ask::default() };
    let first = house.ask_for(ask).await;
    assert_eq!((first.error.clone(), first.picture.as_ref()), (None, Some(&picture)));
    let retry = || Retry { id: first.id.clone(), ..Retry::default() };
    house.change(json!({"screen": {"share": "never"}})).await;
    let again = api::retry(&house.assistant, retry()).await.unwrap();
    assert_eq!((again.error, again.picture, again.seen), (None, Some(picture.clone()), first.seen.clone()));
    assert_eq!(house.machine.screen.captures.load(Ordering::SeqCst), 0, "the screen was captured");
    let sent = house.sandbox.requests().await;
    let seen: Vec<_> =
        sent.iter().flat_map(|request| &request.images).map(|image| (image.width, image.height)).collect();
    assert_eq!(seen, [(320, 80); 2], "both times the model saw it");

    // It is gone: that is said, and nothing else is sent for it.
    std::fs::remove_file(&picture).unwrap();
    let without = api::retry(&house.assistant, retry()).await.unwrap();
    assert_eq!(without.error.unwrap().code, Code::InvalidRequest);
    assert_eq!(house.machine.screen.captures.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_looks_at_the_screen_anew_unless_it_never_goes() {
    let house = House::new().await;
    let first = house.ask("What is on my screen?").await;
    assert!(first.seen.is_some());
    let retry = || Retry { id: first.id.clone(), ..Retry::default() };
    assert!(api::retry(&house.assistant, retry()).await.unwrap().seen.is_some());
    house.change(json!({"screen": {"share": "never"}})).await;
    assert_eq!(api::retry(&house.assistant, retry()).await.unwrap().seen, None);
    assert_eq!(house.machine.screen.captures.load(Ordering::SeqCst), 2);
}
