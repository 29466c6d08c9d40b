//! What happens after a failure: the table of product rules as one pure function.

use std::time::Duration;

use crate::providers::{Class, Failure};

/// Attempts that one request may make in all.
pub const BUDGET: usize = 4;
/// A pause that is waited out when there is no other route.
const SHORT_PAUSE: Duration = Duration::from_secs(10);
/// When a provider says "too many" without saying for how long.
const RATE_PAUSE: Duration = Duration::from_secs(10);
/// When a key was refused: only another key helps, and saving one ends the pause.
const AUTH_PAUSE: Duration = Duration::from_secs(3_600);
/// When a provider says that an allowance is used up without saying until when.
const QUOTA_PAUSE: Duration = Duration::from_secs(3_600);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The same route again, after a pause.
    Again(Duration),
    /// The same provider with another model.
    OtherModel,
    /// The same route, without what may be left out of the request.
    Plain,
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
    /// Whether no other route is left that could answer as well, and each that could answer at all keeps an attempt.
    pub alone: bool,
    /// Whether the request holds something that may be left out.
    pub extras: bool,
    /// Whether the person wants another provider's answer when one blocks the question.
    pub past_blocks: bool,
}

/// The step after a failure.
pub fn step(failure: &Failure, now: Situation) -> Step {
    let Situation { tries, alone, extras, past_blocks } = now;
    match failure.class {
        _ if failure.learnt && tries == 1 => Step::Again(Duration::ZERO),
        // Not every model takes tools: the same one without them is closer to what was chosen than another one with them.
        Class::Unsupported | Class::InvalidRequest | Class::Empty if extras => Step::Plain,
        Class::Blocked if past_blocks => Step::Next,
        Class::InvalidRequest | Class::Blocked | Class::Cancelled => Step::Stop,
        Class::ModelGone if tries == 1 => Step::OtherModel,
        Class::Empty if tries == 1 => Step::Again(Duration::ZERO),
        Class::RateLimited if alone && tries == 1 => match failure.retry_after.unwrap_or(RATE_PAUSE) {
            pause if pause < SHORT_PAUSE => Step::Again(pause),
            _ => Step::Next,
        },
        Class::Overloaded if alone && tries <= 2 => {
            let pause = Duration::from_millis(500) * 2_u32.pow(tries - 1);
            // Half of it by chance, so that callers who failed together do not return together.
            Step::Again(pause.mul_f64(0.5 + 0.5 * f64::from(chance()) / f64::from(u16::MAX)))
        }
        _ => Step::Next,
    }
}

/// How long the provider is left alone for this service, beyond what the circuit does on its own.
pub fn pause(failure: &Failure) -> Option<Duration> {
    match failure.class {
        Class::RateLimited => Some(failure.retry_after.unwrap_or(RATE_PAUSE)),
        Class::Auth if refuses_key(failure) => Some(AUTH_PAUSE),
        Class::Quota => Some(failure.retry_after.unwrap_or(QUOTA_PAUSE)),
        Class::Overloaded => failure.retry_after,
        _ => None,
    }
}

/// Whether the provider refused the key itself, and not what it was used for: a gate that refuses a region, or an account that may
/// not list models, says nothing of the key.
pub fn refuses_key(failure: &Failure) -> bool {
    const WRONG: &[&str] = &[
        "not valid",
        "invalid",
        "incorrect",
        "leaked",
        "expired",
        "suspended",
        "disabled",
        "revoked",
        "deactivated",
        "no key",
    ];
    let message = || failure.message.to_lowercase();
    let of_the_key = |message: String| message.contains("key") && WRONG.iter().any(|word| message.contains(word));
    failure.class == Class::Auth && (failure.status != Some(403) || of_the_key(message()))
}

/// A number that is different each time. Not for secrets.
fn chance() -> u16 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0_u8) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(class: Class, tries: u32, alone: bool) -> Step {
        step(&Failure::new(class, ""), Situation { tries, alone, extras: false, past_blocks: false })
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
        for (tries, most) in [(1, 500), (2, 1_000)] {
            let Step::Again(pause) = after(Class::Overloaded, tries, true) else { panic!("it is tried again") };
            assert!((most / 2..=most).contains(&u64::try_from(pause.as_millis()).unwrap()), "{pause:?}");
        }
        let opted_in = Situation { tries: 1, alone: false, extras: false, past_blocks: true };
        assert_eq!(step(&Failure::new(Class::Blocked, ""), opted_in), Step::Next);
        assert_eq!(after(Class::Overloaded, 3, true), Step::Next);
    }

    #[test]
    fn a_short_pause_is_waited_out_once_when_alone() {
        let limited = |seconds| Failure {
            retry_after: Some(Duration::from_secs(seconds)),
            ..Failure::new(Class::RateLimited, "")
        };
        assert_eq!(
            step(&limited(3), Situation { tries: 1, alone: true, extras: false, past_blocks: false }),
            Step::Again(Duration::from_secs(3))
        );
        assert_eq!(
            step(&limited(3), Situation { tries: 2, alone: true, extras: false, past_blocks: false }),
            Step::Next
        );
        assert_eq!(
            step(&limited(30), Situation { tries: 1, alone: true, extras: false, past_blocks: false }),
            Step::Next
        );
        assert_eq!(
            step(&limited(3), Situation { tries: 1, alone: false, extras: false, past_blocks: false }),
            Step::Next
        );
        assert_eq!(pause(&limited(30)), Some(Duration::from_secs(30)));
    }

    #[test]
    fn what_may_be_left_out_is_left_out_before_another_route_is_asked() {
        let holding = |class, extras| {
            step(&Failure::new(class, ""), Situation { tries: 1, alone: false, extras, past_blocks: false })
        };
        for (class, plain) in [
            (Class::Unsupported, Step::Next),
            (Class::InvalidRequest, Step::Stop),
            (Class::Empty, Step::Again(Duration::ZERO)),
        ] {
            assert_eq!(holding(class, true), Step::Plain);
            assert_eq!(holding(class, false), plain);
        }
        assert_eq!(holding(Class::Blocked, true), Step::Stop);
    }

    #[test]
    fn not_every_refusal_is_of_the_key() {
        let refusal = |status, message: &str| Failure { status: Some(status), ..Failure::new(Class::Auth, message) };
        for (refused, failure) in [
            (true, refusal(401, "")),
            (true, refusal(400, "API key not valid. Please pass a valid API key.")),
            (true, refusal(403, "Your API key was reported as leaked. Please use another API key.")),
            (true, Failure::new(Class::Auth, "There is no key for groq. Add one under Providers.")),
            (false, refusal(403, "The provider's gate refused this connection (error code: 1010).")),
            (false, refusal(403, "Missing scopes: api.model.read. If you use a restricted API key, check its scopes.")),
            (false, Failure::new(Class::Overloaded, "invalid key")),
        ] {
            assert_eq!(refuses_key(&failure), refused, "{failure:?}");
            assert_eq!(pause(&failure).is_some(), refused);
        }
    }
}
