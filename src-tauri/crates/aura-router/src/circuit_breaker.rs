//! Circuit breakers: which providers are skipped for a while, per service.
//!
//! A circuit opens after two failures in a row, or when the provider demands a pause. When its open period is over it is half-open:
//! the next request is the probe, and other requests keep skipping the provider until the probe has ended. Failures are in a row when
//! each comes within a minute of the one before, not counting the time during which the circuit was open. A rejected API key opens
//! the circuits of all services, once the rejection is confirmed.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use aura_providers::{FailureKind, Service};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::health::CircuitState;
use crate::plan::Candidate;
use crate::retry_policy;

/// Failures in a row that open a circuit.
const FAILURE_THRESHOLD: u32 = 2;
/// How long a failure counts, from the moment at which the provider could be called again. After that the next failure is the first
/// one of a new outage.
const FAILURE_WINDOW: Duration = Duration::from_secs(60);
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
    circuits: Mutex<Circuits>,
    /// When each provider last got another API key.
    key_resets: Mutex<HashMap<String, Instant>>,
}

#[derive(Default)]
struct Circuits {
    /// By provider and service. A circuit that is missing is closed and has no failures.
    by_service: HashMap<(String, Service), Circuit>,
    /// The providers whose API key was rejected.
    rejected_keys: HashMap<String, RejectedKey>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Circuit {
    /// Failures in a row.
    failures: u32,
    /// When the first of them happened.
    failing_since: Option<Instant>,
    /// When the last of them happened.
    failed_at: Option<Instant>,
    /// When the open period ends. `None` while the circuit is closed.
    half_open_at: Option<Instant>,
    /// Whether the provider demanded this open period, such as by Retry-After.
    is_demanded: bool,
    /// Until when other requests skip the provider because of a probe.
    probe_until: Option<Instant>,
}

/// A rejected API key: it keeps the circuits of all services open, then half-open, until a success or another key.
#[derive(Debug, Clone, Copy)]
struct RejectedKey {
    /// Rejections in a row.
    rejections: u32,
    half_open_at: Instant,
    probe_until: Option<Instant>,
    /// When the last rejection was recorded.
    rejected_at: Instant,
}

/// A circuit together with the key of its provider.
#[derive(Debug, Clone, Copy, Default)]
struct CircuitView {
    circuit: Circuit,
    key: Option<RejectedKey>,
}

impl Circuit {
    /// Opens the circuit until `until`, or longer if it already is open for longer.
    fn open(&mut self, until: Instant, is_demanded: bool) {
        if self.half_open_at.is_none_or(|known| known <= until) {
            (self.half_open_at, self.is_demanded) = (Some(until), is_demanded);
        }
    }

    /// Whether the failures so far are too long ago for another one to be in a row with them.
    fn is_outdated(&self, now: Instant) -> bool {
        self.failed_at.max(self.half_open_at).is_some_and(|at| now.duration_since(at) > FAILURE_WINDOW)
    }
}

impl CircuitView {
    /// When the open period ends. `None` while the circuit is closed.
    fn half_open_at(&self) -> Option<Instant> {
        self.circuit.half_open_at.max(self.key.map(|key| key.half_open_at))
    }

    /// Until when the provider is skipped; `None` when it may be called.
    fn open_until(&self, now: Instant) -> Option<Instant> {
        let probe = self.circuit.probe_until.max(self.key.and_then(|key| key.probe_until));
        self.half_open_at().max(probe).filter(|until| *until > now)
    }

    /// Whether a call now is sure to be refused.
    fn is_hard_open(&self, now: Instant) -> bool {
        self.key.is_some_and(|key| key.half_open_at > now)
            || (self.circuit.is_demanded && self.circuit.half_open_at.is_some_and(|until| until > now))
    }
}

impl Circuits {
    fn is_empty(&self) -> bool {
        self.by_service.is_empty() && self.rejected_keys.is_empty()
    }

    fn view(&self, provider: &str, service: Service) -> CircuitView {
        let circuit = self.by_service.get(&(provider.to_owned(), service)).copied().unwrap_or_default();
        CircuitView { circuit, key: self.rejected_keys.get(provider).copied() }
    }

    /// The services for which the provider's circuit is closed.
    fn closed(&self, provider: &str) -> Vec<Service> {
        let mut services = Service::ALL.to_vec();
        services.retain(|service| self.view(provider, *service).half_open_at().is_none());
        services
    }

    /// Makes a change. Returns the services whose circuit was closed and is not any more, or the reverse.
    fn change(&mut self, provider: &str, change: impl FnOnce(&mut Self)) -> Vec<Service> {
        let before = self.closed(provider);
        change(self);
        let after = self.closed(provider);
        Service::ALL.into_iter().filter(|service| before.contains(service) != after.contains(service)).collect()
    }
}

impl CircuitBreakers {
    /// Indices of the candidates in the order in which they are tried.
    ///
    /// Candidates whose circuit is open are left out, except the one that half-opens soonest: it is the last resort after all
    /// others, unless the provider demanded the pause. When every circuit is open, the one that half-opens soonest is tried in any
    /// case.
    ///
    /// For text and images, the built-in fallback is worse than any provider, so it comes after the last resort. For speech it
    /// serves as well as a provider, so it comes before.
    pub(crate) fn order(&self, candidates: &[Candidate], service: Service) -> Vec<usize> {
        let circuits = self.circuits.lock();
        if circuits.is_empty() || candidates.len() < 2 {
            return (0..candidates.len()).collect();
        }
        let now = Instant::now();
        let (mut order, mut builtin, mut open) = (Vec::new(), Vec::new(), Vec::new());
        for (index, candidate) in candidates.iter().enumerate() {
            let circuit = circuits.view(&candidate.route.provider, service);
            match circuit.open_until(now) {
                Some(until) => open.push((circuit.key.is_some(), until, circuit.is_hard_open(now), index)),
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
        let circuits = self.circuits.lock();
        !circuits.is_empty() && circuits.view(provider, service).open_until(Instant::now()).is_some()
    }

    /// Records the start of a call. The first call through a half-open circuit is the probe.
    pub(crate) fn on_call(&self, provider: &str, service: Service) {
        let now = Instant::now();
        let mut circuits = self.circuits.lock();
        if circuits.is_empty() {
            return;
        }
        let probe_until = Some(now + PROBE_TIMEOUT);
        if let Some(circuit) = circuits.by_service.get_mut(&(provider.to_owned(), service))
            && circuit.half_open_at.is_some_and(|until| until <= now)
        {
            circuit.probe_until = probe_until;
        }
        if let Some(key) = circuits.rejected_keys.get_mut(provider)
            && key.half_open_at <= now
        {
            key.probe_until = probe_until;
        }
    }

    /// Records a success: it closes the circuit. A key that was accepted once is valid for every service, so circuits that a
    /// rejected key had opened close as well. Returns the services whose circuits were open or half-open.
    pub(crate) fn on_success(&self, provider: &str, service: Service) -> Vec<Service> {
        let mut circuits = self.circuits.lock();
        if circuits.is_empty() {
            return Vec::new();
        }
        circuits.change(provider, |circuits| {
            circuits.by_service.remove(&(provider.to_owned(), service));
            circuits.rejected_keys.remove(provider);
        })
    }

    /// Records a failure. `cooldown` is the pause that the provider demanded. A cancelled call is neither a failure nor a success.
    /// True when the circuit was closed and is not any more, or the reverse.
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
        let mut circuits = self.circuits.lock();
        if let Some(key) = circuits.rejected_keys.get_mut(provider) {
            key.probe_until = None;
        }
        if !is_counted {
            // The provider did respond, or was not given the time to, so a probe that ended like this lets the next request through.
            if let Some(circuit) = circuits.by_service.get_mut(&(provider.to_owned(), service)) {
                circuit.probe_until = None;
            }
            return false;
        }
        let changed = circuits.change(provider, |circuits| {
            let circuit = circuits.by_service.entry((provider.to_owned(), service)).or_default();
            if circuit.is_outdated(now) {
                *circuit = Circuit::default();
            }
            circuit.failures += 1;
            circuit.failed_at = Some(now);
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
        });
        !changed.is_empty()
    }

    /// Records that the provider rejected the API key, and that this is confirmed: the circuits of all services open, for longer
    /// with each rejection in a row. A rejection while they are open changes nothing. Returns the services whose circuits were
    /// closed.
    pub(crate) fn reject_key(&self, provider: &str) -> Vec<Service> {
        let now = Instant::now();
        self.circuits.lock().change(provider, |circuits| {
            let known = circuits.rejected_keys.get(provider);
            if known.is_some_and(|key| key.half_open_at > now) {
                return;
            }
            let rejections = known.map_or(1, |key| key.rejections.saturating_add(1));
            let half_open_at = now + retry_policy::key_cooldown(rejections);
            let key = RejectedKey { rejections, half_open_at, probe_until: None, rejected_at: now };
            circuits.rejected_keys.insert(provider.to_owned(), key);
        })
    }

    /// Records that the provider accepted the API key, without a call for a service: the circuits close that only a rejected key
    /// had opened. A call that began at `asked_at`, before the last rejection, says nothing. Returns the services whose circuits closed.
    pub(crate) fn accept_key(&self, provider: &str, asked_at: Instant) -> Vec<Service> {
        self.circuits.lock().change(provider, |circuits| {
            if circuits.rejected_keys.get(provider).is_some_and(|key| key.rejected_at <= asked_at) {
                circuits.rejected_keys.remove(provider);
            }
        })
    }

    /// Records that a provider has another API key: its circuits close. Returns the services whose circuits were open or half-open.
    pub(crate) fn reset_key(&self, provider: &str, now: Instant) -> Vec<Service> {
        self.key_resets.lock().insert(provider.to_owned(), now);
        self.circuits.lock().change(provider, |circuits| {
            circuits.by_service.retain(|(of, _), _| of != provider);
            circuits.rejected_keys.remove(provider);
        })
    }

    /// Whether a provider got another key after `keys_read_at`: what happened to a key that was read before that says nothing
    /// about the current one.
    pub(crate) fn was_reset_since(&self, provider: &str, keys_read_at: Instant) -> bool {
        self.key_resets.lock().get(provider).is_some_and(|reset_at| *reset_at > keys_read_at)
    }

    /// Whether the provider rejected its current API key, and this is confirmed.
    pub(crate) fn is_key_rejected(&self, provider: &str) -> bool {
        self.circuits.lock().rejected_keys.contains_key(provider)
    }

    /// The state of a circuit and, when it is open, for how much longer.
    pub(crate) fn state(&self, provider: &str, service: Service) -> (CircuitState, Option<Duration>) {
        let now = Instant::now();
        let circuit = self.circuits.lock().view(provider, service);
        match (circuit.half_open_at(), circuit.open_until(now)) {
            (None, _) => (CircuitState::Closed, None),
            (Some(_), None) => (CircuitState::HalfOpen, None),
            (Some(_), Some(until)) => (CircuitState::Open, Some(until - now)),
        }
    }
}
