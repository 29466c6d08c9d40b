//! The request body of a chat completion: OpenAI's fields, their validation, and their conversion for the router.

use aura_providers::{
    ChatRequest, ContentPart, MAX_IMAGE_BYTES, MediaType, Message, ResponseFormat, Role, Sampling, Service, Tool,
    ToolCall, ToolChoice,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::effort::Effort;
use super::error::ApiError;
use super::model_name::FallbackName;
use crate::limits::MAX_TOOLS;
use crate::{body, shortened};

/// The most alternatives to a token, as at OpenAI.
const MAX_TOP_LOGPROBS: u8 = 20;
/// The most stop sequences.
const MAX_STOPS: usize = 4;

/// A request for a chat completion. OpenAI's fields that are not listed here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChatBody {
    /// `auto`, `provider/model`, or a model name alone.
    #[schema(examples("auto"))]
    pub(crate) model: Option<String>,
    /// The conversation, oldest message first.
    #[schema(min_items = 1)]
    messages: Vec<MessageBody>,
    /// Whether to stream the answer as server-sent events.
    pub(crate) stream: Option<bool>,
    /// Options for streaming.
    #[serde(default, deserialize_with = "crate::body::object")]
    stream_options: Option<StreamOptions>,
    /// The longest answer, tokens.
    #[schema(minimum = 1)]
    max_completion_tokens: Option<u32>,
    /// The older name of `max_completion_tokens`.
    #[schema(minimum = 1)]
    max_tokens: Option<u32>,
    /// The sampling temperature.
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    /// The probability mass for nucleus sampling.
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f64>,
    /// Sequences that end the answer.
    stop: Option<Stop>,
    /// The seed: requests with equal seeds get equal answers, as far as the provider supports it.
    seed: Option<i64>,
    /// The penalty for frequent tokens.
    #[schema(minimum = -2, maximum = 2)]
    frequency_penalty: Option<f64>,
    /// The penalty for tokens that already occurred.
    #[schema(minimum = -2, maximum = 2)]
    presence_penalty: Option<f64>,
    /// The format of the answer.
    response_format: Option<ResponseFormatBody>,
    /// The tools that the model may call.
    #[schema(max_items = 128)]
    tools: Option<Vec<ToolBody>>,
    /// Whether and which tools the model calls.
    tool_choice: Option<ToolChoiceBody>,
    /// Whether the model may call several tools at once.
    parallel_tool_calls: Option<bool>,
    /// The number of answers; only 1 is supported.
    #[schema(minimum = 1, maximum = 1)]
    n: Option<u32>,
    /// Whether to report the log probabilities of the answer's tokens. Routes that have none answer without.
    logprobs: Option<bool>,
    /// How many likely alternatives to report for each token. Needs `logprobs`.
    #[schema(minimum = 0, maximum = 20)]
    top_logprobs: Option<u8>,
    /// How much the model reasons; an effort that a model does not know becomes the nearest one.
    reasoning_effort: Option<Effort>,
    /// An extension of AURA: further models, tried in this order after `model`, which may then be left out.
    #[schema(max_items = 16)]
    pub(crate) models: Option<Vec<String>>,
    /// An extension of AURA: further models, tried after those.
    #[schema(max_items = 16)]
    pub(crate) fallbacks: Option<Vec<FallbackName>>,
    /// An extension of AURA: whether to fall back to other providers although a model is named. Default false.
    pub(crate) fallback: Option<bool>,
}

/// Options for streaming.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct StreamOptions {
    /// Whether the last chunk has the token usage.
    include_usage: Option<bool>,
}

/// Sequences that end an answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Stop {
    /// A single sequence.
    One(String),
    /// Several sequences.
    Several(Vec<String>),
}

/// A message.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct MessageBody {
    /// The role of its author.
    role: RoleBody,
    /// Text, or a list of texts and pictures.
    content: Option<Content>,
    /// The tool calls of the model; only in a message of the assistant.
    tool_calls: Option<Vec<ToolCallBody>>,
    /// The id of the call whose result this is; only in a message of a tool.
    tool_call_id: Option<String>,
}

/// The role of a message's author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RoleBody {
    /// The developer's instructions.
    System,
    /// The newer name of `system`.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// The content of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Content {
    /// Text.
    Text(String),
    /// Texts and pictures.
    Parts(Vec<PartBody>),
}

/// A part of a message.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PartBody {
    /// `text`, or `image_url`.
    #[serde(rename = "type")]
    #[schema(pattern = "^(text|image_url)$")]
    kind: String,
    /// The text, if the type is `text`.
    text: Option<String>,
    /// The picture, if the type is `image_url`.
    image_url: Option<ImageUrl>,
}

/// A picture.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ImageUrl {
    /// The picture as a data URL, `data:image/…;base64,…`: PNG, JPEG, WebP or GIF. AURA downloads no pictures.
    #[schema(pattern = "^data:image/[a-z]+;base64,[A-Za-z0-9+/]+=*$")]
    url: String,
}

/// An earlier tool call of the model.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ToolCallBody {
    /// The id of the call.
    id: String,
    /// The function and its arguments.
    function: FunctionCallBody,
    /// The extra content of the call, returned unchanged: Gemini's thought signature.
    extra_content: Option<Value>,
}

/// An earlier function call of the model.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct FunctionCallBody {
    /// The name of the function.
    name: String,
    /// The arguments, a JSON object as text.
    arguments: String,
}

/// A tool that the model may call.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ToolBody {
    /// Always `function`.
    #[serde(rename = "type")]
    kind: ToolKind,
    /// The function.
    function: FunctionBody,
}

/// The kind of a tool.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ToolKind {
    /// A function.
    Function,
}

/// A function that the model may call.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct FunctionBody {
    /// The name: 1 to 64 letters, digits, `_` or `-`.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    name: String,
    /// What it is for.
    description: Option<String>,
    /// The JSON schema of the arguments.
    parameters: Option<serde_json::Map<String, Value>>,
    /// Whether the output must follow the schema exactly.
    strict: Option<bool>,
}

/// Whether and which tools the model calls.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ToolChoiceBody {
    /// A mode for all tools.
    Mode(ToolMode),
    /// The model must call this function.
    Named {
        /// The function.
        function: NamedFunction,
    },
}

/// Whether the model calls tools.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ToolMode {
    /// It calls none.
    None,
    /// The model decides.
    Auto,
    /// It calls at least one.
    Required,
}

/// A function by name.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NamedFunction {
    /// The name.
    name: String,
}

/// The format of an answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ResponseFormatBody {
    /// Text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema {
        /// The schema.
        json_schema: JsonSchema,
    },
}

/// A JSON schema for the answer.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct JsonSchema {
    /// The name of the schema.
    name: String,
    /// The schema.
    schema: Option<serde_json::Map<String, Value>>,
    /// Whether it must be followed to the letter.
    strict: Option<bool>,
}

impl ChatBody {
    /// The service it needs: a picture in any message needs a vision model.
    pub(crate) fn service(&self) -> Service {
        let has_image = self.messages.iter().any(|message| match &message.content {
            Some(Content::Parts(parts)) => parts.iter().any(|part| part.kind == "image_url"),
            _ => false,
        });
        if has_image { Service::Vlm } else { Service::Llm }
    }

    /// The length of all pictures in it, bytes of base64. Pictures have a limit of their own.
    pub(crate) fn image_length(&self) -> usize {
        let parts = self.messages.iter().flat_map(|message| match &message.content {
            Some(Content::Parts(parts)) => parts.as_slice(),
            _ => &[],
        });
        parts.filter_map(|part| Some(part.image_url.as_ref()?.url.len())).sum()
    }

    /// Whether the last chunk of a stream has the token usage.
    pub(crate) fn include_usage(&self) -> bool {
        self.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false)
    }

    /// Validates the body and converts it for the router.
    ///
    /// # Errors
    /// Status 400 when a field is not valid, or is not supported and would change the answer.
    pub(crate) fn into_request(self) -> Result<ChatRequest, ApiError> {
        self.validate()?;
        let messages: Vec<Message> = self.messages.into_iter().map(to_message).collect::<Result<_, _>>()?;
        let sampling = Sampling {
            temperature: self.temperature,
            top_p: self.top_p,
            stop: match self.stop {
                None => Vec::new(),
                Some(Stop::One(stop)) => vec![stop],
                Some(Stop::Several(stops)) => stops,
            },
            seed: self.seed,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
        };
        let tools: Vec<Tool> = self.tools.unwrap_or_default().into_iter().map(to_tool).collect::<Result<_, _>>()?;
        let tool_choice = match self.tool_choice {
            None | Some(ToolChoiceBody::Mode(ToolMode::Auto)) => ToolChoice::Auto,
            Some(ToolChoiceBody::Mode(ToolMode::None)) => ToolChoice::Never,
            Some(ToolChoiceBody::Mode(ToolMode::Required)) => ToolChoice::Required,
            Some(ToolChoiceBody::Named { function }) => ToolChoice::Named(function.name),
        };
        let is_available = match &tool_choice {
            ToolChoice::Named(name) => tools.iter().any(|tool| tool.name == *name),
            ToolChoice::Required => !tools.is_empty(),
            ToolChoice::Auto | ToolChoice::Never => true,
        };
        if !is_available {
            return Err(ApiError::invalid_request(
                "`tool_choice` names a tool that is not in `tools`.",
                Some("tool_choice"),
            ));
        }
        Ok(ChatRequest {
            messages,
            max_tokens: self.max_completion_tokens.or(self.max_tokens),
            tools,
            tool_choice,
            parallel_tool_calls: self.parallel_tool_calls,
            format: match self.response_format {
                None | Some(ResponseFormatBody::Text) => ResponseFormat::Text,
                Some(ResponseFormatBody::JsonObject) => ResponseFormat::Json,
                Some(ResponseFormatBody::JsonSchema { json_schema: JsonSchema { name, schema, strict } }) => {
                    ResponseFormat::Schema { name, schema: Value::Object(schema.unwrap_or_default()), strict }
                }
            },
            sampling,
            effort: self.reasoning_effort.map(Into::into),
            logprobs: (self.logprobs == Some(true)).then(|| self.top_logprobs.unwrap_or(0)),
            ..ChatRequest::default()
        })
    }

    /// Rejects values out of bounds, and unsupported fields that would otherwise be ignored silently.
    fn validate(&self) -> Result<(), ApiError> {
        if self.messages.is_empty() {
            return Err(ApiError::invalid_request("`messages` is empty. Send at least one message.", Some("messages")));
        }
        if self.n.is_some_and(|n| n != 1) {
            return Err(ApiError::invalid_request("AURA returns one answer. Leave `n` out or set it to 1.", Some("n")));
        }
        if self.top_logprobs.is_some_and(|alternatives| alternatives > MAX_TOP_LOGPROBS) {
            let message = format!("`top_logprobs` must be from 0 to {MAX_TOP_LOGPROBS}.");
            return Err(ApiError::invalid_request(message, Some("top_logprobs")));
        }
        let limits = [self.max_completion_tokens, self.max_tokens];
        if limits.contains(&Some(0)) {
            return Err(ApiError::invalid_request(
                "`max_completion_tokens` must be at least 1.",
                Some("max_completion_tokens"),
            ));
        }
        for (name, value, min, max) in [
            ("temperature", self.temperature, 0.0, 2.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("frequency_penalty", self.frequency_penalty, -2.0, 2.0),
            ("presence_penalty", self.presence_penalty, -2.0, 2.0),
        ] {
            if value.is_some_and(|value| !(min..=max).contains(&value)) {
                return Err(ApiError::invalid_request(format!("`{name}` must be from {min} to {max}."), Some(name)));
            }
        }
        if let Some(Stop::Several(stops)) = &self.stop
            && stops.len() > MAX_STOPS
        {
            return Err(ApiError::invalid_request(format!("`stop` may have at most {MAX_STOPS} texts."), Some("stop")));
        }
        if self.tools.as_ref().is_some_and(|tools| tools.len() > MAX_TOOLS) {
            return Err(ApiError::invalid_request(
                format!("`tools` may have at most {MAX_TOOLS} tools."),
                Some("tools"),
            ));
        }
        Ok(())
    }
}

fn to_message(body: MessageBody) -> Result<Message, ApiError> {
    let MessageBody { role, content, tool_calls, tool_call_id } = body;
    let parts = match content {
        None => Vec::new(),
        Some(Content::Text(text)) => vec![ContentPart::Text(text)],
        Some(Content::Parts(parts)) => parts.into_iter().map(to_part).collect::<Result<_, _>>()?,
    };
    let calls: Vec<ToolCall> = tool_calls.unwrap_or_default().into_iter().map(to_tool_call).collect();
    let invalid = |message: &str| Err(ApiError::invalid_request(message, Some("messages")));
    if !calls.is_empty() && role != RoleBody::Assistant {
        return invalid("Only a message with the role `assistant` may have `tool_calls`.");
    }
    if role != RoleBody::User && parts.iter().any(|part| matches!(part, ContentPart::Image(_))) {
        return invalid("Only a message with the role `user` may have pictures.");
    }
    if parts.is_empty() && calls.is_empty() {
        return invalid("A message has neither `content` nor `tool_calls`. Send one of them.");
    }
    let (role, answers) = match (role, tool_call_id) {
        (RoleBody::System | RoleBody::Developer, _) => (Role::System, None),
        (RoleBody::User, _) => (Role::User, None),
        (RoleBody::Assistant, _) => (Role::Assistant, None),
        (RoleBody::Tool, Some(id)) => (Role::Tool, Some(id)),
        (RoleBody::Tool, None) => {
            return invalid("A message with the role `tool` needs the `tool_call_id` of the call.");
        }
    };
    Ok(Message { role, parts, tool_calls: calls, tool_call_id: answers })
}

fn to_part(body: PartBody) -> Result<ContentPart, ApiError> {
    match (body.kind.as_str(), body.text, body.image_url) {
        ("text", Some(text), None) => Ok(ContentPart::Text(text)),
        ("image_url", None, Some(image)) => image_of_data_url(&image.url).map(ContentPart::Image),
        (kind, _, _) => Err(ApiError::invalid_request(
            format!(
                "A part of type `{}` is not valid. Send `text` with `text`, or `image_url` with `image_url`.",
                shortened(kind)
            ),
            Some("messages"),
        )),
    }
}

/// Decodes the picture of a data URL.
pub(super) fn image_of_data_url(url: &str) -> Result<Bytes, ApiError> {
    let invalid = |message: &str| Err(ApiError::invalid_request(message, Some("messages")));
    let Some(data) = url.strip_prefix("data:") else {
        return invalid("AURA does not download pictures. Send the picture itself, as `data:image/png;base64,…`.");
    };
    let Some((_, data)) = data.split_once(";base64,") else {
        return invalid("The URL of a picture must be `data:image/…;base64,…`.");
    };
    decode_image(data)
}

/// Decodes a picture from base64 and checks its size and type.
pub(crate) fn decode_image(data: &str) -> Result<Bytes, ApiError> {
    let invalid = |message: &str| Err(ApiError::invalid_request(message, Some("messages")));
    let Ok(bytes) = STANDARD.decode(data.trim()) else {
        return invalid("A picture is not valid base64. Encode it again.");
    };
    if bytes.len() > MAX_IMAGE_BYTES {
        return Err(body::too_large("picture", MAX_IMAGE_BYTES).into());
    }
    if !MediaType::of(&bytes).is_some_and(MediaType::is_image) {
        return invalid("AURA cannot read one of the pictures. Send PNG, JPEG, WebP or GIF.");
    }
    Ok(bytes.into())
}

fn to_tool_call(body: ToolCallBody) -> ToolCall {
    let signature = body.extra_content.as_ref().and_then(|extra| extra["google"]["thought_signature"].as_str());
    ToolCall {
        id: body.id,
        name: body.function.name,
        arguments: body.function.arguments,
        signature: signature.map(str::to_owned),
    }
}

fn to_tool(body: ToolBody) -> Result<Tool, ApiError> {
    let ToolKind::Function = body.kind;
    let FunctionBody { name, description, parameters, strict } = body.function;
    if !is_tool_name(&name) {
        let message = "The name of a tool must have 1 to 64 letters, digits, `_` or `-`.";
        return Err(ApiError::invalid_request(message, Some("tools")));
    }
    Ok(Tool { name, description, parameters: parameters.map(Value::Object), strict })
}

/// Whether a name is valid for a tool, as OpenAI and Anthropic define it.
pub(crate) fn is_tool_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=64).contains(&name.len()) && name.chars().all(is_allowed)
}
