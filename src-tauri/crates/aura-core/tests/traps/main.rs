//! What the person gets when a provider does what its wire format is known to trip clients with: whole questions, with real HTTP to
//! the sandbox. The numbers are those of the reference's list of traps; what needs no router is tested beside the codecs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[allow(dead_code, reason = "the turns' tests use all of it")]
#[path = "../turn/house.rs"]
mod house;
#[allow(dead_code, reason = "the turns' tests use all of it")]
#[path = "../turn/machine.rs"]
mod machine;

use aura_core::api::{Ask, Speech};
use aura_core::providers::{Class, Service};
use aura_core::record::{Stage, TurnRecord};
use aura_sandbox::{ErrorBody, Fault, FaultKind, GoneForm, Provider, Service as SandboxService};
use house::House;
use serde_json::json;

/// The notices of a kind, in words.
fn notices<'a>(record: &'a TurnRecord, kind: &str) -> Vec<&'a str> {
    record.notices.iter().filter(|notice| notice.kind == kind).map(|notice| notice.message.as_str()).collect()
}

/// The attempts of a stage: by whom, with which model, and how each failed.
fn attempts(record: &TurnRecord, stage: Stage) -> Vec<(&str, &str, Option<Class>)> {
    let stages = record.stages.iter().filter(|of| of.stage == stage);
    stages
        .flat_map(|stage| &stage.attempts)
        .map(|attempt| (attempt.route.provider.as_str(), attempt.route.model.as_str(), attempt.class))
        .collect()
}

async fn ask(house: &House, text: &str) -> TurnRecord {
    house.ask_for(Ask { text: text.into(), speech: Speech::None, ..Ask::default() }).await
}

/// A route for text that the person chose.
async fn choose(house: &House, provider: &str, model: &str) {
    house.change(json!({"routes": {"llm": {"provider": provider, "model": model}}})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_08_a_retired_model_is_answered_by_another_one_and_said() {
    for form in [GoneForm::NotFound, GoneForm::Decommissioned] {
        let house = House::new().await;
        choose(&house, "groq", "openai/gpt-oss-120b").await;
        let gone = Fault::new(FaultKind::ModelGone { form }).provider(Provider::Groq).model("openai/gpt-oss-120b");
        house.sandbox.add_fault(gone);
        let record = ask(&house, "Are you there?").await;
        let expected = [("groq", "openai/gpt-oss-120b", Some(Class::ModelGone)), ("groq", "openai/gpt-oss-20b", None)];
        assert_eq!(attempts(&record, Stage::Thinking), expected, "{form:?}");
        let said = notices(&record, "model_replaced");
        assert_eq!(said, ["openai/gpt-oss-120b is no longer served. openai/gpt-oss-20b answers in its place."]);
        // The next question does not pay for it again.
        let record = ask(&house, "And now?").await;
        assert_eq!(attempts(&record, Stage::Thinking), [("groq", "openai/gpt-oss-20b", None)]);
        assert_eq!(notices(&record, "model_gone").len(), 1, "and says why");
    }
}

/// A name that was retired long ago is not sent at all.
#[tokio::test(flavor = "multi_thread")]
async fn trap_08_a_name_of_the_guide_is_answered_by_its_replacement() {
    let house = House::new().await;
    choose(&house, "groq", "llama-3.3-70b-versatile").await;
    let record = ask(&house, "Are you there?").await;
    assert_eq!(attempts(&record, Stage::Thinking), [("groq", "openai/gpt-oss-120b", None)]);
    assert_eq!(notices(&record, "model_replaced").len(), 1);
}

/// Orpheus is there: only its terms were not accepted. Somebody else speaks, in the same language, and the person is told what to do.
#[tokio::test(flavor = "multi_thread")]
async fn trap_09_terms_that_were_not_accepted_are_said() {
    let house = House::new().await;
    let terms = Fault::status(400).body(ErrorBody::Variant("terms".into())).provider(Provider::Groq);
    house.sandbox.add_fault(terms.service(SandboxService::Tts));
    let record = house.ask("Are you there?").await;
    assert_eq!(record.error, None);
    let made = attempts(&record, Stage::Speaking);
    assert!(made.iter().all(|(_, model, _)| !model.contains("arabic")), "{made:?}");
    assert_eq!(made[0].2, Some(Class::ModelGone));
    assert!(made.iter().any(|(provider, _, class)| *provider == "gemini" && class.is_none()), "{made:?}");
    let models = house.assistant.router().models();
    let orpheus = models.iter().find(|model| model.name == made[0].1).unwrap();
    assert!(orpheus.problem.as_deref().unwrap().contains("terms must be accepted"), "{:?}", orpheus.problem);
}

/// Two programs share one allowance: what is left is what the last reply said, also one that refused.
#[tokio::test(flavor = "multi_thread")]
async fn trap_16_a_refusal_tells_what_is_left() {
    let house = House::new().await;
    let limited = Fault::status(429).provider(Provider::Groq).service(SandboxService::Llm).times(1);
    house.sandbox.add_fault(
        limited
            .header("x-ratelimit-limit-tokens", "8000")
            .header("x-ratelimit-remaining-tokens", "0")
            .header("x-ratelimit-reset-tokens", "12.5s"),
    );
    ask(&house, "Are you there?").await;
    let health = house.assistant.router().health();
    let groq = health.providers.iter().find(|provider| provider.name == "groq").unwrap();
    let llm = groq.services.iter().find(|of| of.service == Service::Llm).unwrap();
    let left = llm.rate_limit.as_ref().unwrap();
    assert_eq!((left.tokens, left.tokens_left, left.tokens_reset_s), (Some(8_000), Some(0), Some(12.5)));
}

/// A refused key is HTTP 400 at Gemini. Somebody else answers, and the key is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn trap_19_a_refused_key_is_said_whatever_its_status() {
    let house = House::new().await;
    choose(&house, "gemini", "gemini-3.5-flash-lite").await;
    house.sandbox.add_fault(Fault::new(FaultKind::RefuseAuth).provider(Provider::Gemini));
    let record = ask(&house, "Are you there?").await;
    let made = attempts(&record, Stage::Thinking);
    assert_eq!((made[0].2, made[1].0, made[1].2), (Some(Class::Auth), "groq", None));
    assert_eq!(
        house.sandbox.requests().await.iter().find_map(|request| request.fault.as_ref().and(request.status)),
        Some(400)
    );
    assert_eq!(notices(&record, "fallback").len(), 1);
    let gemini = house.assistant.router().providers().into_iter().find(|provider| provider.name == "gemini").unwrap();
    assert!(gemini.problem.unwrap().contains("key was refused"));
}

/// A screenshot is sent with its own question and not with the next ones.
#[tokio::test(flavor = "multi_thread")]
async fn trap_15_earlier_pictures_are_not_sent_again() {
    let house = House::new().await;
    for text in ["What does the window on my screen say?", "What does the window on my screen say now?"] {
        let look = Ask { text: text.into(), screen: Some(true), speech: Speech::None, ..Ask::default() };
        assert_eq!(house.ask_for(look).await.error, None);
    }
    let requests = house.sandbox.requests().await;
    let looked: Vec<usize> = requests
        .iter()
        .filter(|request| request.service == SandboxService::Vlm && request.method == "POST")
        .map(|request| request.images.len())
        .collect();
    assert_eq!(looked, [1, 1]);
}

/// A model that refuses to think so little answers all the same, in the same question, and is not asked so again.
#[tokio::test(flavor = "multi_thread")]
async fn trap_24_a_model_that_refuses_to_think_so_little_answers() {
    let house = House::new().await;
    choose(&house, "gemini", "gemini-4-hydrogen").await;
    let record = ask(&house, "Are you there?").await;
    let refused = ("gemini", "gemini-4-hydrogen", Some(Class::Unsupported));
    let answered = ("gemini", "gemini-4-hydrogen", None);
    assert_eq!(attempts(&record, Stage::Thinking), [refused, answered], "both are counted");
    assert_eq!(attempts(&ask(&house, "And now?").await, Stage::Thinking), [answered]);
}

/// Speech without a sound, though it is billed, is asked for once more.
#[tokio::test(flavor = "multi_thread")]
async fn trap_25_billed_silence_is_asked_for_once_more() {
    let house = House::new().await;
    house.change(json!({"routes": {"tts": {"provider": "gemini"}}})).await;
    let silent = Fault::new(FaultKind::ZeroAudio).provider(Provider::Gemini).service(SandboxService::Tts);
    house.sandbox.add_fault(silent.times(1));
    let record = house.ask("Are you there?").await;
    let made = attempts(&record, Stage::Speaking);
    assert_eq!((made[0].0, made[0].2), ("gemini", Some(Class::Empty)));
    assert!(made[1..].iter().all(|(provider, _, class)| *provider == "gemini" && class.is_none()), "{made:?}");
    assert_eq!(record.error, None);
}

/// The newest model has much to do: the lighter one of the same provider answers, once, and the person is told.
#[tokio::test(flavor = "multi_thread")]
async fn trap_29_the_lighter_model_answers_for_one_that_is_overloaded() {
    let house = House::new().await;
    choose(&house, "gemini", "gemini-3.8-flash").await;
    house.sandbox.add_fault(Fault::status(503).provider(Provider::Gemini).model("gemini-3.8-flash"));
    let record = ask(&house, "Are you there?").await;
    let busy = ("gemini", "gemini-3.8-flash", Some(Class::Overloaded));
    assert_eq!(attempts(&record, Stage::Thinking), [busy, ("gemini", "gemini-3.5-flash-lite", None)]);
    let said = notices(&record, "model_replaced");
    assert_eq!(said, ["gemini-3.8-flash is overloaded. gemini-3.5-flash-lite answers in its place."]);
    // When that has too much to do as well, it is the next provider's turn.
    house.sandbox.add_fault(Fault::status(503).provider(Provider::Gemini));
    let made = ask(&house, "And now?").await;
    let providers: Vec<&str> = attempts(&made, Stage::Thinking).iter().map(|(provider, ..)| *provider).collect();
    assert_eq!(providers, ["gemini", "gemini", "groq"]);
}

/// The client has no clock for a stream that stands still; the settings have.
#[tokio::test(flavor = "multi_thread")]
async fn trap_35_a_stream_that_stands_still_is_ended_by_the_settings_clock() {
    let house = House::new().await;
    house.change(json!({"clocks": {"between_ms": 300}})).await;
    let stall = Fault::new(FaultKind::StallAfter { chunks: 2 }).provider(Provider::Groq).service(SandboxService::Llm);
    house.sandbox.add_fault(stall);
    let record = ask(&house, "Are you there?").await;
    let made = attempts(&record, Stage::Thinking);
    assert_eq!((made[0].0, made[0].2), ("groq", Some(Class::Interrupted)));
    assert_eq!((made[1].0, made[1].2, &record.error), ("gemini", None, &None));
}
