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

pub(crate) fn rows() -> Vec<Row> {
    // How often the person asks, in seconds.
    let every = [1, 2, 3, 5];
    let row = |seconds: u64| {
        let title = format!("away for 60 s, a question every {seconds} s: back within 30 s");
        Row::new("llm", title, move || async move {
            // A clock that stands still belongs to a runtime of its own.
            tokio::task::spawn_blocking(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
                runtime.unwrap().block_on(flap(Duration::from_secs(seconds)))
            })
            .await
            .unwrap()
        })
    };
    every.map(row).into()
}

async fn flap(every: Duration) -> Score {
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
        let plan = stage.play(assistant.router().plan(Service::Llm, &Wishes::default()).unwrap());
        let request =
            ChatRequest { messages: vec![Message::new(Role::User, "What time is it?")], ..ChatRequest::default() };
        let answered = assistant.router().chat(&plan, &request, &Told::default(), &mut |_| {}).await;
        let by = answered.expect("somebody always answers").route.provider;
        tried_while_away += usize::from(away && stage.made()[0].provider == "groq");
        assert!(by == "groq" || by == "gemini", "{by}");
        if !away && by == "groq" {
            returned = Some(began.elapsed() - AWAY);
        }
        assert!(began.elapsed() < AWAY + BACK_WITHIN, "it is back and still not asked");
        number += 1;
        sleep_until(began + every * number).await;
    }
    let returned = returned.unwrap();
    assert!(returned <= BACK_WITHIN, "{returned:?}");
    // Two that found it away, and a probe after each pause: 5, 10, 20, 40 s.
    assert!((3..=6).contains(&tried_while_away), "{tried_while_away} calls went to it while it was away");
    Score {
        got: format!("every answer; back after {:.0} s", returned.as_secs_f64()),
        attempts: format!("{tried_while_away} while away"),
        ms: began.elapsed().as_millis(),
    }
}
