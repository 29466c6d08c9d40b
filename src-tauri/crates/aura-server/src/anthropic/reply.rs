//! The response body of a message, in Anthropic's format.

use aura_providers::ToolCall;
use aura_router::ChatResponse;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::openai::Provenance;
use crate::token_count;

/// A message by the model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageReply {
    /// Its id.
    pub(super) id: String,
    /// Always `message`.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// Always `assistant`.
    pub(super) role: &'static str,
    /// The route of the answer, as `provider/model`.
    pub(super) model: String,
    /// The text, then the tools that the model calls.
    pub(super) content: Vec<ReplyBlock>,
    /// `end_turn`, `max_tokens` or `tool_use`; null at the start of a stream.
    pub(super) stop_reason: Option<&'static str>,
    /// Always null: providers do not tell which sequence ended an answer.
    pub(super) stop_sequence: Option<String>,
    /// The tokens used.
    pub(super) usage: MessageUsage,
    /// An extension of AURA: the route, attempts and notices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aura: Option<Provenance>,
}

/// A block of a reply.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ReplyBlock {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A call of a tool.
    ToolUse {
        /// Its id; the block with the result refers to it.
        id: String,
        /// The name of the tool.
        name: String,
        /// The arguments.
        input: Value,
    },
}

/// Tokens used by a request, estimated at four characters each where the provider did not count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct MessageUsage {
    /// Input tokens that were not read from the provider's cache.
    pub(super) input_tokens: u32,
    /// Output tokens, including reasoning.
    pub(super) output_tokens: u32,
    /// Input tokens read from the provider's cache.
    pub(super) cache_read_input_tokens: u32,
    /// Always 0: providers other than Anthropic do not report this.
    pub(super) cache_creation_input_tokens: u32,
}

impl ReplyBlock {
    pub(super) fn tool_use(call: &ToolCall) -> Self {
        // The router passes on only calls whose arguments are a JSON object.
        let input = serde_json::from_str(&call.arguments).unwrap_or_default();
        Self::ToolUse { id: call.id.clone(), name: call.name.clone(), input }
    }

    /// The blocks of an answer.
    pub(super) fn all(response: &ChatResponse) -> Vec<Self> {
        let text = (!response.text.is_empty()).then(|| Self::Text { text: response.text.clone() });
        text.into_iter().chain(response.tool_calls.iter().map(Self::tool_use)).collect()
    }
}

impl MessageUsage {
    /// The usage before the answer: the estimated input.
    pub(super) fn estimated(input_tokens: u32) -> Self {
        Self { input_tokens, output_tokens: 0, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 }
    }

    /// The usage of an answer. `estimated_input`: tokens of the request, for a provider that did not count.
    pub(super) fn of(response: &ChatResponse, estimated_input: u32) -> Self {
        let usage = &response.usage;
        let cached = usage.cached_tokens.unwrap_or_default();
        Self {
            input_tokens: usage.input_tokens.map_or(estimated_input, |all| all.saturating_sub(cached)),
            output_tokens: usage.output_tokens.unwrap_or_else(|| token_count::text_tokens(&response.text)),
            cache_read_input_tokens: cached,
            cache_creation_input_tokens: 0,
        }
    }
}

/// Why an answer ended.
pub(super) fn stop_reason(response: &ChatResponse) -> &'static str {
    match (response.truncated, response.tool_calls.is_empty()) {
        (true, _) => "max_tokens",
        (false, false) => "tool_use",
        (false, true) => "end_turn",
    }
}
