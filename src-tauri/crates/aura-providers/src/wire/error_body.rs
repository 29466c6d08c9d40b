//! Parses the body of an error reply in any of the known formats: OpenAI's, Google's, FastAPI's, plain text, or a proxy's HTML.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::retry_after;
use crate::redact::truncate;

/// The longest excerpt of a body without a message field that is shown, in characters.
const MAX_EXCERPT: usize = 200;

/// The fields of an error reply, whatever its format.
#[derive(Debug, Default)]
pub(super) struct ErrorBody {
    /// The message for humans.
    pub(super) message: String,
    /// Every machine-readable code, in lower case: code, type, status and reasons.
    pub(super) codes: Vec<String>,
    /// The HTTP status, if the body contains one.
    pub(super) status: Option<u16>,
    /// The ids of exhausted quotas, from Google.
    pub(super) quotas: Vec<String>,
    /// The delay in Google's `RetryInfo`.
    pub(super) retry_delay: Option<Duration>,
    /// Whether the error is a `google.rpc.Status`.
    pub(super) is_google: bool,
}

/// Parses a body in any format. The message is never empty.
pub(super) fn parse(body: &str, status: u16) -> ErrorBody {
    let mut parsed = match serde_json::from_str::<Value>(body) {
        Ok(value) => parse_value(unwrap_list(&value)),
        Err(_) => ErrorBody { message: excerpt(body), ..ErrorBody::default() },
    };
    if parsed.message.is_empty() {
        let reason =
            StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("no reason given");
        parsed.message = format!("HTTP {status}: {reason}");
    }
    parsed
}

/// The element of a list of one: Google wraps some errors so.
pub(super) fn unwrap_list(value: &Value) -> &Value {
    match value {
        Value::Array(list) if list.len() == 1 => &list[0],
        _ => value,
    }
}

/// Parses a JSON body. The message may be empty.
pub(super) fn parse_value(value: &Value) -> ErrorBody {
    let error = &value["error"];
    let detail = &value["detail"];
    let message = [
        &error["message"],
        error,
        &detail["message"],
        detail,
        &detail[0]["msg"],
        &value["message"],
        &value["status"], // whisper.cpp while it loads a model
    ]
    .into_iter()
    .find_map(|found| found.as_str().filter(|text| !text.trim().is_empty()));

    let mut parsed = ErrorBody { message: message.map(str::to_owned).unwrap_or_default(), ..ErrorBody::default() };
    if parsed.message.is_empty() && (error.is_object() || detail.is_array()) {
        parsed.message = truncate(&value.to_string(), MAX_EXCERPT);
    }
    for object in [error, detail, value] {
        for name in ["code", "type", "status", "error", "reason"] {
            match &object[name] {
                Value::String(code) => parsed.codes.push(code.to_lowercase()),
                Value::Number(number) if name == "code" => {
                    parsed.status = parsed.status.or_else(|| status_of(number.as_u64()))
                }
                _ => {}
            }
        }
    }
    parsed.status = status_of(error["status_code"].as_u64()).or(parsed.status);
    parsed.is_google = error["status"].is_string();
    read_google(&mut parsed, &error["details"]);
    read_upstream(&mut parsed, &error["metadata"]);
    parsed
}

fn status_of(number: Option<u64>) -> Option<u16> {
    number.and_then(|number| u16::try_from(number).ok()).filter(|status| (100..600).contains(status))
}

fn read_google(parsed: &mut ErrorBody, details: &Value) {
    for detail in details.as_array().into_iter().flatten() {
        if let Some(reason) = detail["reason"].as_str() {
            parsed.codes.push(reason.to_lowercase());
        }
        if let Some(text) = detail["retryDelay"].as_str() {
            parsed.retry_delay = retry_after::go_duration(text);
        }
        for violation in detail["violations"].as_array().into_iter().flatten() {
            parsed.quotas.extend(violation["quotaId"].as_str().map(str::to_owned));
        }
    }
}

/// OpenRouter passes on the upstream provider's error as a JSON string.
fn read_upstream(parsed: &mut ErrorBody, metadata: &Value) {
    if metadata["reasons"].is_array() {
        parsed.codes.push("flagged".to_owned());
    }
    if let Some(raw) = metadata["raw"].as_str() {
        let inner = match serde_json::from_str::<Value>(raw) {
            Ok(value) => parse_value(unwrap_list(&value)),
            Err(_) => ErrorBody { message: excerpt(raw), ..ErrorBody::default() },
        };
        if !inner.message.is_empty() {
            parsed.message = format!("{}: {}", parsed.message, inner.message);
        }
        parsed.codes.extend(inner.codes);
    }
}

/// The text of a body that is not JSON; of an HTML page, its title or first heading.
fn excerpt(body: &str) -> String {
    let body = body.trim();
    if !body.starts_with('<') {
        return truncate(body, MAX_EXCERPT);
    }
    let lower = body.to_ascii_lowercase();
    ["title", "h1", "h2"]
        .into_iter()
        .find_map(|tag| {
            let start = lower.find(&format!("<{tag}>"))? + tag.len() + 2;
            let end = start + lower[start..].find(&format!("</{tag}>"))?;
            let text = body[start..end].trim();
            (!text.is_empty()).then(|| truncate(text, MAX_EXCERPT))
        })
        .unwrap_or_default()
}
