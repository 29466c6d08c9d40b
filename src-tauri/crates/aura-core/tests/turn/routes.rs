//! Providers as a turn sees them: failover, overrides, switching, API keys, consent, and the user's own servers.

use std::sync::atomic::Ordering;

use aura_core::api::{self, Ask, ProviderName, SaveKey, Speech, Switch};
use aura_core::error::ErrorCode;
use aura_core::event::Event;
use aura_core::record::{NoticeKind, Stage, TurnRecord};
use aura_providers::{FailureKind, Service};
use aura_router::RouteOverrides;
use aura_sandbox::{Fault, FaultKind, Provider, Rule, RuleCondition, Script, Service as SandboxService};
use aura_testkit::harness::Harness;
use serde_json::json;

use super::{answering_provider, notice_kinds};

#[tokio::test(flavor = "multi_thread")]
async fn another_provider_answers_when_the_first_one_fails() {
    let mut harness = Harness::new().await;
    harness.sandbox.add_fault(Fault::status(503).provider(Provider::Groq));
    let record = harness.speak().await;
    assert_eq!(record.error, None);
    for stage in record.stages.iter().filter(|stage| stage.stage != Stage::Listening) {
        assert_eq!(stage.route.as_ref().unwrap().provider, "gemini", "{stage:?}");
        assert!(stage.attempts.iter().any(|attempt| attempt.kind == Some(FailureKind::Overloaded)), "{stage:?}");
    }
    assert!(notice_kinds(&record).contains(&NoticeKind::Fallback));
    harness.change(json!({"fallback": false})).await;
    let error = harness.ask("Are you there?").await.error.unwrap();
    assert_eq!(error.code, ErrorCode::AllRoutesFailed);
    let attempts = error.attempts();
    assert!(attempts.iter().all(|attempt| attempt.kind == Some(FailureKind::Overloaded)), "{attempts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_provider_is_retried_before_the_offline_fallback() {
    let harness = Harness::new().await;
    harness.change(json!({"providers": {"gemini": {"may_receive": {"text": false}}}})).await;
    harness.sandbox.add_fault(Fault::status(503).provider(Provider::Groq).service(SandboxService::Llm).times(1));
    let record = harness.ask("Are you there?").await;
    let thinking = record.stages.iter().find(|stage| stage.stage == Stage::Thinking).unwrap();
    assert_eq!(thinking.route.as_ref().unwrap().provider, "groq", "{thinking:?}");
    assert_eq!(thinking.attempts.len(), 2, "{thinking:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_answer_is_continued_by_the_next_route() {
    let harness = Harness::new().await;
    harness.sandbox.set_script(Script {
        rules: vec![
            Rule {
                when: RuleCondition { contains: Some("cut off".into()), ..RuleCondition::default() },
                ..Rule::reply("o'clock, says the other one.")
            },
            Rule::reply("It is three of the very long clock that never ends."),
        ],
    });
    harness.sandbox.add_fault(
        Fault::new(FaultKind::CutAfter { chunks: 3, reset: true })
            .provider(Provider::Groq)
            .service(SandboxService::Llm),
    );
    let record = harness.ask("What time is it?").await;
    assert_eq!(record.error, None);
    assert!(record.answer.starts_with("It is three"), "{}", record.answer);
    assert!(record.answer.ends_with("o'clock, says the other one."), "{}", record.answer);
    let thinking = record.stages.iter().find(|stage| stage.stage == Stage::Thinking).unwrap();
    let kinds: Vec<Option<FailureKind>> = thinking.attempts.iter().map(|attempt| attempt.kind).collect();
    assert_eq!(kinds, [Some(FailureKind::Interrupted), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_override_is_the_only_route_unless_it_allows_fallback() {
    let harness = Harness::new().await;
    let ask = |provider: &str, fallback| Ask {
        text: "Hello?".into(),
        speech: Speech::None,
        overrides: RouteOverrides { llm: Some(provider.into()), fallback, ..RouteOverrides::default() },
        ..Ask::default()
    };
    assert_eq!(answering_provider(&harness.ask_for(ask("gemini", false)).await).as_deref(), Some("gemini"));
    harness.sandbox.add_fault(Fault::status(503).provider(Provider::Gemini));
    assert_eq!(harness.ask_for(ask("gemini", false)).await.error.unwrap().code, ErrorCode::AllRoutesFailed);
    assert_eq!(answering_provider(&harness.ask_for(ask("gemini", true)).await).as_deref(), Some("groq"));
    assert_eq!(harness.ask_for(ask("nobody", false)).await.error.unwrap().code, ErrorCode::InvalidRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_applies_to_the_next_question_and_a_retired_model_is_replaced() {
    let harness = Harness::new().await;
    let switch = |model: Option<&str>| Switch {
        service: Service::Llm,
        provider: "gemini".into(),
        model: model.map(str::to_owned),
        voice: None,
    };
    api::switch(&harness.assistant, switch(None)).await.unwrap();
    let route = |record: &TurnRecord| {
        record.stages.iter().find(|stage| stage.stage == Stage::Thinking).unwrap().route.clone().unwrap()
    };
    assert_eq!(route(&harness.ask("Hello?").await).provider, "gemini");
    let retired = "gemini-1.5-flash";
    api::switch(&harness.assistant, switch(Some(retired))).await.unwrap();
    let record = harness.ask("Hello?").await;
    assert_ne!(route(&record).model, retired);
    assert!(notice_kinds(&record).contains(&NoticeKind::ModelReplaced), "{:?}", record.notices);
    let unknown = Switch { service: Service::Llm, provider: "nobody".into(), model: None, voice: None };
    assert_eq!(api::switch(&harness.assistant, unknown).await.unwrap_err().code, ErrorCode::InvalidRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn api_keys_are_saved_in_the_keyring_or_for_the_session() {
    let harness = Harness::with(&[("GROQ_API_KEY", ""), ("GEMINI_API_KEY", "")]).await;
    assert_eq!(
        answering_provider(&harness.ask("Hello?").await).as_deref(),
        Some("offline"),
        "no other provider has a key"
    );
    let save = |key: &str, session_only| SaveKey { provider: "groq".into(), key: key.into(), session_only };
    assert_eq!(
        api::save_key(&harness.assistant, save("two words", false)).await.unwrap_err().code,
        ErrorCode::InvalidRequest
    );
    let snapshot = api::save_key(&harness.assistant, save("sandbox-key", false)).await.unwrap();
    let shown = serde_json::to_string(&snapshot).unwrap();
    assert!(!shown.contains("sandbox-key"), "a saved key is never returned");
    assert_eq!(answering_provider(&harness.ask("Hello?").await).as_deref(), Some("groq"));
    api::forget_key(&harness.assistant, ProviderName { provider: "groq".into() }).await.unwrap();
    harness.ports.secrets.missing.store(true, Ordering::SeqCst);
    assert_eq!(
        api::save_key(&harness.assistant, save("sandbox-key", false)).await.unwrap_err().code,
        ErrorCode::Keyring
    );
    api::save_key(&harness.assistant, save("sandbox-key", true)).await.unwrap();
    assert_eq!(answering_provider(&harness.ask("Hello?").await).as_deref(), Some("groq"));
}

#[tokio::test(flavor = "multi_thread")]
async fn data_without_consent_is_not_sent() {
    let mut harness = Harness::new().await;
    harness.change(json!({"providers": {"groq": {"may_receive": {"audio": false}}, "gemini": {"may_receive": {"text": false}}}})).await;
    let record = harness.speak().await;
    assert_eq!(record.error, None);
    let sent = harness.sandbox.requests().await;
    use SandboxService::{Llm, Stt, Tts};
    assert!(sent.iter().all(|r| !(r.provider == Provider::Groq && r.service == Stt)), "no audio was sent to Groq");
    assert!(
        sent.iter().all(|r| !(r.provider == Provider::Gemini && matches!(r.service, Llm | Tts))),
        "no text was sent to Gemini"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_server_needs_an_address_and_no_model() {
    let mut harness = Harness::new().await;
    let server = json!({"providers": {"local": {"base_url": harness.sandbox.openai_base_url()}}, "routes": {"llm": {"provider": "local"}}});
    harness.change(server).await;
    let record = harness.ask("Hello?").await;
    assert_eq!(notice_kinds(&record), [NoticeKind::NotReady], "the skipped provider is reported: {:?}", record.notices);
    let key = SaveKey { provider: "local".into(), key: "sandbox-key".into(), session_only: true };
    api::save_key(&harness.assistant, key).await.unwrap();
    harness
        .next(|event| match event {
            Event::Changed { snapshot } => {
                let llm = snapshot.routes.iter().find(|view| view.service == Service::Llm)?;
                (llm.routes.first()?.provider == "local").then_some(())
            }
            _ => None,
        })
        .await;
    let record = harness.ask("Hello?").await;
    let route = record.stages.iter().find(|stage| stage.stage == Stage::Thinking).unwrap().route.clone().unwrap();
    assert_eq!((record.error, route.provider.as_str()), (None, "local"), "{route:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_of_the_language_speaks() {
    let mut harness = Harness::new().await;
    let spoken_by = |record: &TurnRecord| {
        let speaking = record.stages.iter().find(|stage| stage.stage == Stage::Speaking).unwrap();
        speaking.route.as_ref().unwrap().provider.clone()
    };
    harness.change(json!({"listening": {"language": "en"}})).await;
    assert_eq!(spoken_by(&harness.speak().await), "groq");
    harness.change(json!({"listening": {"language": "de"}})).await;
    let record = harness.speak().await;
    assert_eq!(spoken_by(&record), "gemini", "the voices of Groq speak English");
    assert!(!notice_kinds(&record).contains(&NoticeKind::VoiceLanguage));
    harness.change(json!({"routes": {"tts": {"provider": "groq"}}, "fallback": false})).await;
    let record = harness.speak().await;
    assert_eq!(spoken_by(&record), "groq");
    assert!(notice_kinds(&record).contains(&NoticeKind::VoiceLanguage), "{:?}", record.notices);
}
