//! Groq's error responses.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::error_reply::{ErrorCause, ErrorReply, proxy_error_page};
use crate::faults::{GoneForm, StreamErrorForm};

const OVER_CAPACITY: &str = "is currently over capacity. Please try again and back off exponentially.";

/// A request id, `req_…`, that is different for every request.
pub(super) fn request_id(number: u64) -> String {
    format!("req_01sandbox{number:018}")
}

fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> ErrorReply {
    let mut body = json!({"message": message, "type": kind});
    if let Some(code) = code {
        body["code"] = Value::from(code);
    }
    ErrorReply::json(status, &json!({"error": body}))
}

fn invalid(status: u16, code: Option<&str>, message: &str) -> ErrorReply {
    error(status, "invalid_request_error", code, message)
}

/// The reply of Groq's proxy to a client without a User-Agent.
pub(super) fn missing_user_agent() -> ErrorReply {
    ErrorReply::text(403, "text/plain; charset=UTF-8", "error code: 1010")
}

/// Groq's error reply for `cause`.
pub(crate) fn error_reply(cause: &ErrorCause, model: &str) -> ErrorReply {
    match cause {
        ErrorCause::MissingKey | ErrorCause::WrongKey => invalid(401, Some("invalid_api_key"), "Invalid API Key"),
        ErrorCause::InvalidRequest(message) => invalid(400, None, message),
        ErrorCause::BodyTooLarge => invalid(413, Some("request_too_large"), "Request Entity Too Large"),
        ErrorCause::UnknownRoute { method, path } => {
            let path = path.strip_prefix("/groq").unwrap_or(path);
            let message = format!("Unknown request URL: {method} {path}. Please check the URL for typos");
            invalid(404, Some("unknown_url"), &message)
        }
        ErrorCause::ModelGone(GoneForm::Decommissioned) => {
            let message = format!(
                "The model `{model}` has been decommissioned and is no longer supported. Please refer to \
                 https://console.groq.com/docs/deprecations for a recommendation on which model to use instead."
            );
            invalid(400, Some("model_decommissioned"), &message)
        }
        ErrorCause::ModelGone(_) => {
            let message = format!("The model `{model}` does not exist or you do not have access to it.");
            invalid(404, Some("model_not_found"), &message)
        }
        ErrorCause::ContextTooLong => {
            let message = "Please reduce the length of the messages or completion.";
            invalid(400, Some("context_length_exceeded"), message)
        }
        ErrorCause::PromptBlocked => {
            invalid(400, Some("content_filter"), "The prompt was blocked by a content filter.")
        }
        ErrorCause::ProgramFailed(message) => error(503, "internal_server_error", None, message),
        ErrorCause::Status { code, variant } => status_reply(*code, variant.as_deref(), model),
    }
}

fn status_reply(code: u16, variant: Option<&str>, model: &str) -> ErrorReply {
    match (code, variant) {
        (400, Some("terms")) => {
            let message = format!(
                "The model `{model}` requires terms acceptance. Please have the org admin accept the terms at \
                 https://console.groq.com/playground?model={}",
                model.replace('/', "%2F")
            );
            invalid(400, Some("model_terms_required"), &message)
        }
        (401, _) => error_reply(&ErrorCause::WrongKey, model),
        (403, Some("edge")) => missing_user_agent(),
        (403, _) => error(
            403,
            "permissions_error",
            Some("model_permission_blocked_org"),
            "The model is blocked at the organization level.",
        ),
        (404, _) => error_reply(&ErrorCause::ModelGone(GoneForm::NotFound), model),
        (413, Some("tokens")) => {
            let message = format!(
                "Request too large for model `{model}` in organization `org_sandbox` service tier `on_demand` on \
                 tokens per minute (TPM): Limit 8000, Requested 8894, please reduce your message size and try again."
            );
            error(413, "tokens", Some("rate_limit_exceeded"), &message)
        }
        (413, _) => error_reply(&ErrorCause::BodyTooLarge, model),
        (422, _) => invalid(422, None, "The request could not be processed because of semantic errors."),
        (424, _) => invalid(424, None, "Failed dependency: error retrieving tool list from MCP server"),
        (429, variant) => rate_limited(variant, model),
        (498, _) => invalid(498, Some("capacity_exceeded"), "Flex tier capacity exceeded, please try again later."),
        (502 | 504, _) => proxy_error_page(code),
        (503, _) => error(503, "internal_server_error", None, &format!("{model} {OVER_CAPACITY}")),
        (500.., _) => error(code, "internal_server_error", None, "Internal Server Error"),
        _ => invalid(code, None, "The sandbox was told to refuse this request."),
    }
}

/// A rate-limit error: tokens per minute, or requests per day (`day`) or seconds of audio per hour (`audio`).
fn rate_limited(variant: Option<&str>, model: &str) -> ErrorReply {
    let (kind, limit, after, retry) = match variant {
        Some("day") => ("requests", "requests per day (RPD): Limit 1000, Used 1000, Requested 1", "14m24s", "864"),
        Some("audio") => {
            ("seconds", "seconds of audio per hour (ASPH): Limit 7200, Used 7195, Requested 10", "2.5s", "3")
        }
        _ => ("tokens", "tokens per minute (TPM): Limit 8000, Used 7297, Requested 974", "2.0325s", "3"),
    };
    let message = format!(
        "Rate limit reached for model `{model}` in organization `org_sandbox` service tier `on_demand` on {limit}. \
         Please try again in {after}."
    );
    let left = if kind == "tokens" { "996" } else { "0" };
    error(429, kind, Some("rate_limit_exceeded"), &message)
        .with_header("retry-after", retry)
        .with_header("x-ratelimit-limit-requests", "1000")
        .with_header("x-ratelimit-limit-tokens", "8000")
        .with_header("x-ratelimit-remaining-requests", left)
        .with_header("x-ratelimit-remaining-tokens", "0")
        .with_header("x-ratelimit-reset-requests", if kind == "requests" { "14m24s" } else { "5m45.6s" })
        .with_header("x-ratelimit-reset-tokens", "2.0325s")
}

/// Groq's errors inside a stream.
pub(crate) fn stream_error(form: StreamErrorForm) -> Vec<Bytes> {
    let data = |value: &Value| format!("data: {value}\n\n");
    match form {
        StreamErrorForm::XGroq => {
            let chunk = json!({
                "id": "chatcmpl-sandbox", "object": "chat.completion.chunk", "created": 0, "model": "",
                "choices": [{"index": 0, "delta": {}, "logprobs": null, "finish_reason": null}],
                "x_groq": {"id": request_id(0), "error": "over_capacity"},
            });
            vec![data(&chunk).into(), "data: [DONE]\n\n".into()]
        }
        StreamErrorForm::Event => {
            let body = json!({"error": {
                "message": "Tool call validation failed: parameters for tool did not match schema",
                "type": "invalid_request_error", "code": "tool_use_failed", "failed_generation": "{}", "status_code": 400,
            }});
            vec![format!("event: error\n{}", data(&body)).into()]
        }
        StreamErrorForm::Data | StreamErrorForm::RawJson => {
            let message = format!("The model {OVER_CAPACITY}");
            vec![data(&json!({"error": {"message": message, "type": "internal_server_error"}})).into()]
        }
    }
}
