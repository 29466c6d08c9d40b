//! Makes a completion for a prompt from the script or, without a matching rule, from the default reply. Independent of
//! the provider's format.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::error_reply::{ErrorCause, ErrorReply};
use crate::faults::{FaultKind, FilterForm};
use crate::request::RequestContext;
use crate::request_image::RequestImage;
use crate::script::{ScriptedReply, ScriptedRequest, ToolCall, Usage};
use crate::text::split_into_chunks;

/// A prompt, independent of the provider's format.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    /// Text of the user's last message.
    pub(crate) user_text: String,
    pub(crate) images: Vec<RequestImage>,
    /// Estimated tokens of the prompt, images and sound included.
    pub(crate) prompt_tokens: u64,
    pub(crate) tools: Vec<ToolDefinition>,
    /// The tool that the model must call. An empty name stands for any tool.
    pub(crate) required_tool: Option<String>,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) stop: Vec<String>,
    /// Whether the text must be JSON.
    pub(crate) wants_json: bool,
    /// Whether reasoning is enabled. Otherwise a scripted reasoning text is left out.
    pub(crate) wants_reasoning: bool,
    /// Whether the last message is the assistant's, so that the model continues it (prefill).
    pub(crate) ends_with_assistant: bool,
    /// Names of the tools that were called since the user's last message.
    pub(crate) called: Vec<String>,
}

impl Prompt {
    /// Names of the offered tools that were not called since the user's last message.
    pub(crate) fn callable(&self) -> Vec<&str> {
        let names = self.tools.iter().map(|tool| tool.name.as_str());
        names.filter(|name| !self.called.iter().any(|called| called == name)).collect()
    }
}

/// A function that the model may call.
#[derive(Debug, Clone)]
pub(crate) struct ToolDefinition {
    pub(crate) name: String,
    /// JSON schema of the arguments.
    pub(crate) parameters: Value,
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FinishReason {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
    /// A finish reason in the provider's own spelling.
    Other(String),
}

impl FinishReason {
    /// The value of `finish_reason` in OpenAI's format.
    pub(crate) fn openai_name(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Other(reason) => reason,
        }
    }
}

/// A completion, independent of the provider's format. Times count from the moment the request's body was complete.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) text_chunks: Vec<String>,
    pub(crate) reasoning: Vec<String>,
    pub(crate) tool_calls: Vec<ToolCall>,
    pub(crate) finish: FinishReason,
    pub(crate) usage: Usage,
    /// When the first chunk is due.
    first_at: Duration,
    /// Time between two chunks.
    interval: Duration,
}

impl Completion {
    pub(crate) fn text(&self) -> String {
        self.text_chunks.concat()
    }

    /// When the chunk with this index is due. The chunks of the reasoning come before those of the text.
    pub(crate) fn chunk_due(&self, index: usize) -> Duration {
        self.first_at + self.interval * u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// When the last chunk is due.
    pub(crate) fn last_chunk_due(&self) -> Duration {
        self.chunk_due((self.reasoning.len() + self.text_chunks.len()).saturating_sub(1))
    }
}

/// Makes the completion for a prompt and applies the faults that change its content.
pub(crate) async fn complete(context: &RequestContext, prompt: &Prompt) -> Result<Completion, ErrorReply> {
    context.record.update(|record| {
        record.text = Some(prompt.user_text.clone());
        record.images = prompt.images.iter().map(|image| image.record.clone()).collect();
    });
    if prompt.ends_with_assistant && context.fault() == Some(&FaultKind::RefusePrefill) {
        return Err(context.invalid_request(
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        ));
    }
    let scripted = context.state.script().reply(ScriptedRequest {
        provider: context.dialect.provider(),
        service: context.service,
        model: &context.model,
        user_text: &prompt.user_text,
        tools: &prompt.callable(),
    });
    let reply = match scripted {
        Some(reply) => reply,
        None => default_reply(context, prompt),
    };
    let text = fill_placeholders(context, prompt, &reply.text).await?;
    let is_sent =
        |call: &&ToolCall| reply.calls_unknown_tools || prompt.tools.iter().any(|tool| tool.name == call.name);
    let mut tool_calls: Vec<ToolCall> = reply.tool_calls.iter().filter(is_sent).cloned().collect();
    if tool_calls.is_empty() {
        tool_calls.extend(required_tool_call(prompt));
    }
    let delays = context.state.delays();
    let mut completion = Completion {
        text_chunks: Vec::new(),
        reasoning: Vec::new(),
        tool_calls,
        finish: FinishReason::Stop,
        usage: Usage::default(),
        first_at: Duration::from_millis(reply.first_ms.unwrap_or(delays.llm_first_ms)),
        interval: Duration::from_millis(reply.chunk_ms.unwrap_or(delays.llm_chunk_ms)),
    };
    if prompt.wants_reasoning {
        completion.reasoning = split_into_chunks(reply.reasoning.as_deref().unwrap_or_default(), 4);
    }
    let has_tool_calls = !completion.tool_calls.is_empty();
    // A forced tool call has no text. Scripted tool calls keep the scripted text.
    if !has_tool_calls || !reply.tool_calls.is_empty() {
        set_text(&mut completion, prompt, text, &reply);
    }
    if has_tool_calls {
        completion.finish = FinishReason::ToolCalls;
    }
    apply_content_fault(context, &mut completion);
    completion.usage = reply.usage.unwrap_or(Usage {
        prompt: prompt.prompt_tokens,
        completion: (completion.text_chunks.len() as u64).max(1),
        reasoning: completion.reasoning.len() as u64,
    });
    // Reading an image can take longer than the configured delay.
    completion.first_at = completion.first_at.max(Instant::now().saturating_duration_since(context.ready));
    Ok(completion)
}

/// The tool with which a model looks at the screen.
const LOOK: &str = "look_at_screen";
/// Words by which a question refers to the screen.
const SCREEN_WORDS: [&str; 3] = ["screen", "bildschirm", "pantalla"];

fn default_reply(context: &RequestContext, prompt: &Prompt) -> ScriptedReply {
    let asked = prompt.user_text.to_lowercase();
    if prompt.images.is_empty()
        && prompt.callable().contains(&LOOK)
        && SCREEN_WORDS.iter().any(|word| asked.contains(word))
    {
        let look = ToolCall { name: LOOK.to_owned(), arguments: json!({}) };
        return ScriptedReply { tool_calls: vec![look], ..ScriptedReply::default() };
    }
    let text = if prompt.images.is_empty() {
        "This is the sandbox. You said: {heard}"
    } else if context.state.programs.tesseract.is_some() {
        "The screen says: {screen_text}"
    } else {
        "This is the sandbox. The picture is {image_size}. You said: {heard}"
    };
    ScriptedReply { text: text.to_owned(), ..ScriptedReply::default() }
}

async fn fill_placeholders(context: &RequestContext, prompt: &Prompt, template: &str) -> Result<String, ErrorReply> {
    let mut text = template.replace("{model}", &context.model);
    let image = prompt.images.last();
    if text.contains("{screen_text}") {
        let seen = match image {
            Some(image) => {
                image.text(&context.state.programs).await.map_err(|error| context.error(&ErrorCause::from(&error)))?
            }
            None => String::new(),
        };
        text = text.replace("{screen_text}", if seen.is_empty() { "(no text)" } else { &seen });
    }
    text = text.replace("{image_size}", &image.map_or_else(|| "(no image)".to_owned(), RequestImage::size));
    // The user's text is inserted last, so that a placeholder in it is not filled in.
    Ok(text.replace("{heard}", &prompt.user_text))
}

/// Sets the text chunks, within the request's stop sequences, token limit and response format.
fn set_text(completion: &mut Completion, prompt: &Prompt, mut text: String, reply: &ScriptedReply) {
    if prompt.wants_json && serde_json::from_str::<Value>(&text).is_err() {
        text = json!({"answer": text}).to_string();
    }
    if let Some(at) = prompt.stop.iter().filter_map(|stop| text.find(stop.as_str())).min() {
        text.truncate(at);
    }
    completion.text_chunks = split_into_chunks(&text, reply.chunk_words.unwrap_or(1));
    if let Some(limit) = prompt.max_tokens {
        // Reasoning tokens count first, so a small limit can leave nothing for the text.
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let remaining = limit.saturating_sub(completion.reasoning.len());
        if completion.text_chunks.len() > remaining {
            completion.text_chunks.truncate(remaining);
            completion.finish = FinishReason::Length;
        }
        completion.reasoning.truncate(limit);
    }
    if let Some(finish) = &reply.finish {
        completion.finish = FinishReason::Other(finish.clone());
    }
}

/// Applies the faults that change a completion's content.
fn apply_content_fault(context: &RequestContext, completion: &mut Completion) {
    match context.fault() {
        Some(FaultKind::EmptyAnswer { finish }) => {
            completion.text_chunks.clear();
            completion.tool_calls.clear();
            completion.finish = finish.clone().map_or(FinishReason::Stop, FinishReason::Other);
        }
        Some(FaultKind::ContentFilter { form: FilterForm::Answer }) => {
            completion.text_chunks.truncate(1);
            completion.tool_calls.clear();
            completion.finish = FinishReason::ContentFilter;
        }
        _ => {}
    }
}

/// The tool call that the request requires, with arguments generated from the tool's schema.
fn required_tool_call(prompt: &Prompt) -> Option<ToolCall> {
    let wanted = prompt.required_tool.as_deref()?;
    let tool = prompt.tools.iter().find(|tool| wanted.is_empty() || tool.name == wanted)?;
    let mut arguments = Map::new();
    let properties = tool.parameters.get("properties").and_then(Value::as_object);
    for (name, schema) in properties.into_iter().flatten() {
        let kind = schema.get("type").and_then(Value::as_str).unwrap_or("string").to_lowercase();
        let choice = schema.get("enum").and_then(|values| values.get(0)).cloned();
        let value = choice.unwrap_or_else(|| match kind.as_str() {
            "integer" | "number" => json!(1),
            "boolean" => json!(true),
            "array" => json!([]),
            "object" => json!({}),
            _ => json!(prompt.user_text),
        });
        arguments.insert(name.clone(), value);
    }
    Some(ToolCall { name: tool.name.clone(), arguments: Value::Object(arguments) })
}
