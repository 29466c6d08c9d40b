//! The work on one plan: which attempts there were, what came of them, and what comes next.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::policy::{self, BUDGET, Situation, Step};
use super::{Candidate, Plan, Router};
use crate::catalog;
use crate::error::{Code, Error, Result};
use crate::providers::{Class, Failure, Service, Services, Usage};
use crate::record::{Attempt, Notice, Route};
use crate::usage::{self, Measured};

/// Is told of each attempt when it ends and of what the person should know.
pub trait Observer: Send + Sync {
    /// A call to a route starts now.
    fn calling(&self, _route: &Route) {}
    /// The first content of an answer or of speech is there; more of it follows.
    fn begun(&self, _route: &Route) {}
    /// An attempt ended.
    fn attempt(&self, attempt: &Attempt);
    /// Something to know.
    fn notice(&self, notice: Notice);
}

/// One call that is to be made.
pub(super) struct Call {
    pub(super) services: Services,
    pub(super) route: Route,
    /// How long the first content may take, from any sign of life on.
    pub(super) patience: Duration,
    /// When the whole request must be over.
    pub(super) deadline: Instant,
    /// Whether thinking took all the room of the last call.
    pub(super) more_room: bool,
}

impl Call {
    /// When the first content is due, counted from now.
    pub(super) fn due(&self) -> Instant {
        (Instant::now() + self.patience).min(self.deadline)
    }
}

/// A call under way.
pub(super) struct Under {
    at: usize,
    pub(super) route: Route,
    began: Instant,
}

impl Under {
    /// Since it began, milliseconds.
    pub(super) fn ms(&self) -> u32 {
        u32::try_from(self.began.elapsed().as_millis()).unwrap_or(u32::MAX)
    }
}

/// What a call came to, for the books.
#[derive(Default)]
pub(super) struct Came {
    pub(super) usage: Usage,
    pub(super) measured: Measured,
    pub(super) first_ms: Option<u32>,
}

/// Starts a call and ends with its first content.
pub(super) type Start<'a, T> = &'a (dyn Fn(Call) -> BoxFuture<'static, Result<T, Failure>> + Sync);

pub(super) struct Course<'a> {
    router: &'a Router,
    plan: &'a Plan,
    observer: &'a dyn Observer,
    attempts: Vec<Attempt>,
    /// Candidates that had their turn.
    used: Vec<bool>,
    at: usize,
    tries: u32,
    /// Replaces the model of the current candidate.
    model: Option<String>,
    more_room: bool,
    deadline: Instant,
}

impl<'a> Course<'a> {
    pub(super) fn new(router: &'a Router, plan: &'a Plan, observer: &'a dyn Observer) -> Self {
        for notice in &plan.notices {
            observer.notice(notice.clone());
        }
        Self {
            router,
            plan,
            observer,
            attempts: Vec::new(),
            used: vec![false; plan.candidates.len()],
            at: 0,
            tries: 0,
            model: None,
            more_room: false,
            deadline: Instant::now() + Duration::from_millis(plan.clocks.whole_ms.into()),
        }
    }

    /// Every attempt so far.
    pub(super) fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// When the next piece of a stream is due.
    pub(super) fn next_due(&self) -> Instant {
        (Instant::now() + Duration::from_millis(self.plan.clocks.between_ms.into())).min(self.deadline)
    }

    /// Calls one route after the other until one begins to answer, by the table in [`policy`].
    pub(super) async fn begin<T>(&mut self, start: Start<'_, T>) -> Result<(T, Under)> {
        loop {
            let (call, under) = self.call(self.at);
            let running = start(call);
            let (result, under) = match self.hedge(&under) {
                Some((after, other)) => self.race(running, under, after, other, start).await,
                None => (running.await, under),
            };
            match result {
                Ok(begun) => return Ok((begun, under)),
                Err(failure) => self.failed(&under, &failure, Came::default()).await?,
            }
        }
    }

    fn call(&mut self, at: usize) -> (Call, Under) {
        self.used[at] = true;
        let candidate = &self.plan.candidates[at];
        let mut route = candidate.route.clone();
        if let Some(model) = self.model.as_ref().filter(|_| at == self.at) {
            route.model.clone_from(model);
        }
        self.router.0.circuits.begins(&route.provider, self.plan.service);
        self.observer.calling(&route);
        let call = Call {
            services: candidate.services.clone(),
            route: route.clone(),
            patience: self.plan.first_content(candidate),
            deadline: self.deadline,
            more_room: self.more_room,
        };
        (call, Under { at, route, began: Instant::now() })
    }

    /// After how long, and to whom, a second call is made beside this one.
    fn hedge(&self, under: &Under) -> Option<(Duration, usize)> {
        if !self.plan.hedge || self.attempts.len() + 2 > BUDGET {
            return None;
        }
        let other = self.unused()?;
        let usual = self.router.0.health.p95(&under.route.provider, self.plan.service)?;
        Some((usual, other))
    }

    /// Runs a call, and a second one beside it when the first takes longer than it usually does. The first to begin wins, and the
    /// other is dropped.
    async fn race<T>(
        &mut self,
        mut first: BoxFuture<'static, Result<T, Failure>>,
        under: Under,
        after: Duration,
        other: usize,
        start: Start<'_, T>,
    ) -> (Result<T, Failure>, Under) {
        tokio::select! {
            result = &mut first => return (result, under),
            () = tokio::time::sleep(after) => {}
        }
        let (call, beside) = self.call(other);
        let mut second = start(call);
        let (result, done, rest, left) = tokio::select! {
            result = &mut first => (result, under, second, beside),
            result = &mut second => (result, beside, first, under),
        };
        let stops = |failure: &Failure| policy::step(failure, self.situation()) == Step::Stop;
        match result {
            Err(failure) if !stops(&failure) => {
                self.note(&done, Some(&failure), Came::default());
                self.stand_at(&left);
                (rest.await, left)
            }
            result => {
                let stopped = Failure::new(Class::Cancelled, "Another route answered sooner.");
                self.note(&left, Some(&stopped), Came::default());
                self.stand_at(&done);
                (result, done)
            }
        }
    }

    fn stand_at(&mut self, under: &Under) {
        if self.at != under.at {
            self.at = under.at;
            self.tries = 0;
            self.model = None;
        }
    }

    fn situation(&self) -> Situation {
        Situation { tries: self.tries + 1, alone: self.plan.is_alone(), past_blocks: self.plan.past_blocks }
    }

    /// A call answered to its end.
    pub(super) fn succeeded(&mut self, under: &Under, came: Came) {
        self.note(under, None, came);
        let failed = |attempt: &&Attempt| attempt.class.is_some_and(|class| class != Class::Cancelled);
        let first = self.attempts.iter().find(failed).filter(|first| first.route.provider != under.route.provider);
        if let Some(first) = first {
            self.router.0.health.fell_back(first, Some(&under.route));
            let verb = if first.class == Some(Class::Interrupted) { "broke off" } else { "did not answer" };
            let message = match first.class {
                Some(Class::Interrupted) => {
                    format!("{} {verb}. {} continued.", first.route.provider, under.route.provider)
                }
                class => format!("{} {verb} ({}). {} did.", first.route.provider, plain(class), under.route.provider),
            };
            self.observer.notice(Notice { kind: "fallback".into(), message });
        }
    }

    /// Notes a failure and moves to what the table says. An error when nothing is left to try.
    pub(super) async fn failed(&mut self, under: &Under, failure: &Failure, came: Came) -> Result<()> {
        let step = policy::step(failure, self.situation());
        self.note(under, Some(failure), came);
        self.tries += 1;
        self.more_room |= failure.no_room;
        if self.attempts.len() >= BUDGET || Instant::now() >= self.deadline {
            return Err(self.error(failure));
        }
        match step {
            Step::Stop => Err(self.error(failure)),
            Step::Again(wait) if Instant::now() + wait < self.deadline => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Step::OtherModel => match self.substitute(&under.route) {
                Some(model) => {
                    let message = format!("{} is no longer served. {model} answers in its place.", under.route.model);
                    self.observer.notice(Notice { kind: "model_replaced".into(), message });
                    self.model = Some(model);
                    Ok(())
                }
                None => self.next(failure),
            },
            Step::Again(_) | Step::Next => self.next(failure),
        }
    }

    /// The model that stands in for one that is gone.
    fn substitute(&self, gone: &Route) -> Option<String> {
        let known = self.router.0.lists.known();
        let as_known = &self.plan.candidates[self.at].known_as;
        let mut all = catalog::substitutes(as_known, self.plan.service, &gone.model);
        all.find(|model| !known.is_gone(&gone.provider, model)).map(str::to_owned)
    }

    fn unused(&self) -> Option<usize> {
        self.used.iter().position(|used| !used)
    }

    fn next(&mut self, failure: &Failure) -> Result<()> {
        let Some(next) = self.unused() else { return Err(self.error(failure)) };
        self.at = next;
        self.tries = 0;
        self.model = None;
        Ok(())
    }

    /// Writes an attempt into every book: the circuit, the health, the accounts, the observer's record.
    fn note(&mut self, under: &Under, failure: Option<&Failure>, came: Came) {
        let Came { usage, measured, first_ms } = came;
        let usage = failure.and_then(|failure| failure.usage.as_deref().cloned()).unwrap_or(usage);
        let candidate = &self.plan.candidates[under.at];
        let cost = usage::cost(&candidate.known_as, candidate.local, &under.route, failure.is_some(), &usage, measured);
        let attempt = Attempt {
            service: self.plan.service,
            route: under.route.clone(),
            ms: under.ms(),
            first_ms,
            class: failure.map(|failure| failure.class),
            message: failure.map(|failure| failure.message.clone()),
            usage,
            cost,
        };
        self.router.note(&attempt, failure, self.plan.made);
        if attempt.class == Some(Class::ModelGone) {
            self.router.model_gone(&under.route);
        }
        self.observer.attempt(&attempt);
        self.attempts.push(attempt);
    }

    /// The error when everything failed: every attempt with its class and message.
    fn error(&self, last: &Failure) -> Error {
        if let Some(first) = self.attempts.iter().find(|attempt| attempt.class.is_some()) {
            self.router.0.health.fell_back(first, None);
        }
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

impl Plan {
    /// Whether there is only one provider. What this computer can do by itself stands in for a provider; it is no reason not to ask
    /// the only one again.
    fn is_alone(&self) -> bool {
        self.candidates.iter().filter(|candidate| !candidate.local).count() <= 1
    }

    /// How long the first content of a candidate may take.
    pub(super) fn first_content(&self, candidate: &Candidate) -> Duration {
        let clocks = self.clocks;
        let ms = match (self.service, candidate.local) {
            (Service::Stt, false) => clocks.transcript_ms,
            (_, true) => clocks.local_first_content_ms,
            _ => clocks.first_content_ms,
        };
        Duration::from_millis(ms.into())
    }
}
