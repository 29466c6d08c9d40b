//! An assistant with sandbox providers, its test question, and the checks that apply to every answer.

use std::path::PathBuf;
use std::time::Instant;

use aura_core::api::{self, Ask, Listen, SaveKey, Speech};
use aura_core::error::ErrorCode;
use aura_core::record::NoticeKind;
use aura_core::record::TurnRecord;
use aura_providers::{FailureKind, Service};
use aura_router::Attempt;
use aura_router::RouteOverrides;
use aura_sandbox::{Provider, Rule, RuleCondition, Script};
use serde_json::{Value, json};

use crate::case::{self, Score, describe, steps};
use aura_testkit::harness::Harness;

/// The name of the user-defined OpenAI-compatible server.
pub(crate) const CUSTOM: &str = "custom";

/// Timeouts that a busy computer does not exceed by chance, for cases that do not test a timeout.
pub(crate) fn long_timeouts() -> Value {
    json!({"timeouts": {"first_content_ms": 30_000, "transcript_ms": 30_000, "between_ms": 30_000, "whole_ms": 100_000}})
}

/// Timeouts short enough to wait for, for cases in which a provider stalls.
pub(crate) fn short_timeouts() -> Value {
    json!({"timeouts": {"first_content_ms": 2_500, "transcript_ms": 2_500, "between_ms": 2_500, "whole_ms": 100_000}})
}

/// The answer of a provider that works.
pub(crate) fn answer(provider: &str) -> String {
    format!("The answer of {provider} is three o'clock in the afternoon.")
}

/// The text by which a provider continues an interrupted answer.
pub(crate) fn continuation(provider: &str) -> String {
    format!("four o'clock, as {provider} continues.")
}

/// The transcript that a provider makes of the recording.
pub(crate) fn transcript(provider: &str) -> String {
    format!("what time is it, {provider} heard")
}

fn script() -> Script {
    let mut rules = Vec::new();
    for (name, provider) in [("groq", Provider::Groq), ("gemini", Provider::Gemini), (CUSTOM, Provider::Openai)] {
        let when = || RuleCondition { provider: Some(provider), ..RuleCondition::default() };
        let cut_off = RuleCondition { contains: Some("cut off".into()), ..when() };
        rules.push(Rule { when: cut_off, ..Rule::reply(continuation(name)) });
        rules.push(Rule { when: when(), ..Rule::reply(answer(name)) });
        let heard = RuleCondition { service: Some(aura_sandbox::Service::Stt), ..when() };
        rules.push(Rule { when: heard, ..Rule::reply(transcript(name)) });
    }
    Script { rules }
}

/// The sandbox's name for a provider.
pub(crate) fn sandbox_provider(name: &str) -> Provider {
    match name {
        "groq" => Provider::Groq,
        "gemini" => Provider::Gemini,
        _ => Provider::Openai,
    }
}

/// The sandbox's name for a service.
pub(crate) fn sandbox_service(service: Service) -> aura_sandbox::Service {
    match service {
        Service::Stt => aura_sandbox::Service::Stt,
        Service::Llm => aura_sandbox::Service::Llm,
        Service::Vlm => aura_sandbox::Service::Vlm,
        Service::Tts => aura_sandbox::Service::Tts,
        Service::Embedding => aura_sandbox::Service::Embedding,
    }
}

/// An assistant with a test question for one service.
pub(crate) struct Fixture {
    pub(crate) harness: Harness,
    service: Service,
    /// The provider that the question names, so that no other is called.
    pub(crate) pinned: Option<&'static str>,
    picture: PathBuf,
    recording: PathBuf,
    _folder: tempfile::TempDir,
}

impl Fixture {
    /// Routes the service to `first`, then `next`, then the remaining providers.
    pub(crate) async fn new(service: Service, first: &str, next: &str, settings: Value) -> Self {
        Self::of(Harness::new().await, service, first, next, settings).await
    }

    /// Like [`Self::new`], on a harness that the case prepared.
    pub(crate) async fn of(harness: Harness, service: Service, first: &str, next: &str, settings: Value) -> Self {
        harness.sandbox.set_script(script());
        let audio = aura_sandbox::FixedAudio { sound: aura_sandbox::TestSignal::Tone, ms: 400 };
        harness.sandbox.set_fixed(aura_sandbox::FixedAnswers { transcript: None, audio: Some(audio) });
        if [first, next].contains(&CUSTOM) {
            let custom = json!({CUSTOM: {"preset": "openai", "base_url": harness.sandbox.openai_base_url()}});
            harness.change(json!({ "providers": custom })).await;
            let key = SaveKey { provider: CUSTOM.into(), key: harness.sandbox.key().into(), session_only: true };
            api::save_key(&harness.assistant, key).await.unwrap();
        }
        harness.change(json!({"routes": {service.as_str(): {"provider": first, "then": [next]}}})).await;
        harness.change(settings).await;
        let folder = tempfile::tempdir().unwrap();
        let (picture, recording) = (folder.path().join("screen.jpg"), folder.path().join("question.wav"));
        let screen = include_bytes!("../../src-tauri/crates/aura-testkit/src/screen.jpg");
        std::fs::write(&picture, screen).unwrap();
        std::fs::write(&recording, aura_audio::speech_wav(&aura_testkit::fake_ports::speech(1.4))).unwrap();
        Self { harness, service, pinned: None, picture, recording, _folder: folder }
    }

    /// Asks the test question. Returns the turn and its duration in milliseconds.
    pub(crate) async fn ask(&self) -> (TurnRecord, u128) {
        let mut overrides = RouteOverrides::default();
        if let Some(pinned) = self.pinned {
            overrides.set(self.service, pinned.to_owned());
        }
        let began = Instant::now();
        let record = if self.service == Service::Stt {
            let request =
                Listen { audio: self.recording.clone(), speech: Speech::None, overrides, ..Listen::default() };
            api::listen(&self.harness.assistant, request).await.unwrap()
        } else {
            let request = Ask {
                text: "What time is it?".into(),
                image: (self.service == Service::Vlm).then(|| self.picture.clone()),
                screen: Some(false),
                speech: if self.service == Service::Tts { Speech::Aloud } else { Speech::None },
                overrides,
                // A session of its own: earlier turns would become part of the prompt.
                session: Some(began.elapsed().as_nanos().to_string()),
                picture: None,
                persona: None,
            };
            api::ask(&self.harness.assistant, request).await.unwrap()
        };
        (record, began.elapsed().as_millis())
    }

    /// Asks the test question and checks the result and the attempts.
    pub(crate) async fn expect(&self, got: &Expected, expected: &[(&str, Option<FailureKind>)]) -> Score {
        let (record, ms) = self.ask().await;
        let attempts = attempts(&record, self.service);
        let steps = steps(&attempts);
        let expected: Vec<_> = expected.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        assert_eq!(steps, expected, "the attempts: {attempts:#?}, the error: {:?}", record.error);
        let shown = match got {
            Expected::Error(code) => {
                let error = record.error.as_ref().expect("the turn fails");
                assert_eq!(error.code, *code, "{error:?}");
                assert!(error.message.len() > 20, "{error:?}");
                if *code == ErrorCode::AllRoutesFailed {
                    let listed = error.attempts().len();
                    assert_eq!(listed, attempts.len(), "the error lists every attempt: {error:?}");
                }
                format!("error: {}", case::code(*code))
            }
            Expected::NotSpoken(text) => {
                assert_eq!((record.error.as_ref(), &record.answer, record.spoken.as_str()), (None, text, ""));
                assert!(
                    record.notices.iter().any(|notice| notice.kind == NoticeKind::NotSpoken),
                    "{:?}",
                    record.notices
                );
                "text answer, and a notice that it was not spoken".into()
            }
            Expected::Text(text) => {
                assert_eq!(record.error, None);
                assert_eq!(self.shown(&record), text);
                format!("“{text}”")
            }
        };
        if matches!(got, Expected::Text(_)) {
            self.check_report(&record, &attempts);
        }
        Score { got: shown, attempts: describe(&steps), ms }
    }

    fn shown<'a>(&self, record: &'a TurnRecord) -> &'a str {
        match self.service {
            Service::Stt => &record.transcript,
            Service::Llm | Service::Vlm | Service::Embedding => &record.answer,
            Service::Tts => &record.spoken,
        }
    }

    /// Checks that the record names the route that answered, its model, its usage, and any fallback.
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
            Service::Embedding => assert!(usage.input_tokens.is_some_and(|tokens| tokens > 0), "{usage:?}"),
            Service::Llm | Service::Vlm => {
                assert_eq!(usage.model.as_deref(), Some(last.route.model.as_str()), "{usage:?}");
                assert!(usage.input_tokens.is_some_and(|tokens| tokens > 0), "{usage:?}");
                assert!(usage.output_tokens.is_some_and(|tokens| tokens > 0), "{usage:?}");
            }
        }
        let has_notice = record.notices.iter().any(|notice| notice.kind == NoticeKind::Fallback);
        let fell_back =
            attempts.iter().any(|attempt| attempt.kind.is_some() && attempt.route.provider != last.route.provider);
        assert_eq!(has_notice, fell_back, "a fallback has a notice: {:?}", record.notices);
    }
}

/// The result that a case expects.
pub(crate) enum Expected {
    /// Exactly this text.
    Text(String),
    /// This text without speech, and a notice that says so.
    NotSpoken(String),
    /// An error with this code.
    Error(ErrorCode),
}

/// The attempts that a turn made for one service.
pub(crate) fn attempts(record: &TurnRecord, service: Service) -> Vec<Attempt> {
    let all = record.stages.iter().flat_map(|stage| &stage.attempts);
    all.filter(|attempt| attempt.service == service).cloned().collect()
}
