//! What happens after a failure: the table of product rules as one pure function.

use std::time::Duration;

use crate::providers::{Class, Failure};

/// Attempts that one request may make in all.
pub const BUDGET: usize = 4;
/// A pause that is waited out when there is no other route.
const SHORT_PAUSE: Duration = Duration::from_secs(10);
/// When a provider says "too many" without saying for how long.
const RATE_PAUSE: Duration = Duration::from_secs(10);
/// When a provider says that an allowance is used up without saying until when.
const QUOTA_PAUSE: Duration = Duration::from_secs(3_600);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The same route again, after a pause.
    Again(Duration),
    /// The same provider with the catalog's model.
    OtherModel,
    /// The next route.
    Next,
    /// Nothing more is tried.
    Stop,
}

/// What is known when a call has failed.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// Attempts that this route has had, this one included.
    pub tries: u32,
    /// Whether no other route is left.
    pub alone: bool,
}

/// The step after a failure.
pub fn step(failure: &Failure, now: Situation) -> Step {
    let Situation { tries, alone } = now;
    match failure.class {
        Class::InvalidRequest | Class::Blocked | Class::Cancelled => Step::Stop,
        Class::ModelGone if tries == 1 => Step::OtherModel,
        Class::Empty if tries == 1 => Step::Again(Duration::ZERO),
        Class::RateLimited if alone && tries == 1 => match failure.retry_after.unwrap_or(RATE_PAUSE) {
            pause if pause < SHORT_PAUSE => Step::Again(pause),
            _ => Step::Next,
        },
        Class::Overloaded if alone && tries <= 2 => Step::Again(Duration::from_millis(500) * 2_u32.pow(tries - 1)),
        _ => Step::Next,
    }
}

/// How long the provider is left alone for this service, beyond what the circuit does on its own.
pub fn pause(failure: &Failure) -> Option<Duration> {
    match failure.class {
        Class::RateLimited => Some(failure.retry_after.unwrap_or(RATE_PAUSE)),
        Class::Quota => Some(failure.retry_after.unwrap_or(QUOTA_PAUSE)),
        Class::Overloaded => failure.retry_after,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(class: Class, tries: u32, alone: bool) -> Step {
        step(&Failure::new(class, ""), Situation { tries, alone })
    }

    #[test]
    fn the_table() {
        for alone in [false, true] {
            for stop in [Class::InvalidRequest, Class::Blocked, Class::Cancelled] {
                assert_eq!(after(stop, 1, alone), Step::Stop);
            }
            for next in
                [Class::Auth, Class::Quota, Class::Timeout, Class::Interrupted, Class::Unsupported, Class::Unreachable]
            {
                assert_eq!(after(next, 1, alone), Step::Next);
            }
            assert_eq!(after(Class::ModelGone, 1, alone), Step::OtherModel);
            assert_eq!(after(Class::ModelGone, 2, alone), Step::Next);
            assert_eq!(after(Class::Empty, 1, alone), Step::Again(Duration::ZERO));
            assert_eq!(after(Class::Empty, 2, alone), Step::Next);
        }
        assert_eq!(after(Class::Overloaded, 1, false), Step::Next);
        assert_eq!(after(Class::Overloaded, 1, true), Step::Again(Duration::from_millis(500)));
        assert_eq!(after(Class::Overloaded, 2, true), Step::Again(Duration::from_secs(1)));
        assert_eq!(after(Class::Overloaded, 3, true), Step::Next);
    }

    #[test]
    fn a_short_pause_is_waited_out_once_when_alone() {
        let limited = |seconds| Failure {
            retry_after: Some(Duration::from_secs(seconds)),
            ..Failure::new(Class::RateLimited, "")
        };
        assert_eq!(step(&limited(3), Situation { tries: 1, alone: true }), Step::Again(Duration::from_secs(3)));
        assert_eq!(step(&limited(3), Situation { tries: 2, alone: true }), Step::Next);
        assert_eq!(step(&limited(30), Situation { tries: 1, alone: true }), Step::Next);
        assert_eq!(step(&limited(3), Situation { tries: 1, alone: false }), Step::Next);
        assert_eq!(pause(&limited(30)), Some(Duration::from_secs(30)));
    }
}
