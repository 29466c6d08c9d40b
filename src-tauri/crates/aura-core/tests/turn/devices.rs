//! Microphone and speaker: missing, lost, silent, and muted.

use std::sync::atomic::Ordering;

use aura_core::api::{self, ChangeSettings, Nothing};
use aura_core::error::ErrorCode;
use aura_core::event::Event;
use aura_core::ports::Output;
use aura_core::record::{NoticeKind, TurnRecord};
use aura_sandbox::{Fault, Provider, Service as SandboxService};
use aura_testkit::fake_ports::{GONE, Mic, speech};
use aura_testkit::harness::Harness;
use serde_json::json;

use super::notice_kinds;

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_recording_is_not_sent() {
    let mut harness = Harness::new().await;
    *harness.ports.microphone.0.lock().unwrap() = Mic::Hears(vec![0; 32_000]);
    let record = harness.speak().await;
    assert_eq!(record.error.unwrap().code, ErrorCode::NothingHeard);
    let sent = harness.sandbox.requests().await;
    assert!(sent.iter().all(|request| request.service != SandboxService::Stt), "the recording was not sent");
    *harness.ports.microphone.0.lock().unwrap() = Mic::Hears(speech(1.2));
    assert_eq!(harness.speak().await.error, None, "the next turn works");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_microphone_fails_and_a_lost_one_is_answered_if_enough_was_recorded() {
    let mut harness = Harness::new().await;
    *harness.ports.microphone.0.lock().unwrap() = Mic::None;
    harness.press().await;
    assert_eq!(harness.done().await.error.unwrap().code, ErrorCode::NoMicrophone);
    *harness.ports.microphone.0.lock().unwrap() = Mic::Lost(speech(0.1));
    harness.press().await;
    assert_eq!(harness.done().await.error.unwrap().code, ErrorCode::MicrophoneLost, "too little was recorded");
    *harness.ports.microphone.0.lock().unwrap() = Mic::Lost(speech(1.5));
    harness.press().await;
    let record = harness.done().await;
    assert_eq!(record.error, None, "the recording up to then is answered");
    assert_eq!(notice_kinds(&record), [NoticeKind::MicrophoneLost]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_speaker_the_answer_is_written_and_saved() {
    let mut harness = Harness::new().await;
    harness.ports.speaker.missing.store(true, Ordering::SeqCst);
    let record = harness.speak().await;
    assert_eq!((record.error.clone(), notice_kinds(&record)), (None, vec![NoticeKind::NoSpeaker]));
    assert!(record.answer.contains("three"));
    assert_eq!(record.spoken, "");
    assert!(record.answer_audio.is_some(), "the speech is saved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_muted_answer_is_not_synthesized() {
    let mut harness = Harness::new().await;
    harness.change(json!({"speaking": {"muted": true}})).await;
    let record = harness.speak().await;
    assert_eq!((record.error, record.answer_audio, record.spoken.as_str()), (None, None, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_voice_is_as_fast_and_as_loud_as_the_settings_say() {
    let mut harness = Harness::new().await;
    let mut spoken = async |changes| {
        harness.change(changes).await;
        let record = harness.speak().await;
        assert_eq!((record.error, record.notices), (None, vec![]));
        let output = &harness.ports.speaker.output;
        (record.spoken, output.played() as f64, output.loudest() as f64)
    };
    let (words, length, loudness) = spoken(json!({})).await;
    assert!(length > 0.0 && loudness > 0.0);
    let (fast, short, quiet) = spoken(json!({"speaking": {"speed_percent": 200, "volume_percent": 50}})).await;
    assert_eq!(fast, words);
    assert!((short / length - 0.5).abs() < 0.05, "{short} samples instead of {length}");
    assert!((quiet / loudness - 0.5).abs() < 0.1, "{quiet} instead of {loudness}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_spoken_answer_is_repeated() {
    let mut harness = Harness::new().await;
    assert_eq!(api::repeat(&harness.assistant, Nothing {}).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(harness.speak().await.error, None);
    let length = harness.ports.speaker.output.played();
    // A later question that was answered in writing alone is not what is repeated.
    harness.change(json!({"speaking": {"muted": true}})).await;
    assert_eq!(harness.ask("What time is it?").await.answer_audio, None);
    harness.ports.speaker.output.begin();
    api::repeat(&harness.assistant, Nothing {}).await.unwrap();
    let again = harness.ports.speaker.output.played();
    assert!(again.abs_diff(length) < 48_000 / 10, "{again} samples instead of {length}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_devices_replace_chosen_ones_that_are_gone() {
    let mut harness = Harness::new().await;
    harness.change(json!({"listening": {"microphone": GONE}, "speaking": {"speaker": GONE}})).await;
    let record = harness.speak().await;
    assert_eq!(record.error, None);
    assert_eq!(notice_kinds(&record), [NoticeKind::OtherMicrophone, NoticeKind::OtherSpeaker]);
    let microphone = |record: &TurnRecord| record.notices[0].facts.clone().unwrap().microphone;
    assert_eq!(microphone(&record).as_deref(), Some("Default"));
    assert!(!record.spoken.is_empty());
    // A microphone that the person named for this case is used before the default one.
    harness.change(json!({"listening": {"spare_microphones": [GONE, "desk"]}, "speaking": {"speaker": null}})).await;
    let record = harness.speak().await;
    assert_eq!(notice_kinds(&record), [NoticeKind::OtherMicrophone]);
    assert_eq!(microphone(&record).as_deref(), Some("desk"));
    for wrong in [json!(["desk", "desk"]), json!([""])] {
        let changes = json!({"listening": {"spare_microphones": wrong}});
        let changed = api::change_settings(&harness.assistant, ChangeSettings { changes }).await;
        assert_eq!(changed.unwrap_err().code, ErrorCode::InvalidRequest);
    }
    harness.change(json!({"speaking": {"speaker": GONE}})).await;
    // So it is when an answer is repeated.
    api::repeat(&harness.assistant, Nothing {}).await.unwrap();
    // Without any, the error is that of the chosen one.
    *harness.ports.microphone.0.lock().unwrap() = Mic::None;
    harness.press().await;
    assert_eq!(harness.done().await.error.unwrap().message, "There is no such microphone.");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_programs_are_lowered_while_aura_listens_if_the_person_wants_that() {
    let mut harness = Harness::new().await;
    harness.press().await;
    harness.next(|event| matches!(event, Event::Recording { .. }).then_some(())).await;
    assert!(!harness.ports.other_sound.is_lowered());
    api::cancel(&harness.assistant, Nothing {}).await.unwrap();
    harness.done().await;
    harness.change(json!({"listening": {"lower_other_sound": true}})).await;
    harness.press().await;
    harness.until(|harness| harness.ports.other_sound.is_lowered()).await;
    harness.release_when_heard().await;
    harness.next(|event| matches!(event, Event::Text { .. }).then_some(())).await;
    assert!(!harness.ports.other_sound.is_lowered(), "AURA does not listen any more");
    harness.done().await;
    // So it is after an interruption, and an error.
    harness.press().await;
    harness.until(|harness| harness.ports.other_sound.is_lowered()).await;
    api::cancel(&harness.assistant, Nothing {}).await.unwrap();
    harness.done().await;
    assert!(!harness.ports.other_sound.is_lowered());
    *harness.ports.microphone.0.lock().unwrap() = Mic::None;
    harness.press().await;
    assert!(harness.done().await.error.is_some());
    assert!(!harness.ports.other_sound.is_lowered());
}

/// The tone of a failed turn lasts 300 ms, that of a microphone that is ready 50 ms.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_turn_is_told_by_a_tone_unless_it_is_switched_off() {
    let mut harness = Harness::new().await;
    harness.change(json!({"speaking": {"say": {"failures": false}}})).await;
    harness.sandbox.add_fault(Fault::status(500).service(SandboxService::Stt));
    assert!(harness.speak().await.error.is_some());
    harness.until(|harness| harness.ports.speaker.output.played() == 48 * 300).await;
    harness.change(json!({"speaking": {"cues": {"failed": false}}})).await;
    assert!(harness.speak().await.error.is_some());
    assert!(harness.ports.speaker.output.played() <= 48 * 50, "a tone is played");
}

/// A tone that waited for the speaker would come into the answer, which waits for it, too.
#[tokio::test(flavor = "multi_thread")]
async fn no_tone_comes_into_an_answer_of_a_speaker_that_opens_late() {
    let mut harness = Harness::new().await;
    harness.change(json!({"speaking": {"cues": {"heard": true, "switched": true}}})).await;
    harness.ports.speaker.asleep.store(true, Ordering::SeqCst);
    harness.press().await;
    harness.release_when_heard().await;
    harness.next(|event| matches!(event, Event::Text { .. }).then_some(())).await;
    harness.ports.speaker.asleep.store(false, Ordering::SeqCst);
    let record = harness.done().await;
    assert_eq!(record.spoken, "It is three o'clock in the afternoon. Time for a cup of tea, I would say.");
}

/// What was sent to be spoken, in order.
async fn said(harness: &Harness) -> Vec<String> {
    let sent = harness.sandbox.requests().await;
    let spoken = sent.iter().filter(|request| request.service == SandboxService::Tts);
    spoken.map(|request| request.text.clone().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_said_in_one_sentence_in_the_language_of_the_windows() {
    let mut harness = Harness::new().await;
    harness.change(json!({"appearance": {"language": "de"}})).await;
    *harness.ports.microphone.0.lock().unwrap() = Mic::Hears(vec![0; 32_000]);
    let record = harness.speak().await;
    assert_eq!(record.error.unwrap().code, ErrorCode::NothingHeard);
    assert_eq!(said(&harness).await, ["Ich habe nichts gehört."]);
    assert_eq!(harness.ports.speaker.output.played(), 48 * 400, "it is played to its end");
    assert_eq!((record.spoken.as_str(), record.first_sound_ms), ("", None), "it is no answer");
    harness.change(json!({"speaking": {"say": {"failures": false}}})).await;
    harness.sandbox.clear_requests();
    assert!(harness.speak().await.error.is_some());
    assert_eq!(said(&harness).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_another_provider_took_over_is_said_before_the_answer_on_request() {
    let mut harness = Harness::new().await;
    harness.change(json!({"speaking": {"say": {"switches": true}}})).await;
    harness.sandbox.add_fault(Fault::status(500).service(SandboxService::Llm).provider(Provider::Groq));
    let record = harness.speak().await;
    assert_eq!(record.error, None);
    assert_eq!(said(&harness).await.first().map(String::as_str), Some("Another provider took over."));
    assert_eq!(record.spoken, "It is three o'clock in the afternoon. Time for a cup of tea, I would say.");
}
