//! What a failure leaves behind: pauses, keys, models, connections, and what was already said.

use std::time::{Duration, Instant};

use aura_core::api::{self, Ask, Nothing, SaveKey, Speech};
use aura_core::error::Code;
use aura_core::providers::Class::*;
use aura_core::providers::Service;
use aura_sandbox::{Fault, FaultKind, Fixed, FixedAudio, Provider, RequestRecord, Sound};
use serde_json::json;

use crate::house::House;
use crate::row::{Row, Score, in_words, went};
use crate::wall::{Got, Wall, answer, attempts, patient, there, understood};

/// Long enough for anything that is bound to happen.
const SOON: Duration = Duration::from_secs(30);

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("llm", "429 with Retry-After: the next question goes elsewhere at once", cools_down),
        Row::new("llm", "503 that stays: the third question goes elsewhere at once", opens),
        Row::new("llm", "key refused: not asked again until another key is saved", refused),
        Row::new("llm", "model gone: a substitute now and later, until it is listed again", gone),
        Row::new("llm", "pooled connection dead: one fresh one, and no failure", || dead_connection(Service::Llm)),
        Row::new("stt", "pooled connection dead: the recording is sent again", || dead_connection(Service::Stt)),
        Row::new("llm", "slower than its own p95, hedged: the next one answers", hedged),
        Row::new("tts", "sentence cut half-way: the rest is spoken, not the beginning again", half_spoken),
        Row::new("stt", "nobody understands a word: nothing heard", nothing_heard),
        Row::new("vlm", "everybody is down: the error lists every attempt", everybody),
        Row::new("vlm", "pictures not allowed for the first: it gets none", consent),
    ];
    for service in Service::ALL {
        rows.push(Row::new(service.as_str(), "stopped by the person: the provider's call ends", move || {
            stopped(service)
        }));
    }
    rows
}

impl Wall {
    /// What a provider received for a service, model lists left out.
    async fn received(&self, provider: Provider, service: Service) -> Vec<RequestRecord> {
        let mut all = self.house.sandbox.requests().await;
        all.retain(|request| request.provider == provider && request.service == there(service));
        all
    }

    /// Waits until a provider received something that holds.
    async fn until(&self, provider: Provider, service: Service, holds: impl Fn(&RequestRecord) -> bool) {
        let began = Instant::now();
        while !self.received(provider, service).await.iter().any(&holds) {
            assert!(began.elapsed() < SOON, "{:#?}", self.received(provider, service).await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn then(first: Score, second: Score) -> Score {
    Score { attempts: format!("{}; then {}", first.attempts, second.attempts), ..second }
}

async fn cools_down() -> Score {
    let wall = Wall::new(Service::Llm, "groq", "gemini", patient()).await;
    let fault = Fault::status(429).header("retry-after", "60").provider(Provider::Groq);
    wall.house.sandbox.add_fault(fault.service(there(Service::Llm)).times(1));
    let got = Got::Text(answer("gemini"));
    let first = wall.expect(&got, &[("groq", Some(RateLimited)), ("gemini", None)]).await;
    then(first, wall.expect(&got, &[("gemini", None)]).await)
}

async fn opens() -> Score {
    let wall = Wall::new(Service::Llm, "groq", "gemini", patient()).await;
    let fault = Fault::status(503).provider(Provider::Groq).service(there(Service::Llm));
    wall.house.sandbox.add_fault(fault);
    let got = Got::Text(answer("gemini"));
    for _ in 0..2 {
        wall.expect(&got, &[("groq", Some(Overloaded)), ("gemini", None)]).await;
    }
    wall.expect(&got, &[("gemini", None)]).await
}

async fn refused() -> Score {
    let house = House::with(&[("GROQ_API_KEY", "")]).await;
    let save = |key: &str| SaveKey { provider: "groq".into(), key: key.into(), session_only: true };
    api::save_key(&house.assistant, save("an-old-key")).await.unwrap();
    let wall = Wall::of(house, Service::Llm, "groq", "gemini", patient()).await;
    let by_next = Got::Text(answer("gemini"));
    // The provider's free model list may have told already that the key is wrong.
    let (record, ms) = wall.ask().await;
    assert_eq!((record.error, record.answer.as_str()), (None, answer("gemini").as_str()));
    wall.expect(&by_next, &[("gemini", None)]).await;
    let refused = api::snapshot(&wall.house.assistant, Nothing {}).await.unwrap();
    let problem = refused.providers.iter().find(|view| view.name == "groq").unwrap().problem.clone();
    assert!(problem.is_some_and(|problem| problem.contains("refused")), "the person is told");
    api::save_key(&wall.house.assistant, save(wall.house.sandbox.key())).await.unwrap();
    let score = wall.expect(&Got::Text(answer("groq")), &[("groq", None)]).await;
    Score { attempts: format!("gemini ok; gemini ok; new key: {}", score.attempts), ms, ..score }
}

async fn gone() -> Score {
    let wall = Wall::new(Service::Llm, "groq", "gemini", patient()).await;
    let model = aura_core::catalog::default_model("groq", Service::Llm).unwrap();
    let fault = Fault::new(FaultKind::ModelGone { form: aura_sandbox::GoneForm::Decommissioned }).model(model);
    wall.house.sandbox.add_fault(fault.provider(Provider::Groq));
    let got = Got::Text(answer("groq"));
    let first = wall.expect(&got, &[("groq", Some(ModelGone)), ("groq", None)]).await;
    let second = wall.expect(&got, &[("groq", None)]).await;
    let used = async || wall.received(Provider::Groq, Service::Llm).await.last().unwrap().model.clone().unwrap();
    assert_ne!(used().await, model);
    // Its own list says that it is there after all.
    wall.house.sandbox.clear_faults();
    wall.house.assistant.ask_providers().await;
    wall.expect(&got, &[("groq", None)]).await;
    assert_eq!(used().await, model);
    then(first, second)
}

/// The provider resets a connection that has served before, and only that.
async fn dead_connection(service: Service) -> Score {
    let wall = Wall::new(service, "groq", "gemini", patient()).await;
    let got = Got::Text(if service == Service::Stt { understood("groq") } else { answer("groq") });
    wall.expect(&got, &[("groq", None)]).await;
    let fault = Fault::new(FaultKind::Reset).provider(Provider::Groq).service(there(service)).times(1);
    wall.house.sandbox.add_fault(fault);
    let score = wall.expect(&got, &[("groq", None)]).await;
    let received = wall.received(Provider::Groq, service).await;
    let [_, broken, fresh] = received.as_slice() else { panic!("{received:#?}") };
    // Which one of the pool is taken is not said: the model list came through one as well.
    let earlier = wall.house.sandbox.requests().await.into_iter().take_while(|request| request.id < broken.id);
    let served: Vec<u64> = earlier.map(|request| request.connection).collect();
    assert!(served.contains(&broken.connection), "one pool serves all: {} after {served:?}", broken.connection);
    assert_ne!(broken.connection, fresh.connection);
    assert_eq!(broken.body_bytes, fresh.body_bytes);
    score
}

async fn hedged() -> Score {
    let mut settings = patient();
    settings["hedge"] = json!(true);
    let wall = Wall::new(Service::Llm, "groq", "gemini", settings).await;
    // Enough answers to know how long it takes as a rule; on a busy machine one of them may itself be overtaken.
    let began = Instant::now();
    while wall.received(Provider::Groq, Service::Llm).await.iter().filter(|request| !request.cancelled).count() < 6 {
        assert!(began.elapsed() < SOON);
        wall.ask().await;
    }
    let fault = Fault::new(FaultKind::DelayContent { ms: 20_000 }).provider(Provider::Groq);
    wall.house.sandbox.add_fault(fault.service(there(Service::Llm)));
    wall.house.sandbox.clear_requests();
    let (record, ms) = wall.ask().await;
    assert_eq!((record.error.clone(), record.answer.as_str()), (None, answer("gemini").as_str()));
    let went = went(&attempts(&record, Service::Llm));
    assert_eq!(went, [("groq".to_owned(), Some(Cancelled)), ("gemini".to_owned(), None)]);
    wall.until(Provider::Groq, Service::Llm, |request| request.cancelled).await;
    Score { got: format!("“{}”", record.answer), attempts: in_words(&went), ms }
}

async fn half_spoken() -> Score {
    let wall = Wall::new(Service::Tts, "groq", "gemini", patient()).await;
    let sandbox = &wall.house.sandbox;
    sandbox.set_fixed(Fixed { transcript: None, audio: Some(FixedAudio { sound: Sound::Tone, ms: 4_000 }) });
    // Pieces of 4096 bytes, 85 ms each: a little more than two seconds are heard.
    let cut = Fault::new(FaultKind::CutAfter { chunks: 25, reset: true });
    sandbox.add_fault(cut.provider(Provider::Groq).service(there(Service::Tts)));
    let score = wall.expect(&Got::Text(answer("groq")), &[("groq", Some(Interrupted)), ("gemini", None)]).await;
    let whole = wall.received(Provider::Groq, Service::Tts).await[0].text.clone().unwrap();
    let rest = wall.received(Provider::Gemini, Service::Tts).await[0].text.clone().unwrap();
    assert_eq!(whole, answer("groq"));
    let said = whole.strip_suffix(&rest).expect("the rest is the end of the sentence");
    assert!(said.ends_with(' ') && (20..35).contains(&said.len()), "{said:?} was said, {rest:?} is left");
    Score { got: format!("“{said}| {rest}”"), ..score }
}

async fn nothing_heard() -> Score {
    let wall = Wall::new(Service::Stt, "groq", "gemini", patient()).await;
    wall.house.sandbox.add_fault(Fault::new(FaultKind::EmptyTranscript));
    let empty = Some(Empty);
    let all = [("groq", empty), ("groq", empty), ("gemini", empty), ("gemini", empty)];
    wall.expect(&Got::Error(Code::NothingHeard), &all).await
}

async fn everybody() -> Score {
    let wall = Wall::new(Service::Vlm, "groq", "gemini", patient()).await;
    wall.house.sandbox.add_fault(Fault::status(503).service(there(Service::Vlm)));
    // The programs on this computer are the last link, and here there is none.
    let all = [("groq", Some(Overloaded)), ("gemini", Some(Overloaded)), ("offline", Some(Unsupported))];
    wall.expect(&Got::Error(Code::AllRoutesFailed), &all).await
}

async fn consent() -> Score {
    let mut settings = patient();
    settings["providers"] = json!({"groq": {"may_receive": {"screen": false}}});
    let wall = Wall::new(Service::Vlm, "groq", "gemini", settings).await;
    let score = wall.expect(&Got::Text(answer("gemini")), &[("gemini", None)]).await;
    assert!(wall.received(Provider::Groq, Service::Vlm).await.is_empty());
    score
}

/// The person presses Esc while the provider is at work.
async fn stopped(service: Service) -> Score {
    let wall = Wall::new(service, "groq", "gemini", patient()).await;
    let fault = match service {
        Service::Stt => FaultKind::Silent,
        _ => FaultKind::StallAfter { chunks: 2 },
    };
    wall.house.sandbox.add_fault(Fault::new(fault).provider(Provider::Groq).service(there(service)));
    let began = Instant::now();
    let (asked, ()) = tokio::join!(wall.ask(), async {
        wall.until(Provider::Groq, service, |request| request.body_ms.is_some()).await;
        if service != Service::Stt {
            wall.until(Provider::Groq, service, |request| request.answered_ms.is_some()).await;
        }
        api::cancel(&wall.house.assistant, Nothing {}).await.unwrap();
    });
    let (record, _) = asked;
    wall.until(Provider::Groq, service, |request| request.cancelled).await;
    assert!(wall.received(Provider::Gemini, service).await.is_empty(), "nobody else is asked then");
    let code = record.error.map(|error| error.code);
    // An answer that was on the screen is no failure when it is not spoken to its end.
    assert!(code == Some(Code::Cancelled) || record.interrupted, "{code:?}");
    // The next question is answered.
    wall.house.sandbox.clear_faults();
    let ask = Ask { text: "And now?".into(), screen: Some(false), speech: Speech::None, ..Ask::default() };
    assert_eq!(wall.house.ask_for(ask).await.error, None);
    Score { got: "silence at once".into(), attempts: "groq ended".into(), ms: began.elapsed().as_millis() }
}
