//! An API key never leaks: not into the log at trace level, errors, events, records, reports, files or panics, however
//! providers fail, and even when they send the key back.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aura_audio::Pcm;
use aura_core::api::{self, Ask, ChangeSettings, Listen, Nothing, SaveKey, Speech};
use aura_core::config::Environment;
use aura_core::error::Error;
use aura_core::{Assistant, Setup};
use aura_providers::{ChatRequest, FailureKind, Message, Role, Service, TranscriptionRequest};
use aura_router::{Attempt, Observer, RouteNotice, RouteOverrides, sink_fn};
use aura_sandbox::{
    ErrorBody, Fault, FaultKind, FilterForm, FixedAnswers, FixedAudio, GoneForm, Sandbox, SandboxConfig,
    StreamErrorForm, TestSignal,
};
use aura_testkit::fake_ports::{FakePorts, speech};
use aura_testkit::scripted::RecordingObserver;
use bytes::Bytes;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

/// The API key. No part of it occurs in other text.
const KEY: &str = "gsk_q7Zx9Kw2Vb4Nm8Rt3Yp6Hd1Jf5Lc0Gs_Qe7Ua9Iw";
/// This many consecutive characters of the key are a leak. An interface may show the last four.
const MIN_LEAK: usize = 8;
const PROVIDERS: [&str; 3] = ["groq", "gemini", "own"];
/// This many sets of faults are tried at once, each with its own sandbox: most of the time is spent waiting.
const PARALLEL: usize = 16;
/// Servers that cannot be reached: a closed port, an unknown host name, and a port without TLS.
const UNREACHABLE: [&str; 3] = ["refused", "unnamed", "untrusted"];

/// The surroundings of the first part of the key in a text.
fn find_leak(text: &str) -> Option<String> {
    let mut parts = KEY.as_bytes().windows(MIN_LEAK).filter_map(|part| std::str::from_utf8(part).ok());
    let at = parts.find_map(|part| text.find(part))?;
    Some(text[text.floor_char_boundary(at.saturating_sub(60))..].chars().take(120).collect())
}

/// Searches the log for leaks while it is written.
#[derive(Clone, Default)]
struct LeakDetector {
    leaks: Arc<Mutex<Vec<String>>>,
    lines: Arc<Mutex<usize>>,
    /// The crates that logged something.
    sources: Arc<Mutex<BTreeSet<String>>>,
}

impl Write for LeakDetector {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.leaks.lock().unwrap().extend(find_leak(&text));
        *self.lines.lock().unwrap() += 1;
        let source = text.split_whitespace().find(|word| word.ends_with(':')).unwrap_or_default();
        self.sources.lock().unwrap().insert(source.split("::").next().unwrap_or_default().to_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LeakDetector {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Every fault of the sandbox, and error bodies that contain the key in every place.
fn faults() -> Vec<Fault> {
    let mut all: Vec<Fault> = [400, 401, 402, 403, 404, 408, 413, 422, 424, 429, 498, 500, 502, 503, 504, 529]
        .map(|status| Fault::status(status).header("retry-after", "0.01"))
        .into();
    let forms = [StreamErrorForm::Event, StreamErrorForm::Data, StreamErrorForm::XGroq, StreamErrorForm::RawJson];
    all.extend(
        forms.into_iter().flat_map(|form| [0, 1].map(|after| Fault::new(FaultKind::StreamError { form, after }))),
    );
    all.extend(
        [
            FaultKind::RefuseAuth,
            FaultKind::Silent,
            FaultKind::Reset,
            FaultKind::CutAfter { chunks: 1, reset: true },
            FaultKind::CutAfter { chunks: 0, reset: false },
            FaultKind::StallAfter { chunks: 1 },
            FaultKind::MalformedChunk { after: 0 },
            FaultKind::NoFinish,
            FaultKind::NoDone,
            FaultKind::EmptyAnswer { finish: None },
            FaultKind::EmptyTranscript,
            FaultKind::ZeroAudio,
            FaultKind::TruncatedAudio,
            FaultKind::WrongContentType { content_type: "text/html".into() },
            FaultKind::ModelGone { form: GoneForm::NotFound },
            FaultKind::ModelGone { form: GoneForm::Decommissioned },
            FaultKind::ContextTooLong,
            FaultKind::ContentFilter { form: FilterForm::Prompt },
            FaultKind::ContentFilter { form: FilterForm::Answer },
            FaultKind::BodyTooLarge,
            FaultKind::RefusePrefill,
        ]
        .map(Fault::new),
    );
    let echoes = || {
        // Messages are cut at 200 or 300 characters: here, in the middle of the key.
        let padding = |count: usize| "x".repeat(count);
        let mut bodies = vec![
            ErrorBody::Text("Who is {key}?".into()),
            ErrorBody::Text("{key}".into()),
            ErrorBody::Text("<html><title>No {key}</title></html>".into()),
            ErrorBody::Text("{\"error\": \"{key} is wr".into()),
            ErrorBody::Text("data: {\"error\": {\"message\": \"bad {key}\"}}\n\n".into()),
            ErrorBody::Text("event: error\ndata: {key} is no key\n\n".into()),
            ErrorBody::Json(json!({"error": {"message": "see https://x.example/?key={key} or {key}"}})),
            ErrorBody::Json(json!({"error": "{key}"})),
            ErrorBody::Json(json!({"detail": [{"msg": "Bearer {key} is not known"}]})),
            ErrorBody::Json(json!({"error": {"status": "{key}", "details": [{"reason": "{key}"}], "code": "{key}"}})),
            ErrorBody::Json(json!({"error": {"message": "", "unknown": "{key}"}})),
            ErrorBody::Json(json!({"error": {"message": "no", "metadata": {"raw": "{key}"}}})),
            ErrorBody::Json(json!({"candidates": [{"finishReason": "SAFETY", "finishMessage": "said {key}"}]})),
            ErrorBody::Json(json!({"x_groq": {"error": "stopped at {key}"}})),
        ];
        for count in [165, 180, 190, 195, 265, 280, 290, 295] {
            bodies.push(ErrorBody::Text(format!("{} {{key}} and more", padding(count))));
            bodies.push(ErrorBody::Json(json!({"error": {"message": format!("{} {{key}} and more", padding(count))}})));
        }
        bodies
    };
    for status in [200, 400, 401, 403, 404, 429] {
        all.extend(echoes().into_iter().map(|body| Fault::status(status).body(body).header("retry-after", "0.01")));
    }
    all
}

/// An observer that panics with everything that it receives.
struct PanickingObserver;

impl Observer for PanickingObserver {
    fn attempt(&self, attempt: &Attempt) {
        panic!("{attempt:?}");
    }

    fn notice(&self, notice: RouteNotice) {
        panic!("{notice:?}");
    }
}

/// An assistant whose providers are the sandbox, all with the same API key.
struct Harness {
    sandbox: Sandbox,
    assistant: Assistant,
    fake_ports: FakePorts,
    folder: tempfile::TempDir,
}

impl Harness {
    async fn new() -> Self {
        let fixed = FixedAnswers {
            transcript: Some("what time is it".into()),
            audio: Some(FixedAudio { sound: TestSignal::Tone, ms: 300 }),
        };
        let config = SandboxConfig { key: KEY.into(), fixed, ..SandboxConfig::default() };
        let sandbox = Sandbox::start(config).await.unwrap();
        let environment: Environment = [
            ("GROQ_API_KEY", KEY.to_owned()),
            ("GROQ_BASE_URL", sandbox.groq_base_url()),
            ("GEMINI_API_KEY", KEY.to_owned()),
            ("GEMINI_BASE_URL", sandbox.gemini_base_url()),
        ]
        .into_iter()
        .collect();
        let folder = tempfile::tempdir().unwrap();
        let fake_ports = FakePorts::default();
        let settings_file = Some(folder.path().join("settings.toml"));
        let setup = Setup { data: folder.path().to_owned(), environment, settings_file, ..Setup::default() };
        let assistant = Assistant::start(fake_ports.ports(), setup).await.unwrap();
        assistant.start_background().await;
        let own = sandbox.openai_base_url();
        let changes = json!({
            "providers": {
                "own": {"preset": "openai", "base_url": own},
                "refused": {"preset": "openai", "base_url": "http://127.0.0.1:9/v1"},
                "unnamed": {"preset": "openai", "base_url": "https://nobody-has-this-name.invalid/v1"},
                "untrusted": {"preset": "openai", "base_url": own.replace("http://", "https://")},
            },
            "routes": {"llm": {"then": PROVIDERS}, "stt": {"then": PROVIDERS}, "tts": {"then": PROVIDERS}},
            "timeouts": {"first_content_ms": 800, "transcript_ms": 800, "between_ms": 400, "whole_ms": 10_000},
        });
        api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
        for provider in ["own"].into_iter().chain(UNREACHABLE) {
            let save = SaveKey { provider: provider.into(), key: KEY.into(), session_only: false };
            api::save_key(&assistant, save).await.unwrap();
        }
        Self { sandbox, assistant, fake_ports, folder }
    }

    /// Makes one request to one provider without a turn, so that many can run at once.
    async fn request(&self, provider: &str, service: Service) -> (Result<String, Error>, RecordingObserver) {
        let mut overrides = RouteOverrides::default();
        overrides.set(service, provider.to_owned());
        let (router, observer) = (self.assistant.router(), RecordingObserver::default());
        let plan = match router.plan(service, &overrides) {
            Ok(plan) => plan,
            Err(error) => return (Err(error.into()), observer),
        };
        let picture = Bytes::from_static(include_bytes!("../../../aura-testkit/src/screen.jpg"));
        let result = match service {
            Service::Stt => {
                let wav = aura_audio::speech_wav(&speech(1.0));
                let request =
                    TranscriptionRequest { wav, duration: Duration::from_secs(1), ..TranscriptionRequest::default() };
                router.transcribe(&plan, &request, true, &observer).await.map(|routed| routed.value.text)
            }
            Service::Llm | Service::Vlm => {
                let picture = Some(picture).filter(|_| service == Service::Vlm);
                let messages = vec![Message::new(Role::User, "What time is it?").with_image(picture)];
                let request = ChatRequest { messages, ..ChatRequest::default() };
                let routed = router.chat(&plan, &request, &observer, &mut sink_fn(|_: String| {})).await;
                routed.map(|routed| routed.value.text)
            }
            Service::Embedding => {
                let request = aura_providers::EmbeddingRequest::new("", ["What time is it?"]);
                let routed = router.embed(&plan, &request, &observer).await;
                routed.map(|routed| format!("{:?}", routed.route))
            }
            Service::Tts => {
                let spoken = router.speak(&plan, "It is three.", &observer, &mut sink_fn(|_: Pcm| {})).await;
                spoken.map(|routed| format!("{:?}", routed.route))
            }
        };
        (result.map_err(Error::from), observer)
    }

    /// Makes a request whose observer panics.
    async fn panic(&self, provider: &str) {
        let overrides = RouteOverrides { llm: Some(provider.into()), ..RouteOverrides::default() };
        let (router, plan) = (self.assistant.router().clone(), self.assistant.router().plan(Service::Llm, &overrides));
        let request =
            ChatRequest { messages: vec![Message::new(Role::User, "What time is it?")], ..ChatRequest::default() };
        let asked = async move {
            router.chat(&plan.unwrap(), &request, &PanickingObserver, &mut sink_fn(|_: String| {})).await.map(drop)
        };
        assert!(tokio::spawn(asked).await.is_err_and(|error| error.is_panic()), "{provider} did not panic");
    }

    /// Runs turns, for their records and events.
    async fn turns(&self) {
        let ask = Ask { text: "What time is it?".into(), screen: Some(false), speech: Speech::File, ..Ask::default() };
        let recording = self.folder.path().join("question.wav");
        std::fs::write(&recording, aura_audio::speech_wav(&speech(1.4))).unwrap();
        api::ask(&self.assistant, ask).await.unwrap();
        let listen = Listen { audio: recording, speech: Speech::File, ..Listen::default() };
        api::listen(&self.assistant, listen).await.unwrap();
    }

    /// Everything that an interface can show, as JSON.
    async fn shown(&self) -> String {
        let all = json!({
            "snapshot": api::snapshot(&self.assistant, Nothing {}).await.unwrap(),
            "health": api::health(&self.assistant, Nothing {}).await.unwrap(),
            "usage": api::usage(&self.assistant, Nothing {}).await.unwrap(),
        });
        let turns = serde_json::to_string(&*self.fake_ports.history.turns.lock().unwrap()).unwrap();
        let ledger = serde_json::to_string(&*self.fake_ports.ledger.0.lock().unwrap()).unwrap();
        format!("{all}{turns}{ledger}")
    }
}

/// Makes a request for every service to every provider, under each fault. Returns the leaks, and how many requests failed.
async fn run_faults(faults: &[Fault]) -> (Vec<String>, usize) {
    let harness = Harness::new().await;
    let mut events = harness.assistant.subscribe();
    let (mut found, mut failed) = (Vec::new(), 0);
    for fault in faults {
        harness.sandbox.add_fault(fault.clone());
        let all = PROVIDERS.into_iter().flat_map(|provider| Service::ALL.map(|service| (provider, service)));
        let requests = all.map(|(provider, service)| harness.request(provider, service));
        for (result, observer) in futures::future::join_all(requests).await {
            let reported = (observer.attempts.into_inner().unwrap(), observer.notices.into_inner().unwrap());
            failed += usize::from(result.is_err());
            // The text of an answer is not searched: the user may see all of it.
            let text = format!("{:?}{reported:?}{}", result.err(), serde_json::to_string(&reported.0).unwrap());
            let kind = if let FaultKind::Status { code, .. } = fault.kind {
                code.to_string()
            } else {
                fault.kind.name().into()
            };
            found.extend(find_leak(&text).map(|leak| format!("{kind}: {leak}")));
        }
        harness.assistant.refresh_model_lists().await;
        while let Ok(event) = events.try_recv() {
            found.extend(find_leak(&format!("{event:?}{}", serde_json::to_string(&event).unwrap())));
        }
        harness.sandbox.clear_faults();
    }
    harness.assistant.close().await;
    (found, failed)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_api_key_leaks() {
    let log = LeakDetector::default();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).with_ansi(false).init();
    let panics = LeakDetector::default();
    let hook = panics.clone();
    let default_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        hook.clone().write_all(panic.to_string().as_bytes()).unwrap();
        default_hook(panic);
    }));

    let harness = Harness::new().await;
    let mut events = harness.assistant.subscribe();
    let (faults, mut found, mut failed) = (faults(), Vec::new(), 0);
    let runs = faults.chunks(faults.len().div_ceil(PARALLEL)).map(run_faults);
    for (leaks, failures) in futures::future::join_all(runs).await {
        found.extend(leaks);
        failed += failures;
    }
    // Servers that cannot be reached, with every service.
    let unreachable = UNREACHABLE.into_iter().flat_map(|provider| Service::ALL.map(|service| (provider, service)));
    for (provider, service) in unreachable {
        let (result, observer) = harness.request(provider, service).await;
        let attempts = observer.attempts.into_inner().unwrap();
        // Looking up an unknown host name may take longer than the timeouts of this test.
        let is_unreachable = |kind| matches!(kind, Some(FailureKind::Unreachable | FailureKind::Timeout));
        assert!(attempts.iter().all(|attempt| is_unreachable(attempt.kind)), "{provider}: {attempts:?}");
        assert!(!attempts.is_empty() && result.is_err(), "{provider} cannot be reached");
        let text = format!("{:?}{attempts:?}{}", result.err(), serde_json::to_string(&attempts).unwrap());
        found.extend(find_leak(&text).map(|leak| format!("{provider}: {leak}")));
    }
    // An observer panics with everything that it received.
    let echo = ErrorBody::Text("Who is {key}?".into());
    harness.sandbox.add_fault(Fault::status(401).body(echo));
    let all: Vec<&str> = PROVIDERS.into_iter().chain(UNREACHABLE).collect();
    for provider in &all {
        harness.panic(provider).await;
    }
    harness.sandbox.clear_faults();
    // The records and events of whole turns.
    for body in ["Who is {key}?", "{\"error\": {\"message\": \"bad {key}\"}}"] {
        harness.sandbox.add_fault(Fault::status(401).body(ErrorBody::Text(body.into())));
        harness.turns().await;
        harness.sandbox.clear_faults();
        while let Ok(event) = events.try_recv() {
            found.extend(find_leak(&format!("{event:?}{}", serde_json::to_string(&event).unwrap())));
        }
    }
    harness.turns().await;
    harness.assistant.close().await;
    found.extend(find_leak(&harness.shown().await));
    for file in ["settings.toml", "models.json"] {
        let text = std::fs::read_to_string(harness.folder.path().join(file)).unwrap();
        found.extend(find_leak(&text).map(|leak| format!("{file}: {leak}")));
    }
    found.extend(log.leaks.lock().unwrap().iter().map(|leak| format!("log: {leak}")));
    found.extend(panics.leaks.lock().unwrap().iter().map(|leak| format!("panic: {leak}")));
    drop(std::panic::take_hook());
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{} leaks, such as {:#?}", found.len(), &found[..found.len().min(30)]);

    // The test covers what it should.
    assert!(failed > 500, "only {failed} requests failed");
    let sources = log.sources.lock().unwrap().clone();
    assert!(sources.contains("hyper_util") && sources.contains("aura_core"), "only {sources:?} logged something");
    assert!(*log.lines.lock().unwrap() > 10_000, "only {} lines were logged", log.lines.lock().unwrap());
    assert_eq!(*panics.lines.lock().unwrap(), all.len(), "exactly the observers panicked");
    assert!(find_leak(&format!("x{}x", &KEY[20..20 + MIN_LEAK])).is_some(), "a leak is found");
}
