//! One open output stream: the device's callback on one side, [`Output`] on the other.
//!
//! The callback must neither lock nor allocate, so it cannot wake a task. It unparks the thread that keeps the stream, and that thread
//! notifies the waiting tasks.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::Output;
use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{Data, ErrorKind, FromSample, I24, SampleFormat, SizedSample, U24};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::ring::{RingReader, RingWriter, ring};
use crate::audio_devices::{AudioDevice, is_recoverable, stream_configs};

/// Longest time between two checks of a waiting task whether the device still runs: a dead device may report nothing. In unit tests it
/// is longer than any test, so that only a notification can end a wait.
const LOSS_CHECK: Duration = Duration::from_millis(if cfg!(test) { 600_000 } else { 500 });

/// Silence of the callback that means the device is gone. Callbacks come every 10 ms; a sleeping device takes up to 2 s to wake.
const CALLBACK_TIMEOUT: Duration = Duration::from_secs(3);

/// Underruns from which on the callbacks are considered too short for this computer. A single one may be chance.
const MAX_UNDERRUNS: u64 = 3;

/// What the callbacks report.
struct StreamStatus {
    opened_at: Instant,
    /// Microseconds from `opened_at` to the last callback.
    last_callback: AtomicU64,
    /// Times that the device ran out of samples while the ring had some.
    underruns: AtomicU64,
    /// The device reported that the stream is dead.
    is_lost: AtomicBool,
    /// The [`OutputStream`] was dropped.
    is_closed: AtomicBool,
    /// The thread that keeps the stream.
    keeper: Thread,
    /// Notified when an utterance begins or is stopped, when a requested position was played, and when the device is lost.
    changed: Notify,
}

impl StreamStatus {
    /// The status of a stream that the current thread keeps.
    fn new() -> Self {
        Self {
            opened_at: Instant::now(),
            last_callback: AtomicU64::new(0),
            underruns: AtomicU64::new(0),
            is_lost: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            keeper: std::thread::current(),
            changed: Notify::new(),
        }
    }

    /// Microseconds since the stream was opened.
    fn now(&self) -> u64 {
        u64::try_from(self.opened_at.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Whether the device reported a loss, or its callback has stopped.
    fn is_lost(&self) -> bool {
        let quiet = self.now().saturating_sub(self.last_callback.load(Ordering::Relaxed));
        self.is_lost.load(Ordering::Acquire) || u128::from(quiet) > CALLBACK_TIMEOUT.as_micros()
    }

    /// A change that happens from now on, even before it is awaited.
    fn changed(&self) -> Pin<Box<Notified<'_>>> {
        let mut changed = Box::pin(self.changed.notified());
        changed.as_mut().enable();
        changed
    }

    /// Notifies waiting tasks of what the callbacks report, until the stream is closed. Runs on the keeper's thread.
    fn relay(&self, errors: &mut rtrb::Consumer<cpal::Error>) {
        while !self.is_closed.load(Ordering::Acquire) {
            if let Ok(cause) = errors.pop() {
                tracing::warn!(%cause, "the speaker was lost");
            }
            self.changed.notify_waiters();
            std::thread::park();
        }
    }
}

/// One open stream. Dropping it closes the device.
pub(super) struct OutputStream {
    rate: u32,
    writer: RingWriter,
    status: Arc<StreamStatus>,
}

/// The device's side of an [`OutputStream`]. It must stay on the thread that opened it.
pub(super) struct StreamKeeper {
    stream: cpal::Stream,
    status: Arc<StreamStatus>,
    errors: rtrb::Consumer<cpal::Error>,
}

impl StreamKeeper {
    /// Starts the callbacks.
    pub(super) fn play(&self) -> Result<(), cpal::Error> {
        self.stream.play()
    }

    /// Serves the stream until its [`OutputStream`] is dropped, then closes the device. Blocks.
    pub(super) fn run(mut self) {
        self.status.relay(&mut self.errors);
    }
}

/// Opens a stream at the rate and with the channels that the device prefers. It does not run yet.
pub(super) fn open(device: &AudioDevice, frames: u32) -> Result<(OutputStream, StreamKeeper), cpal::Error> {
    let (channels, rate) = (usize::from(device.config.channels()).max(1), device.config.sample_rate());
    let mut failure = None;
    for config in stream_configs(&device.config, frames) {
        // One second: bridges gaps in the network, and keeps writers close to what is heard.
        let (writer, mut reader) = ring(rate as usize, rate);
        // Only the first error counts.
        let (mut first_error, errors) = rtrb::RingBuffer::new(1);
        let status = Arc::new(StreamStatus::new());
        // Sound systems buffer two callbacks, and not all of them report an underrun.
        let longest_gap = 2 * 1_000_000 * u64::from(frames) / u64::from(rate.max(1));
        let (on_data, on_error) = (status.clone(), status.clone());
        let stream = device.device.build_output_stream_raw(
            config,
            device.config.sample_format(),
            move |data, _| {
                let now = on_data.now();
                let gap = now.saturating_sub(on_data.last_callback.swap(now, Ordering::Relaxed));
                if gap > longest_gap && reader.has_sound() {
                    on_data.underruns.fetch_add(1, Ordering::Relaxed);
                }
                fill(data, channels, &mut reader);
                if reader.take_wake_up() {
                    on_data.keeper.unpark();
                }
            },
            move |cause| {
                if is_recoverable(cause.kind()) {
                    on_error.underruns.fetch_add(u64::from(cause.kind() == ErrorKind::Xrun), Ordering::Relaxed);
                } else {
                    let _ = first_error.push(cause);
                    on_error.is_lost.store(true, Ordering::Release);
                    on_error.keeper.unpark();
                }
            },
            None,
        );
        match stream {
            Ok(stream) => {
                let output = OutputStream { rate, writer, status: status.clone() };
                return Ok((output, StreamKeeper { stream, status, errors }));
            }
            Err(cause) => failure = Some(cause),
        }
    }
    Err(failure.unwrap_or(ErrorKind::UnsupportedConfig.into()))
}

/// Fills the buffer of one callback.
fn fill(data: &mut Data, channels: usize, reader: &mut RingReader) {
    match data.sample_format() {
        SampleFormat::I8 => write_frames(data.as_slice_mut::<i8>(), channels, reader),
        SampleFormat::I16 => write_frames(data.as_slice_mut::<i16>(), channels, reader),
        SampleFormat::I24 => write_frames(data.as_slice_mut::<I24>(), channels, reader),
        SampleFormat::I32 => write_frames(data.as_slice_mut::<i32>(), channels, reader),
        SampleFormat::I64 => write_frames(data.as_slice_mut::<i64>(), channels, reader),
        SampleFormat::U8 => write_frames(data.as_slice_mut::<u8>(), channels, reader),
        SampleFormat::U16 => write_frames(data.as_slice_mut::<u16>(), channels, reader),
        SampleFormat::U24 => write_frames(data.as_slice_mut::<U24>(), channels, reader),
        SampleFormat::U32 => write_frames(data.as_slice_mut::<u32>(), channels, reader),
        SampleFormat::U64 => write_frames(data.as_slice_mut::<u64>(), channels, reader),
        SampleFormat::F32 => write_frames(data.as_slice_mut::<f32>(), channels, reader),
        SampleFormat::F64 => write_frames(data.as_slice_mut::<f64>(), channels, reader),
        _ => {}
    }
}

/// Writes mono samples to the two front channels; the others stay silent.
fn write_frames<T: SizedSample + FromSample<f32>>(out: Option<&mut [T]>, channels: usize, reader: &mut RingReader) {
    let out = out.unwrap_or_default();
    let silence = T::from_sample_(0.0);
    reader.fill(out.len() / channels, |frame, sample| {
        let sample = T::from_sample_(sample.clamp(-1.0, 1.0));
        for (channel, slot) in out[frame * channels..(frame + 1) * channels].iter_mut().enumerate() {
            *slot = if channel < 2 { sample } else { silence };
        }
    });
}

impl OutputStream {
    /// Whether the device is gone.
    pub(super) fn is_lost(&self) -> bool {
        self.status.is_lost()
    }

    /// Whether the sound breaks up because the callbacks are too short for this computer.
    pub(super) fn has_underruns(&self) -> bool {
        self.status.underruns.load(Ordering::Relaxed) >= MAX_UNDERRUNS
    }

    /// Whether queued samples are still to be played.
    pub(super) fn is_playing(&self) -> bool {
        !self.writer.is_empty()
    }

    fn check(&self) -> Result<()> {
        if self.is_lost() {
            return Err(Error::new(
                ErrorCode::SpeakerLost,
                "The speaker was disconnected. Connect it again, or choose another one in Settings.",
            ));
        }
        Ok(())
    }
}

impl Drop for OutputStream {
    fn drop(&mut self) {
        self.status.is_closed.store(true, Ordering::Release);
        self.status.keeper.unpark();
        let underruns = self.status.underruns.load(Ordering::Relaxed);
        if underruns > 0 {
            tracing::warn!(underruns, "playback was interrupted; the computer may be too busy");
        }
    }
}

#[async_trait]
impl Output for OutputStream {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn begin(&self) {
        self.writer.begin();
        self.status.changed.notify_waiters();
    }

    async fn write(&self, mut samples: &[f32]) -> Result<()> {
        let Some(utterance) = self.writer.utterance() else { return Ok(()) };
        // The ring holds one second; a full one is refilled when a tenth of it is free.
        let refill_at = u64::from(self.rate - self.rate / 10);
        while !samples.is_empty() {
            self.check()?;
            let changed = self.status.changed();
            match self.writer.push(utterance, samples) {
                None => return Ok(()),
                Some(0) => {
                    self.writer.wake_when_left(refill_at);
                    wait(changed).await;
                }
                Some(queued) => samples = &samples[queued..],
            }
        }
        Ok(())
    }

    fn played(&self) -> u64 {
        self.writer.played()
    }

    async fn reached(&self, position: u64) {
        let Some(utterance) = self.writer.utterance() else { return };
        loop {
            let changed = self.status.changed();
            self.writer.wake_when_played(position);
            if self.writer.utterance() != Some(utterance) || self.is_lost() || self.writer.played() >= position {
                return;
            }
            wait(changed).await;
        }
    }

    async fn drained(&self) -> Result<()> {
        let utterance = self.writer.utterance();
        loop {
            let changed = self.status.changed();
            self.writer.wake_when_left(0);
            if utterance.is_none() || self.writer.utterance() != utterance || self.writer.is_empty() {
                return Ok(());
            }
            self.check()?;
            wait(changed).await;
        }
    }

    fn stop(&self) {
        self.writer.stop();
        self.status.changed.notify_waiters();
    }
}

/// Waits for a change, or until it is time for the next [`LOSS_CHECK`].
async fn wait(changed: Pin<Box<Notified<'_>>>) {
    // An error only means that the time is over.
    let _ = tokio::time::timeout(LOSS_CHECK, changed).await;
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// An output whose callbacks the test makes itself.
    struct TestDevice {
        output: Arc<OutputStream>,
        reader: RingReader,
        keeper: std::thread::JoinHandle<()>,
    }

    impl TestDevice {
        fn start() -> Self {
            let (writer, reader) = ring(48_000, 48_000);
            let (sender, status) = std::sync::mpsc::channel();
            let keeper = std::thread::spawn(move || {
                let status = Arc::new(StreamStatus::new());
                sender.send(status.clone()).unwrap();
                let (_, mut errors) = rtrb::RingBuffer::new(1);
                status.relay(&mut errors);
            });
            let output = Arc::new(OutputStream { rate: 48_000, writer, status: status.recv().unwrap() });
            Self { output, reader, keeper }
        }

        /// One callback for `frames` frames.
        fn call(&mut self, frames: usize) {
            let status = &self.output.status;
            status.last_callback.store(status.now(), Ordering::Relaxed);
            write_frames(Some(&mut vec![0f32; frames][..]), 1, &mut self.reader);
            if self.reader.take_wake_up() {
                status.keeper.unpark();
            }
        }

        /// Starts a task that waits for a position, and returns once it waits.
        async fn waiter(&self, position: u64) -> tokio::task::JoinHandle<()> {
            let output = self.output.clone();
            let mut waiting = Box::pin(async move { output.reached(position).await });
            assert!(waiting.as_mut().now_or_never().is_none(), "the position was not played yet");
            tokio::spawn(waiting)
        }
    }

    /// Fails unless a notification ends the task.
    async fn ends_at_once(task: tokio::task::JoinHandle<()>) {
        tokio::time::timeout(Duration::from_secs(60), task).await.expect("nothing woke the waiting task").unwrap();
    }

    #[test]
    fn mono_goes_to_the_front_channels() {
        let (writer, mut reader) = ring(100, 48_000);
        writer.begin();
        writer.push(writer.utterance().unwrap(), &[0.5, -2.0]).unwrap();
        let mut out = [9i16; 4 * 3];
        write_frames(Some(&mut out[..]), 4, &mut reader);
        assert_eq!(out, [16384, 16384, 0, 0, i16::MIN, i16::MIN, 0, 0, 0, 0, 0, 0]);
    }

    #[tokio::test]
    async fn reached_returns_when_the_position_was_played() {
        let mut device = TestDevice::start();
        device.output.begin();
        let (first, later) = (device.waiter(1).await, device.waiter(481).await);
        // A position may be waited for before its samples are queued.
        device.call(480);
        device.output.write(&[0.5; 960]).await.unwrap();
        assert!(!first.is_finished());
        device.call(480);
        ends_at_once(first).await;
        assert!(!later.is_finished(), "480 samples were played");
        device.call(480);
        ends_at_once(later).await;
        device.output.reached(960).now_or_never().expect("a position that was played is not waited for");
        device.output.drained().now_or_never().expect("the ring is empty").unwrap();
        let TestDevice { output, keeper, .. } = device;
        drop(output);
        keeper.join().unwrap();
    }

    #[tokio::test]
    async fn reached_returns_when_the_utterance_is_stopped_or_replaced() {
        let device = TestDevice::start();
        device.output.begin();
        let waiter = device.waiter(100).await;
        device.output.begin();
        ends_at_once(waiter).await;
        let waiter = device.waiter(100).await;
        device.output.stop();
        ends_at_once(waiter).await;
        device.output.reached(100).now_or_never().expect("a stopped utterance is not waited for");
    }

    #[tokio::test]
    async fn reached_returns_when_the_device_is_lost() {
        let device = TestDevice::start();
        device.output.begin();
        let waiter = device.waiter(100).await;
        device.output.status.is_lost.store(true, Ordering::Release);
        device.output.status.keeper.unpark();
        ends_at_once(waiter).await;
        assert_eq!(device.output.write(&[0.5]).await.map_err(|error| error.code), Err(ErrorCode::SpeakerLost));
    }

    #[tokio::test]
    async fn a_full_ring_is_refilled_when_a_tenth_is_free() {
        let mut device = TestDevice::start();
        device.output.begin();
        let output = device.output.clone();
        let mut writing = Box::pin(async move { output.write(&[0.5; 50_000]).await.unwrap() });
        assert!(writing.as_mut().now_or_never().is_none(), "the ring holds 48,000 samples");
        let writing = tokio::spawn(writing);
        device.call(4_800);
        ends_at_once(writing).await;
    }
}
