//! Sample rate conversion.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _};

use super::{Pcm, SPEECH_RATE, to_i16};

/// Frames per step: 10 ms at 48 kHz, which is short enough for live audio and long enough for a clean filter.
const STEP: usize = 480;

/// Converts a stream of mono samples from one rate to another. Output is aligned with input: the filter's delay is removed at the start
/// and flushed at the end.
pub struct Resampler {
    filter: Option<Filter>,
}

struct Filter {
    fft: Fft<f32>,
    pending: Vec<f32>,
    scratch: Vec<f32>,
    /// Output samples still to be dropped, because of the filter's delay.
    skip: usize,
    ratio: f64,
    /// Input samples since the last [`Resampler::finish`].
    taken: u64,
    /// Output samples since then.
    given: u64,
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resampler").field("ratio", &self.filter.as_ref().map(|filter| filter.ratio)).finish()
    }
}

impl Resampler {
    /// A resampler between two rates, in hertz. Samples pass unchanged if a rate is 0, or if the filter does not support the pair.
    pub fn new(from: u32, to: u32) -> Self {
        if from == to || from == 0 || to == 0 {
            return Self { filter: None };
        }
        let filter = Fft::new(from as usize, to as usize, STEP, 1, FixedSync::Input).ok().map(|fft| Filter {
            skip: fft.output_delay(),
            scratch: vec![0.0; fft.output_frames_max()],
            pending: Vec::with_capacity(fft.input_frames_max() * 2),
            ratio: f64::from(to) / f64::from(from),
            taken: 0,
            given: 0,
            fft,
        });
        Self { filter }
    }

    /// Adds samples and returns those that are ready.
    pub fn push(&mut self, samples: &[f32]) -> Vec<f32> {
        match &mut self.filter {
            None => samples.to_vec(),
            Some(filter) => filter.push(samples),
        }
    }

    /// Returns the remaining samples and resets the resampler.
    pub fn finish(&mut self) -> Vec<f32> {
        self.filter.as_mut().map(Filter::finish).unwrap_or_default()
    }
}

/// Converts mono samples from one rate to another, in hertz.
pub fn resample(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    let mut resampler = Resampler::new(from, to);
    let mut resampled = resampler.push(samples);
    resampled.extend(resampler.finish());
    resampled
}

/// Converts a stream of sound whose rate may change to one rate.
#[derive(Debug)]
pub struct RateConverter {
    to: u32,
    /// The rate of the current sound, in hertz, and its resampler.
    current: Option<(u32, Resampler)>,
}

impl RateConverter {
    /// A converter to a rate, in hertz.
    pub fn new(to: u32) -> Self {
        Self { to, current: None }
    }

    /// Adds sound and returns the samples that are ready.
    pub fn push(&mut self, pcm: &Pcm) -> Vec<f32> {
        let is_other = self.current.as_ref().is_none_or(|(rate, _)| *rate != pcm.rate);
        let mut ready = if is_other { self.finish() } else { Vec::new() };
        let (_, resampler) = self.current.get_or_insert_with(|| (pcm.rate, Resampler::new(pcm.rate, self.to)));
        ready.extend(resampler.push(&pcm.samples));
        ready
    }

    /// Returns the remaining samples.
    pub fn finish(&mut self) -> Vec<f32> {
        self.current.take().map(|(_, mut resampler)| resampler.finish()).unwrap_or_default()
    }
}

impl Filter {
    fn push(&mut self, samples: &[f32]) -> Vec<f32> {
        self.taken += samples.len() as u64;
        self.pending.extend_from_slice(samples);
        let mut out = Vec::with_capacity((samples.len() as f64 * self.ratio) as usize + STEP);
        let mut used = 0;
        while self.pending.len() - used >= self.fft.input_frames_next() {
            used += self.step(used, None, &mut out);
        }
        self.pending.drain(..used);
        self.given += out.len() as u64;
        out
    }

    fn finish(&mut self) -> Vec<f32> {
        let due = (self.taken as f64 * self.ratio).round() as u64;
        let mut out = Vec::new();
        // Steps with silence push out what the filter still holds. Some return nothing, but a few are always enough.
        for _ in 0..64 {
            if self.given + out.len() as u64 >= due {
                break;
            }
            let left = self.pending.len();
            let need = self.fft.input_frames_next();
            self.pending.resize(need.max(left), 0.0);
            self.step(0, Some(left.min(need)), &mut out);
            self.pending.clear();
        }
        out.truncate((due - self.given.min(due)) as usize);
        self.fft.reset();
        self.skip = self.fft.output_delay();
        (self.taken, self.given) = (0, 0);
        self.pending.clear();
        out
    }

    /// Filters one step of `pending` from `at`. Returns the number of samples it used.
    fn step(&mut self, at: usize, partial: Option<usize>, out: &mut Vec<f32>) -> usize {
        let need = self.fft.input_frames_next();
        let room = self.scratch.len();
        let Ok(input) = InterleavedSlice::new(&self.pending[at..at + need], 1, need) else { return need };
        let Ok(mut output) = InterleavedSlice::new_mut(&mut self.scratch, 1, room) else { return need };
        let indexing = partial.map(|frames| Indexing::new().partial_len(frames));
        // The sizes come from the filter itself, so this cannot fail.
        let written =
            self.fft.process_into_buffer(&input, &mut output, indexing.as_ref()).map_or(0, |(_, written)| written);
        let skip = self.skip.min(written);
        self.skip -= skip;
        out.extend_from_slice(&self.scratch[skip..written]);
        need
    }
}

/// Converts audio with any rate and channel count, such as a microphone's, into mono 16-bit samples at [`SPEECH_RATE`].
#[derive(Debug)]
pub struct Mixdown {
    channels: usize,
    resampler: Resampler,
    mono: Vec<f32>,
}

impl Mixdown {
    /// A converter for interleaved samples with this number of channels and this rate in hertz.
    pub fn new(channels: u16, rate: u32) -> Self {
        Self { channels: usize::from(channels.max(1)), resampler: Resampler::new(rate, SPEECH_RATE), mono: Vec::new() }
    }

    /// Adds whole frames of samples from -1 to 1 and returns the converted samples that are ready.
    ///
    /// Only channels with a signal in this block are averaged: an audio interface with eight inputs and one microphone must not be
    /// eight times too quiet.
    pub fn push(&mut self, interleaved: &[f32]) -> Vec<i16> {
        let frames = || interleaved.chunks_exact(self.channels);
        let live = (0..self.channels).filter(|channel| frames().any(|frame| frame[*channel] != 0.0)).count().max(1);
        self.mono.clear();
        self.mono.extend(frames().map(|frame| frame.iter().sum::<f32>() / live as f32));
        self.resampler.push(&self.mono).into_iter().map(to_i16).collect()
    }

    /// Returns the remaining samples and resets the converter.
    pub fn finish(&mut self) -> Vec<i16> {
        self.resampler.finish().into_iter().map(to_i16).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hz: f32, seconds: f32) -> Vec<f32> {
        (0..(rate as f32 * seconds) as usize)
            .map(|i| (i as f32 / rate as f32 * hz * std::f32::consts::TAU).sin() * 0.5)
            .collect()
    }

    fn crossings(samples: &[f32]) -> usize {
        samples.windows(2).filter(|pair| pair[0] <= 0.0 && pair[1] > 0.0).count()
    }

    #[test]
    fn a_tone_keeps_its_length_pitch_and_loudness_at_every_rate() {
        for (from, to) in
            [(48_000, 16_000), (44_100, 16_000), (8_000, 16_000), (22_050, 48_000), (24_000, 44_100), (96_000, 16_000)]
        {
            let input = tone(from, 440.0, 1.0);
            let mut resampler = Resampler::new(from, to);
            let mut output = Vec::new();
            for part in input.chunks(377) {
                output.extend(resampler.push(part));
            }
            output.extend(resampler.finish());
            assert_eq!(output.len(), to as usize, "{from} to {to}: one second stays one second");
            let pitch = crossings(&output);
            assert!((438..=442).contains(&pitch), "{from} to {to}: {pitch} Hz");
            let peak = output[to as usize / 4..to as usize / 2].iter().fold(0.0_f32, |max, s| max.max(s.abs()));
            assert!((0.48..0.52).contains(&peak), "{from} to {to}: peak {peak}");
        }
    }

    #[test]
    fn the_output_is_aligned_with_the_input() {
        let mut input = vec![0.0; 48_000];
        input[24_000] = 1.0;
        let mut resampler = Resampler::new(48_000, 16_000);
        let mut output = resampler.push(&input);
        output.extend(resampler.finish());
        let peak = (0..output.len()).max_by(|a, b| output[*a].abs().total_cmp(&output[*b].abs())).unwrap();
        assert!(peak.abs_diff(8_000) <= 1, "the click at 0.5 s came out at sample {peak}");
    }

    #[test]
    fn finish_leaves_nothing_for_the_next_recording() {
        let mut resampler = Resampler::new(48_000, 16_000);
        resampler.push(&tone(48_000, 440.0, 0.3));
        resampler.finish();
        let mut silence = resampler.push(&vec![0.0; 48_000]);
        silence.extend(resampler.finish());
        assert!(silence.iter().all(|sample| sample.abs() < 1e-6));
    }

    #[test]
    fn one_live_channel_of_eight_keeps_its_loudness() {
        let frames: Vec<f32> =
            tone(16_000, 440.0, 0.1).iter().flat_map(|s| [0.0, 0.0, *s, 0.0, 0.0, 0.0, 0.0, 0.0]).collect();
        let mut mixdown = Mixdown::new(8, SPEECH_RATE);
        let samples = mixdown.push(&frames);
        assert_eq!(samples.len(), 1_600);
        assert!(samples.iter().map(|s| s.unsigned_abs()).max().unwrap() > 16_000);
    }
}
