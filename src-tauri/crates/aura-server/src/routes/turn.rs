//! A question from the door to its answer: as one JSON object, or as server-sent events while it comes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::time::{Duration, Instant};

use aura_core::audio::{Pcm, to_i16};
use aura_core::event::{Event, Told};
use aura_core::intent::Step;
use aura_core::record::{Attempt, Notice, StageTrace, TurnRecord};
use aura_core::{Aside, Assistant, Outcome, SOUND_RATE};
use axum::http::{HeaderMap, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::StreamExt;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::Problem;

/// A stream that says nothing for so long says that it is alive.
const ALIVE: Duration = Duration::from_secs(15);

/// What came of a turn, for a route to make its answer of.
pub(crate) struct Done {
    pub(crate) record: TurnRecord,
    /// What the person wants done: the step that the others lead up to.
    pub(crate) intent: Option<Step>,
    /// Every step, in order.
    pub(crate) action_plan: Vec<Step>,
    /// The answer's speech, at [`SOUND_RATE`].
    pub(crate) sound: Vec<f32>,
    pub(crate) took: Duration,
}

impl Done {
    fn of(outcome: Outcome, sound: Vec<f32>, took: Duration) -> Result<Self, Problem> {
        let Outcome { record, plan } = outcome;
        if let Some(error) = record.error {
            let mut problem = Problem::from(error);
            // Every call of the turn, those that answered before it failed as well.
            let attempts: Vec<Attempt> = record.stages.into_iter().flat_map(|stage| stage.attempts).collect();
            if !attempts.is_empty() {
                problem.attempts = attempts;
            }
            return Err(problem);
        }
        let plan = plan.unwrap_or_default();
        Ok(Self { record, intent: plan.intent().cloned(), action_plan: plan.steps, sound, took })
    }

    pub(crate) fn stages(&self) -> Vec<StageTrace> {
        self.record.stages.clone()
    }

    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.record.notices.clone()
    }

    /// The speech as a base64 WAV file; `None` when there is none.
    pub(crate) fn wav(&self) -> Option<String> {
        (!self.sound.is_empty()).then(|| BASE64.encode(wav(&self.sound)))
    }
}

/// Answers a question in the form that the caller asked for. `answer` makes the route's own answer of what came.
pub(crate) async fn respond<T: Serialize + Send + 'static>(
    assistant: &Assistant,
    headers: &HeaderMap,
    question: Aside,
    answer: fn(Done) -> T,
) -> Result<Response, Problem> {
    let began = Instant::now();
    let (mut told, work) = assistant.aside(question);
    if wants_stream(headers) {
        return Ok(stream(told, Box::pin(work), began, answer));
    }
    let outcome = work.await;
    let mut sound = Vec::new();
    while let Ok(told) = told.try_recv() {
        if let Told::Sound(pcm) = told {
            sound.extend(pcm.samples);
        }
    }
    Ok(axum::Json(answer(Done::of(outcome, sound, began.elapsed())?)).into_response())
}

/// Whether the caller asks for server-sent events, and would not rather have JSON.
fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut stream, mut object) = (0.0, 0.0);
    for accepted in accepted.flat_map(|value| value.split(',')) {
        let mut parts = accepted.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let weight = weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        match media.as_str() {
            "text/event-stream" => stream = weight,
            "application/json" => object = weight,
            _ => {}
        }
    }
    stream > 0.0_f32 && stream >= object
}

/// A turn while its caller listens. Dropped with the connection, it stops the turn.
struct Live<T> {
    told: mpsc::UnboundedReceiver<Told>,
    work: Option<Pin<Box<dyn Future<Output = Outcome> + Send>>>,
    /// Events that are ready to be sent.
    ready: VecDeque<sse::Event>,
    sound: Vec<f32>,
    began: Instant,
    answer: fn(Done) -> T,
}

impl<T: Serialize> Live<T> {
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((Ok(event), self));
            }
            let work = self.work.as_mut()?;
            tokio::select! {
                // What happened before the end is told before it.
                biased;
                Some(told) = self.told.recv() => self.hear(told),
                outcome = work => {
                    self.work = None;
                    while let Ok(told) = self.told.try_recv() {
                        self.hear(told);
                    }
                    self.end(outcome);
                }
            }
        }
    }

    fn hear(&mut self, told: Told) {
        let (name, value) = match told {
            Told::Sound(pcm) => {
                let value = sound_event(&pcm);
                self.sound.extend(pcm.samples);
                ("audio", value)
            }
            Told::Event(Event::Stage { stage, .. }) => ("stage", json!({"stage": stage})),
            Told::Event(Event::Transcript { text, .. }) => ("transcript", json!({"text": text})),
            Told::Event(Event::Text { delta, .. }) => ("text", json!({"delta": delta})),
            Told::Event(Event::Attempt { attempt, .. }) => ("attempt", json!(attempt)),
            Told::Event(Event::Notice { notice, .. }) => ("notice", json!(notice)),
            // The end is told by the answer itself; the others are for windows.
            Told::Event(_) => return,
        };
        self.ready.push_back(event(name, &value));
    }

    fn end(&mut self, outcome: Outcome) {
        let sound = std::mem::take(&mut self.sound);
        let last = match Done::of(outcome, sound, self.began.elapsed()) {
            Ok(done) => event("done", &json!((self.answer)(done))),
            Err(problem) => event("error", &json!(problem.body())),
        };
        self.ready.push_back(last);
    }
}

fn stream<T: Serialize + Send + 'static>(
    told: mpsc::UnboundedReceiver<Told>,
    work: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    began: Instant,
    answer: fn(Done) -> T,
) -> Response {
    let live = Live { told, work: Some(work), ready: VecDeque::new(), sound: Vec::new(), began, answer };
    Sse::new(futures::stream::unfold(live, Live::next).boxed())
        .keep_alive(KeepAlive::new().interval(ALIVE))
        .into_response()
}

/// An event of a stream.
pub(crate) fn event(name: &str, value: &Value) -> sse::Event {
    // JSON has no line breaks outside its strings, and in them they are escaped.
    sse::Event::default().event(name).data(value.to_string())
}

/// A piece of speech: 16-bit samples, little-endian, mono.
fn sound_event(pcm: &Pcm) -> Value {
    let bytes: Vec<u8> = pcm.samples.iter().flat_map(|sample| to_i16(*sample).to_le_bytes()).collect();
    json!({"format": "pcm_s16le", "sample_rate": pcm.rate, "channels": 1, "data": BASE64.encode(bytes)})
}

/// A WAV file: 16-bit, mono, at [`SOUND_RATE`]. The header is that of the RIFF format.
pub(crate) fn wav(samples: &[f32]) -> Vec<u8> {
    let data = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX - 36);
    let mut file = Vec::with_capacity(44 + samples.len() * 2);
    file.extend(b"RIFF");
    file.extend((36 + data).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(1_u16.to_le_bytes()); // PCM
    file.extend(1_u16.to_le_bytes()); // channels
    file.extend(SOUND_RATE.to_le_bytes());
    file.extend((SOUND_RATE * 2).to_le_bytes()); // bytes a second
    file.extend(2_u16.to_le_bytes()); // bytes a sample
    file.extend(16_u16.to_le_bytes()); // bits a sample
    file.extend(b"data");
    file.extend(data.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| to_i16(*sample).to_le_bytes()));
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_for_whoever_would_rather_have_it() {
        let wants = |accept: &'static str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, axum::http::HeaderValue::from_static(accept))]);
            wants_stream(&headers)
        };
        for yes in [
            "text/event-stream",
            "Text/Event-Stream; q=0.5",
            "application/json, text/event-stream",
            "application/json;q=0.5, text/event-stream;q=0.9",
        ] {
            assert!(wants(yes), "{yes}");
        }
        for no in [
            "",
            "*/*",
            "application/json",
            "text/event-stream;q=0",
            "application/json, text/event-stream;q=0.1",
            "text/event-stream;q=nonsense",
        ] {
            assert!(!wants(no), "{no}");
        }
    }
}
