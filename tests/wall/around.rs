//! What a failure leaves behind: pauses, keys, models, connections, and what was already said.

use std::time::{Duration, Instant};

use aura_core::api::{self, Ask, Nothing, SaveKey, Speech};
use aura_core::error::Code;
use aura_core::providers::Class::*;
use aura_core::providers::Service;
use aura_sandbox::{
    ErrorBody, Fault, FaultKind, Fixed, FixedAudio, Provider, RequestRecord, Rule, Script, Sound, When,
};
use serde_json::json;

use crate::house::House;
use crate::row::{Row, Score, in_words, went};
use crate::wall::{Got, OWN, Wall, answer, attempts, patient, rest, sandboxed, there, understood};

/// Long enough for anything that is bound to happen.
const SOON: Duration = Duration::from_secs(30);

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("llm", "429 with Retry-After: the next question goes elsewhere at once", cools_down),
        Row::new("llm", "503 that stays: the third question goes elsewhere at once", opens),
        Row::new("llm", "key refused: not asked again until another key is saved", refused),
        Row::new("llm", "key not refused, but the gate: asked again, and no other key wanted", gate),
        Row::new("llm", "pooled connection dead: one fresh one, and no failure", || dead_connection(Service::Llm)),
        Row::new("stt", "pooled connection dead: the recording is sent again", || dead_connection(Service::Stt)),
        Row::new("llm", "slower than its own p95, hedged: the next one answers", hedged),
        Row::new("tts", "sentence cut half-way: the rest is spoken, not the beginning again", half_spoken),
        Row::new("tts", "four sentences, the first voice is down: it is asked once", dead_voice),
        Row::new("llm", "one key that is down: asked again, then this computer, and once later", one_key),
        Row::new("llm", "cut, and cut again: three routes make one answer", three_routes),
        Row::new("llm", "cut: who goes on begins anew, and it is said once", repeats),
        Row::new("llm", "cut: who goes on says nothing, and half a sentence is no answer", nothing_more),
        Row::new("stt", "nobody understands a word: nothing heard", nothing_heard),
        Row::new("vlm", "everybody is down: the error lists every attempt", everybody),
    ];
    for (service, first, next) in [
        (Service::Stt, "groq", "gemini"),
        (Service::Llm, "groq", "gemini"),
        (Service::Vlm, "gemini", "groq"),
        (Service::Tts, "gemini", "groq"),
    ] {
        let title = "model gone: a substitute now and later, until it is listed again";
        rows.push(Row::new(service.as_str(), title, move || gone(service, first, next)));
    }
    for service in Service::ALL {
        rows.push(Row::new(service.as_str(), "not allowed for the first: it is sent nothing", move || {
            consent(service)
        }));
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

/// The provider's gate refuses the connection, as it does in some regions: the key is as good as before.
async fn gate() -> Score {
    let wall = Wall::new(Service::Llm, "groq", "gemini", patient()).await;
    let fault = Fault::status(403).body(ErrorBody::Variant("edge".into())).provider(Provider::Groq);
    wall.house.sandbox.add_fault(fault);
    let by_next = Got::Text(answer("gemini"));
    let first = wall.expect(&by_next, &[("groq", Some(Auth)), ("gemini", None)]).await;
    wall.house.assistant.ask_providers().await;
    let all = api::snapshot(&wall.house.assistant, Nothing {}).await.unwrap();
    let problem = all.providers.iter().find(|view| view.name == "groq").unwrap().problem.clone();
    assert_eq!(problem, None, "the key is not what is wrong");
    wall.house.sandbox.clear_faults();
    then(first, wall.expect(&Got::Text(answer("groq")), &[("groq", None)]).await)
}

async fn gone(service: Service, first: &'static str, next: &'static str) -> Score {
    let wall = Wall::new(service, first, next, patient()).await;
    let model = aura_core::catalog::default_model(first, service).unwrap();
    let fault = Fault::new(FaultKind::ModelGone { form: aura_sandbox::GoneForm::Decommissioned }).model(model);
    wall.house.sandbox.add_fault(fault.provider(sandboxed(first)));
    let got = || {
        Got::Text(match service {
            Service::Stt => understood(first),
            Service::Llm | Service::Vlm => answer(first),
            Service::Tts => answer("groq"),
        })
    };
    let one = wall.expect(&got(), &[(first, Some(ModelGone)), (first, None)]).await;
    let two = wall.expect(&got(), &[(first, None)]).await;
    let used = async || wall.received(sandboxed(first), service).await.last().unwrap().model.clone().unwrap();
    assert_ne!(used().await, model);
    // Its own list says that it is there after all.
    wall.house.sandbox.clear_faults();
    wall.house.assistant.ask_providers().await;
    wall.expect(&got(), &[(first, None)]).await;
    assert_eq!(used().await, model);
    then(one, two)
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

/// An answer of four sentences, each a call of its own.
async fn dead_voice() -> Score {
    let wall = Wall::new(Service::Tts, "groq", "gemini", patient()).await;
    let text =
        "It is three o'clock in the afternoon. The sun is out today. There is tea in the kitchen. Good night to you.";
    wall.house.sandbox.set_script(aura_sandbox::Script::always(text));
    wall.house.sandbox.add_fault(Fault::status(503).provider(Provider::Groq).service(there(Service::Tts)));
    let (record, ms) = wall.ask().await;
    assert_eq!((record.error.as_ref(), record.spoken.as_str()), (None, text));
    let went = went(&attempts(&record, Service::Tts));
    assert_eq!(went[0], ("groq".to_owned(), Some(Overloaded)));
    assert!(went.len() > 3 && went[1..].iter().all(|one| *one == ("gemini".to_owned(), None)), "{went:?}");
    let told = record.notices.iter().filter(|notice| notice.kind == "fallback").count();
    assert_eq!(told, 1, "{:?}", record.notices);
    Score { got: "all four sentences, in one voice".into(), attempts: in_words(&went), ms }
}

/// There is one key, and its provider is down.
async fn one_key() -> Score {
    let wall = Wall::of(House::with(&[("GEMINI_API_KEY", "")]).await, Service::Llm, "groq", "gemini", patient()).await;
    wall.house.sandbox.add_fault(Fault::status(503).provider(Provider::Groq).service(there(Service::Llm)));
    let full = Some(Overloaded);
    let mut scores = Vec::new();
    for expected in
        [&[("groq", full), ("groq", full), ("groq", full), ("offline", None)][..], &[("groq", full), ("offline", None)]]
    {
        let (record, ms) = wall.ask().await;
        assert_eq!(record.error, None);
        assert!(record.answer.contains("What time is it?"), "what was heard is repeated: {}", record.answer);
        let went = went(&attempts(&record, Service::Llm));
        let expected: Vec<_> = expected.iter().map(|(name, class)| ((*name).to_owned(), *class)).collect();
        assert_eq!(went, expected);
        scores.push(Score { got: "the sound check".into(), attempts: in_words(&went), ms });
    }
    let second = scores.pop().unwrap();
    then(scores.pop().unwrap(), second)
}

/// Groq breaks off after five words.
async fn broken_off(settings: serde_json::Value) -> Wall {
    let wall = Wall::new(Service::Llm, "groq", "gemini", settings).await;
    let cut = Fault::new(FaultKind::CutAfter { chunks: 5, reset: true });
    wall.house.sandbox.add_fault(cut.provider(Provider::Groq).service(there(Service::Llm)));
    wall
}

async fn three_routes() -> Score {
    let wall = Wall::new(Service::Llm, OWN, "groq", patient()).await;
    wall.house.change(json!({"routes": {"llm": {"provider": "groq", "then": ["gemini", OWN]}}})).await;
    for (provider, chunks) in [(Provider::Groq, 5), (Provider::Gemini, 2)] {
        let cut = Fault::new(FaultKind::CutAfter { chunks, reset: true });
        wall.house.sandbox.add_fault(cut.provider(provider).service(there(Service::Llm)));
    }
    // The third one begins with the words that the second one said before it broke off.
    let words: String = answer("groq").split_inclusive(' ').take(5).collect();
    let got = format!("{words}{}", rest(OWN));
    let broke = Some(Interrupted);
    wall.expect(&Got::Text(got), &[("groq", broke), ("gemini", broke), (OWN, None)]).await
}

async fn repeats() -> Score {
    let wall = broken_off(patient()).await;
    let cut_off = When { provider: Some(Provider::Gemini), contains: Some("cut off".into()), ..When::default() };
    let again = "The answer of groq is four o'clock in the morning.";
    let rules = vec![
        Rule { when: cut_off, ..Rule::reply(again) },
        Rule { when: When { provider: Some(Provider::Groq), ..When::default() }, ..Rule::reply(answer("groq")) },
    ];
    wall.house.sandbox.set_script(Script { rules });
    wall.expect(&Got::Text(again.into()), &[("groq", Some(Interrupted)), ("gemini", None)]).await
}

async fn nothing_more() -> Score {
    let wall = broken_off(patient()).await;
    let nothing = Fault::new(FaultKind::EmptyAnswer { finish: None }).provider(Provider::Gemini);
    wall.house.sandbox.add_fault(nothing.service(there(Service::Llm)));
    // This computer cannot go on with what it does not understand.
    let all =
        [("groq", Some(Interrupted)), ("gemini", Some(Empty)), ("gemini", Some(Empty)), ("offline", Some(Unsupported))];
    wall.expect(&Got::Error(Code::AllRoutesFailed), &all).await
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
    // The last provider is asked again, but not at the cost of the programs on this computer; here there is none.
    let full = Some(Overloaded);
    let all = [("groq", full), ("gemini", full), ("gemini", full), ("offline", Some(Unsupported))];
    wall.expect(&Got::Error(Code::AllRoutesFailed), &all).await
}

async fn consent(service: Service) -> Score {
    let mut settings = patient();
    let kind = match service {
        Service::Stt => "audio",
        Service::Vlm => "screen",
        Service::Llm | Service::Tts => "text",
    };
    settings["providers"] = json!({"groq": {"may_receive": {kind: false}}});
    let wall = Wall::new(service, "groq", "gemini", settings).await;
    let got = match service {
        Service::Stt => understood("gemini"),
        _ => answer("gemini"),
    };
    let score = wall.expect(&Got::Text(got), &[("gemini", None)]).await;
    assert!(wall.received(Provider::Groq, service).await.is_empty());
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
