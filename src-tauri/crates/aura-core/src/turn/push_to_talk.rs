//! The rules of push-to-talk, as pure functions.

use std::time::Duration;

use super::turn::Phase;
use crate::config::TalkKeyMode;

/// A shorter hold is a tap, or a mistake in hold mode.
const TAP: Duration = Duration::from_millis(250);

/// What a press does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnPress {
    /// Stops the current turn and starts a new one.
    Start,
    /// Ends the recording: a second tap, or a press after a lost release.
    Finish,
    /// Records the answer to the question whether something may be done.
    Answer,
}

/// What a release does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnRelease {
    /// Ends the recording.
    Finish,
    /// Keeps listening until the next tap.
    Keep,
    /// Discards the recording: the hold was too short to be intended.
    Discard,
}

/// Decides what a press does. `phase` is the phase of the current turn, if there is one.
pub(super) fn on_press(phase: Option<Phase>) -> OnPress {
    match phase {
        Some(Phase::Listening | Phase::Hearing) => OnPress::Finish,
        Some(Phase::Asking) => OnPress::Answer,
        None | Some(Phase::Answering | Phase::Stopping) => OnPress::Start,
    }
}

/// Decides what a release does while a recording runs. `held` is how long the key was down.
pub(super) fn on_release(mode: TalkKeyMode, held: Duration) -> OnRelease {
    match mode {
        TalkKeyMode::Toggle => OnRelease::Keep,
        TalkKeyMode::Auto if held < TAP => OnRelease::Keep,
        TalkKeyMode::Hold if held < TAP => OnRelease::Discard,
        TalkKeyMode::Auto | TalkKeyMode::Hold => OnRelease::Finish,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_records_and_a_tap_toggles() {
        let (tap, hold) = (Duration::from_millis(120), Duration::from_millis(900));
        assert_eq!(on_release(TalkKeyMode::Auto, tap), OnRelease::Keep);
        assert_eq!(on_release(TalkKeyMode::Auto, hold), OnRelease::Finish);
        assert_eq!(on_release(TalkKeyMode::Hold, tap), OnRelease::Discard);
        assert_eq!(on_release(TalkKeyMode::Hold, hold), OnRelease::Finish);
        assert_eq!(on_release(TalkKeyMode::Toggle, hold), OnRelease::Keep);
        assert_eq!(
            on_press(Some(Phase::Listening)),
            OnPress::Finish,
            "a lost release never leaves the microphone open"
        );
        assert_eq!(on_press(Some(Phase::Answering)), OnPress::Start, "a press always wins");
        assert_eq!(on_press(Some(Phase::Stopping)), OnPress::Start);
        assert_eq!(on_press(Some(Phase::Asking)), OnPress::Answer, "what is said now is the answer");
        assert_eq!(on_press(Some(Phase::Hearing)), OnPress::Finish);
        assert_eq!(on_press(None), OnPress::Start);
    }
}
