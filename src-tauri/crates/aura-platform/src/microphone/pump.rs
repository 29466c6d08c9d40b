//! From the ring to the reader: resampled speech in small blocks, and one error when the device is lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use aura_audio::{Mixdown, SPEECH_RATE};
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::Standby;
use cpal::ErrorKind;
use parking_lot::Mutex;

use super::backlog::Backlog;
use super::capture::CaptureBuffer;
use super::slot::{RecordingRequest, Slot};
use crate::audio_devices::{DeviceError, Direction, device_error};

/// Fewest samples per block: 10 ms. The last block of a recording may be shorter.
const MIN_BLOCK: usize = SPEECH_RATE as usize / 100;

/// Most samples per block: 40 ms.
const MAX_BLOCK: usize = 4 * MIN_BLOCK;

/// Longest wait for the first callback. Callbacks come every 20 ms, but a Bluetooth device takes up to 3 s to wake.
const FIRST_CALLBACK_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest wait for any later callback. Most sound systems report a lost device within 100 ms; this is for those that do not, and
/// long enough for a very busy computer (half a second was not).
const CALLBACK_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long the pump sleeps when no callback wakes it.
const MAX_SLEEP: Duration = Duration::from_millis(20);

/// The sound before a stop that may be missing: two callbacks of 20 ms, and as much again for a busy computer.
const MAX_BEHIND: Duration = Duration::from_millis(60);

/// Longest wait for sound from before a stop.
const BEHIND_TIMEOUT: Duration = Duration::from_secs(1);

/// How much of the sound before a press a microphone that is always ready keeps: half a second.
const PRE_ROLL: usize = SPEECH_RATE as usize / 2;

/// How long a microphone stays open after a recording with [`Standby::AfterUse`].
const AFTER_USE: Duration = Duration::from_secs(30);

/// Empties the ring for one recording after the other, and between them.
pub(super) struct Pump {
    buffer: CaptureBuffer,
    mixdown: Mixdown,
    backlog: Backlog,
    /// Resampled and not yet sent. Between recordings: the sound before the next press.
    ready: Vec<i16>,
    /// Callbacks seen, and when the last one was seen.
    callbacks: (u64, Instant),
    /// Losses seen.
    losses: u64,
    slot: Arc<Slot>,
    standby: Arc<Mutex<Standby>>,
}

impl Pump {
    pub(super) fn new(buffer: CaptureBuffer, slot: Arc<Slot>, standby: Arc<Mutex<Standby>>) -> Self {
        let mixdown = Mixdown::new(buffer.channels, buffer.rate);
        let backlog = Backlog::new(buffer.rate, Instant::now());
        let (callbacks, losses, ready) = ((0, Instant::now()), 0, Vec::new());
        Self { buffer, mixdown, backlog, ready, callbacks, losses, slot, standby }
    }

    /// Runs until no recording is made or expected, or the device is lost. Blocks.
    pub(super) fn run(mut self) {
        while let Some(request) = self.wait() {
            if !self.record(&request) {
                return;
            }
            drop(request);
            self.slot.release();
        }
    }

    /// Waits for the next recording; `None` when the microphone is to be closed, or is lost.
    fn wait(&mut self) -> Option<RecordingRequest> {
        let since = Instant::now();
        loop {
            if let Some(request) = self.slot.take() {
                return Some(request);
            }
            self.read();
            let standby = *self.standby.lock();
            let kept = if standby == Standby::Always { PRE_ROLL } else { 0 };
            self.ready.drain(..self.ready.len().saturating_sub(kept));
            let is_over = match standby {
                Standby::Off => true,
                Standby::AfterUse => since.elapsed() > AFTER_USE,
                Standby::Always => false,
            };
            // A recording that is offered in this moment is taken in the next round.
            if self.slot.is_closed() || (is_over && self.slot.close()) || self.problem().is_some() {
                return None;
            }
            std::thread::park_timeout(MAX_SLEEP);
        }
    }

    /// Makes a recording. False when the device is lost, or the microphone was closed meanwhile.
    fn record(&mut self, request: &RecordingRequest) -> bool {
        let result = self.pump(request);
        let end = std::mem::replace(&mut self.mixdown, Mixdown::new(self.buffer.channels, self.buffer.rate)).finish();
        self.ready.extend(end);
        let has_reader = self.send(request, 1);
        let status = &self.buffer.status;
        if status.losses() > 0 {
            let (dropped, gaps) = (status.dropped.load(Ordering::Relaxed), status.gaps.load(Ordering::Relaxed));
            tracing::warn!(dropped, gaps, "the recording has gaps; the computer may be too busy");
        }
        match result {
            Ok(()) => !self.slot.is_closed(),
            Err(error) => {
                if has_reader {
                    let _ = request.blocks.blocking_send(Err(error));
                }
                false
            }
        }
    }

    fn pump(&mut self, request: &RecordingRequest) -> Result<()> {
        let mut stopped = None;
        self.backlog = Backlog::new(self.buffer.rate, Instant::now());
        loop {
            // Read before the ring is emptied, so that everything recorded before a stop is sent.
            if request.stop.is_cancelled() {
                stopped.get_or_insert_with(Instant::now);
            }
            self.read();
            let has_all = stopped.is_some_and(|stopped| self.has_all(stopped));
            if has_all || !self.send(request, MIN_BLOCK) {
                return Ok(());
            }
            if let Some(problem) = self.problem() {
                return Err(problem);
            }
            std::thread::park_timeout(MAX_SLEEP);
        }
    }

    /// Empties the ring, and notes callbacks and losses.
    fn read(&mut self) {
        let callbacks = self.buffer.status.callbacks.load(Ordering::Acquire);
        self.drain();
        let losses = self.buffer.status.losses();
        if losses != self.losses {
            self.losses = losses;
            self.backlog.lost(Instant::now());
        }
        if callbacks != self.callbacks.0 {
            self.callbacks = (callbacks, Instant::now());
        }
    }

    /// Why the device is lost, if it is: the sound system said so, or the callbacks no longer come.
    fn problem(&mut self) -> Option<Error> {
        let (callbacks, last) = self.callbacks;
        if self.buffer.status.is_lost.load(Ordering::Acquire) {
            return Some(self.stream_error(callbacks));
        }
        let timeout = if callbacks == 0 { FIRST_CALLBACK_TIMEOUT } else { CALLBACK_TIMEOUT };
        if last.elapsed() <= timeout {
            return None;
        }
        self.buffer.status.fail(ErrorKind::DeviceNotAvailable.into());
        Some(if callbacks == 0 { super::no_sound_error() } else { lost_error() })
    }

    /// Whether the sound up to a stop has come, or is waited for no longer.
    fn has_all(&self, stopped: Instant) -> bool {
        let behind = self.backlog.behind(stopped);
        if behind <= MAX_BEHIND {
            return true;
        }
        let is_over = stopped.elapsed() > BEHIND_TIMEOUT;
        if is_over {
            tracing::warn!(?behind, "the end of a recording was not delivered");
        }
        is_over
    }

    /// Resamples everything in the ring.
    fn drain(&mut self) {
        let channels = usize::from(self.buffer.channels);
        let whole_frames = self.buffer.samples.slots() / channels * channels;
        if let Ok(chunk) = self.buffer.samples.read_chunk(whole_frames) {
            let (first, second) = chunk.as_slices();
            if second.is_empty() {
                self.ready.append(&mut self.mixdown.push(first));
            } else {
                self.ready.append(&mut self.mixdown.push(&[first, second].concat()));
            }
            chunk.commit_all();
            self.backlog.delivered(whole_frames / channels, Instant::now());
        }
    }

    /// Sends the resampled speech if there are at least `min` samples. False when the reader is gone.
    fn send(&mut self, request: &RecordingRequest, min: usize) -> bool {
        if self.ready.len() >= min {
            for block in std::mem::take(&mut self.ready).chunks(MAX_BLOCK) {
                if request.blocks.blocking_send(Ok(block.to_vec())).is_err() {
                    return false;
                }
            }
        }
        !request.blocks.is_closed()
    }

    /// The error of a dead stream: it could not be started, or it was lost later.
    fn stream_error(&mut self, callbacks: u64) -> Error {
        let cause = self.buffer.cause().unwrap_or(ErrorKind::DeviceNotAvailable.into());
        if callbacks == 0 || cause.kind() == ErrorKind::PermissionDenied {
            return device_error(Direction::Input, None, &DeviceError::Failed(cause));
        }
        lost_error().because(cause)
    }
}

fn lost_error() -> Error {
    Error::new(
        ErrorCode::MicrophoneLost,
        "The microphone was disconnected while you spoke. The recording up to that point is kept.",
    )
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio_util::sync::CancellationToken;

    use super::super::capture::CaptureStatus;
    use super::*;

    /// A pump whose callbacks the test makes itself.
    struct TestCapture {
        ring: rtrb::Producer<f32>,
        errors: rtrb::Producer<cpal::Error>,
        status: Arc<CaptureStatus>,
        blocks: mpsc::Receiver<Result<Vec<i16>>>,
        stop: CancellationToken,
        slot: Arc<Slot>,
        pump: std::thread::JoinHandle<()>,
    }

    impl TestCapture {
        /// A pump with a recording.
        fn start() -> Self {
            Self::with(Standby::Off)
        }

        fn with(standby: Standby) -> Self {
            let (ring, samples) = rtrb::RingBuffer::new(2 * 48_000 * 2);
            let (first_error, errors) = rtrb::RingBuffer::new(1);
            let status = Arc::new(CaptureStatus::default());
            let (sender, blocks) = mpsc::channel(64);
            let stop = CancellationToken::new();
            let buffer = CaptureBuffer { samples, errors, status: status.clone(), channels: 2, rate: 48_000 };
            let slot = Arc::new(Slot::new(Some(RecordingRequest { blocks: sender, stop: stop.clone() })));
            let pump = Pump::new(buffer, slot.clone(), Arc::new(Mutex::new(standby)));
            let closed = super::super::slot::CloseOnDrop(slot.clone());
            let pump = std::thread::spawn(move || {
                pump.run();
                drop(closed);
            });
            status.set_pump(pump.thread().clone());
            slot.set_pump(pump.thread().clone());
            Self { ring, errors: first_error, status, blocks, stop, slot, pump }
        }

        /// Begins another recording with the same pump, once it waits.
        async fn again(&mut self) {
            let (sender, blocks) = mpsc::channel(64);
            self.stop = CancellationToken::new();
            let mut request = RecordingRequest { blocks: sender, stop: self.stop.clone() };
            while let Some(back) = self.slot.offer(request) {
                assert!(!self.slot.is_closed(), "the microphone is closed");
                request = back;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            self.blocks = blocks;
        }

        /// Sound for `ms` milliseconds, in real time.
        async fn sound(&mut self, ms: usize) {
            for _ in 0..ms / 10 {
                self.call();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }

        /// One callback of 10 ms.
        fn call(&mut self) {
            for _ in 0..480 * 2 {
                self.ring.push(0.5).unwrap();
            }
            self.status.callbacks.fetch_add(1, Ordering::Release);
        }

        /// Everything that is sent until the pump ends.
        async fn finish(&mut self) -> (Vec<i16>, Option<Error>) {
            let (mut samples, mut error) = (Vec::new(), None);
            while let Some(block) = self.blocks.recv().await {
                match block {
                    Ok(block) => {
                        assert!(error.is_none() && !block.is_empty() && block.len() <= MAX_BLOCK);
                        samples.extend(block);
                    }
                    Err(one) => assert!(error.replace(one).is_none(), "two errors"),
                }
            }
            (samples, error)
        }
    }

    #[tokio::test]
    async fn everything_recorded_before_the_stop_is_sent() {
        let mut capture = TestCapture::start();
        for _ in 0..25 {
            capture.call();
        }
        capture.stop.cancel();
        let (samples, error) = capture.finish().await;
        assert_eq!(error, None);
        assert!(samples.len().abs_diff(4000) <= 2, "{}", samples.len());
    }

    #[tokio::test]
    async fn a_stop_waits_for_sound_that_comes_late() {
        let mut capture = TestCapture::start();
        for _ in 0..20 {
            capture.call();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
        capture.stop.cancel();
        tokio::time::sleep(Duration::from_millis(100)).await;
        for _ in 0..60 {
            capture.call();
        }
        let (samples, error) = capture.finish().await;
        assert_eq!(error, None);
        assert!(samples.len() >= 2 * 20 * 160, "{} samples: the late sound is missing", samples.len());
    }

    #[tokio::test]
    async fn a_microphone_that_is_always_ready_begins_with_the_last_half_second() {
        let mut capture = TestCapture::with(Standby::Always);
        capture.sound(100).await;
        capture.stop.cancel();
        capture.finish().await;
        capture.sound(900).await;
        capture.again().await;
        capture.stop.cancel();
        let (samples, error) = capture.finish().await;
        assert_eq!(error, None);
        // And at most one callback that came meanwhile.
        assert!((7_800..=8_400).contains(&samples.len()), "{} samples", samples.len());
        // It stands by again, and ends on request.
        while !capture.slot.close() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        capture.pump.join().unwrap();
    }

    #[tokio::test]
    async fn a_microphone_that_stays_open_after_use_keeps_no_sound() {
        let mut capture = TestCapture::with(Standby::AfterUse);
        capture.stop.cancel();
        capture.finish().await;
        capture.sound(500).await;
        capture.again().await;
        capture.sound(300).await;
        capture.stop.cancel();
        let (samples, error) = capture.finish().await;
        assert_eq!(error, None);
        assert!((4_500..=5_200).contains(&samples.len()), "{} samples of 0.3 s", samples.len());
    }

    #[tokio::test]
    async fn a_recording_that_waits_while_the_device_is_lost_is_told_so() {
        let mut capture = TestCapture::with(Standby::Always);
        capture.sound(50).await;
        capture.stop.cancel();
        capture.finish().await;
        capture.again().await;
        capture.status.fail(ErrorKind::StreamInvalidated.into());
        let error = capture.finish().await.1.expect("the recording fails");
        assert!(matches!(error.code, ErrorCode::NoMicrophone | ErrorCode::MicrophoneLost), "{error:?}");
        capture.pump.join().unwrap();
    }

    #[tokio::test]
    async fn a_device_without_callbacks_is_missing_and_one_whose_callbacks_stop_is_lost() {
        let begun = Instant::now();
        let (samples, error) = TestCapture::start().finish().await;
        assert_eq!((samples.len(), error.map(|error| error.code)), (0, Some(ErrorCode::NoMicrophone)));
        assert!(begun.elapsed() >= FIRST_CALLBACK_TIMEOUT);

        let mut capture = TestCapture::start();
        capture.call();
        let begun = Instant::now();
        let (samples, error) = capture.finish().await;
        assert!(samples.len() >= 158, "{}", samples.len());
        assert_eq!(error.map(|error| error.code), Some(ErrorCode::MicrophoneLost));
        assert!(begun.elapsed() >= CALLBACK_TIMEOUT);
    }

    #[tokio::test]
    async fn a_stream_error_ends_the_recording_with_its_cause() {
        let mut capture = TestCapture::start();
        capture.call();
        capture.status.fail(ErrorKind::StreamInvalidated.into());
        let error = capture.finish().await.1.expect("the recording is lost");
        assert_eq!((error.code, error.detail.is_some()), (ErrorCode::MicrophoneLost, true));

        let mut capture = TestCapture::start();
        capture.errors.push(ErrorKind::PermissionDenied.into()).unwrap();
        capture.status.fail(ErrorKind::StreamInvalidated.into());
        let error = capture.finish().await.1.expect("the recording is lost");
        assert_eq!(error.code, ErrorCode::MicrophoneDenied, "the sound system's own error counts first");
    }
}
