//! The open stream: the device's callback on one side, [`Output`] on the other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aura_core::error::{Code, Error, Result};
use aura_core::ports::Output;
use cpal::traits::DeviceTrait;
use cpal::{Data, ErrorKind, FromSample, I24, SampleFormat, SizedSample, U24};

use super::ring::{Drain, Filler, ring};
use crate::hosts::{Found, configs, harmless};

/// How long it looks away while the ring is full or not yet empty.
const NAP: Duration = Duration::from_millis(5);

/// Callbacks come every 10 ms; a sleeping device takes up to two seconds to wake.
const CALL_LIMIT: Duration = Duration::from_secs(3);

/// One stumble may be chance.
const STUMBLES: u64 = 3;

/// What the callbacks tell.
struct Pulse {
    begun: Instant,
    /// Microseconds from `begun` to the last callback.
    last_call: AtomicU64,
    lost: AtomicBool,
    /// Why it is lost. The callback writes it without waiting, and only once.
    cause: Mutex<Option<cpal::Error>>,
    /// Times that the device ran dry while there was something to play.
    stumbles: AtomicU64,
}

impl Pulse {
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// One open stream. Dropping it closes the device.
pub(super) struct Line {
    rate: u32,
    filler: Filler,
    pulse: Arc<Pulse>,
    _keep: mpsc::Sender<()>,
}

/// Opens the device's stream with the rate and channels it prefers. It does not run yet. The receiver ends when the line is dropped.
pub(super) fn open(found: &Found, frames: u32) -> Result<(cpal::Stream, Line, mpsc::Receiver<()>), cpal::Error> {
    let (channels, rate) = (usize::from(found.config.channels()).max(1), found.config.sample_rate());
    let mut failure = None;
    for config in configs(&found.config, frames) {
        // One second: far more than a hiccup of the network, little enough to stay in step with who writes.
        let (filler, mut drain) = ring(rate as usize, rate);
        let pulse = Arc::new(Pulse {
            begun: Instant::now(),
            last_call: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            cause: Mutex::default(),
            stumbles: AtomicU64::new(0),
        });
        let patience = 2 * 1_000_000 * u64::from(frames) / u64::from(rate.max(1));
        let (on_data, on_error) = (pulse.clone(), pulse.clone());
        let stream = found.device.build_output_stream_raw(
            config,
            found.config.sample_format(),
            move |data, _| {
                let now = on_data.now();
                let waited = now.saturating_sub(on_data.last_call.swap(now, Ordering::Relaxed));
                // Sound systems keep two callbacks' worth; not all of them report that they ran out of it.
                if waited > patience && drain.has_sound() {
                    on_data.stumbles.fetch_add(1, Ordering::Relaxed);
                }
                fill(data, channels, &mut drain);
            },
            move |cause| {
                if harmless(cause.kind()) {
                    on_error.stumbles.fetch_add(u64::from(cause.kind() == ErrorKind::Xrun), Ordering::Relaxed);
                } else {
                    // What is said of it is said by whoever looks after the stream: this thread must not wait for a log.
                    if let Ok(mut first) = on_error.cause.try_lock() {
                        first.get_or_insert(cause);
                    }
                    on_error.lost.store(true, Ordering::Release);
                }
            },
            None,
        );
        match stream {
            Ok(stream) => {
                let (keep, end) = mpsc::channel();
                return Ok((stream, Line { rate, filler, pulse, _keep: keep }, end));
            }
            Err(cause) => failure = Some(cause),
        }
    }
    Err(failure.unwrap_or(cpal::ErrorKind::UnsupportedConfig.into()))
}

/// Fills what a callback asks for.
fn fill(data: &mut Data, channels: usize, drain: &mut Drain) {
    match data.sample_format() {
        SampleFormat::I8 => spread(data.as_slice_mut::<i8>(), channels, drain),
        SampleFormat::I16 => spread(data.as_slice_mut::<i16>(), channels, drain),
        SampleFormat::I24 => spread(data.as_slice_mut::<I24>(), channels, drain),
        SampleFormat::I32 => spread(data.as_slice_mut::<i32>(), channels, drain),
        SampleFormat::I64 => spread(data.as_slice_mut::<i64>(), channels, drain),
        SampleFormat::U8 => spread(data.as_slice_mut::<u8>(), channels, drain),
        SampleFormat::U16 => spread(data.as_slice_mut::<u16>(), channels, drain),
        SampleFormat::U24 => spread(data.as_slice_mut::<U24>(), channels, drain),
        SampleFormat::U32 => spread(data.as_slice_mut::<u32>(), channels, drain),
        SampleFormat::U64 => spread(data.as_slice_mut::<u64>(), channels, drain),
        SampleFormat::F32 => spread(data.as_slice_mut::<f32>(), channels, drain),
        SampleFormat::F64 => spread(data.as_slice_mut::<f64>(), channels, drain),
        _ => {}
    }
}

/// Puts mono samples on the two front channels; the others stay silent.
fn spread<T: SizedSample + FromSample<f32>>(out: Option<&mut [T]>, channels: usize, drain: &mut Drain) {
    let out = out.unwrap_or_default();
    let silence = T::from_sample_(0.0);
    drain.fill(out.len() / channels, |frame, sample| {
        let sample = T::from_sample_(sample.clamp(-1.0, 1.0));
        for (channel, slot) in out[frame * channels..(frame + 1) * channels].iter_mut().enumerate() {
            *slot = if channel < 2 { sample } else { silence };
        }
    });
}

impl Line {
    /// Whether the device is gone.
    pub(super) fn is_lost(&self) -> bool {
        let quiet = self.pulse.now().saturating_sub(self.pulse.last_call.load(Ordering::Relaxed));
        self.pulse.lost.load(Ordering::Acquire) || u128::from(quiet) > CALL_LIMIT.as_micros()
    }

    /// Whether the sound breaks up: the computer is too busy for callbacks this short.
    pub(super) fn stumbles(&self) -> bool {
        self.pulse.stumbles.load(Ordering::Relaxed) >= STUMBLES
    }

    /// Whether there still is something to be heard.
    pub(super) fn is_playing(&self) -> bool {
        !self.filler.is_empty()
    }

    fn check(&self) -> Result<()> {
        if self.is_lost() {
            return Err(Error::new(
                Code::SpeakerLost,
                "The speaker went away. Connect it again, or pick another in Settings.",
            ));
        }
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let stumbles = self.pulse.stumbles.load(Ordering::Relaxed);
        if stumbles > 0 {
            tracing::warn!(stumbles, "the sound broke up; the computer may be too busy");
        }
        if let Some(cause) = self.pulse.cause.lock().unwrap_or_else(PoisonError::into_inner).take() {
            tracing::warn!(%cause, "the speaker is gone");
        }
    }
}

#[async_trait]
impl Output for Line {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn begin(&self) {
        self.filler.begin();
    }

    async fn write(&self, mut samples: &[f32]) -> Result<()> {
        let Some(utterance) = self.filler.utterance() else { return Ok(()) };
        while !samples.is_empty() {
            self.check()?;
            match self.filler.push(utterance, samples) {
                None => return Ok(()),
                Some(0) => tokio::time::sleep(NAP).await,
                Some(queued) => samples = &samples[queued..],
            }
        }
        Ok(())
    }

    fn played(&self) -> u64 {
        self.filler.played()
    }

    async fn drained(&self) -> Result<()> {
        let utterance = self.filler.utterance();
        while utterance.is_some() && self.filler.utterance() == utterance && !self.filler.is_empty() {
            self.check()?;
            tokio::time::sleep(NAP).await;
        }
        Ok(())
    }

    fn stop(&self) {
        self.filler.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mono_goes_to_the_front_channels() {
        let (filler, mut drain) = ring(100, 48_000);
        filler.begin();
        filler.push(filler.utterance().unwrap(), &[0.5, -2.0]).unwrap();
        let mut out = [9i16; 4 * 3];
        spread(Some(&mut out[..]), 4, &mut drain);
        assert_eq!(out, [16384, 16384, 0, 0, i16::MIN, i16::MIN, 0, 0, 0, 0, 0, 0]);
    }
}
