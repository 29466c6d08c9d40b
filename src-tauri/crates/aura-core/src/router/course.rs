//! The work on one plan: which attempts there were, what came of them, and what comes next.

use std::collections::VecDeque;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::policy::{self, BUDGET, Situation, Step};
use super::{Candidate, Plan, Router, lists};
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
    /// Whether what may be left out of the request is left out.
    pub(super) plain: bool,
}

impl Call {
    /// When the first content is due, counted from now.
    pub(super) fn due(&self) -> Instant {
        (Instant::now() + self.patience).min(self.deadline)
    }
}

/// A call under way.
#[derive(Clone)]
pub(super) struct Under {
    number: usize,
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
    /// Whether the person got something of it.
    pub(super) kept: bool,
}

/// Starts a call and ends with its first content.
pub(super) type Start<'a, T> = &'a (dyn Fn(Call) -> BoxFuture<'static, Result<T, Failure>> + Sync);

/// The work on one plan. Dropped before its end, it writes down the calls that were under way: a provider may bill them.
pub(super) struct Course<'a> {
    router: &'a Router,
    plan: &'a Plan,
    observer: &'a dyn Observer,
    attempts: Vec<Attempt>,
    /// For each attempt, whether the person got something of it.
    kept: Vec<bool>,
    /// Candidates that were not called yet, in the order in which they will be.
    left: VecDeque<usize>,
    at: usize,
    tries: u32,
    /// Replaces the model of the current candidate.
    model: Option<String>,
    more_room: bool,
    /// Whether the request holds something that may be left out.
    extras: bool,
    /// Whether it is left out at the current candidate.
    plain: bool,
    /// Whether the current candidate was to be left alone when it was called: it is asked once.
    rested: bool,
    under_way: Vec<Under>,
    begun: usize,
    deadline: Instant,
}

impl Drop for Course<'_> {
    fn drop(&mut self) {
        for under in std::mem::take(&mut self.under_way) {
            self.note(&under, Some(&Failure::new(Class::Cancelled, "Stopped.")), Came::default());
        }
    }
}

impl<'a> Course<'a> {
    pub(super) fn new(router: &'a Router, plan: &'a Plan, observer: &'a dyn Observer) -> Self {
        for notice in &plan.notices {
            observer.notice(notice.clone());
        }
        // Looked at for every request of a plan: who fails at the first sentence is not asked for the next one.
        let mut left = VecDeque::from(router.0.circuits.order(&plan.candidates, plan.service));
        let at = left.pop_front().unwrap_or_default();
        let course = Self {
            router,
            plan,
            observer,
            attempts: Vec::new(),
            kept: Vec::new(),
            left,
            at,
            tries: 0,
            model: None,
            more_room: false,
            extras: false,
            plain: false,
            rested: false,
            under_way: Vec::new(),
            begun: 0,
            deadline: Instant::now() + Duration::from_millis(plan.clocks.whole_ms.into()),
        };
        course.stands_in();
        course
    }

    /// The same for a request that holds something which may be left out.
    pub(super) fn with_extras(mut self, extras: bool) -> Self {
        self.extras = extras;
        self
    }

    /// Says why this computer answers although there is a provider.
    fn stands_in(&self) {
        let first = &self.plan.candidates[0];
        if self.at > 0 && self.plan.candidates[self.at].stand_in {
            let provider = &first.route.provider;
            let why = match self.router.0.circuits.is_refused(provider) {
                true => "its key was refused",
                false => "it failed a moment ago and is left alone for a while",
            };
            let message = format!("{} was not asked: {why}.", self.plan.label(provider));
            self.observer.notice(Notice { kind: "not_ready".into(), message });
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
        self.left.retain(|left| *left != at);
        let candidate = &self.plan.candidates[at];
        let mut route = candidate.route.clone();
        if let Some(model) = self.model.as_ref().filter(|_| at == self.at) {
            route.model.clone_from(model);
        }
        if at == self.at && self.tries == 0 {
            self.rested = self.router.0.circuits.is_away(&route.provider, self.plan.service);
        }
        self.router.0.circuits.begins(&route.provider, self.plan.service);
        self.observer.calling(&route);
        let call = Call {
            services: candidate.services.clone(),
            route: route.clone(),
            patience: self.plan.first_content(candidate),
            deadline: self.deadline,
            more_room: self.more_room,
            plain: self.plain && at == self.at,
        };
        let under = Under { number: self.begun, at, route, began: Instant::now() };
        self.begun += 1;
        self.under_way.push(under.clone());
        (call, under)
    }

    /// After how long, and to whom, a second call is made beside this one: to the next provider that is well. What this computer
    /// can do by itself is only fallen back to.
    fn hedge(&self, under: &Under) -> Option<(Duration, usize)> {
        if !self.plan.hedge || self.attempts.len() + 2 > BUDGET {
            return None;
        }
        let other = self.left.iter().copied().find(|at| self.is_match(*at))?;
        let usual = self.router.0.health.p95(&under.route.provider, self.plan.service)?;
        Some((usual, other))
    }

    /// Whether a candidate can answer as well as another, and is not left alone.
    fn is_match(&self, at: usize) -> bool {
        let candidate = &self.plan.candidates[at];
        !candidate.stand_in && !self.router.0.circuits.is_away(&candidate.route.provider, self.plan.service)
    }

    /// Runs a call, and a second one beside it when the first takes longer than it usually does. The first to begin wins, and the
    /// other is dropped. What the second one is refused is no reason to give up the first.
    async fn race<T>(
        &mut self,
        mut first: BoxFuture<'static, Result<T, Failure>>,
        under: Under,
        after: Duration,
        other: usize,
        start: Start<'_, T>,
    ) -> (Result<T, Failure>, Under) {
        tokio::select! {
            // Whoever answers at that very moment needs nobody beside it.
            biased;
            result = &mut first => return (result, under),
            () = tokio::time::sleep(after) => {}
        }
        let (call, beside) = self.call(other);
        let mut second = start(call);
        let (result, done, rest, left) = tokio::select! {
            // It stands in the books: so it is really made, even if the first one is over before it.
            biased;
            result = &mut second => (result, beside, first, under),
            result = &mut first => (result, under, second, beside),
        };
        let stops = |failure: &Failure| policy::step(failure, self.situation()) == Step::Stop;
        match result {
            Err(failure) if done.at == other || !stops(&failure) => {
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
            self.turn_to(under.at);
        }
    }

    fn turn_to(&mut self, at: usize) {
        self.at = at;
        self.tries = 0;
        self.model = None;
        self.plain = false;
    }

    /// What is known when a call has failed that is not noted yet.
    fn situation(&self) -> Situation {
        let others = self.left.iter().any(|at| self.is_match(*at));
        // The same provider is not asked again at the cost of one that was not asked at all.
        let room = self.attempts.len() + 1 + self.left.len() < BUDGET;
        Situation {
            tries: self.tries + 1,
            alone: !others && room && !self.rested,
            extras: self.extras && !self.plain,
            past_blocks: self.plan.past_blocks,
        }
    }

    /// A call answered to its end.
    pub(super) fn succeeded(&mut self, under: &Under, came: Came) {
        self.note(under, None, came);
        let others = |attempt: &Attempt| {
            attempt.class.is_some_and(|class| class != Class::Cancelled)
                && attempt.route.provider != under.route.provider
        };
        let mut said: Vec<String> = Vec::new();
        let mut continued = false;
        for (attempt, kept) in self.attempts.iter().zip(&self.kept).filter(|(attempt, _)| others(attempt)) {
            let provider = self.plan.label(&attempt.route.provider);
            continued |= kept;
            let what = match kept {
                true => format!("{provider} broke off"),
                false => format!("{provider} did not answer ({})", plain(attempt.class)),
            };
            if !said.contains(&what) {
                said.push(what);
            }
        }
        if let Some(first) = self.attempts.iter().find(|attempt| others(attempt)) {
            self.router.0.health.fell_back(first, Some(&under.route));
            let did = if continued { "continued" } else { "did" };
            let message = format!("{}. {} {did}.", said.join(", "), self.plan.label(&under.route.provider));
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
        if let Some(model) = self.lighter(&under.route, failure) {
            let message = format!("{} is overloaded. {model} answers in its place.", under.route.model);
            self.observer.notice(Notice { kind: "model_replaced".into(), message });
            self.model = Some(model.to_owned());
            return Ok(());
        }
        match step {
            Step::Stop => Err(self.error(failure)),
            Step::Again(wait) if Instant::now() + wait < self.deadline => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Step::OtherModel => match self.substitute(&under.route) {
                Some(model) => {
                    let why = failure.not_offered.then_some(failure.message.as_str());
                    let message = format!("{} {model} answers in its place.", lists::reason(&under.route.model, why));
                    self.observer.notice(Notice { kind: "model_replaced".into(), message });
                    self.model = Some(model);
                    Ok(())
                }
                None => self.next(failure),
            },
            Step::Plain => {
                self.plain = true;
                Ok(())
            }
            Step::Again(_) | Step::Next => self.next(failure),
        }
    }

    /// The model that stands in for one that is gone.
    fn substitute(&self, gone: &Route) -> Option<String> {
        // The world of now and not the plan's: it knows what has gone since.
        self.router.0.world.load().substitute(&gone.provider, self.plan.service, &gone.model)
    }

    /// The lighter model of the same provider, once: the newest ones are overloaded often while the others are well.
    fn lighter(&self, busy: &Route, failure: &Failure) -> Option<&'static str> {
        let first = self.model.is_none() && failure.class == Class::Overloaded && failure.status == Some(503);
        let known_as = &self.plan.candidates[self.at].known_as;
        catalog::when_busy(known_as, &busy.model)
            .filter(|model| first && !self.router.0.lists.known().is_gone(&busy.provider, model))
    }

    fn next(&mut self, failure: &Failure) -> Result<()> {
        let Some(next) = self.left.front().copied() else { return Err(self.error(failure)) };
        self.turn_to(next);
        Ok(())
    }

    /// Writes an attempt into every book: the circuit, the health, the accounts, the observer's record.
    fn note(&mut self, under: &Under, failure: Option<&Failure>, came: Came) {
        self.under_way.retain(|other| other.number != under.number);
        let Came { usage, measured, first_ms, kept } = came;
        let usage = failure.and_then(|failure| failure.usage.as_deref().cloned()).unwrap_or(usage);
        let candidate = &self.plan.candidates[under.at];
        let cost = usage::cost(
            &candidate.known_as,
            candidate.local,
            &under.route,
            failure.map(|failure| failure.class),
            &usage,
            measured,
        );
        let told = failure.and_then(|failure| failure.rate_limit.as_deref().cloned());
        let usage = Usage { rate_limit: usage.rate_limit.clone().or(told), ..usage };
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
        if let Some(failure) = failure.filter(|failure| failure.class == Class::ModelGone) {
            self.router.model_gone(&under.route, failure);
        }
        self.observer.attempt(&attempt);
        self.attempts.push(attempt);
        self.kept.push(kept);
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
                let told = |of: &Attempt| format!("{} {}", self.plan.label(&of.route.provider), plain(of.class));
                let mut why: Vec<String> = self.attempts.iter().map(told).collect();
                // Who was asked again and said the same is named once.
                why.dedup();
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
    /// The name for the person of a provider in this plan.
    fn label<'a>(&'a self, provider: &'a str) -> &'a str {
        let named = self.candidates.iter().find(|candidate| candidate.route.provider == provider);
        named.map_or(provider, |candidate| &candidate.label)
    }

    /// From now on the route that answered comes first: for the parts of one answer.
    pub fn stay_with(&mut self, route: &Route) {
        if let Some(at) = self.candidates.iter().position(|candidate| candidate.route.provider == route.provider) {
            self.candidates[..=at].rotate_right(1);
        }
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
