//! `POST /chat/completions`

use serde_json::{Value, json};

use super::auth::check_access;
use super::errors;
use super::models::{self, GroqModel, GroqModelKind};
use super::rate_limit::with_token_limit_headers;
use crate::chat_request::{self, ChatRequest};
use crate::completion::{Completion, complete};
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::http_reply::{FrameKind, HttpReply, ReplyFrame};
use crate::ids::Service;
use crate::request::RequestContext;

/// Accepted request fields. Any other is rejected.
const FIELDS: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "user",
    "n",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "disable_tool_validation",
    "service_tier",
    "reasoning_effort",
    "reasoning_format",
    "include_reasoning",
    "search_settings",
    "documents",
    "citation_options",
    "compound_custom",
    "exclude_domains",
    "include_domains",
    "functions",
    "function_call",
    "frequency_penalty",
    "presence_penalty",
    "metadata",
    "store",
];

/// Fields that the clients offer, but that no model supports.
const UNSUPPORTED: &[&str] = &["logprobs", "logit_bias", "top_logprobs"];

/// Most images in one request.
const MAX_IMAGES: usize = 3;

/// Largest base64 image in bytes.
const MAX_IMAGE_BYTES: usize = 4 * 1024 * 1024;

/// How reasoning is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReasoningFormat {
    /// In a field of its own.
    Parsed,
    /// Inside the text, between `<think>` tags.
    Raw,
    /// Left out.
    Hidden,
}

pub(super) async fn handle(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    check_access(context)?;
    let body = context.json()?;
    let mut request = chat_request::parse(&body).map_err(|message| context.invalid_request(message))?;
    let service = if request.image_urls.is_empty() { Service::Llm } else { Service::Vlm };
    context.apply_fault(service, &request.model).await?;
    let model = models::find(context, &request.model)?;
    check_fields(context, &body)?;
    check_images(context, model, &request)?;
    let reasoning = check_reasoning(context, model, &body)?;
    request.prompt.images =
        chat_request::decode_images(&request.image_urls).await.map_err(|message| context.invalid_request(message))?;
    request.prompt.wants_reasoning = body.get("reasoning_effort").and_then(Value::as_str) != Some("none");
    let mut completion = complete(context, &request.prompt).await?;
    match reasoning {
        ReasoningFormat::Parsed => {}
        ReasoningFormat::Hidden => completion.reasoning.clear(),
        ReasoningFormat::Raw if completion.reasoning.is_empty() => {}
        ReasoningFormat::Raw => {
            let thought = completion.reasoning.drain(..).collect::<String>();
            completion.text_chunks.insert(0, format!("<think>{thought}</think>"));
        }
    }
    let reply = if request.stream {
        stream_reply(context, model, &request, &completion)
    } else {
        completion_reply(context, &completion)
    };
    Ok(with_token_limit_headers(context, reply))
}

fn check_fields(context: &RequestContext, body: &Value) -> Result<(), ErrorReply> {
    let given = |name: &str| body.get(name).filter(|value| !value.is_null());
    if let Some(name) = UNSUPPORTED.iter().find(|name| given(name).is_some_and(|value| value != &json!(false))) {
        return Err(context.invalid_request(format!("`{name}` is not supported with this model")));
    }
    let known = |name: &str| FIELDS.contains(&name) || UNSUPPORTED.contains(&name);
    if let Some(name) = body.as_object().and_then(|fields| fields.keys().find(|name| !known(name))) {
        return Err(context.invalid_request(format!("property '{name}' is unsupported")));
    }
    if given("n").is_some_and(|n| n != &json!(1)) {
        return Err(context.invalid_request("'n' : number must be at most 1"));
    }
    let temperature = given("temperature").and_then(Value::as_f64);
    if temperature.is_some_and(|value| !(0.0..=2.0).contains(&value)) {
        return Err(context.invalid_request("'temperature' : number must be between 0 and 2"));
    }
    if given("stop").and_then(Value::as_array).is_some_and(|stops| stops.len() > 4) {
        return Err(context.invalid_request("'stop' : maximum number of items is 4"));
    }
    if given("tools").and_then(Value::as_array).is_some_and(|tools| tools.len() > 128) {
        return Err(context.invalid_request("'tools' : maximum number of items is 128"));
    }
    Ok(())
}

fn check_images(context: &RequestContext, model: &GroqModel, request: &ChatRequest) -> Result<(), ErrorReply> {
    match model.kind {
        GroqModelKind::Stt | GroqModelKind::Tts => {
            return Err(context.invalid_request(format!("The model `{}` does not support chat completions", model.id)));
        }
        // The schema of a text-only model has no array of content parts.
        GroqModelKind::Chat if !request.image_urls.is_empty() => {
            return Err(context.invalid_request("messages[0].content must be a string"));
        }
        GroqModelKind::Chat | GroqModelKind::Vision => {}
    }
    if request.image_urls.len() > MAX_IMAGES {
        let message = format!("Too many images provided. This model supports up to {MAX_IMAGES} images");
        return Err(context.invalid_request(message));
    }
    if request.image_urls.iter().any(|url| url.len() > MAX_IMAGE_BYTES) {
        return Err(context.error(&ErrorCause::BodyTooLarge));
    }
    Ok(())
}

fn check_reasoning(context: &RequestContext, model: &GroqModel, body: &Value) -> Result<ReasoningFormat, ErrorReply> {
    if let Some(effort) = body.get("reasoning_effort").and_then(Value::as_str)
        && !model.efforts.iter().any(|known| known == effort)
    {
        let message = if model.efforts.is_empty() {
            "reasoning_effort is not supported with this model".to_owned()
        } else {
            format!("`reasoning_effort` must be one of {}", quoted(&model.efforts))
        };
        return Err(context.invalid_request(message));
    }
    let format = body.get("reasoning_format").and_then(Value::as_str);
    let include = body.get("include_reasoning").and_then(Value::as_bool);
    if format.is_some() && include.is_some() {
        return Err(context.invalid_request("cannot specify both `reasoning_format` and `include_reasoning`"));
    }
    match (format, include) {
        (Some("hidden"), _) | (_, Some(false)) => Ok(ReasoningFormat::Hidden),
        (Some("raw"), _) => Ok(ReasoningFormat::Raw),
        (Some("parsed") | None, _) => Ok(ReasoningFormat::Parsed),
        (Some(_), _) => Err(context.invalid_request("`reasoning_format` must be one of `hidden`, `raw`, or `parsed`")),
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn usage(completion: &Completion) -> Value {
    let used = completion.usage;
    let written = used.completion + used.reasoning;
    let mut usage = json!({
        "queue_time": 0.0049,
        "prompt_tokens": used.prompt,
        "prompt_time": 0.0146,
        "completion_tokens": written,
        "completion_time": written as f64 / 1000.0,
        "total_tokens": used.prompt + written,
        "total_time": 0.0146 + written as f64 / 1000.0,
    });
    if used.reasoning > 0 {
        usage["completion_tokens_details"] = json!({"reasoning_tokens": used.reasoning});
    }
    usage
}

fn tool_calls(completion: &Completion, number: u64) -> Vec<Value> {
    let calls = completion.tool_calls.iter().enumerate();
    calls
        .map(|(at, tool)| {
            json!({
                "id": format!("fc_{number:08}-0000-4000-8000-{at:012}"),
                "type": "function",
                "function": {"name": tool.name, "arguments": tool.arguments.to_string()},
            })
        })
        .collect()
}

fn completion_reply(context: &RequestContext, completion: &Completion) -> HttpReply {
    let number = context.record.id();
    let mut message = json!({"role": "assistant", "content": completion.text()});
    if !completion.reasoning.is_empty() {
        message["reasoning"] = Value::from(completion.reasoning.concat());
    }
    let tools = tool_calls(completion, number);
    if !tools.is_empty() {
        message["tool_calls"] = json!(tools);
        if completion.text_chunks.is_empty() {
            message["content"] = Value::Null;
        }
    }
    let body = json!({
        "id": format!("chatcmpl-sandbox-{number}"),
        "object": "chat.completion",
        "created": context.unix_seconds(),
        "model": context.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": completion.finish.openai_name()}],
        "usage": usage(completion),
        "usage_breakdown": null,
        "system_fingerprint": "fp_sandbox",
        "x_groq": {"id": errors::request_id(number), "seed": number},
        "service_tier": "on_demand",
    });
    HttpReply::json(completion.last_chunk_due(), &body)
}

fn stream_reply(
    context: &RequestContext,
    model: &GroqModel,
    request: &ChatRequest,
    completion: &Completion,
) -> HttpReply {
    let number = context.record.id();
    let base = json!({
        "id": format!("chatcmpl-sandbox-{number}"),
        "object": "chat.completion.chunk",
        "created": context.unix_seconds(),
        "model": context.model,
        "system_fingerprint": "fp_sandbox",
    });
    let chunk = |delta: Value, finish: Value| {
        let mut chunk = base.clone();
        chunk["choices"] = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        chunk
    };
    let event = |kind, at, value: &Value| ReplyFrame::new(kind, at, format!("data: {value}\n\n"));
    let mut first = chunk(json!({"role": "assistant", "content": ""}), Value::Null);
    first["x_groq"] = json!({"id": errors::request_id(number), "seed": number});
    let mut frames = vec![event(FrameKind::Opening, std::time::Duration::ZERO, &first)];
    for (index, text) in completion.reasoning.iter().enumerate() {
        let mut delta = json!({"reasoning": text});
        if model.channel {
            delta["channel"] = Value::from("analysis");
        }
        frames.push(event(FrameKind::Content, completion.chunk_due(index), &chunk(delta, Value::Null)));
    }
    for (index, text) in completion.text_chunks.iter().enumerate() {
        let at = completion.chunk_due(completion.reasoning.len() + index);
        frames.push(event(FrameKind::Content, at, &chunk(json!({"content": text}), Value::Null)));
    }
    let end = completion.last_chunk_due();
    for (index, mut tool) in tool_calls(completion, number).into_iter().enumerate() {
        tool["index"] = Value::from(index);
        frames.push(event(FrameKind::Content, end, &chunk(json!({"tool_calls": [tool]}), Value::Null)));
    }
    let used = usage(completion);
    let mut last = chunk(json!({}), Value::from(completion.finish.openai_name()));
    last["x_groq"] = json!({"id": errors::request_id(number), "usage": used});
    last["usage"] = used.clone();
    frames.push(event(FrameKind::Finish, end, &last));
    if request.include_usage {
        let mut extra = base.clone();
        extra["choices"] = json!([]);
        extra["usage"] = used;
        frames.push(event(FrameKind::Finish, end, &extra));
    }
    frames.push(ReplyFrame::new(FrameKind::Done, end, &b"data: [DONE]\n\n"[..]));
    HttpReply::stream("text/event-stream", frames).with_header("cache-control", "no-cache")
}
