//! Pause, resume, previous and next sentence, while an answer is spoken and after its end.

use std::sync::atomic::Ordering;

use aura_core::api::{self, Ask, ControlPlayback, PlaybackAction, Speech};
use aura_core::error::ErrorCode;
use aura_core::event::Event;
use aura_core::ports::Output;
use aura_core::record::{Playback, TurnRecord};
use aura_sandbox::Script;
use aura_testkit::harness::Harness;

const SENTENCES: [&str; 3] = [
    "The first sentence is about the weather in spring.",
    "The second one tells you about the trains to the sea.",
    "And the third one wishes you a good journey home.",
];
/// Samples of a sentence: 400 ms at 48 kHz.
const SENTENCE: u64 = 19_200;

/// An assistant that speaks the three sentences, and is held after this number of samples.
async fn speaking(most: u64) -> (Harness, tokio::task::JoinHandle<TurnRecord>) {
    let mut harness = Harness::new().await;
    harness.sandbox.set_script(Script::always(SENTENCES.join(" ")));
    harness.ports.speaker.output.most.store(most, Ordering::SeqCst);
    let assistant = harness.assistant.clone();
    let ask = Ask { text: "Tell me something.".into(), speech: Speech::Aloud, ..Ask::default() };
    let turn = tokio::spawn(async move { api::ask(&assistant, ask).await.unwrap() });
    for sentence in &SENTENCES[..=usize::try_from(most / SENTENCE).unwrap().min(2)] {
        assert_eq!(spoken(&mut harness).await, *sentence);
    }
    harness.until(|harness| harness.ports.speaker.output.played() >= most).await;
    (harness, turn)
}

/// The next sentence that is spoken.
async fn spoken(harness: &mut Harness) -> String {
    harness.next(|event| if let Event::Speaking { sentence, .. } = event { Some(sentence.clone()) } else { None }).await
}

async fn control(harness: &Harness, action: PlaybackAction) {
    api::playback(&harness.assistant, ControlPlayback { action }).await.unwrap();
}

fn hold(harness: &Harness, most: u64) {
    harness.ports.speaker.output.most.store(most, Ordering::SeqCst);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_answer_goes_on_where_it_was_and_is_heard_to_its_end() {
    let (harness, turn) = speaking(SENTENCE + 4_800).await;
    assert_eq!(harness.assistant.snapshot().playback, Playback::Playing);
    control(&harness, PlaybackAction::Toggle).await;
    assert_eq!(harness.assistant.snapshot().playback, Playback::Paused);
    hold(&harness, u64::MAX);
    let played = harness.ports.speaker.output.played();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!turn.is_finished(), "a paused answer does not end");
    assert_eq!(harness.ports.speaker.output.played(), played, "nothing is played while it is paused");
    control(&harness, PlaybackAction::Toggle).await;
    let record = turn.await.unwrap();
    assert_eq!((record.error, record.spoken), (None, SENTENCES.join(" ")));
    assert_eq!(harness.assistant.snapshot().playback, Playback::Idle);
    let rest = harness.ports.speaker.output.played();
    assert!((3 * SENTENCE - played..3 * SENTENCE).contains(&rest), "{rest} samples after {played} and the pause");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_goes_back_to_a_sentence_and_on_to_the_next() {
    let (mut harness, turn) = speaking(SENTENCE + 4_800).await;
    // The second sentence has just begun.
    hold(&harness, 4_800);
    control(&harness, PlaybackAction::Previous).await;
    assert_eq!(spoken(&mut harness).await, SENTENCES[0]);
    control(&harness, PlaybackAction::Next).await;
    assert_eq!(spoken(&mut harness).await, SENTENCES[1]);
    control(&harness, PlaybackAction::Next).await;
    assert_eq!(spoken(&mut harness).await, SENTENCES[2]);
    assert!(!turn.is_finished());
    control(&harness, PlaybackAction::Next).await;
    let record = turn.await.unwrap();
    assert_eq!(record.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_sentence_is_said_again_after_the_end() {
    let (harness, turn) = speaking(SENTENCE + 1).await;
    hold(&harness, u64::MAX);
    assert_eq!(turn.await.unwrap().spoken, SENTENCES.join(" "));
    control(&harness, PlaybackAction::Previous).await;
    assert_eq!(harness.ports.speaker.output.played(), SENTENCE);
    let next = api::playback(&harness.assistant, ControlPlayback { action: PlaybackAction::Next }).await;
    assert_eq!(next.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_pressed_while_an_answer_is_paused_ends_it() {
    let (mut harness, turn) = speaking(SENTENCE + 4_800).await;
    control(&harness, PlaybackAction::Pause).await;
    harness.press().await;
    let record = turn.await.unwrap();
    assert!(record.interrupted, "{record:?}");
    assert!(record.spoken.starts_with(SENTENCES[0]) && !record.spoken.contains(SENTENCES[2]), "{}", record.spoken);
}
