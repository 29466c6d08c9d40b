//! Chat, with and without an image: the sixteen faults of the public suite and more.

use aura_core::error::ErrorCode;
use aura_providers::FailureKind::{self, *};
use aura_providers::Service;
use aura_sandbox::{ErrorBody, Fault, FaultKind, FilterForm, StreamErrorForm};
use serde_json::{Value, json};

use crate::case::Case;
use crate::fixture::{
    CUSTOM, Expected, Fixture, answer, continuation, long_timeouts, sandbox_provider, sandbox_service, short_timeouts,
};

/// The service, the first provider and the next one.
const PAIRS: [(Service, &str, &str); 5] = [
    (Service::Llm, "groq", "gemini"),
    (Service::Llm, "gemini", "groq"),
    (Service::Llm, CUSTOM, "groq"),
    (Service::Vlm, "groq", "gemini"),
    (Service::Vlm, "gemini", CUSTOM),
];

/// A fault of the first provider and its expected outcome.
struct Scenario {
    name: &'static str,
    /// The fault of the first provider.
    fault: Fault,
    settings: fn() -> Value,
    /// Whether the question names the provider, so that no other is called.
    pinned: bool,
    outcome: Outcome,
}

/// How the question ends, after these failures of the first provider.
enum Outcome {
    /// The first provider answers.
    First(&'static [FailureKind]),
    /// The next provider answers.
    Next(&'static [FailureKind]),
    /// The next provider continues after this many words of the first one.
    Continued(&'static [FailureKind], usize),
    /// No provider answers.
    Error(ErrorCode, &'static [FailureKind]),
}

fn scenario(name: &'static str, kind: FaultKind, outcome: Outcome) -> Scenario {
    with_fault(name, Fault::new(kind), outcome)
}

fn with_fault(name: &'static str, fault: Fault, outcome: Outcome) -> Scenario {
    Scenario { name, fault, settings: long_timeouts, pinned: false, outcome }
}

impl Scenario {
    fn short_timeouts(mut self) -> Self {
        self.settings = short_timeouts;
        self
    }

    fn pinned(mut self) -> Self {
        self.pinned = true;
        self
    }

    fn times(mut self, count: u32) -> Self {
        self.fault = self.fault.times(count);
        self
    }

    fn fallback_on_block(mut self) -> Self {
        self.settings = || {
            let mut settings = long_timeouts();
            settings["fallback_when_blocked"] = json!(true);
            settings
        };
        self
    }
}

fn scenarios() -> Vec<Scenario> {
    use Outcome::{Continued, Error, First, Next};
    let length = || FaultKind::EmptyAnswer { finish: Some("length".into()) };
    vec![
        with_fault("429 with Retry-After", Fault::status(429).header("retry-after", "30"), Next(&[RateLimited])),
        with_fault(
            "429 with Retry-After, pinned: retried after the wait",
            Fault::status(429).header("retry-after", "1"),
            First(&[RateLimited]),
        )
        .times(1)
        .pinned(),
        with_fault(
            "persistent 429, pinned",
            Fault::status(429).header("retry-after", "1"),
            Error(ErrorCode::AllRoutesFailed, &[RateLimited, RateLimited]),
        )
        .pinned(),
        with_fault("429 for the daily quota", Fault::status(429).body(ErrorBody::Variant("day".into())), Next(&[])),
        with_fault("500 once", Fault::status(500), Next(&[Overloaded])).times(1),
        with_fault("500 once, pinned: retried", Fault::status(500), First(&[Overloaded])).times(1).pinned(),
        with_fault("persistent 503", Fault::status(503), Next(&[Overloaded])),
        with_fault(
            "persistent 503, pinned",
            Fault::status(503),
            Error(ErrorCode::AllRoutesFailed, &[Overloaded, Overloaded, Overloaded]),
        )
        .pinned(),
        with_fault("HTML page instead of a reply", Fault::status(200).body(ErrorBody::Html), Next(&[Unreachable])),
        scenario("API key rejected", FaultKind::RefuseAuth, Next(&[KeyRejected])),
        scenario("TCP reset", FaultKind::Reset, Next(&[Unreachable])),
        scenario("no response", FaultKind::Silent, Next(&[Timeout])).short_timeouts(),
        scenario("first content after 20 s", FaultKind::DelayContent { ms: 20_000 }, Next(&[Timeout])).short_timeouts(),
        scenario("stream cut by a reset", FaultKind::CutAfter { chunks: 5, reset: true }, Continued(&[Interrupted], 5)),
        scenario(
            "stream closed too early",
            FaultKind::CutAfter { chunks: 5, reset: false },
            Continued(&[Interrupted], 5),
        ),
        scenario("stream stalled", FaultKind::StallAfter { chunks: 5 }, Continued(&[Interrupted], 5)).short_timeouts(),
        scenario(
            "error in mid-stream",
            FaultKind::StreamError { form: StreamErrorForm::Data, after: 5 },
            Continued(&[Interrupted], 5),
        ),
        scenario(
            "error before the first content",
            FaultKind::StreamError { form: StreamErrorForm::Data, after: 0 },
            Next(&[Overloaded]),
        ),
        scenario("malformed chunk", FaultKind::MalformedChunk { after: 3 }, First(&[])),
        scenario("no [DONE]", FaultKind::NoDone, First(&[])),
        scenario("no finish reason", FaultKind::NoFinish, Continued(&[Interrupted], 10)),
        scenario("wrong content type", FaultKind::WrongContentType { content_type: "text/html".into() }, First(&[])),
        scenario("empty answer once", FaultKind::EmptyAnswer { finish: None }, First(&[Empty])).times(1),
        scenario("persistent empty answer", FaultKind::EmptyAnswer { finish: None }, Next(&[Empty, Empty])),
        scenario("context too long", FaultKind::ContextTooLong, Next(&[Unsupported])),
        scenario("body larger than allowed", FaultKind::BodyTooLarge, Next(&[Unsupported])),
        scenario(
            "question blocked",
            FaultKind::ContentFilter { form: FilterForm::Prompt },
            Error(ErrorCode::Blocked, &[Blocked]),
        ),
        scenario(
            "question blocked, fallback allowed",
            FaultKind::ContentFilter { form: FilterForm::Prompt },
            Next(&[Blocked]),
        )
        .fallback_on_block(),
        scenario(
            "answer blocked",
            FaultKind::ContentFilter { form: FilterForm::Answer },
            Error(ErrorCode::Blocked, &[Blocked]),
        ),
        scenario(
            "answer blocked, fallback allowed",
            FaultKind::ContentFilter { form: FilterForm::Answer },
            Continued(&[Blocked], 1),
        )
        .fallback_on_block(),
        scenario("reasoning used up the token limit, once", length(), First(&[Empty])).times(1),
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (service, first, next) in PAIRS {
        for mut scenario in scenarios() {
            // Not every provider reports a daily quota.
            if scenario.name.starts_with("429 for the daily quota") {
                let variant = if first == CUSTOM { "quota" } else { "day" };
                scenario.fault = Fault::status(429).body(ErrorBody::Variant(variant.into()));
                scenario.outcome = Outcome::Next(&[Quota]);
            }
            if scenario.name.starts_with("reasoning used up") && first == "gemini" {
                scenario.fault = Fault::new(FaultKind::EmptyAnswer { finish: Some("MAX_TOKENS".into()) }).times(1);
            }
            cases.push(Case::new(service.as_str(), format!("{}, {first} then {next}", scenario.name), move || {
                run(service, first, next, scenario)
            }));
        }
        cases.push(Case::new(
            service.as_str(),
            format!("fallback rejects a prefilled answer, {first} then {next}"),
            move || prefill(service, first, next),
        ));
    }
    cases
}

async fn run(service: Service, first: &'static str, next: &'static str, scenario: Scenario) -> crate::case::Score {
    let mut fixture = Fixture::new(service, first, next, (scenario.settings)()).await;
    fixture.pinned = scenario.pinned.then_some(first);
    fixture
        .harness
        .sandbox
        .add_fault(scenario.fault.provider(sandbox_provider(first)).service(sandbox_service(service)));
    let failed = |kinds: &[FailureKind], by: Option<&'static str>| {
        let mut expected: Vec<(&str, Option<FailureKind>)> = kinds.iter().map(|kind| (first, Some(*kind))).collect();
        expected.extend(by.map(|by| (by, None)));
        expected
    };
    let (got, expected) = match scenario.outcome {
        Outcome::First(kinds) => (Expected::Text(answer(first)), failed(kinds, Some(first))),
        Outcome::Next(kinds) => (Expected::Text(answer(next)), failed(kinds, Some(next))),
        Outcome::Continued(kinds, words) => {
            let said: String = answer(first).split_inclusive(' ').take(words).collect();
            // The next provider gives the rest as it is: nothing is put between the two.
            (Expected::Text(format!("{said}{}", continuation(next))), failed(kinds, Some(next)))
        }
        Outcome::Error(code, kinds) => (Expected::Error(code), failed(kinds, None)),
    };
    let score = fixture.expect(&got, &expected).await;
    if scenario.name.starts_with("reasoning used up") {
        raise_max_tokens(&fixture, service).await;
    }
    score
}

/// Checks that the second call allows four times the tokens of the first.
async fn raise_max_tokens(fixture: &Fixture, service: Service) {
    let requests = fixture.harness.sandbox.requests().await;
    let limit = |body: &Value| {
        let fields =
            [&body["max_completion_tokens"], &body["max_tokens"], &body["generationConfig"]["maxOutputTokens"]];
        fields.into_iter().find_map(Value::as_u64)
    };
    let limits: Vec<u64> = requests
        .iter()
        .filter(|request| request.service == sandbox_service(service))
        .filter_map(|request| limit(request.json.as_ref()?))
        .collect();
    assert_eq!(limits.len(), 2, "{limits:?}");
    assert_eq!(limits[1], limits[0] * 4, "{limits:?}");
}

/// The next provider rejects a conversation that ends with an assistant message.
async fn prefill(service: Service, first: &'static str, next: &'static str) -> crate::case::Score {
    let fixture = Fixture::new(service, first, next, long_timeouts()).await;
    let sandbox = &fixture.harness.sandbox;
    let cut = Fault::new(FaultKind::CutAfter { chunks: 5, reset: true });
    sandbox.add_fault(cut.provider(sandbox_provider(first)).service(sandbox_service(service)));
    sandbox.add_fault(Fault::new(FaultKind::RefusePrefill).provider(sandbox_provider(next)));
    let said: String = answer(first).split_inclusive(' ').take(5).collect();
    let got = Expected::Text(format!("{said}{}", continuation(next)));
    fixture.expect(&got, &[(first, Some(Interrupted)), (next, None)]).await
}
