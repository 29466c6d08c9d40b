//! Models that run in engine processes, which behave, misbehave and end in every way.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use aura_local::Limits;
use aura_providers::{
    ChatRequest, Client, FailureKind, LocalModels, ResponseFormat, Service, SpeechEvent, Tool, collect_chat,
    collect_speech,
};
use common::*;
use futures::StreamExt;

#[tokio::test]
async fn each_service_gets_its_result() {
    let models = run(&one_of_each(), options());
    let transcript = models.transcribe(&recording("ear", "").with_language("de-DE")).await.unwrap();
    assert_eq!((transcript.text.as_str(), transcript.language.as_deref()), ("3200 bytes", Some("de")));
    assert_eq!((transcript.segments.len(), transcript.usage.model.as_deref()), (1, Some("ear")));

    let answer = collect_chat(models.chat(&question("mind", "hello")).await.unwrap()).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.usage.input_tokens), ("system user", Some(3)));
    let json = question("mind", "hello").with_format(ResponseFormat::Json);
    assert_eq!(collect_chat(models.chat(&json).await.unwrap()).await.unwrap().text, "{}");

    let speech = collect_speech(models.speak(&sentence("voice", "Hello.")).await.unwrap()).await.unwrap();
    assert_eq!((speech.rate, speech.samples.len(), speech.samples[0]), (16_000, 800, 0.5));
}

#[tokio::test]
async fn what_a_model_cannot_do_is_refused_before_it_is_loaded() {
    let store = Arc::new(Store::new().with("ear", Service::Stt, "die").with("mind", Service::Llm, "die"));
    let models = run(&store, options());
    let kind = async |request: ChatRequest| models.chat(&request).await.err().unwrap().kind;
    assert_eq!(kind(question("ear", "")).await, FailureKind::Unsupported);
    assert_eq!(kind(question("none", "")).await, FailureKind::Unsupported);
    assert_eq!(kind(question("mind", "").with_tools([Tool::new("time")])).await, FailureKind::Unsupported);
    let mut look = question("mind", "");
    look.messages[0] = look.messages[0].clone().with_image(bytes::Bytes::from_static(b"\x89PNG"));
    assert_eq!(kind(look).await, FailureKind::Unsupported);
}

#[tokio::test]
async fn a_crash_fails_one_request_and_the_next_call_works() {
    let models = run(&one_of_each(), options());
    let first = pid(&models, "ear").await;
    let failure = hear(&models, "ear", "crash").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Overloaded);
    assert!(failure.message.starts_with("EAR: The engine crashed: signal: 6"), "{failure}");
    assert!(failure.message.contains("illegal instruction in a kernel"), "{failure}");
    assert_ne!(pid(&models, "ear").await, first);

    let (text, end) = read(models.chat(&question("mind", "crash")).await.unwrap()).await;
    assert_eq!((text.as_str(), end.unwrap_err().kind), ("system user", FailureKind::Interrupted));
    assert!(read(models.chat(&question("mind", "")).await.unwrap()).await.1.is_ok());

    let mut speech = models.speak(&sentence("voice", "crash")).await.unwrap();
    assert!(matches!(speech.next().await, Some(Ok(SpeechEvent::Pcm(_)))));
    assert_eq!(speech.next().await.unwrap().unwrap_err().kind, FailureKind::Interrupted);
    assert!(speech.next().await.is_none());
    assert!(collect_speech(models.speak(&sentence("voice", "")).await.unwrap()).await.is_ok());
}

#[tokio::test]
async fn an_engine_that_breaks_the_protocol_is_killed() {
    let models = run(&one_of_each(), options());
    for command in ["noise", "stray"] {
        let first = pid(&models, "ear").await;
        let failure = hear(&models, "ear", command).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Overloaded, "{command}");
        assert!(failure.message.contains("makes no sense"), "{failure}");
        assert!(!runs(first), "{command}");
    }
    assert_eq!(hear(&models, "ear", "").await.unwrap().text, "3200 bytes");
}

#[tokio::test]
async fn a_silent_engine_is_killed() {
    let mut limits = Limits::default();
    limits.silence = Duration::from_millis(200);
    let models = run(&one_of_each(), options().with_limits(limits));
    let first = pid(&models, "ear").await;
    assert_eq!(hear(&models, "ear", "hang").await.unwrap_err().kind, FailureKind::Timeout);
    assert!(!runs(first));
    assert_eq!(hear(&models, "ear", "").await.unwrap().text, "3200 bytes");
}

#[tokio::test]
async fn a_refusal_of_the_model_keeps_the_engine() {
    let models = run(&one_of_each(), options());
    let first = pid(&models, "ear").await;
    let failure = hear(&models, "ear", "fail").await.unwrap_err();
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Unsupported, "The language is not supported."));
    assert_eq!(pid(&models, "ear").await, first);
}

#[tokio::test]
async fn a_caller_that_leaves_cancels_its_request() {
    let models = run(&one_of_each(), options());
    let first = pid(&models, "ear").await;
    // The engine stops the request and goes on.
    let leaving = tokio::time::timeout(Duration::from_millis(50), hear(&models, "ear", "wait")).await;
    assert!(leaving.is_err());
    assert_eq!(pid(&models, "ear").await, first);
    // The engine does not react.
    let leaving = tokio::time::timeout(Duration::from_millis(50), hear(&models, "ear", "deaf")).await;
    assert!(leaving.is_err());
    assert_ne!(pid(&models, "ear").await, first);
    assert!(!runs(first));
}

#[tokio::test]
async fn a_flood_waits_for_a_slow_caller_and_ends_with_it() {
    let models = run(&one_of_each(), options());
    let mut stream = models.chat(&question("mind", "flood")).await.unwrap();
    for _ in 0..1_000 {
        assert!(matches!(stream.next().await, Some(Ok(_))));
    }
    drop(stream);
    assert!(read(models.chat(&question("mind", "")).await.unwrap()).await.1.is_ok());
}

#[tokio::test]
async fn requests_of_one_model_are_handled_in_order() {
    let models = run(&one_of_each(), options());
    let calls: Vec<_> = (0..20).map(|_| pid(&models, "ear")).collect();
    let pids = futures::future::join_all(calls).await;
    assert!(pids.iter().all(|pid| *pid == pids[0]), "one process: {pids:?}");
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_says_why() {
    let store = Arc::new(Store::new().with("ear", Service::Stt, "refuse"));
    let mut limits = Limits::default();
    limits.load = Duration::from_millis(300);
    let models = run(&store, options().with_limits(limits));
    let failure = hear(&models, "ear", "").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unsupported);
    assert!(failure.message.contains("cut short") && failure.message.contains("download it again"), "{failure}");
    store.script("ear", "hang");
    assert_eq!(hear(&models, "ear", "").await.unwrap_err().kind, FailureKind::Timeout);
    store.script("ear", "noise");
    assert!(hear(&models, "ear", "").await.unwrap_err().message.contains("makes no sense"));
    store.script("ear", "ok");
    assert!(hear(&models, "ear", "").await.is_ok());

    let missing = run(&store, options().with_engine("/no/such/engine"));
    let failure = hear(&missing, "ear", "").await.unwrap_err();
    assert!(failure.kind == FailureKind::Unsupported && failure.message.contains("/no/such/engine"), "{failure}");
}

#[tokio::test]
async fn a_model_that_crashes_three_times_in_a_row_rests() {
    let store = Arc::new(Store::new().with("ear", Service::Stt, "die"));
    let models = run(&store, options());
    for _ in 0..3 {
        let failure = hear(&models, "ear", "").await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Overloaded);
        assert!(failure.message.contains("exit status: 3, no such tensor"), "{failure}");
    }
    // Now it would work, but it is not tried.
    store.script("ear", "ok");
    let failure = hear(&models, "ear", "").await.unwrap_err();
    assert!(failure.message.contains("failed 3 times in a row"), "{failure}");
}

#[tokio::test]
async fn one_language_model_is_loaded_at_a_time() {
    let store = Store::new().with("small", Service::Llm, "ok").with("large", Service::Vlm, "ok");
    let mut store = store.with("ear", Service::Stt, "ok");
    // Also transcribe, so that they tell their process.
    store.models[0].services.push(Service::Stt);
    store.models[1].services.push(Service::Stt);
    let models = run(&Arc::new(store), options());
    let (ear, small) = (pid(&models, "ear").await, pid(&models, "small").await);
    // Loading ahead unloads nothing. Whoever unloads a model waits for the end of its load.
    models.preload(&["large".to_owned()]);
    models.unload("large").await;
    assert_eq!(pid(&models, "small").await, small);
    let large = pid(&models, "large").await;
    assert!(runs(ear) && !runs(small) && runs(large));
    // Requests that need both at the same time are all answered.
    let calls: Vec<_> = (0..8).map(|call| pid(&models, if call % 2 == 0 { "small" } else { "large" })).collect();
    assert_eq!(futures::future::join_all(calls).await.len(), 8);
    // A request that is under way is not disturbed.
    let mut stream = models.chat(&question("small", "wait")).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    let other = pid(&models, "large");
    tokio::pin!(other);
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut other).await.is_err());
    drop(stream);
    other.await;
}

#[tokio::test]
async fn a_model_that_does_not_fit_takes_the_place_of_unused_ones_or_says_so() {
    let mut store = Store::new().with("ear", Service::Stt, "ok").with("large", Service::Stt, "ok");
    store.models[1].memory = 900_000_000;
    let meminfo = store.meminfo(8_000_000_000);
    let store = Arc::new(store);
    let models = run(&store, options().with_meminfo(meminfo));
    let ear = pid(&models, "ear").await;
    store.meminfo(500_000_000);
    let failure = hear(&models, "large", "").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unsupported);
    assert!(failure.message.contains("needs 900 MB") && failure.message.contains("499 MB are free"), "{failure}");
    assert!(!runs(ear), "it made room");
    store.meminfo(2_000_000_000);
    assert!(hear(&models, "large", "").await.is_ok());
}

#[tokio::test]
async fn an_idle_model_is_unloaded_and_loaded_again() {
    let mut limits = Limits::default();
    limits.idle = Duration::from_millis(100);
    let models = run(&one_of_each(), options().with_limits(limits));
    let first = pid(&models, "ear").await;
    until("unloaded", || !runs(first)).await;
    assert_ne!(pid(&models, "ear").await, first);
}

#[tokio::test]
async fn preloaded_models_are_ready_and_unloaded_ones_are_gone() {
    let store = one_of_each();
    let models = run(&store, options());
    let ids = ["ear", "mind", "none"].map(str::to_owned);
    models.preload(&ids);
    models.preload(&ids);
    let ear = pid(&models, "ear").await;
    until("loaded", || store.loaded("mind").exists()).await;
    // What was loaded ahead needs its file no more.
    store.script("mind", "die");
    store.script("ear", "die");
    assert!(read(models.chat(&question("mind", "")).await.unwrap()).await.1.is_ok());
    models.unload("ear").await;
    assert!(!runs(ear));
}

/// The whole way of a library user: the provider `local` with installed models.
#[tokio::test]
async fn the_local_provider_runs_installed_models() {
    let models = run(&one_of_each(), options());
    let client = Client::builder().with_env("local").with_local_models(Arc::new(models.clone())).build().unwrap();
    let ear = client.speech_to_text("local").unwrap();
    assert_eq!(ear.transcribe(&recording("built-in", "")).await.unwrap().text, "3200 bytes");
    // After a crash, the same call works again.
    let crashed = ear.transcribe(&recording("built-in", "crash")).await.unwrap_err();
    assert_eq!(crashed.kind, FailureKind::Overloaded);
    assert_eq!(ear.transcribe(&recording("built-in", "")).await.unwrap().text, "3200 bytes");
    let answer = client.chat("local").unwrap().chat(&question("built-in", "hello")).await.unwrap();
    assert_eq!(collect_chat(answer).await.unwrap().text, "system user");
    let speech = client.text_to_speech("local").unwrap().speak(&sentence("built-in", "Hello.")).await.unwrap();
    assert_eq!(collect_speech(speech).await.unwrap().samples.len(), 800);
    let listed = client.models("local").unwrap().models().await.unwrap();
    assert!(["ear", "mind", "voice"].iter().all(|id| listed.iter().any(|model| model.id == *id)), "{listed:?}");
}
