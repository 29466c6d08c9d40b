//! Known traps of the providers' wire formats, tested with whole turns and real HTTP to the sandbox. The numbers are those of the
//! reference's list of traps; traps that need no router are tested beside the codecs.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use aura_core::api::{Ask, Speech};
use aura_core::record::{NoticeKind, Stage, TurnRecord};
use aura_providers::{FailureKind, Service};
use aura_router::ProviderProblem;
use aura_sandbox::{ErrorBody, Fault, FaultKind, GoneForm, Provider, Service as SandboxService};
use aura_testkit::harness::Harness;
use serde_json::json;

/// The messages of a record's notices of one kind.
fn notices(record: &TurnRecord, kind: NoticeKind) -> Vec<&str> {
    record.notices.iter().filter(|notice| notice.kind == kind).map(|notice| notice.message.as_str()).collect()
}

/// The attempts of a stage: provider, model and failure.
fn attempts(record: &TurnRecord, stage: Stage) -> Vec<(&str, &str, Option<FailureKind>)> {
    let stages = record.stages.iter().filter(|trace| trace.stage == stage);
    stages
        .flat_map(|stage| &stage.attempts)
        .map(|attempt| (attempt.route.provider.as_str(), attempt.route.model.as_str(), attempt.kind))
        .collect()
}

async fn ask(harness: &Harness, text: &str) -> TurnRecord {
    harness.ask_for(Ask { text: text.into(), speech: Speech::None, ..Ask::default() }).await
}

/// Sets the default route for text.
async fn choose(harness: &Harness, provider: &str, model: &str) {
    harness.change(json!({"routes": {"llm": {"provider": provider, "model": model}}})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_08_a_retired_model_is_replaced_with_a_notice() {
    for form in [GoneForm::NotFound, GoneForm::Decommissioned] {
        let harness = Harness::new().await;
        choose(&harness, "groq", "openai/gpt-oss-120b").await;
        let gone = Fault::new(FaultKind::ModelGone { form }).provider(Provider::Groq).model("openai/gpt-oss-120b");
        harness.sandbox.add_fault(gone);
        let record = ask(&harness, "Are you there?").await;
        let expected =
            [("groq", "openai/gpt-oss-120b", Some(FailureKind::ModelGone)), ("groq", "openai/gpt-oss-20b", None)];
        assert_eq!(attempts(&record, Stage::Thinking), expected, "{form:?}");
        let messages = notices(&record, NoticeKind::ModelReplaced);
        assert_eq!(messages, ["openai/gpt-oss-120b is no longer served. openai/gpt-oss-20b answers in its place."]);
        // The next question does not call the retired model again.
        let record = ask(&harness, "And now?").await;
        assert_eq!(attempts(&record, Stage::Thinking), [("groq", "openai/gpt-oss-20b", None)]);
        assert_eq!(notices(&record, NoticeKind::ModelGone).len(), 1, "the notice says why");
    }
}

/// A model name that was retired long ago is never sent.
#[tokio::test(flavor = "multi_thread")]
async fn trap_08_a_model_name_of_the_guide_is_replaced() {
    let harness = Harness::new().await;
    choose(&harness, "groq", "llama-3.3-70b-versatile").await;
    let record = ask(&harness, "Are you there?").await;
    assert_eq!(attempts(&record, Stage::Thinking), [("groq", "openai/gpt-oss-120b", None)]);
    assert_eq!(notices(&record, NoticeKind::ModelReplaced).len(), 1);
}

/// Orpheus is available, but its terms were not accepted. Another model speaks in the same language, and the error says what to do.
#[tokio::test(flavor = "multi_thread")]
async fn trap_09_a_model_whose_terms_were_not_accepted_is_reported() {
    let harness = Harness::new().await;
    let terms = Fault::status(400).body(ErrorBody::Variant("terms".into())).provider(Provider::Groq);
    harness.sandbox.add_fault(terms.service(SandboxService::Tts));
    let record = harness.ask("Are you there?").await;
    assert_eq!(record.error, None);
    let tried = attempts(&record, Stage::Speaking);
    assert!(tried.iter().all(|(_, model, _)| !model.contains("arabic")), "{tried:?}");
    assert_eq!(tried[0].2, Some(FailureKind::ModelGone));
    assert!(tried.iter().any(|(provider, _, kind)| *provider == "gemini" && kind.is_none()), "{tried:?}");
    let models = harness.assistant.router().models();
    let orpheus = models.iter().find(|model| model.name == tried[0].1).unwrap();
    assert!(orpheus.problem.as_deref().unwrap().contains("terms must be accepted"), "{:?}", orpheus.problem);
}

/// Several programs may share one rate limit, so the remaining allowance is the one in the last reply, even a rejection.
#[tokio::test(flavor = "multi_thread")]
async fn trap_16_a_rejection_updates_the_remaining_rate_limit() {
    let harness = Harness::new().await;
    let limited = Fault::status(429).provider(Provider::Groq).service(SandboxService::Llm).times(1);
    harness.sandbox.add_fault(
        limited
            .header("x-ratelimit-limit-tokens", "8000")
            .header("x-ratelimit-remaining-tokens", "0")
            .header("x-ratelimit-reset-tokens", "12.5s"),
    );
    ask(&harness, "Are you there?").await;
    let health = harness.assistant.router().health();
    let groq = health.providers.iter().find(|provider| provider.name == "groq").unwrap();
    let llm = groq.services.iter().find(|service| service.service == Service::Llm).unwrap();
    let left = llm.rate_limit.as_ref().unwrap();
    assert_eq!((left.tokens, left.tokens_left, left.tokens_reset_s), (Some(8_000), Some(0), Some(12.5)));
}

/// Gemini rejects an API key with HTTP 400. Another provider answers, and the problem names the key.
#[tokio::test(flavor = "multi_thread")]
async fn trap_19_a_rejected_key_is_reported_whatever_its_status() {
    let harness = Harness::new().await;
    choose(&harness, "gemini", "gemini-3.5-flash-lite").await;
    harness.sandbox.add_fault(Fault::new(FaultKind::RefuseAuth).provider(Provider::Gemini));
    let record = ask(&harness, "Are you there?").await;
    let tried = attempts(&record, Stage::Thinking);
    assert_eq!((tried[0].2, tried[1].0, tried[1].2), (Some(FailureKind::KeyRejected), "groq", None));
    assert_eq!(
        harness.sandbox.requests().await.iter().find_map(|request| request.fault.as_ref().and(request.status)),
        Some(400)
    );
    assert_eq!(notices(&record, NoticeKind::Fallback).len(), 1);
    // The model list, which is free, confirms the rejection in the background.
    let problem = |harness: &Harness| {
        let providers = harness.assistant.router().providers();
        providers.into_iter().find(|provider| provider.name == "gemini").unwrap().problem
    };
    harness.until(|harness| problem(harness).is_some()).await;
    assert_eq!(problem(&harness), Some(ProviderProblem::KeyRejected));
}

/// A screenshot is sent with its own question and not with later ones.
#[tokio::test(flavor = "multi_thread")]
async fn trap_15_earlier_pictures_are_not_sent_again() {
    let harness = Harness::new().await;
    for text in ["What does the window on my screen say?", "What does the window on my screen say now?"] {
        let ask = Ask { text: text.into(), screen: Some(true), speech: Speech::None, ..Ask::default() };
        assert_eq!(harness.ask_for(ask).await.error, None);
    }
    let requests = harness.sandbox.requests().await;
    let image_counts: Vec<usize> = requests
        .iter()
        .filter(|request| request.service == SandboxService::Vlm && request.method == "POST")
        .map(|request| request.images.len())
        .collect();
    assert_eq!(image_counts, [1, 1]);
}

/// A model that rejects a low reasoning effort is called again without it, within the same question. Later questions begin
/// without it.
#[tokio::test(flavor = "multi_thread")]
async fn trap_24_a_model_that_rejects_the_reasoning_effort_is_called_without_it() {
    let harness = Harness::new().await;
    choose(&harness, "gemini", "gemini-4-hydrogen").await;
    let record = ask(&harness, "Are you there?").await;
    let refused = ("gemini", "gemini-4-hydrogen", Some(FailureKind::Unsupported));
    let answered = ("gemini", "gemini-4-hydrogen", None);
    assert_eq!(attempts(&record, Stage::Thinking), [refused, answered], "both calls are recorded");
    assert_eq!(attempts(&ask(&harness, "And now?").await, Stage::Thinking), [answered]);
}

/// A billed reply without sound is requested once more.
#[tokio::test(flavor = "multi_thread")]
async fn trap_25_an_empty_speech_reply_is_retried_once() {
    let harness = Harness::new().await;
    harness.change(json!({"routes": {"tts": {"provider": "gemini"}}})).await;
    let silent = Fault::new(FaultKind::ZeroAudio).provider(Provider::Gemini).service(SandboxService::Tts);
    harness.sandbox.add_fault(silent.times(1));
    let record = harness.ask("Are you there?").await;
    let tried = attempts(&record, Stage::Speaking);
    assert_eq!((tried[0].0, tried[0].2), ("gemini", Some(FailureKind::Empty)));
    assert!(tried[1..].iter().all(|(provider, _, kind)| *provider == "gemini" && kind.is_none()), "{tried:?}");
    assert_eq!(record.error, None);
}

/// When the newest model is overloaded, the lighter model of the same provider is called once, with a notice.
#[tokio::test(flavor = "multi_thread")]
async fn trap_29_an_overloaded_model_is_replaced_by_the_lighter_one() {
    let harness = Harness::new().await;
    choose(&harness, "gemini", "gemini-3.8-flash").await;
    harness.sandbox.add_fault(Fault::status(503).provider(Provider::Gemini).model("gemini-3.8-flash"));
    let record = ask(&harness, "Are you there?").await;
    let busy = ("gemini", "gemini-3.8-flash", Some(FailureKind::Overloaded));
    assert_eq!(attempts(&record, Stage::Thinking), [busy, ("gemini", "gemini-3.5-flash-lite", None)]);
    let messages = notices(&record, NoticeKind::ModelReplaced);
    assert_eq!(messages, ["gemini-3.8-flash is overloaded. gemini-3.5-flash-lite answers in its place."]);
    // When that is overloaded too, the next provider is called.
    harness.sandbox.add_fault(Fault::status(503).provider(Provider::Gemini));
    let record = ask(&harness, "And now?").await;
    let providers: Vec<&str> = attempts(&record, Stage::Thinking).iter().map(|(provider, ..)| *provider).collect();
    assert_eq!(providers, ["gemini", "gemini", "groq"]);
}

/// The HTTP client has no timeout for a stalled stream; the settings have one.
#[tokio::test(flavor = "multi_thread")]
async fn trap_35_a_stalled_stream_is_ended_by_the_timeout_of_the_settings() {
    let harness = Harness::new().await;
    harness.change(json!({"timeouts": {"between_ms": 300}})).await;
    let stall = Fault::new(FaultKind::StallAfter { chunks: 2 }).provider(Provider::Groq).service(SandboxService::Llm);
    harness.sandbox.add_fault(stall);
    let record = ask(&harness, "Are you there?").await;
    let tried = attempts(&record, Stage::Thinking);
    assert_eq!((tried[0].0, tried[0].2), ("groq", Some(FailureKind::Interrupted)));
    assert_eq!((tried[1].0, tried[1].2, &record.error), ("gemini", None, &None));
}
