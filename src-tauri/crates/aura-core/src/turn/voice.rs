//! Playback of a spoken answer: which samples belong to which sentence, and how much was played.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::Speaking;
use crate::error::Result;
use crate::ports::Output;

/// Characters spoken per second: estimates the length of a sentence that is still being synthesized.
const CHARS_PER_SECOND: f64 = 15.0;

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

/// A spoken answer while it plays.
pub(crate) struct Voice {
    output: Option<Arc<dyn Output>>,
    prosody: Prosody,
    /// Whether the samples are kept until [`Voice::take`] takes them.
    keeps_samples: bool,
    state: Mutex<VoiceState>,
    /// Notified when a sentence was added.
    changed: Notify,
    /// Cancelled when everything was played.
    pub(super) done: CancellationToken,
}

#[derive(Default)]
struct VoiceState {
    spans: Vec<SpokenSpan>,
    /// Samples written to the output.
    written: u64,
    /// Sound synthesized so far, at any sample rate.
    synthesized: Duration,
    /// Samples written and not taken.
    kept: VecDeque<f32>,
    /// Samples played when playback was stopped: from then on, the output counts the samples of the next utterance.
    stopped_at: Option<u64>,
}

/// A sentence, and the samples that speak it.
struct SpokenSpan {
    sentence: String,
    from: u64,
    /// `None` while more of it is to come.
    to: Option<u64>,
}

impl Voice {
    pub(super) fn new(output: Option<Arc<dyn Output>>, prosody: Prosody) -> Self {
        let (state, changed, done) = (Mutex::default(), Notify::new(), CancellationToken::new());
        Self { output, prosody, keeps_samples: false, state, changed, done }
    }

    /// Keeps the samples until [`Voice::take`] takes them: as much as may be queued to be played.
    pub(super) fn keeping_samples(self, keeps_samples: bool) -> Self {
        Self { keeps_samples, ..self }
    }

    /// Whether anything was written.
    pub(super) fn has_begun(&self) -> bool {
        self.state.lock().written > 0
    }

    /// Samples of this answer that were handed to the device.
    pub(super) fn played(&self) -> u64 {
        self.output.as_ref().map_or(0, |output| output.played())
    }

    /// Takes at most `count` samples of those that were written, in order.
    pub(super) fn take(&self, count: usize) -> Vec<f32> {
        let kept = &mut self.state.lock().kept;
        let count = count.min(kept.len());
        kept.drain(..count).collect()
    }

    pub(super) fn output(&self) -> Option<&Arc<dyn Output>> {
        self.output.as_ref()
    }

    /// The sample rate of the output; 0 without one.
    pub(super) fn rate(&self) -> u32 {
        self.output.as_ref().map_or(0, |output| output.rate())
    }

    /// Stops playback at once.
    pub(super) fn stop(&self) {
        if let Some(output) = &self.output {
            output.stop();
            self.state.lock().stopped_at.get_or_insert_with(|| output.played());
        }
    }

    /// The text that was played: whole sentences, and the words of a sentence that was cut short.
    pub(super) fn spoken(&self) -> String {
        let Some(output) = &self.output else { return String::new() };
        let state = self.state.lock();
        let played = state.stopped_at.unwrap_or_else(|| output.played());
        let rate = f64::from(output.rate()) / f64::from(self.prosody.speed);
        let heard: Vec<String> =
            state.spans.iter().map(|span| span.heard(played, rate)).filter(|text| !text.is_empty()).collect();
        heard.join(" ")
    }

    /// Begins a sentence: samples written from now on belong to it.
    pub(super) fn begin_sentence(&self, sentence: String) {
        {
            let mut state = self.state.lock();
            let at = state.written;
            if let Some(last) = state.spans.last_mut() {
                last.to.get_or_insert(at);
            }
            state.spans.push(SpokenSpan { sentence, from: at, to: None });
        }
        self.changed.notify_one();
    }

    /// Ends the last sentence: all of its samples were written.
    pub(super) fn finish_sentences(&self) {
        let mut state = self.state.lock();
        let at = state.written;
        if let Some(last) = state.spans.last_mut() {
            last.to.get_or_insert(at);
        }
    }

    /// The first sample and the text of a sentence, by its index.
    pub(super) fn sentence(&self, index: usize) -> Option<(u64, String)> {
        self.state.lock().spans.get(index).map(|span| (span.from, span.sentence.clone()))
    }

    /// Waits until a sentence is added.
    pub(super) async fn sentence_added(&self) {
        self.changed.notified().await;
    }

    /// Writes samples to the output, if there is one, and waits while it is full.
    pub(super) async fn write(&self, samples: &[f32]) -> Result<()> {
        let Some(output) = &self.output else { return Ok(()) };
        let volume = self.prosody.volume;
        let quieter: Vec<f32>;
        let samples = if volume == 1.0 {
            samples
        } else {
            quieter = samples.iter().map(|sample| sample * volume).collect();
            &quieter
        };
        if self.keeps_samples {
            // Before they are written: they may be played before `write` returns.
            self.state.lock().kept.extend(samples);
        }
        output.write(samples).await?;
        self.state.lock().written += samples.len() as u64;
        Ok(())
    }

    /// Adds to the duration of the synthesized sound.
    pub(super) fn add_synthesized(&self, duration: Duration) {
        self.state.lock().synthesized += duration;
    }

    /// Waits until at most `ahead` of the synthesized sound was not played yet.
    pub(super) async fn wait_until_within(&self, ahead: Duration) {
        let Some(output) = &self.output else { return };
        let due = self.state.lock().synthesized.saturating_sub(ahead);
        if due > Duration::ZERO {
            output.reached((due.as_secs_f64() * f64::from(output.rate())) as u64).await;
        }
    }
}

impl SpokenSpan {
    /// The words of the sentence that were played. `played` counts samples of the utterance; `rate` is their number in a second at the
    /// voice's own speed.
    fn heard(&self, played: u64, rate: f64) -> String {
        if self.to == Some(self.from) {
            return String::new(); // the sentence could not be synthesized
        }
        if self.to.is_some_and(|to| played >= to) {
            return self.sentence.clone();
        }
        let heard = played.saturating_sub(self.from) as f64;
        let expected = self.sentence.chars().count() as f64 / CHARS_PER_SECOND * rate;
        let whole = self.to.map_or(expected, |to| (to - self.from) as f64).max(1.0);
        let words: Vec<&str> = self.sentence.split_whitespace().collect();
        let count = ((heard / whole).min(1.0) * words.len() as f64).floor() as usize;
        words[..count].join(" ")
    }
}
