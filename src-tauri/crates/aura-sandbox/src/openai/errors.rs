//! OpenAI's error responses.

use bytes::Bytes;
use serde_json::json;

use crate::error_reply::{ErrorCause, ErrorReply, proxy_error_page};
use crate::faults::GoneForm;

fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> ErrorReply {
    ErrorReply::json(status, &json!({"error": {"message": message, "type": kind, "param": null, "code": code}}))
}

fn invalid(status: u16, code: Option<&str>, message: &str) -> ErrorReply {
    error(status, "invalid_request_error", code, message)
}

/// OpenAI's error reply for `cause`.
pub(crate) fn error_reply(cause: &ErrorCause, model: &str) -> ErrorReply {
    match cause {
        ErrorCause::MissingKey => invalid(
            401,
            None,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth.",
        ),
        ErrorCause::WrongKey => invalid(
            401,
            Some("invalid_api_key"),
            "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.",
        ),
        ErrorCause::InvalidRequest(message) => invalid(400, None, message),
        ErrorCause::BodyTooLarge => invalid(413, None, "Maximum content size limit exceeded"),
        ErrorCause::UnknownRoute { method, path } => {
            let path = path.strip_prefix("/openai").unwrap_or(path);
            invalid(404, None, &format!("Invalid URL ({method} {path})"))
        }
        ErrorCause::ModelGone(_) => {
            let message = format!("The model `{model}` does not exist or you do not have access to it.");
            invalid(404, Some("model_not_found"), &message)
        }
        ErrorCause::ContextTooLong => {
            let message =
                "This model's maximum context length is 922000 tokens. Please reduce the length of the messages.";
            invalid(400, Some("context_length_exceeded"), message)
        }
        ErrorCause::PromptBlocked => {
            let message = "Your request was rejected as a result of our safety system.";
            invalid(400, Some("content_policy_violation"), message)
        }
        ErrorCause::ProgramFailed(message) => error(503, "server_error", None, message),
        ErrorCause::Status { code, variant } => status_reply(*code, variant.as_deref(), model),
    }
}

fn status_reply(code: u16, variant: Option<&str>, model: &str) -> ErrorReply {
    match (code, variant) {
        (401, _) => error_reply(&ErrorCause::WrongKey, model),
        (403, _) => {
            invalid(403, Some("unsupported_country_region_territory"), "Country, region, or territory not supported")
        }
        (404, _) => error_reply(&ErrorCause::ModelGone(GoneForm::NotFound), model),
        (413, _) => error_reply(&ErrorCause::BodyTooLarge, model),
        (429, Some("quota")) => {
            let message = "You exceeded your current quota, please check your plan and billing details.";
            error(429, "insufficient_quota", Some("insufficient_quota"), message)
        }
        (429, _) => {
            let message = format!(
                "Rate limit reached for {model} on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. \
                 Please try again in 2s."
            );
            error(429, "tokens", Some("rate_limit_exceeded"), &message).with_header("retry-after", "2")
        }
        (502 | 504, _) => proxy_error_page(code),
        (500.., _) => error(
            code,
            "server_error",
            None,
            "The server had an error while processing your request. Sorry about that!",
        ),
        _ => invalid(code, None, "The sandbox was told to refuse this request."),
    }
}

/// OpenAI's error inside a stream.
pub(crate) fn stream_error() -> Vec<Bytes> {
    let body = json!({"error": {
        "message": "The server had an error while processing your request.",
        "type": "server_error", "param": null, "code": null,
    }});
    vec![format!("data: {body}\n\n").into()]
}
