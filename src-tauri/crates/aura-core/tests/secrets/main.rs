//! A key comes out nowhere: not in the log at its most verbose, not in errors, events, records or reports, not in panics, however
//! providers fail and even when they repeat the key themselves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[allow(dead_code, reason = "the turns' tests use all of it")]
#[path = "../turn/machine.rs"]
mod machine;
#[allow(dead_code, reason = "the router's tests use all of it")]
#[path = "../router/scripted.rs"]
mod scripted;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aura_core::api::{self, Ask, ChangeSettings, Listen, Nothing, SaveKey, Speech, Wishes};
use aura_core::config::Environment;
use aura_core::error::Error;
use aura_core::ports::Speaker;
use aura_core::providers::{ChatRequest, Class, Message, Role, Service, SttRequest};
use aura_core::record::{Attempt, Notice};
use aura_core::router::Observer;
use aura_core::{Assistant, Setup};
use aura_sandbox::{
    ErrorBody, Fault, FaultKind, FilterForm, Fixed, FixedAudio, GoneForm, Sandbox, SandboxConfig, Sound,
    StreamErrorForm,
};
use bytes::Bytes;
use machine::{FakeSpeaker, Machine};
use scripted::Told;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

/// No part of it is a word of anything else.
const KEY: &str = "gsk_q7Zx9Kw2Vb4Nm8Rt3Yp6Hd1Jf5Lc0Gs_Qe7Ua9Iw";
/// So many letters of it in a row are a leak; the interface may show the last four.
const TELLING: usize = 8;
const PROVIDERS: [&str; 3] = ["groq", "gemini", "own"];
/// Servers that no connection leads to: nobody listens, nobody has the name, nobody speaks TLS there.
const NOWHERE: [&str; 3] = ["refused", "unnamed", "untrusted"];

/// Where the key, or a part of it, shows first in a text.
fn leaks(text: &str) -> Option<String> {
    let mut parts = KEY.as_bytes().windows(TELLING).filter_map(|part| std::str::from_utf8(part).ok());
    let at = parts.find_map(|part| text.find(part))?;
    Some(text[text.floor_char_boundary(at.saturating_sub(60))..].chars().take(120).collect())
}

/// Reads the log as it is written.
#[derive(Clone, Default)]
struct Reader {
    leaks: Arc<Mutex<Vec<String>>>,
    lines: Arc<Mutex<usize>>,
    /// What wrote something: the beginning of each module's name.
    sources: Arc<Mutex<std::collections::BTreeSet<String>>>,
}

impl Write for Reader {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.leaks.lock().unwrap().extend(leaks(&text));
        *self.lines.lock().unwrap() += 1;
        let source = text.split_whitespace().find(|word| word.ends_with(':')).unwrap_or_default();
        self.sources.lock().unwrap().insert(source.split("::").next().unwrap_or_default().to_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Reader {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything the sandbox can do wrong, and everything it can say about the key.
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
        // The message is cut at 200 or 300 letters: in the middle of the key, whichever it is.
        let before = |count: usize| "x".repeat(count);
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
            bodies.push(ErrorBody::Text(format!("{} {{key}} and more", before(count))));
            bodies.push(ErrorBody::Json(json!({"error": {"message": format!("{} {{key}} and more", before(count))}})));
        }
        bodies
    };
    for status in [200, 400, 401, 403, 404, 429] {
        all.extend(echoes().into_iter().map(|body| Fault::status(status).body(body).header("retry-after", "0.01")));
    }
    all
}

/// Panics at the first thing that it is told.
struct Startled;

impl Observer for Startled {
    fn attempt(&self, attempt: &Attempt) {
        panic!("{attempt:?}");
    }

    fn notice(&self, notice: Notice) {
        panic!("{notice:?}");
    }
}

struct House {
    sandbox: Sandbox,
    assistant: Assistant,
    machine: Machine,
    folder: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let fixed = Fixed {
            transcript: Some("what time is it".into()),
            audio: Some(FixedAudio { sound: Sound::Tone, ms: 300 }),
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
        let machine = Machine::default();
        let settings_file = Some(folder.path().join("settings.toml"));
        let setup = Setup { data: folder.path().to_owned(), environment, settings_file, ..Setup::default() };
        let assistant = Assistant::start(machine.ports(), setup).await.unwrap();
        assistant.load_keys().await;
        let own = sandbox.openai_base_url();
        let changes = json!({
            "providers": {
                "own": {"preset": "openai", "base_url": own},
                "refused": {"preset": "openai", "base_url": "http://127.0.0.1:9/v1"},
                "unnamed": {"preset": "openai", "base_url": "https://nobody-has-this-name.invalid/v1"},
                "untrusted": {"preset": "openai", "base_url": own.replace("http://", "https://")},
            },
            "routes": {"llm": {"then": PROVIDERS}, "stt": {"then": PROVIDERS}, "tts": {"then": PROVIDERS}},
            "clocks": {"first_content_ms": 800, "transcript_ms": 800, "between_ms": 400, "whole_ms": 10_000},
        });
        api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
        for provider in ["own"].into_iter().chain(NOWHERE) {
            let save = SaveKey { provider: provider.into(), key: KEY.into(), session_only: false };
            api::save_key(&assistant, save).await.unwrap();
        }
        Self { sandbox, assistant, machine, folder }
    }

    /// One request to one provider, past the turn: many of them run at once.
    async fn request(&self, provider: &str, service: Service) -> (Result<String, Error>, Told) {
        let wish = Some(provider.to_owned());
        let wishes = match service {
            Service::Stt => Wishes { stt: wish, ..Wishes::default() },
            Service::Llm => Wishes { llm: wish, ..Wishes::default() },
            Service::Vlm => Wishes { vlm: wish, ..Wishes::default() },
            Service::Tts => Wishes { tts: wish, ..Wishes::default() },
        };
        let (router, told) = (self.assistant.router(), Told::default());
        let plan = match router.plan(service, &wishes) {
            Ok(plan) => plan,
            Err(error) => return (Err(error), told),
        };
        let picture = Bytes::from_static(include_bytes!("../turn/screen.jpg"));
        let result = match service {
            Service::Stt => {
                let wav = aura_core::audio::speech_wav(&machine::speech(1.0));
                let request = SttRequest { wav, duration: Duration::from_secs(1), ..SttRequest::default() };
                router.transcribe(&plan, &request, true, &told).await.map(|answered| answered.value.text)
            }
            Service::Llm | Service::Vlm => {
                let picture = Some(picture).filter(|_| service == Service::Vlm);
                let messages = vec![Message::new(Role::User, "What time is it?").showing(picture)];
                let request = ChatRequest { messages, ..ChatRequest::default() };
                let answered = router.chat(&plan, &request, &told, &mut |_| {}).await;
                answered.map(|answered| answered.value.text)
            }
            Service::Tts => {
                let speaker: Arc<dyn Speaker> = Arc::new(FakeSpeaker::default());
                let spoken = router.speak(&plan, "It is three.", &speaker, &told, &mut |_| {}).await;
                spoken.map(|answered| format!("{:?}", answered.route))
            }
        };
        (result, told)
    }

    /// A request whose observer panics with all that it was told.
    async fn panic(&self, provider: &str) {
        let wishes = Wishes { llm: Some(provider.into()), ..Wishes::default() };
        let (router, plan) = (self.assistant.router().clone(), self.assistant.router().plan(Service::Llm, &wishes));
        let request =
            ChatRequest { messages: vec![Message::new(Role::User, "What time is it?")], ..ChatRequest::default() };
        let asked = async move { router.chat(&plan.unwrap(), &request, &Startled, &mut |_| {}).await.map(drop) };
        assert!(tokio::spawn(asked).await.is_err_and(|error| error.is_panic()), "{provider} did not panic");
    }

    /// Whole turns, for their records and events.
    async fn turns(&self) {
        let ask = Ask { text: "What time is it?".into(), screen: Some(false), speech: Speech::File, ..Ask::default() };
        let recording = self.folder.path().join("question.wav");
        std::fs::write(&recording, aura_core::audio::speech_wav(&machine::speech(1.4))).unwrap();
        api::ask(&self.assistant, ask).await.unwrap();
        let listen = Listen { audio: recording, speech: Speech::File, ..Listen::default() };
        api::listen(&self.assistant, listen).await.unwrap();
    }

    /// Everything that an interface can show.
    async fn shown(&self) -> String {
        let all = json!({
            "snapshot": api::snapshot(&self.assistant, Nothing {}).await.unwrap(),
            "health": api::health(&self.assistant, Nothing {}).await.unwrap(),
            "usage": api::usage(&self.assistant, Nothing {}).await.unwrap(),
        });
        let turns = serde_json::to_string(&*self.machine.history.0.lock().unwrap()).unwrap();
        let ledger = serde_json::to_string(&*self.machine.ledger.0.lock().unwrap()).unwrap();
        format!("{all}{turns}{ledger}")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_seen_anywhere() {
    let log = Reader::default();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).with_ansi(false).init();
    let panics = Reader::default();
    let hook = panics.clone();
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        hook.clone().write_all(panic.to_string().as_bytes()).unwrap();
        usual(panic);
    }));

    let house = House::new().await;
    let mut events = house.assistant.subscribe();
    let mut found: Vec<String> = Vec::new();
    let mut failed = 0;
    for fault in faults() {
        house.sandbox.add_fault(fault.clone());
        let all = PROVIDERS.into_iter().flat_map(|provider| Service::ALL.map(|service| (provider, service)));
        let requests = all.map(|(provider, service)| house.request(provider, service));
        for (result, told) in futures::future::join_all(requests).await {
            let told = (told.attempts.into_inner().unwrap(), told.notices.into_inner().unwrap());
            failed += usize::from(result.is_err());
            // What a provider answers is the person's to read, whatever it is.
            let text = format!("{:?}{told:?}{}", result.err(), serde_json::to_string(&told.0).unwrap());
            let kind = if let FaultKind::Status { code, .. } = fault.kind {
                code.to_string()
            } else {
                fault.kind.name().into()
            };
            found.extend(leaks(&text).map(|leak| format!("{kind}: {leak}")));
        }
        house.assistant.ask_providers().await;
        while let Ok(event) = events.try_recv() {
            found.extend(leaks(&format!("{event:?}{}", serde_json::to_string(&event).unwrap())));
        }
        house.sandbox.clear_faults();
    }
    // Where no connection leads: every service, and what is said of it.
    let nowhere = NOWHERE.into_iter().flat_map(|provider| Service::ALL.map(|service| (provider, service)));
    for (provider, service) in nowhere {
        let (result, told) = house.request(provider, service).await;
        let attempts = told.attempts.into_inner().unwrap();
        // Whoever looks up names may take longer than the clocks of this test to say that there is no such name.
        let out_of_reach = |class| matches!(class, Some(Class::Unreachable | Class::Timeout));
        assert!(attempts.iter().all(|attempt| out_of_reach(attempt.class)), "{provider}: {attempts:?}");
        assert!(!attempts.is_empty() && result.is_err(), "{provider} cannot be reached");
        let text = format!("{:?}{attempts:?}{}", result.err(), serde_json::to_string(&attempts).unwrap());
        found.extend(leaks(&text).map(|leak| format!("{provider}: {leak}")));
    }
    // Somebody panics with everything in hand.
    let startled = ErrorBody::Text("Who is {key}?".into());
    house.sandbox.add_fault(Fault::status(401).body(startled));
    let all: Vec<&str> = PROVIDERS.into_iter().chain(NOWHERE).collect();
    for provider in &all {
        house.panic(provider).await;
    }
    house.sandbox.clear_faults();
    // The records and events of whole turns.
    for body in ["Who is {key}?", "{\"error\": {\"message\": \"bad {key}\"}}"] {
        house.sandbox.add_fault(Fault::status(401).body(ErrorBody::Text(body.into())));
        house.turns().await;
        house.sandbox.clear_faults();
        while let Ok(event) = events.try_recv() {
            found.extend(leaks(&format!("{event:?}{}", serde_json::to_string(&event).unwrap())));
        }
    }
    house.turns().await;
    house.assistant.close().await;
    found.extend(leaks(&house.shown().await));
    for file in ["settings.toml", "models.json"] {
        let text = std::fs::read_to_string(house.folder.path().join(file)).unwrap();
        found.extend(leaks(&text).map(|leak| format!("{file}: {leak}")));
    }
    found.extend(log.leaks.lock().unwrap().iter().map(|leak| format!("log: {leak}")));
    found.extend(panics.leaks.lock().unwrap().iter().map(|leak| format!("panic: {leak}")));
    drop(std::panic::take_hook());
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{} leaks, such as {:#?}", found.len(), &found[..found.len().min(30)]);

    // The test looked where it should.
    assert!(failed > 500, "only {failed} requests failed");
    let sources = log.sources.lock().unwrap().clone();
    assert!(sources.contains("hyper_util") && sources.contains("aura_core"), "the log has no more than {sources:?}");
    assert!(*log.lines.lock().unwrap() > 10_000, "only {} lines were logged", log.lines.lock().unwrap());
    assert_eq!(*panics.lines.lock().unwrap(), all.len(), "what was to panic did, and nothing else");
    assert!(leaks(&format!("x{}x", &KEY[20..20 + TELLING])).is_some(), "a leak would be seen");
}
