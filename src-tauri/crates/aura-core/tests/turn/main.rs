//! Whole turns through the public door: a fake machine, real HTTP to the sandbox providers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod aside;
mod house;
mod machine;
mod stage;

use std::sync::atomic::Ordering;
use std::time::Duration;

use aura_core::api::{self, Ask, Nothing, Press, ProviderName, Retry, SaveKey, Speech, Switch, TurnId, Wishes};
use aura_core::error::Code;
use aura_core::event::Event;
use aura_core::providers::{Class, Service};
use aura_core::record::Stage;
use aura_sandbox::{Fault, FaultKind, Provider, Rule, Script, Service as SandboxService, When};
use house::House;
use machine::{Mic, speech};
use serde_json::json;

fn kinds(record: &aura_core::record::TurnRecord) -> Vec<&str> {
    record.notices.iter().map(|notice| notice.kind.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_question_is_answered_aloud() {
    let mut house = House::new().await;
    let record = house.speak().await;
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
    assert!(aura_core::audio::read_wav(&question).unwrap().duration() > Duration::from_secs(1));
    let answer = std::fs::read(record.answer_audio.unwrap()).unwrap();
    let seconds = aura_core::audio::read_wav(&answer).unwrap().duration().as_secs_f32();
    assert!((0.78..0.82).contains(&seconds), "two sentences of 400 ms, {seconds} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_the_turn_in_its_order() {
    let mut house = House::new().await;
    let mut events = house.assistant.subscribe();
    house.speak().await;
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        let name = match event {
            Event::Stage { stage, .. } => format!("{stage:?}"),
            Event::Recording { .. } => "recording".into(),
            Event::Transcript { text, .. } => text,
            Event::Speaking { sentence, .. } => sentence,
            Event::Done { .. } => "done".into(),
            _ => continue,
        };
        told.push(name);
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
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_interrupts_and_the_history_keeps_what_was_heard() {
    let mut house = House::new().await;
    // The first sentence lasts 400 ms; the second one is never heard to its end.
    house.machine.speaker.output.most.store(48 * 500, Ordering::SeqCst);
    house.press().await;
    house.release_when_heard().await;
    house
        .next(|event| matches!(event, Event::Speaking { sentence, .. } if sentence.starts_with("Time")).then_some(()))
        .await;
    house.press().await;
    let first = house.done().await;
    assert!(first.interrupted);
    assert_eq!(first.error, None, "an answer that the person cut short is no failure");
    assert!(first.spoken.starts_with("It is three o'clock in the afternoon."), "{}", first.spoken);
    assert!(!first.spoken.ends_with("I would say."), "{}", first.spoken);
    house.machine.speaker.output.most.store(u64::MAX, Ordering::SeqCst);
    house.release_when_heard().await;
    let second = house.done().await;
    assert_eq!(second.error, None);
    assert!(!second.interrupted);
    let sent = house.sandbox.requests().await;
    let last = sent.iter().rev().find(|request| request.service == aura_sandbox::Service::Llm).unwrap();
    let body = serde_json::to_string(&last.json).unwrap();
    assert!(body.contains("[interrupted]"), "the next question knows what was heard: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_while_thinking_ends_the_call() {
    let mut house = House::new().await;
    house.sandbox.add_fault(Fault::new(FaultKind::Silent).service(aura_sandbox::Service::Llm));
    house.press().await;
    house.release_when_heard().await;
    house.next(|event| matches!(event, Event::Stage { stage: Stage::Thinking, .. }).then_some(())).await;
    api::cancel(&house.assistant, Nothing {}).await.unwrap();
    let record = house.done().await;
    assert_eq!(record.error.unwrap().code, Code::Cancelled);
    assert_eq!(house.assistant.snapshot().stage, Stage::Idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_not_sent() {
    let mut house = House::new().await;
    *house.machine.microphone.0.lock().unwrap() = Mic::Hears(vec![0; 32_000]);
    let record = house.speak().await;
    assert_eq!(record.error.unwrap().code, Code::NothingHeard);
    let sent = house.sandbox.requests().await;
    assert!(sent.iter().all(|request| request.service != aura_sandbox::Service::Stt), "no recording left the machine");
    *house.machine.microphone.0.lock().unwrap() = Mic::Hears(speech(1.2));
    assert_eq!(house.speak().await.error, None, "the app goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_microphone_that_is_missing_or_goes_away() {
    let mut house = House::new().await;
    *house.machine.microphone.0.lock().unwrap() = Mic::None;
    house.press().await;
    assert_eq!(house.done().await.error.unwrap().code, Code::NoMicrophone);
    *house.machine.microphone.0.lock().unwrap() = Mic::Lost(speech(0.1));
    house.press().await;
    assert_eq!(house.done().await.error.unwrap().code, Code::MicrophoneLost, "too little was heard to go on with");
    *house.machine.microphone.0.lock().unwrap() = Mic::Lost(speech(1.5));
    house.press().await;
    let record = house.done().await;
    assert_eq!(record.error, None, "what was heard is answered");
    assert_eq!(kinds(&record), ["microphone_lost"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_speaker_the_answer_is_there_to_read() {
    let mut house = House::new().await;
    house.machine.speaker.missing.store(true, Ordering::SeqCst);
    let record = house.speak().await;
    assert_eq!((record.error.clone(), kinds(&record)), (None, vec!["no_speaker"]));
    assert!(record.answer.contains("three"));
    assert_eq!(record.spoken, "");
    assert!(record.answer_audio.is_some(), "the speech is kept all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_that_cannot_be_captured_is_said_and_the_question_is_answered() {
    let house = House::new().await;
    house.machine.screen.refused.store(true, Ordering::SeqCst);
    let record = house.ask("What is on my screen?").await;
    assert_eq!((record.error.clone(), kinds(&record)), (None, vec!["no_screen"]));
    assert_eq!(record.seen, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_screen_goes_only_with_a_question_about_it() {
    let mut house = House::new().await;
    house.sandbox.set_script(Script {
        rules: vec![
            Rule {
                when: When { service: Some(aura_sandbox::Service::Vlm), ..When::default() },
                ..Rule::reply("I see a picture of {image_size} pixels.")
            },
            Rule::reply("I see nothing at all."),
        ],
    });
    let record = house.speak().await;
    assert_eq!((record.answer.as_str(), record.seen), ("I see nothing at all.", None));
    assert_eq!(house.machine.screen.captures.load(Ordering::SeqCst), 1, "it was taken at press, and dropped");
    let record = house.ask("What does the window on my screen say?").await;
    assert!(record.answer.contains("320"), "{}", record.answer);
    assert_eq!(record.seen.map(|seen| (seen.width, seen.height)), Some((320, 80)));
    house.change(json!({"screen": {"share": "never"}})).await;
    assert_eq!(house.ask("What does the window on my screen say?").await.seen, None);
    let record = house
        .ask_for(Ask { text: "And now?".into(), screen: Some(true), speech: Speech::None, ..Ask::default() })
        .await;
    assert!(record.seen.is_some(), "attached by hand");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_provider_answers_when_the_first_one_is_down() {
    let mut house = House::new().await;
    house.sandbox.add_fault(Fault::status(503).provider(Provider::Groq));
    let record = house.speak().await;
    assert_eq!(record.error, None);
    for stage in record.stages.iter().filter(|stage| stage.stage != Stage::Listening) {
        assert_eq!(stage.route.as_ref().unwrap().provider, "gemini", "{stage:?}");
        assert!(stage.attempts.iter().any(|attempt| attempt.class == Some(Class::Overloaded)), "{stage:?}");
    }
    assert!(kinds(&record).contains(&"fallback"));
    house.change(json!({"fallback": false})).await;
    let error = house.ask("Are you there?").await.error.unwrap();
    assert_eq!(error.code, Code::AllRoutesFailed);
    let attempts = error.detail.unwrap();
    assert!(attempts.as_array().unwrap().iter().all(|attempt| attempt["class"] == "overloaded"), "{attempts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_provider_is_asked_again_before_this_computer_stands_in() {
    let house = House::new().await;
    house.change(json!({"providers": {"gemini": {"may_receive": {"text": false}}}})).await;
    house.sandbox.add_fault(Fault::status(503).provider(Provider::Groq).service(SandboxService::Llm).times(1));
    let record = house.ask("Are you there?").await;
    let thinking = record.stages.iter().find(|stage| stage.stage == Stage::Thinking).unwrap();
    assert_eq!(thinking.route.as_ref().unwrap().provider, "groq", "{thinking:?}");
    assert_eq!(thinking.attempts.len(), 2, "{thinking:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_continued_by_the_next_route() {
    let house = House::new().await;
    house.sandbox.set_script(Script {
        rules: vec![
            Rule {
                when: When { contains: Some("cut off".into()), ..When::default() },
                ..Rule::reply("o'clock, says the other one.")
            },
            Rule::reply("It is three of the very long clock that never ends."),
        ],
    });
    house.sandbox.add_fault(
        Fault::new(FaultKind::CutAfter { chunks: 3, reset: true })
            .provider(Provider::Groq)
            .service(aura_sandbox::Service::Llm),
    );
    let record = house.ask("What time is it?").await;
    assert_eq!(record.error, None);
    assert!(record.answer.starts_with("It is three"), "{}", record.answer);
    assert!(record.answer.ends_with("o'clock, says the other one."), "{}", record.answer);
    let thinking = record.stages.iter().find(|stage| stage.stage == Stage::Thinking).unwrap();
    let classes: Vec<Option<Class>> = thinking.attempts.iter().map(|attempt| attempt.class).collect();
    assert_eq!(classes, [Some(Class::Interrupted), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_was_named_is_the_only_one_asked() {
    let house = House::new().await;
    let ask = |wish: &str, fallback| Ask {
        text: "Hello?".into(),
        speech: Speech::None,
        wishes: Wishes { llm: Some(wish.into()), fallback, ..Wishes::default() },
        ..Ask::default()
    };
    let by = |record: &aura_core::record::TurnRecord| {
        record.stages.iter().find_map(|stage| stage.route.clone()).map(|route| route.provider)
    };
    assert_eq!(by(&house.ask_for(ask("gemini", false)).await).as_deref(), Some("gemini"));
    house.sandbox.add_fault(Fault::status(503).provider(Provider::Gemini));
    assert_eq!(house.ask_for(ask("gemini", false)).await.error.unwrap().code, Code::AllRoutesFailed);
    assert_eq!(by(&house.ask_for(ask("gemini", true)).await).as_deref(), Some("groq"));
    assert_eq!(house.ask_for(ask("nobody", false)).await.error.unwrap().code, Code::InvalidRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_is_in_effect_with_the_next_question_and_old_model_names_work() {
    let house = House::new().await;
    let switch = |model: Option<&str>| Switch {
        service: Service::Llm,
        provider: "gemini".into(),
        model: model.map(str::to_owned),
        voice: None,
    };
    api::switch(&house.assistant, switch(None)).await.unwrap();
    let route = |record: &aura_core::record::TurnRecord| {
        record.stages.iter().find(|stage| stage.stage == Stage::Thinking).unwrap().route.clone().unwrap()
    };
    assert_eq!(route(&house.ask("Hello?").await).provider, "gemini");
    let retired = "gemini-1.5-flash";
    api::switch(&house.assistant, switch(Some(retired))).await.unwrap();
    let record = house.ask("Hello?").await;
    assert_ne!(route(&record).model, retired);
    assert!(kinds(&record).contains(&"model_replaced"), "{:?}", record.notices);
    let unknown = Switch { service: Service::Llm, provider: "nobody".into(), model: None, voice: None };
    assert_eq!(api::switch(&house.assistant, unknown).await.unwrap_err().code, Code::InvalidRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_failed_can_be_taken_again_from_its_recording() {
    let mut house = House::new().await;
    house.sandbox.add_fault(Fault::status(500).service(aura_sandbox::Service::Stt));
    let failed = house.speak().await;
    assert_eq!(failed.error.unwrap().code, Code::AllRoutesFailed);
    assert!(failed.question_audio.as_ref().unwrap().exists(), "nothing that fails later can lose what was said");
    house.sandbox.clear_faults();
    // The circuits are open for a moment; the probe is the retry itself.
    let record = api::retry(&house.assistant, Retry { id: failed.id.clone(), ..Retry::default() }).await.unwrap();
    assert_eq!((record.error, record.transcript.as_str()), (None, "what time is it"));
    let path = failed.question_audio.unwrap();
    api::delete_turn(&house.assistant, TurnId { id: failed.id }).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_short_hold_leaves_nothing_and_a_tap_toggles() {
    let mut house = House::new().await;
    house.change(json!({"listening": {"mode": "hold"}})).await;
    // However slow the computer is, no time goes by between the press and the release.
    tokio::time::pause();
    house.press().await;
    house.next(|event| matches!(event, Event::Stage { stage: Stage::Listening, .. }).then_some(())).await;
    api::release(&house.assistant, Nothing {}).await.unwrap();
    house.next(|event| matches!(event, Event::Stage { stage: Stage::Idle, .. }).then_some(())).await;
    tokio::time::resume();
    assert!(house.machine.history.0.lock().unwrap().is_empty());
    house.change(json!({"listening": {"mode": "auto"}})).await;
    tokio::time::pause();
    house.press().await;
    api::release(&house.assistant, Nothing {}).await.unwrap();
    house.next(|event| matches!(event, Event::Recording { .. }).then_some(())).await;
    tokio::time::resume();
    house.next(|event| matches!(event, Event::Level { elapsed_ms, .. } if *elapsed_ms > 1_300).then_some(())).await;
    house.press().await;
    api::release(&house.assistant, Nothing {}).await.unwrap();
    assert_eq!(house.done().await.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_recording_is_kept_to_and_said() {
    let mut house = House::new().await;
    house.change(json!({"listening": {"longest_seconds": 5}})).await;
    *house.machine.microphone.0.lock().unwrap() = Mic::Hears(speech(6.0));
    house.press().await;
    let record = house.done().await;
    assert_eq!((record.error.clone(), kinds(&record)), (None, vec!["recording_limit"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_live_in_the_keyring_or_for_the_session() {
    let house = House::with(&[("GROQ_API_KEY", ""), ("GEMINI_API_KEY", "")]).await;
    let by = |record: aura_core::record::TurnRecord| {
        let thinking = record.stages.into_iter().find(|stage| stage.stage == Stage::Thinking);
        thinking.and_then(|stage| stage.route).map(|route| route.provider)
    };
    assert_eq!(by(house.ask("Hello?").await).as_deref(), Some("offline"), "nobody else has a key");
    let save = |key: &str, session_only| SaveKey { provider: "groq".into(), key: key.into(), session_only };
    assert_eq!(api::save_key(&house.assistant, save("two words", false)).await.unwrap_err().code, Code::InvalidRequest);
    let snapshot = api::save_key(&house.assistant, save("sandbox-key", false)).await.unwrap();
    let shown = serde_json::to_string(&snapshot).unwrap();
    assert!(!shown.contains("sandbox-key"), "a saved key never comes out again");
    assert_eq!(by(house.ask("Hello?").await).as_deref(), Some("groq"));
    api::forget_key(&house.assistant, ProviderName { provider: "groq".into() }).await.unwrap();
    house.machine.secrets.missing.store(true, Ordering::SeqCst);
    assert_eq!(api::save_key(&house.assistant, save("sandbox-key", false)).await.unwrap_err().code, Code::Keyring);
    api::save_key(&house.assistant, save("sandbox-key", true)).await.unwrap();
    assert_eq!(by(house.ask("Hello?").await).as_deref(), Some("groq"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_sent_is_not_sent() {
    let mut house = House::new().await;
    house.change(json!({"providers": {"groq": {"may_receive": {"audio": false}}, "gemini": {"may_receive": {"text": false}}}})).await;
    let record = house.speak().await;
    assert_eq!(record.error, None);
    let sent = house.sandbox.requests().await;
    use aura_sandbox::Service::{Llm, Stt, Tts};
    assert!(sent.iter().all(|r| !(r.provider == Provider::Groq && r.service == Stt)), "groq heard nothing");
    assert!(
        sent.iter().all(|r| !(r.provider == Provider::Gemini && matches!(r.service, Llm | Tts))),
        "gemini read nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_muted_aura_does_not_speak() {
    let mut house = House::new().await;
    house.change(json!({"speaking": {"muted": true}})).await;
    let record = house.speak().await;
    assert_eq!((record.error, record.answer_audio, record.spoken.as_str()), (None, None, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_from_a_script_may_name_its_routes() {
    let mut house = House::new().await;
    let wishes = Wishes { stt: Some("gemini".into()), ..Wishes::default() };
    api::press(&house.assistant, Press { wishes, ..Press::default() }).await.unwrap();
    house.release_when_heard().await;
    let record = house.done().await;
    assert_eq!(record.stages[1].route.as_ref().unwrap().provider, "gemini");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_ones_own_needs_an_address_and_no_model() {
    let mut house = House::new().await;
    let server = json!({"providers": {"local": {"base_url": house.sandbox.openai_base_url()}}, "routes": {"llm": {"provider": "local"}}});
    house.change(server).await;
    let record = house.ask("Hello?").await;
    assert_eq!(kinds(&record), ["not_ready"], "who was chosen and not asked is said: {:?}", record.notices);
    let key = SaveKey { provider: "local".into(), key: "sandbox-key".into(), session_only: true };
    api::save_key(&house.assistant, key).await.unwrap();
    house
        .next(|event| match event {
            Event::Changed { snapshot } => {
                let llm = snapshot.routes.iter().find(|view| view.service == Service::Llm)?;
                (llm.routes.first()?.provider == "local").then_some(())
            }
            _ => None,
        })
        .await;
    let record = house.ask("Hello?").await;
    let route = record.stages.iter().find(|stage| stage.stage == Stage::Thinking).unwrap().route.clone().unwrap();
    assert_eq!((record.error, route.provider.as_str()), (None, "local"), "{route:?}");
}
