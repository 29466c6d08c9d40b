//! Which routes are left alone for a while: a provider that failed twice in a row for a service, or asked for a pause.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Candidate;
use crate::health;
use crate::providers::{Class, Service};

/// Failures in a row that open the circuit.
const TRIP: u32 = 2;
/// The first pause; it doubles with every failure after it.
const FIRST: Duration = Duration::from_secs(5);
/// The longest pause that AURA makes on its own.
const LONGEST: Duration = Duration::from_secs(60);
/// How long a probe has the provider to itself.
const PROBE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Circuits {
    all: Mutex<HashMap<(String, Service), Circuit>>,
    /// When a provider got another key.
    forgiven: Mutex<HashMap<String, Instant>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Circuit {
    failures: u32,
    until: Option<Instant>,
    /// Its key was refused: nothing but another key helps.
    refused: bool,
}

impl Circuits {
    /// Moves the routes that are to be left alone behind the others, the one due first before the rest.
    pub(super) fn order(&self, candidates: &mut [Candidate], service: Service) {
        let circuits = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if circuits.is_empty() || candidates.len() < 2 {
            return;
        }
        let now = Instant::now();
        candidates.sort_by_cached_key(|candidate| {
            let circuit = circuits.get(&(candidate.route.provider.clone(), service))?;
            circuit.until.filter(|until| *until > now)
        });
    }

    /// A call begins. The first one after a pause is the probe; others keep away until it is known how it went.
    pub(super) fn begins(&self, provider: &str, service: Service) {
        let now = Instant::now();
        let mut circuits = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if circuits.is_empty() {
            return;
        }
        if let Some(circuit) = circuits.get_mut(&(provider.to_owned(), service))
            && circuit.until.is_some_and(|until| until <= now)
        {
            circuit.until = Some(now + PROBE);
        }
    }

    /// A call answered. True when the provider was left alone before.
    pub(super) fn succeeded(&self, provider: &str, service: Service) -> bool {
        let mut circuits = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if circuits.is_empty() {
            return false;
        }
        circuits.remove(&(provider.to_owned(), service)).is_some_and(|circuit| circuit.until.is_some())
    }

    /// Counts a failure that says something about the provider; `pause` is what it asked for. True when it is left alone from
    /// now on and was not before.
    pub(super) fn failed(&self, provider: &str, service: Service, class: Class, pause: Option<Duration>) -> bool {
        let telling = matches!(
            class,
            Class::Auth
                | Class::RateLimited
                | Class::Quota
                | Class::Overloaded
                | Class::Unreachable
                | Class::Timeout
                | Class::Interrupted
        );
        let mut circuits = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if !telling {
            // It did answer: a probe that ended like this leaves the way free for the next request.
            if let Some(circuit) = circuits.get_mut(&(provider.to_owned(), service)) {
                circuit.until = circuit.until.map(|until| until.min(Instant::now()));
            }
            return false;
        }
        let circuit = circuits.entry((provider.to_owned(), service)).or_default();
        circuit.failures += 1;
        circuit.refused = class == Class::Auth;
        let own = (circuit.failures >= TRIP)
            .then(|| FIRST.saturating_mul(1 << (circuit.failures - TRIP).min(8)).min(LONGEST));
        let was_closed = circuit.until.is_none();
        if let Some(pause) = pause.max(own) {
            circuit.until = Some(Instant::now() + pause);
        }
        was_closed && circuit.until.is_some()
    }

    /// A provider has another key: what it said to the old one no longer counts.
    pub(super) fn forgive(&self, provider: &str, now: Instant) {
        let mut forgiven = self.forgiven.lock().unwrap_or_else(PoisonError::into_inner);
        forgiven.insert(provider.to_owned(), now);
        self.all.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| of != provider);
    }

    /// Whether a provider got another key after this moment: a refusal of one that was read before says nothing about it.
    pub(super) fn is_forgiven_since(&self, provider: &str, made: Instant) -> bool {
        let forgiven = self.forgiven.lock().unwrap_or_else(PoisonError::into_inner);
        forgiven.get(provider).is_some_and(|at| *at > made)
    }

    /// Whether its key was refused.
    pub(super) fn is_refused(&self, provider: &str) -> bool {
        let circuits = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        circuits.iter().any(|((of, _), circuit)| of == provider && circuit.refused)
    }

    /// Whether calls go there, and how long not.
    pub(super) fn state(&self, provider: &str, service: Service) -> (health::Circuit, Option<Duration>) {
        let circuits = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let until = circuits.get(&(provider.to_owned(), service)).and_then(|circuit| circuit.until);
        match until.map(|until| until.saturating_duration_since(Instant::now())) {
            None => (health::Circuit::Closed, None),
            Some(Duration::ZERO) => (health::Circuit::HalfOpen, None),
            Some(left) => (health::Circuit::Open, Some(left)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::Services;
    use crate::record::Route;

    fn candidates() -> Vec<Candidate> {
        ["groq", "gemini"]
            .map(|provider| Candidate {
                route: Route { provider: provider.into(), model: "m".into(), voice: None },
                known_as: provider.into(),
                services: Services::default(),
                local: false,
            })
            .to_vec()
    }

    fn first(circuits: &Circuits) -> String {
        let mut candidates = candidates();
        circuits.order(&mut candidates, Service::Llm);
        candidates[0].route.provider.clone()
    }

    #[tokio::test(start_paused = true)]
    async fn two_failures_open_it_and_the_pause_doubles() {
        let circuits = Circuits::default();
        assert!(!circuits.failed("groq", Service::Llm, Class::Timeout, None));
        assert_eq!(first(&circuits), "groq", "one failure is no reason");
        for pause in [5, 10, 20, 40, 60, 60] {
            let news = circuits.failed("groq", Service::Llm, Class::Timeout, None);
            assert_eq!(news, pause == 5, "told once");
            tokio::time::advance(Duration::from_secs(pause) - Duration::from_millis(1)).await;
            assert_eq!(first(&circuits), "gemini", "{pause} s");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!(first(&circuits), "groq", "the request after {pause} s is the probe");
        }
        assert!(circuits.succeeded("groq", Service::Llm));
        circuits.failed("groq", Service::Llm, Class::Timeout, None);
        assert_eq!(first(&circuits), "groq", "a success forgets the failures");
    }

    #[tokio::test(start_paused = true)]
    async fn only_one_request_probes() {
        let circuits = Circuits::default();
        circuits.failed("groq", Service::Llm, Class::Timeout, None);
        circuits.failed("groq", Service::Llm, Class::Timeout, None);
        assert_eq!(circuits.state("groq", Service::Llm).0, health::Circuit::Open);
        tokio::time::advance(FIRST).await;
        assert_eq!(circuits.state("groq", Service::Llm).0, health::Circuit::HalfOpen);
        circuits.begins("groq", Service::Llm);
        assert_eq!(first(&circuits), "gemini", "others keep away from the probe");
        tokio::time::advance(PROBE).await;
        assert_eq!(first(&circuits), "groq", "a probe that never ends does not keep it closed");
        circuits.begins("groq", Service::Llm);
        circuits.failed("groq", Service::Llm, Class::Blocked, None);
        assert_eq!(first(&circuits), "groq", "it answered, if not as one would wish");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_was_asked_for_is_kept_at_the_first_failure() {
        let circuits = Circuits::default();
        circuits.failed("groq", Service::Llm, Class::RateLimited, Some(Duration::from_secs(30)));
        assert_eq!(first(&circuits), "gemini");
        circuits.failed("gemini", Service::Llm, Class::RateLimited, Some(Duration::from_secs(3)));
        assert_eq!(first(&circuits), "gemini", "when all pause, the one due first");
        circuits.failed("groq", Service::Stt, Class::InvalidRequest, None);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(first(&circuits), "groq");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_key_counts_until_there_is_another() {
        let circuits = Circuits::default();
        circuits.failed("groq", Service::Llm, Class::Auth, Some(Duration::from_secs(3_600)));
        assert!(circuits.is_refused("groq"));
        assert_eq!(first(&circuits), "gemini");
        let began = Instant::now();
        tokio::time::advance(Duration::from_millis(1)).await;
        circuits.forgive("groq", Instant::now());
        assert!(circuits.is_forgiven_since("groq", began) && !circuits.is_forgiven_since("gemini", began));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!circuits.is_forgiven_since("groq", Instant::now()));
        assert!(!circuits.is_refused("groq"));
        assert_eq!(first(&circuits), "groq");
    }
}
