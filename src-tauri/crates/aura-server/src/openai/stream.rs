//! An answer in OpenAI's format as server-sent events, while it is written.

use std::convert::Infallible;
use std::sync::Arc;

use aura_core::error::Result;
use aura_core::router::Said;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::task::AbortOnDropHandle;

use super::answer::{Called, Used, finish_reason};
use super::error::Refused;
use super::watch::Watch;

/// What the task that writes the answer sends.
pub(super) enum Piece {
    /// The next words.
    Text(String),
    /// The end: all of it, or why it broke off.
    End(Result<Said>),
}

/// What every event of a stream says.
pub(super) struct Head {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) model: String,
    /// Whether the last event says what was used.
    pub(super) told_usage: bool,
}

impl Head {
    fn chunk(&self, choices: Value) -> Value {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if self.told_usage {
            chunk["usage"] = Value::Null; // as OpenAI has it in all but the last
        }
        chunk
    }

    fn delta(&self, delta: Value, finish: Option<&str>) -> Value {
        self.chunk(json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]))
    }
}

struct Writing {
    head: Head,
    next: Option<Piece>,
    written: UnboundedReceiver<Piece>,
    watch: Arc<Watch>,
    begun: bool,
    /// The work ends with the stream: a caller that goes away stops it.
    _work: AbortOnDropHandle<()>,
}

/// The response; the first piece is there already.
pub(super) fn response(
    mut headers: HeaderMap,
    head: Head,
    first: Piece,
    written: UnboundedReceiver<Piece>,
    work: AbortOnDropHandle<()>,
    watch: Arc<Watch>,
) -> Response {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let writing = Writing { head, next: Some(first), written, watch, begun: false, _work: work };
    let events = futures::stream::unfold(Some(writing), |writing| async move {
        let mut writing = writing?;
        let piece = match writing.next.take() {
            Some(piece) => piece,
            None => writing.written.recv().await?,
        };
        let (events, over) = writing.events(piece);
        Some((Ok::<Bytes, Infallible>(events.into()), (!over).then_some(writing)))
    });
    (headers, Body::from_stream(events.boxed())).into_response()
}

fn event(text: &mut String, value: &impl serde::Serialize) {
    // Nothing here fails to be written as JSON: its keys are strings.
    let json = serde_json::to_string(value).unwrap_or_default();
    text.push_str("data: ");
    text.push_str(&json);
    text.push_str("\n\n");
}

impl Writing {
    /// The events of a piece, and whether it was the last.
    fn events(&mut self, piece: Piece) -> (String, bool) {
        let mut out = String::new();
        if !std::mem::replace(&mut self.begun, true) {
            event(&mut out, &self.head.delta(json!({ "role": "assistant", "content": "", "refusal": null }), None));
        }
        match piece {
            Piece::Text(text) => {
                event(&mut out, &self.head.delta(json!({ "content": text }), None));
                (out, false)
            }
            Piece::End(Ok(said)) => {
                for (index, call) in said.calls.iter().enumerate() {
                    let mut call = json!(Called::of(call));
                    call["index"] = json!(index);
                    event(&mut out, &self.head.delta(json!({ "tool_calls": [call] }), None));
                }
                let mut last = self.head.delta(json!({}), Some(finish_reason(&said)));
                last["aura"] = json!(self.watch.provenance());
                event(&mut out, &last);
                if self.head.told_usage {
                    let mut used = self.head.chunk(json!([]));
                    used["usage"] = json!(Used::of(&said.usage));
                    event(&mut out, &used);
                }
                out.push_str("data: [DONE]\n\n");
                (out, true)
            }
            // Clients take an event with `error` for a failure; without `[DONE]` nobody takes this for complete.
            Piece::End(Err(error)) => {
                event(&mut out, &Refused::from(error).body());
                (out, true)
            }
        }
    }
}
