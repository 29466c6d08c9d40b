//! The content of messages in Anthropic's format, and its conversion for the router.

use aura_providers::{ContentPart, Message, Role, ToolCall};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::error::MessageError;
use crate::openai::decode_image;
use crate::shortened;

/// The content of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum MessageContent {
    /// Text.
    Text(String),
    /// A list of blocks.
    Blocks(Vec<ContentBlock>),
}

/// A block of a message: `text`, `image`, `tool_use`, `tool_result`, `thinking` or `redacted_thinking`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ContentBlock {
    /// What the block is.
    #[serde(rename = "type")]
    #[schema(pattern = "^(text|image|tool_use|tool_result|thinking|redacted_thinking)$")]
    kind: String,
    /// The text of a `text` block.
    text: Option<String>,
    /// The picture of an `image` block.
    source: Option<ImageSource>,
    /// The id of a `tool_use` block.
    id: Option<String>,
    /// The name of the tool of a `tool_use` block.
    name: Option<String>,
    /// The arguments of a `tool_use` block.
    #[schema(value_type = Option<Object>)]
    input: Option<serde_json::Map<String, Value>>,
    /// The id of the call whose result a `tool_result` block is.
    tool_use_id: Option<String>,
    /// The content of a `tool_result` block.
    content: Option<ToolResultContent>,
    /// Whether a `tool_result` block reports that the tool failed.
    is_error: Option<bool>,
}

/// The system prompt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum SystemPrompt {
    /// Text.
    Text(String),
    /// A list of texts.
    Blocks(Vec<SystemBlock>),
}

/// A part of the system prompt.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SystemBlock {
    /// Always `text`.
    #[serde(rename = "type")]
    _kind: SystemBlockKind,
    /// The text.
    text: String,
}

/// The type of a part of the system prompt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SystemBlockKind {
    /// Text.
    Text,
}

/// The result of a tool.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ToolResultContent {
    /// Text.
    Text(String),
    /// A list of texts and pictures.
    Blocks(Vec<ToolResultBlock>),
}

/// A block of the result of a tool: `text` or `image`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ToolResultBlock {
    /// What the block is.
    #[serde(rename = "type")]
    #[schema(pattern = "^(text|image)$")]
    kind: String,
    /// The text of a `text` block.
    text: Option<String>,
    /// The picture of an `image` block.
    source: Option<ImageSource>,
}

/// A picture.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ImageSource {
    /// Where the picture is. AURA downloads no pictures, so only `base64` is accepted.
    #[serde(rename = "type")]
    kind: ImageSourceKind,
    /// The picture as base64: PNG, JPEG, WebP or GIF.
    #[schema(pattern = "^[A-Za-z0-9+/]+=*$")]
    data: Option<String>,
}

/// Where a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ImageSourceKind {
    /// In the request.
    Base64,
    /// At an address; refused.
    Url,
    /// Stored at Anthropic; refused.
    File,
}

impl MessageContent {
    pub(super) fn blocks(&self) -> &[ContentBlock] {
        match self {
            Self::Text(_) => &[],
            Self::Blocks(blocks) => blocks,
        }
    }
}

impl SystemPrompt {
    /// The text; blocks are separated by an empty line.
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Blocks(blocks) => blocks.into_iter().map(|block| block.text).collect::<Vec<_>>().join("\n\n"),
        }
    }
}

impl ContentBlock {
    fn sources(&self) -> impl Iterator<Item = &ImageSource> {
        let inner: &[ToolResultBlock] = match &self.content {
            Some(ToolResultContent::Blocks(blocks)) => blocks,
            _ => &[],
        };
        self.source.iter().chain(inner.iter().filter_map(|block| block.source.as_ref()))
    }

    pub(super) fn has_image(&self) -> bool {
        self.sources().next().is_some()
    }

    /// The length of its pictures, bytes of base64.
    pub(super) fn image_length(&self) -> usize {
        self.sources().filter_map(|source| source.data.as_ref()).map(String::len).sum()
    }
}

/// Appends a message. Results of tools become messages of their own, before the text that came with them.
pub(super) fn append_message(role: Role, content: MessageContent, out: &mut Vec<Message>) -> Result<(), MessageError> {
    let blocks = match content {
        MessageContent::Text(text) => {
            out.push(Message::new(role, text));
            return Ok(());
        }
        MessageContent::Blocks(blocks) => blocks,
    };
    let mut message = Message::new(role, "");
    message.parts.clear();
    for block in blocks {
        let is_misplaced = (block.source.is_some() && block.kind != "image")
            || (block.content.is_some() && block.kind != "tool_result");
        if is_misplaced {
            return Err(MessageError::invalid_request(
                "Only a block of type `image` has a `source`, and only one of type `tool_result` has `content`.",
            ));
        }
        match (block.kind.as_str(), role) {
            ("text", _) => message.parts.push(ContentPart::Text(required(block.text, "text", "text")?)),
            ("image", Role::User) => message.parts.push(to_image(block.source)?),
            ("tool_use", Role::Assistant) => message.tool_calls.push(ToolCall {
                id: required(block.id, "id", "tool_use")?,
                name: required(block.name, "name", "tool_use")?,
                arguments: Value::Object(block.input.unwrap_or_default()).to_string(),
                signature: None,
            }),
            ("tool_result", Role::User) => {
                let id = required(block.tool_use_id, "tool_use_id", "tool_result")?;
                let (text, images) = to_result(block.content)?;
                let text = if block.is_error == Some(true) { format!("The tool failed: {text}") } else { text };
                out.push(Message::tool_result(id, text));
                message.parts.extend(images);
            }
            // Reasoning belongs to the model that wrote it; another model cannot use it.
            ("thinking" | "redacted_thinking", Role::Assistant) => {}
            (kind, _) => {
                return Err(MessageError::invalid_request(format!(
                    "AURA does not support a block of type `{}` here. Send `text`, `image`, `tool_use` or `tool_result`.",
                    shortened(kind)
                )));
            }
        }
    }
    if !message.parts.is_empty() || !message.tool_calls.is_empty() {
        out.push(message);
    }
    Ok(())
}

fn required(value: Option<String>, field: &str, kind: &str) -> Result<String, MessageError> {
    value.ok_or_else(|| MessageError::invalid_request(format!("A block of type `{kind}` needs `{field}`.")))
}

fn to_image(source: Option<ImageSource>) -> Result<ContentPart, MessageError> {
    match source {
        Some(ImageSource { kind: ImageSourceKind::Base64, data: Some(data) }) => {
            Ok(ContentPart::Image(decode_image(&data)?))
        }
        _ => Err(MessageError::invalid_request(
            "AURA does not download pictures. Send the picture itself, with a `source` of type `base64`.",
        )),
    }
}

/// The text of a tool's result, and its pictures, which providers accept only from the user.
fn to_result(content: Option<ToolResultContent>) -> Result<(String, Vec<ContentPart>), MessageError> {
    let blocks = match content {
        None => return Ok((String::new(), Vec::new())),
        Some(ToolResultContent::Text(text)) => return Ok((text, Vec::new())),
        Some(ToolResultContent::Blocks(blocks)) => blocks,
    };
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    for block in blocks {
        match block.kind.as_str() {
            "text" if block.source.is_none() => texts.push(required(block.text, "text", "text")?),
            "image" => images.push(to_image(block.source)?),
            kind => {
                return Err(MessageError::invalid_request(format!(
                    "AURA does not support a block of type `{}` in the result of a tool. Send `text` or `image`.",
                    shortened(kind)
                )));
            }
        }
    }
    Ok((texts.join("\n"), images))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn messages(role: Role, content: Value) -> Vec<Message> {
        let mut out = Vec::new();
        append_message(role, serde_json::from_value(content).unwrap(), &mut out).unwrap();
        out
    }

    #[test]
    fn results_of_tools_precede_what_came_with_them() {
        let of = messages(
            Role::User,
            json!([
                {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "21 °C"}]},
                {"type": "tool_result", "tool_use_id": "b", "content": "no such city", "is_error": true},
                {"type": "text", "text": "Go on."},
            ]),
        );
        let texts: Vec<(Role, String)> = of.iter().map(|message| (message.role, message.text().into_owned())).collect();
        assert_eq!(
            texts,
            [
                (Role::Tool, "21 °C".into()),
                (Role::Tool, "The tool failed: no such city".into()),
                (Role::User, "Go on.".into())
            ]
        );
        assert_eq!(of[1].tool_call_id.as_deref(), Some("b"));
    }

    #[test]
    fn reasoning_is_left_out_and_calls_are_kept() {
        let of = messages(
            Role::Assistant,
            json!([
                {"type": "thinking", "thinking": "hm", "signature": "x"},
                {"type": "text", "text": "One moment."},
                {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Oslo"}},
            ]),
        );
        assert_eq!((of.len(), of[0].text().as_ref()), (1, "One moment."));
        assert_eq!(of[0].tool_calls[0].arguments, r#"{"city":"Oslo"}"#);
    }

    #[test]
    fn unsupported_blocks_are_refused() {
        for (role, content) in [
            (Role::User, json!([{"type": "document", "source": {"type": "base64", "data": "eA=="}}])),
            (Role::User, json!([{"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}])),
            (Role::Assistant, json!([{"type": "image", "source": {"type": "base64", "data": "eA=="}}])),
            (Role::User, json!([{"type": "tool_result", "content": "no id"}])),
            (Role::User, json!([{"type": "text"}])),
        ] {
            let content = serde_json::from_value(content).unwrap();
            assert!(append_message(role, content, &mut Vec::new()).is_err());
        }
    }
}
