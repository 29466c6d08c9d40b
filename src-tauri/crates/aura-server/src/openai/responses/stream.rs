//! A response streamed as server-sent events, each with its number.

use std::sync::Arc;

use aura_core::error::Error;
use aura_router::ChatResponse;
use serde_json::{Value, json};

use super::item::{OutputItem, OutputPart};
use super::response::Template;
use crate::chat_stream::ChatItem;
use crate::event_stream::{EventWriter, Item, push_event};
use crate::openai::error::ApiError;
use crate::openai::request_trace::RequestTrace;

/// Writes an answer as the events of the Responses API, from `response.created` to `response.completed`.
pub(super) struct ResponseWriter {
    template: Template,
    trace: Arc<RequestTrace>,
    /// The number of the next event.
    sequence: u64,
    /// Whether the first events were sent.
    has_started: bool,
    /// Whether the message was announced.
    in_message: bool,
}

impl ResponseWriter {
    pub(super) fn new(template: Template, trace: Arc<RequestTrace>) -> Self {
        Self { template, trace, sequence: 0, has_started: false, in_message: false }
    }

    fn event(&mut self, name: &str, mut fields: Value, out: &mut String) {
        fields["type"] = json!(name);
        fields["sequence_number"] = json!(self.sequence);
        self.sequence += 1;
        push_event(out, name, &fields);
    }

    /// The fields that say which part of the message an event belongs to.
    fn place(&self) -> Value {
        json!({"item_id": self.template.message_id(), "output_index": 0, "content_index": 0})
    }

    fn begin_message(&mut self, out: &mut String) {
        if std::mem::replace(&mut self.in_message, true) {
            return;
        }
        let item = OutputItem::message(self.template.message_id().to_owned(), "in_progress", None);
        self.event("response.output_item.added", json!({"output_index": 0, "item": item}), out);
        let mut fields = self.place();
        fields["part"] = json!(OutputPart::text(String::new()));
        self.event("response.content_part.added", fields, out);
    }

    fn end_message(&mut self, message: &OutputItem, text: &str, out: &mut String) {
        self.begin_message(out);
        let mut fields = self.place();
        fields["text"] = json!(text);
        fields["logprobs"] = json!([]);
        self.event("response.output_text.done", fields, out);
        let mut fields = self.place();
        fields["part"] = json!(OutputPart::text(text.to_owned()));
        self.event("response.content_part.done", fields, out);
        self.event("response.output_item.done", json!({"output_index": 0, "item": message}), out);
    }

    fn call(&mut self, index: usize, item: &OutputItem, out: &mut String) {
        let place = json!({"item_id": item.id(), "output_index": index});
        self.event("response.output_item.added", json!({"output_index": index, "item": item.announced()}), out);
        let (prefix, field, text) = match item {
            OutputItem::CustomToolCall { input, .. } => ("response.custom_tool_call_input", "input", input),
            OutputItem::FunctionCall { arguments, .. } => ("response.function_call_arguments", "arguments", arguments),
            OutputItem::Message { .. } => return,
        };
        let mut fields = place.clone();
        fields["delta"] = json!(text);
        self.event(&format!("{prefix}.delta"), fields, out);
        let mut fields = place;
        fields[field] = json!(text);
        if let OutputItem::FunctionCall { name, .. } = item {
            fields["name"] = json!(name);
        }
        self.event(&format!("{prefix}.done"), fields, out);
        self.event("response.output_item.done", json!({"output_index": index, "item": item}), out);
    }

    fn end(&mut self, response: &ChatResponse, out: &mut String) {
        let message = self.template.message(response);
        if let Some(message) = &message {
            self.end_message(message, &response.text, out);
        }
        let calls = self.template.calls(response);
        for (index, item) in (usize::from(message.is_some())..).zip(&calls) {
            self.call(index, item, out);
        }
        let output = message.into_iter().chain(calls).collect();
        let body = self.template.ended(response, output, Some(self.trace.provenance()));
        let name = if response.truncated { "response.incomplete" } else { "response.completed" };
        self.event(name, json!({ "response": body }), out);
    }

    fn fail(&mut self, error: Error, out: &mut String) {
        let error = ApiError::from(error).into_body().error;
        let body = self.template.failed(&error);
        self.event("response.failed", json!({ "response": body }), out);
    }
}

impl EventWriter<String, Box<ChatResponse>> for ResponseWriter {
    fn write(&mut self, item: ChatItem, out: &mut String) -> bool {
        if !std::mem::replace(&mut self.has_started, true) {
            for name in ["response.created", "response.in_progress"] {
                let fields = json!({ "response": self.template.in_progress() });
                self.event(name, fields, out);
            }
        }
        match item {
            Item::Piece(text) => {
                self.begin_message(out);
                let mut fields = self.place();
                fields["delta"] = json!(text);
                fields["logprobs"] = json!([]);
                self.event("response.output_text.delta", fields, out);
                return false;
            }
            Item::End(Ok(response)) => self.end(&response, out),
            Item::End(Err(error)) => self.fail(error, out),
        }
        true
    }
}
