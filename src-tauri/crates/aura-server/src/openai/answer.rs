//! A chat completion's answer, as OpenAI's clients read it.

use aura_core::providers::{ToolCall, Usage};
use aura_core::router::Said;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::watch::Provenance;

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Completion {
    /// Its name.
    pub(super) id: String,
    /// Always `chat.completion`.
    pub(super) object: &'static str,
    /// When it was made, seconds since 1970.
    pub(super) created: i64,
    /// Who answered, as `provider/model`.
    pub(super) model: String,
    /// It: always one.
    pub(super) choices: [Choice; 1],
    /// What was used; null when the provider did not count.
    pub(super) usage: Option<Used>,
    /// AURA's own: how it came.
    pub(super) aura: Provenance,
}

/// The one answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Choice {
    index: u32,
    message: AnswerMessage,
    /// Not given.
    logprobs: Option<Value>,
    /// `stop`, `length` or `tool_calls`.
    finish_reason: &'static str,
}

/// What the model said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnswerMessage {
    /// Always `assistant`.
    role: &'static str,
    /// The words; null when it only calls tools.
    content: Option<String>,
    /// Not given: the model's own no is in its words.
    refusal: Option<String>,
    /// The tools that it wants called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Called>,
}

/// A tool that is to be called.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Called {
    /// Its name in this conversation; the result refers to it.
    id: String,
    /// Always `function`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Which, and with what.
    function: CalledFunction,
    /// What Gemini wants back with the call, as Google's own endpoint for these clients names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Value>,
}

/// A function that is to be called.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CalledFunction {
    /// Which.
    name: String,
    /// Its arguments, as the text of a JSON object.
    arguments: String,
}

/// Tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Used {
    /// Read.
    prompt_tokens: u32,
    /// Written, thinking included.
    completion_tokens: u32,
    /// Both.
    total_tokens: u64,
}

impl Choice {
    /// What was said.
    pub(super) fn of(said: &Said) -> Self {
        let content = (!said.text.is_empty() || said.calls.is_empty()).then(|| said.text.clone());
        let tool_calls = said.calls.iter().map(Called::of).collect();
        let message = AnswerMessage { role: "assistant", content, refusal: None, tool_calls };
        Self { index: 0, message, logprobs: None, finish_reason: finish_reason(said) }
    }
}

impl Called {
    /// A call of the model's.
    pub(super) fn of(call: &ToolCall) -> Self {
        Self {
            id: call.id.clone(),
            kind: "function",
            function: CalledFunction { name: call.name.clone(), arguments: call.arguments.clone() },
            extra_content: call
                .signature
                .as_ref()
                .map(|signature| json!({ "google": { "thought_signature": signature } })),
        }
    }
}

impl Used {
    /// What was used, when the provider counted.
    pub(super) fn of(usage: &Usage) -> Option<Self> {
        let (prompt_tokens, completion_tokens) = (usage.input_tokens?, usage.output_tokens?);
        let total_tokens = u64::from(prompt_tokens) + u64::from(completion_tokens);
        Some(Self { prompt_tokens, completion_tokens, total_tokens })
    }
}

/// Why the answer ended.
pub(super) fn finish_reason(said: &Said) -> &'static str {
    match (said.cut, said.calls.is_empty()) {
        (true, _) => "length",
        (false, false) => "tool_calls",
        (false, true) => "stop",
    }
}
