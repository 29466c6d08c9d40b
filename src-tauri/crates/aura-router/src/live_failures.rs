//! Which providers are left alone with live transcription for a while.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Failures in a row after which a provider is left alone for [`PAUSE`]: a network that lets no WebSocket through does so for long, as does
/// a server that wants to know the length of a recording, and each attempt costs time.
const MAX_FAILURES: u32 = 2;
/// How long no live transcription is tried with a provider that keeps failing at it.
const PAUSE: Duration = Duration::from_secs(300);

/// The live transcriptions that failed in a row, by provider, and when the last one did.
#[derive(Default)]
pub(crate) struct LiveFailures(Mutex<HashMap<String, (u32, Instant)>>);

impl LiveFailures {
    /// Whether a provider is left alone for now.
    pub(crate) fn is_paused(&self, provider: &str) -> bool {
        let failures = self.0.lock();
        failures.get(provider).is_some_and(|(count, last)| *count >= MAX_FAILURES && last.elapsed() < PAUSE)
    }

    /// Records how a live transcription ended.
    pub(crate) fn record(&self, provider: &str, failed: bool) {
        let mut failures = self.0.lock();
        match failed {
            true => {
                let (count, last) = failures.entry(provider.to_owned()).or_insert((0, Instant::now()));
                // After a pause one more failure is enough.
                (*count, *last) = (count.saturating_add(1), Instant::now());
            }
            false => drop(failures.remove(provider)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_provider_rests_after_two_failures_in_a_row_and_is_tried_once_after_that() {
        let failures = LiveFailures::default();
        failures.record("a", true);
        failures.record("a", false);
        failures.record("a", true);
        assert!(!failures.is_paused("a"), "they were not in a row");
        failures.record("a", true);
        assert!(failures.is_paused("a") && !failures.is_paused("b"));
        tokio::time::advance(PAUSE).await;
        assert!(!failures.is_paused("a"));
        failures.record("a", true);
        assert!(failures.is_paused("a"));
    }
}
