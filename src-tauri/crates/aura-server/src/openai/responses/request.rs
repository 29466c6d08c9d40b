//! The request body of a response: the fields, their validation, and their conversion for the router.

use aura_providers::{ChatRequest, ResponseFormat, Sampling, Service, ToolChoice};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::input::Input;
use super::tools::{ToolItem, Tools};
use crate::body;
use crate::limits::MAX_COUNT;
use crate::openai::FallbackName;
use crate::openai::effort::Effort;
use crate::openai::error::ApiError;

/// A request for a response. OpenAI's fields that are not listed here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ResponsesBody {
    /// `auto`, `provider/model`, or a model name alone.
    #[schema(examples("auto"))]
    pub(super) model: Option<String>,
    /// The question, or the conversation. Required for a response, not for counting tokens.
    pub(super) input: Option<Input>,
    /// The developer's instructions.
    pub(super) instructions: Option<String>,
    /// Whether to stream the answer as server-sent events.
    pub(super) stream: Option<bool>,
    /// The longest answer, tokens.
    #[schema(minimum = 1, maximum = 10_000_000)]
    pub(super) max_output_tokens: Option<u32>,
    /// The sampling temperature.
    #[schema(minimum = 0, maximum = 2)]
    pub(super) temperature: Option<f64>,
    /// The probability mass for nucleus sampling.
    #[schema(minimum = 0, maximum = 1)]
    pub(super) top_p: Option<f64>,
    /// The penalty on tokens that occurred at all, an extension of Open Responses.
    #[schema(minimum = -2, maximum = 2)]
    pub(super) presence_penalty: Option<f64>,
    /// The penalty on tokens by how often they occurred, an extension of Open Responses.
    #[schema(minimum = -2, maximum = 2)]
    pub(super) frequency_penalty: Option<f64>,
    /// The tools that the model may call, at most 128.
    #[schema(max_items = 128)]
    pub(super) tools: Option<Vec<ToolItem>>,
    /// Whether and which tools the model calls.
    pub(super) tool_choice: Option<ToolChoiceItem>,
    /// Whether the model may call several tools at once.
    pub(super) parallel_tool_calls: Option<bool>,
    /// How much the model reasons.
    #[serde(default, deserialize_with = "body::object")]
    pub(super) reasoning: Option<Reasoning>,
    /// The format of the answer.
    #[serde(default, deserialize_with = "body::object")]
    pub(super) text: Option<TextOptions>,
    /// Not supported: nothing is stored. Send the whole conversation in `input`.
    #[schema(value_type = Option<()>)]
    previous_response_id: Option<String>,
    /// Not supported: nothing is stored. Only false is accepted.
    background: Option<bool>,
    /// Data that is returned unchanged.
    pub(super) metadata: Option<Map<String, Value>>,
    /// An id of the user, returned unchanged and not sent to a provider.
    pub(super) safety_identifier: Option<String>,
    /// A key for the provider's cache, returned unchanged and not sent to a provider.
    pub(super) prompt_cache_key: Option<String>,
    /// An extension of AURA: further models, tried in this order after `model`, which may then be left out.
    #[schema(max_items = 16)]
    pub(super) models: Option<Vec<String>>,
    /// An extension of AURA: further models, tried after those.
    #[schema(max_items = 16)]
    pub(super) fallbacks: Option<Vec<FallbackName>>,
    /// An extension of AURA: whether to fall back to other providers although a model is named. Default false.
    pub(super) fallback: Option<bool>,
}

/// Whether and which tools the model calls.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ToolChoiceItem {
    /// `none`, `auto` or `required`.
    Mode(ChoiceMode),
    /// The model must call this tool.
    Named {
        /// The name of the tool.
        name: String,
    },
}

/// Whether the model calls tools.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChoiceMode {
    /// It calls none.
    None,
    /// The model decides.
    Auto,
    /// It calls at least one.
    Required,
}

/// How much the model reasons. The reasoning itself is not returned.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub(crate) struct Reasoning {
    /// The effort; an effort that a model does not know becomes the nearest one.
    pub(super) effort: Option<Effort>,
}

/// The format of the answer.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TextOptions {
    /// The format; text by default.
    pub(super) format: Option<TextFormat>,
}

/// The format of an answer.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum TextFormat {
    /// Text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema {
        /// The name of the schema.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: Map<String, Value>,
        /// Whether it must be followed exactly.
        strict: Option<bool>,
    },
}

impl ResponsesBody {
    /// The service it needs: a picture in any message needs a vision model.
    pub(crate) fn service(&self) -> Service {
        if self.input.as_ref().is_some_and(Input::has_image) { Service::Vlm } else { Service::Llm }
    }

    /// The length of all pictures in it, bytes of base64. Pictures have a limit of their own.
    pub(crate) fn image_length(&self) -> usize {
        self.input.as_ref().map_or(0, Input::image_length)
    }

    /// Validates the body and converts it for the router.
    ///
    /// # Errors
    /// Status 400 when a field is not valid, or is not supported and would change the answer.
    pub(super) fn into_request(self, tools: &Tools) -> Result<ChatRequest, ApiError> {
        self.validate()?;
        let messages = self.input.map(Input::into_messages).transpose()?.unwrap_or_default();
        let tools = tools.for_provider();
        let tool_choice = match self.tool_choice {
            None | Some(ToolChoiceItem::Mode(ChoiceMode::Auto)) => ToolChoice::Auto,
            Some(ToolChoiceItem::Mode(ChoiceMode::None)) => ToolChoice::Never,
            Some(ToolChoiceItem::Mode(ChoiceMode::Required)) if !tools.is_empty() => ToolChoice::Required,
            Some(ToolChoiceItem::Named { name }) if tools.iter().any(|tool| tool.name == name) => {
                ToolChoice::Named(name)
            }
            Some(_) => {
                let message = "`tool_choice` needs a tool that is in `tools`.";
                return Err(ApiError::invalid_request(message, Some("tool_choice")));
            }
        };
        Ok(ChatRequest {
            system: self.instructions.unwrap_or_default(),
            messages,
            max_tokens: self.max_output_tokens,
            tools,
            tool_choice,
            parallel_tool_calls: self.parallel_tool_calls,
            format: match self.text.and_then(|text| text.format) {
                None | Some(TextFormat::Text) => ResponseFormat::Text,
                Some(TextFormat::JsonObject) => ResponseFormat::Json,
                Some(TextFormat::JsonSchema { name, schema, strict, .. }) => {
                    ResponseFormat::Schema { name, schema: Value::Object(schema), strict }
                }
            },
            sampling: Sampling {
                temperature: self.temperature,
                top_p: self.top_p,
                presence_penalty: self.presence_penalty,
                frequency_penalty: self.frequency_penalty,
                ..Sampling::default()
            },
            effort: self.reasoning.and_then(|reasoning| reasoning.effort).map(Into::into),
            ..ChatRequest::default()
        })
    }

    fn validate(&self) -> Result<(), ApiError> {
        let invalid = |message: &str, param| Err(ApiError::invalid_request(message, Some(param)));
        if self.previous_response_id.is_some() {
            return invalid(
                "AURA stores no responses. Send the whole conversation in `input`.",
                "previous_response_id",
            );
        }
        if self.background == Some(true) {
            return invalid("AURA does not answer in the background. Leave `background` out.", "background");
        }
        if self.max_output_tokens.is_some_and(|count| !(1..=MAX_COUNT).contains(&count)) {
            return invalid("`max_output_tokens` must be from 1 to 10000000.", "max_output_tokens");
        }
        if self.temperature.is_some_and(|value| !(0.0..=2.0).contains(&value)) {
            return invalid("`temperature` must be from 0 to 2.", "temperature");
        }
        if self.top_p.is_some_and(|value| !(0.0..=1.0).contains(&value)) {
            return invalid("`top_p` must be from 0 to 1.", "top_p");
        }
        if self.presence_penalty.is_some_and(|value| !(-2.0..=2.0).contains(&value)) {
            return invalid("`presence_penalty` must be from -2 to 2.", "presence_penalty");
        }
        if self.frequency_penalty.is_some_and(|value| !(-2.0..=2.0).contains(&value)) {
            return invalid("`frequency_penalty` must be from -2 to 2.", "frequency_penalty");
        }
        Ok(())
    }
}
