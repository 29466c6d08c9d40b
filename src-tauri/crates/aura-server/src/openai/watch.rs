//! What happens to one request: who was asked, who answers, and how much of the time is AURA's own.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aura_core::record::{Attempt, Notice, Route};
use aura_core::router::Observer;
use axum::extract::Request;
use serde::Serialize;
use utoipa::ToSchema;

use crate::guard::Arrived;

/// Watches one request from its arrival on: what it takes to come in, and to be read, is AURA's own time.
pub(super) struct Watch {
    arrived: Instant,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    attempts: Vec<Attempt>,
    notices: Vec<Notice>,
    /// Calls under way, and since when there is one.
    under_way: u32,
    since: Option<Instant>,
    /// Time that belonged to providers.
    waited: Duration,
    /// Who began to answer last, and when.
    begun: Option<(Route, Instant)>,
}

/// What is known so far.
pub(super) struct Seen {
    /// Who answers.
    pub(super) route: Option<Route>,
    /// Calls that were made.
    pub(super) attempts: usize,
    /// The time that was not spent waiting for a provider.
    pub(super) overhead: Duration,
}

/// What an answer carries beside OpenAI's own fields.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Provenance {
    /// Who answered, as `provider/model`. Of an answer that was continued: who ended it.
    route: Option<String>,
    /// Every call that was made.
    attempts: Vec<Attempt>,
    /// What the person should know.
    notices: Vec<Notice>,
}

/// A route as a model's name.
pub(super) fn route_name(route: &Route) -> String {
    format!("{}/{}", route.provider, route.model)
}

impl Watch {
    /// Of a request that has not been read yet.
    pub(super) fn of(request: &Request) -> Self {
        let arrived = request.extensions().get().map_or_else(Instant::now, |Arrived(at)| *at);
        Self { arrived, notes: Mutex::default() }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn seen(&self) -> Seen {
        let notes = self.notes();
        let last = notes.attempts.iter().rfind(|attempt| attempt.class.is_none()).map(|attempt| attempt.route.clone());
        // From its first content on, what a provider writes is passed on at once: the wait is over.
        let waiting = notes.since.map_or(Duration::ZERO, |since| {
            let until = notes.begun.as_ref().map_or_else(Instant::now, |(_, at)| *at);
            until.saturating_duration_since(since)
        });
        Seen {
            route: last.or_else(|| notes.begun.as_ref().map(|(route, _)| route.clone())),
            attempts: notes.attempts.len() + notes.under_way as usize,
            overhead: self.arrived.elapsed().saturating_sub(notes.waited + waiting),
        }
    }

    pub(super) fn provenance(&self) -> Provenance {
        let route = self.seen().route.as_ref().map(route_name);
        let notes = self.notes();
        Provenance { route, attempts: notes.attempts.clone(), notices: notes.notices.clone() }
    }
}

impl Observer for Watch {
    fn calling(&self, _: &Route) {
        let mut notes = self.notes();
        if notes.under_way == 0 {
            notes.since = Some(Instant::now());
        }
        notes.under_way += 1;
        notes.begun = None;
    }

    fn begun(&self, route: &Route) {
        self.notes().begun = Some((route.clone(), Instant::now()));
    }

    fn attempt(&self, attempt: &Attempt) {
        let mut notes = self.notes();
        notes.attempts.push(attempt.clone());
        notes.under_way = notes.under_way.saturating_sub(1);
        if notes.under_way == 0
            && let Some(since) = notes.since.take()
        {
            notes.waited += since.elapsed();
        }
    }

    fn notice(&self, notice: Notice) {
        self.notes().notices.push(notice);
    }
}
