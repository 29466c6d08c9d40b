//! Voice activity: which part of a recording is speech.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::{SPEECH_RATE, rms};

/// Samples per frame: 16 ms.
const FRAME: usize = 256;
/// A frame with at least this score begins speech.
const BEGIN: f32 = 0.5;
/// Speech ends when a frame has less than this score.
const END: f32 = 0.35;
/// Fewest frames of speech in a row that count: 48 ms. Less is a click.
const MIN_FRAMES: usize = 3;
/// Frames from which the noise floor is taken: 3 s. Its level is that below which a tenth of them are.
const FLOOR_FRAMES: usize = 187;
/// How much louder than the noise floor a frame must be to interrupt [silence](VoiceActivity::silence). In loud noise the detector finds
/// speech in many pauses.
const ABOVE_FLOOR: f32 = 1.3;

/// Finds speech in a recording while it is made: mono samples at [`SPEECH_RATE`]. A second of sound takes less than a millisecond.
///
/// It rather takes noise for speech than the reverse: in noise 5 dB below the voice it misses 3 % of the speech, and hears some in half of
/// the pauses (`cargo xtask bench activity`).
///
/// ```
/// use aura_audio::VoiceActivity;
///
/// let mut activity = VoiceActivity::default();
/// activity.push(&[0; 16_000]);
/// assert_eq!(activity.speech(), None, "silence holds no speech");
/// ```
#[derive(Default)]
pub struct VoiceActivity {
    detector: Box<earshot::Detector>,
    /// Samples of a frame that is not complete.
    pending: Vec<i16>,
    /// Complete frames so far.
    frames: usize,
    /// The frame with which the present run of speech began.
    run: Option<usize>,
    /// From the first frame of speech to the one after the last.
    speech: Option<Range<usize>>,
    /// Frames of speech.
    voiced: usize,
    /// The levels of the last frames, oldest first.
    levels: VecDeque<f32>,
    /// The frame after the last one of speech that was louder than the noise floor.
    last_loud: usize,
}

impl VoiceActivity {
    /// Adds samples.
    pub fn push(&mut self, mut samples: &[i16]) {
        while !samples.is_empty() {
            let taken = samples.len().min(FRAME - self.pending.len());
            self.pending.extend_from_slice(&samples[..taken]);
            samples = &samples[taken..];
            if self.pending.len() == FRAME {
                let (score, level) = (self.detector.predict_i16(&self.pending), rms(&self.pending));
                self.pending.clear();
                self.frame(score, level);
            }
        }
    }

    /// The samples from the first to the last speech, with the pauses between; `None` when there was none.
    pub fn speech(&self) -> Option<Range<usize>> {
        self.speech.as_ref().map(|speech| speech.start * FRAME..speech.end * FRAME)
    }

    /// How long speech lasted, without pauses.
    pub fn duration(&self) -> Duration {
        Self::time(self.voiced)
    }

    /// The time since someone spoke louder than the noise of the room, or since the start when nobody did. Zero while someone speaks.
    pub fn silence(&self) -> Duration {
        Self::time(self.frames - self.last_loud)
    }

    /// How long someone has been speaking without a pause; zero while nobody does.
    pub fn run(&self) -> Duration {
        Self::time(self.run.map_or(0, |begin| self.frames - begin))
    }

    fn time(frames: usize) -> Duration {
        Duration::from_secs_f64((frames * FRAME) as f64 / f64::from(SPEECH_RATE))
    }

    /// Counts a frame by its score, from 0 (no voice) to 1, and its level.
    fn frame(&mut self, score: f32, level: f32) {
        let frame = self.frames;
        self.frames += 1;
        if self.levels.len() == FLOOR_FRAMES {
            self.levels.pop_front();
        }
        self.levels.push_back(level);
        let begin = match self.run {
            Some(begin) if score >= END => begin,
            None if score >= BEGIN => frame,
            _ => {
                self.run = None;
                return;
            }
        };
        self.run = Some(begin);
        let length = self.frames - begin;
        if length < MIN_FRAMES {
            return;
        }
        self.voiced += if length == MIN_FRAMES { MIN_FRAMES } else { 1 };
        let first = self.speech.as_ref().map_or(begin, |speech| speech.start);
        self.speech = Some(first..self.frames);
        if level > self.floor() * ABOVE_FLOOR {
            self.last_loud = self.frames;
        }
    }

    /// The level of the noise.
    fn floor(&self) -> f32 {
        let mut levels: Vec<f32> = self.levels.iter().copied().collect();
        let tenth = levels.len() / 10;
        if levels.is_empty() { 0.0 } else { *levels.select_nth_unstable_by(tenth, f32::total_cmp).1 }
    }
}

impl std::fmt::Debug for VoiceActivity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VoiceActivity").field("speech", &self.speech()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in frames with these scores, in frames: the whole speech, its length without pauses, the silence at the end.
    fn found(scores: &[f32]) -> (Option<Range<usize>>, usize, usize) {
        let mut activity = VoiceActivity::default();
        scores.iter().for_each(|score| activity.frame(*score, *score));
        (activity.speech.clone(), activity.voiced, (activity.silence().as_millis() / 16) as usize)
    }

    #[test]
    fn a_click_is_no_speech_and_a_pause_is_a_part_of_it() {
        assert_eq!(found(&[0.0, 0.9, 0.9, 0.0]), (None, 0, 4));
        assert_eq!(found(&[0.0, 0.9, 0.9, 0.9, 0.0, 0.0]), (Some(1..4), 3, 2));
        assert_eq!(found(&[0.9, 0.9, 0.9, 0.9, 0.1, 0.9, 0.1, 0.8, 0.4, 0.4, 0.4]), (Some(0..11), 8, 0));
    }

    #[test]
    fn a_recording_in_pieces_is_the_same_recording() {
        let samples: Vec<i16> = (0..16_000).map(|i: i32| ((i % 80 - 40) * 200) as i16).collect();
        let (mut whole, mut pieces) = (VoiceActivity::default(), VoiceActivity::default());
        whole.push(&samples);
        samples.chunks(77).for_each(|piece| pieces.push(piece));
        assert_eq!((whole.speech(), whole.duration()), (pieces.speech(), pieces.duration()));
        assert_eq!(whole.frames, 62);
    }
}
