//! What an output stream's callbacks report, and the thread that notifies waiting tasks of it.

use std::num::NonZero;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;
use std::thread::Thread;
use std::time::{Duration, Instant};

use cpal::ErrorKind;
use futures::task::AtomicWaker;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::audio_devices::is_recoverable;

/// Silence of the callback that means the device is gone. Callbacks come every 10 ms; a sleeping device takes up to 2 s to wake.
const CALLBACK_TIMEOUT: Duration = Duration::from_secs(3);

/// What the callbacks report.
pub(super) struct StreamStatus {
    opened_at: Instant,
    /// Microseconds between two callbacks that lose no sound. Sound systems buffer two, and not all of them report an underrun.
    longest_gap: u64,
    /// Microseconds from `opened_at` to the last callback.
    last_callback: AtomicU64,
    /// Microseconds from `opened_at` to the last other sign that the device runs.
    last_alive: AtomicU64,
    /// Times that the device ran out of samples while the ring had some.
    underruns: AtomicU64,
    /// The device reported that the stream is dead.
    is_lost: AtomicBool,
    /// Nothing is played any more.
    is_closed: AtomicBool,
    /// The thread that keeps the stream.
    keeper: Thread,
    /// Set while the device waits for sound instead of playing silence.
    waiting_device: AtomicWaker,
    /// Notified when an utterance begins or is stopped, when a requested position was played, and when the device is lost.
    changed: Notify,
}

impl StreamStatus {
    /// The status of a stream that the current thread keeps, with callbacks of this many frames.
    pub(super) fn new(frames: u32, rate: NonZero<u32>) -> Self {
        Self {
            opened_at: Instant::now(),
            longest_gap: 2 * 1_000_000 * u64::from(frames) / u64::from(rate.get()),
            last_callback: AtomicU64::new(0),
            last_alive: AtomicU64::new(0),
            underruns: AtomicU64::new(0),
            is_lost: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            keeper: std::thread::current(),
            waiting_device: AtomicWaker::new(),
            changed: Notify::new(),
        }
    }

    /// Microseconds since the stream was opened.
    fn now(&self) -> u64 {
        u64::try_from(self.opened_at.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Whether the device reported a loss, or its callback has stopped.
    pub(super) fn is_lost(&self) -> bool {
        let last = self.last_callback.load(Ordering::Relaxed).max(self.last_alive.load(Ordering::Relaxed));
        let quiet = self.now().saturating_sub(last);
        self.is_lost.load(Ordering::Acquire) || u128::from(quiet) > CALLBACK_TIMEOUT.as_micros()
    }

    /// Notes that the device asks for samples, and whether there are some. It may ask several times in one callback.
    pub(super) fn note_callback(&self, has_sound: bool) {
        let now = self.now();
        let gap = now.saturating_sub(self.last_callback.swap(now, Ordering::Relaxed));
        if gap > self.longest_gap && has_sound {
            self.underruns.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that the device asks for samples again after it waited for sound.
    pub(super) fn note_first_callback(&self) {
        self.last_callback.store(self.now(), Ordering::Relaxed);
    }

    /// Notes that the device runs although it does not ask for samples.
    pub(super) fn note_alive(&self) {
        self.last_alive.store(self.now(), Ordering::Relaxed);
    }

    /// Requests a wake-up by [`StreamStatus::note_sound`]. The caller must then look again whether there is sound. Replaces the last request.
    pub(super) fn wake_for_sound(&self, waker: &Waker) {
        self.waiting_device.register(waker);
    }

    /// Wakes a device that waits for sound.
    pub(super) fn note_sound(&self) {
        self.waiting_device.wake();
    }

    /// Wakes the keeper, which notifies waiting tasks.
    pub(super) fn wake(&self) {
        self.keeper.unpark();
    }

    /// Notes what the device reports about the stream.
    pub(super) fn note_error(&self, cause: cpal::Error, first_error: &mut rtrb::Producer<cpal::Error>) {
        if is_recoverable(cause.kind()) {
            self.underruns.fetch_add(u64::from(cause.kind() == ErrorKind::Xrun), Ordering::Relaxed);
        } else {
            let _ = first_error.push(cause);
            self.lose();
        }
    }

    /// Notes that the stream is dead.
    pub(super) fn lose(&self) {
        self.is_lost.store(true, Ordering::Release);
        self.wake();
    }

    /// Times that the device ran out of samples.
    pub(super) fn underruns(&self) -> u64 {
        self.underruns.load(Ordering::Relaxed)
    }

    /// Ends [`StreamStatus::relay`].
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.wake();
    }

    /// Notifies waiting tasks of a change that no callback reports.
    pub(super) fn notify(&self) {
        self.changed.notify_waiters();
    }

    /// A change that happens from now on, even before it is awaited.
    pub(super) fn changed(&self) -> Pin<Box<Notified<'_>>> {
        let mut changed = Box::pin(self.changed.notified());
        changed.as_mut().enable();
        changed
    }

    /// Notifies waiting tasks of what the callbacks report, until the stream is closed. Runs on the keeper's thread.
    pub(super) fn relay(&self, errors: &mut rtrb::Consumer<cpal::Error>) {
        while !self.is_closed.load(Ordering::Acquire) {
            if let Ok(cause) = errors.pop() {
                tracing::warn!(%cause, "the speaker was lost");
            }
            self.notify();
            std::thread::park();
        }
    }
}
