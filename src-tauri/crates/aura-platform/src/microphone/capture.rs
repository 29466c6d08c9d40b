//! The callback side of a recording: converts any sample format to `f32` and puts the samples into a ring. Nothing in a callback locks
//! or allocates.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use cpal::traits::DeviceTrait;
use cpal::{Data, FromSample, I24, SampleFormat, SizedSample, U24};

use crate::audio_devices::{AudioDevice, INPUT_FRAMES, is_recoverable, stream_configs};

/// Capacity of the ring, in seconds. The pump empties it every few milliseconds.
const RING_SECONDS: usize = 2;

/// What the callbacks, the capture thread and the pump share.
#[derive(Default)]
pub(super) struct CaptureStatus {
    /// Data callbacks so far.
    pub(super) callbacks: AtomicU64,
    /// Samples that were dropped because the ring was full.
    pub(super) dropped: AtomicU64,
    /// Gaps that the sound system reported.
    pub(super) gaps: AtomicU64,
    /// The stream is dead.
    pub(super) is_lost: AtomicBool,
    /// Why the capture thread gave up the stream. The callbacks use [`CaptureBuffer::errors`], which never blocks.
    cause: OnceLock<cpal::Error>,
    pump: OnceLock<Thread>,
}

impl CaptureStatus {
    /// Sets the thread that each callback wakes.
    pub(super) fn set_pump(&self, pump: Thread) {
        let _ = self.pump.set(pump);
    }

    /// Declares the stream dead. Not for callbacks, because it may block.
    pub(super) fn fail(&self, cause: cpal::Error) {
        let _ = self.cause.set(cause);
        self.set_lost();
    }

    /// Declares the stream dead without a cause. Never blocks.
    fn set_lost(&self) {
        self.is_lost.store(true, Ordering::Release);
        self.wake_pump();
    }

    /// A number that grows whenever sound is lost.
    pub(super) fn losses(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed) + self.gaps.load(Ordering::Relaxed)
    }

    fn wake_pump(&self) {
        if let Some(pump) = self.pump.get() {
            pump.unpark();
        }
    }
}

/// What the pump reads.
pub(super) struct CaptureBuffer {
    /// Interleaved samples.
    pub(super) samples: rtrb::Consumer<f32>,
    /// The first error that the sound system reported.
    pub(super) errors: rtrb::Consumer<cpal::Error>,
    pub(super) status: Arc<CaptureStatus>,
    pub(super) channels: u16,
    /// Frames per second.
    pub(super) rate: u32,
}

impl CaptureBuffer {
    /// Why the stream is dead, if that is known.
    pub(super) fn cause(&mut self) -> Option<cpal::Error> {
        self.errors.pop().ok().or_else(|| self.status.cause.get().cloned())
    }
}

/// Opens a stream at the rate and with the channels that the device prefers. It does not run yet.
pub(super) fn open(device: &AudioDevice) -> Result<(cpal::Stream, CaptureBuffer), cpal::Error> {
    let (channels, rate) = (device.config.channels(), device.config.sample_rate());
    let mut failure = None;
    for config in stream_configs(&device.config, INPUT_FRAMES) {
        let (mut ring, samples) = rtrb::RingBuffer::new(RING_SECONDS * rate as usize * usize::from(channels));
        let (mut first_error, errors) = rtrb::RingBuffer::new(1);
        let status = Arc::new(CaptureStatus::default());
        let (on_data, on_error) = (status.clone(), status.clone());
        let stream = device.device.build_input_stream_raw(
            config,
            device.config.sample_format(),
            move |data, _| {
                let stored = store(data, channels, &mut ring);
                on_data.dropped.fetch_add((data.len() - stored) as u64, Ordering::Relaxed);
                on_data.callbacks.fetch_add(1, Ordering::Release);
                on_data.wake_pump();
            },
            move |cause| {
                if is_recoverable(cause.kind()) {
                    on_error.gaps.fetch_add(1, Ordering::Relaxed);
                } else {
                    let _ = first_error.push(cause);
                    on_error.set_lost();
                }
            },
            None,
        );
        match stream {
            Ok(stream) => return Ok((stream, CaptureBuffer { samples, errors, status, channels, rate })),
            Err(cause) => failure = Some(cause),
        }
    }
    Err(failure.unwrap_or(cpal::ErrorKind::UnsupportedConfig.into()))
}

/// Copies the samples of one callback into the ring and returns how many fit.
fn store(data: &Data, channels: u16, ring: &mut rtrb::Producer<f32>) -> usize {
    match data.sample_format() {
        SampleFormat::I8 => push(data.as_slice::<i8>(), channels, ring),
        SampleFormat::I16 => push(data.as_slice::<i16>(), channels, ring),
        SampleFormat::I24 => push(data.as_slice::<I24>(), channels, ring),
        SampleFormat::I32 => push(data.as_slice::<i32>(), channels, ring),
        SampleFormat::I64 => push(data.as_slice::<i64>(), channels, ring),
        SampleFormat::U8 => push(data.as_slice::<u8>(), channels, ring),
        SampleFormat::U16 => push(data.as_slice::<u16>(), channels, ring),
        SampleFormat::U24 => push(data.as_slice::<U24>(), channels, ring),
        SampleFormat::U32 => push(data.as_slice::<u32>(), channels, ring),
        SampleFormat::U64 => push(data.as_slice::<u64>(), channels, ring),
        SampleFormat::F32 => push(data.as_slice::<f32>(), channels, ring),
        SampleFormat::F64 => push(data.as_slice::<f64>(), channels, ring),
        _ => 0,
    }
}

fn push<T: SizedSample>(samples: Option<&[T]>, channels: u16, ring: &mut rtrb::Producer<f32>) -> usize
where
    f32: FromSample<T>,
{
    let samples = samples.unwrap_or_default();
    // Whole frames only: part of a frame would shift all later samples to the wrong channel.
    let room = ring.slots() / usize::from(channels) * usize::from(channels);
    let count = samples.len().min(room);
    match ring.write_chunk_uninit(count) {
        Ok(chunk) => chunk.fill_from_iter(samples.iter().map(|sample| f32::from_sample_(*sample))),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one callback with these samples stores in an empty ring for `room` samples.
    fn stored<T: SizedSample>(samples: &[T], channels: u16, room: usize) -> Vec<f32>
    where
        f32: FromSample<T>,
    {
        let (mut ring, mut stored) = rtrb::RingBuffer::new(room);
        push(Some(samples), channels, &mut ring);
        let chunk = stored.read_chunk(stored.slots()).unwrap();
        chunk.into_iter().collect()
    }

    #[test]
    fn every_sample_format_is_converted() {
        let near = |got: Vec<f32>| {
            assert_eq!(got.len(), 3);
            for (got, wanted) in got.iter().zip([0.0, 0.5, -1.0]) {
                assert!((got - wanted).abs() < 0.01, "{got} is not {wanted}");
            }
        };
        near(stored(&[0i8, 64, i8::MIN], 1, 8));
        near(stored(&[0i16, 1 << 14, i16::MIN], 1, 8));
        near(stored(&[0, 1 << 22, -(1 << 23)].map(|n| I24::new(n).unwrap()), 1, 8));
        near(stored(&[0i32, 1 << 30, i32::MIN], 1, 8));
        near(stored(&[0i64, 1 << 62, i64::MIN], 1, 8));
        near(stored(&[128u8, 192, 0], 1, 8));
        near(stored(&[1u16 << 15, 3 << 14, 0], 1, 8));
        near(stored(&[1u32 << 31, 3 << 30, 0], 1, 8));
        near(stored(&[0f32, 0.5, -1.0], 1, 8));
        near(stored(&[0f64, 0.5, -1.0], 1, 8));
    }

    #[test]
    fn a_full_ring_drops_whole_frames() {
        assert_eq!(stored(&[1f32, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 5), [1.0, 2.0, 3.0, 4.0]);
    }
}
