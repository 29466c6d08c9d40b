//! A voice of its own for each language.

use aura_core::api::Ask;
use aura_core::record::{Stage, TurnRecord};
use aura_router::{Route, RouteOverrides};
use aura_sandbox::{Fault, Provider, Service};
use aura_testkit::harness::Harness;
use serde_json::json;

/// The routes that were asked to speak, and whether each did.
fn asked_to_speak(record: &TurnRecord) -> Vec<(Route, bool)> {
    let speaking = record.stages.iter().filter(|trace| trace.stage == Stage::Speaking);
    let attempts = speaking.flat_map(|trace| &trace.attempts);
    attempts.map(|attempt| (attempt.route.clone(), attempt.kind.is_none())).collect()
}

fn first(record: &TurnRecord) -> (String, Option<String>) {
    let (route, _) = asked_to_speak(record).into_iter().next().unwrap();
    (route.provider, route.voice)
}

async fn with_voices() -> Harness {
    let harness = Harness::new().await;
    let voices = json!({"de": {"provider": "gemini", "voice": "Puck"}, "es": {"provider": "gone"}});
    harness.change(json!({"speaking": {"voices": voices}, "routes": {"tts": {"provider": "groq"}}})).await;
    harness
}

#[tokio::test(flavor = "multi_thread")]
async fn the_voice_for_the_language_of_the_answer_speaks() {
    let mut harness = with_voices().await;
    harness.change(json!({"listening": {"language": "en"}})).await;
    assert_eq!(first(&harness.speak().await).0, "groq", "English has no voice of its own");
    harness.change(json!({"listening": {"language": "de"}})).await;
    assert_eq!(first(&harness.speak().await), ("gemini".into(), Some("Puck".into())));
    // The provider of the third language is gone: the voice is chosen as before. So it is once the choice is taken back.
    harness.change(json!({"listening": {"language": "es"}})).await;
    assert_eq!(harness.speak().await.error, None);
    harness.change(json!({"listening": {"language": "de"}, "speaking": {"voices": {"de": null}}})).await;
    assert_ne!(first(&harness.speak().await).1.as_deref(), Some("Puck"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_voice_takes_over_where_that_of_the_language_fails() {
    let mut harness = with_voices().await;
    harness.change(json!({"listening": {"language": "de"}})).await;
    harness.sandbox.add_fault(Fault::status(500).provider(Provider::Gemini).service(Service::Tts));
    let record = harness.speak().await;
    assert_eq!(first(&record).0, "gemini");
    assert!(asked_to_speak(&record).iter().any(|(route, spoke)| *spoke && route.provider != "gemini"), "{record:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_that_a_turn_names_goes_before_that_of_the_language() {
    let mut harness = with_voices().await;
    let personas = json!([{"name": "Ann", "instructions": "", "voice": "hannah"}]);
    let voices = json!({"en": {"provider": "gemini", "voice": "Puck"}});
    harness
        .change(json!({"listening": {"language": "en"}, "personas": personas, "speaking": {"voices": voices}}))
        .await;
    assert_eq!(first(&harness.speak().await), ("gemini".into(), Some("Puck".into())));
    harness.change(json!({"persona": "Ann"})).await;
    assert_eq!(first(&harness.speak().await), ("groq".into(), Some("hannah".into())));
    let overrides = RouteOverrides { tts: Some("groq".into()), ..RouteOverrides::default() };
    let named = Ask { text: "Hello?".into(), persona: Some(String::new()), overrides, ..Ask::default() };
    let (provider, voice) = first(&harness.ask_for(named).await);
    assert_eq!(provider, "groq", "{voice:?}");
}
