//! A chat completion in OpenAI's format, streamed as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use aura_core::error::Result;
use aura_router::ChatResponse;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc::Receiver;
use tokio_util::task::AbortOnDropHandle;

use super::completion::{AssistantToolCall, TokenUsage, finish_reason};
use super::error::ApiError;
use super::request_trace::{Provenance, RequestTrace};

/// An item from the task that runs the request.
pub(super) enum StreamItem {
    /// The next part of the answer.
    Text(String),
    /// The end: the whole answer, or why it failed.
    End(Result<ChatResponse>),
}

/// The fields that every chunk repeats.
pub(super) struct ChunkHead {
    /// The id of the completion.
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) created: i64,
    /// The route, as `provider/model`.
    pub(super) model: String,
    /// Whether the last chunk has the token usage.
    pub(super) include_usage: bool,
}

/// A `chat.completion.chunk`. Borrows its fields, so a chunk allocates only the text that is sent.
#[derive(Serialize)]
struct Chunk<'a, D> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: &'a [ChunkChoice<'a, D>],
    /// As in OpenAI's API: absent unless requested, and `null` in every chunk but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<TokenUsage>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aura: Option<Provenance>,
}

#[derive(Serialize)]
struct ChunkChoice<'a, D> {
    index: u32,
    delta: D,
    logprobs: Option<()>,
    finish_reason: Option<&'a str>,
}

/// The first delta, with the role.
#[derive(Serialize)]
struct RoleDelta {
    role: &'static str,
    content: &'static str,
    refusal: Option<()>,
}

#[derive(Serialize)]
struct TextDelta<'a> {
    content: &'a str,
}

#[derive(Serialize)]
struct EmptyDelta {}

impl ChunkHead {
    fn chunk<'a, D>(&'a self, choices: &'a [ChunkChoice<'a, D>]) -> Chunk<'a, D> {
        Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage: self.include_usage.then_some(None),
            aura: None,
        }
    }
}

/// The only choice of a chunk.
fn choice<D>(delta: D, finish_reason: Option<&str>) -> [ChunkChoice<'_, D>; 1] {
    [ChunkChoice { index: 0, delta, logprobs: None, finish_reason }]
}

/// A stream in progress.
struct ChunkStream {
    head: ChunkHead,
    /// The first item, until it is sent.
    first: Option<StreamItem>,
    items: Receiver<StreamItem>,
    trace: Arc<RequestTrace>,
    /// Whether the delta with the role was sent.
    has_started: bool,
    /// The task that runs the request. Aborted when the client disconnects.
    _task: AbortOnDropHandle<()>,
}

/// The response. Its first item has already arrived.
pub(super) fn response(
    mut headers: HeaderMap,
    head: ChunkHead,
    first: StreamItem,
    items: Receiver<StreamItem>,
    task: AbortOnDropHandle<()>,
    trace: Arc<RequestTrace>,
) -> Response {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let stream = ChunkStream { head, first: Some(first), items, trace, has_started: false, _task: task };
    let events = futures::stream::unfold(Some(stream), |stream| async move {
        let mut stream = stream?;
        let item = match stream.first.take() {
            Some(item) => item,
            None => stream.items.recv().await?,
        };
        let (events, is_last) = stream.events(item);
        Some((Ok::<Bytes, Infallible>(events.into()), (!is_last).then_some(stream)))
    });
    (headers, Body::from_stream(events.boxed())).into_response()
}

/// Appends an event with JSON data.
fn push_event(text: &mut String, value: &impl Serialize) {
    // Serializing these types cannot fail: every key is a string.
    let json = serde_json::to_string(value).unwrap_or_default();
    text.push_str("data: ");
    text.push_str(&json);
    text.push_str("\n\n");
}

impl ChunkStream {
    /// The events of an item, and whether it was the last.
    fn events(&mut self, item: StreamItem) -> (String, bool) {
        let mut out = String::new();
        if !std::mem::replace(&mut self.has_started, true) {
            let delta = RoleDelta { role: "assistant", content: "", refusal: None };
            push_event(&mut out, &self.head.chunk(&choice(delta, None)));
        }
        match item {
            StreamItem::Text(text) => {
                push_event(&mut out, &self.head.chunk(&choice(TextDelta { content: &text }, None)));
                (out, false)
            }
            StreamItem::End(Ok(response)) => {
                for (index, call) in response.tool_calls.iter().enumerate() {
                    let mut call = json!(AssistantToolCall::new(call));
                    call["index"] = json!(index);
                    push_event(&mut out, &self.head.chunk(&choice(json!({ "tool_calls": [call] }), None)));
                }
                let last = choice(EmptyDelta {}, Some(finish_reason(&response)));
                push_event(&mut out, &Chunk { aura: Some(self.trace.provenance()), ..self.head.chunk(&last) });
                if self.head.include_usage {
                    let usage = Some(TokenUsage::new(&response.usage));
                    push_event(&mut out, &Chunk { usage, ..self.head.chunk::<EmptyDelta>(&[]) });
                }
                out.push_str("data: [DONE]\n\n");
                (out, true)
            }
            // Clients treat an event with `error` as a failure, and a stream without `[DONE]` as incomplete.
            StreamItem::End(Err(error)) => {
                push_event(&mut out, &ApiError::from(error).into_body());
                (out, true)
            }
        }
    }
}
