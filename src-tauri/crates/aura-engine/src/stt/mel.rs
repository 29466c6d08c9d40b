//! Spectrograms on the mel scale, as Whisper and NeMo compute them.

use std::f32::consts::TAU;
use std::ops::Range;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use super::RATE;

/// Samples from one frame to the next: 10 ms.
pub(super) const HOP: usize = RATE / 100;
/// Samples that the window shows: 25 ms.
const WINDOW: usize = RATE / 40;

/// How samples become frames.
pub(super) struct Mel {
    transform: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    filters: Vec<Filter>,
}

/// One band: the weights of a range of frequencies.
struct Filter {
    range: Range<usize>,
    weights: Vec<f32>,
}

impl Mel {
    /// As Whisper does it.
    pub(super) fn whisper(bands: usize) -> Self {
        Self::new(bands, WINDOW, WINDOW)
    }

    /// As NeMo does it: a window of 400 samples in a transform of 512.
    pub(super) fn nemo(bands: usize) -> Self {
        Self::new(bands, 512, WINDOW - 1)
    }

    /// A Hann window of `WINDOW` samples with this period, in the middle of a transform of `length`.
    fn new(bands: usize, length: usize, period: usize) -> Self {
        let mut window = vec![0.0; length];
        for (at, weight) in window[(length - WINDOW) / 2..].iter_mut().take(WINDOW).enumerate() {
            *weight = 0.5 - 0.5 * (TAU * at as f32 / period as f32).cos();
        }
        let transform = RealFftPlanner::new().plan_fft_forward(length);
        Self { transform, window, filters: filters(bands, length) }
    }

    pub(super) fn bands(&self) -> usize {
        self.filters.len()
    }

    /// The energy in each band of `frames` frames, one frame after the other. The first frame is around the first sample of `samples`;
    /// `at` gives the sample before their start or after their end.
    fn energies(&self, samples: &[f32], frames: usize, at: impl Fn(isize) -> f32) -> Vec<f32> {
        let length = self.window.len();
        let mut input = self.transform.make_input_vec();
        let mut output = self.transform.make_output_vec();
        let mut scratch = self.transform.make_scratch_vec();
        let mut powers = vec![0.0_f32; output.len()];
        let mut energies = Vec::with_capacity(frames * self.bands());
        for frame in 0..frames {
            let start = (frame * HOP) as isize - (length / 2) as isize;
            for (index, (sample, weight)) in input.iter_mut().zip(&self.window).enumerate() {
                let place = start + index as isize;
                let inside = usize::try_from(place).ok().and_then(|place| samples.get(place).copied());
                *sample = inside.unwrap_or_else(|| at(place)) * weight;
            }
            // It only fails on buffers of another length than it made itself.
            let _ = self.transform.process_with_scratch(&mut input, &mut output, &mut scratch);
            powers.iter_mut().zip(&output).for_each(|(power, value)| *power = value.norm_sqr());
            energies.extend(self.filters.iter().map(|Filter { range, weights }| {
                weights.iter().zip(&powers[range.clone()]).map(|(weight, power)| weight * power).sum::<f32>()
            }));
        }
        energies
    }

    /// What Whisper's encoder takes: band after band, each of `frames` values. Silence follows the samples.
    pub(super) fn for_whisper(&self, samples: &[f32], frames: usize) -> Vec<f32> {
        // The samples before the first are its mirror image.
        let mirrored = |place: isize| if place < 0 { samples.get(place.unsigned_abs()).copied() } else { None };
        let energies = self.energies(samples, frames, |place| mirrored(place).unwrap_or(0.0));
        let logs: Vec<f32> = energies.iter().map(|energy| energy.max(1e-10).log10()).collect();
        let floor = logs.iter().fold(f32::MIN, |most, log| most.max(*log)) - 8.0;
        self.turn(&logs, frames, |log| (log.max(floor) + 4.0) / 4.0)
    }

    /// What NeMo's encoders take: band after band, each normalised over its `frames` values.
    pub(super) fn for_nemo(&self, samples: &[f32]) -> (usize, Vec<f32>) {
        let mut emphasised = samples.to_vec();
        emphasised.iter_mut().skip(1).zip(samples).for_each(|(sample, before)| *sample -= 0.97 * before);
        let frames = samples.len() / HOP;
        let energies = self.energies(&emphasised, frames, |_| 0.0);
        let mut bands = self.turn(&energies, frames, |energy| (energy + 2.0_f32.powi(-24)).ln());
        for band in bands.chunks_mut(frames.max(1)) {
            let mean = band.iter().sum::<f32>() / frames as f32;
            let spread = band.iter().map(|value| (value - mean).powi(2)).sum::<f32>();
            let deviation = (spread / (frames.max(2) - 1) as f32).sqrt() + 1e-5;
            band.iter_mut().for_each(|value| *value = (*value - mean) / deviation);
        }
        (frames, bands)
    }

    /// Frame after frame becomes band after band.
    fn turn(&self, values: &[f32], frames: usize, map: impl Fn(f32) -> f32) -> Vec<f32> {
        let bands = self.bands();
        (0..bands)
            .flat_map(|band| (0..frames).map(move |frame| frame * bands + band))
            .map(|at| map(values[at]))
            .collect()
    }
}

/// The triangular filters of the mel scale after Slaney, each with the area 1, from 0 to 8 kHz.
fn filters(bands: usize, length: usize) -> Vec<Filter> {
    let top = to_mel(RATE as f64 / 2.0);
    let edges: Vec<f64> = (0..bands + 2).map(|edge| to_hertz(top * edge as f64 / (bands + 1) as f64)).collect();
    let frequency = |bin: usize| bin as f64 * RATE as f64 / length as f64;
    let filter = |edges: &[f64]| {
        let (low, middle, high) = (edges[0], edges[1], edges[2]);
        let inside: Vec<usize> = (0..=length / 2).filter(|bin| (low..high).contains(&frequency(*bin))).collect();
        let weight = |bin: usize| {
            let (rise, fall) = ((frequency(bin) - low) / (middle - low), (high - frequency(bin)) / (high - middle));
            (rise.min(fall).max(0.0) * 2.0 / (high - low)) as f32
        };
        let range = inside.first().copied().unwrap_or(0)..inside.last().map_or(0, |bin| bin + 1);
        Filter { weights: range.clone().map(weight).collect(), range }
    };
    edges.windows(3).map(filter).collect()
}

/// Slaney's scale: straight below 1 kHz, logarithmic above.
fn to_mel(hertz: f64) -> f64 {
    if hertz < 1000.0 { hertz * 3.0 / 200.0 } else { 15.0 + (hertz / 1000.0).ln() * 27.0 / 6.4_f64.ln() }
}

fn to_hertz(mel: f64) -> f64 {
    if mel < 15.0 { mel * 200.0 / 3.0 } else { 1000.0 * ((mel - 15.0) * 6.4_f64.ln() / 27.0).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of a tone that rises from 200 Hz.
    fn tone() -> Vec<f32> {
        let sample = |at: usize| {
            let time = at as f64 / RATE as f64;
            (0.3 * (std::f64::consts::TAU * (200.0 * time + 1500.0 * time * time)).sin()) as f32
        };
        (0..RATE).map(sample).collect()
    }

    fn near(values: &[f32], frames: usize, expected: &[(usize, usize, f32)]) {
        for (band, frame, value) in expected {
            let got = values[band * frames + frame];
            assert!((got - value).abs() < 0.02, "band {band}, frame {frame}: {got}, not {value}");
        }
    }

    #[test]
    fn the_spectrogram_is_that_of_faster_whisper() {
        let values = Mel::whisper(80).for_whisper(&tone(), 200);
        assert_eq!(values.len(), 80 * 200);
        let loud = [(0, 0, 1.0549467), (5, 3, 1.0593292), (40, 60, -0.303_431_75), (70, 99, -0.297_379_73)];
        near(&values, 200, &loud);
        near(&values, 200, &[(20, 40, -0.6639725), (79, 150, -0.6639725)]);
        let values = Mel::whisper(128).for_whisper(&tone(), 200);
        near(&values, 200, &[(0, 0, 0.9791874), (5, 3, 0.2900892), (70, 99, -0.138_949_63), (79, 150, -0.6149026)]);
    }

    #[test]
    fn the_spectrogram_is_that_of_nemo() {
        let (frames, values) = Mel::nemo(128).for_nemo(&tone());
        assert_eq!((frames, values.len()), (100, 128 * 100));
        near(&values, frames, &[(0, 0, 7.4288626), (64, 50, 3.3302176), (100, 99, 7.960418), (0, 50, -0.258_660_47)]);
    }
}
