//! Turns aside: beside the stage, without a device, for whoever asks.

use std::sync::atomic::Ordering;
use std::time::Duration;

use aura_core::event::{Event, Told};
use aura_core::record::Stage;
use aura_core::{Aside, SOUND_RATE};
use aura_sandbox::{Reply, Rule, Script};
use serde_json::json;

use crate::house::House;
use crate::machine::{Mic, speech};

fn spoken() -> Aside {
    let sound = Some(aura_core::audio::speech_wav(&speech(1.5)));
    Aside { sound, session: "aside".into(), aloud: true, ..Aside::default() }
}

fn typed(text: &str) -> Aside {
    Aside { text: text.into(), session: "aside".into(), ..Aside::default() }
}

/// A house without microphone, speaker and screen.
async fn bare() -> House {
    let house = House::new().await;
    *house.machine.microphone.0.lock().unwrap() = Mic::None;
    house.machine.speaker.missing.store(true, Ordering::SeqCst);
    house.machine.screen.refused.store(true, Ordering::SeqCst);
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_question_needs_no_device_and_leaves_no_file() {
    let mut house = bare().await;
    // What the person set for the room they sit in is none of a caller's business.
    house.change(json!({"speaking": {"muted": true}, "screen": {"share": "always"}})).await;
    let (mut told, work) = house.assistant.aside(spoken());
    let outcome = work.await;
    let record = &outcome.record;
    assert_eq!((record.error.as_ref(), record.transcript.as_str()), (None, "what time is it"));
    assert!(record.notices.is_empty(), "{:?}", record.notices);
    assert_eq!((&record.question_audio, &record.answer_audio), (&None, &None));
    assert_eq!(house.machine.screen.captures.load(Ordering::SeqCst), 0);
    let (mut samples, mut stages) = (0, Vec::new());
    while let Ok(told) = told.try_recv() {
        match told {
            Told::Sound(pcm) => {
                assert_eq!(pcm.rate, SOUND_RATE);
                samples += pcm.samples.len();
            }
            Told::Event(Event::Stage { stage, .. }) => stages.push(stage),
            Told::Event(_) => {}
        }
    }
    let seconds = samples as f64 / f64::from(SOUND_RATE);
    assert!((0.78..0.82).contains(&seconds), "two sentences of 400 ms, {seconds} s");
    assert_eq!(stages, [Stage::Listening, Stage::Transcribing, Stage::Thinking, Stage::Speaking, Stage::Idle]);
    // Nobody else was told of it.
    while let Ok(event) = house.events.try_recv() {
        assert!(matches!(event, Event::Changed { .. } | Event::Availability { .. }), "{event:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_run_at_once_and_beside_the_stage() {
    let mut house = House::new().await;
    let slow = Reply { text: "Slowly.".into(), first_ms: Some(1_000), ..Reply::default() };
    house.sandbox.set_script(Script { rules: vec![Rule { reply: slow, ..Rule::default() }] });
    house.press().await;
    let all = (0..50).map(|number| house.assistant.aside(typed(&format!("Question {number}"))).1);
    let outcomes = futures::future::join_all(all).await;
    // All wait for their answer at the same time, each at the provider: the one that arrived last finds the first still there.
    let requests = house.sandbox.requests().await;
    let asked = requests.iter().filter(|request| request.method == "POST");
    let spans: Vec<(f64, f64)> = asked.filter_map(|request| Some((request.arrived_ms, request.ended_ms?))).collect();
    let at_once = |moment: f64| spans.iter().filter(|(from, to)| (*from..*to).contains(&moment)).count();
    let most = spans.iter().map(|(from, _)| at_once(*from)).max().unwrap_or_default();
    assert!(most >= 10, "they wait for each other: {spans:?}");
    assert!(outcomes.iter().all(|outcome| outcome.record.answer == "Slowly."), "{outcomes:?}");
    assert_eq!(house.assistant.snapshot().stage, Stage::Listening, "the one on the stage goes on");
    house.release_when_heard().await;
    assert_eq!(house.done().await.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_drops_it_stops_it() {
    let house = House::new().await;
    let late = Reply { text: "Too late.".into(), first_ms: Some(20_000), ..Reply::default() };
    house.sandbox.set_script(Script { rules: vec![Rule { reply: late, ..Rule::default() }] });
    let (_told, work) = house.assistant.aside(typed("Wait for me"));
    let task = tokio::spawn(work);
    let state = async |wanted: fn(&aura_sandbox::RequestRecord) -> bool| {
        let end = tokio::time::Instant::now() + Duration::from_secs(30);
        while !house.sandbox.requests().await.iter().any(|request| request.method == "POST" && wanted(request)) {
            assert!(tokio::time::Instant::now() < end, "it did not happen");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    state(|_| true).await;
    task.abort();
    state(|request| request.cancelled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_shares_the_memory_of_its_session() {
    let house = bare().await;
    let record = house.assistant.aside(typed("My name is Ada")).1.await.record;
    assert_eq!(record.error, None);
    house.assistant.aside(Aside { context: Some("Window `Invoice`".into()), ..typed("Who am I?") }).1.await;
    let requests = house.sandbox.requests().await;
    let last = requests.iter().rev().find(|request| request.method == "POST").unwrap();
    let sent = last.json.as_ref().unwrap()["messages"].to_string();
    assert!(sent.contains("My name is Ada") && sent.contains("Invoice"), "{sent}");
}
