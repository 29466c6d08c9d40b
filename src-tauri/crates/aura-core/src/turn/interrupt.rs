//! Interrupt (barge-in): in hands-free use, speech stops an answer and is the next question.
//!
//! An answer falls silent as soon as somebody seems to speak, and goes on with the same word if nobody does. So a person is heard out at once,
//! and what is still heard after the loudspeaker fell silent is no echo.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use aura_audio::{EchoCanceller, Mixdown, SPEECH_RATE, VoiceActivity, from_i16, rms};

use super::hands_free::{HandsFree, StartedRecording, is_stop};
use super::recorded_speech::length;
use super::turn::{Phase, Turn};
use super::voice::Voice;
use crate::error::Result;

/// The speech at which an answer falls silent. Less is a click.
const PAUSE_AFTER: Duration = Duration::from_millis(64);
/// The speech that interrupts an answer: a short word such as "no". The detector counts an eighth of a second after its end, too. Less is a
/// cough.
const INTERRUPTION: Duration = Duration::from_millis(288);
/// The least level of speech that interrupts an answer: -46 dB full scale. What remains of an echo is quieter.
const MIN_LEVEL: f32 = 0.005;
/// The part of the recording whose level counts: an eighth of a second.
const LEVEL_OF: usize = SPEECH_RATE as usize / 8;
/// A silent answer goes on when nobody has spoken for this long, or after [`LONGEST_PAUSE`].
const NOBODY_SPEAKS: Duration = Duration::from_millis(250);
/// How long an answer is silent at most before it is clear that a person speaks.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long the echo of an answer is heard after it fell silent. Wireless loudspeakers play a third of a second late.
const ECHO_TAIL: Duration = Duration::from_millis(350);
/// How long after a false interruption an answer does not fall silent again before speech is long enough to interrupt it.
const COOLDOWN: Duration = Duration::from_secs(5);
/// How long the canceller adapts to the way from the loudspeaker to the microphone. Until then, an answer does not fall silent for what
/// may be its echo.
const ADAPTING: Duration = Duration::from_secs(2);
/// What is kept of the sound before the moment of an interruption: the speech that was needed to notice it, which may first pass for residual
/// echo, and a margin.
const KEPT: usize = SPEECH_RATE as usize * 5 / 4;
/// How much earlier than it is played the canceller may get a sound: the time in which a device begins, and more is a device that stopped.
const MAX_EARLY: Duration = Duration::from_millis(300);
/// How much later than it is played the canceller may get a sound. An echo that comes before its sound cannot be removed.
const MAX_LATE: Duration = Duration::from_millis(20);

impl Turn {
    /// Ends hands-free use when these words ask for it. The turn is then forgotten: it is no question.
    pub(super) fn is_end_of_hands_free(&self, question: &str) -> bool {
        let Some(hands_free) = self.request.hands_free.as_ref().filter(|_| is_stop(question)) else { return false };
        self.end_hands_free(hands_free);
        true
    }

    /// Ends hands-free use after this turn, which is forgotten.
    pub(super) fn end_hands_free(&self, hands_free: &HandsFree) {
        hands_free.end();
        self.discard.cancel();
    }

    /// Listens while the answer is spoken, and stops this turn when someone speaks. Never returns. Without a microphone an answer can still
    /// be interrupted by the key.
    pub(super) async fn stop_when_interrupted(&self) {
        if let Some(hands_free) = &self.request.hands_free {
            loop {
                // While AURA asks whether something may be done, what is said is the answer to that.
                match self.wait_for_interruption().await.map(|speech| self.begin_answer(Some(speech))) {
                    Ok(Ok(())) => self.not_hearing().await,
                    Ok(Err(Some(question))) => {
                        hands_free.interrupt(question);
                        self.stop();
                        break;
                    }
                    Ok(Err(None)) => break,
                    Err(error) => {
                        tracing::warn!(%error, "an answer cannot be interrupted by speech");
                        break;
                    }
                }
            }
        }
        std::future::pending().await
    }

    async fn wait_for_interruption(&self) -> Result<StartedRecording> {
        let order = self.config.settings.listening.microphones();
        let mut recording = self.context.ports.microphone.record(&order).await?;
        let (mut echo, mut speech) = (EchoCanceller::default(), SpeechOverAnswer::default());
        let mut reference: Option<Reference> = None;
        loop {
            let Some(block) = recording.next().await else {
                drop(speech);
                std::future::pending().await
            };
            let block = block?;
            if reference.is_none() {
                reference = self.voice().filter(|voice| voice.has_begun()).map(Reference::new);
            }
            match &mut reference {
                Some(reference) => echo.played(reference.next(block.len())),
                None => echo.played(std::iter::repeat_n(0.0, block.len())),
            }
            let voice = reference.as_ref().map(|reference| &reference.voice);
            speech.push(&echo.recorded(&block), voice.is_some());
            // Until the first sound, the person may still be finishing the question.
            let may_speak = voice.is_some() || self.phase() == Phase::Asking;
            if may_speak && speech.interrupts(voice, &echo) {
                return Ok(StartedRecording { recording, samples: std::mem::take(&mut speech.kept) });
            }
        }
    }
}

/// What is heard while an answer is played, without its echo, and whether it interrupts the answer.
#[derive(Default)]
struct SpeechOverAnswer {
    activity: VoiceActivity,
    /// The last of the sound.
    kept: Vec<i16>,
    pause: Option<TentativePause>,
    /// How long the answer has been played.
    played: Duration,
    /// How much more is recorded before the answer may fall silent again.
    cooldown: Duration,
}

/// An answer that fell silent, because somebody may speak. It goes on when this is dropped.
struct TentativePause {
    /// `None` once a person has interrupted it.
    voice: Option<Arc<Voice>>,
    lasted: Duration,
    /// How much longer an echo may be heard: what seemed to be speech may be one.
    echo_tail: Duration,
    /// The speech that was heard before and does not count.
    earlier: Duration,
    /// How long nobody has spoken.
    quiet: Duration,
}

impl Drop for TentativePause {
    fn drop(&mut self) {
        if let Some(voice) = &self.voice {
            voice.end_tentative_pause();
        }
    }
}

impl TentativePause {
    fn begin(voice: Option<&Arc<Voice>>, echo_tail: Duration, earlier: Duration) -> Option<Self> {
        let voice = voice.filter(|voice| voice.pause_tentatively())?.clone();
        Some(Self { voice: Some(voice), lasted: Duration::ZERO, echo_tail, earlier, quiet: Duration::ZERO })
    }

    /// Adds what was recorded, and what is spoken in it.
    fn add(&mut self, duration: Duration, activity: &mut VoiceActivity) {
        self.lasted += duration;
        self.quiet = if activity.run().is_zero() { self.quiet + duration } else { Duration::ZERO };
        if self.echo_tail > Duration::ZERO {
            self.echo_tail = self.echo_tail.saturating_sub(duration);
            if self.echo_tail.is_zero() {
                // From now on, speech is a person's.
                (*activity, self.earlier) = (VoiceActivity::default(), Duration::ZERO);
            }
        }
    }

    fn is_for_nothing(&self) -> bool {
        self.quiet >= NOBODY_SPEAKS || self.lasted >= LONGEST_PAUSE
    }
}

impl SpeechOverAnswer {
    /// Adds samples without echo, and whether the answer is played.
    fn push(&mut self, clean: &[i16], is_played: bool) {
        self.activity.push(clean);
        self.kept.extend_from_slice(clean);
        self.kept.drain(..self.kept.len().saturating_sub(KEPT));
        let duration = length(clean);
        self.cooldown = self.cooldown.saturating_sub(duration);
        if is_played {
            self.played += duration;
        }
        if let Some(pause) = &mut self.pause {
            pause.add(duration, &mut self.activity);
        }
    }

    /// Whether a person has spoken for long enough. As long as that is not clear, the answer is silent.
    fn interrupts(&mut self, voice: Option<&Arc<Voice>>, echo: &EchoCanceller) -> bool {
        let Some(pause) = &mut self.pause else { return self.begins(voice, echo) };
        let spoken = self.activity.duration().saturating_sub(pause.earlier);
        let is_long = spoken >= INTERRUPTION && is_loud(&self.kept, LEVEL_OF);
        if is_long && (pause.echo_tail.is_zero() || !echo.has_residual_echo()) {
            pause.voice = None;
            return true;
        }
        if pause.is_for_nothing() {
            tracing::debug!("the answer goes on: nobody speaks");
            (self.pause, self.cooldown, self.activity) = (None, COOLDOWN, VoiceActivity::default());
        }
        false
    }

    /// Whether a person has spoken for long enough over an answer that is not silent. It may fall silent now.
    fn begins(&mut self, voice: Option<&Arc<Voice>>, echo: &EchoCanceller) -> bool {
        let run = self.activity.run();
        let samples = (run.as_secs_f64() * f64::from(SPEECH_RATE)) as usize;
        let (is_long, is_cooling_down) = (run >= INTERRUPTION, !self.cooldown.is_zero());
        if run < PAUSE_AFTER || (is_cooling_down && !is_long) || !is_loud(&self.kept, samples.min(LEVEL_OF)) {
            return false;
        }
        let has_residual_echo = echo.has_residual_echo();
        if is_long && !has_residual_echo {
            return true;
        }
        if has_residual_echo && is_long {
            tracing::debug!("residual echo passed for speech");
            self.activity = VoiceActivity::default();
        }
        if !is_cooling_down && (!has_residual_echo || self.played >= ADAPTING) {
            let echo_tail = if has_residual_echo { ECHO_TAIL } else { Duration::ZERO };
            self.pause = TentativePause::begin(voice, echo_tail, self.activity.duration().saturating_sub(run));
        }
        false
    }
}

/// Whether the last samples are loud enough for speech.
fn is_loud(sound: &[i16], count: usize) -> bool {
    rms(&sound[sound.len().saturating_sub(count)..]) > MIN_LEVEL
}

/// What the loudspeaker plays, at [`SPEECH_RATE`], in step with the recording. Both run on the clock of this computer, so the sound is taken as
/// fast as the recording goes on, however late a busy computer reports it. Only when the two are far apart are they brought together.
struct Reference {
    voice: Arc<Voice>,
    to_speech_rate: Mixdown,
    ready: VecDeque<f32>,
    /// Samples that were taken, at the loudspeaker's rate.
    taken: u64,
}

impl Reference {
    fn new(voice: Arc<Voice>) -> Self {
        let to_speech_rate = Mixdown::new(1, voice.rate());
        Self { voice, to_speech_rate, ready: VecDeque::new(), taken: 0 }
    }

    /// What is played while `count` samples are recorded: silence when there is nothing to play, or the device does not go on.
    fn next(&mut self, count: usize) -> Vec<f32> {
        let samples = |duration: Duration| (duration.as_secs_f64() * f64::from(self.voice.rate())) as u64;
        let (played, most, least) = (self.voice.played(), samples(MAX_EARLY), samples(MAX_LATE));
        if self.taken <= played + most {
            // What is skipped was played while nothing was recorded.
            let skipped = played.saturating_sub(self.taken + least);
            let wanted = skipped + count as u64 * u64::from(self.voice.rate()) / u64::from(SPEECH_RATE);
            let taken = self.voice.take(usize::try_from(wanted).unwrap_or(usize::MAX));
            self.taken += taken.len() as u64;
            let fresh = taken.get(usize::try_from(skipped).unwrap_or(usize::MAX)..).unwrap_or_default();
            self.ready.extend(self.to_speech_rate.push(fresh).into_iter().map(from_i16));
        }
        let next = self.ready.len().min(count);
        self.ready.drain(..next).chain(std::iter::repeat_n(0.0, count - next)).collect()
    }
}
