//! One open output stream: rodio's mixer in the device's callback on one side, [`Output`] on the other.
//!
//! The callback must neither lock nor allocate, so it cannot wake a task. It unparks the thread that keeps the stream, and that thread
//! notifies the waiting tasks.

use std::num::NonZero;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::Output;
use cpal::ErrorKind;
use rodio::stream::{DeviceSinkBuilder, DeviceSinkError, MixerDeviceSink};
use tokio::sync::futures::Notified;
use tokio_util::task::AbortOnDropHandle;

use super::ring::{RingWriter, ring};
use super::source::RingSource;
use super::status::StreamStatus;
use crate::audio_devices::{AudioDevice, stream_configs};

/// Longest time between two checks of a waiting task whether the device still runs: a dead device may report nothing. In unit tests it
/// is longer than any test, so that only a notification can end a wait.
const LOSS_CHECK: Duration = Duration::from_millis(if cfg!(test) { 600_000 } else { 500 });

/// Underruns from which on the callbacks are considered too short for this computer. A single one may be chance.
const MAX_UNDERRUNS: u64 = 3;

/// Seconds of sound in the ring: bridges gaps in the network, and keeps writers close to what is heard.
pub(super) const RING_SECONDS: usize = 1;

/// One open stream. Dropping it closes the device.
pub(super) struct OutputStream {
    rate: u32,
    writer: RingWriter,
    status: Arc<StreamStatus>,
    /// Looks after a stream that no callback of cpal serves.
    _watch: Option<AbortOnDropHandle<()>>,
}

/// The device's side of an [`OutputStream`]. It must stay on the thread that opened it.
pub(super) struct StreamKeeper {
    /// Closes the device when it is dropped. None when [`OutputStream`] keeps it.
    _sink: Option<MixerDeviceSink>,
    status: Arc<StreamStatus>,
    errors: rtrb::Consumer<cpal::Error>,
}

impl StreamKeeper {
    /// For a stream that need not stay on a thread.
    pub(super) fn without_device(status: Arc<StreamStatus>) -> Self {
        Self { _sink: None, status, errors: rtrb::RingBuffer::new(1).1 }
    }

    /// Serves the stream until its [`OutputStream`] is dropped, then closes the device. Blocks.
    pub(super) fn run(mut self) {
        self.status.relay(&mut self.errors);
    }
}

/// Opens and starts a stream at the rate and with the channels that the device prefers.
pub(super) fn open(device: &AudioDevice, frames: u32) -> Result<(OutputStream, StreamKeeper), cpal::Error> {
    let (Some(channels), Some(rate)) =
        (NonZero::new(device.config.channels()), NonZero::new(device.config.sample_rate()))
    else {
        return Err(ErrorKind::UnsupportedConfig.into());
    };
    let mut failure = None;
    for config in stream_configs(&device.config, frames) {
        let (writer, reader) = ring(RING_SECONDS * rate.get() as usize, rate.get());
        // Only the first error counts.
        let (mut first_error, errors) = rtrb::RingBuffer::new(1);
        let status = Arc::new(StreamStatus::new(frames, rate));
        let on_error = status.clone();
        let sink = DeviceSinkBuilder::default()
            .with_device(device.device.clone())
            .with_channels(channels)
            .with_sample_rate(rate)
            .with_sample_format(device.config.sample_format())
            .with_buffer_size(config.buffer_size)
            .with_error_callback(move |cause| on_error.note_error(cause, &mut first_error))
            .open_stream();
        match sink {
            Ok(mut sink) => {
                sink.log_on_drop(false);
                sink.mixer().add(RingSource::new(reader, status.clone(), channels, rate));
                let output = OutputStream::new(rate, writer, status.clone(), None);
                return Ok((output, StreamKeeper { _sink: Some(sink), status, errors }));
            }
            Err(cause) => failure = Some(device_error(cause)),
        }
    }
    Err(failure.unwrap_or(ErrorKind::UnsupportedConfig.into()))
}

/// What cpal reported.
fn device_error(error: DeviceSinkError) -> cpal::Error {
    match error {
        DeviceSinkError::PlayError(cause)
        | DeviceSinkError::BuildError(cause)
        | DeviceSinkError::DefaultSinkConfigError(cause)
        | DeviceSinkError::SupportedConfigsError(cause) => cause,
        DeviceSinkError::NoDevice => ErrorKind::DeviceNotAvailable.into(),
        DeviceSinkError::UnsupportedSampleFormat => ErrorKind::UnsupportedConfig.into(),
    }
}

impl OutputStream {
    /// `watch` is a task that ends with the stream.
    pub(super) fn new(
        rate: NonZero<u32>,
        writer: RingWriter,
        status: Arc<StreamStatus>,
        watch: Option<AbortOnDropHandle<()>>,
    ) -> Self {
        Self { rate: rate.get(), writer, status, _watch: watch }
    }

    /// Whether the device is gone.
    pub(super) fn is_lost(&self) -> bool {
        self.status.is_lost()
    }

    /// Whether the sound breaks up because the callbacks are too short for this computer.
    pub(super) fn has_underruns(&self) -> bool {
        self.status.underruns() >= MAX_UNDERRUNS
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
        self.status.close();
        let underruns = self.status.underruns();
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
        self.status.notify();
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
                Some(queued) => {
                    self.status.note_sound();
                    samples = &samples[queued..];
                }
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
        self.status.notify();
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
        source: RingSource,
        keeper: std::thread::JoinHandle<()>,
    }

    impl TestDevice {
        fn start() -> Self {
            let (writer, reader) = ring(48_000, 48_000);
            let rate = NonZero::new(48_000).unwrap();
            let (sender, status) = std::sync::mpsc::channel();
            let keeper = std::thread::spawn(move || {
                let status = Arc::new(StreamStatus::new(480, rate));
                sender.send(status.clone()).unwrap();
                let (_, mut errors) = rtrb::RingBuffer::new(1);
                status.relay(&mut errors);
            });
            let status = status.recv().unwrap();
            let source = RingSource::new(reader, status.clone(), NonZero::<u16>::MIN, rate);
            Self { output: Arc::new(OutputStream::new(rate, writer, status, None)), source, keeper }
        }

        /// One callback for `frames` frames.
        fn call(&mut self, frames: usize) {
            assert_eq!(self.source.by_ref().take(frames).count(), frames);
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
        device.output.status.lose();
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
