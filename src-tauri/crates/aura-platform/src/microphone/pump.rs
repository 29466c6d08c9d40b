//! From the ring to the reader: resampled speech in small blocks, and one error when the device is lost.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use aura_audio::{Mixdown, SPEECH_RATE};
use aura_core::error::{Error, ErrorCode, Result};
use cpal::ErrorKind;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::capture::CaptureBuffer;
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

/// Empties the ring until the recording ends.
pub(super) struct Pump {
    buffer: CaptureBuffer,
    mixdown: Mixdown,
    /// Resampled and not yet sent.
    ready: Vec<i16>,
    blocks: mpsc::Sender<Result<Vec<i16>>>,
    stop: CancellationToken,
}

impl Pump {
    pub(super) fn new(buffer: CaptureBuffer, blocks: mpsc::Sender<Result<Vec<i16>>>, stop: CancellationToken) -> Self {
        let mixdown = Mixdown::new(buffer.channels, buffer.rate);
        Self { buffer, mixdown, ready: Vec::new(), blocks, stop }
    }

    /// Runs until the recording is stopped, lost, or dropped by its reader. Blocks.
    pub(super) fn run(mut self) {
        let result = self.pump();
        self.ready.append(&mut self.mixdown.finish());
        let has_reader = self.send(1);
        let status = &self.buffer.status;
        let (dropped, gaps) = (status.dropped.load(Ordering::Relaxed), status.gaps.load(Ordering::Relaxed));
        if dropped + gaps > 0 {
            tracing::warn!(dropped, gaps, "the recording has gaps; the computer may be too busy");
        }
        if let (Err(error), true) = (result, has_reader) {
            let _ = self.blocks.blocking_send(Err(error));
        }
    }

    fn pump(&mut self) -> Result<()> {
        let (mut callbacks, mut last_callback) = (0, Instant::now());
        loop {
            // Read before the ring is emptied, so that everything recorded before a stop is sent.
            let is_stopped = self.stop.is_cancelled();
            let is_lost = self.buffer.status.is_lost.load(Ordering::Acquire);
            let callbacks_now = self.buffer.status.callbacks.load(Ordering::Acquire);
            self.drain();
            if is_stopped || !self.send(MIN_BLOCK) {
                return Ok(());
            }
            if callbacks_now != callbacks {
                (callbacks, last_callback) = (callbacks_now, Instant::now());
            }
            if is_lost {
                return Err(self.stream_error(callbacks));
            }
            let timeout = if callbacks == 0 { FIRST_CALLBACK_TIMEOUT } else { CALLBACK_TIMEOUT };
            if last_callback.elapsed() > timeout {
                self.buffer.status.fail(ErrorKind::DeviceNotAvailable.into());
                return Err(if callbacks == 0 { super::no_sound_error() } else { lost_error() });
            }
            std::thread::park_timeout(MAX_SLEEP);
        }
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
        }
    }

    /// Sends the resampled speech if there are at least `min` samples. False when the reader is gone.
    fn send(&mut self, min: usize) -> bool {
        if self.ready.len() >= min {
            for block in std::mem::take(&mut self.ready).chunks(MAX_BLOCK) {
                if self.blocks.blocking_send(Ok(block.to_vec())).is_err() {
                    return false;
                }
            }
        }
        !self.blocks.is_closed()
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
    use std::sync::Arc;

    use super::super::capture::CaptureStatus;
    use super::*;

    /// A pump whose callbacks the test makes itself.
    struct TestCapture {
        ring: rtrb::Producer<f32>,
        errors: rtrb::Producer<cpal::Error>,
        status: Arc<CaptureStatus>,
        blocks: mpsc::Receiver<Result<Vec<i16>>>,
        stop: CancellationToken,
    }

    impl TestCapture {
        fn start() -> Self {
            let (ring, samples) = rtrb::RingBuffer::new(2 * 48_000 * 2);
            let (first_error, errors) = rtrb::RingBuffer::new(1);
            let status = Arc::new(CaptureStatus::default());
            let (sender, blocks) = mpsc::channel(64);
            let stop = CancellationToken::new();
            let buffer = CaptureBuffer { samples, errors, status: status.clone(), channels: 2, rate: 48_000 };
            let pump = Pump::new(buffer, sender, stop.clone());
            let thread = std::thread::spawn(move || pump.run());
            status.set_pump(thread.thread().clone());
            Self { ring, errors: first_error, status, blocks, stop }
        }

        /// One callback of 10 ms.
        fn call(&mut self) {
            for _ in 0..480 * 2 {
                self.ring.push(0.5).unwrap();
            }
            self.status.callbacks.fetch_add(1, Ordering::Release);
        }

        /// Everything that is sent until the pump ends.
        async fn finish(mut self) -> (Vec<i16>, Option<Error>) {
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
