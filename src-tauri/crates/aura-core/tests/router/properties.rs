//! Property tests: random settings and random failures, and what must hold for every request.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use aura_audio::Pcm;
use aura_core::api::{self, ChangeSettings, SaveKey};
use aura_core::config::Environment;
use aura_core::error::Error;
use aura_core::{Assistant, Setup};
use aura_providers::{Service, TranscriptionRequest};
use aura_router::health::{CircuitState, ProviderHealth};
use aura_router::retry_policy::RETRY_BUDGET;
use aura_router::{RouteOverrides, sink_fn};
use aura_testkit::fake_ports::FakePorts;
use aura_testkit::scripted::{RecordingObserver, ScriptedCall, ScriptedProviders};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, timeout};

use super::checks::check;
use super::scenario::{Outcome, PROVIDERS, Scenario, WHOLE, scenario};

/// Longer than any circuit stays open.
const ALL_CIRCUITS_CLOSED: Duration = Duration::from_secs(3_700);

/// An assistant with scripted providers that plays scenarios one after another, on a paused clock.
struct ScenarioRunner {
    runtime: Runtime,
    assistant: Assistant,
    providers: ScriptedProviders,
    _data: tempfile::TempDir,
}

impl ScenarioRunner {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let data = tempfile::tempdir().unwrap();
        let unreachable = "http://127.0.0.1:9/";
        let environment: Environment = [("GROQ_BASE_URL", unreachable), ("GEMINI_BASE_URL", unreachable)]
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()))
            .collect();
        let setup = Setup { data: data.path().to_owned(), environment, ..Setup::default() };
        let assistant = runtime.block_on(async {
            let assistant = Assistant::start(FakePorts::default().ports(), setup).await.unwrap();
            let server = json!({"preset": "openai", "base_url": unreachable});
            let changes = json!({"providers": {"alpha": server, "beta": server}});
            api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
            // Without `start_background`: its tasks would run in every hour that a test sleeps.
            for provider in &PROVIDERS[..4] {
                let key = SaveKey { provider: (*provider).into(), key: "a-key".into(), session_only: true };
                api::save_key(&assistant, key).await.unwrap();
            }
            assistant
        });
        Self { runtime, assistant, providers: ScriptedProviders::default(), _data: data }
    }

    /// Plays a scenario; `None` when its settings leave no route.
    fn run(&self, scenario: &Scenario) -> Option<Outcome> {
        self.runtime.block_on(async {
            // Circuits that earlier scenarios opened close again.
            sleep(ALL_CIRCUITS_CLOSED).await;
            let changes = scenario.settings();
            api::change_settings(&self.assistant, ChangeSettings { changes }).await.unwrap();
            self.providers.clear();
            for kind in &scenario.before {
                for provider in PROVIDERS {
                    self.providers.set(provider, [ScriptedCall::fails(*kind)]);
                }
                self.request(scenario, None).await?;
            }
            self.providers.clear();
            for (provider, calls) in PROVIDERS.iter().zip(&scenario.calls) {
                self.providers.set(provider, calls.clone());
            }
            self.request(scenario, scenario.cancelled_after).await
        })
    }

    /// Makes the scenario's request; `None` when there is no route. `cancelled_after` is in milliseconds.
    async fn request(&self, scenario: &Scenario, cancelled_after: Option<u64>) -> Option<Outcome> {
        let route = scenario.route_override.map(|index| PROVIDERS[index].to_owned());
        let mut overrides = RouteOverrides::default();
        if let Some(route) = route {
            overrides.set(scenario.service, route);
        }
        let router = self.assistant.router();
        let plan = self.providers.attach_to(router.plan(scenario.service, &overrides).ok()?);
        let candidates = plan.candidates().iter().map(|candidate| candidate.route.provider.clone()).collect();
        let is_open = |provider: &ProviderHealth| {
            provider
                .services
                .iter()
                .any(|health| health.service == scenario.service && health.circuit == CircuitState::Open)
        };
        let health = router.health().providers;
        let open_circuits =
            health.iter().filter(|provider| is_open(provider)).map(|provider| provider.name.clone()).collect();
        let observer = RecordingObserver::default();
        let began = Instant::now();
        let mut streamed = String::new();
        let request = async {
            match scenario.service {
                Service::Stt => {
                    let request = TranscriptionRequest {
                        wav: vec![0; 4_000].into(),
                        duration: Duration::from_secs(1),
                        ..TranscriptionRequest::default()
                    };
                    let routed = router.transcribe(&plan, &request, scenario.has_words, &observer).await;
                    routed.map(|routed| routed.value.text)
                }
                Service::Llm | Service::Vlm => {
                    let mut sink = sink_fn(|text: String| streamed.push_str(&text));
                    let routed = router.chat(&plan, &scenario.question(), &observer, &mut sink).await;
                    routed.map(|routed| routed.value.text)
                }
                Service::Embedding => {
                    let request = aura_providers::EmbeddingRequest::new("", ["one"]);
                    router.embed(&plan, &request, &observer).await.map(|_| String::new())
                }
                Service::Tts => {
                    let text = "One two three four five six seven eight nine ten eleven twelve thirteen.";
                    router.speak(&plan, text, &observer, &mut sink_fn(|_: Pcm| {})).await.map(|_| String::new())
                }
            }
        };
        let limit = cancelled_after.map_or(WHOLE * 10, Duration::from_millis);
        let result = timeout(limit, request).await.ok().map(|result| result.map_err(Error::from));
        assert!(result.is_some() || cancelled_after.is_some(), "a request ends");
        if scenario.is_chat()
            && let Some(Ok(text)) = &result
        {
            assert_eq!(*text, streamed, "the streamed text is the answer");
        }
        let RecordingObserver { steps, attempts, notices } = observer;
        Some(Outcome {
            result,
            attempts: attempts.into_inner().unwrap(),
            notices: notices.into_inner().unwrap(),
            steps: steps.into_inner().unwrap(),
            calls: self.providers.calls(),
            candidates,
            open_circuits,
            elapsed: began.elapsed(),
        })
    }
}

#[test]
fn every_request_follows_the_retry_policy() {
    let scenarios = ScenarioRunner::new();
    let mut runner = TestRunner::new(Config { cases: 1_000, failure_persistence: None, ..Config::default() });
    // Requests by their number of calls, and requests that called a provider again.
    let requests = RefCell::new([0; RETRY_BUDGET + 1]);
    let retried = Cell::new(0);
    runner
        .run(&scenario(), |scenario| {
            let Some(outcome) = scenarios.run(&scenario) else { return Ok(()) };
            requests.borrow_mut()[outcome.calls.len().min(RETRY_BUDGET)] += 1;
            let was_retried = outcome.calls.windows(2).any(|pair| pair[0].provider == pair[1].provider);
            retried.set(retried.get() + usize::from(was_retried));
            check(&scenario, &outcome)
        })
        .unwrap();
    let (requests, retried) = (requests.into_inner(), retried.get());
    // The scenarios are varied enough to mean something.
    assert!(requests[1..].iter().all(|count| *count > 12) && retried > 40, "{requests:?} calls, {retried} retried");
}

#[test]
fn no_route_is_planned_without_consent() {
    let scenarios = ScenarioRunner::new();
    let mut runner = TestRunner::new(Config { cases: 500, failure_persistence: None, ..Config::default() });
    runner
        .run(&scenario(), |scenario| {
            scenarios.runtime.block_on(async {
                let changes = scenario.settings();
                api::change_settings(&scenarios.assistant, ChangeSettings { changes }).await.unwrap();
                let routes = scenarios.assistant.router().routes();
                for view in routes.iter().filter(|view| view.service == scenario.service) {
                    for route in &view.routes {
                        prop_assert!(scenario.allows(&route.provider), "{} may not receive this", route.provider);
                    }
                }
                Ok(())
            })
        })
        .unwrap();
}
