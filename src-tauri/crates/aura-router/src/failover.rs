//! The failover of one request: which calls were made, how each ended, and which one is next.
//!
//! [`Failover`] works through a route plan by the rules in [`retry_policy`], and reports every call to the circuit breakers, the
//! health figures, the usage, and the observer.

use std::collections::VecDeque;
use std::time::Duration;

use aura_providers::{Failure, FailureDetail, FailureKind, Service, Services, Usage};
use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::attempt::{Attempt, Observer, Route, RouteNotice, RouteNoticeFacts, RouteNoticeKind, RouteNoticeReason};
use crate::cost::{self, LocalCount};
use crate::error::{Error, Result};
use crate::model_lists;
use crate::plan::RoutePlan;
use crate::retry_policy::{self, RETRY_BUDGET, RetryContext, RetryDecision};
use crate::router::Router;

/// How long a model on this computer may work on a request. A slow computer writes an answer of a page, or hears a recording of ten
/// minutes, in less; nobody pays for the time, and there is rarely another route.
pub(crate) const LOCAL_WORK: Duration = Duration::from_secs(600);

/// One call to make.
pub(crate) struct Call {
    pub(crate) services: Services,
    pub(crate) route: Route,
    /// Whether a model on this computer is called.
    pub(crate) is_local: bool,
    /// How long the first content may take, counted from the last sign of progress.
    pub(crate) first_token_timeout: Duration,
    /// When the whole request must be over.
    pub(crate) deadline: Instant,
    /// Whether reasoning used up the token limit of an earlier call.
    pub(crate) raise_max_tokens: bool,
    /// Whether the request is sent without its optional tools.
    pub(crate) without_optional_tools: bool,
}

impl Call {
    /// When the first content is due, counted from now.
    pub(crate) fn due(&self) -> Instant {
        (Instant::now() + self.first_token_timeout).min(self.deadline)
    }
}

/// A call that has not ended.
#[derive(Clone)]
pub(crate) struct InFlight {
    /// Number of the call within the request, from 0.
    id: usize,
    /// Index of its candidate in the plan.
    candidate: usize,
    pub(crate) route: Route,
    started_at: Instant,
}

impl InFlight {
    /// Milliseconds since the call started.
    pub(crate) fn ms(&self) -> u32 {
        u32::try_from(self.started_at.elapsed().as_millis()).unwrap_or(u32::MAX)
    }
}

/// Outcome of one call, for usage accounting.
#[derive(Default)]
pub(crate) struct CallOutcome {
    pub(crate) usage: Usage,
    pub(crate) measured: LocalCount,
    /// Milliseconds from the start to the first content of a stream.
    pub(crate) first_ms: Option<u32>,
    /// Whether content of this call is part of the result.
    pub(crate) has_content: bool,
}

/// Starts a call. The future resolves with the first content.
pub(crate) type StartCall<'a, T> = &'a (dyn Fn(Call) -> BoxFuture<'static, Result<T, Failure>> + Sync);

/// The failover of one request. When it is dropped early, the calls in flight are recorded as cancelled, because a provider may
/// bill them.
pub(crate) struct Failover<'a> {
    router: &'a Router,
    plan: &'a RoutePlan,
    observer: &'a dyn Observer,
    attempts: Vec<Attempt>,
    /// For each attempt, whether its content is part of the result.
    has_content: Vec<bool>,
    /// Candidates that have not been called, in the order in which they will be.
    remaining: VecDeque<usize>,
    /// Index of the current candidate.
    current: usize,
    /// Attempts at the current candidate that failed.
    route_failures: u32,
    /// Replaces the model of the current candidate.
    model: Option<String>,
    raise_max_tokens: bool,
    /// Whether the request has tools that may be left out.
    has_optional_tools: bool,
    /// Whether they are left out at the current candidate.
    without_optional_tools: bool,
    /// Whether the circuit of the current candidate was open when it was called: then it is called only once.
    was_open: bool,
    in_flight: Vec<InFlight>,
    next_id: usize,
    /// When the whole request must be over.
    deadline: Instant,
    /// The same while a model on this computer is at work.
    local_deadline: Instant,
}

impl Drop for Failover<'_> {
    fn drop(&mut self) {
        for call in std::mem::take(&mut self.in_flight) {
            self.record(&call, Some(&Failure::new(FailureKind::Cancelled, "Stopped.")), CallOutcome::default());
        }
    }
}

impl<'a> Failover<'a> {
    pub(crate) fn new(router: &'a Router, plan: &'a RoutePlan, observer: &'a dyn Observer) -> Self {
        for notice in &plan.notices {
            observer.notice(notice.clone());
        }
        // The circuits are read again for every request of a plan: later sentences skip a provider that just failed, so they do
        // not wait for its timeout again.
        let mut remaining = VecDeque::from(router.0.monitor.circuits.order(&plan.candidates, plan.service));
        let current = remaining.pop_front().unwrap_or_default();
        let now = Instant::now();
        let deadline = now + Duration::from_millis(plan.timeouts.whole_ms.into());
        let failover = Self {
            router,
            plan,
            observer,
            attempts: Vec::new(),
            has_content: Vec::new(),
            remaining,
            current,
            route_failures: 0,
            model: None,
            raise_max_tokens: false,
            has_optional_tools: false,
            without_optional_tools: false,
            was_open: false,
            in_flight: Vec::new(),
            next_id: 0,
            deadline,
            local_deadline: deadline.max(now + LOCAL_WORK),
        };
        failover.report_builtin_fallback();
        failover
    }

    /// Tells whether the request has tools that may be left out.
    pub(crate) fn with_optional_tools(mut self, has_optional_tools: bool) -> Self {
        self.has_optional_tools = has_optional_tools;
        self
    }

    /// Reports why the built-in fallback answers although a provider is configured.
    fn report_builtin_fallback(&self) {
        if self.current > 0 && self.plan.candidates[self.current].is_builtin_fallback {
            let provider = &self.plan.first().route.provider;
            let (reason, why) = match self.router.0.monitor.circuits.is_key_rejected(provider) {
                true => (RouteNoticeReason::KeyRejected, "its API key was rejected."),
                false => (RouteNoticeReason::Paused, "it failed a moment ago and will be tried again shortly."),
            };
            self.observer.notice(RouteNotice::skipped(provider, self.plan.label(provider), reason, why));
        }
    }

    /// Every attempt so far, in order.
    pub(crate) fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// When the next item of a stream is due.
    pub(crate) fn next_due(&self) -> Instant {
        let between = Duration::from_millis(self.plan.timeouts.between_ms.into());
        (Instant::now() + between).min(self.deadline_of(self.current))
    }

    /// When a call to a candidate must be over.
    fn deadline_of(&self, candidate: usize) -> Instant {
        if self.plan.candidates[candidate].is_local { self.local_deadline } else { self.deadline }
    }

    /// Calls one route after the other until one returns its first content.
    ///
    /// # Errors
    /// When the retry policy gives up, or no route, attempt or time is left.
    pub(crate) async fn start<T>(&mut self, start_call: StartCall<'_, T>) -> Result<(T, InFlight)> {
        loop {
            let (call, in_flight) = self.prepare_call(self.current);
            let running = start_call(call);
            let (result, in_flight) = match self.hedge_target(&in_flight) {
                Some((delay, candidate)) => self.hedge(running, in_flight, delay, candidate, start_call).await,
                None => (running.await, in_flight),
            };
            match result {
                Ok(started) => return Ok((started, in_flight)),
                Err(failure) => self.failed(&in_flight, &failure, CallOutcome::default()).await?,
            }
        }
    }

    /// The route that is called next.
    pub(crate) fn next_route(&self) -> &Route {
        &self.plan.candidates[self.current].route
    }

    /// Takes over the call of the next route that an upload has begun.
    pub(crate) fn begin_upload(&mut self) -> (Call, InFlight) {
        self.prepare_call(self.current)
    }

    fn prepare_call(&mut self, index: usize) -> (Call, InFlight) {
        self.remaining.retain(|remaining| *remaining != index);
        let candidate = &self.plan.candidates[index];
        let is_current = index == self.current;
        let mut route = candidate.route.clone();
        if let Some(model) = self.model.as_ref().filter(|_| is_current) {
            route.model.clone_from(model);
        }
        let circuits = &self.router.0.monitor.circuits;
        if is_current && self.route_failures == 0 {
            self.was_open = circuits.is_open(&route.provider, self.plan.service);
        }
        circuits.on_call(&route.provider, self.plan.service);
        self.observer.calling(&route);
        let call = Call {
            services: candidate.services.clone(),
            route: route.clone(),
            is_local: candidate.is_local,
            first_token_timeout: self.plan.first_token_timeout(candidate),
            deadline: self.deadline_of(index),
            raise_max_tokens: self.raise_max_tokens,
            without_optional_tools: self.without_optional_tools && is_current,
        };
        let in_flight = InFlight { id: self.next_id, candidate: index, route, started_at: Instant::now() };
        self.next_id += 1;
        self.in_flight.push(in_flight.clone());
        (call, in_flight)
    }

    /// The delay after which a hedged request is made, and its candidate: the next one whose circuit is closed. The built-in
    /// fallback is never hedged to.
    fn hedge_target(&self, first: &InFlight) -> Option<(Duration, usize)> {
        if !self.plan.hedge || self.attempts.len() + 2 > RETRY_BUDGET {
            return None;
        }
        let candidate = self.remaining.iter().copied().find(|index| self.is_alternative(*index))?;
        let delay = self.router.0.monitor.health.p95(&first.route.provider, self.plan.service)?;
        Some((delay, candidate))
    }

    /// Whether a candidate can answer as well as the current one: a provider whose circuit is not open.
    fn is_alternative(&self, index: usize) -> bool {
        let candidate = &self.plan.candidates[index];
        let circuits = &self.router.0.monitor.circuits;
        !candidate.is_builtin_fallback && !circuits.is_open(&candidate.route.provider, self.plan.service)
    }

    /// Runs a call, and a hedged one beside it when the first takes longer than `delay`. The first result wins and the other call
    /// is dropped, but a failure of the hedged call does not end the first one.
    async fn hedge<T>(
        &mut self,
        mut first: BoxFuture<'static, Result<T, Failure>>,
        first_call: InFlight,
        delay: Duration,
        candidate: usize,
        start_call: StartCall<'_, T>,
    ) -> (Result<T, Failure>, InFlight) {
        tokio::select! {
            // A result at this very moment makes the hedged request needless.
            biased;
            result = &mut first => return (result, first_call),
            () = tokio::time::sleep(delay) => {}
        }
        let (call, second_call) = self.prepare_call(candidate);
        let mut second = start_call(call);
        let (result, done, other, other_call) = tokio::select! {
            // The second call is already recorded as in flight, so it must be polled even when the first one has a result by now.
            biased;
            result = &mut second => (result, second_call, first, first_call),
            result = &mut first => (result, first_call, second, second_call),
        };
        let gives_up = |failure: &Failure| retry_policy::decide(failure, self.retry_context()) == RetryDecision::GiveUp;
        match result {
            Err(failure) if done.candidate == candidate || !gives_up(&failure) => {
                self.record(&done, Some(&failure), CallOutcome::default());
                self.make_current(&other_call);
                (other.await, other_call)
            }
            result => {
                let cancelled = Failure::new(FailureKind::Cancelled, "Another route answered first.");
                self.record(&other_call, Some(&cancelled), CallOutcome::default());
                self.make_current(&done);
                (result, done)
            }
        }
    }

    /// Makes the candidate of a call the current one.
    fn make_current(&mut self, call: &InFlight) {
        if self.current != call.candidate {
            self.switch_to(call.candidate);
        }
    }

    fn switch_to(&mut self, index: usize) {
        self.current = index;
        self.route_failures = 0;
        self.model = None;
        self.without_optional_tools = false;
    }

    /// The context of a failure that is not recorded yet.
    fn retry_context(&self) -> RetryContext {
        let has_alternative = self.remaining.iter().any(|index| self.is_alternative(*index));
        // A second attempt at this route must not use up the attempt of a route that was not called at all.
        let has_budget = self.attempts.len() + 1 + self.remaining.len() < RETRY_BUDGET;
        RetryContext {
            route_attempts: self.route_failures + 1,
            is_last_route: !has_alternative && has_budget && !self.was_open,
            has_optional_tools: self.has_optional_tools && !self.without_optional_tools,
            fallback_on_block: self.plan.fallback_on_block,
            jitter: jitter(),
        }
    }

    /// Records a call that completed, and reports the providers that failed before it.
    pub(crate) fn succeeded(&mut self, call: &InFlight, outcome: CallOutcome) {
        self.record(call, None, outcome);
        let is_other_failure = |attempt: &Attempt| {
            attempt.kind.is_some_and(|kind| kind != FailureKind::Cancelled)
                && attempt.route.provider != call.route.provider
        };
        let mut failures: Vec<String> = Vec::new();
        let mut was_continued = false;
        for (attempt, had_content) in self.attempts.iter().zip(&self.has_content) {
            if !is_other_failure(attempt) {
                continue;
            }
            let provider = self.plan.label(&attempt.route.provider);
            was_continued |= had_content;
            let failure = match had_content {
                true => format!("{provider} broke off"),
                false => format!("{provider} did not answer ({})", describe(attempt.kind)),
            };
            if !failures.contains(&failure) {
                failures.push(failure);
            }
        }
        if let Some(first) = self.attempts.iter().find(|attempt| is_other_failure(attempt)) {
            self.router.0.monitor.health.record_fallback(first, Some(&call.route));
            let verb = if was_continued { "continued" } else { "did" };
            let message = format!("{}. {} {verb}.", failures.join(", "), self.plan.label(&call.route.provider));
            let facts = RouteNoticeFacts::default();
            self.observer.notice(RouteNotice { kind: RouteNoticeKind::Fallback, facts, message });
        }
    }

    /// Records a failure and prepares the next call by the retry policy, after waiting as long as it demands.
    ///
    /// # Errors
    /// When the policy gives up, or no route, attempt or time is left.
    pub(crate) async fn failed(&mut self, call: &InFlight, failure: &Failure, outcome: CallOutcome) -> Result<()> {
        let decision = retry_policy::decide(failure, self.retry_context());
        self.record(call, Some(failure), outcome);
        if self.plan.candidates[call.candidate].is_local {
            // It may take longer than the whole request, and the routes after it get the same time as without it.
            self.deadline = (self.deadline + call.started_at.elapsed()).min(self.local_deadline);
        }
        self.route_failures += 1;
        self.raise_max_tokens |= failure.detail == Some(FailureDetail::MaxTokensExhausted);
        if self.attempts.len() >= RETRY_BUDGET || Instant::now() >= self.deadline {
            return Err(self.error(failure));
        }
        if let Some(model) = self.lighter_model(&call.route, failure) {
            let message = format!("{} is overloaded.", call.route.model);
            self.replace_model(&call.route.model, RouteNoticeReason::Overloaded, &message, model);
            return Ok(());
        }
        match decision {
            RetryDecision::GiveUp => Err(self.error(failure)),
            RetryDecision::RetrySameRoute(wait) if Instant::now() + wait < self.deadline => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            RetryDecision::TryOtherModel => match self.substitute(&call.route) {
                Some(model) => {
                    let is_not_entitled = failure.detail == Some(FailureDetail::NotEntitled);
                    let (reason, said) = match is_not_entitled {
                        true => (RouteNoticeReason::NotEntitled, Some(failure.message.as_str())),
                        false => (RouteNoticeReason::Gone, None),
                    };
                    let message = model_lists::describe_missing(&call.route.model, said);
                    self.replace_model(&call.route.model, reason, &message, model);
                    Ok(())
                }
                None => self.switch_to_next(failure),
            },
            RetryDecision::DropOptionalTools => {
                self.without_optional_tools = true;
                Ok(())
            }
            RetryDecision::RetrySameRoute(_) | RetryDecision::NextRoute => self.switch_to_next(failure),
        }
    }

    /// Uses another model of the current provider, and reports why.
    fn replace_model(&mut self, missing: &str, reason: RouteNoticeReason, why: &str, model: String) {
        let kind = RouteNoticeKind::ModelReplaced;
        self.observer.notice(RouteNotice::replaced(kind, missing, &model, reason, why));
        self.model = Some(model);
    }

    /// The model that replaces a missing one.
    fn substitute(&self, missing: &Route) -> Option<String> {
        // From the current routing table, not from the plan's: it also knows the models that went missing since.
        self.router.0.table.load().substitute(&missing.provider, self.plan.service, &missing.model)
    }

    /// A lighter model of the same provider, once per route. The newest models often answer 503 while the lighter ones have
    /// capacity.
    fn lighter_model(&self, route: &Route, failure: &Failure) -> Option<String> {
        if self.model.is_some() || failure.kind != FailureKind::Overloaded || failure.status != Some(503) {
            return None;
        }
        let catalog_id = &self.plan.candidates[self.current].catalog_id;
        let model = self.router.catalog().overload_fallback(catalog_id, &route.model)?;
        let is_missing = self.router.0.lists.known().is_missing(&route.provider, model);
        (!is_missing).then(|| model.to_owned())
    }

    fn switch_to_next(&mut self, failure: &Failure) -> Result<()> {
        let Some(next) = self.remaining.front().copied() else { return Err(self.error(failure)) };
        self.switch_to(next);
        Ok(())
    }

    /// Records the end of a call: cost, circuit, health, usage, and the observer.
    fn record(&mut self, call: &InFlight, failure: Option<&Failure>, outcome: CallOutcome) {
        self.in_flight.retain(|other| other.id != call.id);
        let CallOutcome { usage, measured, first_ms, has_content } = outcome;
        let usage = failure.and_then(|failure| failure.usage.as_deref().cloned()).unwrap_or(usage);
        let candidate = &self.plan.candidates[call.candidate];
        let cost = cost::cost(
            self.router.catalog(),
            &candidate.catalog_id,
            candidate.is_local,
            &call.route.model,
            failure.map(|failure| failure.kind),
            &usage,
            measured,
        );
        let rate_limit = failure.and_then(|failure| failure.rate_limit.as_deref().cloned());
        let usage = Usage { rate_limit: usage.rate_limit.clone().or(rate_limit), ..usage };
        let attempt = Attempt {
            service: self.plan.service,
            route: call.route.clone(),
            ms: call.ms(),
            first_ms,
            kind: failure.map(|failure| failure.kind),
            message: failure.map(|failure| failure.message.clone()),
            usage,
            cost,
        };
        self.router.record(&attempt, failure, self.plan.keys_read_at, candidate.services.models.as_ref());
        self.observer.attempt(&attempt);
        self.attempts.push(attempt);
        self.has_content.push(has_content);
    }

    /// Records an upload that the provider refused as such. The same route is called again.
    pub(crate) fn upload_failed(&mut self, call: &InFlight, failure: &Failure) {
        self.record(call, Some(failure), CallOutcome::default());
    }

    /// The error of the request, whose last failure is `last`.
    fn error(&self, last: &Failure) -> Error {
        if let Some(first) = self.attempts.iter().find(|attempt| attempt.kind.is_some()) {
            self.router.0.monitor.health.record_fallback(first, None);
        }
        let attempts = self.attempts.clone();
        match last.kind {
            FailureKind::Blocked => {
                Error::Blocked { message: format!("The provider blocked this request: {}", last.message), attempts }
            }
            FailureKind::Cancelled => Error::Cancelled { attempts },
            FailureKind::InvalidRequest => Error::InvalidRequest {
                message: format!("The provider rejected this request: {}", last.message),
                attempts,
            },
            _ => {
                let goal = match self.plan.service {
                    Service::Stt => "understand you",
                    Service::Llm => "answer",
                    Service::Vlm => "look at the picture",
                    Service::Tts => "speak",
                    Service::Embedding => "embed the texts",
                };
                let outcome = |attempt: &Attempt| {
                    format!("{} {}", self.plan.label(&attempt.route.provider), describe(attempt.kind))
                };
                let mut outcomes: Vec<String> = self.attempts.iter().map(outcome).collect();
                // A provider that failed twice in the same way is named once.
                outcomes.dedup();
                let message =
                    format!("AURA could not {goal}: {}. Try again, or choose another provider.", outcomes.join(", "));
                Error::AllFailed { message, attempts }
            }
        }
    }
}

/// The outcome of an attempt, in words that follow the provider's name.
fn describe(kind: Option<FailureKind>) -> &'static str {
    match kind {
        None => "answered",
        Some(FailureKind::KeyRejected) => "rejected the API key",
        Some(FailureKind::Forbidden) => "refused access",
        Some(FailureKind::RateLimited) => "hit its rate limit",
        Some(FailureKind::Quota) => "is out of quota",
        Some(FailureKind::ModelGone) => "no longer offers the model",
        Some(FailureKind::Overloaded) => "was overloaded",
        Some(FailureKind::Unreachable) => "could not be reached",
        Some(FailureKind::Timeout) => "timed out",
        Some(FailureKind::Interrupted) => "broke off",
        Some(FailureKind::Empty) => "sent an empty reply",
        Some(FailureKind::Unsupported) => "does not support this request",
        Some(FailureKind::Blocked) => "blocked the request",
        Some(FailureKind::InvalidRequest) => "rejected the request as invalid",
        Some(FailureKind::Cancelled) => "was stopped",
        Some(_) => "failed",
    }
}

/// A random number from 0 to 1. Not for secrets.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    f64::from(RandomState::new().hash_one(0_u8) as u16) / f64::from(u16::MAX)
}
