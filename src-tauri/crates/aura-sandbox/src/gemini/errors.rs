//! Gemini's error responses: `google.rpc.Status` in JSON.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::error_reply::{ErrorCause, ErrorReply, proxy_error_page};
use crate::faults::{GoneForm, StreamErrorForm};

const RPC: &str = "type.googleapis.com/google.rpc";
const HIGH_DEMAND: &str = "This model is currently experiencing high demand. Spikes in demand are usually temporary. \
                           Please try again later.";

fn body(code: u16, status: &str, message: &str, details: Value) -> Value {
    let mut error = json!({"code": code, "message": message, "status": status});
    if !details.is_null() {
        error["details"] = details;
    }
    json!({"error": error})
}

fn error(code: u16, status: &str, message: &str, details: Value) -> ErrorReply {
    ErrorReply::json(code, &body(code, status, message, details))
}

fn plain(code: u16, status: &str, message: &str) -> ErrorReply {
    error(code, status, message, Value::Null)
}

/// The error for an unknown field at a path such as `generation_config`.
pub(super) fn unknown_field(name: &str, path: &str) -> ErrorReply {
    let at = if path.is_empty() { String::new() } else { format!(" at '{path}'") };
    let message = format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field.");
    let violations = json!([{"field": path, "description": message}]);
    let details = json!([{"@type": format!("{RPC}.BadRequest"), "fieldViolations": violations}]);
    error(400, "INVALID_ARGUMENT", &message, details)
}

fn bad_key(message: &str) -> ErrorReply {
    let details = json!([
        {
            "@type": format!("{RPC}.ErrorInfo"),
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        },
        {"@type": format!("{RPC}.LocalizedMessage"), "locale": "en-US", "message": message},
    ]);
    error(400, "INVALID_ARGUMENT", message, details)
}

/// Gemini's error reply for `cause`.
pub(crate) fn error_reply(cause: &ErrorCause, model: &str) -> ErrorReply {
    match cause {
        ErrorCause::MissingKey => plain(
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or \
             other form of API consumer identity to call this API.",
        ),
        ErrorCause::WrongKey => bad_key("API key not valid. Please pass a valid API key."),
        ErrorCause::InvalidRequest(message) => plain(400, "INVALID_ARGUMENT", message),
        ErrorCause::BodyTooLarge => {
            plain(413, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 104857600 bytes.")
        }
        ErrorCause::UnknownRoute { path, .. } => plain(404, "NOT_FOUND", &format!("The path {path} was not found.")),
        ErrorCause::ModelGone(GoneForm::NewUsers) => {
            let message = format!(
                "This model models/{model} is no longer available to new users. Please update your code to use a \
                 newer model for the latest features and improvements."
            );
            plain(404, "NOT_FOUND", &message)
        }
        ErrorCause::ModelGone(_) => {
            let message = format!(
                "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call \
                 ListModels to see the list of available models and their supported methods."
            );
            plain(404, "NOT_FOUND", &message)
        }
        ErrorCause::ContextTooLong => {
            let message = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).";
            plain(400, "INVALID_ARGUMENT", message)
        }
        // Not reached: Gemini reports a blocked prompt with status 200.
        ErrorCause::PromptBlocked => plain(400, "INVALID_ARGUMENT", "The prompt was blocked."),
        ErrorCause::ProgramFailed(message) => plain(503, "UNAVAILABLE", message),
        ErrorCause::Status { code, variant } => status_reply(*code, variant.as_deref(), model),
    }
}

fn status_reply(code: u16, variant: Option<&str>, model: &str) -> ErrorReply {
    match (code, variant) {
        (400, Some("location")) => plain(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
        (400, Some("expired")) => bad_key("API key expired. Please renew the API key."),
        (400, _) => plain(400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
        (401, _) => plain(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
        (403, _) => plain(403, "PERMISSION_DENIED", "Your project has been denied access. Please contact support."),
        (404, _) => error_reply(&ErrorCause::ModelGone(GoneForm::NotFound), model),
        (413, _) => error_reply(&ErrorCause::BodyTooLarge, model),
        (429, Some("bare")) => plain(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
        (429, Some("day")) => exhausted("GenerateRequestsPerDayPerProjectPerModel-FreeTier", 500, model),
        (429, _) => exhausted("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", 15, model),
        (499, _) => plain(499, "CANCELLED", "The operation was cancelled."),
        (502, _) => proxy_error_page(code),
        (503, _) => plain(503, "UNAVAILABLE", HIGH_DEMAND),
        (504, _) => plain(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
        (500.., _) => plain(code, "INTERNAL", "An internal error has occurred. Please retry."),
        _ => plain(code, "FAILED_PRECONDITION", "The sandbox was told to refuse this request."),
    }
}

/// The error for an exhausted quota. The retry delay is in seconds even if the quota is per day.
fn exhausted(quota: &str, limit: u32, model: &str) -> ErrorReply {
    let metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests";
    let message = format!(
        "You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for metric: \
         {metric}, limit: {limit}, model: {model}\nPlease retry in 36.871s."
    );
    let details = json!([
        {
            "@type": format!("{RPC}.Help"),
            "links": [{
                "description": "Learn more about Gemini API quotas",
                "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
            }],
        },
        {
            "@type": format!("{RPC}.QuotaFailure"),
            "violations": [{
                "quotaMetric": metric,
                "quotaId": quota,
                "quotaDimensions": {"location": "global", "model": model},
                "quotaValue": limit.to_string(),
            }],
        },
        {"@type": format!("{RPC}.RetryInfo"), "retryDelay": "36s"},
    ]);
    error(429, "RESOURCE_EXHAUSTED", &message, details)
}

/// Gemini's errors inside a stream.
pub(crate) fn stream_error(form: StreamErrorForm) -> Vec<Bytes> {
    let body = body(503, "UNAVAILABLE", HIGH_DEMAND, Value::Null);
    vec![match form {
        StreamErrorForm::RawJson => serde_json::to_string_pretty(&body).unwrap_or_default().into(),
        _ => format!("data: {body}\r\n\r\n").into(),
    }]
}
