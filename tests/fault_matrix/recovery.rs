//! State after a failure: open circuits, API keys, models, connections, and the part of the answer that the user already has.

use std::time::{Duration, Instant};

use aura_core::api::{self, Ask, Nothing, SaveKey, Speech};
use aura_core::error::ErrorCode;
use aura_providers::FailureKind::*;
use aura_providers::Service;
use aura_sandbox::{
    ErrorBody, Fault, FaultKind, FixedAnswers, FixedAudio, Provider, RequestRecord, Rule, RuleCondition, Script,
    TestSignal,
};
use serde_json::json;

use crate::case::{Case, Score, describe, steps};
use crate::fixture::{
    CUSTOM, Expected, Fixture, answer, attempts, continuation, long_timeouts, sandbox_provider, sandbox_service,
    transcript,
};
use aura_testkit::harness::Harness;

/// The time limit for something that must happen.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("llm", "429 with Retry-After: the next question skips the provider", rate_limited),
        Case::new("llm", "persistent 503: the third question skips the provider", circuit_opens),
        Case::new("llm", "API key rejected: not called again until another key is saved", key_rejected),
        Case::new("llm", "403 by the gateway: called again, and the API key stays valid", gateway),
        Case::new("llm", "connection reset after the question arrived: sent once", || reset_connection(Service::Llm)),
        Case::new("stt", "connection reset after the recording arrived: sent once", || reset_connection(Service::Stt)),
        Case::new("llm", "slower than its own p95: hedged, the next provider answers", hedged),
        Case::new("tts", "speech cut in mid-sentence: only the rest is spoken", half_spoken),
        Case::new("tts", "four sentences, the first provider is down: called once", speech_provider_down),
        Case::new("llm", "one API key, provider down: retried, then offline; then one call", one_key),
        Case::new("llm", "cut twice: three routes make one answer", three_routes),
        Case::new("llm", "cut: a continuation that repeats the answer appears once", repeats),
        Case::new("llm", "cut: an empty continuation makes the turn fail", nothing_more),
        Case::new("stt", "every transcript is empty: nothing heard", nothing_heard),
        Case::new("vlm", "every provider is down: the error lists every attempt", all_down),
    ];
    for (service, first, next) in [
        (Service::Stt, "groq", "gemini"),
        (Service::Llm, "groq", "gemini"),
        (Service::Vlm, "gemini", "groq"),
        (Service::Tts, "gemini", "groq"),
    ] {
        let title = "model gone: a substitute until the model is listed again";
        cases.push(Case::new(service.as_str(), title, move || gone(service, first, next)));
    }
    for service in Service::ALL {
        cases.push(Case::new(service.as_str(), "no consent for the first: it is sent nothing", move || {
            consent(service)
        }));
        cases.push(Case::new(service.as_str(), "cancelled by the user: the provider's call ends", move || {
            cancelled(service)
        }));
    }
    cases
}

impl Fixture {
    /// The requests for a service that a provider received, without model lists.
    async fn received(&self, provider: Provider, service: Service) -> Vec<RequestRecord> {
        let mut all = self.harness.sandbox.requests().await;
        all.retain(|request| request.provider == provider && request.service == sandbox_service(service));
        all
    }

    /// Waits until a provider received a request for which `holds` is true.
    async fn until(&self, provider: Provider, service: Service, holds: impl Fn(&RequestRecord) -> bool) {
        let began = Instant::now();
        while !self.received(provider, service).await.iter().any(&holds) {
            assert!(began.elapsed() < LIMIT, "{:#?}", self.received(provider, service).await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn then(first: Score, second: Score) -> Score {
    Score { attempts: format!("{}; then {}", first.attempts, second.attempts), ..second }
}

async fn rate_limited() -> Score {
    let fixture = Fixture::new(Service::Llm, "groq", "gemini", long_timeouts()).await;
    let fault = Fault::status(429).header("retry-after", "60").provider(Provider::Groq);
    fixture.harness.sandbox.add_fault(fault.service(sandbox_service(Service::Llm)).times(1));
    let got = Expected::Text(answer("gemini"));
    let first = fixture.expect(&got, &[("groq", Some(RateLimited)), ("gemini", None)]).await;
    then(first, fixture.expect(&got, &[("gemini", None)]).await)
}

async fn circuit_opens() -> Score {
    let fixture = Fixture::new(Service::Llm, "groq", "gemini", long_timeouts()).await;
    let fault = Fault::status(503).provider(Provider::Groq).service(sandbox_service(Service::Llm));
    fixture.harness.sandbox.add_fault(fault);
    let got = Expected::Text(answer("gemini"));
    for _ in 0..2 {
        fixture.expect(&got, &[("groq", Some(Overloaded)), ("gemini", None)]).await;
    }
    fixture.expect(&got, &[("gemini", None)]).await
}

async fn key_rejected() -> Score {
    let harness = Harness::with(&[("GROQ_API_KEY", "")]).await;
    let save = |key: &str| SaveKey { provider: "groq".into(), key: key.into(), session_only: true };
    api::save_key(&harness.assistant, save("an-old-key")).await.unwrap();
    let fixture = Fixture::of(harness, Service::Llm, "groq", "gemini", long_timeouts()).await;
    let by_next = Expected::Text(answer("gemini"));
    // The model list, which costs nothing, may have shown already that the key is wrong. If not, it confirms that now.
    let (record, ms) = fixture.ask().await;
    assert_eq!((record.error, record.answer.as_str()), (None, answer("gemini").as_str()));
    let is_rejected = |harness: &Harness| {
        let providers = harness.assistant.router().providers();
        providers.iter().any(|provider| provider.name == "groq" && provider.problem.is_some())
    };
    fixture.harness.until(is_rejected).await;
    fixture.expect(&by_next, &[("gemini", None)]).await;
    let refused = api::snapshot(&fixture.harness.assistant, Nothing {}).await.unwrap();
    let problem = refused.providers.iter().find(|view| view.name == "groq").unwrap().problem.clone();
    assert!(problem.is_some_and(|problem| problem.contains("rejected")), "the problem is shown");
    api::save_key(&fixture.harness.assistant, save(fixture.harness.sandbox.key())).await.unwrap();
    let score = fixture.expect(&Expected::Text(answer("groq")), &[("groq", None)]).await;
    Score { attempts: format!("gemini ok; gemini ok; new key: {}", score.attempts), ms, ..score }
}

/// The provider's gateway refuses the connection, as it does in some regions. The key stays valid.
async fn gateway() -> Score {
    let fixture = Fixture::new(Service::Llm, "groq", "gemini", long_timeouts()).await;
    let fault = Fault::status(403).body(ErrorBody::Variant("edge".into())).provider(Provider::Groq);
    fixture.harness.sandbox.add_fault(fault);
    let by_next = Expected::Text(answer("gemini"));
    let first = fixture.expect(&by_next, &[("groq", Some(Forbidden)), ("gemini", None)]).await;
    fixture.harness.assistant.refresh_model_lists().await;
    let all = api::snapshot(&fixture.harness.assistant, Nothing {}).await.unwrap();
    let problem = all.providers.iter().find(|view| view.name == "groq").unwrap().problem.clone();
    assert_eq!(problem, None, "the key is not what is wrong");
    fixture.harness.sandbox.clear_faults();
    then(first, fixture.expect(&Expected::Text(answer("groq")), &[("groq", None)]).await)
}

async fn gone(service: Service, first: &'static str, next: &'static str) -> Score {
    let fixture = Fixture::new(service, first, next, long_timeouts()).await;
    let model = aura_providers::catalog::Catalog::embedded().default_model(first, service).unwrap().to_owned();
    let fault = Fault::new(FaultKind::ModelGone { form: aura_sandbox::GoneForm::Decommissioned }).model(model.clone());
    fixture.harness.sandbox.add_fault(fault.provider(sandbox_provider(first)));
    let got = || {
        Expected::Text(match service {
            Service::Stt => transcript(first),
            Service::Llm | Service::Vlm | Service::Embedding => answer(first),
            Service::Tts => answer("groq"),
        })
    };
    let one = fixture.expect(&got(), &[(first, Some(ModelGone)), (first, None)]).await;
    let two = fixture.expect(&got(), &[(first, None)]).await;
    let used = async || fixture.received(sandbox_provider(first), service).await.last().unwrap().model.clone().unwrap();
    assert_ne!(used().await, model);
    // The provider lists the model again.
    fixture.harness.sandbox.clear_faults();
    fixture.harness.assistant.refresh_model_lists().await;
    fixture.expect(&got(), &[(first, None)]).await;
    assert_eq!(used().await, model);
    then(one, two)
}

/// The provider resets a connection after it received the whole request. It may have done the work, so it does not get the request
/// again; the next provider does. `exactly_once` of the router does the same at every place of new and of reused connections.
async fn reset_connection(service: Service) -> Score {
    let fixture = Fixture::new(service, "groq", "gemini", long_timeouts()).await;
    let got = |provider| Expected::Text(if service == Service::Stt { transcript(provider) } else { answer(provider) });
    fixture.expect(&got("groq"), &[("groq", None)]).await;
    let fault = Fault::new(FaultKind::Reset).provider(Provider::Groq).service(sandbox_service(service)).times(1);
    fixture.harness.sandbox.add_fault(fault);
    let score = fixture.expect(&got("gemini"), &[("groq", Some(Unreachable)), ("gemini", None)]).await;
    let received = fixture.received(Provider::Groq, service).await;
    assert_eq!(received.len(), 2, "{received:#?}");
    then(score, fixture.expect(&got("groq"), &[("groq", None)]).await)
}

async fn hedged() -> Score {
    let mut settings = long_timeouts();
    settings["hedge"] = json!(true);
    let fixture = Fixture::new(Service::Llm, "groq", "gemini", settings).await;
    // Enough answers for a p95. On a busy computer one of them may be hedged and lose.
    let began = Instant::now();
    while fixture.received(Provider::Groq, Service::Llm).await.iter().filter(|request| !request.cancelled).count() < 6 {
        assert!(began.elapsed() < LIMIT);
        fixture.ask().await;
    }
    let fault = Fault::new(FaultKind::DelayContent { ms: 20_000 }).provider(Provider::Groq);
    fixture.harness.sandbox.add_fault(fault.service(sandbox_service(Service::Llm)));
    fixture.harness.sandbox.clear_requests();
    let (record, ms) = fixture.ask().await;
    assert_eq!((record.error.clone(), record.answer.as_str()), (None, answer("gemini").as_str()));
    let steps = steps(&attempts(&record, Service::Llm));
    assert_eq!(steps, [("groq".to_owned(), Some(Cancelled)), ("gemini".to_owned(), None)]);
    fixture.until(Provider::Groq, Service::Llm, |request| request.cancelled).await;
    Score { got: format!("“{}”", record.answer), attempts: describe(&steps), ms }
}

async fn half_spoken() -> Score {
    let fixture = Fixture::new(Service::Tts, "groq", "gemini", long_timeouts()).await;
    let sandbox = &fixture.harness.sandbox;
    sandbox
        .set_fixed(FixedAnswers { transcript: None, audio: Some(FixedAudio { sound: TestSignal::Tone, ms: 4_000 }) });
    // Chunks of 4096 bytes, 85 ms each: a little more than two seconds are played.
    let cut = Fault::new(FaultKind::CutAfter { chunks: 25, reset: true });
    sandbox.add_fault(cut.provider(Provider::Groq).service(sandbox_service(Service::Tts)));
    let score = fixture.expect(&Expected::Text(answer("groq")), &[("groq", Some(Interrupted)), ("gemini", None)]).await;
    let whole = fixture.received(Provider::Groq, Service::Tts).await[0].text.clone().unwrap();
    let continuation = fixture.received(Provider::Gemini, Service::Tts).await[0].text.clone().unwrap();
    assert_eq!(whole, answer("groq"));
    let said = whole.strip_suffix(&continuation).expect("the rest is the end of the sentence");
    assert!(said.ends_with(' ') && (20..35).contains(&said.len()), "{said:?} was said, {continuation:?} is left");
    Score { got: format!("“{said}| {continuation}”"), ..score }
}

/// An answer of four sentences, each spoken by a call of its own.
async fn speech_provider_down() -> Score {
    let fixture = Fixture::new(Service::Tts, "groq", "gemini", long_timeouts()).await;
    let text =
        "It is three o'clock in the afternoon. The sun is out today. There is tea in the kitchen. Good night to you.";
    fixture.harness.sandbox.set_script(aura_sandbox::Script::always(text));
    fixture
        .harness
        .sandbox
        .add_fault(Fault::status(503).provider(Provider::Groq).service(sandbox_service(Service::Tts)));
    let (record, ms) = fixture.ask().await;
    assert_eq!((record.error.as_ref(), record.spoken.as_str()), (None, text));
    let steps = steps(&attempts(&record, Service::Tts));
    assert_eq!(steps[0], ("groq".to_owned(), Some(Overloaded)));
    assert!(steps.len() > 3 && steps[1..].iter().all(|one| *one == ("gemini".to_owned(), None)), "{steps:?}");
    let notices = record.notices.iter().filter(|notice| notice.kind == aura_core::record::NoticeKind::Fallback).count();
    assert_eq!(notices, 1, "{:?}", record.notices);
    Score { got: "all four sentences, by one provider".into(), attempts: describe(&steps), ms }
}

/// The only provider with an API key is down.
async fn one_key() -> Score {
    let fixture =
        Fixture::of(Harness::with(&[("GEMINI_API_KEY", "")]).await, Service::Llm, "groq", "gemini", long_timeouts())
            .await;
    fixture
        .harness
        .sandbox
        .add_fault(Fault::status(503).provider(Provider::Groq).service(sandbox_service(Service::Llm)));
    let overloaded = Some(Overloaded);
    let mut scores = Vec::new();
    for expected in [
        &[("groq", overloaded), ("groq", overloaded), ("groq", overloaded), ("offline", None)][..],
        &[("groq", overloaded), ("offline", None)],
    ] {
        let (record, ms) = fixture.ask().await;
        assert_eq!(record.error, None);
        assert!(
            record.answer.contains("What time is it?"),
            "the offline answer repeats the question: {}",
            record.answer
        );
        let steps = steps(&attempts(&record, Service::Llm));
        let expected: Vec<_> = expected.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        assert_eq!(steps, expected);
        scores.push(Score { got: "the offline answer".into(), attempts: describe(&steps), ms });
    }
    let second = scores.pop().unwrap();
    then(scores.pop().unwrap(), second)
}

/// A fixture in which Groq's answer is cut after five words.
async fn interrupted(settings: serde_json::Value) -> Fixture {
    let fixture = Fixture::new(Service::Llm, "groq", "gemini", settings).await;
    let cut = Fault::new(FaultKind::CutAfter { chunks: 5, reset: true });
    fixture.harness.sandbox.add_fault(cut.provider(Provider::Groq).service(sandbox_service(Service::Llm)));
    fixture
}

async fn three_routes() -> Score {
    let fixture = Fixture::new(Service::Llm, CUSTOM, "groq", long_timeouts()).await;
    fixture.harness.change(json!({"routes": {"llm": {"provider": "groq", "then": ["gemini", CUSTOM]}}})).await;
    for (provider, chunks) in [(Provider::Groq, 5), (Provider::Gemini, 2)] {
        let cut = Fault::new(FaultKind::CutAfter { chunks, reset: true });
        fixture.harness.sandbox.add_fault(cut.provider(provider).service(sandbox_service(Service::Llm)));
    }
    // The third provider's text begins with the words that the second one sent before it was cut.
    let words: String = answer("groq").split_inclusive(' ').take(5).collect();
    let got = format!("{words}{}", continuation(CUSTOM));
    let cut = Some(Interrupted);
    fixture.expect(&Expected::Text(got), &[("groq", cut), ("gemini", cut), (CUSTOM, None)]).await
}

async fn repeats() -> Score {
    let fixture = interrupted(long_timeouts()).await;
    let cut_off = RuleCondition {
        provider: Some(Provider::Gemini),
        contains: Some("cut off".into()),
        ..RuleCondition::default()
    };
    let again = "The answer of groq is four o'clock in the morning.";
    let rules = vec![
        Rule { when: cut_off, ..Rule::reply(again) },
        Rule {
            when: RuleCondition { provider: Some(Provider::Groq), ..RuleCondition::default() },
            ..Rule::reply(answer("groq"))
        },
    ];
    fixture.harness.sandbox.set_script(Script { rules });
    fixture.expect(&Expected::Text(again.into()), &[("groq", Some(Interrupted)), ("gemini", None)]).await
}

async fn nothing_more() -> Score {
    let fixture = interrupted(long_timeouts()).await;
    let nothing = Fault::new(FaultKind::EmptyAnswer { finish: None }).provider(Provider::Gemini);
    fixture.harness.sandbox.add_fault(nothing.service(sandbox_service(Service::Llm)));
    // The offline programs cannot continue an answer.
    let all =
        [("groq", Some(Interrupted)), ("gemini", Some(Empty)), ("gemini", Some(Empty)), ("offline", Some(Unsupported))];
    fixture.expect(&Expected::Error(ErrorCode::AllRoutesFailed), &all).await
}

async fn nothing_heard() -> Score {
    let fixture = Fixture::new(Service::Stt, "groq", "gemini", long_timeouts()).await;
    fixture.harness.sandbox.add_fault(Fault::new(FaultKind::EmptyTranscript));
    let empty = Some(Empty);
    let all = [("groq", empty), ("groq", empty), ("gemini", empty), ("gemini", empty)];
    fixture.expect(&Expected::Error(ErrorCode::NothingHeard), &all).await
}

async fn all_down() -> Score {
    let fixture = Fixture::new(Service::Vlm, "groq", "gemini", long_timeouts()).await;
    fixture.harness.sandbox.add_fault(Fault::status(503).service(sandbox_service(Service::Vlm)));
    // The last remote provider is retried. The offline programs still get their attempt; they cannot read images here.
    let overloaded = Some(Overloaded);
    let all = [("groq", overloaded), ("gemini", overloaded), ("gemini", overloaded), ("offline", Some(Unsupported))];
    fixture.expect(&Expected::Error(ErrorCode::AllRoutesFailed), &all).await
}

async fn consent(service: Service) -> Score {
    let mut settings = long_timeouts();
    let kind = match service {
        Service::Stt => "audio",
        Service::Vlm => "screen",
        Service::Llm | Service::Tts | Service::Embedding => "text",
    };
    settings["providers"] = json!({"groq": {"may_receive": {kind: false}}});
    let fixture = Fixture::new(service, "groq", "gemini", settings).await;
    let got = match service {
        Service::Stt => transcript("gemini"),
        _ => answer("gemini"),
    };
    let score = fixture.expect(&Expected::Text(got), &[("gemini", None)]).await;
    assert!(fixture.received(Provider::Groq, service).await.is_empty());
    score
}

/// The user presses Esc during the provider's call.
async fn cancelled(service: Service) -> Score {
    let fixture = Fixture::new(service, "groq", "gemini", long_timeouts()).await;
    let fault = match service {
        Service::Stt => FaultKind::Silent,
        _ => FaultKind::StallAfter { chunks: 2 },
    };
    fixture.harness.sandbox.add_fault(Fault::new(fault).provider(Provider::Groq).service(sandbox_service(service)));
    let began = Instant::now();
    let (asked_turn, ()) = tokio::join!(fixture.ask(), async {
        fixture.until(Provider::Groq, service, |request| request.body_ms.is_some()).await;
        if service != Service::Stt {
            fixture.until(Provider::Groq, service, |request| request.answered_ms.is_some()).await;
        }
        api::cancel(&fixture.harness.assistant, Nothing {}).await.unwrap();
    });
    let (record, _) = asked_turn;
    fixture.until(Provider::Groq, service, |request| request.cancelled).await;
    assert!(fixture.received(Provider::Gemini, service).await.is_empty(), "no other provider is called");
    let code = record.error.map(|error| error.code);
    // A turn whose answer was shown does not fail because its speech was cancelled.
    assert!(code == Some(ErrorCode::Cancelled) || record.interrupted, "{code:?}");
    // The next question is answered.
    fixture.harness.sandbox.clear_faults();
    let ask = Ask { text: "And now?".into(), screen: Some(false), speech: Speech::None, ..Ask::default() };
    assert_eq!(fixture.harness.ask_for(ask).await.error, None);
    Score { got: "stopped at once".into(), attempts: "groq cancelled".into(), ms: began.elapsed().as_millis() }
}
