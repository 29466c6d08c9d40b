//! The level of the microphone while it records, for the windows.

use std::time::Duration;

use aura_audio::meter;
use tokio::time::Instant;

use super::recorded_speech::length;
use crate::event::{Event, EventSink};

/// The least time between two level events: 30 per second.
const INTERVAL: Duration = Duration::from_millis(33);

/// Sends the level of a recording from time to time.
pub(super) struct LevelReports {
    sent: Instant,
    /// Samples of the recording whose level was sent.
    measured: usize,
}

impl LevelReports {
    /// For a recording of which this many samples are there already.
    pub(super) fn after(measured: usize) -> Self {
        Self { sent: Instant::now(), measured }
    }

    /// Sends the level since the last time, if that was long enough ago. `samples` is the whole recording so far.
    pub(super) fn report(&mut self, samples: &[i16], events: &EventSink) {
        if self.sent.elapsed() >= INTERVAL {
            let elapsed_ms = u32::try_from(length(samples).as_millis()).unwrap_or(u32::MAX);
            events.send(Event::Level { level: meter(&samples[self.measured..]), elapsed_ms });
            *self = Self::after(samples.len());
        }
    }
}
