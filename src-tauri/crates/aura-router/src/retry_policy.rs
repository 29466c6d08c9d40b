//! What happens after a failed call: the retry rules as pure functions.
//!
//! | failure kind | next step | effect on the circuit |
//! |---|---|---|
//! | `KeyRejected` | next route | counts; opens for every service of the provider when its model list, which is free, confirms it or there is none: for 1 min, doubling to 1 h, until another key is set or the provider accepts this one |
//! | `Forbidden`, `Unreachable`, `Timeout`, `Interrupted` | next route | counts; two in a row open it |
//! | `RateLimited` | on the last route: the same route once, if Retry-After is under 10 s; otherwise the next route | counts; opens for Retry-After, or 10 s |
//! | `Quota` | next route | counts; opens for Retry-After, or 1 h |
//! | `Overloaded` | status 503: a lighter model of the provider, once; on the last route: the same route, twice, after up to 0.5 s and 1 s; otherwise the next route | counts; opens for Retry-After if one was sent |
//! | `ModelGone` | another model of the provider, once; then the next route | none; later requests avoid the model |
//! | `Empty` | without optional tools; then the same route, once; then the next route | none |
//! | `Unsupported` | without optional tools; then the next route | none |
//! | `InvalidRequest` | without optional tools; then give up | none |
//! | `Blocked` | give up, or the next route if [`fallback_when_blocked`](crate::RoutingSettings::fallback_when_blocked) is set | none |
//! | `Cancelled` | give up | none |
//!
//! A failure with [`FailureDetail::RequestAdjusted`] is retried at once on the same route, once, whatever its kind. A circuit that
//! counted two failures in a row stays open for 5 s, then 10 s and 15 s, and for 60 s once the provider has been failing for two
//! minutes; a failure counts for one minute. A request makes at most [`RETRY_BUDGET`] attempts. A call that was sent is an attempt,
//! whatever became of it.

use std::time::Duration;

use aura_providers::{Failure, FailureDetail, FailureKind};

/// The most attempts that one request makes, over all routes.
pub const RETRY_BUDGET: usize = 4;
/// The longest wait for the only route, exclusive.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Cooldown after a rate limit without Retry-After.
const RATE_LIMIT_COOLDOWN: Duration = Duration::from_secs(10);
/// Cooldown after the first rejection of a key. It doubles with each rejection in a row, up to the maximum.
const KEY_COOLDOWN: Duration = Duration::from_secs(60);
/// The longest cooldown after a rejected key.
const MAX_KEY_COOLDOWN: Duration = Duration::from_secs(3_600);
/// Cooldown after a used-up quota without Retry-After.
const QUOTA_COOLDOWN: Duration = Duration::from_secs(3_600);
/// The longest wait before the first retry of an overloaded route; it doubles with each retry.
const OVERLOAD_BACKOFF: Duration = Duration::from_millis(500);

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    /// Call the same route again, after this wait.
    RetrySameRoute(Duration),
    /// Call the same provider with another model, or the next route if it has none.
    TryOtherModel,
    /// Call the same route without the request's optional tools.
    DropOptionalTools,
    /// Call the next route.
    NextRoute,
    /// Make no further call.
    GiveUp,
}

/// The circumstances of a failure.
#[derive(Debug, Clone, Copy)]
pub struct RetryContext {
    /// Attempts that this route has had, including the failed one; from 1.
    pub route_attempts: u32,
    /// Whether no other route can answer as well, and a retry leaves enough attempts for the routes that can answer at all.
    pub is_last_route: bool,
    /// Whether the request has tools that may be left out, and that were sent.
    pub has_optional_tools: bool,
    /// Whether another route may answer what a provider blocked for its content.
    pub fallback_on_block: bool,
    /// A random number from 0 to 1. It spreads retries, so that clients that failed together do not return together.
    pub jitter: f64,
}

/// The step after a failure.
pub fn decide(failure: &Failure, context: RetryContext) -> RetryDecision {
    let RetryContext { route_attempts, is_last_route, has_optional_tools, fallback_on_block, jitter } = context;
    match failure.kind {
        _ if failure.detail == Some(FailureDetail::RequestAdjusted) && route_attempts == 1 => {
            RetryDecision::RetrySameRoute(Duration::ZERO)
        }
        // Not every model takes tools. The chosen model without tools is closer to what was asked for than another one with them.
        FailureKind::Unsupported | FailureKind::InvalidRequest | FailureKind::Empty if has_optional_tools => {
            RetryDecision::DropOptionalTools
        }
        FailureKind::Blocked if fallback_on_block => RetryDecision::NextRoute,
        FailureKind::InvalidRequest | FailureKind::Blocked | FailureKind::Cancelled => RetryDecision::GiveUp,
        FailureKind::ModelGone if route_attempts == 1 => RetryDecision::TryOtherModel,
        FailureKind::Empty if route_attempts == 1 => RetryDecision::RetrySameRoute(Duration::ZERO),
        FailureKind::RateLimited if is_last_route && route_attempts == 1 => {
            match failure.retry_after.unwrap_or(RATE_LIMIT_COOLDOWN) {
                wait if wait < MAX_WAIT => RetryDecision::RetrySameRoute(wait),
                _ => RetryDecision::NextRoute,
            }
        }
        FailureKind::Overloaded if is_last_route && route_attempts <= 2 => {
            let backoff = OVERLOAD_BACKOFF * 2_u32.pow(route_attempts - 1);
            RetryDecision::RetrySameRoute(backoff.mul_f64(0.5 + 0.5 * jitter))
        }
        _ => RetryDecision::NextRoute,
    }
}

/// How long a failure opens the provider's circuit, at the least. `None` when the circuit breaker alone decides.
pub fn cooldown(failure: &Failure) -> Option<Duration> {
    match failure.kind {
        FailureKind::RateLimited => Some(failure.retry_after.unwrap_or(RATE_LIMIT_COOLDOWN)),
        FailureKind::KeyRejected => Some(KEY_COOLDOWN),
        FailureKind::Quota => Some(failure.retry_after.unwrap_or(QUOTA_COOLDOWN)),
        FailureKind::Overloaded => failure.retry_after,
        _ => None,
    }
}

/// How long a rejected key opens the circuits, after this many rejections in a row. Another key ends the cooldown.
pub(crate) fn key_cooldown(rejections: u32) -> Duration {
    KEY_COOLDOWN.saturating_mul(1 << rejections.saturating_sub(1).min(8)).min(MAX_KEY_COOLDOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST_ATTEMPT: RetryContext = RetryContext {
        route_attempts: 1,
        is_last_route: false,
        has_optional_tools: false,
        fallback_on_block: false,
        jitter: 0.0,
    };

    fn after(kind: FailureKind, route_attempts: u32, is_last_route: bool) -> RetryDecision {
        decide(&Failure::new(kind, ""), RetryContext { route_attempts, is_last_route, ..FIRST_ATTEMPT })
    }

    #[test]
    fn each_failure_kind_has_its_next_step() {
        for is_last_route in [false, true] {
            for stop in [FailureKind::InvalidRequest, FailureKind::Blocked, FailureKind::Cancelled] {
                assert_eq!(after(stop, 1, is_last_route), RetryDecision::GiveUp);
            }
            for next in [
                FailureKind::KeyRejected,
                FailureKind::Forbidden,
                FailureKind::Quota,
                FailureKind::Timeout,
                FailureKind::Interrupted,
                FailureKind::Unsupported,
                FailureKind::Unreachable,
            ] {
                assert_eq!(after(next, 1, is_last_route), RetryDecision::NextRoute);
            }
            assert_eq!(after(FailureKind::ModelGone, 1, is_last_route), RetryDecision::TryOtherModel);
            assert_eq!(after(FailureKind::ModelGone, 2, is_last_route), RetryDecision::NextRoute);
            assert_eq!(after(FailureKind::Empty, 1, is_last_route), RetryDecision::RetrySameRoute(Duration::ZERO));
            assert_eq!(after(FailureKind::Empty, 2, is_last_route), RetryDecision::NextRoute);
        }
        let opted_in = RetryContext { fallback_on_block: true, ..FIRST_ATTEMPT };
        assert_eq!(decide(&Failure::new(FailureKind::Blocked, ""), opted_in), RetryDecision::NextRoute);
    }

    #[test]
    fn an_overloaded_last_route_is_retried_twice_with_jittered_backoff() {
        let overloaded = Failure::new(FailureKind::Overloaded, "");
        for (route_attempts, jitter, ms) in
            [(1, 0.0, 250), (1, 1.0, 500), (2, 0.0, 500), (2, 0.5, 750), (2, 1.0, 1_000)]
        {
            let context = RetryContext { route_attempts, is_last_route: true, jitter, ..FIRST_ATTEMPT };
            assert_eq!(decide(&overloaded, context), RetryDecision::RetrySameRoute(Duration::from_millis(ms)));
        }
        assert_eq!(after(FailureKind::Overloaded, 1, false), RetryDecision::NextRoute);
        assert_eq!(after(FailureKind::Overloaded, 3, true), RetryDecision::NextRoute);
    }

    #[test]
    fn a_short_retry_after_is_waited_out_once_on_the_last_route() {
        let limited = |seconds| Failure {
            retry_after: Some(Duration::from_secs(seconds)),
            ..Failure::new(FailureKind::RateLimited, "")
        };
        let after = |seconds, route_attempts, is_last_route| {
            decide(&limited(seconds), RetryContext { route_attempts, is_last_route, ..FIRST_ATTEMPT })
        };
        assert_eq!(after(3, 1, true), RetryDecision::RetrySameRoute(Duration::from_secs(3)));
        assert_eq!(after(3, 2, true), RetryDecision::NextRoute);
        assert_eq!(after(30, 1, true), RetryDecision::NextRoute);
        assert_eq!(after(3, 1, false), RetryDecision::NextRoute);
        assert_eq!(cooldown(&limited(30)), Some(Duration::from_secs(30)));
    }

    #[test]
    fn optional_tools_are_dropped_before_another_route_is_called() {
        let with_tools = |kind, has_optional_tools| {
            decide(&Failure::new(kind, ""), RetryContext { has_optional_tools, ..FIRST_ATTEMPT })
        };
        for (kind, without) in [
            (FailureKind::Unsupported, RetryDecision::NextRoute),
            (FailureKind::InvalidRequest, RetryDecision::GiveUp),
            (FailureKind::Empty, RetryDecision::RetrySameRoute(Duration::ZERO)),
        ] {
            assert_eq!(with_tools(kind, true), RetryDecision::DropOptionalTools);
            assert_eq!(with_tools(kind, false), without);
        }
        assert_eq!(with_tools(FailureKind::Blocked, true), RetryDecision::GiveUp);
    }
}
