//! Estimates tokens without asking a provider: no provider offers a free count for another's model.

use aura_providers::ChatRequest;
use serde_json::Value;

/// Characters in a token of English, by OpenAI's and Anthropic's own rule of thumb.
const CHARS_PER_TOKEN: usize = 4;
/// Tokens of a picture of about one megapixel, by Anthropic's formula: width × height / 750.
const TOKENS_PER_IMAGE: usize = 1_400;

/// The estimated tokens of a request.
pub(crate) fn input_tokens(request: &ChatRequest) -> u32 {
    let calls = |message: &aura_providers::Message| {
        message.tool_calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>()
    };
    let messages: usize = request.messages.iter().map(|message| message.text().chars().count() + calls(message)).sum();
    let tools: usize = request
        .tools
        .iter()
        .map(|tool| {
            let schema = tool.parameters.as_ref().map(Value::to_string).unwrap_or_default();
            tool.name.len() + tool.description.as_deref().map_or(0, str::len) + schema.len()
        })
        .sum();
    let chars = request.system.chars().count() + messages + tools;
    let tokens = chars.div_ceil(CHARS_PER_TOKEN) + request.images().count() * TOKENS_PER_IMAGE;
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

/// The estimated tokens of a text.
pub(crate) fn text_tokens(text: &str) -> u32 {
    u32::try_from(text.chars().count().div_ceil(CHARS_PER_TOKEN)).unwrap_or(u32::MAX)
}
