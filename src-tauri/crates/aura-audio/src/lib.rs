//! Mono PCM audio: sample rate conversion, WAV files, decoding of compressed files, loudness, and voice activity.
//!
//! Everything works on mono samples: `f32` from -1 to 1 for playback, `i16` at [`SPEECH_RATE`] for speech recognition. The WAV decoder
//! accepts streamed files whose headers have no valid sizes.
//!
//! ```
//! use aura_audio::{decode, meter, speech_wav};
//!
//! # fn main() -> aura_audio::Result<()> {
//! # let file = speech_wav(&[1_000; 16_000]);
//! let pcm = decode(file)?; // WAV, MP3, Ogg Vorbis or FLAC
//! let samples = pcm.to_speech(); // 16-bit mono at 16 kHz
//! println!("{:?} of audio, loudness {:.2}", pcm.duration(), meter(&samples));
//! let upload = speech_wav(&samples); // 16 kHz mono, for a transcription
//! # assert_eq!(upload.len(), 44 + 32_000);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//! - `echo`: removes the echo of a loudspeaker from a recording.
//! - `encode`: writes MP3, AAC and Opus files.

#![forbid(unsafe_code)]

mod decode;
#[cfg(feature = "echo")]
mod echo;
#[cfg(feature = "encode")]
mod encode;
mod error;
mod flac;
mod resample;
#[cfg(feature = "echo")]
mod residual_echo;
mod stretch;
mod voice_activity;
mod wav;

pub use decode::decode;
#[cfg(feature = "echo")]
pub use echo::EchoCanceller;
#[cfg(feature = "encode")]
pub use encode::{aac, mp3, opus};
pub use error::{Error, Result};
pub use flac::flac;
pub use resample::{Mixdown, RateConverter, Resampler, resample};
pub use stretch::TimeStretch;
pub use voice_activity::VoiceActivity;
pub use wav::{WavDecoder, WavFile, read_wav, restore_wav, speech_wav, streamed_speech_wav_header, wav};

/// The sample rate for speech recognition, in hertz. Every common recogniser works at 16 kHz.
pub const SPEECH_RATE: u32 = 16_000;

/// The longest recording that is accepted: 13 minutes. As 16-bit WAV at [`SPEECH_RATE`] it has 24.96 MB, just below the 25 MB that
/// speech recognition services accept.
pub const MAX_DURATION: std::time::Duration = std::time::Duration::from_secs(13 * 60);

/// Mono samples and their rate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pcm {
    /// The sample rate, in hertz; 0 in an empty default value.
    pub rate: u32,
    /// The samples, from -1 to 1.
    pub samples: Vec<f32>,
}

impl Pcm {
    /// The duration.
    pub fn duration(&self) -> std::time::Duration {
        std::time::Duration::from_secs_f64(self.samples.len() as f64 / f64::from(self.rate.max(1)))
    }

    /// The samples for speech recognition: at [`SPEECH_RATE`], in 16 bits.
    pub fn to_speech(&self) -> Vec<i16> {
        let mut mixdown = Mixdown::new(1, self.rate);
        let mut samples = mixdown.push(&self.samples);
        samples.extend(mixdown.finish());
        samples
    }
}

/// The root mean square of 16-bit samples, from 0 to 1; 0 without samples.
pub fn rms(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return 0.0;
    }
    let sum: f64 = samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    ((sum / samples.len() as f64).sqrt() / 32768.0) as f32
}

/// The loudness for a level meter, from 0 (-60 dBFS or less) to 1 (0 dBFS).
pub fn meter(samples: &[i16]) -> f32 {
    let rms = rms(samples);
    if rms <= 0.001 { 0.0 } else { (1.0 + rms.log10() / 3.0).clamp(0.0, 1.0) }
}

/// Converts a sample of 16 bits into one from -1 to 1.
pub fn from_i16(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

/// The samples, from -1 to 1, of 16-bit little-endian PCM. A last odd byte is left out.
pub fn from_le_bytes(pcm: &[u8]) -> impl Iterator<Item = f32> {
    pcm.chunks_exact(2).map(|pair| from_i16(i16::from_le_bytes([pair[0], pair[1]])))
}

/// Converts a sample from -1 to 1 into 16 bits. Values outside are clamped.
pub fn to_i16(sample: f32) -> i16 {
    (sample.clamp(-1.0, 1.0) * 32767.0).round() as i16
}
