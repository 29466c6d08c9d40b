//! Records every attempt in the circuit breakers, the health figures, the usage and the counters, and announces changes of
//! availability.

use std::collections::HashSet;
use std::time::Duration;

use aura_providers::{Failure, FailureKind, Service};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::attempt::Attempt;
use crate::circuit_breaker::CircuitBreakers;
use crate::counters::{AttemptCount, AttemptCounters};
use crate::health::{Health, ServiceHealth, Status};
use crate::retry_policy;
use crate::usage::UsageTracker;

/// Changes that a slow subscriber may fall behind before it misses the oldest.
const QUEUE: usize = 256;

/// A change of availability: a provider began to fail at a service, or works again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Availability {
    /// The provider's name.
    pub provider: String,
    /// The service.
    pub service: Service,
    /// Its status now.
    pub status: Status,
    /// A sentence that says why; `None` when it works.
    pub reason: Option<String>,
    /// When the open period of its circuit ends; `None` when it is not open.
    pub until: Option<jiff::Timestamp>,
}

/// Everything that attempts are recorded in.
pub(crate) struct Monitor {
    pub(crate) circuits: CircuitBreakers,
    pub(crate) health: Health,
    pub(crate) usage: UsageTracker,
    counters: AttemptCounters,
    availability: broadcast::Sender<Availability>,
    /// The checks of API keys that run now: the provider, and when the key was read.
    key_checks: Mutex<HashSet<(String, Instant)>>,
}

impl Monitor {
    pub(crate) fn new(usage: UsageTracker) -> Self {
        let (circuits, health, counters, key_checks) = Default::default();
        Self { circuits, health, usage, counters, availability: broadcast::Sender::new(QUEUE), key_checks }
    }

    /// Records an attempt. `keys_read_at` is when its API key was read, `offered` are the services of its provider. With
    /// `can_confirm`, a rejected key is only one failure until a [check](Self::finish_key_check) confirms it.
    pub(crate) fn record(
        &self,
        attempt: &Attempt,
        failure: Option<&Failure>,
        keys_read_at: Instant,
        offered: &[Service],
        can_confirm: bool,
    ) {
        let (provider, service) = (&attempt.route.provider, attempt.service);
        let circuits = &self.circuits;
        let changed = match failure {
            None => circuits.on_success(provider, service),
            Some(failure) if failure.kind == FailureKind::KeyRejected => {
                match circuits.was_reset_since(provider, keys_read_at) {
                    true => Vec::new(),
                    false if !can_confirm => circuits.reject_key(provider),
                    false if circuits.on_failure(provider, service, failure.kind, None) => vec![service],
                    false => Vec::new(),
                }
            }
            Some(failure) => {
                match circuits.on_failure(provider, service, failure.kind, retry_policy::cooldown(failure)) {
                    true => vec![service],
                    false => Vec::new(),
                }
            }
        };
        self.health.record(attempt, attempt.first_ms);
        self.usage.record(attempt);
        self.counters.record(attempt);
        self.announce(provider, &changed, offered);
    }

    /// Begins to check an API key that was read at `keys_read_at`. False when a check of it runs already.
    pub(crate) fn begin_key_check(&self, provider: &str, keys_read_at: Instant) -> bool {
        self.key_checks.lock().insert((provider.to_owned(), keys_read_at))
    }

    /// Records the result of a check that began with [`Self::begin_key_check`].
    pub(crate) fn finish_key_check(
        &self,
        provider: &str,
        listed: Result<(), FailureKind>,
        asked_at: Instant,
        keys_read_at: Instant,
        offered: &[Service],
    ) {
        self.key_checks.lock().remove(&(provider.to_owned(), keys_read_at));
        self.record_listing(provider, listed, asked_at, keys_read_at, offered);
    }

    /// Records whether the provider, asked at `asked_at`, listed its models, or how that failed: it shows whether the API key is
    /// accepted. True when that was not known.
    pub(crate) fn record_listing(
        &self,
        provider: &str,
        listed: Result<(), FailureKind>,
        asked_at: Instant,
        keys_read_at: Instant,
        offered: &[Service],
    ) -> bool {
        if self.circuits.was_reset_since(provider, keys_read_at) {
            return false;
        }
        let was_rejected = self.circuits.is_key_rejected(provider);
        let changed = match listed {
            Ok(()) => self.circuits.accept_key(provider, asked_at),
            Err(FailureKind::KeyRejected) => self.circuits.reject_key(provider),
            Err(_) => return false,
        };
        self.announce(provider, &changed, offered);
        was_rejected != self.circuits.is_key_rejected(provider)
    }

    /// Discards what was recorded about the old API key of a provider, which now has another one or none.
    pub(crate) fn reset_key(&self, provider: &str, now: Instant, offered: &[Service]) {
        let changed = self.circuits.reset_key(provider, now);
        self.announce(provider, &changed, offered);
    }

    /// Sends the availability of the services among `offered`.
    fn announce(&self, provider: &str, services: &[Service], offered: &[Service]) {
        for service in services.iter().copied().filter(|service| offered.contains(service)) {
            let health = self.service_health(provider, service);
            // An error only means that there is no subscriber.
            let _ = self.availability.send(Availability {
                provider: provider.to_owned(),
                service,
                status: health.status,
                reason: health.reason,
                until: health.cooldown_until,
            });
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Availability> {
        self.availability.subscribe()
    }

    pub(crate) fn service_health(&self, provider: &str, service: Service) -> ServiceHealth {
        let (circuit, open_for): (_, Option<Duration>) = self.circuits.state(provider, service);
        self.health.figures(provider, service).health(service, circuit, open_for)
    }

    pub(crate) fn attempt_counts(&self) -> Vec<AttemptCount> {
        self.counters.list()
    }
}
