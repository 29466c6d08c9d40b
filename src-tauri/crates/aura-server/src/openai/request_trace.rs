//! Traces one request: its attempts, its route, and how much of its duration AURA added.

use std::time::{Duration, Instant};

use aura_core::record::Notice;
use aura_router::{Attempt, Observer, Route, RouteNotice};
use axum::extract::Request;
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use utoipa::ToSchema;

use crate::guard::ArrivedAt;

/// The trace of a request from its arrival on. The time to receive and parse it counts as added by AURA.
pub(crate) struct RequestTrace {
    arrived: Instant,
    state: Mutex<TraceState>,
}

#[derive(Default)]
struct TraceState {
    attempts: Vec<Attempt>,
    notices: Vec<Notice>,
    /// Calls in flight; a hedged request has two.
    in_flight: u32,
    /// When the number of calls in flight last rose from 0.
    waiting_since: Option<Instant>,
    /// Time spent waiting for providers in calls that ended.
    waited: Duration,
    /// The route that last sent its first content, and when.
    started: Option<(Route, Instant)>,
}

/// A summary of the request so far.
pub(crate) struct TraceSummary {
    /// The route of the answer.
    pub(crate) route: Option<Route>,
    /// Provider calls, including those in flight.
    pub(crate) attempts: usize,
    /// The time added by AURA: not spent waiting for a provider.
    pub(crate) overhead: Duration,
    /// What the calls cost, US dollars; `None` while one is in flight, or when the cost of one is unknown.
    pub(crate) usd: Option<f64>,
}

/// How an answer came about: an extension of OpenAI's format.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Provenance {
    /// The route of the answer, as `provider/model`. If another route continued the answer, the last one.
    route: Option<String>,
    /// Every provider call, in order.
    attempts: Vec<Attempt>,
    /// Notices for the user.
    notices: Vec<Notice>,
}

/// A route as a model name: `provider/model`.
pub(crate) fn route_name(route: &Route) -> String {
    format!("{}/{}", route.provider, route.model)
}

impl RequestTrace {
    /// Starts the trace of a request whose body has not been read yet.
    pub(crate) fn new(request: &Request) -> Self {
        let arrived = request.extensions().get().map_or_else(Instant::now, |ArrivedAt(at)| *at);
        Self { arrived, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, TraceState> {
        self.state.lock()
    }

    pub(crate) fn summary(&self) -> TraceSummary {
        let state = self.state();
        let last = state.attempts.iter().rfind(|attempt| attempt.kind.is_none()).map(|attempt| attempt.route.clone());
        // After its first content, a provider's text is passed on at once, so the wait is over.
        let waiting = state.waiting_since.map_or(Duration::ZERO, |since| {
            let until = state.started.as_ref().map_or_else(Instant::now, |(_, at)| *at);
            until.saturating_duration_since(since)
        });
        TraceSummary {
            route: last.or_else(|| state.started.as_ref().map(|(route, _)| route.clone())),
            attempts: state.attempts.len() + state.in_flight as usize,
            usd: (state.in_flight == 0).then(|| state.attempts.iter().map(|attempt| attempt.cost.usd).sum()).flatten(),
            overhead: self.arrived.elapsed().saturating_sub(state.waited + waiting),
        }
    }

    /// The input and output tokens of all calls, as far as the providers counted them; `None` when none did.
    pub(crate) fn tokens(&self) -> Option<(u64, u64)> {
        let state = self.state();
        let counted = state.attempts.iter().filter_map(|attempt| {
            let (input, output) = (attempt.usage.input_tokens, attempt.usage.output_tokens);
            (input.is_some() || output.is_some())
                .then(|| (u64::from(input.unwrap_or(0)), u64::from(output.unwrap_or(0))))
        });
        counted.reduce(|(input, output), (more_input, more_output)| (input + more_input, output + more_output))
    }

    pub(crate) fn provenance(&self) -> Provenance {
        let route = self.summary().route.as_ref().map(route_name);
        let state = self.state();
        Provenance { route, attempts: state.attempts.clone(), notices: state.notices.clone() }
    }
}

impl Observer for RequestTrace {
    fn calling(&self, _: &Route) {
        let mut state = self.state();
        if state.in_flight == 0 {
            state.waiting_since = Some(Instant::now());
        }
        state.in_flight += 1;
        state.started = None;
    }

    fn first_content(&self, route: &Route) {
        self.state().started = Some((route.clone(), Instant::now()));
    }

    fn attempt(&self, attempt: &Attempt) {
        let mut state = self.state();
        state.attempts.push(attempt.clone());
        state.in_flight = state.in_flight.saturating_sub(1);
        if state.in_flight == 0
            && let Some(since) = state.waiting_since.take()
        {
            state.waited += since.elapsed();
        }
    }

    fn notice(&self, notice: RouteNotice) {
        self.state().notices.push(notice.into());
    }
}
