//! How far a download is.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

/// The time between two reports.
const REPORT: Duration = Duration::from_millis(250);
/// The time over which the speed is averaged.
const SPEED: Duration = Duration::from_secs(5);

/// Counts the bytes of a download and reports them at most four times per second.
#[derive(Debug)]
pub struct Progress {
    /// Bytes of the files that are complete.
    finished: AtomicU64,
    /// Bytes of the file that is under way.
    current: AtomicU64,
    /// Bytes in all; 0 while that is not known.
    total: AtomicU64,
    /// What had arrived at some times in the last seconds, oldest first.
    samples: Mutex<VecDeque<(Instant, u64)>>,
    changes: watch::Sender<u64>,
}

impl Progress {
    /// Nothing has arrived. Each report adds one to `changes`.
    pub fn new(changes: watch::Sender<u64>) -> Self {
        let zero = AtomicU64::default;
        Self { finished: zero(), current: zero(), total: zero(), samples: Mutex::default(), changes }
    }

    pub(crate) fn set_total(&self, bytes: u64) {
        self.total.store(bytes, Ordering::Relaxed);
    }

    /// Sets the bytes of the file that is under way.
    pub(crate) fn set_current(&self, bytes: u64) {
        self.current.store(bytes, Ordering::Relaxed);
        let now = Instant::now();
        let mut samples = self.samples.lock();
        if samples.back().is_some_and(|(last, _)| now.duration_since(*last) < REPORT) {
            return;
        }
        samples.push_back((now, self.done()));
        while samples.front().is_some_and(|(first, _)| now.duration_since(*first) > SPEED) {
            samples.pop_front();
        }
        drop(samples);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Counts the file that was under way, or is not needed again, as complete.
    pub(crate) fn finish(&self, bytes: u64) {
        self.current.store(0, Ordering::Relaxed);
        self.finished.fetch_add(bytes, Ordering::Relaxed);
        self.changes.send_modify(|count| *count += 1);
    }

    /// The bytes that have arrived.
    pub fn done(&self) -> u64 {
        self.finished.load(Ordering::Relaxed) + self.current.load(Ordering::Relaxed)
    }

    /// The bytes in all; 0 while that is not known.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed).max(self.done())
    }

    /// Bytes per second in the last seconds.
    pub(crate) fn speed(&self) -> u64 {
        let samples = self.samples.lock();
        match (samples.front(), samples.back()) {
            (Some((start, before)), Some((end, after))) if end > start && end.elapsed() < SPEED => {
                let seconds = end.duration_since(*start).as_secs_f64();
                (after.saturating_sub(*before) as f64 / seconds) as u64
            }
            _ => 0,
        }
    }
}
