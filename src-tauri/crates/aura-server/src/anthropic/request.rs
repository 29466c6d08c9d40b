//! The request body of a message: Anthropic's fields, their validation, and their conversion for the router.

use aura_providers::{
    ChatRequest, Message, ReasoningEffort, ResponseFormat, Role, Sampling, Service, Tool, ToolChoice,
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::content::{ContentBlock, MessageContent, SystemPrompt, append_message};
use super::error::MessageError;
use crate::body;
use crate::limits::{MAX_COUNT, MAX_TOOLS};
use crate::openai::{ApiError, FallbackName, ModelOrder, check_names};

/// A request for a message. Anthropic's fields that are not listed here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct MessagesBody {
    /// `auto`, `provider/model`, or a model name alone.
    #[schema(examples("auto"))]
    pub(super) model: Option<String>,
    /// The longest answer, tokens. Required for a message, not for counting tokens.
    #[schema(minimum = 1, maximum = 10_000_000)]
    pub(super) max_tokens: Option<u32>,
    /// The conversation, oldest message first.
    #[schema(min_items = 1)]
    messages: Vec<MessageParam>,
    /// The system prompt.
    system: Option<SystemPrompt>,
    /// Whether to stream the answer as server-sent events.
    pub(super) stream: Option<bool>,
    /// Sequences that end the answer.
    #[schema(max_items = 4)]
    stop_sequences: Option<Vec<String>>,
    /// The sampling temperature.
    #[schema(minimum = 0, maximum = 1)]
    temperature: Option<f64>,
    /// The probability mass for nucleus sampling.
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f64>,
    /// The number of most likely tokens to choose from.
    #[schema(minimum = 0, maximum = 10_000_000)]
    top_k: Option<u32>,
    /// The tools that the model may call.
    #[schema(max_items = 128)]
    tools: Option<Vec<ToolParam>>,
    /// Whether and which tools the model calls.
    #[serde(default, deserialize_with = "body::object")]
    tool_choice: Option<ToolChoiceParam>,
    /// Whether the model reasons before it answers.
    #[serde(default, deserialize_with = "body::object")]
    thinking: Option<ThinkingConfig>,
    /// The effort, and the format of the answer.
    #[serde(default, deserialize_with = "body::object")]
    output_config: Option<OutputConfig>,
    /// An extension of AURA: further models, tried in this order after `model`, which may then be left out.
    #[schema(max_items = 16)]
    pub(super) models: Option<Vec<String>>,
    /// Further models, tried after those; `default` for all others, as `fallback` does.
    pub(super) fallbacks: Option<Fallbacks>,
    /// An extension of AURA: whether to fall back to other providers although a model is named. Default false.
    pub(super) fallback: Option<bool>,
}

/// The models to fall back to. With Anthropic they answer what the first model declines, here also what its provider fails to answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Fallbacks {
    /// All others.
    Default(DefaultFallbacks),
    /// These, at most 16.
    Models(Vec<FallbackName>),
}

/// AURA's own order of providers.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DefaultFallbacks {
    /// The default order.
    Default,
}

/// A message.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct MessageParam {
    /// The role of its author.
    role: MessageRole,
    /// Text, or a list of blocks.
    content: MessageContent,
}

/// The role of a message's author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MessageRole {
    /// The user.
    User,
    /// The model.
    Assistant,
    /// Instructions in the middle of a conversation.
    System,
}

/// A tool that the model may call.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ToolParam {
    /// Absent or `custom`. Anthropic's own tools, which run on its servers, are left out.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The name: 1 to 64 letters, digits, `_` or `-`.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    name: String,
    /// What it is for.
    description: Option<String>,
    /// The JSON schema of the arguments.
    #[schema(value_type = Option<Object>)]
    input_schema: Option<serde_json::Map<String, Value>>,
}

/// Whether and which tools the model calls.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ToolChoiceParam {
    /// `auto`, `any`, `tool` or `none`.
    #[serde(rename = "type")]
    kind: ToolUseMode,
    /// The tool to call, if the type is `tool`.
    name: Option<String>,
    /// Whether the model may call only one tool.
    disable_parallel_tool_use: Option<bool>,
}

/// Whether the model calls tools.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ToolUseMode {
    /// The model decides.
    Auto,
    /// It calls at least one.
    Any,
    /// It calls the named one.
    Tool,
    /// It calls none.
    None,
}

/// Whether the model reasons before it answers. AURA passes on how much, as far as a provider can be told; the reasoning itself is not
/// returned.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ThinkingConfig {
    /// `enabled`, `adaptive`, `between_tools` or `disabled`.
    #[serde(rename = "type")]
    kind: ThinkingKind,
    /// The most tokens for reasoning.
    #[schema(maximum = 10_000_000)]
    budget_tokens: Option<u32>,
}

/// Whether the model reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ThinkingKind {
    /// It reasons within a budget.
    Enabled,
    /// It decides how much it reasons.
    Adaptive,
    /// It reasons between the calls of tools.
    #[serde(rename = "between_tools")]
    BetweenTools,
    /// It does not reason.
    Disabled,
}

/// The effort, and the format of an answer.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct OutputConfig {
    /// How much effort the model makes, as far as a provider can be told.
    effort: Option<EffortLevel>,
    /// The format; text by default.
    format: Option<JsonFormat>,
}

/// How much effort the model makes.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EffortLevel {
    /// Little.
    Low,
    /// A moderate amount.
    Medium,
    /// A lot.
    High,
    /// More than that.
    XHigh,
    /// As much as possible.
    Max,
}

/// JSON that follows a schema.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct JsonFormat {
    /// Always `json_schema`.
    #[serde(rename = "type")]
    _kind: JsonFormatKind,
    /// The schema.
    #[schema(value_type = Object)]
    schema: serde_json::Map<String, Value>,
}

/// The type of a format.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JsonFormatKind {
    /// JSON that follows a schema.
    JsonSchema,
}

impl MessagesBody {
    /// Checks how many models are named. Counting tokens tries none.
    ///
    /// # Errors
    /// Status 400 when there are too many.
    pub(super) fn check_names(&self) -> Result<(), ApiError> {
        let fallbacks = match &self.fallbacks {
            Some(Fallbacks::Models(models)) => models.len(),
            _ => 0,
        };
        check_names(self.models.as_ref().map_or(0, Vec::len), fallbacks)
    }

    /// The models to try, in order.
    ///
    /// # Errors
    /// Status 400 when there are too many, or none.
    pub(super) fn take_order(&mut self) -> Result<ModelOrder, ApiError> {
        let (fallbacks, fallback) = match self.fallbacks.take() {
            None => (None, self.fallback),
            Some(Fallbacks::Default(_)) => (None, self.fallback.or(Some(true))),
            Some(Fallbacks::Models(models)) => (Some(models), self.fallback),
        };
        ModelOrder::new(self.model.take(), self.models.take(), fallbacks, fallback)
    }

    fn blocks(&self) -> impl Iterator<Item = &ContentBlock> {
        self.messages.iter().flat_map(|message| message.content.blocks())
    }

    /// The service it needs: a picture in any message needs a vision model.
    pub(crate) fn service(&self) -> Service {
        if self.blocks().any(ContentBlock::has_image) { Service::Vlm } else { Service::Llm }
    }

    /// The length of all pictures in it, bytes of base64. Pictures have a limit of their own.
    pub(crate) fn image_length(&self) -> usize {
        self.blocks().map(ContentBlock::image_length).sum()
    }

    /// Validates the body and converts it for the router.
    ///
    /// # Errors
    /// Status 400 when a field is not valid, or is not supported and would change the answer.
    pub(crate) fn into_request(self) -> Result<ChatRequest, MessageError> {
        self.validate()?;
        let mut messages: Vec<Message> = Vec::new();
        for message in self.messages {
            let role = match message.role {
                MessageRole::User => Role::User,
                MessageRole::Assistant => Role::Assistant,
                MessageRole::System => Role::System,
            };
            append_message(role, message.content, &mut messages)?;
        }
        let tools: Vec<Tool> =
            self.tools.unwrap_or_default().into_iter().filter_map(to_tool).collect::<Result<_, _>>()?;
        let OutputConfig { effort, format } = self.output_config.unwrap_or(OutputConfig { effort: None, format: None });
        let single = self.tool_choice.as_ref().and_then(|choice| choice.disable_parallel_tool_use);
        Ok(ChatRequest {
            system: self.system.map(SystemPrompt::into_text).unwrap_or_default(),
            messages,
            max_tokens: self.max_tokens,
            tool_choice: to_tool_choice(self.tool_choice, &tools)?,
            tools,
            parallel_tool_calls: single.map(|single| !single),
            sampling: Sampling {
                temperature: self.temperature,
                top_p: self.top_p,
                stop: self.stop_sequences.unwrap_or_default(),
                ..Sampling::default()
            },
            top_k: self.top_k.filter(|count| *count > 0),
            effort: to_effort(self.thinking, effort),
            format: match format {
                None => ResponseFormat::Text,
                // Not strict: what providers call so forbids optional fields, which Anthropic allows.
                Some(format) => ResponseFormat::Schema {
                    name: "answer".to_owned(),
                    schema: Value::Object(format.schema),
                    strict: None,
                },
            },
            ..ChatRequest::default()
        })
    }

    fn validate(&self) -> Result<(), MessageError> {
        let invalid = |message: &str| Err(MessageError::invalid_request(message));
        if self.messages.is_empty() {
            return invalid("`messages` is empty. Send at least one message.");
        }
        if self.max_tokens.is_some_and(|count| !(1..=MAX_COUNT).contains(&count)) {
            return invalid("`max_tokens` must be from 1 to 10000000.");
        }
        if self.thinking.as_ref().and_then(|thinking| thinking.budget_tokens).is_some_and(|count| count > MAX_COUNT) {
            return invalid("`budget_tokens` must be at most 10000000.");
        }
        if self.top_k.is_some_and(|count| count > MAX_COUNT) {
            return invalid("`top_k` must be at most 10000000.");
        }
        for (name, value) in [("temperature", self.temperature), ("top_p", self.top_p)] {
            if value.is_some_and(|value| !(0.0..=1.0).contains(&value)) {
                return invalid(&format!("`{name}` must be from 0 to 1."));
            }
        }
        if self.stop_sequences.as_ref().is_some_and(|stops| stops.len() > 4) {
            return invalid("`stop_sequences` may have at most 4 texts.");
        }
        if self.tools.as_ref().is_some_and(|tools| tools.len() > MAX_TOOLS) {
            return invalid("`tools` may have at most 128 tools.");
        }
        Ok(())
    }
}

/// A tool that any provider can call; `None` for one that runs on Anthropic's servers.
fn to_tool(body: ToolParam) -> Option<Result<Tool, MessageError>> {
    if !crate::openai::is_tool_name(&body.name) {
        let message = "The name of a tool must have 1 to 64 letters, digits, `_` or `-`.";
        return Some(Err(MessageError::invalid_request(message)));
    }
    if body.kind.is_some_and(|kind| kind != "custom") {
        return None;
    }
    let mut tool = Tool::new(body.name);
    tool.description = body.description;
    tool.parameters = body.input_schema.map(Value::Object);
    Some(Ok(tool))
}

fn to_tool_choice(choice: Option<ToolChoiceParam>, tools: &[Tool]) -> Result<ToolChoice, MessageError> {
    let Some(choice) = choice else { return Ok(ToolChoice::Auto) };
    match (choice.kind, choice.name) {
        (ToolUseMode::Auto, _) => Ok(ToolChoice::Auto),
        (ToolUseMode::None, _) => Ok(ToolChoice::Never),
        (ToolUseMode::Any, _) if !tools.is_empty() => Ok(ToolChoice::Required),
        (ToolUseMode::Tool, Some(name)) if tools.iter().any(|tool| tool.name == name) => Ok(ToolChoice::Named(name)),
        _ => Err(MessageError::invalid_request("`tool_choice` needs a tool that is in `tools`.")),
    }
}

/// The effort that was asked for, else the one that suits a budget of reasoning tokens. Anthropic's smallest budget is 1,024 tokens.
fn to_effort(thinking: Option<ThinkingConfig>, level: Option<EffortLevel>) -> Option<ReasoningEffort> {
    let thinking = thinking.map(|thinking| (thinking.kind, thinking.budget_tokens));
    match (thinking, level) {
        (Some((ThinkingKind::Disabled, _)), _) => Some(ReasoningEffort::None),
        (_, Some(EffortLevel::Low)) => Some(ReasoningEffort::Low),
        (_, Some(EffortLevel::Medium)) => Some(ReasoningEffort::Medium),
        (_, Some(EffortLevel::High | EffortLevel::XHigh | EffortLevel::Max)) => Some(ReasoningEffort::High),
        (Some((ThinkingKind::Enabled, Some(..=4_096))), None) => Some(ReasoningEffort::Low),
        (Some((ThinkingKind::Enabled, Some(16_385..))), None) => Some(ReasoningEffort::High),
        (Some(_), None) => Some(ReasoningEffort::Medium),
        (None, None) => None,
    }
}
