//! Sound as the core handles it: mono samples with a rate, the resampler between rates, WAV files and loudness.

mod resample;
mod wav;

pub use resample::{Mixdown, Resampler};
pub use wav::{WavDecoder, WavFile, read_wav, speech_wav};

/// Samples per second of everything that is sent to be transcribed. Every recogniser works at 16 kHz.
pub const SPEECH_RATE: u32 = 16_000;

/// The longest sound file that is taken: 25 MB of WAV at the rate of speech, which is the most that the providers take in turn.
pub const LONGEST_SOUND: std::time::Duration = std::time::Duration::from_secs(13 * 60);

/// The error of a sound file that is longer. A packed file of few bytes may hold hours.
pub fn too_long() -> crate::error::Error {
    crate::error::Error::invalid(
        "The sound is longer than 13 minutes, the most that AURA takes at once. Send it in parts.",
    )
}

/// Mono samples in -1..=1 and their rate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pcm {
    /// Samples per second.
    pub rate: u32,
    /// The samples.
    pub samples: Vec<f32>,
}

impl Pcm {
    /// How long it lasts.
    pub fn duration(&self) -> std::time::Duration {
        std::time::Duration::from_secs_f64(self.samples.len() as f64 / f64::from(self.rate.max(1)))
    }
}

/// Root mean square of 16-bit samples, 0..=1.
pub fn rms(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return 0.0;
    }
    let sum: f64 = samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    ((sum / samples.len() as f64).sqrt() / 32768.0) as f32
}

/// Loudness for a meter: -60 dB full scale is 0, 0 dB is 1.
pub fn meter(samples: &[i16]) -> f32 {
    let rms = rms(samples);
    if rms <= 0.001 { 0.0 } else { (1.0 + rms.log10() / 3.0).clamp(0.0, 1.0) }
}

/// Samples in -1..=1 as 16-bit ones.
pub fn to_i16(sample: f32) -> i16 {
    (sample.clamp(-1.0, 1.0) * 32767.0).round() as i16
}
