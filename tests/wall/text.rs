//! Text, and text about a picture: the sixteen faults of the public suite and those that it does not have.

use aura_core::error::Code;
use aura_core::providers::Class::{self, *};
use aura_core::providers::Service;
use aura_sandbox::{ErrorBody, Fault, FaultKind, FilterForm, StreamErrorForm};
use serde_json::{Value, json};

use crate::row::Row;
use crate::wall::{Got, OWN, Wall, answer, hurried, patient, rest, sandboxed, there};

/// Who is asked first and who then.
const PAIRS: [(Service, &str, &str); 5] = [
    (Service::Llm, "groq", "gemini"),
    (Service::Llm, "gemini", "groq"),
    (Service::Llm, OWN, "groq"),
    (Service::Vlm, "groq", "gemini"),
    (Service::Vlm, "gemini", OWN),
];

/// What one question must come to.
struct Case {
    name: &'static str,
    /// What goes wrong at the provider that is asked first.
    fault: Fault,
    settings: fn() -> Value,
    /// Whether the question names the provider, so that nobody else may answer.
    alone: bool,
    outcome: Outcome,
}

enum Outcome {
    /// The first one answers, after these failures of its own.
    First(&'static [Class]),
    /// The next one answers, after these failures of the first one.
    Next(&'static [Class]),
    /// The next one goes on after so many words of the first one.
    Continued(&'static [Class], usize),
    /// Nobody answers.
    Error(Code, &'static [Class]),
}

fn case(name: &'static str, kind: FaultKind, outcome: Outcome) -> Case {
    Case { name, fault: Fault::new(kind), settings: patient, alone: false, outcome }
}

fn status(name: &'static str, fault: Fault, outcome: Outcome) -> Case {
    Case { name, fault, settings: patient, alone: false, outcome }
}

impl Case {
    fn hurried(mut self) -> Self {
        self.settings = hurried;
        self
    }

    fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    fn times(mut self, count: u32) -> Self {
        self.fault = self.fault.times(count);
        self
    }

    fn past_blocks(mut self) -> Self {
        self.settings = || {
            let mut settings = patient();
            settings["fallback_when_blocked"] = json!(true);
            settings
        };
        self
    }
}

fn cases() -> Vec<Case> {
    use Outcome::{Continued, Error, First, Next};
    let length = || FaultKind::EmptyAnswer { finish: Some("length".into()) };
    vec![
        status("429 with Retry-After", Fault::status(429).header("retry-after", "30"), Next(&[RateLimited])),
        status(
            "429 with Retry-After, alone: waited out",
            Fault::status(429).header("retry-after", "1"),
            First(&[RateLimited]),
        )
        .times(1)
        .alone(),
        status(
            "429 that stays, alone",
            Fault::status(429).header("retry-after", "1"),
            Error(Code::AllRoutesFailed, &[RateLimited, RateLimited]),
        )
        .alone(),
        status("429 of the day", Fault::status(429).body(ErrorBody::Variant("day".into())), Next(&[])),
        status("500 once", Fault::status(500), Next(&[Overloaded])).times(1),
        status("500 once, alone: asked again", Fault::status(500), First(&[Overloaded])).times(1).alone(),
        status("503 that stays", Fault::status(503), Next(&[Overloaded])),
        status(
            "503 that stays, alone",
            Fault::status(503),
            Error(Code::AllRoutesFailed, &[Overloaded, Overloaded, Overloaded]),
        )
        .alone(),
        status("a web page in place of the answer", Fault::status(200).body(ErrorBody::Html), Next(&[Unreachable])),
        case("key refused", FaultKind::RefuseAuth, Next(&[Auth])),
        case("TCP reset", FaultKind::Reset, Next(&[Unreachable])),
        case("no response", FaultKind::Silent, Next(&[Timeout])).hurried(),
        case("first content after 20 s", FaultKind::DelayContent { ms: 20_000 }, Next(&[Timeout])).hurried(),
        case("stream cut by a reset", FaultKind::CutAfter { chunks: 5, reset: true }, Continued(&[Interrupted], 5)),
        case("stream closed too early", FaultKind::CutAfter { chunks: 5, reset: false }, Continued(&[Interrupted], 5)),
        case("stream stalled", FaultKind::StallAfter { chunks: 5 }, Continued(&[Interrupted], 5)).hurried(),
        case(
            "error in the middle of the stream",
            FaultKind::StreamError { form: StreamErrorForm::Data, after: 5 },
            Continued(&[Interrupted], 5),
        ),
        case(
            "error in place of the first words",
            FaultKind::StreamError { form: StreamErrorForm::Data, after: 0 },
            Next(&[Overloaded]),
        ),
        case("malformed chunk", FaultKind::MalformedChunk { after: 3 }, First(&[])),
        case("no [DONE]", FaultKind::NoDone, First(&[])),
        case("no reason for the end", FaultKind::NoFinish, Continued(&[Interrupted], 10)),
        case("wrong content type", FaultKind::WrongContentType { content_type: "text/html".into() }, First(&[])),
        case("empty answer once", FaultKind::EmptyAnswer { finish: None }, First(&[Empty])).times(1),
        case("empty answer that stays", FaultKind::EmptyAnswer { finish: None }, Next(&[Empty, Empty])),
        case("context too long", FaultKind::ContextTooLong, Next(&[Unsupported])),
        case("body larger than allowed", FaultKind::BodyTooLarge, Next(&[Unsupported])),
        case(
            "question blocked",
            FaultKind::ContentFilter { form: FilterForm::Prompt },
            Error(Code::Blocked, &[Blocked]),
        ),
        case(
            "question blocked, others may answer",
            FaultKind::ContentFilter { form: FilterForm::Prompt },
            Next(&[Blocked]),
        )
        .past_blocks(),
        case("answer blocked", FaultKind::ContentFilter { form: FilterForm::Answer }, Error(Code::Blocked, &[Blocked])),
        case(
            "answer blocked, others may go on",
            FaultKind::ContentFilter { form: FilterForm::Answer },
            Continued(&[Blocked], 1),
        )
        .past_blocks(),
        case("thinking ate the answer, once", length(), First(&[Empty])).times(1),
    ]
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (service, first, next) in PAIRS {
        for mut case in cases() {
            // Only where the provider has a way to say so.
            if case.name.starts_with("429 of the day") {
                let variant = if first == OWN { "quota" } else { "day" };
                case.fault = Fault::status(429).body(ErrorBody::Variant(variant.into()));
                case.outcome = Outcome::Next(&[Quota]);
            }
            if case.name.starts_with("thinking ate") && first == "gemini" {
                case.fault = Fault::new(FaultKind::EmptyAnswer { finish: Some("MAX_TOKENS".into()) }).times(1);
            }
            rows.push(Row::new(service.as_str(), format!("{}, {first} then {next}", case.name), move || {
                run(service, first, next, case)
            }));
        }
        rows.push(Row::new(
            service.as_str(),
            format!("a fallback that refuses a prefill, {first} then {next}"),
            move || prefill(service, first, next),
        ));
    }
    rows
}

async fn run(service: Service, first: &'static str, next: &'static str, case: Case) -> crate::row::Score {
    let mut wall = Wall::new(service, first, next, (case.settings)()).await;
    wall.only = case.alone.then_some(first);
    wall.house.sandbox.add_fault(case.fault.provider(sandboxed(first)).service(there(service)));
    let failed = |classes: &[Class], by: Option<&'static str>| {
        let mut expected: Vec<(&str, Option<Class>)> = classes.iter().map(|class| (first, Some(*class))).collect();
        expected.extend(by.map(|by| (by, None)));
        expected
    };
    let (got, expected) = match case.outcome {
        Outcome::First(classes) => (Got::Text(answer(first)), failed(classes, Some(first))),
        Outcome::Next(classes) => (Got::Text(answer(next)), failed(classes, Some(next))),
        Outcome::Continued(classes, words) => {
            let said: String = answer(first).split_inclusive(' ').take(words).collect();
            let space = if said.ends_with(' ') { "" } else { " " };
            (Got::Text(format!("{said}{space}{}", rest(next))), failed(classes, Some(next)))
        }
        Outcome::Error(code, classes) => (Got::Error(code), failed(classes, None)),
    };
    let score = wall.expect(&got, &expected).await;
    if case.name.starts_with("thinking ate") {
        more_room(&wall, service).await;
    }
    score
}

/// The second call allows four times the tokens of the first.
async fn more_room(wall: &Wall, service: Service) {
    let requests = wall.house.sandbox.requests().await;
    let limit = |body: &Value| {
        let fields =
            [&body["max_completion_tokens"], &body["max_tokens"], &body["generationConfig"]["maxOutputTokens"]];
        fields.into_iter().find_map(Value::as_u64)
    };
    let limits: Vec<u64> = requests
        .iter()
        .filter(|request| request.service == there(service))
        .filter_map(|request| limit(request.json.as_ref()?))
        .collect();
    assert_eq!(limits.len(), 2, "{limits:?}");
    assert_eq!(limits[1], limits[0] * 4, "{limits:?}");
}

/// The one that is to go on refuses a conversation that ends with the assistant's words.
async fn prefill(service: Service, first: &'static str, next: &'static str) -> crate::row::Score {
    let wall = Wall::new(service, first, next, patient()).await;
    let sandbox = &wall.house.sandbox;
    let cut = Fault::new(FaultKind::CutAfter { chunks: 5, reset: true });
    sandbox.add_fault(cut.provider(sandboxed(first)).service(there(service)));
    sandbox.add_fault(Fault::new(FaultKind::RefusePrefill).provider(sandboxed(next)));
    let said: String = answer(first).split_inclusive(' ').take(5).collect();
    let got = Got::Text(format!("{said}{}", rest(next)));
    wall.expect(&got, &[(first, Some(Interrupted)), (next, None)]).await
}
