//! Interrupt: in hands-free use, speech stops an answer and is the next question.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use aura_audio::{EchoCanceller, Mixdown, SPEECH_RATE, VoiceActivity, from_i16, rms};

use super::hands_free::{HandsFree, StartedRecording, is_stop};
use super::turn::{Phase, Turn};
use super::voice::Voice;
use crate::error::Result;

/// The speech that interrupts an answer. Less is a cough, or an echo that is not removed yet.
const INTERRUPTION: Duration = Duration::from_millis(176);
/// The least level of speech that interrupts an answer: -46 dB full scale. What remains of an echo is quieter.
const MIN_LEVEL: f32 = 0.005;
/// What is kept of the sound before the moment of an interruption: the speech that was needed to notice it, which may first pass for residual
/// echo, and a margin.
const KEPT: usize = SPEECH_RATE as usize;
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
        let chosen = self.config.settings.listening.microphone.as_deref();
        let (mut recording, _) = self.context.ports.microphone.record_or_default(chosen).await?;
        let (mut echo, mut activity) = (EchoCanceller::default(), VoiceActivity::default());
        let mut reference: Option<Reference> = None;
        let mut kept = Vec::new();
        loop {
            let Some(block) = recording.next().await else { std::future::pending().await };
            let block = block?;
            if reference.is_none() {
                reference = self.voice().filter(|voice| voice.has_begun()).map(Reference::new);
            }
            match &mut reference {
                Some(reference) => echo.played(reference.next(block.len())),
                None => echo.played(std::iter::repeat_n(0.0, block.len())),
            }
            let clean = echo.recorded(&block);
            activity.push(&clean);
            kept.extend_from_slice(&clean);
            kept.drain(..kept.len().saturating_sub(KEPT));
            // Until the first sound, the person may still be finishing the question.
            let may_speak = reference.is_some() || self.phase() == Phase::Asking;
            let is_speech = may_speak && activity.run() >= INTERRUPTION;
            if is_speech && rms(&kept[kept.len().saturating_sub(SPEECH_RATE as usize / 8)..]) > MIN_LEVEL {
                if !echo.has_residual_echo() {
                    return Ok(StartedRecording { recording, samples: kept });
                }
                tracing::debug!("residual echo passed for speech");
                activity = VoiceActivity::default();
            }
        }
    }
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
