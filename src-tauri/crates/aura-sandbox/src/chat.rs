//! Chat requests in OpenAI's dialect, which Groq speaks as well.

use serde_json::Value;

use crate::compose::{Question, Tool, tokens};
use crate::vision::{Picture, data_url};

/// What an image counts in tokens.
const IMAGE_TOKENS: u64 = 1_000;

/// A chat request, read but not yet judged.
#[derive(Debug, Default)]
pub(crate) struct ChatRequest {
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    /// The `url` of every image, in order.
    pub(crate) image_urls: Vec<String>,
    pub(crate) question: Question,
}

/// Reads a request; `Err` is the caller's mistake, in words.
pub(crate) fn read(body: &Value) -> Result<ChatRequest, String> {
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
    let question = &mut request.question;
    let limit = ["max_completion_tokens", "max_tokens"].iter().find_map(|name| body.get(*name)?.as_u64());
    question.max_tokens = limit;
    question.stop = match body.get("stop") {
        Some(Value::String(stop)) => vec![stop.clone()],
        Some(Value::Array(stops)) => stops.iter().filter_map(|stop| stop.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let format = body.get("response_format").and_then(|format| format.get("type")).and_then(Value::as_str);
    question.json = matches!(format, Some("json_object" | "json_schema"));
    read_tools(question, body)?;
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
                        // Some servers take a bare string in place of the object.
                        let image = part.get("image_url");
                        let url = image.and_then(|image| image.get("url").or(Some(image))?.as_str());
                        let url = url.ok_or(format!("'messages.{index}.content.{at}' : 'image_url' is missing"))?;
                        request.image_urls.push(url.to_owned());
                        request.question.prompt_tokens += IMAGE_TOKENS;
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
    request.question.prompt_tokens += tokens(&text) + 4;
    request.question.prefilled = role == "assistant";
    if role == "user" {
        request.question.heard = text;
    }
    Ok(())
}

/// Every call has its result right after it, and every result its call.
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

fn read_tools(question: &mut Question, body: &Value) -> Result<(), String> {
    let tools = body.get("tools").and_then(Value::as_array);
    for (index, tool) in tools.into_iter().flatten().enumerate() {
        let function = tool.get("function").ok_or(format!("'tools.{index}' : property 'function' is missing"))?;
        let name = function.get("name").and_then(Value::as_str);
        question.tools.push(Tool {
            name: name.ok_or(format!("'tools.{index}.function' : property 'name' is missing"))?.to_owned(),
            parameters: function.get("parameters").cloned().unwrap_or_default(),
        });
    }
    question.must_call = match body.get("tool_choice") {
        Some(Value::String(choice)) if choice == "required" => Some(String::new()),
        Some(choice) => {
            let name = choice.get("function").and_then(|function| function.get("name"));
            name.and_then(Value::as_str).map(str::to_owned)
        }
        None => None,
    };
    if question.must_call.is_some() && question.tools.is_empty() {
        return Err("'tool_choice' is only allowed when 'tools' are specified".to_owned());
    }
    Ok(())
}

/// Decodes the images; the sandbox fetches nothing, so they must be data addresses.
pub(crate) async fn pictures(urls: &[String]) -> Result<Vec<Picture>, String> {
    let mut pictures = Vec::with_capacity(urls.len());
    for url in urls {
        let bytes = data_url(url).ok_or("the sandbox takes images as base64 data URLs only")?;
        pictures.push(Picture::read(bytes).await.ok_or("invalid image data")?);
    }
    Ok(pictures)
}
