//! Providers that do what a test says, in its own time: no socket, so that a test may stop the clock.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aura_core::audio::Pcm;
use aura_core::providers::{
    Chat, ChatPiece, ChatRequest, ChatStream, Class, Failure, Finish, Services, SpeechPiece, SpeechStream,
    SpeechToText, SttRequest, TextToSpeech, ToolCall, Transcript, TtsRequest, Usage,
};
use aura_core::record::{Attempt, Notice, Route};
use aura_core::router::{Observer, Plan};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::time::sleep;

/// What one call does.
#[derive(Debug, Clone)]
pub(crate) struct Play {
    /// Before anything happens.
    pub(crate) wait: Duration,
    /// Pieces of content that come, a pause before each.
    pub(crate) pieces: usize,
    /// The pause.
    pub(crate) pause: Duration,
    /// How it ends.
    pub(crate) end: End,
    /// The words of an answer, one piece each, in place of those that the number of pieces makes.
    pub(crate) says: Option<&'static [&'static str]>,
    /// A tool that an answer calls at its end.
    pub(crate) calls: Option<&'static str>,
}

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum End {
    /// As it should.
    Well,
    /// With the token limit.
    Full,
    /// With a failure of this class, and a pause asked for.
    Fails(Class, Option<Duration>),
    /// Without a word.
    Breaks,
    /// Not at all.
    Never,
}

impl Play {
    /// A call that answers at once.
    pub(crate) fn well() -> Self {
        Self { wait: Duration::ZERO, pieces: 2, pause: Duration::ZERO, end: End::Well, says: None, calls: None }
    }

    /// A call that fails at once.
    pub(crate) fn fails(class: Class) -> Self {
        Self { pieces: 0, end: End::Fails(class, None), ..Self::well() }
    }

    /// A call that says these words and then ends so.
    pub(crate) fn says(words: &'static [&'static str], end: End) -> Self {
        Self { pieces: words.len(), end, says: Some(words), ..Self::well() }
    }

    /// A call that never answers.
    pub(crate) fn never() -> Self {
        Self { pieces: 0, end: End::Never, ..Self::well() }
    }
}

/// One call that was made.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) play: Play,
    /// What was to be answered, or spoken.
    pub(crate) asked: Asked,
}

/// What a call was about.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    /// To be transcribed.
    Audio,
    /// To be answered.
    Question(Box<ChatRequest>),
    /// To be spoken.
    Text(String),
}

impl Made {
    /// What was to be answered.
    pub(crate) fn question(&self) -> &ChatRequest {
        match &self.asked {
            Asked::Question(question) => question,
            other => panic!("{other:?} is no question"),
        }
    }
}

/// All scripted providers and what was asked of them.
#[derive(Clone, Default)]
pub(crate) struct Stage {
    plays: Arc<Mutex<HashMap<String, VecDeque<Play>>>>,
    made: Arc<Mutex<Vec<Made>>>,
}

impl Stage {
    /// What the next calls to a provider do; those after them answer well.
    pub(crate) fn set(&self, provider: &str, plays: impl IntoIterator<Item = Play>) {
        self.plays.lock().unwrap().insert(provider.to_owned(), plays.into_iter().collect());
    }

    /// Forgets plays and calls.
    pub(crate) fn clear(&self) {
        self.plays.lock().unwrap().clear();
        self.made.lock().unwrap().clear();
    }

    /// The calls so far.
    pub(crate) fn made(&self) -> Vec<Made> {
        self.made.lock().unwrap().clone()
    }

    /// The same plan with scripted providers in place of the real ones.
    pub(crate) fn play(&self, mut plan: Plan) -> Plan {
        for candidate in &mut plan.candidates {
            let actor = Arc::new(Actor { provider: candidate.route.provider.clone(), stage: self.clone() });
            candidate.services =
                Services { stt: Some(actor.clone()), chat: Some(actor.clone()), tts: Some(actor), account: None };
        }
        plan
    }
}

struct Actor {
    provider: String,
    stage: Stage,
}

impl Actor {
    fn begin(&self, model: &str, asked: Asked) -> Play {
        let play = self.stage.plays.lock().unwrap().get_mut(&self.provider).and_then(VecDeque::pop_front);
        let play = play.unwrap_or_else(Play::well);
        let (provider, model) = (self.provider.clone(), model.to_owned());
        let made = Made { provider, model, play: play.clone(), asked };
        self.stage.made.lock().unwrap().push(made);
        play
    }
}

fn failure(class: Class, retry_after: Option<Duration>) -> Failure {
    Failure { retry_after, ..Failure::new(class, "It was told to.") }
}

/// Pieces with their pauses, then the end. `last` makes what comes at a good end.
fn perform<T: Send + 'static>(
    play: Play,
    piece: impl Fn(usize) -> T + Send + 'static,
    last: impl Fn(Finish) -> Option<T> + Send + 'static,
) -> BoxStream<'static, Result<T, Failure>> {
    let Play { pieces, pause, end, .. } = play;
    let content = stream::iter(0..pieces).then(move |number| {
        let piece = piece(number);
        async move {
            sleep(pause).await;
            Ok(piece)
        }
    });
    let end = stream::once(async move {
        match end {
            End::Well => last(Finish::Stop).map(Ok),
            End::Full => last(Finish::Length).map(Ok),
            End::Fails(class, pause) => Some(Err(failure(class, pause))),
            End::Breaks => None,
            End::Never => std::future::pending().await,
        }
    });
    content.chain(end.filter_map(|end| async { end })).boxed()
}

#[async_trait]
impl Chat for Actor {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure> {
        let play = self.begin(&request.model, Asked::Question(Box::new(request.clone())));
        sleep(play.wait).await;
        if let (0, End::Fails(class, pause)) = (play.pieces, play.end) {
            return Err(failure(class, pause));
        }
        let (name, says) = (self.provider.clone(), play.says);
        let call = play.calls.map(|arguments| {
            let call = ToolCall { name: "tool".into(), arguments: arguments.into(), ..ToolCall::default() };
            Ok(ChatPiece::ToolCall(call))
        });
        let end = |finish| Some(ChatPiece::End { finish, usage: Usage::default() });
        let word = move |number: usize| match says {
            Some(says) => says[number].to_owned(),
            None => format!("{name}{number} "),
        };
        let answer = perform(play, move |number| ChatPiece::Text(word(number)), end);
        Ok(stream::iter(call).chain(answer).boxed())
    }
}

#[async_trait]
impl SpeechToText for Actor {
    async fn transcribe(&self, request: &SttRequest) -> Result<Transcript, Failure> {
        let play = self.begin(&request.model, Asked::Audio);
        sleep(play.wait).await;
        match play.end {
            End::Well | End::Full => {
                let text = if play.pieces == 0 { String::new() } else { self.provider.clone() };
                Ok(Transcript { text, ..Transcript::default() })
            }
            End::Fails(class, pause) => Err(failure(class, pause)),
            End::Breaks => Err(failure(Class::Unreachable, None)),
            End::Never => std::future::pending().await,
        }
    }
}

#[async_trait]
impl TextToSpeech for Actor {
    async fn speak(&self, request: &TtsRequest) -> Result<SpeechStream, Failure> {
        let play = self.begin(&request.model, Asked::Text(request.text.clone()));
        sleep(play.wait).await;
        if let (0, End::Fails(class, pause)) = (play.pieces, play.end) {
            return Err(failure(class, pause));
        }
        let second = || SpeechPiece::Pcm(Pcm { rate: 8_000, samples: vec![0.5; 8_000] });
        // Speech has no word for its end; what breaks says so.
        let play =
            if play.end == End::Breaks { Play { end: End::Fails(Class::Interrupted, None), ..play } } else { play };
        // What it used is told before the first sound, as some do.
        let used = Usage { input_tokens: Some(7), ..Usage::default() };
        Ok(stream::iter([Ok(SpeechPiece::Used(Box::new(used)))])
            .chain(perform(play, move |_| second(), |_| None))
            .boxed())
    }

    fn max_chars(&self, _: &str) -> usize {
        1_000
    }
}

/// A call as it is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// It began.
    Calls(String),
    /// It ended.
    Ended(String, Option<Class>),
}

/// Keeps what the router tells.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) steps: Mutex<Vec<Step>>,
    pub(crate) attempts: Mutex<Vec<Attempt>>,
    pub(crate) notices: Mutex<Vec<Notice>>,
}

impl Observer for Told {
    fn calling(&self, route: &Route) {
        self.steps.lock().unwrap().push(Step::Calls(route.provider.clone()));
    }

    fn attempt(&self, attempt: &Attempt) {
        self.steps.lock().unwrap().push(Step::Ended(attempt.route.provider.clone(), attempt.class));
        self.attempts.lock().unwrap().push(attempt.clone());
    }

    fn notice(&self, notice: Notice) {
        self.notices.lock().unwrap().push(notice);
    }
}
