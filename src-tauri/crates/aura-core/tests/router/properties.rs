//! Random settings, random faults: what must hold of every request.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aura_core::api::{self, ChangeSettings, SaveKey, Wishes};
use aura_core::config::Environment;
use aura_core::error::{Code, Error};
use aura_core::health::{Circuit, ProviderHealth};
use aura_core::ports::Speaker;
use aura_core::providers::{AnswerFormat, ChatRequest, Class, Message, Role, Service, SttRequest, Tool};
use aura_core::record::{Attempt, Notice};
use aura_core::router::policy::BUDGET;
use aura_core::{Assistant, Setup};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, timeout};

use crate::machine::{FakeSpeaker, Machine};
use crate::scripted::{Asked, End, Made, Play, Stage, Step, Told};

/// Everyone who may be asked; the last one needs no consent.
const PROVIDERS: [&str; 5] = ["groq", "gemini", "alpha", "beta", "offline"];
/// How long a whole request may take here.
const WHOLE: Duration = Duration::from_secs(40);
/// Longer than any pause that is made.
const FORGOTTEN: Duration = Duration::from_secs(3_700);

/// One request and the world it meets.
#[derive(Debug, Clone)]
struct Case {
    service: Service,
    /// Audio, screen, text, for each provider.
    consent: Vec<(bool, bool, bool)>,
    first: Option<usize>,
    wish: Option<usize>,
    then: Option<Vec<usize>>,
    fallback: bool,
    past_blocks: bool,
    hedge: bool,
    voiced: bool,
    /// Whether the question offers a tool that it can do without.
    tools: bool,
    json: bool,
    /// When the person gives up.
    stopped_after: Option<u64>,
    plays: Vec<Vec<Play>>,
    /// What was asked of them before, so that some are left alone or known to be slow.
    before: Vec<Class>,
}

const CLASSES: [Class; 12] = [
    Class::Auth,
    Class::RateLimited,
    Class::Quota,
    Class::ModelGone,
    Class::Overloaded,
    Class::Unreachable,
    Class::Timeout,
    Class::Interrupted,
    Class::Empty,
    Class::Unsupported,
    Class::Blocked,
    Class::InvalidRequest,
];

fn class() -> impl Strategy<Value = Class> {
    prop::sample::select(CLASSES.to_vec())
}

fn play() -> impl Strategy<Value = Play> {
    let fails = (class(), prop::option::of(0_u64..20_000))
        .prop_map(|(class, pause)| End::Fails(class, pause.map(Duration::from_millis)));
    let end = prop_oneof![3 => Just(End::Well), 1 => Just(End::Full), 5 => fails, 1 => Just(End::Breaks), 1 => Just(End::Never)];
    let wait = prop_oneof![4 => 0_u64..2_000, 1 => 0_u64..30_000];
    let pause = prop_oneof![4 => 0_u64..500, 1 => 0_u64..12_000];
    let calls = prop::option::weighted(0.1, Just("{}"));
    (wait, 0_usize..4, pause, end, calls).prop_map(|(wait, pieces, pause, end, calls)| Play {
        wait: Duration::from_millis(wait),
        pieces,
        pause: Duration::from_millis(pause),
        end,
        says: None,
        calls,
    })
}

fn case() -> impl Strategy<Value = Case> {
    let who = 0..PROVIDERS.len();
    let settings = (
        prop::sample::select(Service::ALL.to_vec()),
        prop::collection::vec(
            prop::sample::select(vec![
                (true, true, true),
                (false, true, true),
                (true, false, true),
                (true, true, false),
            ]),
            4,
        ),
        prop::option::weighted(0.5, who.clone()),
        prop::option::weighted(0.2, who.clone()),
        prop::option::of(prop::collection::vec(who, 0..5)),
        prop::bool::weighted(0.8),
    );
    let stopped = prop::option::weighted(0.15, 0_u64..10_000);
    let behaviour = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), stopped);
    let plays = prop::collection::vec(prop::collection::vec(play(), 0..5), PROVIDERS.len());
    let before = prop::collection::vec(class(), 0..3);
    (settings, behaviour, plays, before).prop_map(|(settings, behaviour, plays, before)| {
        let (service, consent, first, wish, then, fallback) = settings;
        let (past_blocks, hedge, voiced, tools, json, stopped_after) = behaviour;
        Case {
            service,
            consent,
            first,
            wish,
            then,
            fallback,
            past_blocks,
            hedge,
            voiced,
            tools,
            json,
            stopped_after,
            plays,
            before,
        }
    })
}

impl Case {
    fn settings(&self) -> Value {
        let consent = |number: usize| {
            let (audio, screen, text) = self.consent[number];
            json!({"audio": audio, "screen": screen, "text": text})
        };
        let own =
            |number| json!({"preset": "openai", "base_url": "http://127.0.0.1:9/", "may_receive": consent(number)});
        let name = |number: usize| PROVIDERS[number];
        json!({
            "routes": {self.service.as_str(): {
                "provider": self.first.map(name),
                "then": self.then.as_ref().map(|then| then.iter().map(|number| name(*number)).collect::<Vec<_>>()),
            }},
            "providers": {
                "groq": {"may_receive": consent(0)},
                "gemini": {"may_receive": consent(1)},
                "alpha": own(2),
                "beta": own(3),
            },
            "fallback": self.fallback,
            "fallback_when_blocked": self.past_blocks,
            "hedge": self.hedge,
            "clocks": {
                "first_content_ms": 8_000,
                "transcript_ms": 8_000,
                "local_first_content_ms": 8_000,
                "between_ms": 5_000,
                "whole_ms": WHOLE.as_millis() as u64,
            },
        })
    }

    fn is_chat(&self) -> bool {
        matches!(self.service, Service::Llm | Service::Vlm)
    }

    fn question(&self) -> ChatRequest {
        let tool = Tool { name: "tool".into(), description: None, parameters: None, strict: None };
        ChatRequest {
            messages: vec![Message::new(Role::User, "What time is it?")],
            tools: if self.tools { vec![tool] } else { Vec::new() },
            tools_optional: true,
            format: if self.json { AnswerFormat::Json } else { AnswerFormat::Text },
            ..ChatRequest::default()
        }
    }

    fn allows(&self, provider: &str) -> bool {
        let Some(number) = PROVIDERS[..4].iter().position(|name| *name == provider) else { return true };
        let (audio, screen, text) = self.consent[number];
        match self.service {
            Service::Stt => audio,
            Service::Llm | Service::Tts => text,
            Service::Vlm => screen && text,
        }
    }
}

/// What came of a request.
struct Came {
    /// `None` when the person gave up.
    result: Option<Result<String, Error>>,
    attempts: Vec<Attempt>,
    notices: Vec<Notice>,
    steps: Vec<Step>,
    made: Vec<Made>,
    candidates: Vec<String>,
    /// Who was to be left alone when it began.
    resting: Vec<String>,
    took: Duration,
}

struct World {
    runtime: Runtime,
    assistant: Assistant,
    stage: Stage,
    _data: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let data = tempfile::tempdir().unwrap();
        let nobody = "http://127.0.0.1:9/";
        let environment: Environment = [("GROQ_BASE_URL", nobody), ("GEMINI_BASE_URL", nobody)]
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()))
            .collect();
        let setup = Setup { data: data.path().to_owned(), environment, ..Setup::default() };
        let assistant = runtime.block_on(async {
            let assistant = Assistant::start(Machine::default().ports(), setup).await.unwrap();
            let own = json!({"preset": "openai", "base_url": nobody});
            let changes = json!({"providers": {"alpha": own, "beta": own}});
            api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
            // Saved and not loaded: what goes on beside requests would have its turn in every hour that is slept over.
            for provider in &PROVIDERS[..4] {
                let key = SaveKey { provider: (*provider).into(), key: "a-key".into(), session_only: true };
                api::save_key(&assistant, key).await.unwrap();
            }
            assistant
        });
        Self { runtime, assistant, stage: Stage::default(), _data: data }
    }

    fn run(&self, case: &Case) -> Option<Came> {
        self.runtime.block_on(async {
            // Old failures are forgotten, refused keys too.
            sleep(FORGOTTEN).await;
            let changes = case.settings();
            api::change_settings(&self.assistant, ChangeSettings { changes }).await.unwrap();
            self.stage.clear();
            for class in &case.before {
                for provider in PROVIDERS {
                    self.stage.set(provider, [Play::fails(*class)]);
                }
                self.ask(case, None).await?;
            }
            self.stage.clear();
            for (provider, plays) in PROVIDERS.iter().zip(&case.plays) {
                self.stage.set(provider, plays.clone());
            }
            self.ask(case, case.stopped_after).await
        })
    }

    /// `None` when there is no route at all.
    async fn ask(&self, case: &Case, stopped_after: Option<u64>) -> Option<Came> {
        let wish = case.wish.map(|number| PROVIDERS[number].to_owned());
        let mut wishes = Wishes::default();
        match case.service {
            Service::Stt => wishes.stt = wish,
            Service::Llm => wishes.llm = wish,
            Service::Vlm => wishes.vlm = wish,
            Service::Tts => wishes.tts = wish,
        }
        let router = self.assistant.router();
        let plan = self.stage.play(router.plan(case.service, &wishes).ok()?);
        let candidates = plan.candidates.iter().map(|candidate| candidate.route.provider.clone()).collect();
        let rests = |provider: &ProviderHealth| {
            provider.services.iter().any(|of| of.service == case.service && of.circuit == Circuit::Open)
        };
        let health = router.health().providers;
        let resting = health.iter().filter(|provider| rests(provider)).map(|provider| provider.name.clone()).collect();
        let told = Told::default();
        let began = Instant::now();
        let mut got = String::new();
        let request = async {
            match case.service {
                Service::Stt => {
                    let wav = vec![0; 4_000].into();
                    let request = SttRequest { wav, duration: Duration::from_secs(1), ..SttRequest::default() };
                    router.transcribe(&plan, &request, case.voiced, &told).await.map(|answered| answered.value.text)
                }
                Service::Llm | Service::Vlm => {
                    let request = case.question();
                    let answered = router.chat(&plan, &request, &told, &mut |text| got.push_str(text)).await;
                    answered.map(|answered| answered.value.text)
                }
                Service::Tts => {
                    let speaker: Arc<dyn Speaker> = Arc::new(FakeSpeaker::default());
                    let text = "One two three four five six seven eight nine ten eleven twelve thirteen.";
                    router.speak(&plan, text, &speaker, &told, &mut |_| {}).await.map(|_| String::new())
                }
            }
        };
        let limit = stopped_after.map_or(WHOLE * 10, Duration::from_millis);
        let result = timeout(limit, request).await.ok();
        assert!(result.is_some() || stopped_after.is_some(), "a request ends");
        if case.is_chat()
            && let Some(Ok(text)) = &result
        {
            assert_eq!(*text, got, "what was told piece by piece is the answer");
        }
        let attempts = told.attempts.into_inner().unwrap();
        let (notices, steps) = (told.notices.into_inner().unwrap(), told.steps.into_inner().unwrap());
        let (made, took) = (self.stage.made(), began.elapsed());
        Some(Came { result, attempts, notices, steps, made, candidates, resting, took })
    }
}

/// Whether the table lets a provider be called once more after it failed so, `tries` times in this request.
fn again(case: &Case, before: (&Attempt, &Made), next: &Made, tries: usize, alone: bool) -> bool {
    let same = before.0.route.model == next.model;
    let tools = |made: &Made| matches!(&made.asked, Asked::Question(question) if !question.tools.is_empty());
    if case.is_chat() && same && tools(before.1) && !tools(next) {
        return matches!(before.0.class, Some(Class::Unsupported | Class::InvalidRequest | Class::Empty));
    }
    match before.0.class {
        Some(Class::ModelGone) => !same && tries == 1,
        Some(Class::Empty) => same && tries == 1,
        Some(Class::RateLimited) => same && alone && tries == 1,
        Some(Class::Overloaded) => same && alone && tries <= 2,
        _ => false,
    }
}

/// Each call to a provider that was called before is one that the table allows.
fn check_repeats(case: &Case, came: &Came) -> Result<(), TestCaseError> {
    for provider in &came.candidates {
        let told = came.attempts.iter().filter(|attempt| attempt.route.provider == *provider);
        let calls: Vec<_> = came.made.iter().enumerate().filter(|(_, call)| call.provider == *provider).collect();
        let told: Vec<_> = told.zip(&calls).collect();
        for (tries, pair) in told.windows(2).enumerate() {
            let [(before, (_, call)), (_, (place, next))] = pair else { continue };
            prop_assert_eq!(&before.route.model, &call.model);
            let called: Vec<_> = came.made[..*place].iter().map(|call| &call.provider).collect();
            // This computer only stands in for a provider, unless it was chosen; who rests is no other route either.
            let stands_in = |name: &String| name == "offline" && came.candidates[0] != "offline";
            let others = came.candidates.iter().filter(|name| !called.contains(name) && !stands_in(name));
            let alone = others.filter(|name| !came.resting.contains(name)).count() == 0;
            let allowed = again(case, (before, call), next, tries + 1, alone);
            prop_assert!(allowed, "{} was called again after {:?}", provider, before.class);
        }
    }
    Ok(())
}

/// Nobody is called again once somebody else was, unless both were called at once; and what stops, stops.
fn check_steps(case: &Case, came: &Came) -> Result<(), TestCaseError> {
    // The calls under way, in the order in which they began, and for each provider whoever was called after it left.
    let mut under_way: Vec<&String> = Vec::new();
    let mut left: Vec<&String> = Vec::new();
    let mut stopped = false;
    let mut questions = came.made.iter();
    let mut asked: HashMap<&String, &Made> = HashMap::new();
    for step in &came.steps {
        match step {
            Step::Calls(provider) => {
                prop_assert!(!stopped, "{} is called after what stops", provider);
                prop_assert!(!left.contains(&provider), "it came back to {}", provider);
                prop_assert!(under_way.is_empty() || (case.hedge && under_way.len() == 1), "{:?}", came.steps);
                let gone = came.made.iter().map(|made| &made.provider).filter(|name| *name != provider);
                let done = gone.filter(|name| asked.contains_key(name) && !under_way.contains(name));
                left.extend(done);
                asked.insert(provider, questions.next().unwrap());
                under_way.push(provider);
            }
            Step::Ended(provider, class) => {
                let place = under_way.iter().position(|name| *name == provider).unwrap();
                // What the second of two is refused does not end the first.
                let only_beside = under_way.len() == 2 && place == 1;
                under_way.remove(place);
                let plain = match &asked[provider].asked {
                    Asked::Question(question) => question.tools.is_empty(),
                    _ => true,
                };
                stopped |= !only_beside
                    && match class {
                        Some(Class::InvalidRequest) => plain,
                        Some(Class::Blocked) => !case.past_blocks,
                        _ => false,
                    };
            }
        }
    }
    prop_assert!(under_way.is_empty(), "every call ends in the books: {:?}", came.steps);
    Ok(())
}

/// Who is left alone is the last resort, and there is only one.
fn check_resting(case: &Case, came: &Came) -> Result<(), TestCaseError> {
    let rested: BTreeSet<&String> =
        came.made.iter().map(|call| &call.provider).filter(|name| came.resting.contains(name)).collect();
    prop_assert!(rested.len() <= 1, "{:?} were to be left alone", rested);
    let Some(name) = rested.first().copied() else { return Ok(()) };
    let at = came.made.iter().position(|call| call.provider == *name).unwrap();
    for other in came.candidates.iter().filter(|other| !came.resting.contains(other)) {
        let after = other == "offline" && case.is_chat() && came.candidates[0] != "offline";
        let before = came.made[..at].iter().any(|call| call.provider == *other);
        prop_assert!(before || after, "{} is called though {} was not", name, other);
    }
    Ok(())
}

/// The person is told who failed and who answered in their place, and nothing of it when nobody failed.
fn check_notices(came: &Came, by: &Attempt) -> Result<(), TestCaseError> {
    let failed = |attempt: &&Attempt| {
        attempt.class.is_some_and(|class| class != Class::Cancelled) && attempt.route.provider != by.route.provider
    };
    let failed: Vec<&Attempt> = came.attempts.iter().filter(failed).collect();
    let told: Vec<&Notice> = came.notices.iter().filter(|notice| notice.kind == "fallback").collect();
    prop_assert_eq!(told.len(), usize::from(!failed.is_empty()), "{:?}", told);
    for attempt in failed.into_iter().chain([by]) {
        // By the name that the person knows.
        let name = match attempt.route.provider.as_str() {
            "groq" => "Groq",
            "gemini" => "Google Gemini",
            "offline" => "This computer",
            own => own,
        };
        prop_assert!(told.iter().all(|notice| notice.message.contains(name)), "{:?}", told);
    }
    Ok(())
}

fn check(case: &Case, came: &Came) -> Result<(), TestCaseError> {
    let Came { result, attempts, made, candidates, took, .. } = came;
    prop_assert!(result.is_none() || !made.is_empty(), "nobody was called");
    prop_assert!(made.len() <= BUDGET, "{} calls", made.len());
    prop_assert_eq!(attempts.len(), made.len(), "each call is told once");
    prop_assert!(*took <= WHOLE + Duration::from_millis(10), "it took {:?}", took);
    for call in made {
        prop_assert!(case.allows(&call.provider), "{} may not receive this", call.provider);
        prop_assert!(candidates.contains(&call.provider), "{} is not in the plan", call.provider);
        if let Asked::Question(question) = &call.asked {
            prop_assert!(!case.json || question.messages.len() == 1, "JSON is not continued");
        }
    }
    let named = case.wish.is_some() || (case.first.is_some() && !case.fallback);
    if named {
        let wanted = PROVIDERS[case.wish.or(case.first).unwrap()];
        prop_assert!(made.iter().all(|call| call.provider == wanted), "only {} was to be asked", wanted);
    }
    check_repeats(case, came)?;
    check_steps(case, came)?;
    check_resting(case, came)?;
    match result {
        None => prop_assert!(attempts.iter().all(|attempt| attempt.class.is_some()), "nothing answered"),
        Some(Ok(text)) => {
            let good: Vec<&Attempt> = attempts.iter().filter(|attempt| attempt.class.is_none()).collect();
            let all_empty = attempts.iter().all(|attempt| attempt.class == Some(Class::Empty));
            if case.service == Service::Stt && all_empty {
                prop_assert_eq!(text, "");
            } else {
                prop_assert_eq!(good.len(), 1);
                let by = made.iter().rev().find(|call| call.provider == good[0].route.provider).unwrap();
                // Speech may be so long that only its very end is missing.
                let complete = matches!(by.play.end, End::Well | End::Full) || case.service == Service::Tts;
                prop_assert!(complete, "{:?} is no answer", by.play);
                check_notices(came, good[0])?;
            }
        }
        Some(Err(error)) => {
            prop_assert!(attempts.iter().all(|attempt| attempt.class.is_some()));
            let listed = error.detail.as_ref().and_then(Value::as_array).map_or(0, Vec::len);
            prop_assert_eq!(listed, attempts.len(), "the error lists every attempt: {:?}", error);
            let known = [Code::AllRoutesFailed, Code::Blocked, Code::InvalidRequest];
            prop_assert!(known.contains(&error.code), "{:?}", error);
        }
    }
    Ok(())
}

#[test]
fn every_request_keeps_to_the_table() {
    let world = World::new();
    let mut runner = TestRunner::new(Config { cases: 1_000, failure_persistence: None, ..Config::default() });
    // How many requests took so many calls, and how many called somebody again.
    let seen = std::cell::RefCell::new([0; BUDGET + 1]);
    let again = std::cell::Cell::new(0);
    runner
        .run(&case(), |case| {
            let Some(came) = world.run(&case) else { return Ok(()) };
            seen.borrow_mut()[came.made.len().min(BUDGET)] += 1;
            let repeated = came.made.windows(2).any(|pair| pair[0].provider == pair[1].provider);
            again.set(again.get() + usize::from(repeated));
            check(&case, &came)
        })
        .unwrap();
    let (seen, again) = (seen.into_inner(), again.get());
    assert!(seen[1..].iter().all(|count| *count > 12) && again > 40, "{seen:?} calls, {again} with one again");
}

#[test]
fn nobody_is_planned_without_consent() {
    let world = World::new();
    let mut runner = TestRunner::new(Config { cases: 500, failure_persistence: None, ..Config::default() });
    runner
        .run(&case(), |case| {
            world.runtime.block_on(async {
                let changes = case.settings();
                api::change_settings(&world.assistant, ChangeSettings { changes }).await.unwrap();
                for view in world.assistant.router().routes().iter().filter(|view| view.service == case.service) {
                    for route in &view.routes {
                        prop_assert!(case.allows(&route.provider), "{} may not receive this", route.provider);
                    }
                }
                Ok(())
            })
        })
        .unwrap();
}
