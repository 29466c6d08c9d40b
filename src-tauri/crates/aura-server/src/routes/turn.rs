//! Runs one turn for a request, and responds with a JSON object or with server-sent events while the turn runs.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::{Duration, Instant};

use aura_audio::{Pcm, to_i16};
use aura_core::event::{Event, TurnUpdate};
use aura_core::intent::ActionStep;
use aura_core::record::{Notice, StageTrace, TurnRecord};
use aura_core::{DetachedTurn, TurnOutcome};
use aura_router::Attempt;
use axum::http::{HeaderMap, header};
use axum::response::sse::Event as SseEvent;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::sse::{self, event};
use crate::wav::wav;
use crate::{LocalApi, Problem};

/// A turn that succeeded, from which a route builds its response body.
pub(crate) struct TurnReply {
    pub(crate) record: TurnRecord,
    /// What the user wants done: the step that the other steps lead up to.
    pub(crate) intent: Option<ActionStep>,
    /// Every step, in order.
    pub(crate) action_plan: Vec<ActionStep>,
    /// The spoken answer, at [`aura_core::ANSWER_RATE`].
    pub(crate) speech: Vec<f32>,
    /// From the request to the end of the turn.
    pub(crate) duration: Duration,
}

impl TurnReply {
    fn new(outcome: TurnOutcome, speech: Vec<f32>, duration: Duration) -> Result<Self, Problem> {
        let TurnOutcome { record, plan } = outcome;
        if let Some(error) = record.error {
            let mut problem = Problem::from(error);
            // Every call of the turn, including those of the stages that succeeded.
            let attempts: Vec<Attempt> = record.stages.into_iter().flat_map(|stage| stage.attempts).collect();
            if !attempts.is_empty() {
                problem.attempts = attempts;
            }
            return Err(problem);
        }
        let plan = plan.unwrap_or_default();
        Ok(Self { record, intent: plan.intent().cloned(), action_plan: plan.steps, speech, duration })
    }

    pub(crate) fn stages(&self) -> Vec<StageTrace> {
        self.record.stages.clone()
    }

    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.record.notices.clone()
    }

    /// The speech as a WAV file in base64; `None` when there is none.
    pub(crate) fn speech_wav(&self) -> Option<String> {
        (!self.speech.is_empty()).then(|| BASE64.encode(wav(&self.speech)))
    }
}

/// Runs a turn and responds in the format that the request accepts. `to_body` builds the route's response body.
pub(crate) async fn respond<T: Serialize + Send + 'static>(
    api: &LocalApi,
    headers: &HeaderMap,
    question: DetachedTurn,
    to_body: fn(TurnReply) -> T,
) -> Result<Response, Problem> {
    let started = Instant::now();
    let (mut updates, turn) = api.assistant.detached(question);
    if prefers_events(headers) {
        let stream = TurnStream {
            updates,
            turn: Some(Box::pin(turn)),
            ready: VecDeque::new(),
            speech: Vec::new(),
            started,
            to_body,
        };
        return Ok(sse::response(futures::stream::unfold(stream, TurnStream::next), api.limits.keep_alive));
    }
    let collect = async move {
        let mut speech = Vec::new();
        while let Some(update) = updates.recv().await {
            if let TurnUpdate::Sound(pcm) = update {
                speech.extend(pcm.samples);
            }
        }
        speech
    };
    let (outcome, speech) = tokio::join!(turn, collect);
    Ok(axum::Json(to_body(TurnReply::new(outcome, speech, started.elapsed())?)).into_response())
}

/// Whether the request accepts server-sent events at least as much as JSON.
fn prefers_events(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut events, mut json) = (0.0, 0.0);
    for range in accept.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let weight = weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        match media.as_str() {
            "text/event-stream" => events = weight,
            "application/json" => json = weight,
            _ => {}
        }
    }
    events > 0.0_f32 && events >= json
}

/// A running turn as a stream of events. Dropped with the connection, which stops the turn.
struct TurnStream<T> {
    updates: mpsc::Receiver<TurnUpdate>,
    /// `None` once the turn ended.
    turn: Option<Pin<Box<dyn Future<Output = TurnOutcome> + Send>>>,
    /// Events to send next.
    ready: VecDeque<SseEvent>,
    speech: Vec<f32>,
    started: Instant,
    to_body: fn(TurnReply) -> T,
}

impl<T: Serialize> TurnStream<T> {
    async fn next(mut self) -> Option<(SseEvent, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((event, self));
            }
            let turn = self.turn.as_mut()?;
            tokio::select! {
                // Updates are sent before the end of the turn.
                biased;
                Some(update) = self.updates.recv() => self.on_update(update),
                outcome = turn => {
                    self.turn = None;
                    while let Ok(update) = self.updates.try_recv() {
                        self.on_update(update);
                    }
                    self.on_end(outcome);
                }
            }
        }
    }

    fn on_update(&mut self, update: TurnUpdate) {
        let (name, value) = match update {
            TurnUpdate::Sound(pcm) => {
                let value = audio_event(&pcm);
                self.speech.extend(pcm.samples);
                ("audio", value)
            }
            TurnUpdate::Event(Event::Stage { stage, .. }) => ("stage", json!({"stage": stage})),
            TurnUpdate::Event(Event::Transcript { text, .. }) => ("transcript", json!({"text": text})),
            TurnUpdate::Event(Event::Text { delta, .. }) => ("text", json!({"delta": delta})),
            TurnUpdate::Event(Event::Attempt { attempt, .. }) => ("attempt", json!(attempt)),
            TurnUpdate::Event(Event::Notice { notice, .. }) => ("notice", json!(notice)),
            // The end is sent by `on_end`; all other events are for windows.
            TurnUpdate::Event(_) => return,
        };
        self.ready.push_back(event(name, &value));
    }

    fn on_end(&mut self, outcome: TurnOutcome) {
        let speech = std::mem::take(&mut self.speech);
        let last = match TurnReply::new(outcome, speech, self.started.elapsed()) {
            Ok(reply) => event("done", &json!((self.to_body)(reply))),
            Err(problem) => event("error", &json!(problem.body())),
        };
        self.ready.push_back(last);
    }
}

/// A chunk of speech: 16-bit samples, little-endian, mono.
fn audio_event(pcm: &Pcm) -> Value {
    let bytes: Vec<u8> = pcm.samples.iter().flat_map(|sample| to_i16(*sample).to_le_bytes()).collect();
    json!({"format": "pcm_s16le", "sample_rate": pcm.rate, "channels": 1, "data": BASE64.encode(bytes)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_streamed_only_if_accepted_at_least_as_much_as_json() {
        let prefers = |accept: &'static str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, axum::http::HeaderValue::from_static(accept))]);
            prefers_events(&headers)
        };
        for yes in [
            "text/event-stream",
            "Text/Event-Stream; q=0.5",
            "application/json, text/event-stream",
            "application/json;q=0.5, text/event-stream;q=0.9",
        ] {
            assert!(prefers(yes), "{yes}");
        }
        for no in [
            "",
            "*/*",
            "application/json",
            "text/event-stream;q=0",
            "application/json, text/event-stream;q=0.1",
            "text/event-stream;q=nonsense",
        ] {
            assert!(!prefers(no), "{no}");
        }
    }
}
