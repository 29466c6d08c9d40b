//! Parser for chat completion requests in OpenAI's format, which Groq shares.

use serde_json::Value;

use crate::completion::{Prompt, ToolDefinition};
use crate::data_url::decode_data_url;
use crate::request_image::RequestImage;
use crate::text::estimate_tokens;

/// Prompt tokens counted for one image.
const IMAGE_TOKENS: u64 = 1_000;

/// A parsed chat completion request. The provider's own checks have not run yet.
#[derive(Debug, Default)]
pub(crate) struct ChatRequest {
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// Whether the stream ends with a chunk that reports the usage.
    pub(crate) include_usage: bool,
    /// The `url` of each image, in the order of the messages.
    pub(crate) image_urls: Vec<String>,
    pub(crate) prompt: Prompt,
}

/// Parses a request body. `Err` is the text of the provider's invalid-request error.
pub(crate) fn parse(body: &Value) -> Result<ChatRequest, String> {
    let model = body.get("model").and_then(Value::as_str).filter(|model| !model.is_empty());
    let model = model.ok_or("'model' : property 'model' is missing")?.to_owned();
    let messages =
        body.get("messages").and_then(Value::as_array).ok_or("'messages' : property 'messages' is missing")?;
    if messages.is_empty() {
        return Err("'messages' : minimum number of items is 1".to_owned());
    }
    let mut request = ChatRequest { model, ..ChatRequest::default() };
    for (index, message) in messages.iter().enumerate() {
        read_message(&mut request, index, message)?;
    }
    check_results(messages)?;
    request.stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    let options = body.get("stream_options").and_then(|options| options.get("include_usage"));
    request.include_usage = options.and_then(Value::as_bool).unwrap_or(false);
    let prompt = &mut request.prompt;
    let limit = ["max_completion_tokens", "max_tokens"].iter().find_map(|name| body.get(*name)?.as_u64());
    prompt.max_tokens = limit;
    prompt.stop = match body.get("stop") {
        Some(Value::String(stop)) => vec![stop.clone()],
        Some(Value::Array(stops)) => stops.iter().filter_map(|stop| stop.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let format = body.get("response_format").and_then(|format| format.get("type")).and_then(Value::as_str);
    prompt.wants_json = matches!(format, Some("json_object" | "json_schema"));
    read_tools(prompt, body)?;
    Ok(request)
}

fn read_message(request: &mut ChatRequest, index: usize, message: &Value) -> Result<(), String> {
    let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
    if !matches!(role, "system" | "developer" | "user" | "assistant" | "tool") {
        return Err(format!("'messages.{index}' : discriminator property 'role' has invalid value"));
    }
    if role == "assistant" && message.get("function_call").is_some_and(Value::is_null) {
        return Err(format!("'messages.{index}.function_call' : value must be an object"));
    }
    if role == "tool" && message.get("tool_call_id").and_then(Value::as_str).is_none() {
        return Err(format!("'messages.{index}' : property 'tool_call_id' is missing"));
    }
    let mut text = String::new();
    match message.get("content") {
        Some(Value::String(content)) => text.clone_from(content),
        Some(Value::Array(parts)) => {
            for (at, part) in parts.iter().enumerate() {
                match part.get("type").and_then(Value::as_str) {
                    Some("text") => text.push_str(part.get("text").and_then(Value::as_str).unwrap_or_default()),
                    Some("image_url") => {
                        // Some servers accept a string here instead of the object.
                        let image = part.get("image_url");
                        let url = image.and_then(|image| image.get("url").or(Some(image))?.as_str());
                        let url = url.ok_or(format!("'messages.{index}.content.{at}' : 'image_url' is missing"))?;
                        request.image_urls.push(url.to_owned());
                        request.prompt.prompt_tokens += IMAGE_TOKENS;
                    }
                    Some("document") => {}
                    _ => {
                        return Err(format!(
                            "'messages.{index}.content.{at}.type' : value is not one of the allowed values"
                        ));
                    }
                }
            }
        }
        None | Some(Value::Null) if role == "assistant" => {}
        _ => {
            return Err(format!("'messages.{index}' : property 'content' is missing"));
        }
    }
    request.prompt.prompt_tokens += estimate_tokens(&text) + 4;
    request.prompt.ends_with_assistant = role == "assistant";
    if role == "user" {
        request.prompt.user_text = text;
        request.prompt.called.clear();
    }
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    request.prompt.called.extend(calls.filter_map(|call| call["function"]["name"].as_str().map(str::to_owned)));
    Ok(())
}

/// Checks that each tool call is followed directly by its result, and that each result has a call.
fn check_results(messages: &[Value]) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            let at = open.iter().position(|call| *call == id).ok_or(format!(
                "'messages.{index}' : messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
            ))?;
            open.remove(at);
            continue;
        }
        if !open.is_empty() {
            break;
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            let (id, arguments) = (call["id"].as_str(), function["arguments"].as_str());
            let (Some(id), Some(_), Some("function")) = (id, arguments, call["type"].as_str()) else {
                return Err(format!("'messages.{index}.tool_calls' : 'id', 'type' or 'function' is missing"));
            };
            open.push(id);
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    Err("An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
        .to_owned())
}

fn read_tools(prompt: &mut Prompt, body: &Value) -> Result<(), String> {
    let tools = body.get("tools").and_then(Value::as_array);
    for (index, tool) in tools.into_iter().flatten().enumerate() {
        let function = tool.get("function").ok_or(format!("'tools.{index}' : property 'function' is missing"))?;
        let name = function.get("name").and_then(Value::as_str);
        prompt.tools.push(ToolDefinition {
            name: name.ok_or(format!("'tools.{index}.function' : property 'name' is missing"))?.to_owned(),
            parameters: function.get("parameters").cloned().unwrap_or_default(),
        });
    }
    if body["tool_choice"] == "none" {
        prompt.tools.clear();
    }
    prompt.required_tool = match body.get("tool_choice") {
        Some(Value::String(choice)) if choice == "required" => Some(String::new()),
        Some(choice) => {
            let name = choice.get("function").and_then(|function| function.get("name"));
            name.and_then(Value::as_str).map(str::to_owned)
        }
        None => None,
    };
    if prompt.required_tool.is_some() && prompt.tools.is_empty() {
        return Err("'tool_choice' is only allowed when 'tools' are specified".to_owned());
    }
    Ok(())
}

/// Decodes the images. They must be base64 data URLs, because the sandbox fetches nothing.
pub(crate) async fn decode_images(urls: &[String]) -> Result<Vec<RequestImage>, String> {
    let mut images = Vec::with_capacity(urls.len());
    for url in urls {
        let bytes = decode_data_url(url).ok_or("the sandbox takes images as base64 data URLs only")?;
        images.push(RequestImage::read(bytes).await.ok_or("invalid image data")?);
    }
    Ok(images)
}
