//! A recorded question, and how much of it is speech.

use std::ops::Range;
use std::time::Duration;

use aura_audio::{SPEECH_RATE, VoiceActivity, rms};

use super::recorder::RecordingFile;
use crate::error::{Error, ErrorCode, Result};

/// A recording with less speech than this is not sent.
const MIN_SPEECH: Duration = Duration::from_millis(100);
/// A recording with at least this much speech holds words: an empty transcript of it is a failure of the route. With less
/// speech, an empty transcript is a result.
const MIN_SPEECH_WITH_WORDS: Duration = Duration::from_secs(1);
/// The lowest level of a sound in a quiet room: -48 dB full scale.
const AUDIBLE: f32 = 0.004;
/// What is sent of the silence before the first speech: 0.4 s. In noise, speech is recognised up to 0.25 s late.
const LEAD_IN: usize = SPEECH_RATE as usize * 2 / 5;
/// What is sent of the silence after the last speech: 0.6 s. In noise, the end is recognised up to 0.4 s early; and Whisper leaves out a
/// last word that no silence follows.
const LEAD_OUT: usize = SPEECH_RATE as usize * 3 / 5;

/// A recorded question: mono samples at [`SPEECH_RATE`].
#[derive(Debug)]
pub(super) struct RecordedSpeech {
    /// The whole recording.
    pub(super) samples: Vec<i16>,
    /// How much of it is speech.
    pub(super) speech_duration: Duration,
    /// The samples from the first to the last speech, with a margin.
    spoken: Range<usize>,
    /// The file that it is being written to.
    pub(super) file: Option<RecordingFile>,
}

impl RecordedSpeech {
    /// A recording of the microphone, and the speech that was found in it.
    ///
    /// # Errors
    /// With [`ErrorCode::NothingHeard`] when it holds less speech than a word needs.
    pub(super) fn new(samples: Vec<i16>, activity: &VoiceActivity, file: Option<RecordingFile>) -> Result<Self> {
        if activity.duration() < MIN_SPEECH {
            return Err(nothing_heard());
        }
        Ok(Self::with(samples, activity, file))
    }

    /// A recording that somebody sends although AURA may find no speech in it: a file, or a question that is asked again.
    ///
    /// # Errors
    /// With [`ErrorCode::NothingHeard`] when it is silent.
    pub(super) fn of_file(samples: Vec<i16>) -> Result<Self> {
        const FRAME: usize = SPEECH_RATE as usize / 50;
        if !samples.chunks_exact(FRAME).any(|frame| rms(frame) > AUDIBLE) {
            return Err(nothing_heard());
        }
        let activity = activity(&samples);
        Ok(Self::with(samples, &activity, None))
    }

    fn with(samples: Vec<i16>, activity: &VoiceActivity, file: Option<RecordingFile>) -> Self {
        let spoken = match begin_of_speech(activity) {
            Some(begin) => begin..end_of_speech(activity, samples.len()),
            None => 0..samples.len(),
        };
        Self { samples, speech_duration: activity.duration(), spoken, file }
    }

    /// The samples that are sent to be transcribed: without the silence before and after.
    pub(super) fn spoken(&self) -> &[i16] {
        &self.samples[self.spoken.clone()]
    }
}

/// The first sample that is sent of a recording, once it holds enough speech to be sent at all.
pub(super) fn begin_of_speech(activity: &VoiceActivity) -> Option<usize> {
    let speech = activity.speech().filter(|_| activity.duration() >= MIN_SPEECH)?;
    Some(speech.start.saturating_sub(LEAD_IN))
}

/// The end of what is sent of a recording with this many samples.
pub(super) fn end_of_speech(activity: &VoiceActivity, samples: usize) -> usize {
    activity.speech().map_or(samples, |speech| (speech.end + LEAD_OUT).min(samples))
}

fn nothing_heard() -> Error {
    Error::new(
        ErrorCode::NothingHeard,
        "I heard nothing. Hold the key, wait for the tone, then speak; or choose another microphone under Settings.",
    )
}

/// The duration of a recording.
pub(super) fn length(samples: &[i16]) -> Duration {
    Duration::from_millis(samples.len() as u64 * 1_000 / u64::from(SPEECH_RATE))
}

/// Whether a recording with this much speech holds words for certain.
pub(crate) fn holds_words(speech_duration: Duration) -> bool {
    speech_duration >= MIN_SPEECH_WITH_WORDS
}

/// How much of a recording is speech.
pub(crate) fn speech_duration(samples: &[i16]) -> Duration {
    activity(samples).duration()
}

fn activity(samples: &[i16]) -> VoiceActivity {
    let mut activity = VoiceActivity::default();
    activity.push(samples);
    activity
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A person who reads, 10 s at [`SPEECH_RATE`].
    const HUMAN: &[u8] = include_bytes!("../../../../../tests/fixtures/speech/beckett.wav");

    fn human() -> Vec<i16> {
        aura_audio::decode(bytes::Bytes::from_static(HUMAN)).unwrap().to_speech()
    }

    fn silence(ms: usize) -> Vec<i16> {
        vec![0; SPEECH_RATE as usize * ms / 1_000]
    }

    /// Keys that are typed: 25 ms of noise, three a second.
    fn typing(seconds: usize) -> Vec<i16> {
        let stroke = (0..400).map(|i: i32| ((i * 7_919 % 2_000 - 1_000) * (400 - i) / 20) as i16);
        let key: Vec<i16> = stroke.chain(std::iter::repeat_n(0, 4_933)).collect();
        key.repeat(3 * seconds)
    }

    #[test]
    fn silence_around_the_speech_is_not_sent() {
        let all = [silence(3_000), human(), silence(4_000)].concat();
        let speech = RecordedSpeech::new(all.clone(), &activity(&all), None).unwrap();
        let sent = Duration::from_secs_f64(speech.spoken().len() as f64 / f64::from(SPEECH_RATE));
        assert!((8.5..=11.0).contains(&sent.as_secs_f64()), "{sent:?} of 17 s are sent");
        assert!(speech.speech_duration > Duration::from_secs(4), "{:?}", speech.speech_duration);
        assert_eq!(speech.samples.len(), all.len(), "the whole recording is kept");
    }

    #[test]
    fn keys_that_are_typed_are_no_question_but_can_be_sent_on_request() {
        let keys = typing(4);
        let error = RecordedSpeech::new(keys.clone(), &activity(&keys), None).unwrap_err();
        assert_eq!(error.code, ErrorCode::NothingHeard);
        let sent = RecordedSpeech::of_file(keys.clone()).unwrap();
        assert_eq!(sent.spoken().len(), keys.len());
        assert!(RecordedSpeech::of_file(silence(2_000)).is_err());
    }
}
