//! `POST /chat/completions`

use serde_json::{Value, json};

use super::models::{self, Kind};
use crate::call::Call;
use crate::chat::{self, ChatRequest};
use crate::compose::{Answer, Finish, compose};
use crate::kinds::Service;
use crate::refusal::Refusal;
use crate::reply::{Frame, Part, Reply};

pub(super) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    call.check_bearer()?;
    let body = call.json()?;
    let mut request = chat::read(&body).map_err(|message| call.invalid(message))?;
    let service = if request.image_urls.is_empty() { Service::Llm } else { Service::Vlm };
    call.meet(service, &request.model).await?;
    models::find(call, &request.model, Kind::Chat)?;
    if body.get("stream_options").is_some_and(|options| !options.is_null()) && !request.stream {
        return Err(call.invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled."));
    }
    request.question.pictures = chat::pictures(&request.image_urls).await.map_err(|message| call.invalid(message))?;
    request.question.reasoning = true;
    let answer = compose(call, &request.question).await?;
    Ok(if request.stream { streamed(call, &request, &answer) } else { whole(call, &answer) })
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
    json!({
        "prompt_tokens": used.prompt,
        "completion_tokens": written,
        "total_tokens": used.prompt + written,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning, "audio_tokens": 0},
    })
}

fn tool_calls(call: &Call, answer: &Answer) -> Vec<Value> {
    let calls = answer.tool_calls.iter().enumerate();
    calls
        .map(|(at, tool)| {
            json!({
                "id": format!("call_sandbox{}x{at}", call.entry.id()),
                "type": "function",
                "function": {"name": tool.name, "arguments": tool.arguments.to_string()},
            })
        })
        .collect()
}

fn whole(call: &Call, answer: &Answer) -> Reply {
    let mut message = json!({"role": "assistant", "content": answer.text(), "refusal": null});
    if !answer.reasoning.is_empty() {
        // As the local servers name it; OpenAI's own models do not show theirs.
        message["reasoning_content"] = Value::from(answer.reasoning.concat());
    }
    let tools = tool_calls(call, answer);
    if !tools.is_empty() {
        message["tool_calls"] = json!(tools);
        if answer.pieces.is_empty() {
            message["content"] = Value::Null;
        }
    }
    let body = json!({
        "id": format!("chatcmpl-{}", call.entry.id()),
        "object": "chat.completion",
        "created": call.created(),
        "model": call.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish(answer)}],
        "usage": usage(answer),
        "service_tier": "default",
    });
    Reply::json(answer.complete(), &body)
}

fn streamed(call: &Call, request: &ChatRequest, answer: &Answer) -> Reply {
    let mut base = json!({
        "id": format!("chatcmpl-{}", call.entry.id()),
        "object": "chat.completion.chunk",
        "created": call.created(),
        "model": call.model,
        "service_tier": "default",
    });
    if request.include_usage {
        // Every chunk but the last says null.
        base["usage"] = Value::Null;
    }
    let chunk = |delta: Value, finish: Value| {
        let mut chunk = base.clone();
        chunk["choices"] = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        chunk["obfuscation"] = Value::from("a1b2");
        chunk
    };
    let event = |part, at, value: &Value| Frame::new(part, at, format!("data: {value}\n\n"));
    let first = chunk(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null);
    let mut frames = vec![event(Part::Opening, std::time::Duration::ZERO, &first)];
    for (at, piece) in answer.reasoning.iter().enumerate() {
        let delta = json!({"reasoning_content": piece});
        frames.push(event(Part::Content, answer.due(at), &chunk(delta, Value::Null)));
    }
    for (at, piece) in answer.pieces.iter().enumerate() {
        let at = answer.due(answer.reasoning.len() + at);
        frames.push(event(Part::Content, at, &chunk(json!({"content": piece}), Value::Null)));
    }
    let end = answer.complete();
    for (index, tool) in tool_calls(call, answer).iter().enumerate() {
        let deltas = tool_events(index, tool).into_iter();
        frames.extend(deltas.map(|delta| event(Part::Content, end, &chunk(delta, Value::Null))));
    }
    frames.push(event(Part::Finish, end, &chunk(json!({}), Value::from(finish(answer)))));
    if request.include_usage {
        let mut last = base.clone();
        last["choices"] = json!([]);
        last["usage"] = usage(answer);
        frames.push(event(Part::Finish, end, &last));
    }
    frames.push(Frame::new(Part::Done, end, &b"data: [DONE]\n\n"[..]));
    Reply::stream("text/event-stream; charset=utf-8", frames).with("cache-control", "no-cache")
}

/// A tool call arrives in pieces: its name first, its arguments in two halves.
fn tool_events(index: usize, tool: &Value) -> Vec<Value> {
    let arguments = tool["function"]["arguments"].as_str().unwrap_or_default();
    let middle = arguments.char_indices().nth(arguments.chars().count() / 2).map_or(0, |(at, _)| at);
    let (start, end) = arguments.split_at(middle);
    let mut first = tool.clone();
    first["index"] = Value::from(index);
    first["function"]["arguments"] = Value::from("");
    let piece = |text: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]});
    vec![json!({"tool_calls": [first]}), piece(start), piece(end)]
}
