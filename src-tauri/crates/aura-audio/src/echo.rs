//! Echo cancellation: what a microphone records, without what the loudspeaker plays.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sonora::config::EchoCanceller as Canceller;
use sonora::{AudioProcessing, Config, StreamConfig};

use crate::residual_echo::ResidualEchoDetector;
use crate::{SPEECH_RATE, from_i16, to_i16};

/// Samples per frame: 10 ms.
const FRAME: usize = SPEECH_RATE as usize / 100;

/// Removes the echo of a loudspeaker from a recording: WebRTC's AEC3, on mono samples at [`SPEECH_RATE`].
///
/// It finds out by itself how much later than [played](EchoCanceller::played) the echo is recorded, up to half a second, as long as that
/// stays the same. A second of sound takes about 10 ms.
pub struct EchoCanceller {
    processing: Box<AudioProcessing>,
    /// Played samples of a frame that is not complete.
    played: Vec<f32>,
    /// Recorded samples of a frame that is not complete.
    recorded: Vec<f32>,
    residual: ResidualEchoDetector,
}

impl Default for EchoCanceller {
    fn default() -> Self {
        Self {
            processing: processing(),
            played: Vec::new(),
            recorded: Vec::new(),
            residual: ResidualEchoDetector::default(),
        }
    }
}

fn processing() -> Box<AudioProcessing> {
    let config = Config { echo_canceller: Some(Canceller::default()), ..Config::default() };
    let stream = StreamConfig::new(SPEECH_RATE, 1);
    Box::new(AudioProcessing::builder().config(config).capture_config(stream).render_config(stream).build())
}

impl EchoCanceller {
    /// Adds what the loudspeaker played, silence included: as much as is recorded in the same time.
    pub fn played(&mut self, samples: impl IntoIterator<Item = f32>) {
        let known = self.played.len();
        self.played.extend(samples);
        self.residual.played(&self.played[known..]);
        let mut ignored = [0.0; FRAME];
        for frame in self.played.chunks_exact(FRAME) {
            // It fails only for frames of another length.
            let _ = self.processing.process_render_f32(&[frame], &mut [&mut ignored]);
        }
        self.played.drain(..self.played.len() / FRAME * FRAME);
    }

    /// Adds what was recorded. Returns the complete frames without the echo.
    pub fn recorded(&mut self, samples: &[i16]) -> Vec<i16> {
        self.recorded.extend(samples.iter().copied().map(from_i16));
        let mut clean = Vec::with_capacity(self.recorded.len());
        let mut cleaned = [0.0; FRAME];
        for frame in self.recorded.chunks_exact(FRAME) {
            let processing = &mut self.processing;
            let cancel = || processing.process_capture_f32(&[frame], &mut [&mut cleaned]).is_ok();
            // sonora-aec3 0.1.0 panics when the echo path changes after it has adapted: its filter shrinks from 13 partitions to 12
            // then, and it clears those from the 13th to the 12th (`zero_filter`). A new canceller adapts again, as this one would have had to.
            let is_clean = catch_unwind(AssertUnwindSafe(cancel)).unwrap_or_else(|_| {
                self.processing = self::processing();
                false
            });
            let frame = if is_clean { &cleaned[..] } else { frame };
            self.residual.cleaned(frame);
            clean.extend(frame.iter().copied().map(to_i16));
        }
        self.recorded.drain(..self.recorded.len() / FRAME * FRAME);
        clean
    }

    /// Whether the last half second still contains echo: the canceller adapts for up to two seconds, at the beginning and whenever the echo
    /// path changes. Takes 2 ms, so it is asked only when it matters.
    pub fn has_residual_echo(&self) -> bool {
        self.residual.detects_echo()
    }
}

impl std::fmt::Debug for EchoCanceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EchoCanceller")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{VoiceActivity, decode, rms};

    /// People who read, at [`SPEECH_RATE`].
    fn human(file: &str) -> Vec<i16> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/speech/");
        decode(std::fs::read(format!("{folder}{file}.wav")).unwrap().into()).unwrap().to_speech()
    }

    /// What a microphone records of this sound `delay` samples later, in a room with some reflections.
    fn echo(sound: &[i16], delay: usize) -> Vec<i16> {
        let room = [(0, 0.5), (37, 0.3), (90, -0.2), (211, 0.15), (800, 0.08), (1_600, 0.05)];
        let mut echo = vec![0.0; sound.len()];
        for (tap, gain) in room {
            for (at, sample) in sound.iter().enumerate().take(sound.len().saturating_sub(delay + tap)) {
                echo[at + delay + tap] += f32::from(*sample) * gain;
            }
        }
        echo.into_iter().map(|sample| sample as i16).collect()
    }

    /// Cancels the echo of this sound in pieces as devices deliver them, and shows what remains of each.
    fn cancel(played: &[i16], recorded: &[i16], mut show: impl FnMut(&EchoCanceller, Vec<i16>)) {
        let mut canceller = EchoCanceller::default();
        for (played, recorded) in played.chunks(320).zip(recorded.chunks(320)) {
            canceller.played(played.iter().copied().map(from_i16));
            let clean = canceller.recorded(recorded);
            show(&canceller, clean);
        }
    }

    /// What remains of the recording while this sound is played.
    fn cancelled(played: &[i16], recorded: &[i16]) -> Vec<i16> {
        let mut all = Vec::new();
        cancel(played, recorded, |_, clean| all.extend(clean));
        all
    }

    #[test]
    fn an_echo_is_removed_whatever_its_delay() {
        let answer = human("two_cities")[..16_000 * 12].to_vec();
        for delay_ms in [20, 100, 300] {
            let recorded = echo(&answer, delay_ms * 16);
            let clean = cancelled(&answer, &recorded);
            // Of the time after the first two seconds, in which it adapts.
            let before = rms(&recorded[32_000..]);
            let after = rms(&clean[32_000..]).max(1.0e-5);
            let removed = 20.0 * (before / after).log10();
            assert!(removed > 25.0, "{removed:.0} dB of an echo after {delay_ms} ms are removed");
            let mut activity = VoiceActivity::default();
            activity.push(&clean);
            assert_eq!(activity.speech(), None, "an echo after {delay_ms} ms is taken for a person");
        }
    }

    #[test]
    fn an_echo_whose_path_changes_is_still_removed() {
        let answer = human("two_cities")[..16_000 * 12].to_vec();
        // After three seconds the echo comes 280 ms sooner, at which the canceller panics.
        let change = 3 * 16_000;
        let recorded = [echo(&answer[..change], 300 * 16), echo(&answer[change..], 20 * 16)].concat();
        let clean = cancelled(&answer, &recorded);
        let removed = 20.0 * (rms(&recorded[144_000..]) / rms(&clean[144_000..]).max(1.0e-5)).log10();
        assert!(removed > 20.0, "{removed:.0} dB are removed six seconds after the change");
    }

    /// When speech above -46 dB full scale is heard while this sound is played, in milliseconds, and whether it is residual echo.
    fn heard(played: &[i16], recorded: &[i16]) -> Vec<(usize, bool)> {
        let (mut activity, mut all, mut heard) = (VoiceActivity::default(), Vec::new(), Vec::new());
        cancel(played, recorded, |canceller, clean| {
            activity.push(&clean);
            all.extend(clean);
            if activity.run().as_millis() > 170 && rms(&all[all.len().saturating_sub(2_000)..]) > 0.005 {
                heard.push((all.len() / 16, canceller.has_residual_echo()));
                activity = VoiceActivity::default();
            }
        });
        heard
    }

    #[test]
    fn an_echo_that_is_not_removed_yet_is_told_from_a_person() {
        for name in ["beckett", "german", "two_cities"] {
            let answer: Vec<i16> = human(name).into_iter().cycle().take(16_000 * 12).collect();
            for (before, after) in [(300, 20), (20, 300)] {
                let change = 4 * 16_000;
                let recorded =
                    [echo(&answer[..change], before * 16), echo(&answer, after * 16)[change..].to_vec()].concat();
                let heard = heard(&answer, &recorded);
                assert!(!heard.is_empty(), "{name}: the change from {before} to {after} ms is not noticed");
                assert!(heard.iter().all(|(_, is_echo)| *is_echo), "{name}, {before} to {after} ms: {heard:?}");
            }
        }
    }

    /// An answer, and what is recorded of it while this person speaks from `begin` on.
    fn interrupted(answer: &str, person: &str, begin: usize) -> (Vec<i16>, Vec<i16>) {
        let answer: Vec<i16> = human(answer).into_iter().cycle().take(16_000 * 12).collect();
        let mut recorded = echo(&answer, 1_600);
        for (at, sample) in human(person).into_iter().enumerate().take(16_000 * 4) {
            recorded[begin + at] = recorded[begin + at].saturating_add(sample / 2);
        }
        (answer, recorded)
    }

    #[test]
    fn a_person_is_heard_while_the_answer_is_played() {
        let begin = 16_000 * 6;
        let (answer, recorded) = interrupted("two_cities", "jfk", begin);
        let mut activity = VoiceActivity::default();
        activity.push(&cancelled(&answer, &recorded));
        let speech = activity.speech().expect("nobody is heard");
        // The person begins after a third of a second.
        assert!((begin..begin + 16_000).contains(&speech.start), "heard from {} on, spoken from {begin}", speech.start);
    }

    #[test]
    fn a_person_is_not_taken_for_an_echo() {
        for (answer, person) in [("two_cities", "jfk"), ("beckett", "german"), ("two_cities", "german")] {
            let (played, recorded) = interrupted(answer, person, 16_000 * 6);
            let heard = heard(&played, &recorded);
            let first = heard.iter().find(|(_, is_echo)| !is_echo).map(|(at, _)| *at);
            assert!(first.is_some_and(|at| (6_000..7_500).contains(&at)), "{person} over {answer}: {heard:?}");
        }
    }
}
