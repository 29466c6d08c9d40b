//! What all kinds of calls share: the routed result, and the failure of a timeout.

use aura_providers::{Failure, FailureKind, Transcript};

use crate::attempt::Route;

/// A result and the route that produced it.
#[derive(Debug, Clone)]
pub struct Routed<T> {
    /// The result.
    pub value: T,
    /// The route that produced it; when a route continued what another one began, the one that completed it.
    pub route: Route,
}

/// The failure of a call whose first content, named by `what`, did not arrive in time.
pub(crate) fn timed_out(what: &str) -> Failure {
    Failure::new(FailureKind::Timeout, format!("No {what} arrived before the timeout."))
}

/// The length of a text in characters.
pub(crate) fn char_count(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// The transcript, unless it is empty and must not be.
pub(crate) fn check_text(transcript: Transcript, has_speech: bool) -> Result<Transcript, Failure> {
    if has_speech && transcript.text.is_empty() {
        let usage = Some(Box::new(transcript.usage));
        let failure = Failure::new(FailureKind::Empty, "The transcript of a recording with speech was empty.");
        return Err(Failure { usage, ..failure });
    }
    Ok(transcript)
}
