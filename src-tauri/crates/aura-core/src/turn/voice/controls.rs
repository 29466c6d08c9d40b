//! What a person does while an answer is spoken: pause, resume, another sentence. And waiting for a position of it.

use std::time::Duration;

use aura_audio::rms;

use super::{Halt, Voice, VoiceState};
use crate::record::Playback;
use crate::turn::spoken_sound::SpokenSound;

/// Where the last word before a pause is looked for.
const LAST_WORD: Duration = Duration::from_millis(800);
/// The pause between two words, and the step in which it is looked for.
const GAP: Duration = Duration::from_millis(20);
/// How soon the position is looked at again when the output does not say when it was reached.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Within this time after its begin, "previous" means the sentence before.
const JUST_BEGUN: Duration = Duration::from_millis(1_500);

impl Voice {
    /// Whether the sound is being played.
    pub(crate) fn playback(&self) -> Playback {
        let state = self.state.lock();
        if self.done.is_cancelled() || state.next == 0 {
            return Playback::Idle;
        }
        match state.halted {
            Some((Halt::Pause, _)) => Playback::Paused,
            Some((Halt::Skip | Halt::Stop, _)) => Playback::Idle,
            Some((Halt::TentativePause, _)) | None => Playback::Playing,
        }
    }

    /// Pauses at once. Returns false when nothing is being played.
    pub(crate) fn pause(&self) -> bool {
        let Some(output) = self.output.as_ref().filter(|_| self.playback() == Playback::Playing) else { return false };
        output.stop();
        self.halt(Halt::Pause);
        true
    }

    /// Goes on with the word at which playback was paused. Returns false when it was not paused.
    pub(crate) fn resume(&self) -> bool {
        self.playback() == Playback::Paused && self.go_on_after(Halt::Pause)
    }

    /// Falls silent at once, while it is unclear whether somebody speaks. Returns false when nothing is being played.
    pub(in crate::turn) fn pause_tentatively(&self) -> bool {
        let is_playing = self.playback() == Playback::Playing && self.state.lock().halted.is_none();
        if let Some(output) = self.output.as_ref().filter(|_| is_playing) {
            output.stop();
            self.halt(Halt::TentativePause);
        }
        is_playing
    }

    /// Goes on with the word at which it fell silent, unless playback was paused, moved or stopped in the meantime.
    pub(in crate::turn) fn end_tentative_pause(&self) {
        self.go_on_after(Halt::TentativePause);
    }

    /// Goes on with the word at which this halt began. Returns false when there is no such halt.
    fn go_on_after(&self, halt: Halt) -> bool {
        let mut goes_on = false;
        self.change(|state| {
            if let Some((_, at)) = state.halted.filter(|(why, _)| *why == halt) {
                state.seek = Some(word_start(&state.sound, at, self.rate()));
                goes_on = true;
            }
        });
        goes_on
    }

    /// Goes to the begin of this sentence, or of the one before when this one has just begun. Returns false when nothing is being played.
    pub(crate) fn previous(&self) -> bool {
        self.playback() != Playback::Idle && {
            self.change(|state| {
                let from = self.position(state).saturating_sub(self.samples(JUST_BEGUN));
                let sentence = state.spans.iter().rev().find(|span| span.from <= from);
                state.seek = Some(sentence.map_or(0, |span| span.from));
            });
            true
        }
    }

    /// Goes to the next sentence; from the last one, to the end. Returns false when nothing is being played.
    pub(crate) fn next(&self) -> bool {
        self.playback() != Playback::Idle && {
            self.change(|state| {
                let position = self.position(state);
                let sentence = state.spans.iter().find(|span| span.from > position);
                state.seek = Some(sentence.map_or(state.sound.len() as u64, |span| span.from));
            });
            true
        }
    }

    /// The sound, to be played again: `None` while it is being played, or when there is none.
    pub(in crate::turn) fn complete_sound(&self) -> Option<SpokenSound> {
        let state = self.state.lock();
        let is_complete = self.done.is_cancelled() && !state.sound.is_empty();
        is_complete.then(|| SpokenSound {
            samples: state.sound.clone(),
            rate: self.rate(),
            sentences: state.spans.clone(),
        })
    }

    /// The duration of the sound so far.
    pub(in crate::turn) fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.state.lock().sound.len() as f64 / f64::from(self.rate().max(1)))
    }

    /// The sentence that is played, by its index, once it is another one than `last`; of several later ones, the first. `None` once playback
    /// has ended.
    pub(in crate::turn) async fn next_sentence(&self, last: Option<usize>) -> Option<(usize, String)> {
        self.wait(|state, position| {
            let begun = state.spans.iter().enumerate().filter(|(_, span)| span.has_begun_at(position));
            let present = begun.clone().next_back().map(|(index, _)| index);
            let later = begun.map(|(index, _)| index).find(|&index| last.is_none_or(|last| index > last));
            let earlier = present.filter(|&present| last.is_some_and(|last| present < last));
            match later.or(earlier) {
                Some(index) => Ok((index, state.spans[index].sentence.clone())),
                None => Err(state.spans.iter().map(|span| span.from + 1).find(|&from| from > position)),
            }
        })
        .await
    }

    /// Waits until at least this position was heard. Returns false when playback has ended before.
    pub(in crate::turn) async fn reached(&self, position: u64) -> bool {
        let heard = self.wait(|state, now| if state.heard.max(now) >= position { Ok(()) } else { Err(Some(position)) });
        heard.await.is_some()
    }

    /// Waits for what `look` finds, given the state and the position: a value, or the position at which it is to look again. It also looks
    /// again after every change. `None` once playback has ended.
    pub(super) async fn wait<T>(&self, look: impl Fn(&VoiceState, u64) -> Result<T, Option<u64>>) -> Option<T> {
        let output = self.output.as_ref()?;
        let mut changes = self.changed.subscribe();
        loop {
            let is_done = self.done.is_cancelled();
            let (found, from, is_halted) = {
                let state = self.state.lock();
                (look(&state, self.position(&state)), state.utterance_from, state.halted.is_some())
            };
            let at = match found {
                Ok(found) => return Some(found),
                Err(_) if is_done => return None,
                Err(at) => at.filter(|_| !is_halted),
            };
            let reached = async {
                match at {
                    Some(at) => {
                        output.reached(at.saturating_sub(from)).await;
                        // It also returns when the utterance was stopped or the device was lost, shortly before this voice knows.
                        if output.played() + from < at {
                            tokio::time::sleep(LOOK_AGAIN).await;
                        }
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = reached => {}
                // The sender is a field of this voice.
                changed = changes.changed() => drop(changed),
                () = self.done.cancelled() => {}
            }
        }
    }

    pub(super) fn samples(&self, duration: Duration) -> u64 {
        (duration.as_secs_f64() * f64::from(self.rate())) as u64
    }
}

/// The begin of the word that is spoken at this sample: the quietest moment shortly before it.
fn word_start(sound: &[i16], at: u64, rate: u32) -> u64 {
    let samples = |duration: Duration| ((duration.as_secs_f64() * f64::from(rate)) as usize).max(1);
    let at = usize::try_from(at).unwrap_or(usize::MAX).min(sound.len());
    let from = at.saturating_sub(samples(LAST_WORD));
    let gaps = sound[from..at].chunks_exact(samples(GAP)).map(rms);
    // Of several, the last.
    let quietest = gaps.enumerate().min_by(|(left, a), (right, b)| a.total_cmp(b).then(right.cmp(left)));
    (from + quietest.map_or(0, |(index, _)| index * samples(GAP))) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_begins_after_the_last_pause() {
        let tone = |ms: usize| (0..ms * 48).map(|i| if i % 96 < 48 { 9_000 } else { -9_000 }).collect::<Vec<i16>>();
        let sound = [tone(500), vec![0; 50 * 48], tone(300), vec![0; 50 * 48], tone(200)].concat();
        let start = word_start(&sound, 1_000 * 48, 48_000) / 48;
        assert!((840..=900).contains(&start), "{start} ms");
        assert_eq!(word_start(&sound, 0, 48_000), 0);
        assert_eq!(word_start(&[], 99, 48_000), 0);
    }
}
