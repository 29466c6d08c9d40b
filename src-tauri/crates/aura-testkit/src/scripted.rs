//! Providers that follow a script. They open no socket, so that a test can pause time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aura_audio::Pcm;
use aura_providers::{
    Chat, ChatEvent, ChatRequest, ChatStream, Failure, FailureKind, FinishReason, Services, SpeechEvent, SpeechRequest,
    SpeechStream, SpeechToText, TextToSpeech, ToolCall, Transcript, TranscriptionRequest, Usage,
};
use aura_router::{Attempt, Route};
use aura_router::{Observer, RouteNotice, RoutePlan};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::time::sleep;

/// The script of one call.
#[derive(Debug, Clone)]
pub struct ScriptedCall {
    /// The time before the first reply.
    pub wait: Duration,
    /// The number of content events, each after a pause.
    pub pieces: usize,
    /// The pause before each content event.
    pub pause: Duration,
    /// How the call ends.
    pub end: End,
    /// The text of a chat reply, one event per element. By default the events are the provider's name and a number.
    pub says: Option<&'static [&'static str]>,
    /// The arguments of a tool call in a chat reply, which comes before the text.
    pub calls: Option<&'static str>,
}

/// The end of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    /// A complete reply.
    Complete,
    /// A reply that reached the token limit.
    TokenLimit,
    /// A failure of this kind, with a `Retry-After` if there is one.
    Fails(FailureKind, Option<Duration>),
    /// The stream ends without a finish reason.
    Cut,
    /// The call never ends.
    Never,
}

impl ScriptedCall {
    /// A call that is answered at once, with two content events.
    pub fn complete() -> Self {
        Self { wait: Duration::ZERO, pieces: 2, pause: Duration::ZERO, end: End::Complete, says: None, calls: None }
    }

    /// A call that fails at once.
    pub fn fails(kind: FailureKind) -> Self {
        Self { pieces: 0, end: End::Fails(kind, None), ..Self::complete() }
    }

    /// A chat call that sends these texts and then ends as given.
    pub fn says(words: &'static [&'static str], end: End) -> Self {
        Self { pieces: words.len(), end, says: Some(words), ..Self::complete() }
    }

    /// A call that is never answered.
    pub fn never() -> Self {
        Self { pieces: 0, end: End::Never, ..Self::complete() }
    }
}

/// A call that was made.
#[derive(Debug, Clone)]
pub struct CallMade {
    /// The provider that was called.
    pub provider: String,
    /// The model of the request.
    pub model: String,
    /// The script that the call followed.
    pub call: ScriptedCall,
    /// What the call was given.
    pub input: CallInput,
}

/// The input of a call.
#[derive(Debug, Clone)]
pub enum CallInput {
    /// Audio to transcribe.
    Audio,
    /// A chat request.
    Question(Box<ChatRequest>),
    /// Text to speak.
    Text(String),
}

impl CallMade {
    /// The chat request of the call; panics if it was another kind of call.
    pub fn question(&self) -> &ChatRequest {
        match &self.input {
            CallInput::Question(question) => question,
            other => panic!("{other:?} is no chat request"),
        }
    }
}

/// The scripts of all providers, and the calls made so far. Clones share both.
#[derive(Debug, Clone, Default)]
pub struct ScriptedProviders {
    scripts: Arc<Mutex<HashMap<String, VecDeque<ScriptedCall>>>>,
    made: Arc<Mutex<Vec<CallMade>>>,
}

impl ScriptedProviders {
    /// Sets the scripts of the next calls to a provider. Calls after them are [`ScriptedCall::complete`].
    pub fn set(&self, provider: &str, calls: impl IntoIterator<Item = ScriptedCall>) {
        self.scripts.lock().unwrap().insert(provider.to_owned(), calls.into_iter().collect());
    }

    /// Removes all scripts and forgets all calls.
    pub fn clear(&self) {
        self.scripts.lock().unwrap().clear();
        self.made.lock().unwrap().clear();
    }

    /// The calls so far, oldest first.
    pub fn calls(&self) -> Vec<CallMade> {
        self.made.lock().unwrap().clone()
    }

    /// Replaces the providers of a plan by scripted ones.
    pub fn attach_to(&self, plan: RoutePlan) -> RoutePlan {
        plan.map_services(|route, _| {
            let provider = Arc::new(ScriptedProvider { name: route.provider.clone(), scripts: self.clone() });
            let mut services = Services::default();
            services.stt = Some(provider.clone());
            services.chat = Some(provider.clone());
            services.tts = Some(provider);
            services
        })
    }
}

struct ScriptedProvider {
    name: String,
    scripts: ScriptedProviders,
}

impl ScriptedProvider {
    /// Records a call and returns its script.
    fn begin(&self, model: &str, input: CallInput) -> ScriptedCall {
        let call = self.scripts.scripts.lock().unwrap().get_mut(&self.name).and_then(VecDeque::pop_front);
        let call = call.unwrap_or_else(ScriptedCall::complete);
        let (provider, model) = (self.name.clone(), model.to_owned());
        let made = CallMade { provider, model, call: call.clone(), input };
        self.scripts.made.lock().unwrap().push(made);
        call
    }
}

fn failure(kind: FailureKind, retry_after: Option<Duration>) -> Failure {
    Failure { retry_after, ..Failure::new(kind, "The script says so.") }
}

/// The events of a reply with their pauses, then its end. `last` makes the event at the end of a complete reply.
fn reply<T: Send + 'static>(
    call: ScriptedCall,
    piece: impl Fn(usize) -> T + Send + 'static,
    last: impl Fn(FinishReason) -> Option<T> + Send + 'static,
) -> BoxStream<'static, Result<T, Failure>> {
    let ScriptedCall { pieces, pause, end, .. } = call;
    let content = stream::iter(0..pieces).then(move |number| {
        let piece = piece(number);
        async move {
            sleep(pause).await;
            Ok(piece)
        }
    });
    let end = stream::once(async move {
        match end {
            End::Complete => last(FinishReason::Stop).map(Ok),
            End::TokenLimit => last(FinishReason::Length).map(Ok),
            End::Fails(kind, pause) => Some(Err(failure(kind, pause))),
            End::Cut => None,
            End::Never => std::future::pending().await,
        }
    });
    content.chain(end.filter_map(|end| async { end })).boxed()
}

#[async_trait]
impl Chat for ScriptedProvider {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure> {
        let script = self.begin(&request.model, CallInput::Question(Box::new(request.clone())));
        sleep(script.wait).await;
        if let (0, End::Fails(kind, pause)) = (script.pieces, script.end) {
            return Err(failure(kind, pause));
        }
        let (name, says) = (self.name.clone(), script.says);
        let call = script.calls.map(|arguments| {
            let call = ToolCall { name: "tool".into(), arguments: arguments.into(), ..ToolCall::default() };
            Ok(ChatEvent::ToolCall(call))
        });
        let end = |finish| Some(ChatEvent::End { finish, usage: Usage::default() });
        let word = move |number: usize| match says {
            Some(says) => says[number].to_owned(),
            None => format!("{name}{number} "),
        };
        let answer = reply(script, move |number| ChatEvent::Text(word(number)), end);
        Ok(stream::iter(call).chain(answer).boxed())
    }
}

#[async_trait]
impl SpeechToText for ScriptedProvider {
    async fn transcribe(&self, request: &TranscriptionRequest) -> Result<Transcript, Failure> {
        let script = self.begin(&request.model, CallInput::Audio);
        sleep(script.wait).await;
        match script.end {
            End::Complete | End::TokenLimit => {
                let text = if script.pieces == 0 { String::new() } else { self.name.clone() };
                Ok(Transcript { text, ..Transcript::default() })
            }
            End::Fails(kind, pause) => Err(failure(kind, pause)),
            End::Cut => Err(failure(FailureKind::Unreachable, None)),
            End::Never => std::future::pending().await,
        }
    }
}

#[async_trait]
impl TextToSpeech for ScriptedProvider {
    async fn speak(&self, request: &SpeechRequest) -> Result<SpeechStream, Failure> {
        let script = self.begin(&request.model, CallInput::Text(request.text.clone()));
        sleep(script.wait).await;
        if let (0, End::Fails(kind, pause)) = (script.pieces, script.end) {
            return Err(failure(kind, pause));
        }
        let second = || SpeechEvent::Pcm(Pcm { rate: 8_000, samples: vec![0.5; 8_000] });
        // A speech stream has no end event, so a cut is a failure.
        let cut = End::Fails(FailureKind::Interrupted, None);
        let script = if script.end == End::Cut { ScriptedCall { end: cut, ..script } } else { script };
        // Some providers report usage before the first audio.
        let used = Usage { input_tokens: Some(7), ..Usage::default() };
        Ok(stream::iter([Ok(SpeechEvent::Usage(Box::new(used)))])
            .chain(reply(script, move |_| second(), |_| None))
            .boxed())
    }

    fn max_chars(&self, _: &str) -> usize {
        1_000
    }
}

/// A step of a call that the router reports.
#[derive(Debug, Clone, PartialEq)]
pub enum ObserverStep {
    /// A call to this provider started.
    Started(String),
    /// A call to this provider ended, with this failure if it failed.
    Ended(String, Option<FailureKind>),
}

/// An observer that keeps all that the router reports.
#[derive(Debug, Default)]
pub struct RecordingObserver {
    /// Starts and ends of calls, in order.
    pub steps: Mutex<Vec<ObserverStep>>,
    /// Finished attempts, in order.
    pub attempts: Mutex<Vec<Attempt>>,
    /// Notices, in order.
    pub notices: Mutex<Vec<RouteNotice>>,
}

impl Observer for RecordingObserver {
    fn calling(&self, route: &Route) {
        self.steps.lock().unwrap().push(ObserverStep::Started(route.provider.clone()));
    }

    fn attempt(&self, attempt: &Attempt) {
        self.steps.lock().unwrap().push(ObserverStep::Ended(attempt.route.provider.clone(), attempt.kind));
        self.attempts.lock().unwrap().push(attempt.clone());
    }

    fn notice(&self, notice: RouteNotice) {
        self.notices.lock().unwrap().push(notice);
    }
}
