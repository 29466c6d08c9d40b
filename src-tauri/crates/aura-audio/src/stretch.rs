//! Makes speech faster or slower without changing its pitch.

/// The length of a frame in seconds: two pitch periods of a deep voice.
const FRAME: f32 = 0.03;
/// How far a frame may be moved so that it continues the previous one, in seconds: half a pitch period of a deep voice.
const SEARCH: f32 = 0.008;
/// The distance of the places that are compared first, in samples.
const STEP: usize = 6;

/// Changes the speed of mono samples while they arrive, by overlapping frames that continue each other (WSOLA).
pub struct TimeStretch {
    speed: f64,
    /// Half a frame, in samples.
    half: usize,
    search: usize,
    /// Samples that are still needed; the first one has the number `start`.
    input: Vec<f32>,
    start: usize,
    /// Samples received and produced so far.
    received: usize,
    produced: usize,
    /// Where the next frame begins if it need not be moved.
    position: f64,
    /// The samples that follow the last frame in the input; empty before the first one.
    tail: Vec<f32>,
}

impl TimeStretch {
    /// A stretch of samples at a rate, in hertz. `speed`: 2 for twice as fast; clamped to 0.25 to 4.
    pub fn new(rate: u32, speed: f32) -> Self {
        let samples = |seconds: f32| ((rate as f32 * seconds) as usize).max(2);
        Self {
            speed: f64::from(speed.clamp(0.25, 4.0)),
            half: samples(FRAME) / 2,
            search: samples(SEARCH),
            input: Vec::new(),
            start: 0,
            received: 0,
            produced: 0,
            position: 0.0,
            tail: Vec::new(),
        }
    }

    /// Adds samples; returns those that are ready.
    pub fn push(&mut self, samples: &[f32]) -> Vec<f32> {
        self.received += samples.len();
        self.input.extend_from_slice(samples);
        self.frames()
    }

    /// Returns the last samples.
    pub fn finish(&mut self) -> Vec<f32> {
        let left = self.length().saturating_sub(self.produced);
        // The last frames reach into silence.
        let silence = self.input.len() + 2 * (self.half + self.search) + (left as f64 * self.speed) as usize;
        self.input.resize(silence, 0.0);
        let mut last = self.frames();
        last.truncate(left);
        last
    }

    /// How many samples everything received so far becomes.
    fn length(&self) -> usize {
        (self.received as f64 / self.speed).round() as usize
    }

    fn frames(&mut self) -> Vec<f32> {
        let mut out = Vec::new();
        loop {
            let ideal = (self.position as usize).saturating_sub(self.start);
            if ideal + self.search + 2 * self.half > self.input.len() {
                break;
            }
            let from = if self.tail.is_empty() { ideal } else { self.best(ideal) };
            let (head, rest) = self.input[from..from + 2 * self.half].split_at(self.half);
            if self.tail.is_empty() {
                out.extend_from_slice(head);
            } else {
                let faded = self.tail.iter().zip(head).enumerate().map(|(at, (old, new))| {
                    let part = at as f32 / self.half as f32;
                    old * (1.0 - part) + new * part
                });
                out.extend(faded);
            }
            self.tail = rest.to_vec();
            self.position += self.half as f64 * self.speed;
            let done = (self.position as usize).saturating_sub(self.search).saturating_sub(self.start);
            let done = done.min(self.input.len());
            self.input.drain(..done);
            self.start += done;
        }
        self.produced += out.len();
        out
    }

    /// The place near `ideal` whose samples are most like those that follow the last frame.
    fn best(&self, ideal: usize) -> usize {
        let similarity = |from: usize| -> f32 {
            let candidate = &self.input[from..from + self.half];
            let product: f32 = candidate.iter().zip(&self.tail).map(|(a, b)| a * b).sum();
            let power: f32 = candidate.iter().map(|sample| sample * sample).sum();
            product / (power + f32::EPSILON).sqrt()
        };
        let best = |range: &mut dyn Iterator<Item = usize>| {
            let rated = range.map(|from| (from, similarity(from)));
            rated.max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(ideal, |(from, _)| from)
        };
        // First in large steps, then around the best of these: neighbouring places are alike.
        let (low, high) = (ideal.saturating_sub(self.search), ideal + self.search);
        let near = best(&mut (low..=high).step_by(STEP));
        best(&mut (near.saturating_sub(STEP).max(low)..=(near + STEP).min(high)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 16_000;

    /// Two seconds of a tone of 200 Hz, in chunks of different sizes.
    fn stretched(speed: f32) -> Vec<f32> {
        let step = 200.0 * std::f32::consts::TAU / RATE as f32;
        let tone: Vec<f32> = (0..2 * RATE).map(|i| (i as f32 * step).sin() * 0.5).collect();
        let (mut stretch, mut out, mut rest) = (TimeStretch::new(RATE, speed), Vec::new(), tone.as_slice());
        for size in [1, 77, 4_800].into_iter().cycle() {
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            out.extend(stretch.push(chunk));
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        out.extend(stretch.finish());
        out
    }

    #[test]
    fn the_length_changes_and_the_pitch_does_not() {
        for speed in [0.25, 0.5, 0.8, 1.0, 1.25, 2.0, 4.0] {
            let out = stretched(speed);
            let expected = 2.0 * RATE as f32 / speed;
            assert!((out.len() as f32 - expected).abs() < 2.0, "{speed}: {} samples, expected {expected}", out.len());
            let middle = &out[out.len() / 4..out.len() * 3 / 4];
            let rises = middle.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
            let hertz = rises as f32 * RATE as f32 / middle.len() as f32;
            assert!((190.0..210.0).contains(&hertz), "{speed}: {hertz} Hz");
            let power: f32 = middle.iter().map(|sample| sample * sample).sum::<f32>() / middle.len() as f32;
            assert!((0.09..0.16).contains(&power), "{speed}: the loudness changed to {power}");
        }
    }

    #[test]
    fn nothing_and_very_little_come_back() {
        assert!(TimeStretch::new(RATE, 2.0).finish().is_empty());
        let mut stretch = TimeStretch::new(RATE, 2.0);
        assert!(stretch.push(&[0.1; 100]).is_empty());
        assert_eq!(stretch.finish().len(), 50);
    }
}
