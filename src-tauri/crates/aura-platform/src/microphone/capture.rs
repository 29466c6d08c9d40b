//! The callback side of a recording: any sample format into a ring, without waiting for anyone.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Thread;

use cpal::traits::DeviceTrait;
use cpal::{Data, FromSample, I24, SampleFormat, SizedSample, U24};

use crate::hosts::{Found, RECORD_FRAMES, configs, harmless};

/// What the ring holds at most, in seconds. The pump empties it every few milliseconds.
const RING_SECONDS: usize = 2;

/// What the callbacks and the pump both see.
#[derive(Default)]
pub(super) struct Shared {
    /// Callbacks so far.
    pub(super) calls: AtomicU64,
    /// Samples that found no room.
    pub(super) dropped: AtomicU64,
    /// Gaps that the sound system reported.
    pub(super) gaps: AtomicU64,
    /// The stream is dead.
    pub(super) lost: AtomicBool,
    /// Why. Written by whoever is first and read when the stream is dead: nobody ever waits for it.
    cause: Mutex<Option<cpal::Error>>,
    pump: OnceLock<Thread>,
}

impl Shared {
    /// Names the thread to be woken by each callback.
    pub(super) fn wake(&self, pump: Thread) {
        let _ = self.pump.set(pump);
    }

    /// Declares the stream dead. Called by the sound system's own thread, so it does not wait: when somebody else is just saying why,
    /// that reason is as good.
    pub(super) fn fail(&self, cause: cpal::Error) {
        if let Ok(mut first) = self.cause.try_lock() {
            first.get_or_insert(cause);
        }
        self.lost.store(true, Ordering::Release);
        self.poke();
    }

    /// Why the stream is dead.
    pub(super) fn cause(&self) -> Option<cpal::Error> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn poke(&self) {
        if let Some(pump) = self.pump.get() {
            pump.unpark();
        }
    }
}

/// What the pump works on.
pub(super) struct Feed {
    pub(super) ring: rtrb::Consumer<f32>,
    pub(super) shared: Arc<Shared>,
    pub(super) channels: u16,
    pub(super) rate: u32,
}

/// Opens the device's stream with the rate and channels it prefers. It does not run yet.
pub(super) fn open(found: &Found) -> Result<(cpal::Stream, Feed), cpal::Error> {
    let (channels, rate) = (found.config.channels(), found.config.sample_rate());
    let mut failure = None;
    for config in configs(&found.config, RECORD_FRAMES) {
        let (mut into, ring) = rtrb::RingBuffer::new(RING_SECONDS * rate as usize * usize::from(channels));
        let shared = Arc::new(Shared::default());
        let (on_data, on_error) = (shared.clone(), shared.clone());
        let stream = found.device.build_input_stream_raw(
            config,
            found.config.sample_format(),
            move |data, _| {
                let taken = store(data, channels, &mut into);
                on_data.dropped.fetch_add((data.len() - taken) as u64, Ordering::Relaxed);
                on_data.calls.fetch_add(1, Ordering::Release);
                on_data.poke();
            },
            move |cause| {
                if harmless(cause.kind()) {
                    on_error.gaps.fetch_add(1, Ordering::Relaxed);
                } else {
                    on_error.fail(cause);
                }
            },
            None,
        );
        match stream {
            Ok(stream) => return Ok((stream, Feed { ring, shared, channels, rate })),
            Err(cause) => failure = Some(cause),
        }
    }
    Err(failure.unwrap_or(cpal::ErrorKind::UnsupportedConfig.into()))
}

/// Copies what a callback brought into the ring; gives how many samples found room.
fn store(data: &Data, channels: u16, into: &mut rtrb::Producer<f32>) -> usize {
    match data.sample_format() {
        SampleFormat::I8 => push(data.as_slice::<i8>(), channels, into),
        SampleFormat::I16 => push(data.as_slice::<i16>(), channels, into),
        SampleFormat::I24 => push(data.as_slice::<I24>(), channels, into),
        SampleFormat::I32 => push(data.as_slice::<i32>(), channels, into),
        SampleFormat::I64 => push(data.as_slice::<i64>(), channels, into),
        SampleFormat::U8 => push(data.as_slice::<u8>(), channels, into),
        SampleFormat::U16 => push(data.as_slice::<u16>(), channels, into),
        SampleFormat::U24 => push(data.as_slice::<U24>(), channels, into),
        SampleFormat::U32 => push(data.as_slice::<u32>(), channels, into),
        SampleFormat::U64 => push(data.as_slice::<u64>(), channels, into),
        SampleFormat::F32 => push(data.as_slice::<f32>(), channels, into),
        SampleFormat::F64 => push(data.as_slice::<f64>(), channels, into),
        _ => 0,
    }
}

fn push<T: SizedSample>(samples: Option<&[T]>, channels: u16, into: &mut rtrb::Producer<f32>) -> usize
where
    f32: FromSample<T>,
{
    let samples = samples.unwrap_or_default();
    // Whole frames only: half a frame would swap the channels from then on.
    let room = into.slots() / usize::from(channels) * usize::from(channels);
    let count = samples.len().min(room);
    match into.write_chunk_uninit(count) {
        Ok(chunk) => chunk.fill_from_iter(samples.iter().map(|sample| f32::from_sample_(*sample))),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one callback with these samples leaves in a ring that has room for `room`.
    fn stored<T: SizedSample>(samples: &[T], channels: u16, room: usize) -> Vec<f32>
    where
        f32: FromSample<T>,
    {
        let (mut into, mut ring) = rtrb::RingBuffer::new(room);
        push(Some(samples), channels, &mut into);
        let chunk = ring.read_chunk(ring.slots()).unwrap();
        chunk.into_iter().collect()
    }

    #[test]
    fn takes_every_sample_format() {
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
    fn drops_whole_frames_when_there_is_no_room() {
        assert_eq!(stored(&[1f32, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 5), [1.0, 2.0, 3.0, 4.0]);
    }
}
