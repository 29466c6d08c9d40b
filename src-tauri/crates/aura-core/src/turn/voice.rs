//! A spoken answer: its sound, which samples speak which sentence, and how much of it was heard.
//!
//! The whole sound is kept, so that one can pause, go back to a sentence, and hear it again after the end. [`Voice::play`] hands it to the
//! output.

mod controls;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use aura_audio::{from_i16, to_i16};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::spoken_sound::{SentenceSpan, SpokenSound};
use crate::config::Speaking;
use crate::error::Result;
use crate::ports::Output;

/// What one part of the sound that is handed to the output lasts: a tenth of a second.
const PARTS_PER_SECOND: u32 = 10;

/// How an answer is spoken, as factors of the voice's own speed and loudness.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prosody {
    speed: f32,
    volume: f32,
}

impl Default for Prosody {
    fn default() -> Self {
        Self { speed: 1.0, volume: 1.0 }
    }
}

impl Prosody {
    /// What the settings say.
    pub(super) fn of(speaking: &Speaking) -> Self {
        Self { speed: speaking.speed_percent as f32 / 100.0, volume: speaking.volume() }
    }

    /// The speed, if it is not the voice's own.
    pub(super) fn changed_speed(&self) -> Option<f32> {
        (self.speed != 1.0).then_some(self.speed)
    }
}

/// A spoken answer.
pub(crate) struct Voice {
    output: Option<Arc<dyn Output>>,
    prosody: Prosody,
    /// Whether the samples that are handed to the output are also kept until [`Voice::take`] takes them.
    keeps_samples: bool,
    state: Mutex<VoiceState>,
    /// Marked changed when sound is added, and when playback is paused, moved, stopped or completed.
    changed: watch::Sender<()>,
    /// Cancelled when everything was played, or playback was stopped or has failed.
    pub(super) done: CancellationToken,
}

#[derive(Default)]
struct VoiceState {
    spans: Vec<SentenceSpan>,
    /// All samples so far, at the rate of the output. Those of an answer without an output are not kept.
    sound: Vec<i16>,
    /// Whether the sound is complete.
    is_complete: bool,
    /// Sound synthesized so far, at any sample rate.
    synthesized: Duration,
    /// The sample to hand to the output next.
    next: usize,
    /// The sample with which the output's present utterance began.
    utterance_from: u64,
    /// Where to go on, once the output is free.
    seek: Option<u64>,
    /// Why nothing is played, and the position at which it ended. From then on, the output counts samples of something else.
    halted: Option<(Halt, u64)>,
    /// The furthest position that was heard.
    heard: u64,
    /// Samples that were handed to the output and not taken.
    kept: VecDeque<f32>,
    /// Samples of earlier utterances of this answer that were played.
    played_before: u64,
    /// Samples that were taken or dropped from `kept`.
    taken: u64,
}

impl VoiceState {
    fn is_halted_by(&self, halt: Halt) -> bool {
        self.halted.is_some_and(|(why, _)| why == halt)
    }

    /// Ends a skip: a sentence begins here, or the sound ends.
    fn go_on_from(&mut self, at: u64) {
        if self.is_halted_by(Halt::Skip) {
            self.seek = Some(at);
        }
    }
}

/// Why nothing is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Halt {
    /// Until the person goes on.
    Pause,
    /// Until it is clear whether somebody speaks.
    TentativePause,
    /// Until the next sentence begins.
    Skip,
    /// For good.
    Stop,
}

/// What [`Voice::play`] does next.
enum Step {
    Write(Vec<f32>),
    Drain,
    Wait,
    End,
}

impl Voice {
    pub(super) fn new(output: Option<Arc<dyn Output>>, prosody: Prosody) -> Self {
        let (changed, _) = watch::channel(());
        let (state, done) = (Mutex::default(), CancellationToken::new());
        Self { output, prosody, keeps_samples: false, state, changed, done }
    }

    /// A voice that plays a sound again, which is at the rate of the output. With `from_last`, from its last sentence on.
    pub(crate) fn again(output: Arc<dyn Output>, speaking: &Speaking, sound: SpokenSound, from_last: bool) -> Self {
        let last = sound.sentences.iter().rfind(|span| span.to != Some(span.from));
        let seek = last.filter(|_| from_last).map(|span| span.from);
        let voice = Self::new(Some(output), Prosody { speed: 1.0, volume: speaking.volume() });
        let state = VoiceState {
            spans: sound.sentences,
            sound: sound.samples,
            is_complete: true,
            seek,
            ..VoiceState::default()
        };
        Self { state: Mutex::new(state), ..voice }
    }

    /// Keeps the samples until [`Voice::take`] takes them: as much as may be queued to be played.
    pub(super) fn keeping_samples(self, keeps_samples: bool) -> Self {
        Self { keeps_samples, ..self }
    }

    /// Whether anything was handed to the output.
    pub(super) fn has_begun(&self) -> bool {
        self.state.lock().next > 0
    }

    /// Samples of this answer that were handed to the device, those that were repeated included.
    pub(super) fn played(&self) -> u64 {
        let state = self.state.lock();
        let present = if state.halted.is_some() { 0 } else { self.output_played() };
        state.played_before + present
    }

    /// Takes at most `count` samples of those that were handed to the output, in order.
    pub(super) fn take(&self, count: usize) -> Vec<f32> {
        let mut state = self.state.lock();
        let count = count.min(state.kept.len());
        state.taken += count as u64;
        state.kept.drain(..count).collect()
    }

    pub(super) fn output(&self) -> Option<&Arc<dyn Output>> {
        self.output.as_ref()
    }

    /// The sample rate of the output; 0 without one.
    pub(super) fn rate(&self) -> u32 {
        self.output.as_ref().map_or(0, |output| output.rate())
    }

    /// The text that was heard: whole sentences, and the words of a sentence that was cut short.
    pub(super) fn spoken(&self) -> String {
        if self.output.is_none() {
            return String::new();
        }
        let state = self.state.lock();
        let played = state.heard.max(self.position(&state));
        let rate = f64::from(self.rate()) / f64::from(self.prosody.speed);
        let heard: Vec<String> =
            state.spans.iter().map(|span| span.heard(played, rate)).filter(|text| !text.is_empty()).collect();
        heard.join(" ")
    }

    /// Begins a sentence: samples written from now on belong to it.
    pub(super) fn begin_sentence(&self, sentence: String) {
        self.change(|state| {
            let at = state.sound.len() as u64;
            if let Some(last) = state.spans.last_mut() {
                last.to.get_or_insert(at);
            }
            state.spans.push(SentenceSpan { sentence, from: at, to: None });
            state.go_on_from(at);
        });
    }

    /// Completes the sound.
    pub(super) fn finish_sentences(&self) {
        self.change(|state| {
            let at = state.sound.len() as u64;
            if let Some(last) = state.spans.last_mut() {
                last.to.get_or_insert(at);
            }
            state.is_complete = true;
            state.go_on_from(at);
        });
    }

    /// Adds samples.
    pub(super) fn write(&self, samples: &[f32]) {
        if self.output.is_some() && !samples.is_empty() {
            self.change(|state| state.sound.extend(samples.iter().copied().map(to_i16)));
        }
    }

    /// Adds to the duration of the synthesized sound.
    pub(super) fn add_synthesized(&self, duration: Duration) {
        self.state.lock().synthesized += duration;
    }

    /// Waits until at most `ahead` of the synthesized sound was not played yet.
    pub(super) async fn wait_until_within(&self, ahead: Duration) {
        if self.output.is_none() {
            return;
        }
        let due = self.state.lock().synthesized.saturating_sub(ahead);
        if due > Duration::ZERO {
            let due = self.samples(due);
            // Of a sentence that is skipped, nothing is waited for.
            let within = |state: &VoiceState, now| state.is_halted_by(Halt::Skip) || state.heard.max(now) >= due;
            self.wait(|state, now| if within(state, now) { Ok(()) } else { Err(Some(due)) }).await;
        }
    }

    /// Plays the sound until all of it was played, or playback was stopped. Without an output it returns at once.
    ///
    /// # Errors
    /// When the device was disconnected.
    pub(crate) async fn play(&self) -> Result<()> {
        let _done = self.done.clone().drop_guard();
        let Some(output) = &self.output else { return Ok(()) };
        let mut changes = self.changed.subscribe();
        let result = loop {
            match self.step() {
                Step::Write(samples) => tokio::select! {
                    written = output.write(&samples) => if let Err(error) = written { break Err(error) },
                    () = self.redirected(&mut changes) => {}
                },
                Step::Drain => tokio::select! {
                    drained = output.drained() => {
                        if let Err(error) = drained { break Err(error) }
                        if !self.is_redirected() { break Ok(()) }
                    },
                    () = self.redirected(&mut changes) => {}
                },
                // The sender is a field of this voice.
                Step::Wait => drop(changes.changed().await),
                Step::End => break Ok(()),
            }
        };
        self.halt(Halt::Stop);
        result
    }

    /// What is to be done next. Begins an utterance where playback was moved.
    fn step(&self) -> Step {
        let mut state = self.state.lock();
        if let Some(target) = state.seek.take() {
            let target = target.min(state.sound.len() as u64);
            self.leave_utterance(&mut state);
            (state.utterance_from, state.next) = (target, usize::try_from(target).unwrap_or(usize::MAX));
            state.halted = None;
            if let Some(output) = &self.output {
                output.begin();
            }
        }
        match state.halted {
            Some((Halt::Stop, _)) => return Step::End,
            Some(_) => return Step::Wait,
            None => {}
        }
        let part = (self.rate() / PARTS_PER_SECOND).max(1) as usize;
        let until = state.sound.len().min(state.next + part);
        if until == state.next {
            return if state.is_complete { Step::Drain } else { Step::Wait };
        }
        let volume = self.prosody.volume;
        let samples: Vec<f32> =
            state.sound[state.next..until].iter().map(|&sample| from_i16(sample) * volume).collect();
        state.next = until;
        if self.keeps_samples {
            // Before they are written: they may be played before `write` returns.
            state.kept.extend(&samples);
        }
        Step::Write(samples)
    }

    /// Counts what was played of the present utterance, and drops the rest of it.
    fn leave_utterance(&self, state: &mut VoiceState) {
        if state.halted.is_none() {
            state.heard = state.heard.max(self.position(state));
            state.played_before += self.output_played();
        }
        let left = state.played_before.saturating_sub(state.taken);
        state.kept.truncate(usize::try_from(left).unwrap_or(usize::MAX));
    }

    fn output_played(&self) -> u64 {
        self.output.as_ref().map_or(0, |output| output.played())
    }

    /// The sample that is played now.
    fn position(&self, state: &VoiceState) -> u64 {
        state.halted.map_or_else(|| state.utterance_from + self.output_played(), |(_, at)| at)
    }

    fn change(&self, change: impl FnOnce(&mut VoiceState)) {
        change(&mut self.state.lock());
        self.changed.send_replace(());
    }

    fn is_redirected(&self) -> bool {
        let state = self.state.lock();
        state.seek.is_some() || state.halted.is_some()
    }

    /// Waits until playback was moved, paused or stopped.
    async fn redirected(&self, changes: &mut watch::Receiver<()>) {
        while !self.is_redirected() && changes.changed().await.is_ok() {}
    }

    /// Holds the position of an output that was stopped.
    fn halt(&self, halt: Halt) {
        self.change(|state| {
            if state.halted.is_none() {
                self.leave_utterance(state);
            }
            // Where playback was to go on counts, if it had not gone on yet.
            let at = state.seek.take().unwrap_or_else(|| self.position(state));
            state.halted = Some((halt, at));
        });
    }

    /// Plays nothing more until the next sentence begins: the person answers a question before it was spoken to its end.
    pub(super) fn skip(&self) {
        let Some(output) = &self.output else { return };
        let halted = self.state.lock().halted;
        if self.done.is_cancelled() || halted.is_some_and(|(halt, _)| halt != Halt::TentativePause) {
            return;
        }
        output.stop();
        self.halt(Halt::Skip);
    }

    /// Stops playback at once, for good.
    pub(crate) fn stop(&self) {
        let Some(output) = &self.output else { return };
        if self.done.is_cancelled() {
            return;
        }
        output.stop();
        self.halt(Halt::Stop);
    }
}
