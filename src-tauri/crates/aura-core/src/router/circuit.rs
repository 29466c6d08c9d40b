//! Which routes are left alone for a while: a provider that failed twice in a row for a service, or asked for a pause.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Candidate;
use crate::providers::{Class, Service};

/// Failures in a row that open the circuit.
const TRIP: u32 = 2;
/// The first pause; it doubles with every failure after it.
const FIRST: Duration = Duration::from_secs(5);
/// The longest pause that AURA makes on its own.
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Circuits(Mutex<HashMap<(String, Service), Circuit>>);

#[derive(Debug, Clone, Copy, Default)]
struct Circuit {
    failures: u32,
    until: Option<Instant>,
}

impl Circuits {
    /// Moves the routes that are to be left alone behind the others, the one due first before the rest.
    pub(super) fn order(&self, candidates: &mut [Candidate], service: Service) {
        let now = Instant::now();
        let circuits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        candidates.sort_by_key(|candidate| {
            let circuit = circuits.get(&(candidate.route.provider.clone(), service));
            circuit.and_then(|circuit| circuit.until).filter(|until| *until > now)
        });
    }

    pub(super) fn succeeded(&self, provider: &str, service: Service) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(provider.to_owned(), service));
    }

    /// Counts a failure that says something about the provider; `pause` is what it asked for.
    pub(super) fn failed(&self, provider: &str, service: Service, class: Class, pause: Option<Duration>) {
        let telling = matches!(
            class,
            Class::RateLimited
                | Class::Quota
                | Class::Overloaded
                | Class::Unreachable
                | Class::Timeout
                | Class::Interrupted
        );
        if !telling {
            return;
        }
        let mut circuits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let circuit = circuits.entry((provider.to_owned(), service)).or_default();
        circuit.failures += 1;
        let own = (circuit.failures >= TRIP)
            .then(|| FIRST.saturating_mul(1 << (circuit.failures - TRIP).min(8)).min(LONGEST));
        if let Some(pause) = pause.max(own) {
            circuit.until = Some(Instant::now() + pause);
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
        circuits.failed("groq", Service::Llm, Class::Timeout, None);
        assert_eq!(first(&circuits), "groq", "one failure is no reason");
        for pause in [5, 10, 20, 40, 60, 60] {
            circuits.failed("groq", Service::Llm, Class::Timeout, None);
            tokio::time::advance(Duration::from_secs(pause) - Duration::from_millis(1)).await;
            assert_eq!(first(&circuits), "gemini", "{pause} s");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!(first(&circuits), "groq", "the request after {pause} s is the probe");
        }
        circuits.succeeded("groq", Service::Llm);
        circuits.failed("groq", Service::Llm, Class::Timeout, None);
        assert_eq!(first(&circuits), "groq", "a success forgets the failures");
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
}
