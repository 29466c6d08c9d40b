//! A provider that comes and goes for a minute, on a clock of the test's own.

use std::time::Duration;

use aura_core::api::Wishes;
use aura_core::config::Environment;
use aura_core::providers::{ChatRequest, Class, Message, Role, Service};
use aura_core::{Assistant, Setup};
use tokio::time::{Instant, sleep_until};

use crate::machine::Machine;
use crate::row::{Row, Score};
use crate::scripted::{Play, Stage, Told};

/// How long the provider is away.
const AWAY: Duration = Duration::from_secs(60);
/// How long after its return it must be in use again.
const BACK_WITHIN: Duration = Duration::from_secs(30);

/// How often the person asks, in seconds.
const EVERY: std::ops::RangeInclusive<u32> = 1..=30;

pub(crate) fn rows() -> Vec<Row> {
    let row = |service: Service| {
        let title = "away for 60 s, a question every 1 to 30 s: back within 30 s";
        Row::new(service.as_str(), title, move || async move {
            // A clock that stands still belongs to a runtime of its own.
            tokio::task::spawn_blocking(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
                runtime.unwrap().block_on(flaps(service))
            })
            .await
            .unwrap()
        })
    };
    [Service::Llm, Service::Vlm].map(row).into()
}

async fn flaps(service: Service) -> Score {
    let (mut longest, mut most) = (Duration::ZERO, 0);
    for seconds in EVERY {
        let (back, calls) = flap(service, Duration::from_secs(seconds.into())).await;
        (longest, most) = (longest.max(back), most.max(calls));
    }
    Score {
        got: format!("every answer; back after at most {:.0} s", longest.as_secs_f64()),
        attempts: format!("at most {most} calls while away"),
        ms: AWAY.as_millis(),
    }
}

/// How long after its return it is in use again, and how many questions it failed before.
async fn flap(service: Service, every: Duration) -> (Duration, usize) {
    let nobody = "http://127.0.0.1:9/".to_owned();
    let environment: Environment = [
        ("GROQ_API_KEY", "a-key".to_owned()),
        ("GROQ_BASE_URL", nobody.clone()),
        ("GEMINI_API_KEY", "a-key".to_owned()),
        ("GEMINI_BASE_URL", nobody),
    ]
    .into_iter()
    .collect();
    let data = tempfile::tempdir().unwrap();
    let setup = Setup { data: data.path().to_owned(), environment, ..Setup::default() };
    let assistant = Assistant::start(Machine::default().ports(), setup).await.unwrap();
    assistant.load_keys().await;
    let stage = Stage::default();
    let began = Instant::now();
    let (mut tried_while_away, mut returned) = (0, None);
    let mut number = 0;
    while returned.is_none() {
        let away = began.elapsed() < AWAY;
        stage.clear();
        if away {
            stage.set("groq", (0..4).map(|_| Play::fails(Class::Overloaded)));
        }
        let plan = stage.play(assistant.router().plan(service, &Wishes::default()).unwrap());
        let request =
            ChatRequest { messages: vec![Message::new(Role::User, "What time is it?")], ..ChatRequest::default() };
        let answered = assistant.router().chat(&plan, &request, &Told::default(), &mut |_| {}).await;
        let by = answered.expect("somebody always answers").route.provider;
        tried_while_away += usize::from(away && stage.made()[0].provider == "groq");
        assert!(by == "groq" || by == "gemini", "{by}");
        if !away && by == "groq" {
            returned = Some(began.elapsed() - AWAY);
        }
        assert!(began.elapsed() <= AWAY + BACK_WITHIN, "asked every {every:?}: it is back and still not asked");
        number += 1;
        sleep_until(began + every * number).await;
    }
    let returned = returned.unwrap();
    assert!(returned <= BACK_WITHIN, "{returned:?}");
    // Two that found it away, and a probe after each pause: 5, 10, 15, 15 s.
    assert!((2..=6).contains(&tried_while_away), "{tried_while_away} calls went to it while it was away");
    (returned, tried_while_away)
}
