//! Hands-free use: what its turns share, when a question ends without a key, and what ends it all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aura_audio::VoiceActivity;
use parking_lot::Mutex;

use crate::ports::Recording;
use crate::words::plain_words;

/// The silence that ends a question.
const END_OF_QUESTION: Duration = Duration::from_millis(900);
/// Hands-free use ends when nobody speaks for this long.
const NOBODY_SPEAKS: Duration = Duration::from_secs(8);
/// What ends hands-free use when nothing else is said, in the languages of the interface.
const STOP: &[&str] = &[
    "stop",
    "stop listening",
    "goodbye",
    "bye",
    "that s all",
    "stopp",
    "halt",
    "hör auf",
    "ende",
    "tschüss",
    "das war s",
    "para",
    "basta",
    "detente",
    "adiós",
    "eso es todo",
];

/// What the turns of hands-free use share.
#[derive(Debug, Default)]
pub(crate) struct HandsFree {
    interruption: Mutex<Option<StartedRecording>>,
    /// Nobody spoke, or a person said so.
    is_over: AtomicBool,
}

/// A recording that goes on, and what was recorded so far: the beginning of a question that interrupted an answer.
#[derive(Debug)]
pub(super) struct StartedRecording {
    /// The recording that goes on.
    pub(super) recording: Recording,
    /// What was recorded so far, at [`aura_audio::SPEECH_RATE`].
    pub(super) samples: Vec<i16>,
}

impl HandsFree {
    /// Whether someone interrupted the answer, so that a question has begun already.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interruption.lock().is_some()
    }

    /// Whether nobody spoke, or a person asked to stop.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Ends hands-free use after the present turn.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// Notes that a question has begun.
    pub(super) fn interrupt(&self, question: StartedRecording) {
        *self.interruption.lock() = Some(question);
    }

    /// Takes the question that has begun.
    pub(super) fn take(&self) -> Option<StartedRecording> {
        self.interruption.lock().take()
    }
}

/// Whether a question that is being recorded has ended. `length` is the duration of the recording.
pub(super) fn has_ended(activity: &VoiceActivity, length: Duration) -> bool {
    match activity.speech() {
        Some(_) => activity.silence() >= END_OF_QUESTION,
        None => length >= NOBODY_SPEAKS,
    }
}

/// Whether these words are nothing but a request to stop.
pub(super) fn is_stop(question: &str) -> bool {
    STOP.contains(&plain_words(question).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_alone_ends_hands_free_use_and_a_question_about_it_does_not() {
        for text in ["Stop.", "stop!", "That's all.", "Stopp.", "Das war's.", "¡Para!", "Adiós."] {
            assert!(is_stop(text), "{text}");
        }
        for text in ["Where does the bus stop?", "Stop the timer.", "", "Para qué sirve esto?"] {
            assert!(!is_stop(text), "{text}");
        }
    }

    #[test]
    fn a_question_ends_with_a_pause_and_hands_free_use_when_nobody_speaks() {
        let seconds = |seconds: f32| vec![0i16; (16_000.0 * seconds) as usize];
        let voice: Vec<i16> = (0..16_000).map(|i: i32| ((i % 80 - 40) * 200) as i16).collect();
        let mut activity = VoiceActivity::default();
        activity.push(&seconds(5.0));
        assert!(!has_ended(&activity, Duration::from_secs(5)));
        assert!(has_ended(&activity, Duration::from_secs(8)), "nobody speaks");
        activity.push(&voice);
        activity.push(&seconds(0.5));
        assert!(!has_ended(&activity, Duration::from_secs(7)), "a pause within a question");
        activity.push(&seconds(0.6));
        assert!(has_ended(&activity, Duration::from_secs(7)));
    }
}
