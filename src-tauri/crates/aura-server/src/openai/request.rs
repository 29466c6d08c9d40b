//! A chat completion's request: read from OpenAI's fields, checked, and turned into a question for the router.

use aura_core::providers::{
    AnswerFormat, ChatRequest, Message, Part, Role, Sampling, Service, Tool, ToolCall, ToolChoice,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::error::Refused;
use crate::{body, shortened};

/// The most texts that end an answer.
const MOST_STOPS: usize = 4;
/// The most tools, as OpenAI and Groq have it.
const MOST_TOOLS: usize = 128;

/// A request for an answer. Fields of OpenAI's that are not listed here change nothing.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChatBody {
    /// `auto`, `provider/model`, or a model's own name.
    #[schema(examples("auto"))]
    pub(crate) model: String,
    /// The conversation; the question is last.
    #[schema(min_items = 1)]
    messages: Vec<MessageBody>,
    /// Whether the answer comes as server-sent events while it is written.
    pub(crate) stream: Option<bool>,
    /// What a stream tells besides.
    stream_options: Option<StreamOptions>,
    /// The longest answer, in tokens.
    #[schema(minimum = 1)]
    max_completion_tokens: Option<u32>,
    /// The older name of the same.
    #[schema(minimum = 1)]
    max_tokens: Option<u32>,
    /// How freely words are chosen.
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    /// The share of likely words to choose from.
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f64>,
    /// Texts that end the answer.
    stop: Option<Stop>,
    /// The same number gives the same answer, as far as the provider can.
    seed: Option<i64>,
    /// Against saying the same words again.
    #[schema(minimum = -2, maximum = 2)]
    frequency_penalty: Option<f64>,
    /// Against coming back to the same things.
    #[schema(minimum = -2, maximum = 2)]
    presence_penalty: Option<f64>,
    /// The form of the answer.
    response_format: Option<ResponseFormat>,
    /// The tools that may be called.
    #[schema(max_items = 128)]
    tools: Option<Vec<ToolBody>>,
    /// Whether they are.
    tool_choice: Option<ToolChoiceBody>,
    /// Whether several may be called at once.
    parallel_tool_calls: Option<bool>,
    /// Only one answer is given.
    #[schema(minimum = 1, maximum = 1)]
    n: Option<u32>,
    /// Not given.
    logprobs: Option<bool>,
    /// AURA's own: whether others may answer although a model is named.
    pub(crate) fallback: Option<bool>,
}

/// What a stream tells besides.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct StreamOptions {
    /// Whether the last event says what was used.
    include_usage: Option<bool>,
}

/// Texts that end an answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Stop {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// Something said.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct MessageBody {
    /// By whom.
    role: RoleBody,
    /// What: a text, or a list of texts and pictures.
    content: Option<Content>,
    /// The tools that the model called; only of an assistant.
    tool_calls: Option<Vec<CallBody>>,
    /// The call that this is the result of; only of a tool.
    tool_call_id: Option<String>,
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RoleBody {
    /// Whoever set the conversation up.
    System,
    /// The newer name of the same.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool.
    Tool,
}

/// What was said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Content {
    /// Words.
    Text(String),
    /// Words and pictures.
    Parts(Vec<PartBody>),
}

/// A part of what was said.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PartBody {
    /// `text`, or `image_url`.
    #[serde(rename = "type")]
    #[schema(pattern = "^(text|image_url)$")]
    kind: String,
    /// The words of a `text`.
    text: Option<String>,
    /// The picture of an `image_url`.
    image_url: Option<ImageUrl>,
}

/// A picture.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ImageUrl {
    /// The picture itself as `data:image/…;base64,…`: PNG, JPEG, WebP or GIF. Nothing is fetched from elsewhere.
    #[schema(pattern = "^data:image/[a-z]+;base64,[A-Za-z0-9+/]+=*$")]
    url: String,
}

/// A tool that was called.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CallBody {
    /// Its name in this conversation.
    id: String,
    /// Which one, and with what.
    function: FunctionCall,
    /// What a provider wants back with the call.
    extra_content: Option<Value>,
}

/// Which tool was called, and with what.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct FunctionCall {
    /// The tool.
    name: String,
    /// Its arguments, as the text of a JSON object.
    arguments: String,
}

/// A tool that may be called.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ToolBody {
    /// `function`.
    #[serde(rename = "type")]
    kind: ToolKind,
    /// The function.
    function: Function,
}

/// The kind of a tool.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ToolKind {
    /// A function.
    Function,
}

/// A function that may be called.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Function {
    /// Its name: letters, digits, `_` and `-`.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    name: String,
    /// What it is for.
    description: Option<String>,
    /// The JSON schema of its arguments.
    parameters: Option<serde_json::Map<String, Value>>,
    /// Whether the schema must be followed to the letter.
    strict: Option<bool>,
}

/// Whether tools are called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ToolChoiceBody {
    /// As a rule.
    Mode(ToolMode),
    /// This one.
    Named {
        /// Which.
        function: NamedFunction,
    },
}

/// Whether tools are called, as a rule.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ToolMode {
    /// They are not.
    None,
    /// As the model sees fit.
    Auto,
    /// At least one is.
    Required,
}

/// A function by its name.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NamedFunction {
    /// Its name.
    name: String,
}

/// The form of an answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ResponseFormat {
    /// Text.
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON by a schema.
    JsonSchema {
        /// The schema.
        json_schema: JsonSchema,
    },
}

/// A schema that the answer follows.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct JsonSchema {
    /// Its name.
    name: String,
    /// It.
    schema: Option<serde_json::Map<String, Value>>,
    /// Whether it must be followed to the letter.
    strict: Option<bool>,
}

impl ChatBody {
    /// What it needs: a picture anywhere needs a model that sees.
    pub(crate) fn service(&self) -> Service {
        let pictured = self.messages.iter().any(|message| match &message.content {
            Some(Content::Parts(parts)) => parts.iter().any(|part| part.kind == "image_url"),
            _ => false,
        });
        if pictured { Service::Vlm } else { Service::Llm }
    }

    /// How much of it is pictures, bytes. They have a limit of their own.
    pub(crate) fn pictures(&self) -> usize {
        let parts = self.messages.iter().flat_map(|message| match &message.content {
            Some(Content::Parts(parts)) => parts.as_slice(),
            _ => &[],
        });
        parts.filter_map(|part| Some(part.image_url.as_ref()?.url.len())).sum()
    }

    /// Whether a stream's last event says what was used.
    pub(crate) fn include_usage(&self) -> bool {
        self.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false)
    }

    /// The question for the router.
    pub(crate) fn question(self) -> Result<ChatRequest, Refused> {
        self.check()?;
        let messages: Vec<Message> = self.messages.into_iter().map(message).collect::<Result<_, _>>()?;
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
        let tools: Vec<Tool> = self.tools.unwrap_or_default().into_iter().map(tool).collect::<Result<_, _>>()?;
        let tool_choice = match self.tool_choice {
            None | Some(ToolChoiceBody::Mode(ToolMode::Auto)) => ToolChoice::Auto,
            Some(ToolChoiceBody::Mode(ToolMode::None)) => ToolChoice::Never,
            Some(ToolChoiceBody::Mode(ToolMode::Required)) => ToolChoice::Required,
            Some(ToolChoiceBody::Named { function }) => ToolChoice::Named(function.name),
        };
        let needed = match &tool_choice {
            ToolChoice::Named(name) => tools.iter().any(|tool| tool.name == *name),
            ToolChoice::Required => !tools.is_empty(),
            ToolChoice::Auto | ToolChoice::Never => true,
        };
        if !needed {
            return Err(Refused::bad("`tool_choice` asks for a tool that is not in `tools`.", Some("tool_choice")));
        }
        Ok(ChatRequest {
            messages,
            max_tokens: self.max_completion_tokens.or(self.max_tokens),
            tools,
            tool_choice,
            parallel_calls: self.parallel_tool_calls,
            format: match self.response_format {
                None | Some(ResponseFormat::Text) => AnswerFormat::Text,
                Some(ResponseFormat::JsonObject) => AnswerFormat::Json,
                Some(ResponseFormat::JsonSchema { json_schema: JsonSchema { name, schema, strict } }) => {
                    AnswerFormat::Schema { name, schema: Value::Object(schema.unwrap_or_default()), strict }
                }
            },
            sampling,
            ..ChatRequest::default()
        })
    }

    /// Refuses what is out of its bounds or would be passed over in silence.
    fn check(&self) -> Result<(), Refused> {
        if self.messages.is_empty() {
            return Err(Refused::bad("`messages` is empty: say something.", Some("messages")));
        }
        if self.n.is_some_and(|n| n != 1) {
            return Err(Refused::bad("AURA gives one answer: leave `n` out, or say 1.", Some("n")));
        }
        if self.logprobs == Some(true) {
            return Err(Refused::bad("AURA gives no `logprobs`: not every provider has them.", Some("logprobs")));
        }
        let limits = [self.max_completion_tokens, self.max_tokens];
        if limits.contains(&Some(0)) {
            return Err(Refused::bad("The longest answer is at least 1 token.", Some("max_completion_tokens")));
        }
        for (name, value, least, most) in [
            ("temperature", self.temperature, 0.0, 2.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("frequency_penalty", self.frequency_penalty, -2.0, 2.0),
            ("presence_penalty", self.presence_penalty, -2.0, 2.0),
        ] {
            if value.is_some_and(|value| !(least..=most).contains(&value)) {
                return Err(Refused::bad(format!("`{name}` is from {least} to {most}."), Some(name)));
            }
        }
        if let Some(Stop::Several(stops)) = &self.stop
            && stops.len() > MOST_STOPS
        {
            return Err(Refused::bad(format!("`stop` holds at most {MOST_STOPS} texts."), Some("stop")));
        }
        if self.tools.as_ref().is_some_and(|tools| tools.len() > MOST_TOOLS) {
            return Err(Refused::bad(format!("`tools` holds at most {MOST_TOOLS} tools."), Some("tools")));
        }
        Ok(())
    }
}

fn message(body: MessageBody) -> Result<Message, Refused> {
    let MessageBody { role, content, tool_calls, tool_call_id } = body;
    let parts = match content {
        None => Vec::new(),
        Some(Content::Text(text)) => vec![Part::Text(text)],
        Some(Content::Parts(parts)) => parts.into_iter().map(part).collect::<Result<_, _>>()?,
    };
    let calls: Vec<ToolCall> = tool_calls.unwrap_or_default().into_iter().map(call).collect();
    let refuse = |message: &str| Err(Refused::bad(message, Some("messages")));
    if !calls.is_empty() && role != RoleBody::Assistant {
        return refuse("Only an assistant's message has `tool_calls`.");
    }
    if role != RoleBody::User && parts.iter().any(|part| matches!(part, Part::Image(_))) {
        return refuse("Only a user's message holds pictures.");
    }
    if parts.is_empty() && calls.is_empty() {
        return refuse("A message has no `content`.");
    }
    let (role, answers) = match (role, tool_call_id) {
        (RoleBody::System | RoleBody::Developer, _) => (Role::System, None),
        (RoleBody::User, _) => (Role::User, None),
        (RoleBody::Assistant, _) => (Role::Assistant, None),
        (RoleBody::Tool, Some(id)) => (Role::Tool, Some(id)),
        (RoleBody::Tool, None) => return refuse("A tool's message needs the `tool_call_id` that it answers."),
    };
    Ok(Message { role, parts, calls, answers })
}

fn part(body: PartBody) -> Result<Part, Refused> {
    match (body.kind.as_str(), body.text, body.image_url) {
        ("text", Some(text), None) => Ok(Part::Text(text)),
        ("image_url", None, Some(image)) => picture(&image.url).map(Part::Image),
        (kind, _, _) => Err(Refused::bad(
            format!(
                "A part of type `{}` cannot be used. AURA takes `text` with `text`, and `image_url` with `image_url`.",
                shortened(kind)
            ),
            Some("messages"),
        )),
    }
}

/// The picture in a data address.
fn picture(url: &str) -> Result<Bytes, Refused> {
    let refuse = |message: &str| Err(Refused::bad(message, Some("messages")));
    let Some(data) = url.strip_prefix("data:") else {
        return refuse(
            "AURA fetches no pictures from other places. Send the picture itself, as `data:image/png;base64,…`.",
        );
    };
    let Some((_, data)) = data.split_once(";base64,") else {
        return refuse("A picture's address must be `data:image/…;base64,…`.");
    };
    let Ok(bytes) = STANDARD.decode(data.trim()) else { return refuse("A picture is not valid base64.") };
    if bytes.len() > body::IMAGE {
        return Err(body::too_large("picture", body::IMAGE).into());
    }
    let known = bytes.starts_with(b"\x89PNG")
        || bytes.starts_with(b"\xff\xd8\xff")
        || bytes.starts_with(b"GIF8")
        || (bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"));
    if !known {
        return refuse("A picture is none that AURA knows: PNG, JPEG, WebP or GIF.");
    }
    Ok(bytes.into())
}

fn call(body: CallBody) -> ToolCall {
    let signature = body.extra_content.as_ref().and_then(|extra| extra["google"]["thought_signature"].as_str());
    ToolCall {
        id: body.id,
        name: body.function.name,
        arguments: body.function.arguments,
        signature: signature.map(str::to_owned),
    }
}

fn tool(body: ToolBody) -> Result<Tool, Refused> {
    let ToolKind::Function = body.kind;
    let Function { name, description, parameters, strict } = body.function;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        let message = "A tool's name has 1 to 64 letters, digits, `_` or `-`.";
        return Err(Refused::bad(message, Some("tools")));
    }
    Ok(Tool { name, description, parameters: parameters.map(Value::Object), strict })
}
