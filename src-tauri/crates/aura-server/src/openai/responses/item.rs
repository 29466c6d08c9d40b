//! The items of a response's output: the message, and the calls of functions and custom tools.

use aura_providers::ToolCall;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An item of the output.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum OutputItem {
    /// A message of the model.
    Message {
        /// Its id.
        id: String,
        /// `in_progress`, `completed` or `incomplete`.
        status: &'static str,
        /// Always `assistant`.
        role: &'static str,
        /// The text.
        content: Vec<OutputPart>,
    },
    /// A call of a function.
    FunctionCall {
        /// The id of the item.
        id: String,
        /// The id that the result refers to.
        call_id: String,
        /// The name of the function.
        name: String,
        /// The namespace of the function, if it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        /// The arguments, a JSON object as text.
        arguments: String,
        /// `in_progress` or `completed`.
        status: &'static str,
    },
    /// A call of a custom tool.
    CustomToolCall {
        /// The id of the item.
        id: String,
        /// The id that the result refers to.
        call_id: String,
        /// The name of the tool.
        name: String,
        /// The input, free text.
        input: String,
        /// `in_progress` or `completed`.
        status: &'static str,
    },
}

/// A part of a message.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct OutputPart {
    /// Always `output_text`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The text.
    text: String,
    /// Always empty.
    annotations: [Value; 0],
    /// Always empty.
    logprobs: [Value; 0],
}

impl OutputPart {
    pub(super) fn text(text: String) -> Self {
        Self { kind: "output_text", text, annotations: [], logprobs: [] }
    }
}

impl OutputItem {
    pub(super) fn message(id: String, status: &'static str, text: Option<String>) -> Self {
        Self::Message { id, status, role: "assistant", content: text.map(OutputPart::text).into_iter().collect() }
    }

    /// A call. `is_custom`: the tool takes free text, which the model wrote as the argument `input`.
    pub(super) fn call(
        id: String,
        status: &'static str,
        call: ToolCall,
        namespace: Option<String>,
        is_custom: bool,
    ) -> Self {
        let ToolCall { id: call_id, name, arguments, .. } = call;
        if is_custom {
            let parsed: Value = serde_json::from_str(&arguments).unwrap_or_default();
            let input = parsed["input"].as_str().map_or(arguments, str::to_owned);
            return Self::CustomToolCall { id, call_id, name, input, status };
        }
        Self::FunctionCall { id, call_id, name, namespace, arguments, status }
    }

    pub(super) fn id(&self) -> &str {
        match self {
            Self::Message { id, .. } | Self::FunctionCall { id, .. } | Self::CustomToolCall { id, .. } => id,
        }
    }

    /// The item as it is announced: in progress, without its content.
    pub(super) fn announced(&self) -> Self {
        let mut item = self.clone();
        match &mut item {
            Self::Message { status, content, .. } => {
                *status = "in_progress";
                content.clear();
            }
            Self::FunctionCall { status, arguments: text, .. } | Self::CustomToolCall { status, input: text, .. } => {
                *status = "in_progress";
                text.clear();
            }
        }
        item
    }
}
