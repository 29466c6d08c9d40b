//! Works a plan off, for each of the three kinds of call.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::policy::{self, BUDGET, Situation, Step};
use super::{Candidate, Plan, Router};
use crate::audio::Pcm;
use crate::catalog;
use crate::error::{Code, Error, Result};
use crate::ports::Speaker;
use crate::providers::{
    ChatPiece, ChatRequest, ChatStream, Class, Failure, Finish, Message, Role, Service, SpeechPiece, SpeechStream,
    SttRequest, Transcript, TtsRequest, Usage,
};
use crate::record::{Attempt, Notice, Route};

/// Is told of each attempt when it ends and of what the person should know.
pub trait Observer: Send + Sync {
    /// An attempt ended.
    fn attempt(&self, attempt: &Attempt);
    /// Something to know.
    fn notice(&self, notice: Notice);
}

/// A result and the route it came by.
#[derive(Debug, Clone)]
pub struct Answered<T> {
    /// The result.
    pub value: T,
    /// By whom.
    pub route: Route,
}

/// What an answer was, when it is complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The whole text.
    pub text: String,
    /// Whether the token limit cut it.
    pub cut: bool,
}

/// The work on one plan: which attempts there were, and what comes next.
struct Course<'a> {
    router: &'a Router,
    plan: &'a Plan,
    observer: &'a dyn Observer,
    attempts: Vec<Attempt>,
    at: usize,
    tries: u32,
    /// Replaces the model of the current candidate.
    model: Option<String>,
    deadline: Instant,
}

impl<'a> Course<'a> {
    fn new(router: &'a Router, plan: &'a Plan, observer: &'a dyn Observer) -> Self {
        for notice in &plan.notices {
            observer.notice(notice.clone());
        }
        let deadline = Instant::now() + Duration::from_millis(plan.clocks.whole_ms.into());
        Self { router, plan, observer, attempts: Vec::new(), at: 0, tries: 0, model: None, deadline }
    }

    /// The route to try now.
    fn route(&self) -> (&'a Candidate, Route) {
        let candidate = &self.plan.candidates[self.at];
        let mut route = candidate.route.clone();
        if let Some(model) = &self.model {
            route.model.clone_from(model);
        }
        (candidate, route)
    }

    fn first_content(&self, candidate: &Candidate) -> Instant {
        (Instant::now() + self.plan.first_content(candidate)).min(self.deadline)
    }

    fn succeeded(&mut self, route: &Route, began: Instant, usage: Usage) {
        self.router.0.circuits.succeeded(&route.provider, self.plan.service);
        self.record(route, began, None, usage);
        if let Some(first) = self.attempts.first().filter(|first| first.route.provider != route.provider) {
            let message =
                format!("{} did not answer ({}). {} did.", first.route.provider, plain(first.class), route.provider);
            self.observer.notice(Notice { kind: "fallback".into(), message });
        }
    }

    /// Notes a failure and moves to what the table says. An error when nothing is left to try.
    async fn failed(&mut self, route: &Route, began: Instant, failure: &Failure) -> Result<()> {
        let service = self.plan.service;
        self.router.0.circuits.failed(&route.provider, service, failure.class, policy::pause(failure));
        self.record(route, began, Some(failure), Usage::default());
        self.tries += 1;
        let alone = self.plan.candidates.len() == 1;
        let step = policy::step(failure, Situation { tries: self.tries, alone });
        if self.attempts.len() >= BUDGET || Instant::now() >= self.deadline {
            return Err(self.error(failure));
        }
        match step {
            Step::Stop => Err(self.error(failure)),
            Step::Again(wait) if Instant::now() + wait < self.deadline => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Step::OtherModel => match catalog::default_model(&self.plan.candidates[self.at].known_as, service)
                .filter(|model| *model != route.model)
            {
                Some(model) => {
                    let message = format!("{} is no longer served. {model} answers in its place.", route.model);
                    self.observer.notice(Notice { kind: "model_replaced".into(), message });
                    self.model = Some(model.to_owned());
                    Ok(())
                }
                None => self.next(failure),
            },
            Step::Again(_) | Step::Next => self.next(failure),
        }
    }

    fn next(&mut self, failure: &Failure) -> Result<()> {
        self.at += 1;
        self.tries = 0;
        self.model = None;
        if self.at < self.plan.candidates.len() { Ok(()) } else { Err(self.error(failure)) }
    }

    fn record(&mut self, route: &Route, began: Instant, failure: Option<&Failure>, usage: Usage) {
        let attempt = Attempt {
            service: self.plan.service,
            route: route.clone(),
            ms: u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX),
            class: failure.map(|failure| failure.class),
            message: failure.map(|failure| failure.message.clone()),
            usage,
        };
        self.observer.attempt(&attempt);
        self.attempts.push(attempt);
    }

    /// The error when everything failed: every attempt with its class and message.
    fn error(&self, last: &Failure) -> Error {
        let doing = match self.plan.service {
            Service::Stt => "understand you",
            Service::Llm => "answer",
            Service::Vlm => "look at the picture",
            Service::Tts => "speak",
        };
        let (code, message) = match last.class {
            Class::Blocked => (Code::Blocked, format!("The provider refused this: {}", last.message)),
            Class::Cancelled => (Code::Cancelled, "Stopped.".into()),
            Class::InvalidRequest => {
                (Code::InvalidRequest, format!("The provider did not take the request: {}", last.message))
            }
            _ => {
                let why: Vec<String> =
                    self.attempts.iter().map(|a| format!("{} {}", a.route.provider, plain(a.class))).collect();
                (
                    Code::AllRoutesFailed,
                    format!("AURA could not {doing}: {}. Try again, or choose another provider.", why.join(", ")),
                )
            }
        };
        Error { code, message, detail: serde_json::to_value(&self.attempts).ok() }
    }
}

/// A class in words that end "the provider …".
fn plain(class: Option<Class>) -> &'static str {
    match class {
        None => "answered",
        Some(Class::Auth) => "refused the key",
        Some(Class::RateLimited) => "had too many requests",
        Some(Class::Quota) => "has no allowance left",
        Some(Class::ModelGone) => "no longer serves the model",
        Some(Class::Overloaded) => "was overloaded",
        Some(Class::Unreachable) => "could not be reached",
        Some(Class::Timeout) => "took too long",
        Some(Class::Interrupted) => "broke off",
        Some(Class::Empty) => "gave an empty answer",
        Some(Class::Unsupported) => "cannot take this request",
        Some(Class::Blocked) => "blocked it",
        Some(Class::InvalidRequest) => "did not understand the request",
        Some(Class::Cancelled) => "was stopped",
    }
}

fn timed_out(what: &str) -> Failure {
    Failure::new(Class::Timeout, format!("No {what} in the time that the settings allow."))
}

impl Router {
    /// Speech to text. `voiced` says that the recording holds speech, so that an empty transcript is a failure.
    pub async fn transcribe(
        &self,
        plan: &Plan,
        wav: &SttRequest,
        voiced: bool,
        observer: &dyn Observer,
    ) -> Result<Answered<Transcript>> {
        let mut course = Course::new(self, plan, observer);
        loop {
            let (candidate, route) = course.route();
            let began = Instant::now();
            let request = SttRequest { model: route.model.clone(), ..wav.clone() };
            let result = match &candidate.services.stt {
                Some(stt) => timeout_at(course.first_content(candidate), stt.transcribe(&request))
                    .await
                    .unwrap_or_else(|_| Err(timed_out("transcript"))),
                None => Err(Failure::new(Class::Unsupported, "This provider does not transcribe.")),
            };
            let result = match result {
                Ok(transcript) if voiced && transcript.text.is_empty() => {
                    Err(Failure::new(Class::Empty, "An empty transcript of a recording with speech."))
                }
                other => other,
            };
            match result {
                Ok(value) => {
                    course.succeeded(&route, began, value.usage.clone());
                    return Ok(Answered { value, route });
                }
                Err(failure) => match course.failed(&route, began, &failure).await {
                    Ok(()) => {}
                    // Everyone heard nothing: that is an answer, not a failure.
                    Err(_) if course.attempts.iter().all(|attempt| attempt.class == Some(Class::Empty)) => {
                        return Ok(Answered { value: Transcript::default(), route });
                    }
                    Err(error) => return Err(error),
                },
            }
        }
    }

    /// An answer, piece by piece. A stream that breaks after content is continued by the next route from what was said.
    /// When everything fails, the error comes after what `on_text` was given already.
    pub async fn chat(
        &self,
        plan: &Plan,
        question: &ChatRequest,
        observer: &dyn Observer,
        on_text: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Answered<Said>> {
        let mut course = Course::new(self, plan, observer);
        let mut said = String::new();
        loop {
            let (candidate, route) = course.route();
            let began = Instant::now();
            let request = continued(ChatRequest { model: route.model.clone(), ..question.clone() }, &said);
            let stream = match &candidate.services.chat {
                Some(chat) => timeout_at(course.first_content(candidate), chat.chat(&request))
                    .await
                    .unwrap_or_else(|_| Err(timed_out("answer"))),
                None => Err(Failure::new(Class::Unsupported, "This provider does not answer.")),
            };
            let result = match stream {
                Ok(stream) => follow(&course, candidate, stream, &mut said, on_text).await,
                Err(failure) => Err(failure),
            };
            match result {
                Ok((finish, usage)) => {
                    course.succeeded(&route, began, usage);
                    return Ok(Answered { value: Said { text: said, cut: finish == Finish::Length }, route });
                }
                Err(failure) => course.failed(&route, began, &failure).await?,
            }
        }
    }

    /// Speech for a text that is at most as long as every route of the plan takes. Pieces arrive in order.
    pub async fn speak(
        &self,
        plan: &Plan,
        text: &str,
        speaker: &Arc<dyn Speaker>,
        observer: &dyn Observer,
        on_sound: &mut (dyn FnMut(Pcm) + Send),
    ) -> Result<Answered<()>> {
        let mut course = Course::new(self, plan, observer);
        loop {
            let (candidate, route) = course.route();
            let began = Instant::now();
            let request = TtsRequest {
                model: route.model.clone(),
                voice: route.voice.clone().unwrap_or_default(),
                text: text.to_owned(),
            };
            let stream = match &candidate.services.tts {
                Some(tts) => timeout_at(course.first_content(candidate), tts.speak(&request))
                    .await
                    .unwrap_or_else(|_| Err(timed_out("speech"))),
                None => Err(Failure::new(Class::Unsupported, "This provider does not speak.")),
            };
            let result = match stream {
                Ok(stream) => play(&course, candidate, stream, speaker, on_sound).await,
                Err(failure) => Err(failure),
            };
            match result {
                Ok(seconds) => {
                    let usage = Usage {
                        characters: u32::try_from(text.chars().count()).ok(),
                        audio_seconds: Some(seconds),
                        ..Usage::default()
                    };
                    course.succeeded(&route, began, usage);
                    return Ok(Answered { value: (), route });
                }
                Err(failure) => course.failed(&route, began, &failure).await?,
            }
        }
    }
}

/// Asks for the rest of an answer that broke off.
fn continued(mut request: ChatRequest, said: &str) -> ChatRequest {
    if !said.is_empty() {
        // Said as a question: not every model takes the beginning of its own answer.
        request.messages.push(Message { role: Role::Assistant, text: said.to_owned() });
        request.messages.push(Message {
            role: Role::User,
            text: "Your answer was cut off by the connection. Continue exactly where it stops, without repeating or commenting.".into(),
        });
    }
    request
}

/// Passes an answer on as it comes. It ends well only with the stream's own end.
async fn follow(
    course: &Course<'_>,
    candidate: &Candidate,
    mut stream: ChatStream,
    said: &mut String,
    on_text: &mut (dyn FnMut(&str) + Send),
) -> Result<(Finish, Usage), Failure> {
    let between = Duration::from_millis(course.plan.clocks.between_ms.into());
    let mut due = course.first_content(candidate);
    let before = said.len();
    loop {
        let piece = match timeout_at(due, stream.next()).await {
            Ok(piece) => piece,
            Err(_) if said.len() > before => return Err(Failure::new(Class::Interrupted, "The answer stalled.")),
            Err(_) => return Err(timed_out("answer")),
        };
        match piece {
            Some(Ok(ChatPiece::Text(text))) if !text.is_empty() => {
                said.push_str(&text);
                on_text(&text);
                due = (Instant::now() + between).min(course.deadline);
            }
            Some(Ok(ChatPiece::Text(_) | ChatPiece::Thinking)) => due = course.first_content(candidate),
            Some(Ok(ChatPiece::End { .. })) if said.trim().is_empty() => {
                return Err(Failure::new(Class::Empty, "An empty answer."));
            }
            Some(Ok(ChatPiece::End { finish, usage })) => return Ok((finish, usage)),
            Some(Err(failure)) if said.len() > before && failure.class != Class::Blocked => {
                return Err(Failure { class: Class::Interrupted, ..failure });
            }
            Some(Err(failure)) => return Err(failure),
            None if said.len() > before => return Err(Failure::new(Class::Interrupted, "The answer broke off.")),
            None => return Err(Failure::new(Class::Empty, "The connection closed without an answer.")),
        }
    }
}

/// Passes speech on as it comes and counts its seconds.
async fn play(
    course: &Course<'_>,
    candidate: &Candidate,
    mut stream: SpeechStream,
    speaker: &Arc<dyn Speaker>,
    on_sound: &mut (dyn FnMut(Pcm) + Send),
) -> Result<f32, Failure> {
    let between = Duration::from_millis(course.plan.clocks.between_ms.into());
    let mut due = course.first_content(candidate);
    let mut seconds = 0.0;
    loop {
        let piece = match timeout_at(due, stream.next()).await {
            Ok(piece) => piece.transpose()?,
            Err(_) if seconds > 0.0 => return Err(Failure::new(Class::Interrupted, "The speech stalled.")),
            Err(_) => return Err(timed_out("speech")),
        };
        let pcm = match piece {
            Some(SpeechPiece::Pcm(pcm)) => pcm,
            Some(SpeechPiece::File(file)) => {
                let speaker = speaker.clone();
                let decoded = tokio::task::spawn_blocking(move || speaker.decode(file)).await.map_err(Error::internal);
                decoded.and_then(|decoded| decoded).map_err(|error| Failure::new(Class::Empty, error.message))?
            }
            None if seconds > 0.0 => return Ok(seconds),
            None => return Err(Failure::new(Class::Empty, "Speech without any sound.")),
        };
        seconds += pcm.duration().as_secs_f32();
        on_sound(pcm);
        due = (Instant::now() + between).min(course.deadline);
    }
}
