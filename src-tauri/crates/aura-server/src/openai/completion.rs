//! The response body of a chat completion, in OpenAI's format.

use aura_providers::{ToolCall, Usage};
use aura_router::ChatResponse;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::request_trace::Provenance;

/// A chat completion.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChatCompletion {
    /// Its id.
    pub(super) id: String,
    /// Always `chat.completion`.
    pub(super) object: &'static str,
    /// When it was created, seconds since 1970.
    pub(super) created: i64,
    /// The route of the answer, as `provider/model`.
    pub(super) model: String,
    /// The answer; always exactly one.
    pub(super) choices: [Choice; 1],
    /// The tokens used; null when the provider did not count them.
    pub(super) usage: Option<TokenUsage>,
    /// An extension of AURA: the route, attempts and notices.
    pub(super) aura: Provenance,
}

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Choice {
    index: u32,
    message: AssistantMessage,
    /// The log probabilities of its tokens; null where they were not requested or the route has none.
    logprobs: Option<Logprobs>,
    /// `stop`, `length` or `tool_calls`.
    finish_reason: &'static str,
}

/// The log probabilities of an answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Logprobs {
    /// One entry for each token, in OpenAI's format.
    content: Vec<Value>,
    /// Always null: a refusal of the model is in its content.
    refusal: Option<Vec<Value>>,
}

impl Logprobs {
    /// Those of an answer, if it has any.
    pub(super) fn of(response: &ChatResponse) -> Option<Self> {
        (!response.logprobs.is_empty()).then(|| Self { content: response.logprobs.clone(), refusal: None })
    }
}

/// The message of the model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssistantMessage {
    /// Always `assistant`.
    role: &'static str,
    /// The text; null when the message only calls tools.
    content: Option<String>,
    /// Always null: a refusal of the model is in `content`.
    refusal: Option<String>,
    /// The tools that the model calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<AssistantToolCall>,
}

/// A tool call by the model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssistantToolCall {
    /// Its id; the message with the result refers to it.
    id: String,
    /// Always `function`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The function and its arguments.
    function: AssistantFunctionCall,
    /// The thought signature that Gemini needs back with the call, named as in Google's own OpenAI-compatible API.
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Value>,
}

/// A function call by the model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssistantFunctionCall {
    /// The name of the function.
    name: String,
    /// The arguments, a JSON object as text.
    arguments: String,
}

/// Tokens used by a request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenUsage {
    /// Input tokens.
    prompt_tokens: u32,
    /// Output tokens, including reasoning.
    completion_tokens: u32,
    /// The sum of both.
    total_tokens: u64,
}

impl Choice {
    /// The answer of a provider.
    pub(super) fn new(response: &ChatResponse) -> Self {
        let content = (!response.text.is_empty() || response.tool_calls.is_empty()).then(|| response.text.clone());
        let tool_calls = response.tool_calls.iter().map(AssistantToolCall::new).collect();
        let message = AssistantMessage { role: "assistant", content, refusal: None, tool_calls };
        Self { index: 0, message, logprobs: Logprobs::of(response), finish_reason: finish_reason(response) }
    }
}

impl AssistantToolCall {
    /// A tool call in a provider's answer.
    pub(super) fn new(call: &ToolCall) -> Self {
        Self {
            id: call.id.clone(),
            kind: "function",
            function: AssistantFunctionCall { name: call.name.clone(), arguments: call.arguments.clone() },
            extra_content: call
                .signature
                .as_ref()
                .map(|signature| json!({ "google": { "thought_signature": signature } })),
        }
    }
}

impl TokenUsage {
    /// The usage that a provider reported; `None` if it did not count both kinds of tokens.
    pub(super) fn new(usage: &Usage) -> Option<Self> {
        let (prompt_tokens, completion_tokens) = (usage.input_tokens?, usage.output_tokens?);
        let total_tokens = u64::from(prompt_tokens) + u64::from(completion_tokens);
        Some(Self { prompt_tokens, completion_tokens, total_tokens })
    }
}

/// The finish reason of an answer.
pub(super) fn finish_reason(response: &ChatResponse) -> &'static str {
    match (response.truncated, response.tool_calls.is_empty()) {
        (true, _) => "length",
        (false, false) => "tool_calls",
        (false, true) => "stop",
    }
}
