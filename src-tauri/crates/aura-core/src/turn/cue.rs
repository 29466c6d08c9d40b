//! Cues: short tones that tell by ear what a turn does.

use std::time::Duration;

use futures::FutureExt;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::opening_output::OpeningOutput;
use crate::config::Cues;

/// A cue is left out if the speaker opens later than this: nobody would connect it with its cause.
const LATEST: Duration = Duration::from_millis(800);

/// A tone and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    /// The microphone delivers sound: speak.
    Listening,
    /// The question was understood, and is being answered.
    Heard,
    /// Another provider took over.
    Switched,
    /// The turn failed.
    Failed,
}

impl Cue {
    /// Whether the settings want it.
    pub(super) fn is_wanted(self, cues: &Cues) -> bool {
        match self {
            Self::Listening => cues.listening,
            Self::Heard => cues.heard,
            Self::Switched => cues.switched,
            Self::Failed => cues.failed,
        }
    }

    /// Tones one after the other: hertz and milliseconds.
    fn tones(self) -> &'static [(f32, u32)] {
        match self {
            Self::Listening => &[(880.0, 50)],
            Self::Heard => &[(660.0, 40), (880.0, 40)],
            Self::Switched => &[(660.0, 50), (660.0, 50)],
            Self::Failed => &[(440.0, 120), (330.0, 180)],
        }
    }

    /// The samples. Short and quiet, so that the microphone does not record them as speech: faded, at -24 dB.
    fn samples(self, rate: u32) -> Vec<f32> {
        let tone = |&(hertz, ms): &(f32, u32)| {
            let length = rate * ms / 1_000;
            (0..length).map(move |i| {
                let envelope = (std::f32::consts::PI * i as f32 / length as f32).sin();
                (i as f32 / rate as f32 * hertz * std::f32::consts::TAU).sin() * envelope * 0.06
            })
        };
        self.tones().iter().flat_map(tone).collect()
    }
}

/// Plays a cue once the speaker is open. It is left out when `obsolete` is cancelled before.
pub(super) async fn play(cue: Cue, opening: OpeningOutput, obsolete: CancellationToken) {
    let opened = tokio::select! {
        biased;
        () = obsolete.cancelled() => return,
        opened = timeout(LATEST, opening.output()) => opened,
    };
    let Ok(Ok((output, _))) = opened else { return };
    output.begin();
    let _ = output.write(&cue.samples(output.rate())).await;
}

/// Plays a cue at once, if the speaker is open. One that waited for it could come into the answer, which waits for it, too.
pub(super) fn play_now(cue: Cue, opening: &OpeningOutput) {
    let Some(output) = opening.opened() else { return };
    output.begin();
    // The queue of an output is empty now, and holds more than a cue: nothing is waited for.
    let _ = output.write(&cue.samples(output.rate())).now_or_never();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cue_is_short_quiet_and_told_from_the_others() {
        let all = [Cue::Listening, Cue::Heard, Cue::Switched, Cue::Failed];
        for cue in all {
            let samples = cue.samples(48_000);
            assert!(samples.len() <= 48_000 * 3 / 10, "{cue:?} lasts {} samples", samples.len());
            assert!(samples.iter().all(|sample| sample.abs() <= 0.06));
            assert!(samples.iter().any(|sample| sample.abs() > 0.05));
            assert_eq!(all.iter().filter(|other| other.tones() == cue.tones()).count(), 1);
        }
    }
}
