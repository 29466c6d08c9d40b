//! Hear: a spoken yes or no to the question whether something may be done.
//!
//! Only a whole transcript that says nothing but yes is a yes. Everything else is a no, because what is done by mistake is worse than what
//! is asked for twice. "Okay" is no yes: speech recognisers write it for a noise.

use std::time::Duration;

use aura_audio::{SPEECH_RATE, VoiceActivity};

use super::hands_free::{StartedRecording, has_ended};
use super::level_reports::LevelReports;
use super::recorded_speech::{RecordedSpeech, length};
use super::transcribe::words_of;
use super::turn::Turn;
use crate::consent::ConsentAnswer;
use crate::error::{ErrorCode, Result};
use crate::event::Event;
use crate::record::{NoticeKind, Stage};
use crate::words::plain_words;

/// The longest answer.
const MAX_ANSWER: Duration = Duration::from_secs(15);

/// What says yes, alone or in a row, in the languages of the interface.
const YES: &[&str] = &[
    "yes",
    "yes please",
    "yeah",
    "yep",
    "sure",
    "go ahead",
    "do it",
    "please do",
    "of course",
    "ja",
    "ja bitte",
    "ja gerne",
    "jawohl",
    "na klar",
    "klar",
    "mach das",
    "mach es",
    "tu es",
    "einverstanden",
    "sí",
    "si",
    "sí por favor",
    "si por favor",
    "claro",
    "claro que sí",
    "adelante",
    "hazlo",
    "de acuerdo",
];
/// What may stand beside it.
const POLITE: &[&str] = &["please", "bitte", "por favor", "aura", "thanks", "danke", "gracias"];

/// What the answer says.
fn answer_of(transcript: &str) -> ConsentAnswer {
    let said = plain_words(transcript);
    let mut rest = said.as_str();
    let mut says_yes = false;
    while !rest.is_empty() {
        let after = |phrase: &&str| {
            let after = rest.strip_prefix(phrase)?;
            (after.is_empty() || after.starts_with(' ')).then(|| after.trim_start())
        };
        // The longest phrase leaves the shortest rest.
        let yes = YES.iter().filter_map(after).min_by_key(|rest| rest.len());
        let polite = POLITE.iter().filter_map(after).min_by_key(|rest| rest.len());
        says_yes |= yes.is_some();
        match yes.or(polite) {
            Some(after) => rest = after,
            None => return ConsentAnswer::No,
        }
    }
    if says_yes { ConsentAnswer::Yes } else { ConsentAnswer::No }
}

impl Turn {
    /// Records an answer until the key is released or, in hands-free use, until a pause. `None` when nothing was said, or it could not be
    /// heard: the question still waits.
    pub(super) async fn hear_answer(&self, started: Option<StartedRecording>) -> Option<ConsentAnswer> {
        match self.record_answer(started).await {
            Ok(transcript) => Some(answer_of(&transcript)),
            Err(error) if error.code == ErrorCode::NothingHeard => None,
            Err(error) => {
                self.notify_error(NoticeKind::AnswerNotHeard, &error);
                None
            }
        }
    }

    async fn record_answer(&self, started: Option<StartedRecording>) -> Result<String> {
        let ends_by_pause = started.is_some();
        let release = self.answer_release();
        let lowered = self.lower_other_sound();
        let StartedRecording { mut recording, mut samples } = match started {
            Some(started) => started,
            None => self.open_microphone().await?,
        };
        self.show(Stage::Listening);
        self.context.events.send(Event::Recording { turn: self.id.clone() });
        let mut activity = VoiceActivity::default();
        activity.push(&samples);
        let (mut levels, mut is_released) = (LevelReports::after(samples.len()), false);
        loop {
            let block = tokio::select! {
                biased;
                () = release.cancelled(), if !is_released => {
                    is_released = true;
                    recording.stop();
                    continue;
                }
                block = recording.next() => block,
            };
            let Some(block) = block.transpose()? else { break };
            self.tell_other_microphone(&mut recording);
            samples.extend_from_slice(&block);
            activity.push(&block);
            if !is_released {
                levels.report(&samples, &self.context.events);
            }
            let is_over = ends_by_pause && has_ended(&activity, length(&samples));
            if !is_released && (is_over || samples.len() >= MAX_ANSWER.as_secs() as usize * SPEECH_RATE as usize) {
                is_released = true;
                recording.stop();
            }
        }
        drop(lowered);
        let recorded = RecordedSpeech::new(samples, &activity, None)?;
        let stage = self.enter(Stage::Transcribing);
        let routed = self.recognise(&recorded, None).await?;
        stage.answered_by(&routed.route);
        words_of(&routed.value, recorded.speech_duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_says_nothing_but_yes_is_a_yes() {
        for yes in [
            "Yes.",
            "Yes, please!",
            "yes yes",
            "Yeah, do it.",
            "Go ahead, please.",
            "AURA, yes.",
            "Ja.",
            "Ja, mach das bitte.",
            "Sí.",
            "¡Sí, por favor!",
            "Claro que sí, adelante.",
        ] {
            assert_eq!(answer_of(yes), ConsentAnswer::Yes, "{yes}");
        }
        for no in [
            "",
            "No.",
            "No, yes, no.",
            "Yes, but not that one.",
            "Yesterday.",
            "I said yes",
            "Okay.",
            "Please.",
            "Say yes or no.",
            "Nein.",
            "Ja, aber später.",
            "Japan",
            "No, gracias.",
            "Sí, pero no ahora.",
            "Thank you.",
            "是",
        ] {
            assert_eq!(answer_of(no), ConsentAnswer::No, "{no}");
        }
    }
}
