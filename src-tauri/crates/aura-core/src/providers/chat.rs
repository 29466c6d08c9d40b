//! A conversation with a model: what is asked, with pictures and tools, and what comes back.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use futures::stream::BoxStream;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Failure, Usage};

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Whoever set the conversation up: how to behave.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool that the model called.
    Tool,
}

/// A part of what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Words.
    Text(String),
    /// A picture file: JPEG, PNG, WebP or GIF.
    Image(Bytes),
}

/// One thing said. Cheap enough to clone: pictures are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// By whom.
    pub role: Role,
    /// What, in order.
    pub parts: Vec<Part>,
    /// The tools that the model asked for; only of [`Role::Assistant`].
    pub calls: Vec<ToolCall>,
    /// The call that this is the result of; only of [`Role::Tool`].
    pub answers: Option<String>,
}

impl Message {
    /// Something said in words.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::Text(text.into())], calls: Vec::new(), answers: None }
    }

    /// The same with a picture, if there is one.
    #[must_use]
    pub fn showing(mut self, image: Option<Bytes>) -> Self {
        self.parts.extend(image.map(Part::Image));
        self
    }

    /// The words alone.
    pub fn text(&self) -> Cow<'_, str> {
        let mut texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Image(_) => None,
        });
        match (texts.next(), texts.next()) {
            (None, _) => Cow::Borrowed(""),
            (Some(only), None) => Cow::Borrowed(only),
            (Some(first), Some(second)) => {
                Cow::Owned([first, second].into_iter().chain(texts).collect::<Vec<_>>().join("\n"))
            }
        }
    }

    /// The pictures alone.
    pub fn images(&self) -> impl Iterator<Item = &Bytes> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Image(image) => Some(image),
        })
    }
}

/// A tool that the model wants called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// Its name in this conversation; the result refers to it.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// The arguments, as the text of a JSON object.
    pub arguments: String,
    /// What Gemini wants back with the call, unchanged: the proof that its thought was its own.
    pub signature: Option<String>,
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The JSON schema of its arguments; none: it takes none.
    pub parameters: Option<Value>,
    /// Whether the arguments must follow the schema to the letter, where the provider can promise that.
    pub strict: Option<bool>,
}

/// Whether the model calls tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it sees fit.
    #[default]
    Auto,
    /// It does not.
    Never,
    /// It calls at least one.
    Required,
    /// It calls this one.
    Named(String),
}

/// The form of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum AnswerFormat {
    /// Text.
    #[default]
    Text,
    /// Some JSON object.
    Json,
    /// JSON by a schema.
    Schema {
        /// The schema's name.
        name: String,
        /// The JSON schema.
        schema: Value,
        /// Whether it must be followed to the letter.
        strict: Option<bool>,
    },
}

/// How an answer is chosen. What is absent is as the provider has it; what a provider is documented not to take is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling {
    /// How freely, 0 to 2.
    pub temperature: Option<f64>,
    /// The share of likely words to choose from, 0 to 1.
    pub top_p: Option<f64>,
    /// Texts that end the answer; they are not part of it.
    pub stop: Vec<String>,
    /// The same number gives the same answer, as far as the provider can.
    pub seed: Option<i64>,
    /// Against saying the same words again, -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// Against coming back to the same things, -2 to 2.
    pub presence_penalty: Option<f64>,
}

/// A question, with what was said before. Cheap enough to clone for another attempt.
#[derive(Debug, Clone, Default)]
pub struct ChatRequest {
    /// The model.
    pub model: String,
    /// How to behave; before every message.
    pub system: String,
    /// The conversation; the question is last.
    pub messages: Vec<Message>,
    /// The longest answer, in tokens; none: as long as the provider allows.
    pub max_tokens: Option<u32>,
    /// The tools that may be called.
    pub tools: Vec<Tool>,
    /// Whether they are.
    pub tool_choice: ToolChoice,
    /// Whether a model that takes no tools may answer without them.
    pub tools_optional: bool,
    /// Whether several may be called at once; none: as the provider has it.
    pub parallel_calls: Option<bool>,
    /// The form of the answer.
    pub format: AnswerFormat,
    /// How the answer is chosen.
    pub sampling: Sampling,
    /// Whether the rest of an answer that broke off is asked for: only a model can go on.
    pub continues: bool,
    /// How many likely words to choose from.
    pub top_k: Option<u32>,
    /// How much the model thinks; none: as the catalog has it, which is as little as it can for a spoken answer.
    pub effort: Option<Effort>,
    /// How closely pictures are looked at; none: as the provider has it.
    pub detail: Option<Detail>,
    /// How urgent the answer is, where the provider sells that.
    pub tier: Option<Tier>,
    /// How much a provider that can be told so blocks; none: only what is surely harmful.
    pub safety: Option<Safety>,
    /// Who asks, as a name that tells the provider nothing else: for its own defence against abuse.
    pub user: Option<String>,
    /// Fields of a provider's own that are sent to it as they are, under its name: a fallback is never given them.
    pub extra: BTreeMap<String, Map<String, Value>>,
}

/// How much a model thinks before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// Not at all.
    None,
    /// Hardly.
    Minimal,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
}

impl Effort {
    /// The word in requests.
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

/// How closely a picture is looked at: more of it costs more tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// As the model sees fit.
    Auto,
    /// Coarsely.
    Low,
    /// Closely, for small print.
    High,
}

/// How urgent an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// The best that the account has room for.
    Auto,
    /// As usual.
    Standard,
    /// When there is room: cheaper, and refused more often.
    Flex,
    /// Before others, at a higher price.
    Priority,
}

/// How much a provider blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Safety {
    /// Nothing that can be let through.
    Off,
    /// Only what is surely harmful.
    Low,
    /// What is probably harmful.
    Medium,
    /// Whatever may be harmful.
    High,
}

impl ChatRequest {
    /// Every picture of the conversation, in order.
    pub fn images(&self) -> impl Iterator<Item = &Bytes> {
        self.messages.iter().flat_map(Message::images)
    }

    /// The same without its oldest pictures, so that those that are left fit: at most so many, of so many bytes in all. Those of the
    /// last question always stay; `None` when they alone are too much.
    pub(super) fn with_pictures_within(&self, most: usize, bytes: usize) -> Option<Cow<'_, Self>> {
        let fits = |request: &Self| {
            request.images().count() <= most && request.images().map(Bytes::len).sum::<usize>() <= bytes
        };
        if fits(self) {
            return Some(Cow::Borrowed(self));
        }
        let last = self.messages.iter().rposition(|message| message.role == Role::User)?;
        let mut pruned = self.clone();
        for at in 0..last {
            for part in &mut pruned.messages[at].parts {
                if matches!(part, Part::Image(_)) {
                    *part = Part::Text("[a picture that was shown earlier]".into());
                }
            }
            if fits(&pruned) {
                return Some(Cow::Owned(pruned));
            }
        }
        None
    }

    /// Whether only a model that calls tools or writes JSON can do this.
    pub(super) fn is_for_programs(&self) -> bool {
        matches!(self.tool_choice, ToolChoice::Required | ToolChoice::Named(_)) || self.format != AnswerFormat::Text
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It is complete.
    Stop,
    /// The token limit cut it.
    Length,
    /// The model wants a tool.
    ToolCalls,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatPiece {
    /// Text for the person. Reasoning never arrives here.
    Text(String),
    /// The model is working but has nothing to say yet; keeps the clocks from running out.
    Thinking,
    /// A tool that the model wants called, whole. Calls come after the text, right before the end.
    ToolCall(ToolCall),
    /// The end. A stream without it was interrupted.
    End {
        /// Why.
        finish: Finish,
        /// What it used.
        usage: Usage,
    },
}

/// An answer as it is written. It ends after [`ChatPiece::End`] or the first failure.
pub type ChatStream = BoxStream<'static, Result<ChatPiece, Failure>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_message_are_told_from_its_pictures() {
        let mut message = Message::new(Role::User, "What is this?").showing(Some(Bytes::from_static(b"\x89PNG")));
        assert_eq!((message.text().as_ref(), message.images().count()), ("What is this?", 1));
        message.parts.push(Part::Text("And that?".into()));
        assert_eq!(message.text(), "What is this?\nAnd that?");
        message.parts.clear();
        assert_eq!(message.text(), "");
    }
}
