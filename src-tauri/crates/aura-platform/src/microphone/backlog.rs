//! How much recorded sound the sound system still holds back.
//!
//! A callback brings the sound of the last 10 to 40 ms. On a busy computer it can come more than half a second late. A recording that is
//! stopped in that moment would lose the end of what was said, so the pump waits for it.

use std::time::{Duration, Instant};

/// How much the usual delay may grow per second of recording: no two clocks run alike.
const DRIFT: f64 = 0.001;

/// Compares the sound that was delivered with the time that passed.
pub(super) struct Backlog {
    /// Frames per second.
    rate: u32,
    /// When the first frames came.
    began: Option<Instant>,
    /// Frames delivered so far.
    frames: u64,
    /// The least delay seen, in seconds, and when. The first frames were recorded before they came, so it is negative.
    usual: (f64, Instant),
}

impl Backlog {
    /// Nothing was delivered. `rate` is in frames per second.
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        Self { rate, began: None, frames: 0, usual: (0.0, now) }
    }

    /// Notes that frames came.
    pub(super) fn delivered(&mut self, frames: usize, now: Instant) {
        if frames == 0 {
            return;
        }
        let is_first = self.began.is_none();
        self.began.get_or_insert(now);
        self.frames += frames as u64;
        let delay = self.delay(now);
        if is_first || delay < self.usual_at(now) {
            self.usual = (delay, now);
        }
    }

    /// Notes that sound was lost: from now on, less is delivered than time passes.
    pub(super) fn lost(&mut self, now: Instant) {
        self.usual = (self.delay(now), now);
    }

    /// The sound up to `moment` that has not come, without what is usually under way.
    pub(super) fn behind(&self, moment: Instant) -> Duration {
        Duration::try_from_secs_f64(self.delay(moment) - self.usual_at(moment)).unwrap_or_default()
    }

    /// Time since the first frames minus the sound delivered, in seconds.
    fn delay(&self, now: Instant) -> f64 {
        let passed = self.began.map_or(Duration::ZERO, |began| now.saturating_duration_since(began));
        passed.as_secs_f64() - self.frames as f64 / f64::from(self.rate)
    }

    fn usual_at(&self, now: Instant) -> f64 {
        let (delay, seen) = self.usual;
        delay + DRIFT * now.saturating_duration_since(seen).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 16_000;

    /// A recording to which 20 ms came every 20 ms for `ms` milliseconds, and its end.
    fn recorded(ms: u64) -> (Backlog, Instant) {
        let begin = Instant::now();
        let mut backlog = Backlog::new(RATE, begin);
        for at in (0..ms).step_by(20) {
            backlog.delivered(320, begin + Duration::from_millis(at));
        }
        (backlog, begin + Duration::from_millis(ms))
    }

    #[test]
    fn regular_callbacks_leave_nothing_behind() {
        let (backlog, end) = recorded(1_000);
        let behind = backlog.behind(end);
        assert!(behind <= Duration::from_millis(21), "{behind:?}");
    }

    #[test]
    fn a_late_callback_leaves_its_sound_behind_until_it_comes() {
        let (mut backlog, end) = recorded(1_000);
        let stop = end + Duration::from_millis(600);
        assert!(backlog.behind(stop) > Duration::from_millis(590));
        backlog.delivered(9_600, stop + Duration::from_millis(5));
        assert!(backlog.behind(stop) < Duration::from_millis(25), "{:?}", backlog.behind(stop));
    }

    #[test]
    fn lost_sound_is_not_waited_for() {
        let (mut backlog, end) = recorded(1_000);
        let later = end + Duration::from_millis(600);
        backlog.delivered(320, later);
        backlog.lost(later);
        assert_eq!(backlog.behind(later), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_is_slow_by_a_thousandth_leaves_nothing_behind() {
        let begin = Instant::now();
        let mut backlog = Backlog::new(RATE, begin);
        let mut now = begin;
        for _ in 0..30_000 {
            backlog.delivered(320, now);
            now += Duration::from_micros(20_015);
        }
        let behind = backlog.behind(now);
        assert!(behind < Duration::from_millis(25), "{behind:?} after ten minutes");
    }
}
