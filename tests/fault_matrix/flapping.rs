//! A provider that is down for a minute, on paused time.

use std::time::Duration;

use aura_core::config::Environment;
use aura_core::{Assistant, Setup};
use aura_providers::{ChatRequest, FailureKind, Message, Role, Service};
use aura_router::RouteOverrides;
use tokio::time::{Instant, sleep_until};

use crate::case::{Case, Score};
use aura_testkit::fake_ports::FakePorts;
use aura_testkit::scripted::{RecordingObserver, ScriptedCall, ScriptedProviders};

/// How long the provider is down.
const OUTAGE: Duration = Duration::from_secs(60);
/// The longest time from its recovery to its next use.
const MAX_RECOVERY: Duration = Duration::from_secs(30);

/// Seconds between two questions.
const INTERVALS: std::ops::RangeInclusive<u32> = 1..=30;

pub(crate) fn cases() -> Vec<Case> {
    let case = |service: Service| {
        let title = "down for 60 s, a question every 1 to 30 s: used again within 30 s";
        Case::new(service.as_str(), title, move || async move {
            // Time is paused per runtime.
            tokio::task::spawn_blocking(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
                runtime.unwrap().block_on(all_intervals(service))
            })
            .await
            .unwrap()
        })
    };
    [Service::Llm, Service::Vlm].map(case).into()
}

async fn all_intervals(service: Service) -> Score {
    let (mut longest, mut most) = (Duration::ZERO, 0);
    for seconds in INTERVALS {
        let (back, calls) = outage(service, Duration::from_secs(seconds.into())).await;
        (longest, most) = (longest.max(back), most.max(calls));
    }
    Score {
        got: format!("every answer; used again after at most {:.0} s", longest.as_secs_f64()),
        attempts: format!("at most {most} calls during the outage"),
        ms: OUTAGE.as_millis(),
    }
}

/// One outage with a question every `every`. Returns the time from the recovery to the next use, and the calls during the outage.
async fn outage(service: Service, every: Duration) -> (Duration, usize) {
    let unreachable = "http://127.0.0.1:9/".to_owned();
    let environment: Environment = [
        ("GROQ_API_KEY", "a-key".to_owned()),
        ("GROQ_BASE_URL", unreachable.clone()),
        ("GEMINI_API_KEY", "a-key".to_owned()),
        ("GEMINI_BASE_URL", unreachable),
    ]
    .into_iter()
    .collect();
    let data = tempfile::tempdir().unwrap();
    let setup = Setup { data: data.path().to_owned(), environment, ..Setup::default() };
    let assistant = Assistant::start(FakePorts::default().ports(), setup).await.unwrap();
    assistant.start_background().await;
    let providers = ScriptedProviders::default();
    let began = Instant::now();
    let (mut calls_during_outage, mut recovery) = (0, None);
    let mut number = 0;
    while recovery.is_none() {
        let is_down = began.elapsed() < OUTAGE;
        providers.clear();
        if is_down {
            providers.set("groq", (0..4).map(|_| ScriptedCall::fails(FailureKind::Overloaded)));
        }
        let plan = providers.attach_to(assistant.router().plan(service, &RouteOverrides::default()).unwrap());
        let request =
            ChatRequest { messages: vec![Message::new(Role::User, "What time is it?")], ..ChatRequest::default() };
        let answered = assistant
            .router()
            .chat(&plan, &request, &RecordingObserver::default(), &mut aura_router::sink_fn(|_: String| {}))
            .await;
        let by = answered.expect("one provider works").route.provider;
        calls_during_outage += usize::from(is_down && providers.calls()[0].provider == "groq");
        assert!(by == "groq" || by == "gemini", "{by}");
        if !is_down && by == "groq" {
            recovery = Some(began.elapsed() - OUTAGE);
        }
        assert!(
            began.elapsed() <= OUTAGE + MAX_RECOVERY,
            "a question every {every:?}: the provider works and is not called"
        );
        number += 1;
        sleep_until(began + every * number).await;
    }
    let recovery = recovery.unwrap();
    assert!(recovery <= MAX_RECOVERY, "{recovery:?}");
    // Two failures open the circuit, then one probe after each open period: 5, 10, 15, 15 s.
    assert!((2..=6).contains(&calls_during_outage), "{calls_during_outage} calls during the outage");
    (recovery, calls_during_outage)
}
