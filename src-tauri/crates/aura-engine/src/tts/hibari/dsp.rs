//! Samples from what the network predicts for each 12.5 ms: a spectrum in five parts, and the pitch. A port of the package's `dsp.py`:
//! pulses of the pitch shaped by a filter, plus shaped noise, plus a part with phases of its own, through an inverse Fourier transform.

use std::f32::consts::TAU;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, FftError, RealFftPlanner, RealToComplex};

use crate::tts::hibari::fast::{exp, sin_cos_turns, tanh};

pub(super) const RATE: u32 = 24_000;
const SIZE: usize = 1_200;
const HOP: usize = 300;
/// The values of a spectrum.
pub(super) const BINS: usize = SIZE / 2 + 1;
/// The frames that are computed together.
const BLOCK: usize = 16;
/// Pitches below are unvoiced, in hertz.
const VOICED: f32 = 40.0;
/// Pulses have no overtones above, in hertz.
const HIGHEST: f32 = 11_000.0;

/// What the network predicts: for each value of a spectrum a row with its value in every frame, and the pitch in every frame.
pub(super) struct Prediction {
    /// The logarithm of the pulses' amplitude.
    pub(super) harmonic: Vec<f32>,
    /// The turn of the pulses' phase.
    pub(super) turn: Vec<f32>,
    /// The logarithm of the noise's amplitude.
    pub(super) noise: Vec<f32>,
    /// The logarithm of the amplitude of the part with a phase of its own.
    pub(super) free: Vec<f32>,
    /// That phase.
    pub(super) phase: Vec<f32>,
    /// In hertz.
    pub(super) pitch: Vec<f32>,
}

impl Prediction {
    /// Whether all parts have the same number of frames.
    pub(super) fn is_whole(&self) -> bool {
        let parts = [&self.harmonic, &self.turn, &self.noise, &self.free, &self.phase];
        parts.iter().all(|part| part.len() == BINS * self.pitch.len())
    }
}

/// The Fourier transforms and windows.
pub(super) struct Synthesiser {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    window: Vec<f32>,
    random: u64,
}

/// The work of one block of frames: a row of frames for each value of the spectrum.
struct Block {
    real: Vec<f32>,
    imaginary: Vec<f32>,
    noise: Vec<f32>,
    noise_imaginary: Vec<f32>,
}

impl Synthesiser {
    pub(super) fn new() -> Self {
        let mut planner = RealFftPlanner::new();
        // A Hann window that repeats.
        let window = (0..SIZE).map(|index| 0.5 - 0.5 * (TAU * index as f32 / SIZE as f32).cos());
        Self {
            forward: planner.plan_fft_forward(SIZE),
            inverse: planner.plan_fft_inverse(SIZE),
            window: window.collect(),
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Computes the samples and hands them to `take` piece by piece, in order, as soon as they are known.
    ///
    /// # Errors
    /// As `take` does, or when the transform fails.
    pub(super) fn synthesise<E: From<FftError>>(
        &mut self,
        prediction: &Prediction,
        mut take: impl FnMut(&[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let frames = prediction.pitch.len();
        let pulses = pulses(&prediction.pitch);
        let (forward, inverse) = (self.forward.clone(), self.inverse.clone());
        let mut scratch = vec![Complex::default(); forward.get_scratch_len().max(inverse.get_scratch_len())];
        let mut frame = vec![0.0; SIZE];
        let mut spectrum = vec![Complex::default(); BINS];
        let mut spectra = vec![Complex::default(); BLOCK * BINS];
        let empty = || vec![0.0; BINS * BLOCK];
        let mut block = Block { real: empty(), imaginary: empty(), noise: empty(), noise_imaginary: empty() };
        // What the frames so far add to the samples of the frame that comes next, and to those behind.
        let mut sum = vec![0.0_f32; SIZE];
        let mut ready = Vec::with_capacity(BLOCK * HOP);
        for start in (0..frames).step_by(BLOCK) {
            let count = BLOCK.min(frames - start);
            self.shape(prediction, start, count, &mut block);
            for index in 0..count {
                for (sample, value) in frame.iter_mut().enumerate() {
                    let at = reflect((start + index) * HOP + sample, pulses.len());
                    *value = pulses[at] * self.window[sample] / (SIZE as f32 / 4.0);
                }
                forward.process_with_scratch(&mut frame, &mut spectrum, &mut scratch)?;
                let values = &mut spectra[index * BINS..][..BINS];
                for (bin, (value, source)) in values.iter_mut().zip(&spectrum).enumerate() {
                    let at = bin * BLOCK + index;
                    let shape = Complex::new(block.real[at], block.imaginary[at]);
                    *value = source * shape + Complex::new(block.noise[at], block.noise_imaginary[at]);
                }
                // These two are real for a real signal.
                values[0].im = 0.0;
                values[BINS - 1].im = 0.0;
            }
            ready.clear();
            for index in 0..count {
                inverse.process_with_scratch(&mut spectra[index * BINS..][..BINS], &mut frame, &mut scratch)?;
                for ((sum, value), window) in sum.iter_mut().zip(&frame).zip(&self.window) {
                    *sum += value * window / SIZE as f32;
                }
                self.finish_hop(start + index, frames, &mut sum, &mut ready);
            }
            take(&ready)?;
        }
        // The last frame's own samples, and those of the hop behind it that belong to the signal.
        ready.clear();
        for index in frames..frames + 2 {
            self.finish_hop(index, frames, &mut sum, &mut ready);
        }
        take(&ready)
    }

    /// Takes the first hop of the sum, to which no further frame adds.
    fn finish_hop(&self, hop: usize, frames: usize, sum: &mut [f32], ready: &mut Vec<f32>) {
        // The signal begins in the middle of the first frame.
        if hop >= SIZE / 2 / HOP {
            let overlapping = (0..SIZE / HOP).filter(|part| hop >= *part && hop - part < frames);
            let mut weights = [0.0_f32; HOP];
            for part in overlapping {
                for (weight, window) in weights.iter_mut().zip(&self.window[part * HOP..]) {
                    *weight += window * window;
                }
            }
            ready.extend(sum.iter().zip(&weights).map(|(sum, weight)| sum / weight.max(1e-11)));
        }
        sum.copy_within(HOP.., 0);
        sum[SIZE - HOP..].fill(0.0);
    }

    /// Computes what the pulses are multiplied by, and what is added to them.
    fn shape(&mut self, prediction: &Prediction, start: usize, count: usize, block: &mut Block) {
        let frames = prediction.pitch.len();
        for bin in 0..BINS {
            let range = bin * frames + start..bin * frames + start + count;
            let mut gaussian = [[0.0_f32; BLOCK]; 2];
            gaussian.iter_mut().flatten().for_each(|value| *value = self.gaussian());
            let (harmonic, turn) = (&prediction.harmonic[range.clone()], &prediction.turn[range.clone()]);
            let (noise, free, phase) =
                (&prediction.noise[range.clone()], &prediction.free[range.clone()], &prediction.phase[range]);
            let to = bin * BLOCK..bin * BLOCK + count;
            let (real, imaginary) = (&mut block.real[to.clone()], &mut block.imaginary[to.clone()]);
            let (added, added_imaginary) = (&mut block.noise[to.clone()], &mut block.noise_imaginary[to]);
            for index in 0..count {
                let (sin, cos) = sin_cos_turns(0.5 * tanh(turn[index]));
                let amplitude = exp(harmonic[index].min(7.0));
                real[index] = cos * amplitude;
                imaginary[index] = sin * amplitude;
                let (sin, cos) = sin_cos_turns(phase[index] / TAU);
                let (amplitude, loudness) = (exp(free[index].min(7.0)), exp(noise[index].min(7.0)));
                added[index] = cos * amplitude + loudness * gaussian[0][index];
                added_imaginary[index] = sin * amplitude + loudness * gaussian[1][index];
            }
        }
    }

    /// A random number, normally distributed but for its far ends: the sum of four even ones. The transform mixes hundreds of them.
    fn gaussian(&mut self) -> f32 {
        // xorshift64*
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let bits = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d);
        let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
        // Four even numbers from 0 to 65535 have a mean of 131070 and a variance of 65536² / 3.
        (sum as f32 - 131_070.0) * (1.732_050_8 / 65_536.0)
    }
}

/// Where sample `at` of the padded signal comes from: half a frame at each end is mirrored.
fn reflect(at: usize, length: usize) -> usize {
    let half = SIZE / 2;
    let mirrored = at.abs_diff(half);
    let mirrored = if mirrored < length { mirrored } else { (2 * length).saturating_sub(mirrored + 2) };
    mirrored.min(length - 1)
}

/// A pulse at each turn of the pitch's phase, without overtones above [`HIGHEST`]; 0 where there is no pitch.
fn pulses(pitch: &[f32]) -> Vec<f32> {
    let mut pulses = Vec::with_capacity(pitch.len() * HOP);
    let mut phase = 0.0_f64;
    for (frame, current) in pitch.iter().enumerate() {
        let before = pitch[frame.saturating_sub(1)];
        let after = pitch.get(frame + 1).copied().unwrap_or(*current);
        for sample in 0..HOP {
            // The pitch of a frame is that of its middle.
            let position = (sample as f32 + 0.5) / HOP as f32 - 0.5;
            let (from, to, part) =
                if position < 0.0 { (before, *current, position + 1.0) } else { (*current, after, position) };
            let smooth = from * (1.0 - part) + to * part;
            let voiced = smooth.max(VOICED);
            phase = (phase + f64::from(voiced) / f64::from(RATE)).fract();
            let turns = phase as f32;
            // The sum of all overtones in closed form.
            let overtones = (HIGHEST / voiced).floor() + 0.5;
            let base = 2.0 * sin_cos_turns(turns * 0.5).0;
            let pulse = if base.abs() <= 2e-3 { overtones } else { sin_cos_turns(overtones * turns).0 / base };
            pulses.push(if smooth > VOICED { pulse - 0.5 } else { 0.0 });
        }
    }
    pulses
}
