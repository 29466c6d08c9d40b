//! Speech to text with failover.

use std::time::Duration;

use aura_providers::{Failure, FailureKind, Transcript, TranscriptionRequest};
use futures::FutureExt;
use tokio::time::timeout_at;

use crate::attempt::Observer;
use crate::cost::LocalCount;
use crate::error::Result;
use crate::failover::{Call, CallOutcome, Failover};
use crate::outcome::{Routed, char_count, timed_out};
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
        let mut failover = Failover::new(self, plan, observer);
        let start = |call: Call| transcribe(call, request.clone(), has_speech).boxed();
        match failover.start(&start).await {
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
    if has_speech && transcript.text.is_empty() {
        let usage = Some(Box::new(transcript.usage));
        let failure = Failure::new(FailureKind::Empty, "The transcript of a recording with speech was empty.");
        return Err(Failure { usage, ..failure });
    }
    if request.words && transcript.words.is_empty() && !transcript.text.is_empty() {
        let usage = Some(Box::new(transcript.usage));
        let failure = Failure::new(FailureKind::Unsupported, "This model does not report the times of words.");
        return Err(Failure { usage, ..failure });
    }
    Ok(transcript)
}
