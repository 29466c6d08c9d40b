//! How well each provider does each service, as real traffic showed: latency, errors, what is left of its allowance.
//!
//! A billed call is never made to find out. Windows are of the last hour and at most [`KEPT`] calls per provider and service.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use ts_rs::TS;

use crate::providers::{Class, RateLimit, Service};
use crate::record::{Attempt, Route};

/// How far back is looked.
const WINDOW: Duration = Duration::from_secs(3_600);
/// Calls that are kept per provider and service.
const KEPT: usize = 512;
/// Parts of the window in a sparkline.
const PARTS: usize = 12;
/// Fallbacks that are kept for the timeline.
const FALLBACKS: usize = 50;
/// Fewer calls than this say little about the time a provider takes.
const ENOUGH: usize = 5;
/// More failures than this, of all calls of the window, and a service counts as degraded.
const DEGRADED: f32 = 0.1;

/// How a provider or a service is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Status {
    /// It works, or nothing speaks against it.
    Healthy,
    /// It works, but calls failed lately.
    Degraded,
    /// It fails: it is left alone until its pause is over.
    Unhealthy,
    /// It is not set up, or not running.
    Unavailable,
}

/// Whether calls go to a route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Circuit {
    /// Calls go there.
    #[default]
    Closed,
    /// It is left alone until its pause is over.
    Open,
    /// The pause is over; the next request is the probe.
    HalfOpen,
}

/// A failure that was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[ts(export)]
pub struct LastError {
    /// What kind.
    pub class: Class,
    /// What the provider said.
    pub message: String,
    /// When.
    #[ts(type = "string")]
    pub at: jiff::Timestamp,
}

/// Calls in one part of the last hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Part {
    /// Calls that answered.
    pub ok: u32,
    /// Calls that failed.
    pub failed: u32,
}

/// How a provider does one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ServiceHealth {
    /// The service.
    pub service: Service,
    /// In one word.
    pub status: Status,
    /// Why, in a sentence; absent when healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reason: Option<String>,
    /// Whether calls go there.
    pub circuit: Circuit,
    /// Until when it is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    pub cooldown_until: Option<jiff::Timestamp>,
    /// Calls in the last hour.
    pub requests: u32,
    /// The part of them that answered, 0 to 1; absent without calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub success_rate: Option<f32>,
    /// The median time of the calls that answered, milliseconds: to the first content of a stream, else to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub p50_ms: Option<u32>,
    /// The time that one in twenty exceeds, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub p95_ms: Option<u32>,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub last_error: Option<LastError>,
    /// What is left of the allowance, as the last reply told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub rate_limit: Option<RateLimit>,
    /// The last hour in twelve parts, the oldest first.
    pub hour: Vec<Part>,
}

/// How a provider is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ProviderHealth {
    /// Its name.
    pub name: String,
    /// Its name for the person.
    pub label: String,
    /// The worst of its services, or `unavailable` when it is not set up.
    pub status: Status,
    /// Why, in a sentence; absent when healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reason: Option<String>,
    /// Each service that it offers.
    pub services: Vec<ServiceHealth>,
}

/// A request that another route answered than the first one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Fallback {
    /// When.
    #[ts(type = "string")]
    pub at: jiff::Timestamp,
    /// For what.
    pub service: Service,
    /// Who failed first.
    pub from: Route,
    /// Who answered; absent when nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub to: Option<Route>,
    /// How the first one failed.
    pub class: Class,
    /// What it said.
    pub message: String,
}

/// How everything is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HealthReport {
    /// Healthy when each service has a healthy route, unavailable when one has none at all.
    pub status: Status,
    /// Each provider.
    pub providers: Vec<ProviderHealth>,
    /// The last fallbacks, the newest first.
    pub fallbacks: Vec<Fallback>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    at: Instant,
    ms: u32,
    failed: bool,
}

#[derive(Default)]
struct Seen {
    calls: VecDeque<Call>,
    last_error: Option<LastError>,
    rate_limit: Option<RateLimit>,
}

/// What was seen of all providers.
#[derive(Default)]
pub(crate) struct Health {
    seen: Mutex<HashMap<(String, Service), Seen>>,
    fallbacks: Mutex<VecDeque<Fallback>>,
}

/// What the windows say of a provider and service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    pub(crate) requests: u32,
    pub(crate) success_rate: Option<f32>,
    pub(crate) p50_ms: Option<u32>,
    pub(crate) p95_ms: Option<u32>,
    pub(crate) last_error: Option<LastError>,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) hour: Vec<Part>,
}

impl Health {
    /// Notes an attempt; `first_ms` is the time to the first content, for a stream.
    pub(crate) fn note(&self, attempt: &Attempt, first_ms: Option<u32>) {
        // A call that was stopped says nothing about the provider.
        if attempt.class == Some(Class::Cancelled) {
            return;
        }
        let now = Instant::now();
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry((attempt.route.provider.clone(), attempt.service)).or_default();
        if let Some(limit) = &attempt.usage.rate_limit {
            seen.rate_limit = Some(limit.clone());
        }
        if let Some(class) = attempt.class {
            seen.last_error = Some(LastError {
                class,
                message: attempt.message.clone().unwrap_or_default(),
                at: jiff::Timestamp::now(),
            });
            // What the caller did wrong, or what was blocked for its content, is no fault of the provider's.
            if matches!(class, Class::InvalidRequest | Class::Blocked | Class::Unsupported) {
                return;
            }
        }
        while seen.calls.len() >= KEPT || seen.calls.front().is_some_and(|call| now - call.at > WINDOW) {
            seen.calls.pop_front();
        }
        seen.calls.push_back(Call { at: now, ms: first_ms.unwrap_or(attempt.ms), failed: attempt.class.is_some() });
    }

    /// Notes that somebody else answered, or nobody.
    pub(crate) fn fell_back(&self, first: &Attempt, to: Option<&Route>) {
        let Some(class) = first.class else { return };
        let mut fallbacks = self.fallbacks.lock().unwrap_or_else(PoisonError::into_inner);
        fallbacks.truncate(FALLBACKS - 1);
        fallbacks.push_front(Fallback {
            at: jiff::Timestamp::now(),
            service: first.service,
            from: first.route.clone(),
            to: to.cloned(),
            class,
            message: first.message.clone().unwrap_or_default(),
        });
    }

    /// The last fallbacks, the newest first.
    pub(crate) fn fallbacks(&self) -> Vec<Fallback> {
        self.fallbacks.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The time that one call in twenty exceeds, once there were enough.
    pub(crate) fn p95(&self, provider: &str, service: Service) -> Option<Duration> {
        let figures = self.figures(provider, service);
        let enough = usize::try_from(figures.requests).unwrap_or(usize::MAX) >= ENOUGH;
        figures.p95_ms.filter(|_| enough).map(|ms| Duration::from_millis(ms.into()))
    }

    /// What the windows say.
    pub(crate) fn figures(&self, provider: &str, service: Service) -> Figures {
        let now = Instant::now();
        let all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = all.get(&(provider.to_owned(), service)) else {
            return Figures { hour: vec![Part::default(); PARTS], ..Figures::default() };
        };
        let mut hour = vec![Part::default(); PARTS];
        let mut times = Vec::new();
        let (mut requests, mut failed) = (0, 0);
        for call in seen.calls.iter().filter(|call| now - call.at <= WINDOW) {
            let age = ((now - call.at).as_secs_f32() / WINDOW.as_secs_f32() * PARTS as f32) as usize;
            let part = &mut hour[PARTS - 1 - age.min(PARTS - 1)];
            requests += 1;
            if call.failed {
                part.failed += 1;
                failed += 1;
            } else {
                part.ok += 1;
                times.push(call.ms);
            }
        }
        times.sort_unstable();
        Figures {
            requests,
            success_rate: (requests > 0).then(|| (requests - failed) as f32 / requests as f32),
            p50_ms: quantile(&times, 0.5),
            p95_ms: quantile(&times, 0.95),
            last_error: seen.last_error.clone(),
            rate_limit: seen.rate_limit.clone(),
            hour,
        }
    }
}

impl Figures {
    /// How these figures and a circuit read together.
    pub(crate) fn health(self, service: Service, circuit: Circuit, cooldown: Option<Duration>) -> ServiceHealth {
        let often = self.success_rate.is_some_and(|rate| 1.0 - rate > DEGRADED);
        let status = match circuit {
            Circuit::Open => Status::Unhealthy,
            Circuit::HalfOpen => Status::Degraded,
            Circuit::Closed if often => Status::Degraded,
            Circuit::Closed => Status::Healthy,
        };
        let why = || self.last_error.as_ref().map(|error| error.message.clone()).filter(|message| !message.is_empty());
        let reason = (status != Status::Healthy).then(|| why().unwrap_or_else(|| "Calls failed lately.".into()));
        let cooldown_until = cooldown.and_then(|left| jiff::Timestamp::now().checked_add(left).ok());
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
            rate_limit: self.rate_limit,
            hour: self.hour,
        }
    }
}

/// The value that this part of the sorted values does not exceed (nearest rank).
fn quantile(sorted: &[u32], part: f64) -> Option<u32> {
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// The whole from its providers: who can do each service now?
pub(crate) fn overall(providers: &[ProviderHealth]) -> Status {
    let mut best: BTreeMap<Service, Status> = Service::ALL.map(|service| (service, Status::Unavailable)).into();
    for provider in providers.iter().filter(|provider| provider.status != Status::Unavailable) {
        for of in &provider.services {
            best.entry(of.service).and_modify(|best| *best = of.status.min(*best));
        }
    }
    best.into_values().max().unwrap_or(Status::Unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::Usage;

    fn attempt(ms: u32, class: Option<Class>) -> Attempt {
        Attempt {
            service: Service::Llm,
            route: Route { provider: "groq".into(), model: "m".into(), voice: None },
            ms,
            first_ms: None,
            class,
            message: class.map(|_| "It said why.".into()),
            usage: Usage::default(),
            cost: crate::usage::Cost::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_is_an_hour() {
        let health = Health::default();
        for ms in 1..=100 {
            health.note(&attempt(ms, None), None);
        }
        health.note(&attempt(9_999, Some(Class::Overloaded)), None);
        let figures = health.figures("groq", Service::Llm);
        assert_eq!((figures.requests, figures.p50_ms, figures.p95_ms), (101, Some(50), Some(95)));
        assert_eq!(figures.hour[PARTS - 1], Part { ok: 100, failed: 1 });
        assert_eq!(figures.last_error.unwrap().class, Class::Overloaded);

        tokio::time::advance(WINDOW / 2).await;
        health.note(&attempt(7, None), Some(3));
        let figures = health.figures("groq", Service::Llm);
        assert_eq!((figures.hour[PARTS - 1].ok, figures.hour[PARTS / 2 - 1].ok), (1, 100));

        tokio::time::advance(WINDOW / 2 + Duration::from_secs(1)).await;
        let figures = health.figures("groq", Service::Llm);
        assert_eq!((figures.requests, figures.success_rate, figures.p50_ms), (1, Some(1.0), Some(3)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_fault_of_the_provider_does_not_count() {
        let health = Health::default();
        for class in [Class::InvalidRequest, Class::Blocked, Class::Unsupported, Class::Cancelled] {
            health.note(&attempt(1, Some(class)), None);
        }
        assert_eq!(health.figures("groq", Service::Llm).requests, 0);
        assert_eq!(health.p95("groq", Service::Llm), None);
    }

    #[test]
    fn a_status_in_words() {
        let figures = |rate| Figures { requests: 10, success_rate: Some(rate), ..Figures::default() };
        let health = figures(1.0).health(Service::Llm, Circuit::Closed, None);
        assert_eq!((health.status, health.reason), (Status::Healthy, None));
        assert_eq!(figures(0.8).health(Service::Llm, Circuit::Closed, None).status, Status::Degraded);
        let open = figures(1.0).health(Service::Llm, Circuit::Open, Some(Duration::from_secs(5)));
        assert!(open.status == Status::Unhealthy && open.cooldown_until.is_some() && open.reason.is_some());
    }

    #[test]
    fn the_whole_is_as_good_as_its_worst_service() {
        let of = |status, services: &[(Service, Status)]| ProviderHealth {
            name: "x".into(),
            label: "X".into(),
            status,
            reason: None,
            services: services
                .iter()
                .map(|(service, status)| ServiceHealth {
                    status: *status,
                    ..Figures::default().health(*service, Circuit::Closed, None)
                })
                .collect(),
        };
        let all = |status| Service::ALL.map(|service| (service, status));
        let bad = of(Status::Unhealthy, &all(Status::Unhealthy));
        let good = of(Status::Healthy, &all(Status::Healthy));
        assert_eq!(overall(&[bad.clone(), good]), Status::Healthy);
        let some = of(Status::Healthy, &[(Service::Llm, Status::Healthy)]);
        assert_eq!(overall(&[bad, some]), Status::Unhealthy);
        let off = of(Status::Unavailable, &all(Status::Healthy));
        assert_eq!(overall(&[off]), Status::Unavailable);
    }
}
