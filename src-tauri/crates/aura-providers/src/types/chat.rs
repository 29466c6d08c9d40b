//! A chat with a model: messages with images, tools, sampling options, and the streamed answer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use futures::stream::BoxStream;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::failure::Failure;
use super::usage::Usage;

/// The author of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Instructions from the application.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentPart {
    /// Text.
    Text(String),
    /// An image file: JPEG, PNG, WebP or GIF.
    Image(Bytes),
}

/// One message of a chat. Cheap to clone: image bytes are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The author.
    pub role: Role,
    /// Text and images, in order.
    pub parts: Vec<ContentPart>,
    /// The tool calls that the model made; only with [`Role::Assistant`].
    pub tool_calls: Vec<ToolCall>,
    /// The [`ToolCall::id`] that this message is the result of; only with [`Role::Tool`].
    pub tool_call_id: Option<String>,
}

impl Message {
    /// A message with one text part.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![ContentPart::Text(text.into())], tool_calls: Vec::new(), tool_call_id: None }
    }

    /// A message from the user.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, text)
    }

    /// An earlier answer of the model.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new(Role::Assistant, text)
    }

    /// The result of the tool call with the id `tool_call_id`.
    pub fn tool_result(tool_call_id: impl Into<String>, text: impl Into<String>) -> Self {
        Self { tool_call_id: Some(tool_call_id.into()), ..Self::new(Role::Tool, text) }
    }

    /// Adds an image file after the parts so far; `None` adds nothing.
    #[must_use]
    pub fn with_image(mut self, image: impl Into<Option<Bytes>>) -> Self {
        self.parts.extend(image.into().map(ContentPart::Image));
        self
    }

    /// The text parts, joined by line feeds.
    pub fn text(&self) -> Cow<'_, str> {
        let mut texts = self.parts.iter().filter_map(|part| match part {
            ContentPart::Text(text) => Some(text.as_str()),
            ContentPart::Image(_) => None,
        });
        match (texts.next(), texts.next()) {
            (None, _) => Cow::Borrowed(""),
            (Some(only), None) => Cow::Borrowed(only),
            (Some(first), Some(second)) => {
                Cow::Owned([first, second].into_iter().chain(texts).collect::<Vec<_>>().join("\n"))
            }
        }
    }

    /// The images, in order.
    pub fn images(&self) -> impl Iterator<Item = &Bytes> {
        self.parts.iter().filter_map(|part| match part {
            ContentPart::Text(_) => None,
            ContentPart::Image(image) => Some(image),
        })
    }
}

/// A call of a tool, requested by the model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// Identifies the call within the chat; the message with its result refers to it.
    pub id: String,
    /// The name of the tool.
    pub name: String,
    /// The arguments: a JSON object as text.
    pub arguments: String,
    /// Gemini's thought signature. It must be sent back unchanged with the call in the next request.
    pub signature: Option<String>,
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// The name: letters, digits, `_` and `-`, at most 64 (OpenAI's limit).
    pub name: String,
    /// What the tool does, for the model.
    pub description: Option<String>,
    /// The JSON schema of the arguments; `None` when the tool takes none.
    pub parameters: Option<Value>,
    /// Whether the arguments must follow the schema exactly, where the provider can guarantee that.
    pub strict: Option<bool>,
}

impl Tool {
    /// A tool without description and arguments.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), description: None, parameters: None, strict: None }
    }

    /// Describes the tool to the model.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets the JSON schema of the arguments.
    #[must_use]
    pub fn with_parameters(mut self, schema: Value) -> Self {
        self.parameters = Some(schema);
        self
    }
}

/// Whether the model may or must call tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    /// No tool may be called.
    Never,
    /// At least one tool must be called.
    Required,
    /// The tool with this name must be called.
    Named(String),
}

/// The format of the answer.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub enum ResponseFormat {
    /// Text.
    #[default]
    Text,
    /// Any JSON object.
    Json,
    /// JSON that follows a schema.
    Schema {
        /// A name for the schema, which OpenAI requires.
        name: String,
        /// The JSON schema.
        schema: Value,
        /// Whether the schema must be followed exactly, where the provider can guarantee that.
        strict: Option<bool>,
    },
}

/// Sampling options. `None` leaves an option to the provider's default; an option that a provider documents as unsupported is not
/// sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling {
    /// Randomness, 0 to 2.
    pub temperature: Option<f64>,
    /// Nucleus sampling: the share of probability mass to choose from, 0 to 1.
    pub top_p: Option<f64>,
    /// Texts that end the answer. They are not part of it.
    pub stop: Vec<String>,
    /// A seed for repeatable answers, as far as the provider supports that.
    pub seed: Option<i64>,
    /// Penalty on tokens by how often they occurred, -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// Penalty on tokens that occurred at all, -2 to 2.
    pub presence_penalty: Option<f64>,
}

/// A chat request. Cheap to clone: image bytes are shared.
///
/// ```
/// use aura_providers::{ChatRequest, Message};
///
/// let request = ChatRequest::new("openai/gpt-oss-20b")
///     .with_system("Answer in one sentence.")
///     .with_message(Message::user("Why is the sky blue?"))
///     .with_max_tokens(200);
/// assert_eq!(request.messages.len(), 1);
/// ```
#[derive(Debug, Clone, Default)]
pub struct ChatRequest {
    /// The name of the model.
    pub model: String,
    /// The system prompt, sent before all messages; empty for none.
    pub system: String,
    /// The conversation, oldest first; the last message is the question.
    pub messages: Vec<Message>,
    /// The longest answer, in tokens, reasoning included; `None` for the provider's own limit.
    pub max_tokens: Option<u32>,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether it may or must call them.
    pub tool_choice: ToolChoice,
    /// Whether the request may be sent without its tools to a model that has no tool support. For the caller that chooses the
    /// model: the adapters ignore it.
    pub tools_optional: bool,
    /// Whether several tools may be called at once; `None` for the provider's default.
    pub parallel_tool_calls: Option<bool>,
    /// The format of the answer.
    pub format: ResponseFormat,
    /// Sampling options.
    pub sampling: Sampling,
    /// The language of the question, as an ISO 639-1 code or BCP 47 tag, where it is known. For adapters that do not read it from the
    /// question, such as one that recognises the text in an image.
    pub language: Option<String>,
    /// Whether the request asks for the rest of an interrupted answer. The built-in answers of `offline` refuse it.
    pub continues: bool,
    /// The number of most likely tokens to choose from, where the provider supports it.
    pub top_k: Option<u32>,
    /// The reasoning effort; `None` for the catalog's value, which is the lowest one that suits a spoken answer.
    pub effort: Option<ReasoningEffort>,
    /// Reports the log probabilities of the answer's tokens, and of this many likely alternatives to each (0 to 20), where the provider
    /// can. Others answer without.
    pub logprobs: Option<u8>,
    /// The resolution at which images are processed; `None` for the provider's default.
    pub detail: Option<ImageDetail>,
    /// The service tier, where the provider has tiers.
    pub tier: Option<ServiceTier>,
    /// The content filter, where the provider has one that can be set; `None` is [`SafetyLevel::Low`].
    pub safety: Option<SafetyLevel>,
    /// An opaque id of the end user, which helps a provider to detect abuse.
    pub user: Option<String>,
    /// Extra fields for one provider, added to its request as they are. The key is the connection's name; other providers do not
    /// receive them.
    pub extra: BTreeMap<String, Map<String, Value>>,
}

impl ChatRequest {
    /// A request to a model, without messages.
    pub fn new(model: impl Into<String>) -> Self {
        Self { model: model.into(), ..Self::default() }
    }

    /// Sets the system prompt.
    #[must_use]
    pub fn with_system(mut self, system: impl Into<String>) -> Self {
        self.system = system.into();
        self
    }

    /// Appends a message.
    #[must_use]
    pub fn with_message(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// Limits the answer to this many tokens, reasoning included.
    #[must_use]
    pub fn with_max_tokens(mut self, max_tokens: u32) -> Self {
        self.max_tokens = Some(max_tokens);
        self
    }

    /// Lets the model call these tools.
    #[must_use]
    pub fn with_tools(mut self, tools: impl IntoIterator<Item = Tool>) -> Self {
        self.tools.extend(tools);
        self
    }

    /// Sets the format of the answer.
    #[must_use]
    pub fn with_format(mut self, format: ResponseFormat) -> Self {
        self.format = format;
        self
    }

    /// Sets the sampling options.
    #[must_use]
    pub fn with_sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// Sets the reasoning effort.
    #[must_use]
    pub fn with_effort(mut self, effort: ReasoningEffort) -> Self {
        self.effort = Some(effort);
        self
    }

    /// Every image of the conversation, in order.
    pub fn images(&self) -> impl Iterator<Item = &Bytes> {
        self.messages.iter().flat_map(Message::images)
    }

    /// Replaces the oldest images by a text until at most `max_images` images with `max_bytes` bytes in total are left. The images
    /// of the last user message are always kept; `None` when they alone exceed a limit.
    pub(crate) fn with_images_within(&self, max_images: usize, max_bytes: usize) -> Option<Cow<'_, Self>> {
        let fits = |request: &Self| {
            request.images().count() <= max_images && request.images().map(Bytes::len).sum::<usize>() <= max_bytes
        };
        if fits(self) {
            return Some(Cow::Borrowed(self));
        }
        let last = self.messages.iter().rposition(|message| message.role == Role::User)?;
        let mut pruned = self.clone();
        for at in 0..last {
            for part in &mut pruned.messages[at].parts {
                if matches!(part, ContentPart::Image(_)) {
                    *part = ContentPart::Text("[a picture that was shown earlier]".into());
                }
            }
            if fits(&pruned) {
                return Some(Cow::Owned(pruned));
            }
        }
        None
    }

    /// The same request for a model that has no tool support: without tools, and with earlier calls and their results as plain text.
    #[must_use]
    pub fn without_tools(mut self) -> Self {
        self.tools.clear();
        self.tool_choice = ToolChoice::default();
        for message in &mut self.messages {
            let calls = std::mem::take(&mut message.tool_calls).into_iter();
            message
                .parts
                .extend(calls.map(|call| ContentPart::Text(format!("[called {} with {}]", call.name, call.arguments))));
            if message.tool_call_id.take().is_some() || message.role == Role::Tool {
                message.role = Role::User;
                message.parts.insert(0, ContentPart::Text("[result of the call]".into()));
            }
        }
        self
    }

    /// Whether only a model that can call tools or write JSON can answer this.
    pub(crate) fn needs_structured_output(&self) -> bool {
        matches!(self.tool_choice, ToolChoice::Required | ToolChoice::Named(_)) || self.format != ResponseFormat::Text
    }
}

/// How much a model reasons before it answers. Models differ in what they accept; an adapter sends the nearest accepted value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasoningEffort {
    /// No reasoning.
    None,
    /// The least that a reasoning model can do.
    Minimal,
    /// Little.
    Low,
    /// A moderate amount.
    Medium,
    /// A lot: slower and more expensive.
    High,
}

impl ReasoningEffort {
    /// The value in requests, such as `minimal`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// The resolution at which a model processes images. A higher one costs more tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageDetail {
    /// The model decides.
    Auto,
    /// Low resolution.
    Low,
    /// High resolution, for small print.
    High,
}

/// The priority of a request at providers that sell several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServiceTier {
    /// The best tier that the account has capacity for.
    Auto,
    /// The default tier.
    Standard,
    /// Spare capacity: cheaper, and refused more often.
    Flex,
    /// Served first, at a higher price.
    Priority,
}

/// How much content a provider's filter blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SafetyLevel {
    /// Nothing, if the provider allows its filter to be switched off.
    Off,
    /// Content that is very likely to be harmful.
    Low,
    /// Content that is likely to be harmful.
    Medium,
    /// Content that may be harmful.
    High,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishReason {
    /// The answer is complete.
    Stop,
    /// The token limit ended it.
    Length,
    /// The model called at least one tool.
    ToolCalls,
}

/// An event of a streamed answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ChatEvent {
    /// A piece of the answer. Reasoning is never part of it.
    Text(String),
    /// The log probabilities of tokens whose text was reported, each in OpenAI's format. Only where they were requested.
    Logprobs(Vec<Value>),
    /// The model is reasoning or writing a tool call. A sign of life for the caller's timeouts.
    Thinking,
    /// A complete tool call. Tool calls follow the text, directly before [`ChatEvent::End`].
    ToolCall(ToolCall),
    /// The answer is complete. A stream that ends without this event was interrupted.
    End {
        /// Why the answer ended.
        finish: FinishReason,
        /// What the call consumed.
        usage: Usage,
    },
}

/// A streamed answer. Ends after [`ChatEvent::End`] or after the first failure.
pub type ChatStream = BoxStream<'static, Result<ChatEvent, Failure>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_images_of_a_message_are_separated() {
        let mut message = Message::user("What is this?").with_image(Bytes::from_static(b"\x89PNG"));
        assert_eq!((message.text().as_ref(), message.images().count()), ("What is this?", 1));
        message.parts.push(ContentPart::Text("And that?".into()));
        assert_eq!(message.text(), "What is this?\nAnd that?");
        message.parts.clear();
        assert_eq!(message.text(), "");
    }

    #[test]
    fn a_request_without_tools_tells_what_was_called() {
        let call = ToolCall { id: "1".into(), name: "look".into(), arguments: "{}".into(), signature: None };
        let request = ChatRequest::new("m")
            .with_message(Message::user("What is this?").with_image(Bytes::from_static(b"\x89PNG")))
            .with_message(Message { tool_calls: vec![call], ..Message::assistant("Let me look.") })
            .with_message(Message::tool_result("1", "Done."))
            .with_tools([Tool::new("look")])
            .without_tools();
        assert!(request.tools.is_empty());
        let said: Vec<_> = request.messages.iter().map(|message| (message.role, message.text().into_owned())).collect();
        let expected = [
            (Role::User, "What is this?"),
            (Role::Assistant, "Let me look.\n[called look with {}]"),
            (Role::User, "[result of the call]\nDone."),
        ];
        assert_eq!(said, expected.map(|(role, text)| (role, text.to_owned())));
        assert!(request.messages.iter().all(|message| message.tool_calls.is_empty() && message.tool_call_id.is_none()));
        assert_eq!(request.images().count(), 1);
    }
}
