//! Hands-free use: AURA listens again after each answer.

use std::sync::atomic::Ordering;

use aura_core::api::{self, Nothing, Press, SetHandsFree};
use aura_core::event::Event;
use aura_core::record::Stage;
use aura_sandbox::FixedAnswers;
use aura_testkit::fake_ports::{Mic, Room, speech};
use aura_testkit::harness::Harness;

/// An assistant in a room, with hands-free use on.
async fn hands_free() -> (Harness, Room) {
    let harness = Harness::new().await;
    let room = Room::default();
    *harness.ports.microphone.0.lock().unwrap() = Mic::Room(room.clone());
    toggle(&harness).await;
    assert!(harness.assistant.snapshot().hands_free);
    (harness, room)
}

async fn toggle(harness: &Harness) {
    api::hands_free(&harness.assistant, SetHandsFree::default()).await.unwrap();
}

/// A person, at 16 kHz. A steady hum is too much like any voice to be told from an echo.
fn person() -> Vec<i16> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/speech/jfk.wav");
    aura_audio::decode(std::fs::read(file).unwrap().into()).unwrap().to_speech()
}

/// Waits until AURA records.
async fn until_recording(harness: &mut Harness) {
    harness.next(|event| matches!(event, Event::Recording { .. }).then_some(())).await;
}

/// Waits until hands-free use is over.
async fn until_over(harness: &mut Harness) {
    harness.next(|event| matches!(event, Event::Changed { snapshot } if !snapshot.hands_free).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_end_with_a_pause_and_hands_free_use_when_nobody_speaks() {
    let (mut harness, room) = hands_free().await;
    for _ in 0..2 {
        until_recording(&mut harness).await;
        room.speak(speech(1.2));
        let record = harness.done().await;
        assert_eq!((record.error, record.transcript.as_str()), (None, "what time is it"));
    }
    until_over(&mut harness).await;
    assert_eq!(harness.assistant.snapshot().stage, Stage::Idle);
    let turns = harness.ports.history.turns.lock().unwrap().len();
    assert_eq!(turns, 2, "silence is no question");
    assert_eq!(harness.recordings().len(), 4, "a recording and an answer of each");
}

#[tokio::test(flavor = "multi_thread")]
async fn speech_interrupts_an_answer_and_is_the_next_question() {
    let (mut harness, room) = hands_free().await;
    // Playback comes to a stop within the second sentence.
    harness.ports.speaker.output.most.store(48 * 500, Ordering::SeqCst);
    until_recording(&mut harness).await;
    room.speak(speech(1.2));
    harness.next(|event| matches!(event, Event::Speaking { .. }).then_some(())).await;
    room.speak(person()[..16_000 * 2].to_vec());
    let first = harness.done().await;
    assert!(first.interrupted, "{first:#?}");
    harness.ports.speaker.output.most.store(u64::MAX, Ordering::SeqCst);
    let second = harness.done().await;
    assert_eq!((second.error, second.transcript.as_str()), (None, "what time is it"));
    let question = std::fs::read(second.question_audio.unwrap()).unwrap();
    let seconds = aura_audio::read_wav(&question).unwrap().duration().as_secs_f32();
    assert!(seconds > 1.6, "the speech that interrupted belongs to the question: {seconds} s");
    until_over(&mut harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_falls_silent_for_a_short_sound_and_goes_on() {
    let (mut harness, room) = hands_free().await;
    let output = harness.ports.speaker.output.clone();
    output.most.store(48 * 500, Ordering::SeqCst);
    until_recording(&mut harness).await;
    room.speak(speech(1.2));
    harness.next(|event| matches!(event, Event::Speaking { .. }).then_some(())).await;
    let changes = output.changes();
    // Once the canceller has adapted, less than a tenth of a second of a person.
    room.speak([&[0; 16_000 * 3], &person()[4_800..6_080], &[0; 16_000]].concat());
    harness.until(|_| output.changes() > changes).await;
    output.most.store(u64::MAX, Ordering::SeqCst);
    let record = harness.done().await;
    assert!(!record.interrupted, "{record:#?}");
    assert!(record.spoken.ends_with("a cup of tea, I would say."), "it is spoken to its end: {}", record.spoken);
    until_over(&mut harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_stop_ends_it_without_a_question() {
    let (mut harness, room) = hands_free().await;
    harness.sandbox.set_fixed(FixedAnswers { transcript: Some("Stop.".into()), audio: None });
    until_recording(&mut harness).await;
    room.speak(speech(0.5));
    until_over(&mut harness).await;
    harness.until(|harness| harness.ports.history.turns.lock().unwrap().is_empty()).await;
    assert_eq!(harness.recordings(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_a_second_call_and_the_key_end_it() {
    for end in ["cancel", "hands_free", "press"] {
        let (mut harness, room) = hands_free().await;
        until_recording(&mut harness).await;
        if end == "press" {
            // While AURA listens, a press ends the question; while it answers, it begins a turn of its own.
            harness.ports.speaker.output.most.store(48 * 100, Ordering::SeqCst);
            room.speak(speech(1.2));
            harness.next(|event| matches!(event, Event::Speaking { .. }).then_some(())).await;
        }
        match end {
            "cancel" => drop(api::cancel(&harness.assistant, Nothing {}).await.unwrap()),
            "hands_free" => toggle(&harness).await,
            _ => drop(api::press(&harness.assistant, Press::default()).await.unwrap()),
        }
        until_over(&mut harness).await;
        assert!(!harness.assistant.snapshot().hands_free, "{end}");
        if end != "press" {
            harness.until(|harness| harness.assistant.snapshot().stage == Stage::Idle).await;
        }
    }
}
