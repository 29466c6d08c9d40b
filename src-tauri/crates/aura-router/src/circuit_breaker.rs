//! Circuit breakers: which providers are skipped for a while, per service.
//!
//! A circuit opens after two failures in a row, or when the provider demands a pause. When its open period is over it is half-open:
//! the next request is the probe, and other requests keep skipping the provider until the probe has ended.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use aura_providers::{FailureKind, Service};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::health::CircuitState;
use crate::plan::Candidate;

/// Failures in a row that open a circuit.
const FAILURE_THRESHOLD: u32 = 2;
/// The first open period. It doubles with every further failure, up to the maximum.
const INITIAL_OPEN: Duration = Duration::from_secs(5);
/// The longest open period of a [short outage](SHORT_OUTAGE). With at least one request every 30 s, a provider that recovers is
/// used again within 30 s, wherever the requests fall.
const MAX_OPEN_IN_SHORT_OUTAGE: Duration = Duration::from_secs(15);
/// An outage is short until this long after its first failure.
const SHORT_OUTAGE: Duration = Duration::from_secs(120);
/// The longest open period of a longer outage.
const MAX_OPEN: Duration = Duration::from_secs(60);
/// How long other requests wait for the result of a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(crate) struct CircuitBreakers {
    /// By provider and service. A circuit that is missing is closed and has no failures.
    circuits: Mutex<HashMap<(String, Service), Circuit>>,
    /// When each provider last got another API key.
    key_resets: Mutex<HashMap<String, Instant>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Circuit {
    /// Failures in a row.
    failures: u32,
    /// When the first of them happened.
    failing_since: Option<Instant>,
    /// When the open period ends. `None` while the circuit is closed.
    half_open_at: Option<Instant>,
    /// Whether the provider demanded this open period, such as by Retry-After.
    is_demanded: bool,
    /// Until when other requests skip the provider because of a probe.
    probe_until: Option<Instant>,
    /// Whether the API key was rejected: only another key helps.
    is_key_rejected: bool,
}

impl Circuit {
    /// Until when the provider is skipped; `None` when it may be called.
    fn open_until(&self, now: Instant) -> Option<Instant> {
        self.half_open_at.max(self.probe_until).filter(|until| *until > now)
    }

    /// Whether a call now is sure to be refused.
    fn is_hard_open(&self, now: Instant) -> bool {
        (self.is_demanded || self.is_key_rejected) && self.half_open_at.is_some_and(|until| until > now)
    }

    /// Opens the circuit until `until`, or longer if it already is open for longer.
    fn open(&mut self, until: Instant, is_demanded: bool) {
        if self.half_open_at.is_none_or(|known| known <= until) {
            (self.half_open_at, self.is_demanded) = (Some(until), is_demanded);
        }
    }
}

impl CircuitBreakers {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, Service), Circuit>> {
        self.circuits.lock()
    }

    /// Indices of the candidates in the order in which they are tried.
    ///
    /// Candidates whose circuit is open are left out, except the one that half-opens soonest: it is the last resort after all
    /// others, unless the provider demanded the pause. When every circuit is open, the one that half-opens soonest is tried in any
    /// case.
    ///
    /// For text and images, the built-in fallback is worse than any provider, so it comes after the last resort. For speech it
    /// serves as well as a provider, so it comes before.
    pub(crate) fn order(&self, candidates: &[Candidate], service: Service) -> Vec<usize> {
        let circuits = self.lock();
        if circuits.is_empty() || candidates.len() < 2 {
            return (0..candidates.len()).collect();
        }
        let now = Instant::now();
        let (mut order, mut builtin, mut open) = (Vec::new(), Vec::new(), Vec::new());
        for (index, candidate) in candidates.iter().enumerate() {
            let circuit = circuits.get(&(candidate.route.provider.clone(), service)).copied().unwrap_or_default();
            match circuit.open_until(now) {
                Some(until) => open.push((circuit.is_key_rejected, until, circuit.is_hard_open(now), index)),
                // In first place it is the user's choice, and no fallback.
                None if candidate.is_builtin_fallback && index > 0 => builtin.push(index),
                None => order.push(index),
            }
        }
        open.sort_unstable();
        let all_are_open = order.is_empty() && builtin.is_empty();
        let last_resort =
            open.into_iter().find(|(.., is_hard_open, _)| all_are_open || !is_hard_open).map(|(.., index)| index);
        if matches!(service, Service::Llm | Service::Vlm) {
            order.extend(last_resort.into_iter().chain(builtin));
        } else {
            order.extend(builtin.into_iter().chain(last_resort));
        }
        order
    }

    /// Whether a provider is skipped now, because its circuit is open or a probe has not ended.
    pub(crate) fn is_open(&self, provider: &str, service: Service) -> bool {
        let circuits = self.lock();
        !circuits.is_empty()
            && circuits
                .get(&(provider.to_owned(), service))
                .is_some_and(|circuit| circuit.open_until(Instant::now()).is_some())
    }

    /// Records the start of a call. The first call through a half-open circuit is the probe.
    pub(crate) fn on_call(&self, provider: &str, service: Service) {
        let now = Instant::now();
        let mut circuits = self.lock();
        if circuits.is_empty() {
            return;
        }
        if let Some(circuit) = circuits.get_mut(&(provider.to_owned(), service))
            && circuit.half_open_at.is_some_and(|until| until <= now)
        {
            circuit.probe_until = Some(now + PROBE_TIMEOUT);
        }
    }

    /// Records a success: it closes the circuit. A key that was accepted once is valid for every service, so circuits that were
    /// opened by a rejected key close as well. Returns the services whose circuits were open or half-open.
    pub(crate) fn on_success(&self, provider: &str, service: Service) -> Vec<Service> {
        let mut circuits = self.lock();
        if circuits.is_empty() {
            return Vec::new();
        }
        let mut closed = Vec::new();
        circuits.retain(|(of, for_service), circuit| {
            let closes = of == provider && (*for_service == service || circuit.is_key_rejected);
            if closes && circuit.half_open_at.is_some() {
                closed.push(*for_service);
            }
            !closes
        });
        closed
    }

    /// Records a failure. `cooldown` is the pause that the provider demanded. True when the circuit was closed and is open now.
    pub(crate) fn on_failure(
        &self,
        provider: &str,
        service: Service,
        kind: FailureKind,
        cooldown: Option<Duration>,
    ) -> bool {
        let is_counted = matches!(
            kind,
            FailureKind::KeyRejected
                | FailureKind::Forbidden
                | FailureKind::RateLimited
                | FailureKind::Quota
                | FailureKind::Overloaded
                | FailureKind::Unreachable
                | FailureKind::Timeout
                | FailureKind::Interrupted
        );
        let now = Instant::now();
        let mut circuits = self.lock();
        if !is_counted {
            // The provider did respond, so a probe that ended like this lets the next request through.
            if let Some(circuit) = circuits.get_mut(&(provider.to_owned(), service)) {
                circuit.probe_until = None;
            }
            return false;
        }
        let circuit = circuits.entry((provider.to_owned(), service)).or_default();
        let was_closed = circuit.half_open_at.is_none();
        circuit.failures += 1;
        circuit.probe_until = None;
        let failing_since = *circuit.failing_since.get_or_insert(now);
        if circuit.failures >= FAILURE_THRESHOLD {
            let is_short_outage = now - failing_since < SHORT_OUTAGE;
            let max_open = if is_short_outage { MAX_OPEN_IN_SHORT_OUTAGE } else { MAX_OPEN };
            let doublings = (circuit.failures - FAILURE_THRESHOLD).min(8);
            let open = INITIAL_OPEN.saturating_mul(1 << doublings).min(max_open);
            circuit.open(now + open, false);
        }
        if let Some(cooldown) = cooldown {
            circuit.open(now + cooldown, true);
        }
        was_closed && circuit.half_open_at.is_some()
    }

    /// Records that the provider rejected the API key: it opens the circuits of all services. Returns those that were closed.
    pub(crate) fn reject_key(&self, provider: &str, cooldown: Duration) -> Vec<Service> {
        let until = Instant::now() + cooldown;
        let mut circuits = self.lock();
        let open = |service: &Service| {
            let circuit = circuits.entry((provider.to_owned(), *service)).or_default();
            let was_closed = circuit.half_open_at.is_none();
            circuit.is_key_rejected = true;
            circuit.probe_until = None;
            circuit.open(until, true);
            was_closed
        };
        Service::ALL.into_iter().filter(open).collect()
    }

    /// Records that a provider has another API key: its circuits close. Returns the services whose circuits were open or half-open.
    pub(crate) fn reset_key(&self, provider: &str, now: Instant) -> Vec<Service> {
        self.key_resets.lock().insert(provider.to_owned(), now);
        let mut closed = Vec::new();
        self.lock().retain(|(of, service), circuit| {
            if of == provider && circuit.half_open_at.is_some() {
                closed.push(*service);
            }
            of != provider
        });
        closed
    }

    /// Whether a provider got another key after `keys_read_at`: the rejection of a key that was read before that says nothing
    /// about the current one.
    pub(crate) fn was_reset_since(&self, provider: &str, keys_read_at: Instant) -> bool {
        self.key_resets.lock().get(provider).is_some_and(|reset_at| *reset_at > keys_read_at)
    }

    /// Whether the provider rejected its current API key.
    pub(crate) fn is_key_rejected(&self, provider: &str) -> bool {
        self.lock().iter().any(|((of, _), circuit)| of == provider && circuit.is_key_rejected)
    }

    /// The state of a circuit and, when it is open, for how much longer.
    pub(crate) fn state(&self, provider: &str, service: Service) -> (CircuitState, Option<Duration>) {
        let now = Instant::now();
        let circuit = self.lock().get(&(provider.to_owned(), service)).copied().unwrap_or_default();
        match (circuit.half_open_at, circuit.open_until(now)) {
            (None, _) => (CircuitState::Closed, None),
            (Some(_), None) => (CircuitState::HalfOpen, None),
            (Some(_), Some(until)) => (CircuitState::Open, Some(until - now)),
        }
    }
}
