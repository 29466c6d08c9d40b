//! API keys that a provider rejects, once or for good, over real sockets.

use aura_core::api::{Ask, Speech};
use aura_core::event::Event;
use aura_providers::{FailureKind, Service};
use aura_router::ProviderProblem;
use aura_router::health::{CircuitState, ServiceHealth, Status};
use aura_sandbox::{ErrorBody, Fault, FaultKind, Provider};
use aura_testkit::harness::Harness;
use serde_json::json;

const LLM: aura_sandbox::Service = aura_sandbox::Service::Llm;
const MODELS: aura_sandbox::Service = aura_sandbox::Service::Models;

async fn harness() -> Harness {
    let harness = Harness::new().await;
    harness.change(json!({"routes": {"llm": {"provider": "groq", "then": ["gemini"]}}})).await;
    // The list is asked for once at the start.
    until_listed(&harness, 0, 1).await;
    harness
}

/// Asks a question without speech. Returns the provider of each call, and the failure if it failed.
async fn ask(harness: &Harness) -> Vec<(String, Option<FailureKind>)> {
    let ask = Ask { text: "What time is it?".into(), screen: Some(false), speech: Speech::None, ..Ask::default() };
    let record = harness.ask_for(ask).await;
    assert_eq!(record.error, None);
    let attempts = record.stages.into_iter().flat_map(|stage| stage.attempts);
    attempts.map(|attempt| (attempt.route.provider, attempt.kind)).collect()
}

fn by(provider: &str) -> (String, Option<FailureKind>) {
    (provider.to_owned(), None)
}

fn rejected() -> (String, Option<FailureKind>) {
    ("groq".to_owned(), Some(FailureKind::KeyRejected))
}

fn problem(harness: &Harness) -> Option<ProviderProblem> {
    let providers = harness.assistant.router().providers();
    providers.into_iter().find(|provider| provider.name == "groq").unwrap().problem
}

fn services(harness: &Harness) -> Vec<ServiceHealth> {
    let health = harness.assistant.router().health();
    health.providers.into_iter().find(|provider| provider.name == "groq").unwrap().services
}

/// The model lists that Groq was asked for.
async fn listings(harness: &Harness) -> usize {
    let requests = harness.sandbox.requests().await;
    requests.iter().filter(|request| request.provider == Provider::Groq && request.service == MODELS).count()
}

/// Waits until Groq answered `count` more requests for its model list than `before`.
async fn until_listed(harness: &Harness, before: usize, count: usize) {
    let limit = std::time::Instant::now() + aura_testkit::harness::LIMIT;
    while listings(harness).await < before + count {
        assert!(std::time::Instant::now() < limit, "the model list is not asked for");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stray_401_does_not_shut_a_provider() {
    let harness = harness().await;
    let before = listings(&harness).await;
    harness.sandbox.add_fault(Fault::status(401).provider(Provider::Groq).service(LLM).times(1));
    assert_eq!(ask(&harness).await, [rejected(), by("gemini")]);
    until_listed(&harness, before, 1).await;
    // Every one of these would see the provider shut, whenever the check ends.
    for _ in 0..5 {
        assert_eq!(ask(&harness).await, [by("groq")]);
        assert_eq!(problem(&harness), None);
        assert!(services(&harness).iter().all(|health| health.circuit == CircuitState::Closed));
    }
    assert_eq!(listings(&harness).await, before + 1, "the list is asked for once");
}

/// The provider rejects calls for text, and lists its models with the same key.
#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_rejected_with_a_key_that_is_valid_shut_their_own_service_only() {
    let harness = harness().await;
    harness.sandbox.add_fault(Fault::status(401).provider(Provider::Groq).service(LLM));
    let before = listings(&harness).await;
    for _ in 0..2 {
        assert_eq!(ask(&harness).await, [rejected(), by("gemini")]);
        // The second rejection asks for another list only if the first check has ended by then.
        until_listed(&harness, before, 1).await;
    }
    harness.assistant.refresh_model_lists().await;
    assert_eq!(ask(&harness).await, [by("gemini")], "two failures in a row open the circuit");
    assert_eq!(problem(&harness), None, "the key is not what is wrong");
    for health in services(&harness) {
        let expected = if health.service == Service::Llm { CircuitState::Open } else { CircuitState::Closed };
        assert_eq!(health.circuit, expected, "{:?}", health.service);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_rejection_shuts_every_service_until_the_key_is_accepted() {
    let mut harness = harness().await;
    harness.sandbox.add_fault(Fault::new(FaultKind::RefuseAuth).provider(Provider::Groq));
    assert_eq!(ask(&harness).await, [rejected(), by("gemini")]);
    let mut shut = Vec::new();
    while shut.len() < 4 {
        let service = harness.next(|event| match event {
            Event::Availability { provider, service, status, .. } if provider == "groq" => Some((*service, *status)),
            _ => None,
        });
        shut.push(service.await);
    }
    assert_eq!(shut, Service::ALL.map(|service| (service, Status::Unhealthy)));
    assert_eq!(problem(&harness), Some(ProviderProblem::KeyRejected));
    let until = services(&harness).into_iter().map(|health| health.cooldown_until.unwrap());
    let pauses: Vec<i64> = until.map(|until| until.duration_since(jiff::Timestamp::now()).as_secs()).collect();
    assert!(pauses.iter().all(|seconds| (1..=60).contains(seconds)), "at most one minute at first: {pauses:?}");
    assert_eq!(ask(&harness).await, [by("gemini")]);

    // The provider accepts the key again: its model list is enough to show that.
    harness.sandbox.clear_faults();
    harness.assistant.refresh_model_lists().await;
    assert_eq!(problem(&harness), None);
    assert_eq!(ask(&harness).await, [by("groq")]);
}

/// A list that fails says nothing about the key, in either direction.
#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_that_cannot_be_confirmed_is_one_failure() {
    let harness = harness().await;
    harness.sandbox.add_fault(Fault::status(401).provider(Provider::Groq).service(LLM).times(1));
    harness.sandbox.add_fault(Fault::status(500).provider(Provider::Groq).service(MODELS));
    let before = listings(&harness).await;
    assert_eq!(ask(&harness).await, [rejected(), by("gemini")]);
    until_listed(&harness, before, 1).await;
    for _ in 0..5 {
        assert_eq!(ask(&harness).await, [by("groq")]);
        assert_eq!(problem(&harness), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stray_401_of_the_model_list_does_not_shut_a_provider() {
    let harness = harness().await;
    harness.sandbox.add_fault(Fault::status(401).provider(Provider::Groq).service(MODELS).times(1));
    harness.assistant.refresh_model_lists().await;
    assert_eq!(problem(&harness), None);
    harness.sandbox.add_fault(Fault::status(401).provider(Provider::Groq).service(MODELS).times(2));
    harness.assistant.refresh_model_lists().await;
    assert!(problem(&harness).is_some(), "two in a row");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_403_shuts_no_other_service() {
    let harness = harness().await;
    harness.sandbox.add_fault(Fault::status(403).body(ErrorBody::Variant("edge".into())).provider(Provider::Groq));
    for _ in 0..2 {
        let calls = ask(&harness).await;
        assert_eq!(calls, [("groq".to_owned(), Some(FailureKind::Forbidden)), by("gemini")]);
    }
    harness.assistant.refresh_model_lists().await;
    assert_eq!(problem(&harness), None);
    for health in services(&harness) {
        let expected = if health.service == Service::Llm { CircuitState::Open } else { CircuitState::Closed };
        assert_eq!(health.circuit, expected, "{:?}", health.service);
    }
}
