//! Single requests through the assistant's router: which providers are called, what the caller gets, and what is recorded.

use std::time::Duration;

use aura_audio::Pcm;
use aura_core::api::{self, ChangeSettings, Nothing, SaveKey};
use aura_core::config::Environment;
use aura_core::error::{Error, ErrorCode};
use aura_core::event::Event;
use aura_core::{Assistant, Setup};
use aura_providers::{ChatRequest, Failure, FailureKind, Message, ResponseFormat, Role, Service, Tool, ToolChoice};
use aura_router::health::Status;
use aura_router::{CostBasis, ProviderProblem, RouteOverrides, RoutePlan, retry_policy, sink_fn};
use aura_testkit::fake_ports::FakePorts;
use aura_testkit::scripted::{CallInput, End, RecordingObserver, ScriptedCall, ScriptedProviders};
use serde_json::{Value, json};
use tokio::time::{advance, sleep, timeout};

/// An assistant with scripted providers: `groq`, `gemini`, then `own`, a server that the user added, then the offline fallback.
struct ScriptedAssistant {
    assistant: Assistant,
    providers: ScriptedProviders,
    observer: RecordingObserver,
    _data: tempfile::TempDir,
}

/// Calls in order: the provider, and the failure if the call failed.
type Calls<'a> = &'a [(&'a str, Option<FailureKind>)];

impl ScriptedAssistant {
    async fn new(settings: Value) -> Self {
        let unreachable = "http://127.0.0.1:9/";
        let environment: Environment = [
            ("GROQ_API_KEY", "a-key"),
            ("GROQ_BASE_URL", unreachable),
            ("GEMINI_API_KEY", "a-key"),
            ("GEMINI_BASE_URL", unreachable),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
        let data = tempfile::tempdir().unwrap();
        let setup = Setup { data: data.path().to_owned(), environment, ..Setup::default() };
        let assistant = Assistant::start(FakePorts::default().ports(), setup).await.unwrap();
        assistant.start_background().await;
        let own = json!({"providers": {"own": {"preset": "openai", "base_url": unreachable}}});
        for changes in [own, settings] {
            api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
        }
        let key = SaveKey { provider: "own".into(), key: "a-key".into(), session_only: true };
        api::save_key(&assistant, key).await.unwrap();
        Self { assistant, providers: ScriptedProviders::default(), observer: RecordingObserver::default(), _data: data }
    }

    fn plan(&self, service: Service, overrides: &RouteOverrides) -> RoutePlan {
        self.providers.attach_to(self.assistant.router().plan(service, overrides).unwrap())
    }

    /// Scripts the next calls to one provider. Calls without a script succeed.
    fn set(&self, provider: &str, calls: impl IntoIterator<Item = ScriptedCall>) {
        self.providers.set(provider, calls);
    }

    /// Sends a question. Returns the answer, or the text that was streamed before the error, and the error.
    async fn ask(&self, question: ChatRequest) -> Result<String, (String, Error)> {
        let plan = self.plan(Service::Llm, &RouteOverrides::default());
        let mut streamed = String::new();
        let mut on_text = sink_fn(|text: String| streamed.push_str(&text));
        match self.assistant.router().chat(&plan, &question, &self.observer, &mut on_text).await {
            Ok(routed) => {
                assert_eq!(routed.value.text, streamed);
                Ok(streamed)
            }
            Err(error) => Err((streamed, error.into())),
        }
    }

    /// Takes the calls since the last time.
    fn take_calls(&self) -> Vec<(String, Option<FailureKind>)> {
        let attempts = std::mem::take(&mut *self.observer.attempts.lock().unwrap());
        attempts.into_iter().map(|attempt| (attempt.route.provider, attempt.kind)).collect()
    }

    #[track_caller]
    fn expect_calls(&self, expected: Calls<'_>) {
        let expected: Vec<_> = expected.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        assert_eq!(self.take_calls(), expected);
    }

    fn notices(&self) -> Vec<String> {
        self.observer.notices.lock().unwrap().iter().map(|notice| notice.message.clone()).collect()
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
async fn an_open_circuit_is_skipped_while_another_route_is_available() {
    let scripted = ScriptedAssistant::new(json!({})).await;
    let limited = ScriptedCall {
        pieces: 0,
        end: End::Fails(FailureKind::RateLimited, Some(Duration::from_secs(60))),
        ..ScriptedCall::complete()
    };
    scripted.set(GROQ, [limited]);
    scripted.ask(question()).await.unwrap();
    scripted.expect_calls(&[(GROQ, Some(FailureKind::RateLimited)), (GEMINI, None)]);
    // Even when all others fail: the provider itself sent Retry-After.
    for provider in [GEMINI, OWN, OFFLINE] {
        scripted.set(provider, [ScriptedCall::fails(FailureKind::Unreachable)]);
    }
    let (_, error) = scripted.ask(question()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::AllRoutesFailed);
    let unreachable = Some(FailureKind::Unreachable);
    scripted.expect_calls(&[(GEMINI, unreachable), (OWN, unreachable), (OFFLINE, unreachable)]);
}

#[tokio::test(start_paused = true)]
async fn a_circuit_opened_by_failures_is_the_last_resort_before_the_offline_fallback() {
    let scripted = ScriptedAssistant::new(json!({})).await;
    scripted.set(GROQ, [ScriptedCall::fails(FailureKind::Timeout), ScriptedCall::fails(FailureKind::Timeout)]);
    for _ in 0..2 {
        scripted.ask(question()).await.unwrap();
        scripted.expect_calls(&[(GROQ, Some(FailureKind::Timeout)), (GEMINI, None)]);
    }
    scripted.ask(question()).await.unwrap();
    scripted.expect_calls(&[(GEMINI, None)]);
    for provider in [GEMINI, OWN] {
        scripted.set(provider, [ScriptedCall::fails(FailureKind::Unreachable)]);
    }
    scripted.ask(question()).await.unwrap();
    scripted.expect_calls(&[
        (GEMINI, Some(FailureKind::Unreachable)),
        (OWN, Some(FailureKind::Unreachable)),
        (GROQ, None),
    ]);
}

#[tokio::test(start_paused = true)]
async fn the_last_available_provider_is_retried_unless_another_was_not_called_yet() {
    let scripted = ScriptedAssistant::new(json!({"routes": {"llm": {"provider": GROQ, "then": [GEMINI]}}})).await;
    scripted.set(GROQ, [ScriptedCall::fails(FailureKind::Overloaded)]);
    scripted.set(GEMINI, [ScriptedCall::fails(FailureKind::Overloaded), ScriptedCall::fails(FailureKind::Overloaded)]);
    scripted.ask(question()).await.unwrap();
    let overloaded = Some(FailureKind::Overloaded);
    scripted.expect_calls(&[(GROQ, overloaded), (GEMINI, overloaded), (GEMINI, overloaded), (OFFLINE, None)]);
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_that_is_the_last_resort_is_called_once() {
    let scripted = ScriptedAssistant::new(json!({"routes": {"llm": {"provider": GROQ, "then": []}}})).await;
    scripted.set(GROQ, (0..4).map(|_| ScriptedCall::fails(FailureKind::Overloaded)));
    let overloaded = Some(FailureKind::Overloaded);
    scripted.ask(question()).await.unwrap();
    scripted.expect_calls(&[(GROQ, overloaded), (GROQ, overloaded), (GROQ, overloaded), (OFFLINE, None)]);
    scripted.ask(question()).await.unwrap();
    scripted.expect_calls(&[(GROQ, overloaded), (OFFLINE, None)]);
}

#[tokio::test(start_paused = true)]
async fn the_only_provider_is_retried_before_the_offline_fallback_and_its_open_circuit_is_reported() {
    let scripted = ScriptedAssistant::new(json!({"routes": {"tts": {"provider": GROQ, "then": []}}})).await;
    scripted.set(GROQ, (0..4).map(|_| ScriptedCall::fails(FailureKind::Overloaded)));
    let plan = scripted.plan(Service::Tts, &RouteOverrides::default());
    let router = scripted.assistant.router();
    for _ in 0..3 {
        router.speak(&plan, "It is three.", &scripted.observer, &mut sink_fn(|_: Pcm| {})).await.unwrap();
    }
    let overloaded = Some(FailureKind::Overloaded);
    let first = [(GROQ, overloaded), (GROQ, overloaded), (GROQ, overloaded), (OFFLINE, None)];
    scripted.expect_calls(&[&first[..], &[(OFFLINE, None), (OFFLINE, None)]].concat());
    assert!(scripted.notices().iter().any(|notice| notice.starts_with("Groq was skipped")), "{:?}", scripted.notices());
}

#[tokio::test(start_paused = true)]
async fn all_parts_of_an_answer_are_spoken_by_the_same_voice() {
    let scripted = ScriptedAssistant::new(json!({})).await;
    scripted.set(GROQ, [ScriptedCall::fails(FailureKind::Timeout)]);
    let mut plan = scripted.plan(Service::Tts, &RouteOverrides::default());
    for _ in 0..3 {
        let spoken = scripted
            .assistant
            .router()
            .speak(&plan, "It is three.", &scripted.observer, &mut sink_fn(|_: Pcm| {}))
            .await;
        plan.pin(&spoken.unwrap().route);
    }
    scripted.expect_calls(&[(GROQ, Some(FailureKind::Timeout)), (GEMINI, None), (GEMINI, None), (GEMINI, None)]);
}

/// Answers six questions in one second each, so that the usual latency of the first route is known.
async fn measure(scripted: &ScriptedAssistant) {
    let slow = ScriptedCall { wait: Duration::from_secs(1), ..ScriptedCall::complete() };
    scripted.set(GROQ, (0..6).map(|_| slow.clone()));
    for _ in 0..6 {
        scripted.ask(question()).await.unwrap();
    }
    scripted.take_calls();
}

#[tokio::test(start_paused = true)]
async fn a_request_is_not_hedged_with_an_open_circuit_or_the_offline_fallback() {
    let scripted =
        ScriptedAssistant::new(json!({"hedge": true, "routes": {"llm": {"provider": GROQ, "then": [GEMINI]}}})).await;
    measure(&scripted).await;
    let limited = ScriptedCall {
        pieces: 0,
        end: End::Fails(FailureKind::RateLimited, Some(Duration::from_secs(600))),
        ..ScriptedCall::complete()
    };
    scripted.set(GEMINI, [limited]);
    scripted.set(GROQ, [ScriptedCall::fails(FailureKind::Empty), ScriptedCall::fails(FailureKind::Empty)]);
    scripted.ask(question()).await.unwrap();
    scripted.take_calls();
    scripted.set(GROQ, [ScriptedCall { wait: Duration::from_secs(5), ..ScriptedCall::complete() }]);
    scripted.ask(question()).await.unwrap();
    scripted.expect_calls(&[(GROQ, None)]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_hedge_does_not_end_the_first_call() {
    for kind in [FailureKind::InvalidRequest, FailureKind::Blocked, FailureKind::Overloaded] {
        let scripted = ScriptedAssistant::new(json!({"hedge": true})).await;
        measure(&scripted).await;
        scripted.set(GROQ, [ScriptedCall { wait: Duration::from_secs(5), ..ScriptedCall::complete() }]);
        scripted.set(GEMINI, [ScriptedCall::fails(kind)]);
        assert_eq!(scripted.ask(question()).await.unwrap(), "groq0 groq1 ");
        scripted.expect_calls(&[(GEMINI, Some(kind)), (GROQ, None)]);
    }
}

#[tokio::test(start_paused = true)]
async fn only_hedges_that_were_started_are_recorded() {
    let scripted = ScriptedAssistant::new(json!({"hedge": true})).await;
    measure(&scripted).await;
    for _ in 0..30 {
        scripted.providers.clear();
        // The answer arrives at the moment at which the hedge would start.
        scripted.set(GROQ, [ScriptedCall { wait: Duration::from_secs(1), ..ScriptedCall::complete() }]);
        scripted.ask(question()).await.unwrap();
        assert_eq!(scripted.take_calls().len(), scripted.providers.calls().len());
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_json_answer_starts_over_at_the_next_route() {
    let scripted = ScriptedAssistant::new(json!({})).await;
    let format = ResponseFormat::Schema { name: "x".into(), schema: json!({"type": "object"}), strict: None };
    for format in [ResponseFormat::Json, format] {
        scripted.set(GROQ, [ScriptedCall::says(&["{\"time\": ", "\"thr"], End::Cut)]);
        scripted.set(GEMINI, [ScriptedCall::says(&["{\"time\": ", "\"four\"}"], End::Complete)]);
        let answer = scripted.ask(ChatRequest { format, ..question() }).await.unwrap();
        assert_eq!(answer, "{\"time\": \"four\"}");
        scripted.expect_calls(&[(GROQ, Some(FailureKind::Interrupted)), (GEMINI, None)]);
        let request = scripted.providers.calls().last().unwrap().question().clone();
        assert_eq!(request.messages.len(), 1, "the answer is not continued: {:?}", request.messages);
        scripted.set(GROQ, [ScriptedCall::complete()]);
        scripted.ask(question()).await.unwrap();
        scripted.take_calls();
    }
}

#[tokio::test(start_paused = true)]
async fn a_continuation_does_not_repeat_the_text_before_it() {
    let scripted = ScriptedAssistant::new(json!({})).await;
    scripted.set(GROQ, [ScriptedCall::says(&["It", " is", " three", " o'cl"], End::Cut)]);
    scripted.set(GEMINI, [ScriptedCall::says(&["It is ", "three o'", "clock. ", "Good night."], End::Complete)]);
    assert_eq!(scripted.ask(question()).await.unwrap(), "It is three o'clock. Good night.");
    scripted.expect_calls(&[(GROQ, Some(FailureKind::Interrupted)), (GEMINI, None)]);
    let made = scripted.providers.calls();
    assert_eq!(made[1].question().messages[1].text(), "It is three ", "the incomplete word is not sent");
}

#[tokio::test(start_paused = true)]
async fn one_notice_names_all_routes_of_a_continued_answer() {
    let scripted = ScriptedAssistant::new(json!({})).await;
    scripted.set(GROQ, [ScriptedCall::says(&["It ", "is "], End::Cut)]);
    scripted.set(GEMINI, [ScriptedCall::fails(FailureKind::Overloaded)]);
    scripted.set(OWN, [ScriptedCall::says(&["three. "], End::Fails(FailureKind::Overloaded, None))]);
    scripted.set(OFFLINE, [ScriptedCall::says(&["Good night."], End::Complete)]);
    assert_eq!(scripted.ask(question()).await.unwrap(), "It is three. Good night.");
    let notice =
        "Groq broke off, Google Gemini did not answer (was overloaded), own broke off. This computer continued.";
    assert_eq!(scripted.notices(), [notice]);

    // A route without a complete word does not count as continued.
    scripted.observer.notices.lock().unwrap().clear();
    scripted.set(GROQ, [ScriptedCall::says(&["It"], End::Cut)]);
    assert_eq!(scripted.ask(question()).await.unwrap(), "gemini0 gemini1 ");
    assert_eq!(scripted.notices(), ["Groq did not answer (broke off). Google Gemini did."]);
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_sentence_is_a_failure_when_no_route_continues_it() {
    let nothing = || ScriptedCall::says(&[], End::Complete);
    let scripted =
        ScriptedAssistant::new(json!({"routes": {"llm": {"provider": GROQ, "then": [GEMINI]}}, "fallback": true}))
            .await;
    scripted.set(GROQ, [ScriptedCall::says(&["It is "], End::Cut)]);
    scripted.set(GEMINI, [nothing(), nothing()]);
    scripted.set(OFFLINE, [nothing(), nothing()]);
    let (streamed, error) = scripted.ask(question()).await.unwrap_err();
    assert_eq!((streamed.as_str(), error.code), ("It is ", ErrorCode::AllRoutesFailed));
    // A continuation that only repeats the text counts as empty.
    advance(Duration::from_secs(3_600)).await;
    scripted.take_calls();
    scripted.set(GROQ, [ScriptedCall::says(&["It is "], End::Cut)]);
    scripted.set(
        GEMINI,
        [ScriptedCall::says(&["It is"], End::Complete), ScriptedCall::says(&["it is three."], End::Complete)],
    );
    assert_eq!(scripted.ask(question()).await.unwrap(), "It is three.");
    scripted.expect_calls(&[
        (GROQ, Some(FailureKind::Interrupted)),
        (GEMINI, Some(FailureKind::Empty)),
        (GEMINI, None),
    ]);
    // A complete sentence may have been the whole answer.
    advance(Duration::from_secs(3_600)).await;
    scripted.set(GROQ, [ScriptedCall::says(&["It is three. "], End::Cut)]);
    scripted.set(GEMINI, [nothing()]);
    assert_eq!(scripted.ask(question()).await.unwrap(), "It is three. ");
}

#[tokio::test(start_paused = true)]
async fn a_retry_without_optional_tools_uses_the_same_retry_budget() {
    let scripted = ScriptedAssistant::new(json!({})).await;
    let tool = Tool { name: "tool".into(), description: None, parameters: None, strict: None };
    let request = ChatRequest { tools: vec![tool], tools_optional: true, ..question() };
    let tool_counts = |scripted: &ScriptedAssistant| -> Vec<usize> {
        scripted.providers.calls().iter().map(|made| made.question().tools.len()).collect()
    };
    scripted.set(GROQ, [ScriptedCall::fails(FailureKind::Unsupported), ScriptedCall::fails(FailureKind::Unsupported)]);
    scripted.ask(request.clone()).await.unwrap();
    let unsupported = Some(FailureKind::Unsupported);
    scripted.expect_calls(&[(GROQ, unsupported), (GROQ, unsupported), (GEMINI, None)]);
    assert_eq!(tool_counts(&scripted), [1, 0, 1], "the next provider gets the tools again");

    scripted.providers.clear();
    scripted.set(GROQ, [ScriptedCall::fails(FailureKind::InvalidRequest)]);
    assert_eq!(scripted.ask(request.clone()).await.unwrap(), "groq0 groq1 ");
    scripted.expect_calls(&[(GROQ, Some(FailureKind::InvalidRequest)), (GROQ, None)]);

    scripted.providers.clear();
    for provider in [GROQ, GEMINI, OWN] {
        scripted.set(provider, (0..9).map(|_| ScriptedCall::fails(FailureKind::Unsupported)));
    }
    scripted.ask(request.clone()).await.unwrap_err();
    assert_eq!(
        (scripted.take_calls().len(), scripted.providers.calls().len()),
        (retry_policy::RETRY_BUDGET, retry_policy::RETRY_BUDGET)
    );

    // Required tools are never left out.
    scripted.providers.clear();
    scripted.set(GROQ, [ScriptedCall::fails(FailureKind::InvalidRequest)]);
    let needed = ChatRequest { tools_optional: false, tool_choice: ToolChoice::Required, ..request };
    scripted.ask(needed).await.unwrap_err();
    scripted.expect_calls(&[(GROQ, Some(FailureKind::InvalidRequest))]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_is_recorded_with_unknown_cost() {
    let scripted = ScriptedAssistant::new(json!({})).await;
    let stalls = ScriptedCall::says(&["It is "], End::Never);
    for call in [ScriptedCall::never(), stalls] {
        scripted.set(GROQ, [call]);
        let answer = timeout(Duration::from_secs(1), scripted.ask(question())).await;
        assert!(answer.is_err(), "the call was cancelled");
        let attempts = std::mem::take(&mut *scripted.observer.attempts.lock().unwrap());
        let [attempt] = attempts.as_slice() else { panic!("{attempts:?}") };
        assert_eq!(
            (attempt.route.provider.as_str(), attempt.kind, attempt.ms),
            (GROQ, Some(FailureKind::Cancelled), 1_000)
        );
        assert_eq!((attempt.cost.usd, attempt.cost.basis), (None, CostBasis::Unknown), "the provider may bill it");
    }
    let used = api::usage(&scripted.assistant, Nothing {}).await.unwrap();
    assert_eq!((used.today.attempts, used.today.failed, used.today.unknown), (2, 0, 2));
    let health = api::health(&scripted.assistant, Nothing {}).await.unwrap();
    let groq = health.providers.iter().find(|provider| provider.name == GROQ).unwrap();
    assert_eq!(groq.status, Status::Healthy, "a cancelled call is not a failure of the provider");
}

#[tokio::test(start_paused = true)]
async fn a_rejected_key_and_its_replacement_are_reported_for_every_service() {
    let scripted = ScriptedAssistant::new(json!({})).await;
    let mut events = scripted.assistant.subscribe();
    let mut reported = async || {
        // A task forwards the events. The paused clock advances once no task has work left.
        sleep(Duration::from_millis(1)).await;
        let mut reported = Vec::new();
        while let Ok(event) = events.try_recv() {
            if let Event::Availability { provider, service, status, .. } = event {
                assert_eq!(provider, OWN);
                reported.push((service, status));
            }
        }
        reported.sort();
        reported
    };
    // Saving the first key may have closed circuits that the model list without a key had opened.
    reported().await;
    let overrides = RouteOverrides { llm: Some(format!("{OWN}/m")), ..RouteOverrides::default() };
    let plan = scripted.plan(Service::Llm, &overrides);
    scripted.set(OWN, [ScriptedCall::fails(FailureKind::KeyRejected)]);
    let router = scripted.assistant.router();
    router.chat(&plan, &question(), &scripted.observer, &mut sink_fn(|_: String| {})).await.unwrap_err();
    assert_eq!(reported().await, Service::ALL.map(|service| (service, Status::Unhealthy)));
    let key = SaveKey { provider: OWN.into(), key: "another-key".into(), session_only: true };
    api::save_key(&scripted.assistant, key).await.unwrap();
    assert_eq!(reported().await.len(), 4, "the provider is available again");
    assert_eq!(reported().await, []);
}

/// On the real clock: on a paused one, saving a key and the next request happen at the same instant.
#[tokio::test]
async fn a_saved_key_that_is_rejected_as_well_is_reported() {
    let scripted = ScriptedAssistant::new(json!({})).await;
    let overrides = RouteOverrides { llm: Some(format!("{OWN}/m")), ..RouteOverrides::default() };
    let router = scripted.assistant.router();
    for key in ["first-wrong-key", "second-wrong-key"] {
        let save = SaveKey { provider: OWN.into(), key: key.into(), session_only: true };
        api::save_key(&scripted.assistant, save).await.unwrap();
        scripted.set(OWN, [ScriptedCall::fails(FailureKind::KeyRejected)]);
        let plan = scripted.plan(Service::Llm, &overrides);
        router.chat(&plan, &question(), &scripted.observer, &mut sink_fn(|_: String| {})).await.unwrap_err();
        let own = router.providers().into_iter().find(|provider| provider.name == OWN).unwrap();
        assert_eq!(own.problem, Some(ProviderProblem::KeyRejected), "{key} is reported as fine");
    }
}

#[test]
fn a_forbidden_call_does_not_open_the_circuit_like_a_rejected_key() {
    let failure = |kind| Failure { status: Some(403), ..Failure::new(kind, "") };
    assert!(retry_policy::cooldown(&failure(FailureKind::KeyRejected)).is_some());
    assert_eq!(retry_policy::cooldown(&failure(FailureKind::Forbidden)), None, "it counts like any other failure");
}

/// A server that sends an error status at once and then stalls in the body. The status alone decides the kind of failure.
#[tokio::test]
async fn an_error_body_is_read_until_the_timeout_of_the_settings() {
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
    let assistant = Assistant::start(FakePorts::default().ports(), setup).await.unwrap();
    // The timeout for the first content is shorter than the default of three seconds for an error body.
    let timeouts =
        json!({"first_content_ms": 1_500, "local_first_content_ms": 1_500, "error_body_ms": 100, "connect_ms": 1_000});
    let changes = json!({"providers": {"own": {"base_url": address}}, "timeouts": timeouts});
    api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
    let plan = assistant
        .router()
        .plan(Service::Llm, &RouteOverrides { llm: Some("own/m".into()), ..RouteOverrides::default() });
    let observer = RecordingObserver::default();
    assistant.router().chat(&plan.unwrap(), &question(), &observer, &mut sink_fn(|_: String| {})).await.unwrap_err();
    let attempts = observer.attempts.into_inner().unwrap();
    assert_eq!((attempts[0].kind, attempts[0].message.as_deref()), (Some(FailureKind::Overloaded), Some("It is")));
}

#[tokio::test]
async fn in_sandbox_mode_only_the_sandbox_is_called() {
    let sandbox = aura_sandbox::Sandbox::start(aura_sandbox::SandboxConfig::default()).await.unwrap();
    let mut environment = Environment::default();
    for (name, value) in [("GROQ_API_KEY", sandbox.key().to_owned()), ("GROQ_BASE_URL", sandbox.groq_base_url())] {
        environment.set(name, value);
    }
    let data = tempfile::tempdir().unwrap();
    // Model lists of the real providers.
    let real_lists = data.path().join("models.json");
    std::fs::write(&real_lists, "{}").unwrap();
    let setup = Setup { data: data.path().to_owned(), environment, sandbox: true, ..Setup::default() };
    let assistant = Assistant::start(FakePorts::default().ports(), setup).await.unwrap();
    let changes = json!({
        "providers": {"own": {"preset": "openai", "base_url": sandbox.openai_base_url()}},
        "routes": {"llm": {"provider": "own"}},
    });
    api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
    let key = SaveKey { provider: OWN.into(), key: "a-key-that-costs-money".into(), session_only: true };
    let _ = api::save_key(&assistant, key).await;
    assistant.start_background().await;
    assistant.refresh_model_lists().await;
    let providers: Vec<String> = assistant.router().providers().into_iter().map(|view| view.name).collect();
    assert_eq!(providers, [GROQ, GEMINI, OFFLINE]);
    let plan = assistant.router().plan(Service::Llm, &RouteOverrides::default()).unwrap();
    assert!(plan.candidates().iter().all(|candidate| candidate.route.provider != OWN));
    assert!(
        assistant
            .router()
            .plan(Service::Llm, &RouteOverrides { llm: Some(OWN.into()), ..RouteOverrides::default() })
            .is_err()
    );
    let requests = sandbox.requests().await;
    assert!(!requests.is_empty() && requests.iter().all(|request| request.provider == aura_sandbox::Provider::Groq));
    // The sandbox has model lists of its own. A task writes the file.
    let sandbox_lists = data.path().join("models.sandbox.json");
    for _ in 0..1_000 {
        if sandbox_lists.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(sandbox_lists.exists());
    assert_eq!(std::fs::read_to_string(real_lists).unwrap(), "{}");
}

#[tokio::test(start_paused = true)]
async fn interrupted_speech_is_continued_and_each_provider_gets_its_own_usage() {
    let scripted = ScriptedAssistant::new(json!({})).await;
    scripted.set(GROQ, [ScriptedCall { pieces: 1, end: End::Cut, ..ScriptedCall::complete() }]);
    let plan = scripted.plan(Service::Tts, &RouteOverrides::default());
    let text = "One two three four five six seven eight nine ten.";
    scripted.assistant.router().speak(&plan, text, &scripted.observer, &mut sink_fn(|_: Pcm| {})).await.unwrap();
    let made = scripted.providers.calls();
    let CallInput::Text(rest) = &made[1].input else { panic!("{made:?}") };
    assert!(text.ends_with(rest.as_str()) && rest.len() < text.len(), "{rest}");
    assert_eq!(scripted.notices(), ["Groq broke off. Google Gemini continued."]);
    let attempts = std::mem::take(&mut *scripted.observer.attempts.lock().unwrap());
    assert!(attempts.iter().all(|attempt| attempt.usage.input_tokens == Some(7)), "{attempts:?}");
}
