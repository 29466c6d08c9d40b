//! Playback on a PulseAudio server without silence in front of the first sample.
//!
//! A callback of cpal fills whatever the device asks for, so there are always two callbacks of silence in the server's queue, and a sample is
//! heard behind them. The server's own protocol lets a stream have nothing to play: its queue is then empty, and a sample is heard as soon as
//! the server mixes again. While there is sound the queue is as long as cpal's, so that a busy computer leaves no more gaps.

use std::ffi::CString;
use std::num::NonZero;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use cpal::ErrorKind;
use futures::executor::block_on;
use parking_lot::Mutex;
use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{PlaybackStreamParams, Prop, Props, SampleFormat, SampleSpec, SinkInfo};
use pulseaudio::{Client, ClientError, PlaybackSource, PlaybackStream};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use super::output::{OutputStream, RING_SECONDS, StreamKeeper};
use super::ring::{RingReader, ring};
use super::status::StreamStatus;

/// How cpal's IDs of PulseAudio's devices begin. The rest is the server's name of the device.
const ID_PREFIX: &str = "pulseaudio:";

/// Bytes of one sample of one channel.
const SAMPLE_BYTES: usize = size_of::<f32>();

/// Time between two questions whether the stream still exists. The library does not pass on that the server ended it.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Longest wait for the answer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// The connection to the server, kept between streams: the library leaves a thread behind for each that is closed.
#[derive(Default)]
pub(super) struct PulseServer {
    client: Mutex<Option<Client>>,
    /// Streams with the same number start and stop together, and only on one device.
    next_sync_id: AtomicU32,
}

/// The server's name of a device, if it is one of PulseAudio's. PipeWire's are played through cpal, which asks for samples just before they
/// are heard.
pub(super) fn sink_name(device_id: &str) -> Option<&str> {
    device_id.strip_prefix(ID_PREFIX)
}

impl PulseServer {
    /// A connection that works, and the device. Blocks.
    fn find(&self, name: &str) -> Result<(Client, SinkInfo), ClientError> {
        let name = CString::new(name).map_err(|_| ClientError::ServerUnavailable)?;
        let kept = self.client.lock().clone();
        if let Some(client) = kept {
            match block_on(client.sink_info_by_name(name.clone())) {
                Ok(sink) => return Ok((client, sink)),
                Err(refusal @ ClientError::ServerError(_)) => return Err(refusal),
                // The server was started again.
                Err(_) => {}
            }
        }
        let client = Client::from_env(c"AURA")?;
        *self.client.lock() = Some(client.clone());
        let sink = block_on(client.sink_info_by_name(name))?;
        Ok((client, sink))
    }

    /// Opens and starts a stream with a queue of two times `frames`. Blocks.
    pub(super) fn open(
        &self,
        sink: &str,
        frames: u32,
        runtime: &Handle,
    ) -> Result<(OutputStream, StreamKeeper), cpal::Error> {
        let (client, sink) = self.find(sink)?;
        let rate = NonZero::new(sink.sample_spec.sample_rate).ok_or(ErrorKind::UnsupportedConfig)?;
        let channels = NonZero::new(sink.channel_map.num_channels()).ok_or(ErrorKind::UnsupportedConfig)?;
        let (writer, reader) = ring(RING_SECONDS * rate.get() as usize, rate.get());
        let status = Arc::new(StreamStatus::new(frames, rate));
        let source = PulseSource::new(reader, status.clone(), channels);
        let sync_id = self.next_sync_id.fetch_add(1, Ordering::Relaxed);
        let params = PlaybackStreamParams { sync_id, ..params(&sink, channels, frames) };
        let stream = block_on(client.create_playback_stream(params, source))?;
        let watch = AbortOnDropHandle::new(runtime.spawn(watch(stream, status.clone())));
        let keeper = StreamKeeper::without_device(status.clone());
        Ok((OutputStream::new(rate, writer, status, Some(watch)), keeper))
    }
}

fn params(sink: &SinkInfo, channels: NonZero<u8>, frames: u32) -> PlaybackStreamParams {
    let channels = channels.get();
    let frame = u32::from(channels) * SAMPLE_BYTES as u32;
    let mut props = Props::new();
    props.set(Prop::MediaName, c"Speech");
    PlaybackStreamParams {
        sink_index: Some(sink.index),
        sample_spec: SampleSpec {
            format: SampleFormat::Float32Le,
            channels,
            sample_rate: sink.sample_spec.sample_rate,
        },
        channel_map: sink.channel_map,
        buffer_attr: BufferAttr {
            max_length: 2 * frames * frame,
            target_length: 2 * frames * frame,
            minimum_request_length: frames * frame,
            // The first frame is played as soon as it is there.
            pre_buffering: frame,
            ..BufferAttr::default()
        },
        props,
        // The length of the queue includes the device's own.
        flags: StreamFlags { adjust_latency: true, ..StreamFlags::default() },
        ..PlaybackStreamParams::default()
    }
}

/// Asks now and then whether the server still has the stream, and keeps it until this task ends.
async fn watch(stream: PlaybackStream, status: Arc<StreamStatus>) {
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        match tokio::time::timeout(CHECK_TIMEOUT, stream.timing_info()).await {
            Ok(Ok(_)) => status.note_alive(),
            Ok(Err(cause)) => {
                tracing::warn!(%cause, "the sound server ended the stream");
                return status.lose();
            }
            Err(_) => {
                tracing::warn!("the sound server does not answer");
                return status.lose();
            }
        }
    }
}

/// The samples of a ring, which may have none. The library asks for them on its thread, whenever the server's queue has room.
struct PulseSource {
    reader: RingReader,
    status: Arc<StreamStatus>,
    channels: usize,
    /// There was nothing to play when the library asked last.
    is_waiting: bool,
}

impl PulseSource {
    fn new(reader: RingReader, status: Arc<StreamStatus>, channels: NonZero<u8>) -> Self {
        Self { reader, status, channels: usize::from(channels.get()), is_waiting: true }
    }

    /// The frames that there are to play. If there are none, the task is woken when there are.
    fn poll_queued(&mut self, context: &Context<'_>) -> usize {
        if self.reader.queued() == 0 {
            self.status.wake_for_sound(context.waker());
            // Nothing may ask for samples for a long time, so nobody may be left waiting for what was played by now.
            self.wake_waiters();
        }
        // A sample may have come before the waker was set.
        self.reader.queued()
    }

    fn wake_waiters(&self) {
        if self.reader.take_wake_up() {
            self.status.wake();
        }
    }
}

impl PlaybackSource for PulseSource {
    /// As many frames as there are and as fit. Mono goes to the first two channels, which are the front ones in PulseAudio's default layouts;
    /// the others stay silent.
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
        let this = &mut *self;
        let frame = this.channels * SAMPLE_BYTES;
        let frames = this.poll_queued(context).min(buffer.len() / frame);
        if frames == 0 {
            this.is_waiting = true;
            return Poll::Pending;
        }
        if std::mem::take(&mut this.is_waiting) {
            this.status.note_first_callback();
        } else {
            this.status.note_callback(true);
        }
        let buffer = &mut buffer[..frames * frame];
        buffer.fill(0);
        let front = this.channels.min(2);
        this.reader.fill(frames, |at, sample| {
            let sample = sample.clamp(-1.0, 1.0).to_le_bytes();
            for channel in buffer[at * frame..].chunks_exact_mut(SAMPLE_BYTES).take(front) {
                channel.copy_from_slice(&sample);
            }
        });
        this.wake_waiters();
        Poll::Ready(buffer.len())
    }
}

impl Drop for PulseSource {
    /// The library drops it with the stream or with the connection.
    fn drop(&mut self) {
        self.status.lose();
    }
}

#[cfg(test)]
mod tests {
    use futures::task::noop_waker_ref;

    use super::*;

    fn floats(bytes: &[u8]) -> Vec<f32> {
        bytes.chunks_exact(SAMPLE_BYTES).map(|sample| f32::from_le_bytes(sample.try_into().unwrap())).collect()
    }

    #[test]
    fn a_source_gives_what_there_is_and_waits_for_more() {
        let (rate, channels) = (NonZero::new(48_000).unwrap(), NonZero::new(3).unwrap());
        let (writer, reader) = ring(1_000, rate.get());
        let status = Arc::new(StreamStatus::new(480, rate));
        let mut source = Box::pin(PulseSource::new(reader, status.clone(), channels));
        let mut context = Context::from_waker(noop_waker_ref());
        let mut buffer = [1; 4 * 3 * SAMPLE_BYTES];
        assert_eq!(source.as_mut().poll_read(&mut context, &mut buffer), Poll::Pending);

        writer.begin();
        writer.push(writer.utterance().unwrap(), &[0.25, 0.5, -2.0, 0.75, 1.0]).unwrap();
        assert_eq!(source.as_mut().poll_read(&mut context, &mut buffer), Poll::Ready(buffer.len()));
        assert_eq!(floats(&buffer), [0.25, 0.25, 0.0, 0.5, 0.5, 0.0, -1.0, -1.0, 0.0, 0.75, 0.75, 0.0]);
        // One frame is left, and no silence follows it.
        assert_eq!(source.as_mut().poll_read(&mut context, &mut buffer), Poll::Ready(3 * SAMPLE_BYTES));
        assert_eq!(source.as_mut().poll_read(&mut context, &mut buffer), Poll::Pending);
        assert_eq!(writer.played(), 5);
        assert_eq!(status.underruns(), 0);

        drop(source);
        assert!(status.is_lost(), "the library dropped the stream");
    }

    #[test]
    fn who_waits_for_a_position_is_woken_before_the_source_waits() {
        let rate = NonZero::new(48_000).unwrap();
        let (writer, reader) = ring(1_000, rate.get());
        let status = Arc::new(StreamStatus::new(480, rate));
        let mut source = Box::pin(PulseSource::new(reader, status, NonZero::<u8>::MIN));
        let mut context = Context::from_waker(noop_waker_ref());
        let mut buffer = [0; 480 * SAMPLE_BYTES];
        writer.begin();
        writer.push(writer.utterance().unwrap(), &[0.5; 100]).unwrap();
        assert!(source.as_mut().poll_read(&mut context, &mut buffer).is_ready());
        // It was played a moment ago, and no later request of the server would say so.
        writer.wake_when_played(100);
        assert!(source.as_mut().poll_read(&mut context, &mut buffer).is_pending());
        assert!(!source.reader.take_wake_up(), "the waiter was not woken");
    }
}
