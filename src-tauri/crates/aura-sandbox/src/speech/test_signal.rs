//! Generated sounds of exact length.

use std::f64::consts::TAU;

use crate::config::{FixedAudio, TestSignal};
use crate::wav::Pcm;

/// Sample rate of the imitated models, in hertz.
const RATE: u32 = 24_000;

/// Generates the sound, 24 kHz mono.
pub(crate) fn generate(audio: &FixedAudio) -> Pcm {
    let count = usize::try_from(audio.ms * u64::from(RATE) / 1000).unwrap_or(0);
    let mut seed: u32 = 0x2545_F491;
    let mut noise = || {
        // xorshift, for the same samples on every computer.
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        ((seed >> 16) as i16) / 4
    };
    let samples = (0..count)
        .map(|n| match audio.sound {
            // A cosine starts at its peak, so the first sample can be detected.
            TestSignal::Tone => (16_383.0 * (TAU * 440.0 * n as f64 / f64::from(RATE)).cos()) as i16,
            TestSignal::Silence => 0,
            TestSignal::Noise => noise(),
        })
        .collect();
    Pcm { rate: RATE, channels: 1, samples }
}
