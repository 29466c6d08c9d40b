//! Health of each provider and service, from real traffic: latency, errors, and rate limits. No call is made to measure it.
//!
//! The figures cover the last hour, and at most the last 512 calls per provider and service.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use aura_providers::{FailureKind, RateLimit, Service};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::attempt::{Attempt, Route, is_of_provider};

/// How far back the figures reach.
const WINDOW: Duration = Duration::from_secs(3_600);
/// Calls that are kept per provider and service.
const MAX_CALLS: usize = 512;
/// Buckets of the window, for a sparkline.
const BUCKETS: usize = 12;
/// Fallbacks that are kept.
const MAX_FALLBACKS: usize = 50;
/// The fewest calls from which a 95th percentile is used.
const MIN_CALLS_FOR_P95: usize = 5;
/// The share of failed calls above which a service is degraded.
const DEGRADED_FAILURE_RATE: f32 = 0.1;

/// Status of a provider, a service, or everything together. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Works, or has not been used lately.
    Healthy,
    /// Works, but more than one in ten calls of the last hour failed, or the circuit is half-open.
    Degraded,
    /// Fails: the circuit is open.
    Unhealthy,
    /// Not set up, or not running.
    Unavailable,
}

/// State of the circuit breaker of a provider and service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CircuitState {
    /// The provider is called.
    #[default]
    Closed,
    /// The provider is skipped until the open period is over.
    Open,
    /// The open period is over; the next request is the probe.
    HalfOpen,
}

/// The last failure of a provider and service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LastError {
    /// The kind of failure.
    #[serde(rename = "class")]
    pub kind: FailureKind,
    /// The provider's error message, without secrets.
    pub message: String,
    /// When it happened.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub at: jiff::Timestamp,
}

/// Calls in one twelfth of the last hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct HealthBucket {
    /// Calls that succeeded.
    pub ok: u32,
    /// Calls that failed.
    pub failed: u32,
}

/// Health of one service of a provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ServiceHealth {
    /// The service.
    pub service: Service,
    /// The status now.
    pub status: Status,
    /// Why, in a sentence; absent when healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub reason: Option<String>,
    /// The state of the circuit breaker.
    pub circuit: CircuitState,
    /// When the open period ends; absent while the circuit is not open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "string"))]
    pub cooldown_until: Option<jiff::Timestamp>,
    /// Calls in the last hour, at most 512.
    pub requests: u32,
    /// The share of them that succeeded, 0 to 1; absent without calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub success_rate: Option<f32>,
    /// Median latency of the successful calls in milliseconds: to the first content of a stream, otherwise to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub p50_ms: Option<u32>,
    /// 95th percentile of the same latency, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub p95_ms: Option<u32>,
    /// The last failure, however long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub last_error: Option<LastError>,
    /// The state of the rate limit in the provider's last reply that reported one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub rate_limit: Option<RateLimit>,
    /// When that reply came: the times until a reset count from then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "string"))]
    pub rate_limit_at: Option<jiff::Timestamp>,
    /// The last hour in twelve buckets of five minutes, the oldest first.
    pub hour: Vec<HealthBucket>,
}

/// Health of a provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ProviderHealth {
    /// The name in settings and requests.
    pub name: String,
    /// The display name.
    pub label: String,
    /// The worst status of its services, or [`Status::Unavailable`] when the provider is not set up.
    pub status: Status,
    /// Why, in a sentence; absent when healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub reason: Option<String>,
    /// One entry for each service that the provider offers.
    pub services: Vec<ServiceHealth>,
}

/// A request whose first route failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Fallback {
    /// When the request ended.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub at: jiff::Timestamp,
    /// The service.
    pub service: Service,
    /// The route that failed first.
    pub from: Route,
    /// The route that completed the request; absent when every route failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub to: Option<Route>,
    /// How the first route failed.
    #[serde(rename = "class")]
    pub kind: FailureKind,
    /// Its error message.
    pub message: String,
}

/// Health of all providers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct HealthReport {
    /// The worst over the services of the best that a provider offers for each: [`Status::Healthy`] when every service has a healthy
    /// provider, [`Status::Unavailable`] when one has no provider at all.
    pub status: Status,
    /// One entry for each provider.
    pub providers: Vec<ProviderHealth>,
    /// The last fallbacks, the newest first.
    pub fallbacks: Vec<Fallback>,
}

#[derive(Debug, Clone, Copy)]
struct CallSample {
    at: Instant,
    ms: u32,
    failed: bool,
}

#[derive(Default)]
struct RecentCalls {
    calls: VecDeque<CallSample>,
    last_error: Option<LastError>,
    rate_limit: Option<(RateLimit, jiff::Timestamp)>,
}

#[derive(Default)]
pub(crate) struct Health {
    recent: Mutex<HashMap<(String, Service), RecentCalls>>,
    fallbacks: Mutex<VecDeque<Fallback>>,
}

/// Figures of one provider and service over the window.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    pub(crate) requests: u32,
    pub(crate) success_rate: Option<f32>,
    pub(crate) p50_ms: Option<u32>,
    pub(crate) p95_ms: Option<u32>,
    pub(crate) last_error: Option<LastError>,
    pub(crate) rate_limit: Option<(RateLimit, jiff::Timestamp)>,
    pub(crate) hour: Vec<HealthBucket>,
}

impl Health {
    /// Records an attempt. `first_ms` is the time to the first content of a stream, in milliseconds.
    pub(crate) fn record(&self, attempt: &Attempt, first_ms: Option<u32>) {
        // A cancelled call says nothing about the provider.
        if attempt.kind == Some(FailureKind::Cancelled) {
            return;
        }
        let now = Instant::now();
        let mut all = self.recent.lock();
        let recent = all.entry((attempt.route.provider.clone(), attempt.service)).or_default();
        if let Some(limit) = &attempt.usage.rate_limit {
            recent.rate_limit = Some((limit.clone(), jiff::Timestamp::now()));
        }
        if let Some(kind) = attempt.kind {
            recent.last_error = Some(LastError {
                kind,
                message: attempt.message.clone().unwrap_or_default(),
                at: jiff::Timestamp::now(),
            });
            if !is_of_provider(kind) {
                return;
            }
        }
        while recent.calls.len() >= MAX_CALLS || recent.calls.front().is_some_and(|call| now - call.at > WINDOW) {
            recent.calls.pop_front();
        }
        recent.calls.push_back(CallSample {
            at: now,
            ms: first_ms.unwrap_or(attempt.ms),
            failed: attempt.kind.is_some(),
        });
    }

    /// Records that the first route of a request failed, and which one completed it, if any.
    pub(crate) fn record_fallback(&self, first: &Attempt, to: Option<&Route>) {
        let Some(kind) = first.kind else { return };
        let mut fallbacks = self.fallbacks.lock();
        fallbacks.truncate(MAX_FALLBACKS - 1);
        fallbacks.push_front(Fallback {
            at: jiff::Timestamp::now(),
            service: first.service,
            from: first.route.clone(),
            to: to.cloned(),
            kind,
            message: first.message.clone().unwrap_or_default(),
        });
    }

    /// The last fallbacks, the newest first.
    pub(crate) fn fallbacks(&self) -> Vec<Fallback> {
        self.fallbacks.lock().iter().cloned().collect()
    }

    /// The 95th percentile of the latency, when there were at least five calls.
    pub(crate) fn p95(&self, provider: &str, service: Service) -> Option<Duration> {
        let figures = self.figures(provider, service);
        let enough = usize::try_from(figures.requests).unwrap_or(usize::MAX) >= MIN_CALLS_FOR_P95;
        figures.p95_ms.filter(|_| enough).map(|ms| Duration::from_millis(ms.into()))
    }

    /// The figures over the window.
    pub(crate) fn figures(&self, provider: &str, service: Service) -> Figures {
        let now = Instant::now();
        let all = self.recent.lock();
        let Some(recent) = all.get(&(provider.to_owned(), service)) else {
            return Figures { hour: vec![HealthBucket::default(); BUCKETS], ..Figures::default() };
        };
        let mut hour = vec![HealthBucket::default(); BUCKETS];
        let mut latencies = Vec::new();
        let (mut requests, mut failed) = (0, 0);
        for call in recent.calls.iter().filter(|call| now - call.at <= WINDOW) {
            let age = ((now - call.at).as_secs_f32() / WINDOW.as_secs_f32() * BUCKETS as f32) as usize;
            let bucket = &mut hour[BUCKETS - 1 - age.min(BUCKETS - 1)];
            requests += 1;
            if call.failed {
                bucket.failed += 1;
                failed += 1;
            } else {
                bucket.ok += 1;
                latencies.push(call.ms);
            }
        }
        latencies.sort_unstable();
        Figures {
            requests,
            success_rate: (requests > 0).then(|| (requests - failed) as f32 / requests as f32),
            p50_ms: quantile(&latencies, 0.5),
            p95_ms: quantile(&latencies, 0.95),
            last_error: recent.last_error.clone(),
            rate_limit: recent.rate_limit.clone(),
            hour,
        }
    }
}

impl Figures {
    /// The health that these figures and the state of the circuit give. `open_for` is how much longer the circuit is open.
    pub(crate) fn health(self, service: Service, circuit: CircuitState, open_for: Option<Duration>) -> ServiceHealth {
        let fails_often = self.success_rate.is_some_and(|rate| 1.0 - rate > DEGRADED_FAILURE_RATE);
        let status = match circuit {
            CircuitState::Open => Status::Unhealthy,
            CircuitState::HalfOpen => Status::Degraded,
            CircuitState::Closed if fails_often => Status::Degraded,
            CircuitState::Closed => Status::Healthy,
        };
        let last_message =
            || self.last_error.as_ref().map(|error| error.message.clone()).filter(|message| !message.is_empty());
        let reason =
            (status != Status::Healthy).then(|| last_message().unwrap_or_else(|| "Recent calls failed.".into()));
        let cooldown_until = open_for.and_then(|left| jiff::Timestamp::now().checked_add(left).ok());
        let (rate_limit, rate_limit_at) = self.rate_limit.unzip();
        ServiceHealth {
            service,
            status,
            reason,
            circuit,
            cooldown_until,
            requests: self.requests,
            success_rate: self.success_rate,
            p50_ms: self.p50_ms,
            p95_ms: self.p95_ms,
            last_error: self.last_error,
            rate_limit,
            rate_limit_at,
            hour: self.hour,
        }
    }
}

/// The quantile of sorted values by nearest rank; `part` is from 0 to 1.
pub(crate) fn quantile(sorted: &[u32], part: f64) -> Option<u32> {
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// The status over all providers: the worst over the services of the best that a provider offers for each.
pub(crate) fn overall(providers: &[ProviderHealth]) -> Status {
    let mut best: BTreeMap<Service, Status> = Service::ALL.map(|service| (service, Status::Unavailable)).into();
    for provider in providers.iter().filter(|provider| provider.status != Status::Unavailable) {
        for of in &provider.services {
            best.entry(of.service).and_modify(|best| *best = of.status.min(*best));
        }
    }
    best.into_values().max().unwrap_or(Status::Unavailable)
}
