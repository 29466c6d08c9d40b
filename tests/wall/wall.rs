//! An assistant whose providers are the sandbox's, the questions it is asked, and what must hold of every answer.

use std::path::PathBuf;
use std::time::Instant;

use aura_core::api::{self, Ask, Listen, SaveKey, Speech, Wishes};
use aura_core::error::Code;
use aura_core::providers::{Class, Service};
use aura_core::record::{Attempt, TurnRecord};
use aura_sandbox::{Provider, Rule, Script, When};
use serde_json::{Value, json};

use crate::house::House;
use crate::machine;
use crate::row::{self, Score, in_words, went};

/// The name that a server of the person's own has here.
pub(crate) const OWN: &str = "own";

/// Waits that a loaded machine does not exceed by chance, for rows that do not wait on purpose.
pub(crate) fn patient() -> Value {
    json!({"clocks": {"first_content_ms": 30_000, "transcript_ms": 30_000, "between_ms": 30_000, "whole_ms": 100_000}})
}

/// Short waits, for rows in which somebody is silent.
pub(crate) fn hurried() -> Value {
    json!({"clocks": {"first_content_ms": 2_500, "transcript_ms": 2_500, "between_ms": 2_500, "whole_ms": 100_000}})
}

/// What a provider answers when all is well, and what it says of its own accord when asked to go on.
pub(crate) fn answer(provider: &str) -> String {
    format!("The answer of {provider} is three o'clock in the afternoon.")
}

/// What a provider adds to an answer that broke off.
pub(crate) fn rest(provider: &str) -> String {
    format!("four o'clock, as {provider} goes on.")
}

/// What a provider understands.
pub(crate) fn understood(provider: &str) -> String {
    format!("what time is it, {provider} heard")
}

fn script() -> Script {
    let mut rules = Vec::new();
    for (name, provider) in [("groq", Provider::Groq), ("gemini", Provider::Gemini), (OWN, Provider::Openai)] {
        let when = || When { provider: Some(provider), ..When::default() };
        let cut_off = When { contains: Some("cut off".into()), ..when() };
        rules.push(Rule { when: cut_off, ..Rule::reply(rest(name)) });
        rules.push(Rule { when: when(), ..Rule::reply(answer(name)) });
        let heard = When { service: Some(aura_sandbox::Service::Stt), ..when() };
        rules.push(Rule { when: heard, ..Rule::reply(understood(name)) });
    }
    Script { rules }
}

/// The sandbox's name for a provider.
pub(crate) fn sandboxed(name: &str) -> Provider {
    match name {
        "groq" => Provider::Groq,
        "gemini" => Provider::Gemini,
        _ => Provider::Openai,
    }
}

/// The sandbox's name for a service.
pub(crate) fn there(service: Service) -> aura_sandbox::Service {
    match service {
        Service::Stt => aura_sandbox::Service::Stt,
        Service::Llm => aura_sandbox::Service::Llm,
        Service::Vlm => aura_sandbox::Service::Vlm,
        Service::Tts => aura_sandbox::Service::Tts,
    }
}

/// An assistant with one question to ask, over and over.
pub(crate) struct Wall {
    pub(crate) house: House,
    service: Service,
    /// Whom the question names: nobody else is asked then.
    pub(crate) only: Option<&'static str>,
    picture: PathBuf,
    recording: PathBuf,
    _folder: tempfile::TempDir,
}

impl Wall {
    /// Asks `first`, then `next`, then whoever is left.
    pub(crate) async fn new(service: Service, first: &str, next: &str, settings: Value) -> Self {
        Self::of(House::new().await, service, first, next, settings).await
    }

    /// The same in a house of the row's own.
    pub(crate) async fn of(house: House, service: Service, first: &str, next: &str, settings: Value) -> Self {
        house.sandbox.set_script(script());
        let audio = aura_sandbox::FixedAudio { sound: aura_sandbox::Sound::Tone, ms: 400 };
        house.sandbox.set_fixed(aura_sandbox::Fixed { transcript: None, audio: Some(audio) });
        if [first, next].contains(&OWN) {
            let own = json!({OWN: {"preset": "openai", "base_url": house.sandbox.openai_base_url()}});
            house.change(json!({ "providers": own })).await;
            let key = SaveKey { provider: OWN.into(), key: house.sandbox.key().into(), session_only: true };
            api::save_key(&house.assistant, key).await.unwrap();
        }
        house.change(json!({"routes": {service.as_str(): {"provider": first, "then": [next]}}})).await;
        house.change(settings).await;
        let folder = tempfile::tempdir().unwrap();
        let (picture, recording) = (folder.path().join("screen.jpg"), folder.path().join("question.wav"));
        let screen = include_bytes!("../../src-tauri/crates/aura-core/tests/turn/screen.jpg");
        std::fs::write(&picture, screen).unwrap();
        std::fs::write(&recording, aura_core::audio::speech_wav(&machine::speech(1.4))).unwrap();
        Self { house, service, only: None, picture, recording, _folder: folder }
    }

    /// Asks the question and gives the turn and how many milliseconds it took.
    pub(crate) async fn ask(&self) -> (TurnRecord, u128) {
        let mut wishes = Wishes::default();
        let wish = match self.service {
            Service::Stt => &mut wishes.stt,
            Service::Llm => &mut wishes.llm,
            Service::Vlm => &mut wishes.vlm,
            Service::Tts => &mut wishes.tts,
        };
        *wish = self.only.map(str::to_owned);
        let began = Instant::now();
        let record = if self.service == Service::Stt {
            let request = Listen { audio: self.recording.clone(), speech: Speech::None, wishes, ..Listen::default() };
            api::listen(&self.house.assistant, request).await.unwrap()
        } else {
            let request = Ask {
                text: "What time is it?".into(),
                image: (self.service == Service::Vlm).then(|| self.picture.clone()),
                screen: Some(false),
                speech: if self.service == Service::Tts { Speech::Aloud } else { Speech::None },
                wishes,
                // Each question stands for itself: what was said before would be in the prompt.
                session: Some(began.elapsed().as_nanos().to_string()),
            };
            api::ask(&self.house.assistant, request).await.unwrap()
        };
        (record, began.elapsed().as_millis())
    }

    /// Asks, compares, and makes the score.
    pub(crate) async fn expect(&self, got: &Got, expected: &[(&str, Option<Class>)]) -> Score {
        let (record, ms) = self.ask().await;
        let attempts = attempts(&record, self.service);
        let went = went(&attempts);
        let expected: Vec<_> = expected.iter().map(|(name, class)| ((*name).to_owned(), *class)).collect();
        assert_eq!(went, expected, "the attempts: {attempts:#?}, the error: {:?}", record.error);
        let shown = match got {
            Got::Error(code) => {
                let error = record.error.as_ref().expect("the turn fails");
                assert_eq!(error.code, *code, "{error:?}");
                assert!(error.message.len() > 20, "{error:?}");
                if *code == Code::AllRoutesFailed {
                    let listed = error.detail.as_ref().and_then(Value::as_array).map_or(0, Vec::len);
                    assert_eq!(listed, attempts.len(), "the error lists every attempt: {error:?}");
                }
                format!("error: {}", row::code(*code))
            }
            Got::Silence(text) => {
                assert_eq!((record.error.as_ref(), &record.answer, record.spoken.as_str()), (None, text, ""));
                assert!(record.notices.iter().any(|notice| notice.kind == "not_spoken"), "{:?}", record.notices);
                "the answer to read, and why it is not heard".into()
            }
            Got::Text(text) => {
                assert_eq!(record.error, None);
                assert_eq!(self.shown(&record), text);
                format!("“{text}”")
            }
        };
        if matches!(got, Got::Text(_)) {
            self.check_report(&record, &attempts);
        }
        Score { got: shown, attempts: in_words(&went), ms }
    }

    fn shown<'a>(&self, record: &'a TurnRecord) -> &'a str {
        match self.service {
            Service::Stt => &record.transcript,
            Service::Llm | Service::Vlm => &record.answer,
            Service::Tts => &record.spoken,
        }
    }

    /// The report names who answered in the end, its model and what it used.
    fn check_report(&self, record: &TurnRecord, attempts: &[Attempt]) {
        let last = attempts.last().unwrap();
        let stage =
            record.stages.iter().find(|stage| stage.attempts.iter().any(|attempt| attempt.service == self.service));
        let stage = stage.unwrap();
        assert_eq!(stage.route.as_ref(), Some(&last.route), "the stage names the route that answered");
        assert!(!last.route.model.is_empty());
        let usage = &last.usage;
        match self.service {
            Service::Stt => assert!(usage.audio_seconds.is_some_and(|seconds| seconds > 1.0), "{usage:?}"),
            Service::Tts => assert!(usage.characters.is_some_and(|count| count > 0), "{usage:?}"),
            Service::Llm | Service::Vlm => {
                assert_eq!(usage.model.as_deref(), Some(last.route.model.as_str()), "{usage:?}");
                assert!(usage.input_tokens.is_some_and(|tokens| tokens > 0), "{usage:?}");
                assert!(usage.output_tokens.is_some_and(|tokens| tokens > 0), "{usage:?}");
            }
        }
        let fell_back = record.notices.iter().any(|notice| notice.kind == "fallback");
        let others =
            attempts.iter().any(|attempt| attempt.class.is_some() && attempt.route.provider != last.route.provider);
        assert_eq!(fell_back, others, "a fallback is said: {:?}", record.notices);
    }
}

/// What the person is to get.
pub(crate) enum Got {
    /// Exactly these words.
    Text(String),
    /// These words on the screen, and a notice in place of the voice.
    Silence(String),
    /// An error with this code.
    Error(Code),
}

/// The attempts for one service.
pub(crate) fn attempts(record: &TurnRecord, service: Service) -> Vec<Attempt> {
    let all = record.stages.iter().flat_map(|stage| &stage.attempts);
    all.filter(|attempt| attempt.service == service).cloned().collect()
}
