//! generateContent responses in their three formats.

use std::time::Duration;

use serde_json::{Value, json};

use super::models::GeminiModel;
use crate::error_reply::ErrorReply;
use crate::http_reply::{FrameKind, HttpReply, ReplyFrame};
use crate::request::RequestContext;

/// Format of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseMode {
    /// One JSON object.
    Single,
    /// A stream of server-sent events (`alt=sse`).
    Sse,
    /// A stream of JSON objects in one array.
    JsonArray,
}

/// Wraps an error in a JSON array, as a stream without `alt=sse` does.
pub(super) fn in_json_array(mut error_reply: ErrorReply) -> ErrorReply {
    if error_reply.content_type == "application/json" {
        error_reply.body = [b"[", &error_reply.body[..], b"]\n"].concat().into();
    }
    error_reply
}

/// Streams responses in the requested format. The last response has the finish reason.
pub(super) fn stream_reply(mode: ResponseMode, responses: Vec<(FrameKind, Duration, Value)>) -> HttpReply {
    let count = responses.len();
    let end = responses.last().map_or(Duration::ZERO, |chunk| chunk.1);
    let mut frames: Vec<ReplyFrame> = Vec::with_capacity(count + 1);
    for (n, (kind, at, value)) in responses.into_iter().enumerate() {
        let text = match mode {
            ResponseMode::JsonArray => format!("{}{value}", if n == 0 { "[" } else { ",\r\n" }),
            ResponseMode::Sse | ResponseMode::Single => format!("data: {value}\r\n\r\n"),
        };
        frames.push(ReplyFrame::new(kind, at, text));
    }
    if mode == ResponseMode::JsonArray {
        frames.push(ReplyFrame::new(FrameKind::Done, end, &b"]\n"[..]));
        return HttpReply::stream("application/json; charset=UTF-8", frames).headers_with_first_frame();
    }
    HttpReply::stream("text/event-stream", frames)
        .with_header("content-disposition", "attachment")
        .with_header("vary", "Origin, X-Origin, Referer")
        .with_header("server-timing", "gfet4t7; dur=12")
}

/// A response without candidates.
pub(super) fn base_response(context: &RequestContext, model: &GeminiModel) -> Value {
    json!({"modelVersion": model.version(), "responseId": format!("sandbox{:09}", context.record.id())})
}

/// A response with one candidate.
pub(super) fn candidate_response(
    context: &RequestContext,
    model: &GeminiModel,
    content: Value,
    finish: Option<&str>,
    usage: Value,
) -> Value {
    let mut response = base_response(context, model);
    let mut candidate = json!({"content": content, "index": 0});
    if let Some(finish) = finish {
        candidate["finishReason"] = Value::from(finish);
        if finish == "SAFETY" {
            let rating = json!({"category": "HARM_CATEGORY_HATE_SPEECH", "probability": "MEDIUM", "blocked": true});
            candidate["safetyRatings"] = json!([rating]);
        }
    }
    response["candidates"] = json!([candidate]);
    if !usage.is_null() {
        response["usageMetadata"] = usage;
    }
    response
}
