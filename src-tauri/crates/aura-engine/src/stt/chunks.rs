//! Cuts a recording at quiet places into chunks that a model can take.

use std::ops::Range;

use super::RATE;

/// The length of a frame whose loudness is measured: 20 ms.
const FRAME: usize = RATE / 50;
/// Frames over which loudness is averaged to find a pause, so that a stop consonant is not one.
const PAUSE: usize = 15;
/// What is quieter than this (-60 dB) is silence.
const SILENT: f32 = 0.001;
/// Silence that stays at both ends of a chunk, in frames.
const MARGIN: usize = 15;

/// The fewest frames with sound that a word has.
const SHORTEST: usize = 5;
/// Speech rises and falls: its loudest frame is louder than its median by more than this factor. That of a noise or a hum is not.
const LIVELY: f32 = 1.5;

/// The chunks of a recording that may have speech in them, each at most `longest` seconds long.
pub(super) fn chunks(samples: &[f32], longest: usize) -> Vec<Range<usize>> {
    let loudness: Vec<f32> = samples.chunks(FRAME).map(loudness).collect();
    let longest = longest * RATE / FRAME;
    let mut chunks = Vec::new();
    let mut at = 0;
    while let Some(sound) = loudness.iter().skip(at).position(|frame| *frame >= SILENT) {
        let start = (at + sound).saturating_sub(MARGIN).max(at);
        let end = if loudness.len() - start <= longest { loudness.len() } else { quietest(&loudness, start, longest) };
        let last = loudness[start..end].iter().rposition(|frame| *frame >= SILENT).unwrap_or(0);
        let stop = (start + last + 1 + MARGIN).min(end);
        if lively(&loudness[start..stop]) {
            chunks.push(start * FRAME..(stop * FRAME).min(samples.len()));
        }
        at = end;
    }
    chunks
}

/// Whether frames may be speech, and are not a click or a steady noise.
fn lively(loudness: &[f32]) -> bool {
    let mut sound: Vec<f32> = loudness.iter().copied().filter(|frame| *frame >= SILENT).collect();
    sound.sort_unstable_by(f32::total_cmp);
    sound.len() >= SHORTEST && sound.last().is_some_and(|loudest| *loudest > LIVELY * sound[sound.len() / 2])
}

/// The frame at which a chunk that begins at `start` is best cut: the quietest place in its second half.
fn quietest(loudness: &[f32], start: usize, longest: usize) -> usize {
    let (from, to) = (start + longest / 2, start + longest - PAUSE);
    let around = |frame: usize| loudness[frame..frame + PAUSE].iter().sum::<f32>();
    let quietest = (from..to).min_by(|a, b| around(*a).total_cmp(&around(*b)));
    quietest.map_or(start + longest, |frame| frame + PAUSE / 2)
}

/// The root mean square of samples.
pub(super) fn loudness(samples: &[f32]) -> f32 {
    (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}

/// Seconds from the start of a recording.
pub(super) fn seconds(samples: usize) -> f64 {
    samples as f64 / RATE as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone that rises and falls four times a second, with pauses at these seconds, each 0.4 s long.
    fn tone(seconds: usize, pauses: &[f32]) -> Vec<f32> {
        let paused = |time: f32| pauses.iter().any(|pause| (*pause..*pause + 0.4).contains(&time));
        let sample = |at: usize| {
            let time = at as f32 / RATE as f32;
            let loud = 0.02 + 0.3 * (time * 4.0 * std::f32::consts::PI).sin().abs().powi(2);
            if paused(time) { 0.0 } else { loud * (time * 440.0 * std::f32::consts::TAU).sin() }
        };
        (0..seconds * RATE).map(sample).collect()
    }

    #[test]
    fn a_short_recording_is_one_piece() {
        let samples = tone(10, &[3.0]);
        let chunks = chunks(&samples, 25);
        assert_eq!((chunks.len(), &chunks[0]), (1, &(0..samples.len())));
    }

    #[test]
    fn a_long_one_is_cut_in_its_pauses_and_nothing_is_lost() {
        let samples = tone(70, &[8.0, 20.0, 41.0, 62.0]);
        let chunks = chunks(&samples, 25);
        assert!(chunks.iter().all(|chunk| chunk.len() <= 25 * RATE), "{chunks:?}");
        let cuts: Vec<f64> = chunks.iter().map(|chunk| seconds(chunk.end)).collect();
        assert_eq!(cuts.len(), 4, "{cuts:?}");
        for (cut, pause) in cuts.iter().zip([20.0, 41.0, 62.0]) {
            assert!((pause..pause + 0.4).contains(cut), "{cuts:?}");
        }
        assert_eq!(chunks.iter().map(std::ops::Range::len).sum::<usize>(), samples.len());
    }

    #[test]
    fn silence_is_left_out() {
        assert!(chunks(&vec![0.0; 60 * RATE], 25).is_empty());
        assert!(chunks(&[], 25).is_empty());
        let mut samples = vec![0.0; 100 * RATE];
        samples.extend(tone(3, &[]));
        samples.extend(vec![0.0; 40 * RATE]);
        let chunks = chunks(&samples, 25);
        assert_eq!(chunks.len(), 1);
        assert!((99.0..=100.0).contains(&seconds(chunks[0].start)) && chunks[0].len() < 4 * RATE, "{chunks:?}");
    }

    #[test]
    fn a_hum_and_a_click_are_left_out() {
        let hum: Vec<f32> =
            (0..5 * RATE).map(|at| 0.1 * (at as f32 / RATE as f32 * 60.0 * std::f32::consts::TAU).sin()).collect();
        assert!(chunks(&hum, 25).is_empty());
        let mut click = vec![0.0; 2 * RATE];
        click[RATE..RATE + 100].fill(0.7);
        assert!(chunks(&click, 25).is_empty());
        let mut spoken = hum;
        spoken.extend(tone(2, &[]));
        assert_eq!(chunks(&spoken, 25).len(), 1);
    }
}
