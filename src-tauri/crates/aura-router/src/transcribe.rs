//! Speech to text with failover.

use std::time::Duration;

use aura_providers::{Failure, FailureKind, Transcript, TranscriptionRequest, TranscriptionSession};
use futures::FutureExt;
use tokio::time::timeout_at;

use crate::attempt::Observer;
use crate::cost::LocalCount;
use crate::error::Result;
use crate::failover::{Call, CallOutcome, Failover, InFlight};
use crate::live::LiveTranscription;
use crate::outcome::{Routed, char_count, check_text, timed_out};
use crate::plan::RoutePlan;
use crate::router::Router;

impl Router {
    /// Transcribes a recording. With `has_speech`, the recording is known to contain speech: an empty transcript then counts as a
    /// failure, and the next route is tried. When every route returns an empty transcript, the result is an empty one and no error.
    /// A request for the times of words goes on to the next route, too, when a route reports none.
    ///
    /// # Errors
    /// When every route failed, or one failed in a way that rules out the others; see [`retry_policy`](crate::retry_policy).
    pub async fn transcribe(
        &self,
        plan: &RoutePlan,
        request: &TranscriptionRequest,
        has_speech: bool,
        observer: &dyn Observer,
    ) -> Result<Routed<Transcript>> {
        let failover = Failover::new(self, plan, observer);
        Box::pin(self.transcribe_with(failover, None, request, has_speech)).await
    }

    /// Ends an upload and transcribes its recording like [`Router::transcribe`]: the upload is the first call. `request` has the whole
    /// recording, which is sent when the upload fails, or when another route comes first by now.
    ///
    /// # Errors
    /// The same as those of [`Router::transcribe`].
    pub async fn finish_upload(
        &self,
        upload: LiveTranscription,
        plan: &RoutePlan,
        request: &TranscriptionRequest,
        has_speech: bool,
        observer: &dyn Observer,
    ) -> Result<Routed<Transcript>> {
        let failover = Failover::new(self, plan, observer);
        let session = if failover.next_route() == upload.route() {
            upload.into_session()
        } else {
            observer.attempt(&upload.cancel());
            None
        };
        Box::pin(self.transcribe_with(failover, session, request, has_speech)).await
    }

    /// Its callers box it: the future of a whole question has room for it.
    async fn transcribe_with(
        &self,
        mut failover: Failover<'_>,
        upload: Option<TranscriptionSession>,
        request: &TranscriptionRequest,
        has_speech: bool,
    ) -> Result<Routed<Transcript>> {
        let start = |call: Call| transcribe(call, request.clone(), has_speech).boxed();
        let uploaded = match upload {
            Some(session) => self.finish_upload_session(&mut failover, session, has_speech).await,
            None => Ok(None),
        };
        let transcribed = match uploaded {
            Ok(Some(transcribed)) => Ok(transcribed),
            Ok(None) => failover.start(&start).await,
            Err(error) => Err(error),
        };
        match transcribed {
            Ok((transcript, in_flight)) => {
                let measured = LocalCount {
                    output_chars: char_count(&transcript.text),
                    input_seconds: request.duration.as_secs_f32(),
                    ..LocalCount::default()
                };
                let outcome = CallOutcome { usage: transcript.usage.clone(), measured, ..CallOutcome::default() };
                failover.succeeded(&in_flight, outcome);
                Ok(Routed { value: transcript, route: in_flight.route })
            }
            // When no route found anything to transcribe, that is the result.
            Err(error) => match failover.attempts().last() {
                Some(last) if failover.attempts().iter().all(|attempt| attempt.kind == Some(FailureKind::Empty)) => {
                    Ok(Routed { value: Transcript::default(), route: last.route.clone() })
                }
                _ => Err(error),
            },
        }
    }

    /// Waits for the transcript of an upload to the next route. `None` when it failed and another call is to be made.
    ///
    /// # Errors
    /// When it failed, and the retry policy gives up or no route is left.
    async fn finish_upload_session(
        &self,
        failover: &mut Failover<'_>,
        session: TranscriptionSession,
        has_speech: bool,
    ) -> Result<Option<(Transcript, InFlight)>> {
        let (call, in_flight) = failover.begin_upload();
        let transcript =
            timeout_at(call.due(), session.finish()).await.unwrap_or_else(|_| Err(timed_out("transcript")));
        let failures = &self.0.live_failures;
        match transcript.and_then(|transcript| check_text(transcript, has_speech)) {
            Ok(transcript) => {
                failures.record(&in_flight.route.provider, false);
                Ok(Some((transcript, in_flight)))
            }
            // Perhaps the provider takes no request without a length, or does not wait for one that takes long.
            Err(failure) if is_about_upload(failure.kind) => {
                failures.record(&in_flight.route.provider, true);
                failover.upload_failed(&in_flight, &failure);
                Ok(None)
            }
            Err(failure) => {
                failover.failed(&in_flight, &failure, CallOutcome::default()).await?;
                Ok(None)
            }
        }
    }
}

/// Whether the same provider may take the whole recording, after an upload failed in this way.
fn is_about_upload(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::InvalidRequest | FailureKind::Unsupported | FailureKind::Interrupted)
}

/// Makes one call.
async fn transcribe(call: Call, request: TranscriptionRequest, has_speech: bool) -> Result<Transcript, Failure> {
    let Some(stt) = &call.services.stt else {
        return Err(Failure::new(FailureKind::Unsupported, "This provider does not offer transcription."));
    };
    let request =
        TranscriptionRequest { model: call.route.model.clone(), raise_max_tokens: call.raise_max_tokens, ..request };
    // A model on this computer hears no faster than its processor allows.
    let extra = if call.is_local { request.duration } else { Duration::ZERO };
    let due = (call.due() + extra).min(call.deadline);
    let transcript =
        timeout_at(due, stt.transcribe(&request)).await.unwrap_or_else(|_| Err(timed_out("transcript")))?;
    let transcript = check_text(transcript, has_speech)?;
    if request.words && transcript.words.is_empty() && !transcript.text.is_empty() {
        let usage = Some(Box::new(transcript.usage));
        let failure = Failure::new(FailureKind::Unsupported, "This model does not report the times of words.");
        return Err(Failure { usage, ..failure });
    }
    Ok(transcript)
}
