//! The response body, in the format of OpenAI's Responses API.

use aura_router::ChatResponse;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::item::OutputItem;
use super::request::{ResponsesBody, TextFormat, ToolChoiceItem};
use super::tools::Tools;
use crate::openai::effort::Effort;
use crate::openai::error::ApiErrorFields;
use crate::openai::request_trace::Provenance;

/// A response.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResponseBody {
    /// Its id. Nothing is stored under it.
    id: String,
    /// Always `response`.
    object: &'static str,
    /// When it was created, seconds since 1970.
    created_at: i64,
    /// When it was completed, seconds since 1970; null when it is not.
    completed_at: Option<i64>,
    /// Always false.
    background: bool,
    /// `in_progress`, `completed`, `incomplete` or `failed`.
    status: &'static str,
    /// Why it failed; null when it did not.
    error: Option<ResponseError>,
    /// Why it is incomplete; null when it is complete.
    incomplete_details: Option<Incomplete>,
    /// The developer's instructions.
    instructions: Option<String>,
    /// The longest answer, tokens.
    max_output_tokens: Option<u32>,
    /// Always null: no tools run on AURA's side.
    max_tool_calls: Option<u32>,
    /// The route of the answer, as `provider/model`.
    model: String,
    /// The message and the calls.
    output: Vec<OutputItem>,
    /// Whether the model may call several tools at once.
    parallel_tool_calls: bool,
    /// Always null: nothing is stored.
    previous_response_id: Option<String>,
    /// How much the model reasons; null when the request does not say. The reasoning itself is not returned.
    reasoning: Option<ReasoningReply>,
    /// An id of the user, of the request.
    safety_identifier: Option<String>,
    /// A key for the provider's cache, of the request.
    prompt_cache_key: Option<String>,
    /// Always `default`.
    service_tier: &'static str,
    /// Always false: nothing is stored.
    store: bool,
    /// The sampling temperature; 1 when the request does not say.
    temperature: f64,
    /// The penalty on tokens that occurred at all; 0 when the request does not say.
    presence_penalty: f64,
    /// The penalty on tokens by how often they occurred; 0 when the request does not say.
    frequency_penalty: f64,
    /// The format of the answer.
    text: Value,
    /// Whether and which tools the model calls.
    tool_choice: Value,
    /// The tools that the model may call.
    tools: Vec<Value>,
    /// Always 0: no probabilities are returned.
    top_logprobs: u32,
    /// The probability mass for nucleus sampling; 1 when the request does not say.
    top_p: f64,
    /// Always `disabled`.
    truncation: &'static str,
    /// The tokens used; null when the provider did not count them, or the answer is not complete.
    usage: Option<ResponseUsage>,
    /// Data of the request.
    metadata: Map<String, Value>,
    /// An extension of AURA: the route, attempts and notices.
    #[serde(skip_serializing_if = "Option::is_none")]
    aura: Option<Provenance>,
}

/// How much the model reasons.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct ReasoningReply {
    /// The effort.
    effort: Option<Effort>,
    /// Always null: the reasoning is not returned.
    summary: Option<&'static str>,
}

/// Why a response failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResponseError {
    /// The code that programs branch on.
    code: &'static str,
    /// One or two sentences for the user.
    message: String,
}

/// Why a response is incomplete.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Incomplete {
    /// Always `max_output_tokens`.
    reason: &'static str,
}

/// Tokens used by a request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResponseUsage {
    /// Input tokens.
    input_tokens: u32,
    /// Of the input tokens, those read from the provider's cache.
    input_tokens_details: CachedTokens,
    /// Output tokens, including reasoning.
    output_tokens: u32,
    /// Of the output tokens, those for reasoning: 0, because providers do not agree on how to count them.
    output_tokens_details: ReasoningTokens,
    /// The sum of input and output.
    total_tokens: u64,
}

/// Input tokens read from a cache.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CachedTokens {
    /// Their number.
    cached_tokens: u32,
}

/// Output tokens for reasoning.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReasoningTokens {
    /// Their number.
    reasoning_tokens: u32,
}

/// What every state of one response repeats.
pub(crate) struct Template {
    id: String,
    created_at: i64,
    /// The route of the answer, as `provider/model`.
    pub(super) model: String,
    /// The id of the message.
    message_id: String,
    instructions: Option<String>,
    max_output_tokens: Option<u32>,
    parallel_tool_calls: bool,
    temperature: Option<f64>,
    top_p: Option<f64>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    format: Value,
    reasoning: Option<ReasoningReply>,
    tool_choice: Value,
    tools: Tools,
    metadata: Map<String, Value>,
    safety_identifier: Option<String>,
    prompt_cache_key: Option<String>,
}

fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", uuid::Uuid::new_v4().simple())
}

impl Template {
    pub(super) fn new(body: &ResponsesBody, tools: Tools) -> Self {
        let format = match body.text.as_ref().and_then(|text| text.format.as_ref()) {
            None | Some(TextFormat::Text) => json!({"type": "text"}),
            Some(TextFormat::JsonObject) => json!({"type": "json_object"}),
            Some(TextFormat::JsonSchema { name, description, schema, strict }) => json!({
                "type": "json_schema",
                "name": name,
                "description": description,
                "schema": schema,
                "strict": strict.unwrap_or(false),
            }),
        };
        Self {
            id: new_id("resp"),
            created_at: jiff::Timestamp::now().as_second(),
            model: String::new(), // until a route has answered
            message_id: new_id("msg"),
            instructions: body.instructions.clone(),
            max_output_tokens: body.max_output_tokens,
            parallel_tool_calls: body.parallel_tool_calls.unwrap_or(true),
            temperature: body.temperature,
            top_p: body.top_p,
            presence_penalty: body.presence_penalty,
            frequency_penalty: body.frequency_penalty,
            format,
            reasoning: body.reasoning.map(|reasoning| ReasoningReply { effort: reasoning.effort, summary: None }),
            tool_choice: match &body.tool_choice {
                None => json!("auto"),
                Some(ToolChoiceItem::Mode(mode)) => json!(mode),
                Some(ToolChoiceItem::Named { name }) => json!({"type": "function", "name": name}),
            },
            tools,
            metadata: body.metadata.clone().unwrap_or_default(),
            safety_identifier: body.safety_identifier.clone(),
            prompt_cache_key: body.prompt_cache_key.clone(),
        }
    }

    pub(super) fn message_id(&self) -> &str {
        &self.message_id
    }

    /// The calls of an answer, as items of the output.
    pub(super) fn calls(&self, response: &ChatResponse) -> Vec<OutputItem> {
        response.tool_calls.iter().map(|call| self.tools.to_item(call, new_id)).collect()
    }

    /// The message of an answer; `None` when it only calls tools.
    pub(super) fn message(&self, response: &ChatResponse) -> Option<OutputItem> {
        let status = if response.truncated { "incomplete" } else { "completed" };
        let has_message = !response.text.is_empty() || response.tool_calls.is_empty();
        has_message.then(|| OutputItem::message(self.message_id.clone(), status, Some(response.text.clone())))
    }

    /// The response while it is in progress.
    pub(super) fn in_progress(&self) -> ResponseBody {
        self.body("in_progress", Vec::new())
    }

    /// The complete response.
    pub(super) fn completed(&self, response: &ChatResponse, aura: Option<Provenance>) -> ResponseBody {
        let output = self.message(response).into_iter().chain(self.calls(response)).collect();
        self.ended(response, output, aura)
    }

    /// The complete response with these items.
    pub(super) fn ended(
        &self,
        response: &ChatResponse,
        output: Vec<OutputItem>,
        aura: Option<Provenance>,
    ) -> ResponseBody {
        let usage = &response.usage;
        let usage = usage.input_tokens.zip(usage.output_tokens).map(|(input_tokens, output_tokens)| ResponseUsage {
            input_tokens,
            input_tokens_details: CachedTokens { cached_tokens: usage.cached_tokens.unwrap_or_default() },
            output_tokens,
            output_tokens_details: ReasoningTokens { reasoning_tokens: 0 },
            total_tokens: u64::from(input_tokens) + u64::from(output_tokens),
        });
        let status = if response.truncated { "incomplete" } else { "completed" };
        let incomplete_details = response.truncated.then_some(Incomplete { reason: "max_output_tokens" });
        let completed_at = (!response.truncated).then(|| jiff::Timestamp::now().as_second());
        ResponseBody { completed_at, usage, incomplete_details, aura, ..self.body(status, output) }
    }

    /// The response that failed after it had begun.
    pub(super) fn failed(&self, error: &ApiErrorFields) -> ResponseBody {
        let error = ResponseError { code: error.code, message: error.message.clone() };
        ResponseBody { error: Some(error), ..self.body("failed", Vec::new()) }
    }

    fn body(&self, status: &'static str, output: Vec<OutputItem>) -> ResponseBody {
        ResponseBody {
            id: self.id.clone(),
            object: "response",
            created_at: self.created_at,
            completed_at: None,
            background: false,
            status,
            error: None,
            incomplete_details: None,
            instructions: self.instructions.clone(),
            max_output_tokens: self.max_output_tokens,
            max_tool_calls: None,
            model: self.model.clone(),
            output,
            parallel_tool_calls: self.parallel_tool_calls,
            previous_response_id: None,
            reasoning: self.reasoning,
            safety_identifier: self.safety_identifier.clone(),
            prompt_cache_key: self.prompt_cache_key.clone(),
            service_tier: "default",
            store: false,
            temperature: self.temperature.unwrap_or(1.0),
            presence_penalty: self.presence_penalty.unwrap_or(0.0),
            frequency_penalty: self.frequency_penalty.unwrap_or(0.0),
            text: json!({ "format": self.format }),
            tool_choice: self.tool_choice.clone(),
            tools: self.tools.listed.clone(),
            top_logprobs: 0,
            top_p: self.top_p.unwrap_or(1.0),
            truncation: "disabled",
            usage: None,
            metadata: self.metadata.clone(),
            aura: None,
        }
    }
}
