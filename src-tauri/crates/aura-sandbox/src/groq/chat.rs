//! `POST /chat/completions`

use serde_json::{Value, json};

use super::models::{self, Kind, Model};
use super::{admit, errors, token_limits};
use crate::call::Call;
use crate::chat::{self, ChatRequest};
use crate::compose::{Answer, Finish, compose};
use crate::kinds::Service;
use crate::refusal::{Cause, Refusal};
use crate::reply::{Frame, Part, Reply};

/// Every field that is accepted; any other is refused.
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

/// Typed in the clients, supported by no model.
const UNSUPPORTED: &[&str] = &["logprobs", "logit_bias", "top_logprobs"];

/// Images in one request.
const MOST_IMAGES: usize = 3;

/// Bytes of one base64 image.
const LARGEST_IMAGE: usize = 4 * 1024 * 1024;

/// How reasoning is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reasoning {
    Parsed,
    Raw,
    Hidden,
}

pub(super) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    admit(call)?;
    let body = call.json()?;
    let mut request = chat::read(&body).map_err(|message| call.invalid(message))?;
    let service = if request.image_urls.is_empty() { Service::Llm } else { Service::Vlm };
    call.meet(service, &request.model).await?;
    let model = models::find(call, &request.model)?;
    check_fields(call, &body)?;
    check_images(call, model, &request)?;
    let reasoning = check_reasoning(call, model, &body)?;
    request.question.pictures = chat::pictures(&request.image_urls).await.map_err(|message| call.invalid(message))?;
    request.question.reasoning = body.get("reasoning_effort").and_then(Value::as_str) != Some("none");
    let mut answer = compose(call, &request.question).await?;
    match reasoning {
        Reasoning::Parsed => {}
        Reasoning::Hidden => answer.reasoning.clear(),
        Reasoning::Raw if answer.reasoning.is_empty() => {}
        Reasoning::Raw => {
            let thought = answer.reasoning.drain(..).collect::<String>();
            answer.pieces.insert(0, format!("<think>{thought}</think>"));
        }
    }
    let reply = if request.stream { streamed(call, model, &request, &answer) } else { whole(call, &answer) };
    Ok(token_limits(call, reply))
}

fn check_fields(call: &Call, body: &Value) -> Result<(), Refusal> {
    let given = |name: &str| body.get(name).filter(|value| !value.is_null());
    if let Some(name) = UNSUPPORTED.iter().find(|name| given(name).is_some_and(|value| value != &json!(false))) {
        return Err(call.invalid(format!("`{name}` is not supported with this model")));
    }
    let known = |name: &str| FIELDS.contains(&name) || UNSUPPORTED.contains(&name);
    if let Some(name) = body.as_object().and_then(|fields| fields.keys().find(|name| !known(name))) {
        return Err(call.invalid(format!("property '{name}' is unsupported")));
    }
    if given("n").is_some_and(|n| n != &json!(1)) {
        return Err(call.invalid("'n' : number must be at most 1"));
    }
    let temperature = given("temperature").and_then(Value::as_f64);
    if temperature.is_some_and(|value| !(0.0..=2.0).contains(&value)) {
        return Err(call.invalid("'temperature' : number must be between 0 and 2"));
    }
    if given("stop").and_then(Value::as_array).is_some_and(|stops| stops.len() > 4) {
        return Err(call.invalid("'stop' : maximum number of items is 4"));
    }
    if given("tools").and_then(Value::as_array).is_some_and(|tools| tools.len() > 128) {
        return Err(call.invalid("'tools' : maximum number of items is 128"));
    }
    Ok(())
}

fn check_images(call: &Call, model: &Model, request: &ChatRequest) -> Result<(), Refusal> {
    match model.kind {
        Kind::Stt | Kind::Tts => {
            return Err(call.invalid(format!("The model `{}` does not support chat completions", model.id)));
        }
        // A model without sight has no array of parts in its schema.
        Kind::Chat if !request.image_urls.is_empty() => {
            return Err(call.invalid("messages[0].content must be a string"));
        }
        Kind::Chat | Kind::Vision => {}
    }
    if request.image_urls.len() > MOST_IMAGES {
        let message = format!("Too many images provided. This model supports up to {MOST_IMAGES} images");
        return Err(call.invalid(message));
    }
    if request.image_urls.iter().any(|url| url.len() > LARGEST_IMAGE) {
        return Err(call.refuse(&Cause::TooLarge));
    }
    Ok(())
}

fn check_reasoning(call: &Call, model: &Model, body: &Value) -> Result<Reasoning, Refusal> {
    if let Some(effort) = body.get("reasoning_effort").and_then(Value::as_str)
        && !model.efforts.iter().any(|known| known == effort)
    {
        let message = if model.efforts.is_empty() {
            "reasoning_effort is not supported with this model".to_owned()
        } else {
            format!("`reasoning_effort` must be one of {}", quoted(&model.efforts))
        };
        return Err(call.invalid(message));
    }
    let format = body.get("reasoning_format").and_then(Value::as_str);
    let include = body.get("include_reasoning").and_then(Value::as_bool);
    if format.is_some() && include.is_some() {
        return Err(call.invalid("cannot specify both `reasoning_format` and `include_reasoning`"));
    }
    match (format, include) {
        (Some("hidden"), _) | (_, Some(false)) => Ok(Reasoning::Hidden),
        (Some("raw"), _) => Ok(Reasoning::Raw),
        (Some("parsed") | None, _) => Ok(Reasoning::Parsed),
        (Some(_), _) => Err(call.invalid("`reasoning_format` must be one of `hidden`, `raw`, or `parsed`")),
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn finish(answer: &Answer) -> &str {
    match &answer.finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Tool => "tool_calls",
        Finish::Filtered => "content_filter",
        Finish::Other(reason) => reason,
    }
}

fn usage(answer: &Answer) -> Value {
    let used = answer.usage;
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

fn tool_calls(answer: &Answer, number: u64) -> Vec<Value> {
    let calls = answer.tool_calls.iter().enumerate();
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

fn whole(call: &Call, answer: &Answer) -> Reply {
    let number = call.entry.id();
    let mut message = json!({"role": "assistant", "content": answer.text()});
    if !answer.reasoning.is_empty() {
        message["reasoning"] = Value::from(answer.reasoning.concat());
    }
    let tools = tool_calls(answer, number);
    if !tools.is_empty() {
        message["tool_calls"] = json!(tools);
        if answer.pieces.is_empty() {
            message["content"] = Value::Null;
        }
    }
    let body = json!({
        "id": format!("chatcmpl-sandbox-{number}"),
        "object": "chat.completion",
        "created": call.created(),
        "model": call.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish(answer)}],
        "usage": usage(answer),
        "usage_breakdown": null,
        "system_fingerprint": "fp_sandbox",
        "x_groq": {"id": errors::request_id(number), "seed": number},
        "service_tier": "on_demand",
    });
    Reply::json(answer.complete(), &body)
}

fn streamed(call: &Call, model: &Model, request: &ChatRequest, answer: &Answer) -> Reply {
    let number = call.entry.id();
    let base = json!({
        "id": format!("chatcmpl-sandbox-{number}"),
        "object": "chat.completion.chunk",
        "created": call.created(),
        "model": call.model,
        "system_fingerprint": "fp_sandbox",
    });
    let chunk = |delta: Value, finish: Value| {
        let mut chunk = base.clone();
        chunk["choices"] = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        chunk
    };
    let event = |part, at, value: &Value| Frame::new(part, at, format!("data: {value}\n\n"));
    let mut first = chunk(json!({"role": "assistant", "content": ""}), Value::Null);
    first["x_groq"] = json!({"id": errors::request_id(number), "seed": number});
    let mut frames = vec![event(Part::Opening, std::time::Duration::ZERO, &first)];
    for (at, piece) in answer.reasoning.iter().enumerate() {
        let mut delta = json!({"reasoning": piece});
        if model.channel {
            delta["channel"] = Value::from("analysis");
        }
        frames.push(event(Part::Content, answer.due(at), &chunk(delta, Value::Null)));
    }
    for (at, piece) in answer.pieces.iter().enumerate() {
        let at = answer.due(answer.reasoning.len() + at);
        frames.push(event(Part::Content, at, &chunk(json!({"content": piece}), Value::Null)));
    }
    let end = answer.complete();
    for (index, mut tool) in tool_calls(answer, number).into_iter().enumerate() {
        tool["index"] = Value::from(index);
        frames.push(event(Part::Content, end, &chunk(json!({"tool_calls": [tool]}), Value::Null)));
    }
    let used = usage(answer);
    let mut last = chunk(json!({}), Value::from(finish(answer)));
    last["x_groq"] = json!({"id": errors::request_id(number), "usage": used});
    last["usage"] = used.clone();
    frames.push(event(Part::Finish, end, &last));
    if request.include_usage {
        let mut extra = base.clone();
        extra["choices"] = json!([]);
        extra["usage"] = used;
        frames.push(event(Part::Finish, end, &extra));
    }
    frames.push(Frame::new(Part::Done, end, &b"data: [DONE]\n\n"[..]));
    Reply::stream("text/event-stream", frames).with("cache-control", "no-cache")
}
