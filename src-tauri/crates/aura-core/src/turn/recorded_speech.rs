//! A recorded question, and how much of it is speech.

use std::time::Duration;

use aura_audio::{SPEECH_RATE, rms};

use super::recorder::RecordingFile;
use crate::error::{Error, ErrorCode, Result};

/// A recording with less speech than this is not sent.
const MIN_SPEECH: Duration = Duration::from_millis(100);
/// A recording with at least this much speech holds words: an empty transcript of it is a failure of the route. With less
/// speech, an empty transcript is a result.
const MIN_SPEECH_WITH_WORDS: Duration = Duration::from_secs(1);
/// The lowest level that counts as speech, in a quiet room: -48 dB full scale.
const MIN_THRESHOLD: f32 = 0.004;
/// The level that counts as speech in any room: -30 dB full scale. A noise floor near it is speech without a pause, not noise.
const MAX_THRESHOLD: f32 = 0.03;

/// A recorded question: mono samples at [`SPEECH_RATE`].
pub(super) struct RecordedSpeech {
    pub(super) samples: Vec<i16>,
    /// How much of it is speech, or something as loud as speech.
    pub(super) speech_duration: Duration,
    /// The file that it is being written to.
    pub(super) file: Option<RecordingFile>,
}

impl RecordedSpeech {
    /// Measures a complete recording.
    ///
    /// # Errors
    /// With [`ErrorCode::NothingHeard`] when it holds less speech than a word needs.
    pub(super) fn new(samples: Vec<i16>, file: Option<RecordingFile>) -> Result<Self> {
        let speech_duration = speech_duration(&samples);
        if speech_duration < MIN_SPEECH {
            return Err(Error::new(
                ErrorCode::NothingHeard,
                "I heard nothing. Hold the key, wait for the tone, then speak; or choose another microphone under Settings.",
            ));
        }
        Ok(Self { samples, speech_duration, file })
    }
}

/// Whether a recording with this much speech holds words for certain.
pub(crate) fn holds_words(speech_duration: Duration) -> bool {
    speech_duration >= MIN_SPEECH_WITH_WORDS
}

/// How much of a recording is louder than its own noise floor. The floor is the level below which a tenth of all 20 ms frames are.
pub(crate) fn speech_duration(samples: &[i16]) -> Duration {
    const FRAME: usize = SPEECH_RATE as usize / 50;
    let levels: Vec<f32> = samples.chunks_exact(FRAME).map(rms).collect();
    let mut sorted = levels.clone();
    sorted.sort_by(f32::total_cmp);
    let floor = sorted.get(sorted.len() / 10).copied().unwrap_or_default();
    let threshold = (floor * 2.5).clamp(MIN_THRESHOLD, MAX_THRESHOLD);
    let loud = levels.iter().filter(|level| **level > threshold).count();
    Duration::from_millis(20) * u32::try_from(loud).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(level: f32, ms: usize) -> Vec<i16> {
        (0..SPEECH_RATE as usize * ms / 1_000)
            .map(|i| (((i * 7_919) % 2_000) as f32 / 1_000.0 - 1.0) * level * 32_767.0)
            .map(|s| s as i16)
            .collect()
    }

    #[test]
    fn speech_is_told_from_silence_and_from_background_noise() {
        assert_eq!(speech_duration(&noise(0.0, 2_000)), Duration::ZERO);
        assert_eq!(speech_duration(&noise(0.003, 2_000)), Duration::ZERO);
        let in_noise = [noise(0.01, 1_000), noise(0.2, 600), noise(0.01, 400)].concat();
        assert!((580..=620).contains(&speech_duration(&in_noise).as_millis()), "{:?}", speech_duration(&in_noise));
        assert_eq!(speech_duration(&noise(0.3, 1_000)), Duration::from_secs(1), "speech without a pause is speech");
    }
}
