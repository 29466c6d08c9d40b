//! The input of a response: messages, calls of functions, and their results.

use aura_providers::{ContentPart, Message, Role, ToolCall};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::tools::sent_name;
use crate::openai::error::ApiError;
use crate::openai::request::image_of_data_url;
use crate::shortened;

/// The input of a response.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Input {
    /// The user's question.
    Text(String),
    /// The conversation, oldest item first.
    Items(Vec<InputItem>),
}

/// An item of the input: `message` (the default), `function_call`, `function_call_output`, `custom_tool_call`,
/// `custom_tool_call_output` or `reasoning`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct InputItem {
    /// What the item is.
    #[serde(rename = "type")]
    #[schema(
        pattern = "^(message|function_call|function_call_output|custom_tool_call|custom_tool_call_output|reasoning)$"
    )]
    kind: Option<String>,
    /// The author of a message.
    role: Option<ItemRole>,
    /// The content of a message: text, or a list of parts.
    content: Option<ItemContent>,
    /// The id that a call and its result share.
    call_id: Option<String>,
    /// The name of the function or tool of a call.
    name: Option<String>,
    /// The namespace of the function of a call, if it has one.
    namespace: Option<String>,
    /// The arguments of a function call, a JSON object as text.
    arguments: Option<String>,
    /// The input of a call of a custom tool.
    input: Option<String>,
    /// The result of a call: text, or a list of parts.
    output: Option<ItemContent>,
}

/// The author of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ItemRole {
    /// The developer's instructions.
    System,
    /// The newer name of `system`.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// The content of a message, or the result of a call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ItemContent {
    /// Text.
    Text(String),
    /// Texts and pictures.
    Parts(Vec<ItemPart>),
}

/// A part of a message: `input_text`, `output_text`, `refusal` or `input_image`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ItemPart {
    /// What the part is.
    #[serde(rename = "type")]
    #[schema(pattern = "^(input_text|output_text|refusal|input_image)$")]
    kind: String,
    /// The text of a text part.
    text: Option<String>,
    /// The text of a refusal.
    refusal: Option<String>,
    /// The picture as a data URL, `data:image/…;base64,…`: PNG, JPEG, WebP or GIF. AURA downloads no pictures.
    #[schema(pattern = "^data:image/[a-z]+;base64,[A-Za-z0-9+/]+=*$")]
    image_url: Option<String>,
}

impl Input {
    fn parts(&self) -> impl Iterator<Item = &ItemPart> {
        let items: &[InputItem] = match self {
            Self::Text(_) => &[],
            Self::Items(items) => items,
        };
        let contents = items.iter().flat_map(|item| [item.content.as_ref(), item.output.as_ref()]).flatten();
        contents.flat_map(|content| match content {
            ItemContent::Text(_) => [].iter(),
            ItemContent::Parts(parts) => parts.iter(),
        })
    }

    pub(super) fn has_image(&self) -> bool {
        self.parts().any(|part| part.kind == "input_image")
    }

    /// The length of all pictures in it, bytes of base64.
    pub(super) fn image_length(&self) -> usize {
        self.parts().filter_map(|part| part.image_url.as_ref()).map(String::len).sum()
    }

    /// Converts the input for the router. Consecutive calls become one message of the model.
    pub(super) fn into_messages(self) -> Result<Vec<Message>, ApiError> {
        let items = match self {
            Self::Text(text) => return Ok(vec![Message::user(text)]),
            Self::Items(items) => items,
        };
        let mut messages: Vec<Message> = Vec::new();
        for item in items {
            match item.kind.as_deref().unwrap_or("message") {
                "message" => messages.push(to_message(item.role, item.content)?),
                "function_call" => {
                    let arguments = required(item.arguments, "arguments", "function_call")?;
                    let name = match (item.namespace, item.name) {
                        (Some(namespace), Some(name)) => Some(sent_name(&namespace, &name)),
                        (_, name) => name,
                    };
                    append_call(item.call_id, name, arguments, &mut messages)?;
                }
                "custom_tool_call" => {
                    let input = required(item.input, "input", "custom_tool_call")?;
                    append_call(item.call_id, item.name, json!({ "input": input }).to_string(), &mut messages)?;
                }
                kind @ ("function_call_output" | "custom_tool_call_output") => {
                    let id = required(item.call_id, "call_id", kind)?;
                    let (text, images) = to_result(item.output)?;
                    messages.push(Message::tool_result(id, text));
                    if !images.is_empty() {
                        messages.push(Message { parts: images, ..Message::user("") });
                    }
                }
                // Reasoning belongs to the model that wrote it; another model cannot use it.
                "reasoning" => {}
                kind => {
                    return Err(invalid(&format!(
                        "AURA does not support an item of type `{}`. Nothing is stored: send the whole conversation as messages, \
                         calls and their results.",
                        shortened(kind)
                    )));
                }
            }
        }
        Ok(messages)
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::invalid_request(message, Some("input"))
}

fn required(value: Option<String>, field: &str, kind: &str) -> Result<String, ApiError> {
    value.ok_or_else(|| invalid(&format!("An item of type `{kind}` needs `{field}`.")))
}

fn append_call(
    id: Option<String>,
    name: Option<String>,
    arguments: String,
    messages: &mut Vec<Message>,
) -> Result<(), ApiError> {
    let (id, name) = (required(id, "call_id", "function_call")?, required(name, "name", "function_call")?);
    let call = ToolCall { id, name, arguments, signature: None };
    match messages.last_mut().filter(|last| last.role == Role::Assistant) {
        Some(last) => last.tool_calls.push(call),
        None => messages.push(Message {
            role: Role::Assistant,
            parts: Vec::new(),
            tool_calls: vec![call],
            tool_call_id: None,
        }),
    }
    Ok(())
}

fn to_message(role: Option<ItemRole>, content: Option<ItemContent>) -> Result<Message, ApiError> {
    let role = match role {
        Some(ItemRole::System | ItemRole::Developer) => Role::System,
        Some(ItemRole::User) => Role::User,
        Some(ItemRole::Assistant) => Role::Assistant,
        None => return Err(invalid("A message needs a `role`.")),
    };
    let parts = match content {
        None => return Err(invalid("A message needs `content`.")),
        Some(ItemContent::Text(text)) => vec![ContentPart::Text(text)],
        Some(ItemContent::Parts(parts)) => parts.into_iter().map(to_part).collect::<Result<Vec<_>, _>>()?,
    };
    if role != Role::User && parts.iter().any(|part| matches!(part, ContentPart::Image(_))) {
        return Err(invalid("Only a message with the role `user` may have pictures."));
    }
    Ok(Message { parts, ..Message::new(role, "") })
}

fn to_part(part: ItemPart) -> Result<ContentPart, ApiError> {
    match (part.kind.as_str(), part.text, part.refusal, part.image_url) {
        ("input_text" | "output_text" | "text", Some(text), ..) | ("refusal", _, Some(text), _) => {
            Ok(ContentPart::Text(text))
        }
        ("input_image", _, _, Some(url)) => image_of_data_url(&url).map(ContentPart::Image),
        (kind, ..) => Err(invalid(&format!(
            "A part of type `{}` is not valid. Send `input_text` with `text`, or `input_image` with `image_url`.",
            shortened(kind)
        ))),
    }
}

/// The text of a result, and its pictures, which providers accept only from the user.
fn to_result(output: Option<ItemContent>) -> Result<(String, Vec<ContentPart>), ApiError> {
    let parts = match output {
        None => return Err(invalid("The result of a call needs `output`.")),
        Some(ItemContent::Text(text)) => return Ok((text, Vec::new())),
        Some(ItemContent::Parts(parts)) => parts,
    };
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    for part in parts {
        match to_part(part)? {
            ContentPart::Text(text) => texts.push(text),
            image => images.push(image),
        }
    }
    Ok((texts.join("\n"), images))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn messages(items: Value) -> Result<Vec<Message>, ApiError> {
        serde_json::from_value::<Input>(items).unwrap().into_messages()
    }

    #[test]
    fn calls_made_together_are_one_message() {
        let of = messages(json!([
            {"role": "user", "content": "Open both."},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Opening."}]},
            {"type": "function_call", "call_id": "a", "name": "open_app", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "b", "name": "run", "input": "ls"},
            {"type": "function_call_output", "call_id": "a", "output": "done"},
            {"type": "custom_tool_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "x"}]},
        ]))
        .unwrap();
        let roles: Vec<Role> = of.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool, Role::Tool]);
        assert_eq!(of[1].tool_calls[1].arguments, r#"{"input":"ls"}"#);
        assert_eq!((of[3].tool_call_id.as_deref(), of[3].text().as_ref()), (Some("b"), "x"));
    }

    #[test]
    fn what_would_need_stored_state_is_refused() {
        for items in [
            json!([{"type": "item_reference", "id": "msg_1"}]),
            json!([{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]),
            json!([{"role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/a.png"}]}]),
            json!([{"type": "function_call", "name": "a", "arguments": "{}"}]),
            json!([{"content": "no role"}]),
        ] {
            assert!(messages(items.clone()).is_err(), "{items}");
        }
    }
}
