//! Live transcription: audio goes to the first route of a plan while it is recorded. No other route is tried: whoever records has the whole
//! recording, and sends it by [`Router::transcribe`] when this fails. An upload, of which nothing is recognised before its end, is finished by
//! [`Router::finish_upload`], which goes on with the whole recording and the other routes by itself.

use std::time::Duration;

use aura_audio::SPEECH_RATE;
use aura_providers::{
    Failure, FailureKind, PartialTranscript, Service, StreamingRequest, Transcript, TranscriptionSession, Usage,
};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::attempt::{Attempt, Observer, Route, RouteNotice};
use crate::cost::{self, LocalCount};
use crate::failover::LOCAL_WORK;
use crate::health::CircuitState;
use crate::outcome::{Routed, char_count, check_text, timed_out};
use crate::plan::{Candidate, RoutePlan};
use crate::router::Router;

/// A transcription of what is being recorded. Dropping it is the same as [`LiveTranscription::cancel`].
pub struct LiveTranscription {
    router: Router,
    candidate: Candidate,
    route: Route,
    keys_read_at: Instant,
    notices: Vec<RouteNotice>,
    /// `None` once it is being finished.
    session: Option<TranscriptionSession>,
    /// Samples sent.
    samples: usize,
    /// When the recording ended; before that, when the call began.
    since: Instant,
    is_recorded: bool,
}

impl Router {
    /// Begins to transcribe what will be recorded by the first route of a plan. `None` when it takes no audio before its end, its circuit is
    /// not closed, or this failed with it twice in the last minutes. Must be called on a Tokio runtime. `request` needs no
    /// model.
    pub fn transcribe_live(&self, plan: &RoutePlan, request: StreamingRequest) -> Option<LiveTranscription> {
        let candidate = plan.first();
        let provider = &candidate.route.provider;
        let stt = candidate.services.streaming_stt.as_ref()?;
        let model = stt.streaming_model(&candidate.route.model)?;
        let (circuit, _) = self.0.monitor.circuits.state(provider, Service::Stt);
        let is_missing = self.0.lists.known().is_missing(provider, &model);
        if circuit != CircuitState::Closed || is_missing || self.0.live_failures.is_paused(provider) {
            return None;
        }
        let route = Route { model: model.clone(), ..candidate.route.clone() };
        let session = stt.stream(StreamingRequest { model, ..request });
        Some(LiveTranscription {
            router: self.clone(),
            candidate: candidate.clone(),
            route,
            keys_read_at: plan.keys_read_at,
            notices: plan.notices.clone(),
            session: Some(session),
            samples: 0,
            since: Instant::now(),
            is_recorded: false,
        })
    }
}

impl LiveTranscription {
    /// The route that is called, with the model for live speech.
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// Adds recorded samples: mono, at [`SPEECH_RATE`]. Never waits.
    pub fn push(&mut self, samples: &[i16]) {
        if let Some(session) = self.session.as_mut().filter(|session| !session.has_ended()) {
            self.samples += samples.len();
            session.push(samples);
        }
    }

    /// What was recognised so far, and its changes; closed when the transcription ends. `None` for an upload.
    pub fn partial(&self) -> Option<watch::Receiver<PartialTranscript>> {
        self.session.as_ref()?.partial()
    }

    /// Whether the audio is the body of an ordinary request, of which nothing is recognised before its end.
    pub fn is_upload(&self) -> bool {
        self.session.as_ref().is_some_and(TranscriptionSession::is_upload)
    }

    /// Ends the call without a transcript. Returns the attempt, which is recorded as cancelled.
    pub fn cancel(mut self) -> Attempt {
        self.record(&Err(Failure::new(FailureKind::Cancelled, "Stopped.")))
    }

    /// The session, for a caller that records the call itself.
    pub(crate) fn into_session(mut self) -> Option<TranscriptionSession> {
        self.is_recorded = true;
        self.session.take()
    }

    /// Ends the recording and waits for the transcript, no longer than `within`; a model on this computer gets the time that it needs. With `has_speech`, an empty transcript counts as a failure.
    /// The call is recorded as one attempt, whose latency counts from now.
    ///
    /// # Errors
    /// When the call failed at any time since its begin, or the transcript did not come in time.
    pub async fn finish(
        mut self,
        within: Duration,
        has_speech: bool,
        observer: &dyn Observer,
    ) -> Result<Routed<Transcript>, Failure> {
        self.since = Instant::now();
        let Some(session) = self.session.take() else { return Err(timed_out("transcript")) };
        let runs_locally = self.candidate.services.streaming_stt.as_ref().is_some_and(|stt| stt.runs_locally());
        let within = if runs_locally { LOCAL_WORK } else { within };
        let ended = timeout(within, session.finish()).await.unwrap_or_else(|_| Err(timed_out("transcript")));
        let result = ended.and_then(|transcript| check_text(transcript, has_speech));
        let attempt = self.record(&result);
        if let Err(failure) = &result {
            tracing::info!(provider = self.route.provider, kind = failure.kind.as_str(), "live transcription failed");
        } else {
            self.notices.iter().for_each(|notice| observer.notice(notice.clone()));
        }
        observer.attempt(&attempt);
        result.map(|value| Routed { value, route: self.route.clone() })
    }

    /// Records the end of the call: cost, circuit, health and usage.
    fn record(&mut self, result: &Result<Transcript, Failure>) -> Attempt {
        self.is_recorded = true;
        let failure = result.as_ref().err();
        let seconds = self.samples as f32 / SPEECH_RATE as f32;
        let output_chars = result.as_ref().map_or(0, |transcript| char_count(&transcript.text));
        let measured = LocalCount { input_seconds: seconds, output_chars, ..LocalCount::default() };
        let reported = match result {
            Ok(transcript) => transcript.usage.clone(),
            Err(failure) => failure.usage.as_deref().cloned().unwrap_or_default(),
        };
        let usage = match result {
            Ok(_) => Usage { audio_seconds: reported.audio_seconds.or(Some(seconds)), ..reported },
            Err(_) => reported,
        };
        let cost = cost::cost(
            self.router.catalog(),
            &self.candidate.catalog_id,
            self.candidate.is_local,
            &self.route.model,
            failure.map(|failure| failure.kind),
            &usage,
            measured,
        );
        let attempt = Attempt {
            service: Service::Stt,
            route: self.route.clone(),
            ms: u32::try_from(self.since.elapsed().as_millis()).unwrap_or(u32::MAX),
            first_ms: None,
            kind: failure.map(|failure| failure.kind),
            message: failure.map(|failure| failure.message.clone()),
            usage,
            cost,
        };
        if failure.is_none_or(|failure| failure.kind != FailureKind::Cancelled) {
            self.router.0.live_failures.record(&self.route.provider, failure.is_some());
        }
        self.router.record(&attempt, failure, self.keys_read_at, self.candidate.services.models.as_ref());
        attempt
    }
}

impl Drop for LiveTranscription {
    fn drop(&mut self) {
        if !self.is_recorded {
            self.record(&Err(Failure::new(FailureKind::Cancelled, "Stopped.")));
        }
    }
}

impl std::fmt::Debug for LiveTranscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveTranscription").field("route", &self.route).finish_non_exhaustive()
    }
}
