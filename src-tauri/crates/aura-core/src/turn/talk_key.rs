//! What the talk key means: pure decisions, so that the rules can be read and tested in one place.

use std::time::Duration;

use crate::config::Mode;

/// A hold that is shorter is a tap, or a mistake.
pub(super) const TAP: Duration = Duration::from_millis(250);

/// What goes on when the key moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing.
    Nothing,
    /// A turn is being recorded.
    Listening,
    /// A turn is being worked on or spoken.
    Answering,
}

/// What a press does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnPress {
    /// Starts to listen; what is under way stops.
    Start,
    /// Ends the recording: the second tap, or a release that was lost.
    Finish,
}

/// What a release does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnRelease {
    /// Ends the recording.
    Finish,
    /// Keeps listening until the next tap.
    Keep,
    /// Drops the recording: it was too short to be meant.
    Drop,
}

/// The key went down.
pub(super) fn press(doing: Doing) -> OnPress {
    match doing {
        Doing::Nothing | Doing::Answering => OnPress::Start,
        Doing::Listening => OnPress::Finish,
    }
}

/// The key went up while listening, after it was held for so long.
pub(super) fn release(mode: Mode, held: Duration) -> OnRelease {
    match mode {
        Mode::Toggle => OnRelease::Keep,
        Mode::Auto if held < TAP => OnRelease::Keep,
        Mode::Hold if held < TAP => OnRelease::Drop,
        Mode::Auto | Mode::Hold => OnRelease::Finish,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_talks_and_a_tap_toggles() {
        let (tap, hold) = (Duration::from_millis(120), Duration::from_millis(900));
        assert_eq!(release(Mode::Auto, tap), OnRelease::Keep);
        assert_eq!(release(Mode::Auto, hold), OnRelease::Finish);
        assert_eq!(release(Mode::Hold, tap), OnRelease::Drop);
        assert_eq!(release(Mode::Hold, hold), OnRelease::Finish);
        assert_eq!(release(Mode::Toggle, hold), OnRelease::Keep);
        assert_eq!(press(Doing::Listening), OnPress::Finish, "a lost release never leaves the microphone open");
        assert_eq!(press(Doing::Answering), OnPress::Start, "press always wins");
    }
}
