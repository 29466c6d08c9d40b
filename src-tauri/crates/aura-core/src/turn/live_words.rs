//! Live transcription: the question goes out while it is recorded, and its words are shown where the provider recognises them meanwhile. The
//! recording is complete all the same: when anything goes wrong, it is sent as a whole.

use std::time::Duration;

use aura_audio::VoiceActivity;
use aura_providers::{Service, StreamingRequest, Transcript};
use aura_router::{LiveTranscription, Observer, Routed};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::recorded_speech::{RecordedSpeech, begin_of_speech, end_of_speech};
use super::turn::Turn;
use crate::error::Result;
use crate::event::Event;

/// How long the transcript of live speech may take after the recording has ended. Then the recording is sent as a whole.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// The least time between two changes that are shown: 20 per second.
const INTERVAL: Duration = Duration::from_millis(50);

/// The live transcription of one recording.
pub(super) enum LiveWords<'a> {
    /// Nothing is sent: nobody has spoken yet.
    Waiting,
    /// The recording is sent from its first speech on.
    Running(Box<Running<'a>>),
    /// Nothing is sent before the recording has ended.
    Off,
}

/// A transcription that runs. When it is dropped, the turn has an attempt that was cancelled.
pub(super) struct Running<'a> {
    turn: &'a Turn,
    /// `None` once it is being finished.
    transcription: Option<LiveTranscription>,
    /// Samples of the recording that were sent, or lie before the speech.
    sent: usize,
    /// Shows the words.
    _shown: Option<AbortOnDropHandle<()>>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(transcription) = self.transcription.take() {
            self.turn.attempt(&transcription.cancel());
        }
    }
}

impl Turn {
    /// Live words for a recording that begins.
    pub(super) fn live_words(&self) -> LiveWords<'_> {
        if self.config.settings.listening.streaming { LiveWords::Waiting } else { LiveWords::Off }
    }

    /// Sends what was recorded since the last time, once somebody speaks. Silence before the first speech is never sent.
    pub(super) fn hear<'a>(&'a self, live: &mut LiveWords<'a>, samples: &[i16], activity: &VoiceActivity) {
        if matches!(live, LiveWords::Waiting)
            && let Some(begin) = begin_of_speech(activity)
        {
            *live = self.begin_live(begin);
        }
        if let LiveWords::Running(running) = live
            && let Some(transcription) = &mut running.transcription
        {
            // An upload is the same as the recording that is sent at its end: a pause is sent only once somebody speaks after it.
            let end = match transcription.is_upload() {
                true => end_of_speech(activity, samples.len()).max(running.sent),
                false => samples.len(),
            };
            transcription.push(&samples[running.sent..end]);
            running.sent = end;
        }
    }

    fn begin_live(&self, begin: usize) -> LiveWords<'_> {
        let listening = &self.config.settings.listening;
        let request = StreamingRequest {
            language: listening.language.clone(),
            vocabulary: listening.vocabulary.clone(),
            ..StreamingRequest::default()
        };
        // Without a plan, the transcription says why.
        let Ok(plan) = self.plan(Service::Stt) else { return LiveWords::Off };
        let Some(transcription) = self.context.router.transcribe_live(&plan, request) else { return LiveWords::Off };
        let _shown = transcription.partial().map(|mut partial| {
            let (events, turn) = (self.context.events.clone(), self.id.clone());
            AbortOnDropHandle::new(tokio::spawn(async move {
                while partial.changed().await.is_ok() {
                    let next = Instant::now() + INTERVAL;
                    let words = partial.borrow_and_update().clone();
                    let (committed, tentative) = (words.committed, words.tentative);
                    events.send(Event::Partial { turn: turn.clone(), committed, tentative });
                    sleep_until(next).await;
                }
            }))
        });
        let transcription = Some(transcription);
        LiveWords::Running(Box::new(Running { turn: self, transcription, sent: begin, _shown }))
    }

    /// The transcript of a recording that has ended.
    ///
    /// # Errors
    /// When every route failed.
    pub(super) async fn finish_transcript(
        &self,
        live: LiveWords<'_>,
        recorded: &RecordedSpeech,
    ) -> Result<Routed<Transcript>> {
        let mut upload = None;
        if let LiveWords::Running(mut running) = live
            && let Some(transcription) = running.transcription.take()
        {
            if transcription.is_upload() {
                upload = Some(transcription);
            } else if let Ok(transcript) = transcription.finish(PATIENCE, true, self).await {
                // Something was spoken, else nothing would have been sent. A failure is in the attempts of the turn.
                return Ok(transcript);
            }
        }
        self.recognise(recorded, upload).await
    }
}
