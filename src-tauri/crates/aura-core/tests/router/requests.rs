//! One request at a time: who is called, what the person gets, and what is left in the books.

use std::sync::Arc;
use std::time::Duration;

use aura_core::api::{self, ChangeSettings, Nothing, SaveKey, Wishes};
use aura_core::config::Environment;
use aura_core::error::{Code, Error};
use aura_core::event::Event;
use aura_core::health::Status;
use aura_core::ports::Speaker;
use aura_core::providers::{AnswerFormat, ChatRequest, Class, Failure, Message, Role, Service, Tool, ToolChoice};
use aura_core::router::{Plan, policy};
use aura_core::usage::Basis;
use aura_core::{Assistant, Setup};
use serde_json::{Value, json};
use tokio::time::{advance, timeout};

use crate::machine::{FakeSpeaker, Machine};
use crate::scripted::{Asked, End, Play, Stage, Told};

/// An assistant whose providers do what a test says: `groq`, `gemini`, then `own`, a server of the person's, then this computer.
struct Desk {
    assistant: Assistant,
    stage: Stage,
    told: Told,
    _data: tempfile::TempDir,
}

/// Who was called and how it ended.
type Went<'a> = &'a [(&'a str, Option<Class>)];

impl Desk {
    async fn new(settings: Value) -> Self {
        let nobody = "http://127.0.0.1:9/";
        let environment: Environment = [
            ("GROQ_API_KEY", "a-key"),
            ("GROQ_BASE_URL", nobody),
            ("GEMINI_API_KEY", "a-key"),
            ("GEMINI_BASE_URL", nobody),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
        let data = tempfile::tempdir().unwrap();
        let setup = Setup { data: data.path().to_owned(), environment, ..Setup::default() };
        let assistant = Assistant::start(Machine::default().ports(), setup).await.unwrap();
        assistant.load_keys().await;
        let own = json!({"providers": {"own": {"preset": "openai", "base_url": nobody}}});
        for changes in [own, settings] {
            api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
        }
        let key = SaveKey { provider: "own".into(), key: "a-key".into(), session_only: true };
        api::save_key(&assistant, key).await.unwrap();
        Self { assistant, stage: Stage::default(), told: Told::default(), _data: data }
    }

    fn plan(&self, service: Service, wishes: &Wishes) -> Plan {
        self.stage.play(self.assistant.router().plan(service, wishes).unwrap())
    }

    /// What one provider does next, every other one answering well.
    fn set(&self, provider: &str, plays: impl IntoIterator<Item = Play>) {
        self.stage.set(provider, plays);
    }

    /// The answer, which is what was told piece by piece, or the error after the pieces.
    async fn ask(&self, question: ChatRequest) -> Result<String, (String, Error)> {
        let plan = self.plan(Service::Llm, &Wishes::default());
        let mut got = String::new();
        let mut on_text = |text: &str| got.push_str(text);
        match self.assistant.router().chat(&plan, &question, &self.told, &mut on_text).await {
            Ok(answered) => {
                assert_eq!(answered.value.text, got);
                Ok(got)
            }
            Err(error) => Err((got, error)),
        }
    }

    /// Who was called since this was asked last.
    fn went(&self) -> Vec<(String, Option<Class>)> {
        let attempts = std::mem::take(&mut *self.told.attempts.lock().unwrap());
        attempts.into_iter().map(|attempt| (attempt.route.provider, attempt.class)).collect()
    }

    #[track_caller]
    fn expect(&self, wanted: Went<'_>) {
        let wanted: Vec<_> = wanted.iter().map(|(name, class)| ((*name).to_owned(), *class)).collect();
        assert_eq!(self.went(), wanted);
    }

    fn notices(&self) -> Vec<String> {
        self.told.notices.lock().unwrap().iter().map(|notice| notice.message.clone()).collect()
    }
}

fn question() -> ChatRequest {
    ChatRequest { messages: vec![Message::new(Role::User, "What time is it?")], ..ChatRequest::default() }
}

const GROQ: &str = "groq";
const GEMINI: &str = "gemini";
const OWN: &str = "own";
const OFFLINE: &str = "offline";

#[tokio::test(start_paused = true)]
async fn who_rests_is_left_out_while_somebody_else_may_be_asked() {
    let desk = Desk::new(json!({})).await;
    let limited =
        Play { pieces: 0, end: End::Fails(Class::RateLimited, Some(Duration::from_secs(60))), ..Play::well() };
    desk.set(GROQ, [limited]);
    desk.ask(question()).await.unwrap();
    desk.expect(&[(GROQ, Some(Class::RateLimited)), (GEMINI, None)]);
    // Even when everyone else fails: it said that it would not answer.
    for provider in [GEMINI, OWN, OFFLINE] {
        desk.set(provider, [Play::fails(Class::Unreachable)]);
    }
    let (_, error) = desk.ask(question()).await.unwrap_err();
    assert_eq!(error.code, Code::AllRoutesFailed);
    let unreachable = Some(Class::Unreachable);
    desk.expect(&[(GEMINI, unreachable), (OWN, unreachable), (OFFLINE, unreachable)]);
}

#[tokio::test(start_paused = true)]
async fn who_failed_twice_is_the_last_resort_but_before_this_computer() {
    let desk = Desk::new(json!({})).await;
    desk.set(GROQ, [Play::fails(Class::Timeout), Play::fails(Class::Timeout)]);
    for _ in 0..2 {
        desk.ask(question()).await.unwrap();
        desk.expect(&[(GROQ, Some(Class::Timeout)), (GEMINI, None)]);
    }
    desk.ask(question()).await.unwrap();
    desk.expect(&[(GEMINI, None)]);
    for provider in [GEMINI, OWN] {
        desk.set(provider, [Play::fails(Class::Unreachable)]);
    }
    desk.ask(question()).await.unwrap();
    desk.expect(&[(GEMINI, Some(Class::Unreachable)), (OWN, Some(Class::Unreachable)), (GROQ, None)]);
}

#[tokio::test(start_paused = true)]
async fn the_last_provider_that_is_left_is_asked_again_unless_it_costs_another_its_turn() {
    let desk = Desk::new(json!({"routes": {"llm": {"provider": GROQ, "then": [GEMINI]}}})).await;
    desk.set(GROQ, [Play::fails(Class::Overloaded)]);
    desk.set(GEMINI, [Play::fails(Class::Overloaded), Play::fails(Class::Overloaded)]);
    desk.ask(question()).await.unwrap();
    let full = Some(Class::Overloaded);
    desk.expect(&[(GROQ, full), (GEMINI, full), (GEMINI, full), (OFFLINE, None)]);
}

#[tokio::test(start_paused = true)]
async fn who_rests_and_is_asked_all_the_same_is_asked_once() {
    let desk = Desk::new(json!({"routes": {"llm": {"provider": GROQ, "then": []}}})).await;
    desk.set(GROQ, (0..4).map(|_| Play::fails(Class::Overloaded)));
    let full = Some(Class::Overloaded);
    desk.ask(question()).await.unwrap();
    desk.expect(&[(GROQ, full), (GROQ, full), (GROQ, full), (OFFLINE, None)]);
    desk.ask(question()).await.unwrap();
    desk.expect(&[(GROQ, full), (OFFLINE, None)]);
}

#[tokio::test(start_paused = true)]
async fn one_key_alone_is_asked_again_before_this_computer_and_said_why_not() {
    let desk = Desk::new(json!({"routes": {"tts": {"provider": GROQ, "then": []}}})).await;
    desk.set(GROQ, (0..4).map(|_| Play::fails(Class::Overloaded)));
    let speaker: Arc<dyn Speaker> = Arc::new(FakeSpeaker::default());
    let plan = desk.plan(Service::Tts, &Wishes::default());
    let router = desk.assistant.router();
    for _ in 0..3 {
        router.speak(&plan, "It is three.", &speaker, &desk.told, &mut |_| {}).await.unwrap();
    }
    let full = Some(Class::Overloaded);
    let first = [(GROQ, full), (GROQ, full), (GROQ, full), (OFFLINE, None)];
    desk.expect(&[&first[..], &[(OFFLINE, None), (OFFLINE, None)]].concat());
    assert!(desk.notices().iter().any(|notice| notice.starts_with("Groq was not asked")), "{:?}", desk.notices());
}

#[tokio::test(start_paused = true)]
async fn parts_of_one_answer_stay_with_the_voice_that_spoke() {
    let desk = Desk::new(json!({})).await;
    desk.set(GROQ, [Play::fails(Class::Timeout)]);
    let speaker: Arc<dyn Speaker> = Arc::new(FakeSpeaker::default());
    let mut plan = desk.plan(Service::Tts, &Wishes::default());
    for _ in 0..3 {
        let spoken = desk.assistant.router().speak(&plan, "It is three.", &speaker, &desk.told, &mut |_| {}).await;
        plan.stay_with(&spoken.unwrap().route);
    }
    desk.expect(&[(GROQ, Some(Class::Timeout)), (GEMINI, None), (GEMINI, None), (GEMINI, None)]);
}

/// Enough answers of one second that it is known how long it takes.
async fn measured(desk: &Desk) {
    let slow = Play { wait: Duration::from_secs(1), ..Play::well() };
    desk.set(GROQ, (0..6).map(|_| slow.clone()));
    for _ in 0..6 {
        desk.ask(question()).await.unwrap();
    }
    desk.went();
}

#[tokio::test(start_paused = true)]
async fn nobody_is_raced_against_who_rests_or_only_stands_in() {
    let desk = Desk::new(json!({"hedge": true, "routes": {"llm": {"provider": GROQ, "then": [GEMINI]}}})).await;
    measured(&desk).await;
    let limited =
        Play { pieces: 0, end: End::Fails(Class::RateLimited, Some(Duration::from_secs(600))), ..Play::well() };
    desk.set(GEMINI, [limited]);
    desk.set(GROQ, [Play::fails(Class::Empty), Play::fails(Class::Empty)]);
    desk.ask(question()).await.unwrap();
    desk.went();
    desk.set(GROQ, [Play { wait: Duration::from_secs(5), ..Play::well() }]);
    desk.ask(question()).await.unwrap();
    desk.expect(&[(GROQ, None)]);
}

#[tokio::test(start_paused = true)]
async fn what_the_second_of_two_is_refused_does_not_end_the_first() {
    for class in [Class::InvalidRequest, Class::Blocked, Class::Overloaded] {
        let desk = Desk::new(json!({"hedge": true})).await;
        measured(&desk).await;
        desk.set(GROQ, [Play { wait: Duration::from_secs(5), ..Play::well() }]);
        desk.set(GEMINI, [Play::fails(class)]);
        assert_eq!(desk.ask(question()).await.unwrap(), "groq0 groq1 ");
        desk.expect(&[(GEMINI, Some(class)), (GROQ, None)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_call_in_the_books_was_made() {
    let desk = Desk::new(json!({"hedge": true})).await;
    measured(&desk).await;
    for _ in 0..30 {
        desk.stage.clear();
        // It answers just when it is so late that a second one would be asked.
        desk.set(GROQ, [Play { wait: Duration::from_secs(1), ..Play::well() }]);
        desk.ask(question()).await.unwrap();
        assert_eq!(desk.went().len(), desk.stage.made().len());
    }
}

#[tokio::test(start_paused = true)]
async fn json_that_breaks_off_is_asked_for_anew() {
    let desk = Desk::new(json!({})).await;
    let format = AnswerFormat::Schema { name: "x".into(), schema: json!({"type": "object"}), strict: None };
    for format in [AnswerFormat::Json, format] {
        desk.set(GROQ, [Play::says(&["{\"time\": ", "\"thr"], End::Breaks)]);
        desk.set(GEMINI, [Play::says(&["{\"time\": ", "\"four\"}"], End::Well)]);
        let answer = desk.ask(ChatRequest { format, ..question() }).await.unwrap();
        assert_eq!(answer, "{\"time\": \"four\"}");
        desk.expect(&[(GROQ, Some(Class::Interrupted)), (GEMINI, None)]);
        let asked = desk.stage.made().last().unwrap().question().clone();
        assert_eq!(asked.messages.len(), 1, "nothing is to be continued: {:?}", asked.messages);
        desk.set(GROQ, [Play::well()]);
        desk.ask(question()).await.unwrap();
        desk.went();
    }
}

#[tokio::test(start_paused = true)]
async fn who_goes_on_does_not_say_it_again() {
    let desk = Desk::new(json!({})).await;
    desk.set(GROQ, [Play::says(&["It", " is", " three", " o'cl"], End::Breaks)]);
    desk.set(GEMINI, [Play::says(&["It is ", "three o'", "clock. ", "Good night."], End::Well)]);
    assert_eq!(desk.ask(question()).await.unwrap(), "It is three o'clock. Good night.");
    desk.expect(&[(GROQ, Some(Class::Interrupted)), (GEMINI, None)]);
    let made = desk.stage.made();
    assert_eq!(made[1].question().messages[1].text(), "It is three ", "the word that was cut is not shown to anyone");
}

#[tokio::test(start_paused = true)]
async fn three_routes_make_one_answer_and_the_notice_names_them() {
    let desk = Desk::new(json!({})).await;
    desk.set(GROQ, [Play::says(&["It ", "is "], End::Breaks)]);
    desk.set(GEMINI, [Play::fails(Class::Overloaded)]);
    desk.set(OWN, [Play::says(&["three. "], End::Fails(Class::Overloaded, None))]);
    desk.set(OFFLINE, [Play::says(&["Good night."], End::Well)]);
    assert_eq!(desk.ask(question()).await.unwrap(), "It is three. Good night.");
    let notice =
        "Groq broke off, Google Gemini did not answer (was overloaded), own broke off. This computer continued.";
    assert_eq!(desk.notices(), [notice]);

    // Who said nothing is not said to be continued.
    desk.told.notices.lock().unwrap().clear();
    desk.set(GROQ, [Play::says(&["It"], End::Breaks)]);
    assert_eq!(desk.ask(question()).await.unwrap(), "gemini0 gemini1 ");
    assert_eq!(desk.notices(), ["Groq did not answer (broke off). Google Gemini did."]);
}

#[tokio::test(start_paused = true)]
async fn a_half_sentence_is_no_answer_even_if_nobody_goes_on() {
    let nothing = || Play::says(&[], End::Well);
    let desk = Desk::new(json!({"routes": {"llm": {"provider": GROQ, "then": [GEMINI]}}, "fallback": true})).await;
    desk.set(GROQ, [Play::says(&["It is "], End::Breaks)]);
    desk.set(GEMINI, [nothing(), nothing()]);
    desk.set(OFFLINE, [nothing(), nothing()]);
    let (said, error) = desk.ask(question()).await.unwrap_err();
    assert_eq!((said.as_str(), error.code), ("It is ", Code::AllRoutesFailed));
    // Or if all that comes is what was said already.
    advance(Duration::from_secs(3_600)).await;
    desk.went();
    desk.set(GROQ, [Play::says(&["It is "], End::Breaks)]);
    desk.set(GEMINI, [Play::says(&["It is"], End::Well), Play::says(&["it is three."], End::Well)]);
    assert_eq!(desk.ask(question()).await.unwrap(), "It is three.");
    desk.expect(&[(GROQ, Some(Class::Interrupted)), (GEMINI, Some(Class::Empty)), (GEMINI, None)]);
    // What ends a sentence may have been all.
    advance(Duration::from_secs(3_600)).await;
    desk.set(GROQ, [Play::says(&["It is three. "], End::Breaks)]);
    desk.set(GEMINI, [nothing()]);
    assert_eq!(desk.ask(question()).await.unwrap(), "It is three. ");
}

#[tokio::test(start_paused = true)]
async fn tools_that_may_be_left_out_cost_an_attempt_of_the_same_budget() {
    let desk = Desk::new(json!({})).await;
    let tool = Tool { name: "tool".into(), description: None, parameters: None, strict: None };
    let request = ChatRequest { tools: vec![tool], tools_optional: true, ..question() };
    let tools =
        |desk: &Desk| -> Vec<usize> { desk.stage.made().iter().map(|made| made.question().tools.len()).collect() };
    desk.set(GROQ, [Play::fails(Class::Unsupported), Play::fails(Class::Unsupported)]);
    desk.ask(request.clone()).await.unwrap();
    let not_taken = Some(Class::Unsupported);
    desk.expect(&[(GROQ, not_taken), (GROQ, not_taken), (GEMINI, None)]);
    assert_eq!(tools(&desk), [1, 0, 1], "the next one may take them");

    desk.stage.clear();
    desk.set(GROQ, [Play::fails(Class::InvalidRequest)]);
    assert_eq!(desk.ask(request.clone()).await.unwrap(), "groq0 groq1 ");
    desk.expect(&[(GROQ, Some(Class::InvalidRequest)), (GROQ, None)]);

    desk.stage.clear();
    for provider in [GROQ, GEMINI, OWN] {
        desk.set(provider, (0..9).map(|_| Play::fails(Class::Unsupported)));
    }
    desk.ask(request.clone()).await.unwrap_err();
    assert_eq!((desk.went().len(), desk.stage.made().len()), (policy::BUDGET, policy::BUDGET));

    // Tools that somebody needs are never left out.
    desk.stage.clear();
    desk.set(GROQ, [Play::fails(Class::InvalidRequest)]);
    let needed = ChatRequest { tools_optional: false, tool_choice: ToolChoice::Required, ..request };
    desk.ask(needed).await.unwrap_err();
    desk.expect(&[(GROQ, Some(Class::InvalidRequest))]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_stopped_is_in_the_books() {
    let desk = Desk::new(json!({})).await;
    let breaks = Play::says(&["It is "], End::Never);
    for (play, given_up_after) in [(Play::never(), 1), (breaks, 1)] {
        desk.set(GROQ, [play]);
        let asked = timeout(Duration::from_secs(given_up_after), desk.ask(question())).await;
        assert!(asked.is_err(), "it was given up");
        let attempts = std::mem::take(&mut *desk.told.attempts.lock().unwrap());
        let [attempt] = attempts.as_slice() else { panic!("{attempts:?}") };
        assert_eq!((attempt.route.provider.as_str(), attempt.class, attempt.ms), (GROQ, Some(Class::Cancelled), 1_000));
        assert_eq!((attempt.cost.usd, attempt.cost.basis), (None, Basis::Unknown), "somebody may bill it");
    }
    let used = api::usage(&desk.assistant, Nothing {}).await.unwrap();
    assert_eq!((used.today.attempts, used.today.failed, used.today.unknown), (2, 0, 2));
    let health = api::health(&desk.assistant, Nothing {}).await.unwrap();
    let groq = health.providers.iter().find(|provider| provider.name == GROQ).unwrap();
    assert_eq!(groq.status, Status::Healthy, "it says nothing about the provider");
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_is_told_for_each_service_and_so_is_a_new_one() {
    let desk = Desk::new(json!({})).await;
    let mut events = desk.assistant.subscribe();
    let mut told = || {
        let mut told = Vec::new();
        while let Ok(event) = events.try_recv() {
            if let Event::Availability { provider, service, status, .. } = event {
                assert_eq!(provider, OWN);
                told.push((service, status));
            }
        }
        told.sort();
        told
    };
    let wishes = Wishes { llm: Some(format!("{OWN}/m")), ..Wishes::default() };
    let plan = desk.plan(Service::Llm, &wishes);
    desk.set(OWN, [Play::fails(Class::Auth)]);
    let router = desk.assistant.router();
    router.chat(&plan, &question(), &desk.told, &mut |_| {}).await.unwrap_err();
    assert_eq!(told(), Service::ALL.map(|service| (service, Status::Unhealthy)));
    let key = SaveKey { provider: OWN.into(), key: "another-key".into(), session_only: true };
    api::save_key(&desk.assistant, key).await.unwrap();
    assert_eq!(told().len(), 4, "it may be asked again");
    assert_eq!(told(), []);
}

#[test]
fn a_refusal_at_the_gate_is_no_refused_key() {
    let gate = "The provider's gate refused this connection (error code: 1010). A proxy, a VPN or the region may be the reason.";
    let refusal = |status, message: &str| Failure { status: Some(status), ..Failure::new(Class::Auth, message) };
    assert!(!policy::refuses_key(&refusal(403, gate)));
    assert!(policy::refuses_key(&refusal(401, "Invalid API key")));
    assert_eq!(policy::pause(&refusal(403, gate)), None, "it is left alone like anyone who fails");
}

/// A provider that says that it cannot answer and then takes its time to say why: what it cannot is known from the first line on.
#[tokio::test]
async fn the_words_of_an_error_are_waited_for_as_long_as_the_settings_say() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/v1", server.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut socket, _)) = server.accept().await {
            let head =
                b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\nIt is";
            tokio::io::AsyncReadExt::read(&mut socket, &mut [0; 8_192]).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut socket, head).await.unwrap();
            open.push(socket);
        }
    });
    let data = tempfile::tempdir().unwrap();
    let setup = Setup { data: data.path().to_owned(), ..Setup::default() };
    let assistant = Assistant::start(Machine::default().ports(), setup).await.unwrap();
    // The first content is due long before the three seconds that an error's words have otherwise.
    let clocks =
        json!({"first_content_ms": 1_500, "local_first_content_ms": 1_500, "error_body_ms": 100, "connect_ms": 1_000});
    let changes = json!({"providers": {"own": {"base_url": address}}, "clocks": clocks});
    api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
    let plan = assistant.router().plan(Service::Llm, &Wishes { llm: Some("own/m".into()), ..Wishes::default() });
    let told = Told::default();
    assistant.router().chat(&plan.unwrap(), &question(), &told, &mut |_| {}).await.unwrap_err();
    let attempts = told.attempts.into_inner().unwrap();
    assert_eq!((attempts[0].class, attempts[0].message.as_deref()), (Some(Class::Overloaded), Some("It is")));
}

#[tokio::test]
async fn the_sandbox_is_all_that_is_asked_in_the_sandbox() {
    let sandbox = aura_sandbox::Sandbox::start(aura_sandbox::SandboxConfig::default()).await.unwrap();
    let mut environment = Environment::default();
    for (name, value) in [("GROQ_API_KEY", sandbox.key().to_owned()), ("GROQ_BASE_URL", sandbox.groq_base_url())] {
        environment.set(name, value);
    }
    let data = tempfile::tempdir().unwrap();
    // What was listed in earnest.
    let kept = data.path().join("models.json");
    std::fs::write(&kept, "{}").unwrap();
    let setup = Setup { data: data.path().to_owned(), environment, sandbox: true, ..Setup::default() };
    let assistant = Assistant::start(Machine::default().ports(), setup).await.unwrap();
    let changes = json!({
        "providers": {"own": {"preset": "openai", "base_url": sandbox.openai_base_url()}},
        "routes": {"llm": {"provider": "own"}},
    });
    api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
    let key = SaveKey { provider: OWN.into(), key: "a-key-that-costs-money".into(), session_only: true };
    let _ = api::save_key(&assistant, key).await;
    assistant.load_keys().await;
    assistant.ask_providers().await;
    let providers: Vec<String> = assistant.router().providers().into_iter().map(|view| view.name).collect();
    assert_eq!(providers, [GROQ, GEMINI, OFFLINE]);
    let plan = assistant.router().plan(Service::Llm, &Wishes::default()).unwrap();
    assert!(plan.candidates.iter().all(|candidate| candidate.route.provider != OWN));
    assert!(assistant.router().plan(Service::Llm, &Wishes { llm: Some(OWN.into()), ..Wishes::default() }).is_err());
    let asked = sandbox.requests().await;
    assert!(!asked.is_empty() && asked.iter().all(|request| request.provider == aura_sandbox::Provider::Groq));
    // The lists are kept apart: the file is written by a task of its own.
    let apart = data.path().join("models.sandbox.json");
    for _ in 0..1_000 {
        if apart.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(apart.exists());
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "{}");
}

#[tokio::test(start_paused = true)]
async fn speech_that_breaks_off_is_continued_and_paid_for_where_it_was_made() {
    let desk = Desk::new(json!({})).await;
    let speaker: Arc<dyn Speaker> = Arc::new(FakeSpeaker::default());
    desk.set(GROQ, [Play { pieces: 1, end: End::Breaks, ..Play::well() }]);
    let plan = desk.plan(Service::Tts, &Wishes::default());
    let text = "One two three four five six seven eight nine ten.";
    desk.assistant.router().speak(&plan, text, &speaker, &desk.told, &mut |_| {}).await.unwrap();
    let made = desk.stage.made();
    let Asked::Text(rest) = &made[1].asked else { panic!("{made:?}") };
    assert!(text.ends_with(rest.as_str()) && rest.len() < text.len(), "{rest}");
    assert_eq!(desk.notices(), ["Groq broke off. Google Gemini continued."]);
    let attempts = std::mem::take(&mut *desk.told.attempts.lock().unwrap());
    assert!(attempts.iter().all(|attempt| attempt.usage.input_tokens == Some(7)), "{attempts:?}");
}
