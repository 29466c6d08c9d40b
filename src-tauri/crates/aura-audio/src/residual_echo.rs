//! Detects residual echo, which a canceller has not removed: the generalised cross-correlation with phase transform (GCC-PHAT; Knapp and
//! Carter, 1976) of what was played and what was recorded. It compares phases, so that neither loudness nor the colour of a room matters.

use std::collections::VecDeque;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::SPEECH_RATE;

/// What is compared of the recording: half a second, in samples. Two people who say a vowel at the same pitch are alike for a shorter time.
const RECORDED: usize = 8_192;
/// The longest delay of an echo, in samples: half a second.
const MAX_DELAY: usize = SPEECH_RATE as usize / 2;
/// The longest negative delay, in samples: a quarter of a second. On a busy computer an echo may be recorded before the program learns that
/// its sound was played.
const MAX_NEGATIVE_DELAY: usize = SPEECH_RATE as usize / 4;
/// The length of the transform: no delay wraps around.
const LENGTH: usize = 32_768;
/// The strength of the phase transform: at 1 every frequency counts the same, at 0 by its energy. Below 1 the noise between the harmonics of a
/// voice counts for less.
const STRENGTH: f32 = 0.8;
/// The least ratio of the correlation's peak to its root mean square for an echo. Four recordings of people were played and recorded with
/// simulated reflections: of 91 moments in which an echo of a changed delay passed for speech, all have more; of 344 in which one of the others
/// spoke during the answer, as loud, half or a quarter, 302 have less. Whoever is taken for an echo is heard a fifth of a second later.
const MIN_PEAK: f32 = 11.0;

/// Keeps the last of what was played and of what the canceller let through, at [`SPEECH_RATE`].
#[derive(Default)]
pub(crate) struct ResidualEchoDetector {
    played: VecDeque<f32>,
    cleaned: VecDeque<f32>,
}

impl ResidualEchoDetector {
    pub(crate) fn played(&mut self, samples: &[f32]) {
        keep(&mut self.played, samples, RECORDED + MAX_DELAY);
    }

    pub(crate) fn cleaned(&mut self, samples: &[f32]) {
        keep(&mut self.cleaned, samples, RECORDED);
    }

    /// Whether what was let through is a delayed copy of what was played.
    pub(crate) fn detects_echo(&self) -> bool {
        self.peak().is_some_and(|peak| peak > MIN_PEAK)
    }

    /// The ratio of the correlation's peak to its root mean square. `None` in silence.
    fn peak(&self) -> Option<f32> {
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(LENGTH), planner.plan_fft_inverse(LENGTH));
        let hann = |at: usize| (std::f32::consts::PI * at as f32 / self.cleaned.len() as f32).sin().powi(2);
        let windowed = self.cleaned.iter().enumerate().map(|(at, sample)| sample * hann(at));
        // Both end at the same time.
        let end = RECORDED + MAX_DELAY;
        let mut cross = spectrum(&*forward, end - self.cleaned.len(), windowed)?;
        let played = spectrum(&*forward, end - self.played.len(), self.played.iter().copied())?;
        for (cross, played) in cross.iter_mut().zip(played) {
            let product = *cross * played.conj();
            *cross = product / product.norm().max(f32::MIN_POSITIVE).powf(STRENGTH);
        }
        let mut correlation = inverse.make_output_vec();
        inverse.process(&mut cross, &mut correlation).ok()?;
        // A negative delay stands at the end.
        let delays = correlation[..MAX_DELAY].iter().chain(&correlation[LENGTH - MAX_NEGATIVE_DELAY..]);
        let peak = delays.fold(0.0, |peak: f32, value| peak.max(value.abs()));
        let rms = (correlation.iter().map(|value| value * value).sum::<f32>() / LENGTH as f32).sqrt();
        (rms > 0.0).then(|| peak / rms)
    }
}

/// The spectrum of [`LENGTH`] samples: silence, these from `begin` on, and silence.
fn spectrum(
    transform: &dyn RealToComplex<f32>,
    begin: usize,
    samples: impl Iterator<Item = f32>,
) -> Option<Vec<Complex<f32>>> {
    let (mut input, mut output) = (transform.make_input_vec(), transform.make_output_vec());
    for (place, sample) in input.iter_mut().skip(begin).zip(samples) {
        *place = sample;
    }
    transform.process(&mut input, &mut output).ok().map(|()| output)
}

/// Adds samples and forgets the oldest.
fn keep(kept: &mut VecDeque<f32>, samples: &[f32], most: usize) {
    kept.extend(samples);
    kept.drain(..kept.len().saturating_sub(most));
}
