//! Speech streamed as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use aura_audio::Pcm;
use aura_core::Assistant;
use aura_core::error::{Error, Result};
use aura_router::{RoutePlan, Sink};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::format::{AudioFormat, SpeechFile};
use crate::chat_stream::push_event;
use crate::openai::error::ApiError;
use crate::openai::request_trace::RequestTrace;

/// Pieces of speech queued for a client that reads slowly. When the queue is full, the provider's stream is read no further.
const QUEUE: usize = 8;
/// The most bytes of sound in one event.
const MAX_DELTA: usize = 32 * 1024;

/// Streamed speech whose first sound has arrived.
pub(super) struct SpeechEvents {
    /// The first piece, until it is sent.
    first: Option<Piece>,
    pieces: mpsc::Receiver<Piece>,
    file: SpeechFile,
    trace: Arc<RequestTrace>,
    /// The task that runs the request. Aborted when the client disconnects.
    _task: AbortOnDropHandle<()>,
}

enum Piece {
    Sound(Pcm),
    End(Result<()>),
}

/// Queues sound for the response. Waits while the queue is full.
struct QueueSink(mpsc::Sender<Piece>);

impl Sink<Pcm> for QueueSink {
    async fn send(&mut self, pcm: Pcm) {
        // The send fails only after the client disconnected, which aborts this task anyway.
        let _ = self.0.send(Piece::Sound(pcm)).await;
    }
}

impl SpeechEvents {
    /// Starts to speak and waits for the first sound: until then, failover stays invisible to the client.
    ///
    /// # Errors
    /// When every route failed before the first sound.
    pub(super) async fn start(
        assistant: Assistant,
        plan: RoutePlan,
        text: String,
        format: AudioFormat,
        trace: Arc<RequestTrace>,
    ) -> Result<Self> {
        let (sender, mut pieces) = mpsc::channel(QUEUE);
        let observer = trace.clone();
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut sink = QueueSink(sender.clone());
            let result = assistant.speak(&plan, &text, &*observer, &mut sink).await;
            let _ = sender.send(Piece::End(result.map(drop))).await;
        }));
        match pieces.recv().await {
            Some(Piece::End(Err(error))) => Err(error),
            Some(first) => Ok(Self { first: Some(first), pieces, file: SpeechFile::new(format), trace, _task: task }),
            None => Err(Error::internal("the task that speaks ended early")),
        }
    }

    /// The response that streams the events. `headers` are added to it.
    pub(super) fn into_response(self, mut headers: HeaderMap) -> Response {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        let events = futures::stream::unfold(Some(self), |state| async move {
            let mut events = state?;
            let piece = match events.first.take() {
                Some(piece) => piece,
                None => events.pieces.recv().await?,
            };
            let mut out = String::new();
            match piece {
                Piece::Sound(pcm) => {
                    events.file.push(&pcm);
                    push_sound(&mut out, &events.file.take());
                    Some((Ok::<Bytes, Infallible>(out.into()), Some(events)))
                }
                Piece::End(result) => {
                    events.end(result, &mut out).await;
                    Some((Ok(out.into()), None))
                }
            }
        });
        (headers, Body::from_stream(events.boxed())).into_response()
    }

    /// Writes the rest of the sound and the last event, or why there is none.
    async fn end(self, result: Result<()>, out: &mut String) {
        let Self { file, trace, .. } = self;
        let rest = match result {
            Ok(()) => tokio::task::spawn_blocking(|| file.finish()).await.map_err(Error::internal).flatten(),
            Err(error) => Err(error),
        };
        match rest {
            Ok(rest) => {
                push_sound(out, &rest);
                let done = json!({"type": "speech.audio.done", "usage": usage(&trace), "aura": trace.provenance()});
                push_event(out, "", &done);
            }
            // Clients treat an event with `error` as a failure.
            Err(error) => push_event(out, "", &ApiError::from(error).into_body()),
        }
    }
}

fn push_sound(out: &mut String, sound: &[u8]) {
    for piece in sound.chunks(MAX_DELTA) {
        push_event(out, "", &json!({"type": "speech.audio.delta", "audio": STANDARD.encode(piece)}));
    }
}

/// The tokens of all calls that counted any; null when none did.
fn usage(trace: &RequestTrace) -> Option<Value> {
    let (input, output) = trace.tokens()?;
    Some(json!({"input_tokens": input, "output_tokens": output, "total_tokens": input + output}))
}
