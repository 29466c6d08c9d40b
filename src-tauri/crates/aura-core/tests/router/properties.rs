//! Random settings, random faults: what must hold of every request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aura_core::api::{self, ChangeSettings, SaveKey, Wishes};
use aura_core::config::Environment;
use aura_core::error::{Code, Error};
use aura_core::ports::Speaker;
use aura_core::providers::{ChatRequest, Class, Message, Role, Service, SttRequest};
use aura_core::record::Attempt;
use aura_core::router::policy::BUDGET;
use aura_core::{Assistant, Setup};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, timeout};

use crate::machine::{FakeSpeaker, Machine};
use crate::scripted::{End, Made, Play, Stage, Told};

/// Everyone who may be asked; the last one needs no consent.
const PROVIDERS: [&str; 5] = ["groq", "gemini", "alpha", "beta", "offline"];
/// How long a whole request may take here.
const WHOLE: Duration = Duration::from_secs(40);
/// Longer than any pause that is made.
const FORGOTTEN: Duration = Duration::from_secs(4 * 3_600);

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
    (wait, 0_usize..4, pause, end).prop_map(|(wait, pieces, pause, end)| Play {
        wait: Duration::from_millis(wait),
        pieces,
        pause: Duration::from_millis(pause),
        end,
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
    let behaviour = (any::<bool>(), any::<bool>(), any::<bool>());
    let plays = prop::collection::vec(prop::collection::vec(play(), 0..5), PROVIDERS.len());
    let before = prop::collection::vec(class(), 0..3);
    (settings, behaviour, plays, before).prop_map(|(settings, behaviour, plays, before)| {
        let (service, consent, first, wish, then, fallback) = settings;
        let (past_blocks, hedge, voiced) = behaviour;
        Case { service, consent, first, wish, then, fallback, past_blocks, hedge, voiced, plays, before }
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
    result: Result<String, Error>,
    attempts: Vec<Attempt>,
    made: Vec<Made>,
    candidates: Vec<String>,
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
        let environment: Environment = [
            ("GROQ_API_KEY", "a-key"),
            ("GROQ_BASE_URL", nobody),
            ("GEMINI_API_KEY", "a-key"),
            ("GEMINI_BASE_URL", nobody),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
        let setup = Setup { data: data.path().to_owned(), environment, ..Setup::default() };
        let assistant = runtime.block_on(async {
            let assistant = Assistant::start(Machine::default().ports(), setup).await.unwrap();
            assistant.load_keys().await;
            let own = json!({"preset": "openai", "base_url": nobody});
            let changes = json!({"providers": {"alpha": own, "beta": own}});
            api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
            for provider in ["alpha", "beta"] {
                let key = SaveKey { provider: provider.into(), key: "a-key".into(), session_only: true };
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
                self.ask(case).await?;
            }
            self.stage.clear();
            for (provider, plays) in PROVIDERS.iter().zip(&case.plays) {
                self.stage.set(provider, plays.clone());
            }
            self.ask(case).await
        })
    }

    /// `None` when there is no route at all.
    async fn ask(&self, case: &Case) -> Option<Came> {
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
        let told = Told::default();
        let began = Instant::now();
        let mut got = String::new();
        let request = async {
            match case.service {
                Service::Stt => {
                    let wav = vec![0; 4_000].into();
                    let request =
                        SttRequest { model: String::new(), wav, duration: Duration::from_secs(1), language: None };
                    router.transcribe(&plan, &request, case.voiced, &told).await.map(|answered| answered.value.text)
                }
                Service::Llm | Service::Vlm => {
                    let messages = vec![Message::new(Role::User, "What time is it?")];
                    let request = ChatRequest { messages, ..ChatRequest::default() };
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
        let result = timeout(WHOLE * 10, request).await.expect("a request ends");
        if matches!(case.service, Service::Llm | Service::Vlm)
            && let Ok(text) = &result
        {
            assert_eq!(*text, got, "what was told piece by piece is the answer");
        }
        let attempts = told.attempts.into_inner().unwrap();
        Some(Came { result, attempts, made: self.stage.made(), candidates, took: began.elapsed() })
    }
}

/// Whether the table lets a provider be called once more after it failed so, `tries` times in this request.
fn again(before: &Attempt, next: &Made, tries: usize, alone: bool) -> bool {
    let same = before.route.model == next.model;
    match before.class {
        Some(Class::ModelGone) => !same && tries == 1,
        Some(Class::Empty) => same && tries == 1,
        Some(Class::RateLimited) => same && alone && tries == 1,
        Some(Class::Overloaded) => same && alone && tries <= 2,
        _ => false,
    }
}

fn check(case: &Case, came: &Came) -> Result<(), TestCaseError> {
    let Came { result, attempts, made, candidates, took } = came;
    prop_assert!(!made.is_empty() && made.len() <= BUDGET, "{} calls", made.len());
    prop_assert_eq!(attempts.len(), made.len(), "each call is told once");
    prop_assert!(*took <= WHOLE + Duration::from_millis(10), "it took {:?}", took);
    for call in made {
        prop_assert!(case.allows(&call.provider), "{} may not receive this", call.provider);
        prop_assert!(candidates.contains(&call.provider), "{} is not in the plan", call.provider);
    }
    let named = case.wish.is_some() || (case.first.is_some() && !case.fallback);
    if named {
        let wanted = PROVIDERS[case.wish.or(case.first).unwrap()];
        prop_assert!(made.iter().all(|call| call.provider == wanted), "only {} was to be asked", wanted);
    }
    // Each call to a provider that was called before is one that the table allows.
    let mut tries: HashMap<&str, Vec<&Attempt>> = HashMap::new();
    for provider in candidates {
        let told = attempts.iter().filter(|attempt| attempt.route.provider == *provider);
        let calls = made.iter().filter(|call| call.provider == *provider);
        for (number, (attempt, call)) in told.zip(calls).enumerate() {
            prop_assert_eq!(&attempt.route.model, &call.model);
            let before = tries.entry(provider).or_default();
            if let Some(last) = before.last() {
                // This computer only stands in for a provider.
                let alone = candidates.iter().filter(|name| *name != "offline").count() <= 1;
                let allowed = again(last, call, number, alone);
                prop_assert!(allowed, "{} was called again after {:?}", provider, last.class);
            }
            before.push(attempt);
        }
    }
    // Whoever is left alone is left for good in this request: nobody is called between two calls of another.
    if !case.hedge {
        let mut order: Vec<&str> = made.iter().map(|call| call.provider.as_str()).collect();
        order.dedup();
        let mut seen = Vec::new();
        for provider in order {
            prop_assert!(!seen.contains(&provider), "it came back to {}", provider);
            seen.push(provider);
        }
        for pair in made.windows(2) {
            prop_assert!(pair[0].at <= pair[1].at);
        }
    }
    // What stops, stops.
    let stops = |attempt: &Attempt| match attempt.class {
        Some(Class::InvalidRequest) => true,
        Some(Class::Blocked) => !case.past_blocks,
        _ => false,
    };
    if !case.hedge
        && let Some(at) = attempts.iter().position(stops)
    {
        prop_assert_eq!(at + 1, attempts.len(), "nothing follows what stops");
    }
    match result {
        Ok(text) => {
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
            }
        }
        Err(error) => {
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
    assert!(seen[1..].iter().all(|count| *count > 30) && again > 30, "{seen:?} calls, {again} with one again");
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
