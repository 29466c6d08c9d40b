//! Speech in and speech out: the same faults where they apply, and those of sound.

use aura_core::error::Code;
use aura_core::providers::Class::{self, *};
use aura_core::providers::Service;
use aura_sandbox::{ErrorBody, Fault, FaultKind, FilterForm};
use serde_json::Value;

use crate::row::{Row, Score};
use crate::wall::{Got, OWN, Wall, answer, hurried, patient, sandboxed, there, understood};

const PAIRS: [(&str, &str); 3] = [("groq", "gemini"), ("gemini", "groq"), (OWN, "groq")];

struct Case {
    name: &'static str,
    fault: Fault,
    settings: fn() -> Value,
    alone: bool,
    /// How the first one fails.
    fails: &'static [Class],
    then: Then,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    First,
    Next,
    Error(Code),
}

fn both() -> Vec<Case> {
    let case = |name, fault, fails, then| Case { name, fault, settings: patient, alone: false, fails, then };
    let alone = |case: Case| Case { alone: true, ..case };
    let hurried = |case: Case| Case { settings: hurried, ..case };
    let limited = |seconds: &str| Fault::status(429).header("retry-after", seconds);
    let failed = Then::Error(Code::AllRoutesFailed);
    vec![
        case("429 with Retry-After", limited("30"), &[RateLimited], Then::Next),
        alone(case("429 with Retry-After, alone: waited out", limited("1").times(1), &[RateLimited], Then::First)),
        alone(case("429 that stays, alone", limited("1"), &[RateLimited, RateLimited], failed)),
        case("500 once", Fault::status(500).times(1), &[Overloaded], Then::Next),
        alone(case("500 once, alone: asked again", Fault::status(500).times(1), &[Overloaded], Then::First)),
        case("503 that stays", Fault::status(503), &[Overloaded], Then::Next),
        alone(case("503 that stays, alone", Fault::status(503), &[Overloaded, Overloaded, Overloaded], failed)),
        case("a web page in place of the answer", Fault::status(200).body(ErrorBody::Html), &[Unreachable], Then::Next),
        case("key refused", Fault::new(FaultKind::RefuseAuth), &[Auth], Then::Next),
        case("TCP reset", Fault::new(FaultKind::Reset), &[Unreachable], Then::Next),
        hurried(case("no response", Fault::new(FaultKind::Silent), &[Timeout], Then::Next)),
        hurried(case("headers after 20 s", Fault::new(FaultKind::DelayHeaders { ms: 20_000 }), &[Timeout], Then::Next)),
        case("body larger than allowed", Fault::new(FaultKind::BodyTooLarge), &[Unsupported], Then::Next),
    ]
}

fn stt(first: &str) -> Vec<Case> {
    let case =
        |name, kind, fails, then| Case { name, fault: Fault::new(kind), settings: patient, alone: false, fails, then };
    let wrong = FaultKind::WrongContentType { content_type: "text/html".into() };
    let mut cases = vec![
        case("reply cut", FaultKind::CutAfter { chunks: 1, reset: true }, &[Unreachable], Then::Next),
        case("reply malformed", FaultKind::MalformedChunk { after: 0 }, &[Unreachable], Then::Next),
        Case {
            settings: hurried,
            ..case("reply stalled", FaultKind::StallAfter { chunks: 1 }, &[Timeout], Then::Next)
        },
        case("wrong content type", wrong, &[], Then::First),
        Case {
            fault: Fault::new(FaultKind::EmptyTranscript).times(1),
            ..case("empty transcript of a voice, once", FaultKind::EmptyTranscript, &[Empty], Then::First)
        },
        case("empty transcript of a voice that stays", FaultKind::EmptyTranscript, &[Empty, Empty], Then::Next),
    ];
    // The others have no way to say so.
    if first == "gemini" {
        let blocked = FaultKind::ContentFilter { form: FilterForm::Prompt };
        cases.push(case("recording blocked", blocked, &[Blocked], Then::Error(Code::Blocked)));
    }
    cases
}

fn tts(first: &str) -> Vec<Case> {
    let case =
        |name, kind, fails, then| Case { name, fault: Fault::new(kind), settings: patient, alone: false, fails, then };
    let wrong = FaultKind::WrongContentType { content_type: "text/html".into() };
    let mut cases = vec![
        Case {
            settings: hurried,
            ..case("first sound after 20 s", FaultKind::DelayContent { ms: 20_000 }, &[Timeout], Then::Next)
        },
        case("speech cut", FaultKind::CutAfter { chunks: 2, reset: true }, &[Interrupted], Then::Next),
        Case {
            settings: hurried,
            ..case("speech stalled", FaultKind::StallAfter { chunks: 2 }, &[Interrupted], Then::Next)
        },
        case("wrong content type", wrong, &[], Then::First),
        Case {
            fault: Fault::new(FaultKind::ZeroAudio).times(1),
            ..case("sound of zero bytes, once", FaultKind::ZeroAudio, &[Empty], Then::First)
        },
        case("sound of zero bytes that stays", FaultKind::ZeroAudio, &[Empty, Empty], Then::Next),
        case("success without sound", FaultKind::EmptyAnswer { finish: None }, &[Empty, Empty], Then::Next),
    ];
    // Bare samples say nothing of their length.
    if first != "gemini" {
        cases.push(case("sound shorter than promised", FaultKind::TruncatedAudio, &[Interrupted], Then::Next));
    } else {
        cases.push(case("malformed event", FaultKind::MalformedChunk { after: 1 }, &[], Then::First));
    }
    cases
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (first, next) in PAIRS {
        for (service, cases) in [
            (Service::Stt, [both(), stt(first)].into_iter().flatten()),
            (Service::Tts, [both(), tts(first)].into_iter().flatten()),
        ] {
            for case in cases {
                let title = format!("{}, {first} then {next}", case.name);
                rows.push(Row::new(service.as_str(), title, move || run(service, first, next, case)));
            }
        }
    }
    rows
}

async fn run(service: Service, first: &'static str, next: &'static str, case: Case) -> Score {
    let mut wall = Wall::new(service, first, next, (case.settings)()).await;
    wall.only = case.alone.then_some(first);
    wall.house.sandbox.add_fault(case.fault.provider(sandboxed(first)).service(there(service)));
    // The words come from whoever answers questions first, unharmed.
    let said = |by: &str| if service == Service::Stt { understood(by) } else { answer("groq") };
    let mut expected: Vec<(&str, Option<Class>)> = case.fails.iter().map(|class| (first, Some(*class))).collect();
    let got = match case.then {
        Then::First => Got::Text(said(first)),
        Then::Next => Got::Text(said(next)),
        Then::Error(_) if service == Service::Tts => Got::Silence(answer("groq")),
        Then::Error(code) => Got::Error(code),
    };
    expected.extend(match case.then {
        Then::First => Some((first, None)),
        Then::Next => Some((next, None)),
        Then::Error(_) => None,
    });
    wall.expect(&got, &expected).await
}
