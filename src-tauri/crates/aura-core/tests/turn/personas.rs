//! Personas: their instructions, voice and route, and how one is chosen.

use aura_core::api::{self, Ask, ChangeSettings, Speech};
use aura_core::error::ErrorCode;
use aura_router::RouteOverrides;
use aura_sandbox::{Fault, FaultKind, Provider, RequestRecord, Service};
use aura_testkit::harness::Harness;
use serde_json::json;

use crate::answering_provider;

fn typed(text: &str) -> Ask {
    Ask { text: text.into(), screen: Some(false), speech: Speech::None, ..Ask::default() }
}

async fn last(harness: &Harness, service: Service) -> RequestRecord {
    harness.sandbox.requests().await.into_iter().rfind(|request| request.service == service).unwrap()
}

async fn system(harness: &Harness) -> String {
    last(harness, Service::Llm).await.json.unwrap()["messages"][0].to_string()
}

async fn with_personas() -> Harness {
    let harness = Harness::new().await;
    let personas = json!([
        {"name": "Pirate", "instructions": "Talk like a pirate.", "voice": "troy"},
        {"name": "Teacher", "instructions": "Explain each step.", "llm": "gemini"},
    ]);
    harness.change(json!({"instructions": "Use metric units.", "personas": personas})).await;
    harness
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chosen_persona_adds_its_instructions_voice_and_route() {
    let harness = with_personas().await;
    harness.ask_for(typed("Hello?")).await;
    assert!(!system(&harness).await.contains("pirate"), "none is chosen");

    harness.change(json!({"persona": "pirate"})).await;
    assert_eq!(harness.ask("Hello?").await.error, None);
    let sent = system(&harness).await;
    assert!(sent.contains("Use metric units.\\n\\nTalk like a pirate."), "{sent}");
    assert_eq!(last(&harness, Service::Tts).await.json.unwrap()["voice"], "troy");

    let record = harness.ask_for(Ask { persona: Some("Teacher".into()), ..typed("Hello?") }).await;
    assert_eq!(answering_provider(&record).as_deref(), Some("gemini"));
    let body = last(&harness, Service::Llm).await.json.unwrap().to_string();
    assert!(body.contains("Explain each step.") && !body.contains("pirate"), "{body}");

    harness.ask_for(Ask { persona: Some(String::new()), ..typed("Hello?") }).await;
    assert!(!system(&harness).await.contains("pirate"), "an empty name means none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_a_turn_names_goes_before_that_of_the_persona() {
    let harness = with_personas().await;
    harness.change(json!({"persona": "Teacher"})).await;
    let overrides = RouteOverrides { llm: Some("groq".into()), ..RouteOverrides::default() };
    let record = harness.ask_for(Ask { overrides, ..typed("Hello?") }).await;
    assert_eq!(answering_provider(&record).as_deref(), Some("groq"));
    assert!(system(&harness).await.contains("Explain each step."), "the persona still answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_provider_answers_when_that_of_the_persona_fails_or_is_gone() {
    let harness = with_personas().await;
    harness.change(json!({"persona": "Teacher"})).await;
    harness.sandbox.add_fault(Fault::new(FaultKind::Reset).provider(Provider::Gemini));
    let record = harness.ask_for(typed("Hello?")).await;
    assert_eq!(answering_provider(&record).as_deref(), Some("groq"));
    harness.change(json!({"personas": [{"name": "Teacher", "llm": "nobody/model"}]})).await;
    assert_eq!(answering_provider(&harness.ask_for(typed("Hello?")).await).as_deref(), Some("groq"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_persona_and_a_name_used_twice_are_errors() {
    let harness = with_personas().await;
    let unknown = Ask { persona: Some("Poet".into()), ..typed("Hello?") };
    let error = api::ask(&harness.assistant, unknown).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidRequest);
    assert!(error.message.contains("`Poet`") && error.message.contains("Pirate, Teacher"), "{}", error.message);
    for changes in [
        json!({"persona": "Poet"}),
        json!({"personas": [{"name": "Pirate"}, {"name": "PIRATE"}]}),
        json!({"personas": [{"name": " "}]}),
        json!({"persona": "Pirate", "personas": [{"name": "Poet"}]}),
        json!({"personas": "Pirate"}),
    ] {
        let error = api::change_settings(&harness.assistant, ChangeSettings { changes: changes.clone() }).await;
        assert_eq!(error.unwrap_err().code, ErrorCode::InvalidRequest, "{changes}");
    }
    assert_eq!(harness.assistant.config().settings.personas.len(), 2);
    harness.change(json!({"persona": "Poet", "personas": [{"name": "Poet"}]})).await;
    assert_eq!(harness.assistant.config().settings.persona, "Poet");
}
