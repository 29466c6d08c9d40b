//! `POST /chat/completions`

use serde_json::{Value, json};

use super::models::{self, OpenAiModelKind};
use crate::chat_request::{self, ChatRequest};
use crate::completion::{Completion, complete};
use crate::error_reply::ErrorReply;
use crate::http_reply::{FrameKind, HttpReply, ReplyFrame};
use crate::ids::Service;
use crate::request::RequestContext;

pub(super) async fn handle(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    context.check_bearer()?;
    let body = context.json()?;
    let mut request = chat_request::parse(&body).map_err(|message| context.invalid_request(message))?;
    let service = if request.image_urls.is_empty() { Service::Llm } else { Service::Vlm };
    context.apply_fault(service, &request.model).await?;
    models::find(context, &request.model, OpenAiModelKind::Chat)?;
    if body.get("stream_options").is_some_and(|options| !options.is_null()) && !request.stream {
        return Err(context.invalid_request("The 'stream_options' parameter is only allowed when 'stream' is enabled."));
    }
    request.prompt.images =
        chat_request::decode_images(&request.image_urls).await.map_err(|message| context.invalid_request(message))?;
    request.prompt.wants_reasoning = true;
    let completion = complete(context, &request.prompt).await?;
    let alternatives = (body["logprobs"] == true).then(|| body["top_logprobs"].as_u64().unwrap_or(0));
    Ok(if request.stream {
        stream_reply(context, &request, &completion, alternatives)
    } else {
        completion_reply(context, &completion, alternatives)
    })
}

/// The log probabilities of a text, one token for each word. `None` when they were not requested.
fn logprobs(text: &str, alternatives: Option<u64>) -> Value {
    let Some(alternatives) = alternatives else { return Value::Null };
    let entry = |token: &str| json!({"token": token, "logprob": -0.125, "bytes": token.as_bytes()});
    let tokens = text.split_inclusive(' ').map(|token| {
        let mut whole = entry(token);
        whole["top_logprobs"] = (0..alternatives).map(|_| entry(token)).collect();
        whole
    });
    json!({"content": tokens.collect::<Vec<_>>(), "refusal": null})
}

fn usage(completion: &Completion) -> Value {
    let used = completion.usage;
    let written = used.completion + used.reasoning;
    json!({
        "prompt_tokens": used.prompt,
        "completion_tokens": written,
        "total_tokens": used.prompt + written,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning, "audio_tokens": 0},
    })
}

fn tool_calls(context: &RequestContext, completion: &Completion) -> Vec<Value> {
    let calls = completion.tool_calls.iter().enumerate();
    calls
        .map(|(at, tool)| {
            json!({
                "id": format!("call_sandbox{}x{at}", context.record.id()),
                "type": "function",
                "function": {"name": tool.name, "arguments": tool.arguments.to_string()},
            })
        })
        .collect()
}

fn completion_reply(context: &RequestContext, completion: &Completion, alternatives: Option<u64>) -> HttpReply {
    let logprobs = logprobs(&completion.text(), alternatives);
    let mut message = json!({"role": "assistant", "content": completion.text(), "refusal": null});
    if !completion.reasoning.is_empty() {
        // The field name of local servers. OpenAI's own models do not report their reasoning.
        message["reasoning_content"] = Value::from(completion.reasoning.concat());
    }
    let tools = tool_calls(context, completion);
    if !tools.is_empty() {
        message["tool_calls"] = json!(tools);
        if completion.text_chunks.is_empty() {
            message["content"] = Value::Null;
        }
    }
    let body = json!({
        "id": format!("chatcmpl-{}", context.record.id()),
        "object": "chat.completion",
        "created": context.unix_seconds(),
        "model": context.model,
        "choices": [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": completion.finish.openai_name()}],
        "usage": usage(completion),
        "service_tier": "default",
    });
    HttpReply::json(completion.last_chunk_due(), &body)
}

fn stream_reply(
    context: &RequestContext,
    request: &ChatRequest,
    completion: &Completion,
    alternatives: Option<u64>,
) -> HttpReply {
    let mut base = json!({
        "id": format!("chatcmpl-{}", context.record.id()),
        "object": "chat.completion.chunk",
        "created": context.unix_seconds(),
        "model": context.model,
        "service_tier": "default",
    });
    if request.include_usage {
        // `usage` is null in every chunk but the last.
        base["usage"] = Value::Null;
    }
    let chunk = |delta: Value, finish: Value| {
        let mut chunk = base.clone();
        chunk["choices"] = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        chunk["obfuscation"] = Value::from("a1b2");
        chunk
    };
    let event = |kind, at, value: &Value| ReplyFrame::new(kind, at, format!("data: {value}\n\n"));
    let first = chunk(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null);
    let mut frames = vec![event(FrameKind::Opening, std::time::Duration::ZERO, &first)];
    for (index, text) in completion.reasoning.iter().enumerate() {
        let delta = json!({"reasoning_content": text});
        frames.push(event(FrameKind::Content, completion.chunk_due(index), &chunk(delta, Value::Null)));
    }
    for (index, text) in completion.text_chunks.iter().enumerate() {
        let at = completion.chunk_due(completion.reasoning.len() + index);
        let mut chunk = chunk(json!({"content": text}), Value::Null);
        chunk["choices"][0]["logprobs"] = logprobs(text, alternatives);
        frames.push(event(FrameKind::Content, at, &chunk));
    }
    let end = completion.last_chunk_due();
    for (index, tool) in tool_calls(context, completion).iter().enumerate() {
        let deltas = tool_events(index, tool).into_iter();
        frames.extend(deltas.map(|delta| event(FrameKind::Content, end, &chunk(delta, Value::Null))));
    }
    frames.push(event(FrameKind::Finish, end, &chunk(json!({}), Value::from(completion.finish.openai_name()))));
    if request.include_usage {
        let mut last = base.clone();
        last["choices"] = json!([]);
        last["usage"] = usage(completion);
        frames.push(event(FrameKind::Finish, end, &last));
    }
    frames.push(ReplyFrame::new(FrameKind::Done, end, &b"data: [DONE]\n\n"[..]));
    HttpReply::stream("text/event-stream; charset=utf-8", frames).with_header("cache-control", "no-cache")
}

/// The deltas of a streamed tool call: first its name, then its arguments in two halves.
fn tool_events(index: usize, tool: &Value) -> Vec<Value> {
    let arguments = tool["function"]["arguments"].as_str().unwrap_or_default();
    let middle = arguments.char_indices().nth(arguments.chars().count() / 2).map_or(0, |(at, _)| at);
    let (start, end) = arguments.split_at(middle);
    let mut first = tool.clone();
    first["index"] = Value::from(index);
    first["function"]["arguments"] = Value::from("");
    let chunk = |text: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]});
    vec![json!({"tool_calls": [first]}), chunk(start), chunk(end)]
}
