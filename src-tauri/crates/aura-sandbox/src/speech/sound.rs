//! Generated sounds of exact length.

use std::f64::consts::TAU;

use crate::config::{FixedAudio, Sound};
use crate::wav::Pcm;

/// The rate that the imitated models speak at.
const RATE: u32 = 24_000;

/// The sound, 24 kHz mono.
pub(crate) fn generate(audio: &FixedAudio) -> Pcm {
    let count = usize::try_from(audio.ms * u64::from(RATE) / 1000).unwrap_or(0);
    let mut seed: u32 = 0x2545_F491;
    let mut noise = || {
        // xorshift: the same samples on every computer.
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        ((seed >> 16) as i16) / 4
    };
    let samples = (0..count)
        .map(|n| match audio.sound {
            // A cosine begins at its peak, so that the first sample can be detected.
            Sound::Tone => (16_383.0 * (TAU * 440.0 * n as f64 / f64::from(RATE)).cos()) as i16,
            Sound::Silence => 0,
            Sound::Noise => noise(),
        })
        .collect();
    Pcm { rate: RATE, channels: 1, samples }
}
