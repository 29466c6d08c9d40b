//! A chat completion in OpenAI's format, streamed as server-sent events.

use std::sync::Arc;

use aura_router::ChatResponse;
use serde::Serialize;
use serde_json::json;

use super::completion::{AssistantToolCall, Logprobs, TokenUsage, finish_reason};
use super::error::ApiError;
use super::request_trace::{Provenance, RequestTrace};
use crate::chat_stream::ChatItem;
use crate::event_stream::{EventWriter, Item, push_event};

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
    logprobs: Option<&'a Logprobs>,
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

/// Writes an answer as `chat.completion.chunk`s.
pub(super) struct ChunkWriter {
    head: ChunkHead,
    trace: Arc<RequestTrace>,
    /// Whether the delta with the role was sent.
    has_started: bool,
}

impl ChunkWriter {
    pub(super) fn new(head: ChunkHead, trace: Arc<RequestTrace>) -> Self {
        Self { head, trace, has_started: false }
    }
}

impl EventWriter<String, Box<ChatResponse>> for ChunkWriter {
    fn write(&mut self, item: ChatItem, out: &mut String) -> bool {
        if !std::mem::replace(&mut self.has_started, true) {
            let delta = RoleDelta { role: "assistant", content: "", refusal: None };
            push_event(out, "", &self.head.chunk(&choice(delta, None)));
        }
        match item {
            Item::Piece(text) => {
                push_event(out, "", &self.head.chunk(&choice(TextDelta { content: &text }, None)));
                return false;
            }
            Item::End(Ok(response)) => {
                for (index, call) in response.tool_calls.iter().enumerate() {
                    let mut call = json!(AssistantToolCall::new(call));
                    call["index"] = json!(index);
                    push_event(out, "", &self.head.chunk(&choice(json!({ "tool_calls": [call] }), None)));
                }
                if let Some(logprobs) = Logprobs::of(&response) {
                    // Those of the whole answer at once: its words are not cut where its tokens are.
                    let [choice] = choice(TextDelta { content: "" }, None);
                    push_event(out, "", &self.head.chunk(&[ChunkChoice { logprobs: Some(&logprobs), ..choice }]));
                }
                let last = choice(EmptyDelta {}, Some(finish_reason(&response)));
                push_event(out, "", &Chunk { aura: Some(self.trace.provenance()), ..self.head.chunk(&last) });
                if self.head.include_usage {
                    let usage = Some(TokenUsage::new(&response.usage));
                    push_event(out, "", &Chunk { usage, ..self.head.chunk::<EmptyDelta>(&[]) });
                }
                out.push_str("data: [DONE]\n\n");
            }
            // Clients treat an event with `error` as a failure, and a stream without `[DONE]` as incomplete.
            Item::End(Err(error)) => push_event(out, "", &ApiError::from(error).into_body()),
        }
        true
    }
}
