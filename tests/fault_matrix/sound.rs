//! Transcription and speech: the faults that they share with text, and those of audio.

use aura_core::error::ErrorCode;
use aura_providers::FailureKind::{self, *};
use aura_providers::Service;
use aura_sandbox::{ErrorBody, Fault, FaultKind, FilterForm};
use serde_json::Value;

use crate::case::{Case, Score};
use crate::fixture::{
    CUSTOM, Expected, Fixture, answer, long_timeouts, sandbox_provider, sandbox_service, short_timeouts, transcript,
};

const PAIRS: [(&str, &str); 3] = [("groq", "gemini"), ("gemini", "groq"), (CUSTOM, "groq")];

/// A fault of the first provider and its expected outcome.
struct Scenario {
    name: &'static str,
    fault: Fault,
    settings: fn() -> Value,
    /// Whether the question names the provider, so that no other is called.
    pinned: bool,
    /// How the attempts at the first provider fail.
    fails: &'static [FailureKind],
    outcome: Outcome,
}

/// How the question ends.
#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    /// The first provider answers.
    First,
    /// The next provider answers.
    Next,
    /// No provider answers.
    Error(ErrorCode),
}

fn scenario(name: &'static str, kind: FaultKind, fails: &'static [FailureKind], outcome: Outcome) -> Scenario {
    with_fault(name, Fault::new(kind), fails, outcome)
}

fn with_fault(name: &'static str, fault: Fault, fails: &'static [FailureKind], outcome: Outcome) -> Scenario {
    Scenario { name, fault, settings: long_timeouts, pinned: false, fails, outcome }
}

/// Faults of transcription and of speech.
fn shared() -> Vec<Scenario> {
    let pinned = |scenario: Scenario| Scenario { pinned: true, ..scenario };
    let short_timeouts = |scenario: Scenario| Scenario { settings: short_timeouts, ..scenario };
    let limited = |seconds: &str| Fault::status(429).header("retry-after", seconds);
    let failed = Outcome::Error(ErrorCode::AllRoutesFailed);
    vec![
        with_fault("429 with Retry-After", limited("30"), &[RateLimited], Outcome::Next),
        pinned(with_fault(
            "429 with Retry-After, pinned: retried after the wait",
            limited("1").times(1),
            &[RateLimited],
            Outcome::First,
        )),
        pinned(with_fault("persistent 429, pinned", limited("1"), &[RateLimited, RateLimited], failed)),
        with_fault("500 once", Fault::status(500).times(1), &[Overloaded], Outcome::Next),
        pinned(with_fault("500 once, pinned: retried", Fault::status(500).times(1), &[Overloaded], Outcome::First)),
        with_fault("persistent 503", Fault::status(503), &[Overloaded], Outcome::Next),
        pinned(with_fault("persistent 503, pinned", Fault::status(503), &[Overloaded, Overloaded, Overloaded], failed)),
        with_fault(
            "HTML page instead of a reply",
            Fault::status(200).body(ErrorBody::Html),
            &[Unreachable],
            Outcome::Next,
        ),
        with_fault("API key rejected", Fault::new(FaultKind::RefuseAuth), &[KeyRejected], Outcome::Next),
        with_fault("TCP reset", Fault::new(FaultKind::Reset), &[Unreachable], Outcome::Next),
        short_timeouts(with_fault("no response", Fault::new(FaultKind::Silent), &[Timeout], Outcome::Next)),
        short_timeouts(with_fault(
            "headers after 20 s",
            Fault::new(FaultKind::DelayHeaders { ms: 20_000 }),
            &[Timeout],
            Outcome::Next,
        )),
        with_fault("body larger than allowed", Fault::new(FaultKind::BodyTooLarge), &[Unsupported], Outcome::Next),
    ]
}

fn stt(first: &str) -> Vec<Scenario> {
    let wrong = FaultKind::WrongContentType { content_type: "text/html".into() };
    let mut scenarios = vec![
        scenario("reply cut", FaultKind::CutAfter { chunks: 1, reset: true }, &[Unreachable], Outcome::Next),
        scenario("reply malformed", FaultKind::MalformedChunk { after: 0 }, &[Unreachable], Outcome::Next),
        Scenario {
            settings: short_timeouts,
            ..scenario("reply stalled", FaultKind::StallAfter { chunks: 1 }, &[Timeout], Outcome::Next)
        },
        scenario("wrong content type", wrong, &[], Outcome::First),
        Scenario {
            fault: Fault::new(FaultKind::EmptyTranscript).times(1),
            ..scenario("empty transcript of speech, once", FaultKind::EmptyTranscript, &[Empty], Outcome::First)
        },
        scenario("persistent empty transcript of speech", FaultKind::EmptyTranscript, &[Empty, Empty], Outcome::Next),
    ];
    // Other providers have no reply that reports a block.
    if first == "gemini" {
        let blocked = FaultKind::ContentFilter { form: FilterForm::Prompt };
        scenarios.push(scenario("recording blocked", blocked, &[Blocked], Outcome::Error(ErrorCode::Blocked)));
    }
    scenarios
}

fn tts(first: &str) -> Vec<Scenario> {
    let wrong = FaultKind::WrongContentType { content_type: "text/html".into() };
    let mut scenarios = vec![
        Scenario {
            settings: short_timeouts,
            ..scenario("first audio after 20 s", FaultKind::DelayContent { ms: 20_000 }, &[Timeout], Outcome::Next)
        },
        scenario("speech cut", FaultKind::CutAfter { chunks: 2, reset: true }, &[Interrupted], Outcome::Next),
        Scenario {
            settings: short_timeouts,
            ..scenario("speech stalled", FaultKind::StallAfter { chunks: 2 }, &[Interrupted], Outcome::Next)
        },
        scenario("wrong content type", wrong, &[], Outcome::First),
        Scenario {
            fault: Fault::new(FaultKind::ZeroAudio).times(1),
            ..scenario("audio of zero bytes, once", FaultKind::ZeroAudio, &[Empty], Outcome::First)
        },
        scenario("persistent audio of zero bytes", FaultKind::ZeroAudio, &[Empty, Empty], Outcome::Next),
        scenario("success without audio", FaultKind::EmptyAnswer { finish: None }, &[Empty, Empty], Outcome::Next),
    ];
    // Raw samples do not state their length.
    if first != "gemini" {
        scenarios.push(scenario(
            "audio shorter than announced",
            FaultKind::TruncatedAudio,
            &[Interrupted],
            Outcome::Next,
        ));
    } else {
        scenarios.push(scenario("malformed event", FaultKind::MalformedChunk { after: 1 }, &[], Outcome::First));
    }
    scenarios
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (first, next) in PAIRS {
        for (service, scenarios) in [
            (Service::Stt, [shared(), stt(first)].into_iter().flatten()),
            (Service::Tts, [shared(), tts(first)].into_iter().flatten()),
        ] {
            for scenario in scenarios {
                let title = format!("{}, {first} then {next}", scenario.name);
                cases.push(Case::new(service.as_str(), title, move || run(service, first, next, scenario)));
            }
        }
    }
    cases
}

async fn run(service: Service, first: &'static str, next: &'static str, scenario: Scenario) -> Score {
    let mut fixture = Fixture::new(service, first, next, (scenario.settings)()).await;
    fixture.pinned = scenario.pinned.then_some(first);
    fixture
        .harness
        .sandbox
        .add_fault(scenario.fault.provider(sandbox_provider(first)).service(sandbox_service(service)));
    // For speech, the text comes from the first chat provider, which has no fault.
    let said = |by: &str| if service == Service::Stt { transcript(by) } else { answer("groq") };
    let mut expected: Vec<(&str, Option<FailureKind>)> =
        scenario.fails.iter().map(|kind| (first, Some(*kind))).collect();
    let got = match scenario.outcome {
        Outcome::First => Expected::Text(said(first)),
        Outcome::Next => Expected::Text(said(next)),
        Outcome::Error(_) if service == Service::Tts => Expected::NotSpoken(answer("groq")),
        Outcome::Error(code) => Expected::Error(code),
    };
    expected.extend(match scenario.outcome {
        Outcome::First => Some((first, None)),
        Outcome::Next => Some((next, None)),
        Outcome::Error(_) => None,
    });
    fixture.expect(&got, &expected).await
}
