//! A message in Anthropic's format, streamed as server-sent events.

use std::sync::Arc;

use aura_providers::ToolCall;
use aura_router::ChatResponse;
use serde_json::{Value, json};

use super::error::MessageError;
use super::reply::{MessageReply, MessageUsage, stop_reason};
use crate::chat_stream::ChatItem;
use crate::event_stream::{EventWriter, Item, push_event};
use crate::openai::RequestTrace;

/// Writes an answer as Anthropic's events, from `message_start` to `message_stop`.
pub(super) struct MessageWriter {
    /// The message as it begins: without content. `None` once it was sent.
    start: Option<MessageReply>,
    trace: Arc<RequestTrace>,
    estimated_input: u32,
    /// The index of the next block.
    next: usize,
    /// Whether a block of text is open, at `next - 1`.
    in_text: bool,
}

impl MessageWriter {
    pub(super) fn new(start: MessageReply, trace: Arc<RequestTrace>, estimated_input: u32) -> Self {
        Self { start: Some(start), trace, estimated_input, next: 0, in_text: false }
    }

    fn begin_block(&mut self, block: &Value, out: &mut String) {
        let event = json!({"type": "content_block_start", "index": self.next, "content_block": block});
        push_event(out, "content_block_start", &event);
        self.next += 1;
    }

    fn delta(&self, delta: &Value, out: &mut String) {
        let event = json!({"type": "content_block_delta", "index": self.next - 1, "delta": delta});
        push_event(out, "content_block_delta", &event);
    }

    fn end_block(&self, out: &mut String) {
        push_event(out, "content_block_stop", &json!({"type": "content_block_stop", "index": self.next - 1}));
    }

    fn end_text(&mut self, out: &mut String) {
        if std::mem::take(&mut self.in_text) {
            self.end_block(out);
        }
    }

    fn tool_use(&mut self, call: &ToolCall, out: &mut String) {
        self.begin_block(&json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}}), out);
        self.delta(&json!({"type": "input_json_delta", "partial_json": call.arguments}), out);
        self.end_block(out);
    }

    fn end(&mut self, response: &ChatResponse, out: &mut String) {
        self.end_text(out);
        for call in &response.tool_calls {
            self.tool_use(call, out);
        }
        let usage = MessageUsage::of(response, self.estimated_input);
        let delta = json!({"stop_reason": stop_reason(response), "stop_sequence": null});
        let aura = self.trace.provenance();
        let event = json!({"type": "message_delta", "delta": delta, "usage": usage, "aura": aura});
        push_event(out, "message_delta", &event);
        push_event(out, "message_stop", &json!({"type": "message_stop"}));
    }
}

impl EventWriter<String, Box<ChatResponse>> for MessageWriter {
    fn write(&mut self, item: ChatItem, out: &mut String) -> bool {
        if let Some(message) = self.start.take() {
            push_event(out, "message_start", &json!({"type": "message_start", "message": message}));
        }
        match item {
            Item::Piece(text) => {
                if !std::mem::replace(&mut self.in_text, true) {
                    self.begin_block(&json!({"type": "text", "text": ""}), out);
                }
                self.delta(&json!({"type": "text_delta", "text": text}), out);
                return false;
            }
            Item::End(Ok(response)) => self.end(&response, out),
            Item::End(Err(error)) => push_event(out, "error", &MessageError::from(error).into_body()),
        }
        true
    }
}
