//! Maps an error reply to a [`FailureKind`], from its status and the phrases in its body.

use super::error_body::ErrorBody;
use crate::types::{Failure, FailureDetail, FailureKind};

/// The request exceeds the context length. Only another model helps.
const TOO_LONG: &[&str] = &[
    "context length",
    "context size",
    "context window",
    "maximum context",
    "context_length_exceeded",
    "exceed_context_size",
    "token count exceeds",
    "exceeds the maximum number of tokens",
    "reduce the length",
    "prompt is too long",
    "payload size exceeds",
];
/// The model does not support a medium or a parameter of the request.
const UNSUPPORTED: &[&str] = &[
    "too many images",
    "valid media file",
    "not currently supported",
    "not supported",
    "unsupported",
    "does not support",
    "is not enabled for this model",
    "unknown name",
    "unknown parameter",
    "unrecognized",
    "must be one of",
    "extra inputs are not permitted",
    "unexpected endpoint",
    "image input",
];
/// The model is unknown or retired.
const GONE: &[&str] =
    &["model_decommissioned", "model_not_found", "model_not_active", "invalid_model", "decommissioned"];
/// The model exists, but this account may not use it yet. The key is valid for other models.
const NOT_ENTITLED: &[&str] = &["model_permission_blocked", "model_terms_required"];
/// The provider rejected the model's own output, such as an invalid tool call.
const UNUSABLE_OUTPUT: &[&str] = &["tool_use_failed", "json_validate_failed"];
/// The API key is invalid.
const AUTH: &[&str] = &[
    "invalid_api_key",
    "api_key_",
    "authentication_error",
    "unauthenticated",
    "permission_denied",
    "consumer_suspended",
];
/// A content filter blocked the question or the answer.
const BLOCKED: &[&str] = &["content_filter", "content_policy", "moderation_blocked", "flagged", "safety_violation"];
/// The quota of the account is used up.
const QUOTA: &[&str] =
    &["insufficient_quota", "billing_hard_limit", "billing_not_active", "insufficient credits", "perday"];
/// The message names a daily limit, as those of Groq and OpenAI do.
const PER_DAY: &[&str] = &["per day", "(rpd)", "(tpd)", "(aspd)"];
/// The provider has no capacity, or an internal error.
const OVER_CAPACITY: &[&str] =
    &["over_capacity", "over capacity", "capacity_exceeded", "overloaded", "unavailable", "internal"];

/// The kind of an error with a status.
pub(super) fn by_status(status: u16, body: &ErrorBody) -> FailureKind {
    match status {
        300..=399 => FailureKind::Unreachable, // a captive portal or a moved server; following a redirect could leak the key
        401 => FailureKind::KeyRejected,
        402 => FailureKind::Quota,
        403 if has(body, BLOCKED) => FailureKind::Blocked,
        403 if has(body, GONE) || has(body, NOT_ENTITLED) => FailureKind::ModelGone,
        403 => FailureKind::KeyRejected,
        404 if names_model(body) || has(body, GONE) => FailureKind::ModelGone,
        404 | 405 => FailureKind::Unsupported, // no such endpoint
        408 => FailureKind::Timeout,
        410 => FailureKind::ModelGone,
        413..=415 => FailureKind::Unsupported, // also Groq's 413 rate_limit_exceeded: one request exceeds the tokens per minute
        424 => FailureKind::Unsupported,
        429 => limit_kind(body),
        409 | 425 | 498 | 499 => FailureKind::Overloaded,
        500.. => FailureKind::Overloaded,
        _ => by_content(body),
    }
}

/// The kind of an error without a status: one inside a successful reply.
pub(super) fn by_phrases(body: &ErrorBody) -> FailureKind {
    if has(body, QUOTA) || has(body, &["rate_limit", "resource_exhausted", "too_many_requests"]) {
        return limit_kind(body);
    }
    if has(body, OVER_CAPACITY) {
        return FailureKind::Overloaded;
    }
    match by_content(body) {
        // Without a status and without a known phrase, the cause is inside the provider.
        FailureKind::InvalidRequest if !has(body, &["invalid_request", "invalid_argument"]) => FailureKind::Overloaded,
        kind => kind,
    }
}

/// Distinguishes an exhausted quota from a rate limit.
fn limit_kind(body: &ErrorBody) -> FailureKind {
    let day = body.quotas.iter().any(|quota| quota.to_lowercase().contains("perday"));
    // Google mentions quota and billing for every limit, so only its quota ids count.
    if day || (!body.is_google && (has(body, QUOTA) || has(body, PER_DAY))) {
        FailureKind::Quota
    } else {
        FailureKind::RateLimited
    }
}

/// The kind of an error about the content of the request.
fn by_content(body: &ErrorBody) -> FailureKind {
    if has(body, NOT_ENTITLED) {
        FailureKind::ModelGone
    } else if has(body, UNUSABLE_OUTPUT) {
        FailureKind::Empty
    } else if has(body, AUTH) {
        FailureKind::KeyRejected
    } else if has(body, BLOCKED) {
        FailureKind::Blocked
    } else if has(body, QUOTA) {
        FailureKind::Quota
    } else if has(body, TOO_LONG) {
        FailureKind::Unsupported
    } else if has(body, GONE) {
        FailureKind::ModelGone
    } else if has(body, UNSUPPORTED) || has(body, &["failed_precondition"]) {
        FailureKind::Unsupported
    } else {
        FailureKind::InvalidRequest
    }
}

/// Distinguishes a rejected key from access that is denied for another reason, such as a gateway that blocks a region, or a key
/// without a permission. A 403 counts as a rejected key only when the message says what is wrong with the key.
pub(super) fn key_or_access(kind: FailureKind, status: Option<u16>, body: &ErrorBody) -> FailureKind {
    const WRONG: &[&str] = &[
        "not valid",
        "invalid",
        "incorrect",
        "leaked",
        "expired",
        "suspended",
        "disabled",
        "revoked",
        "deactivated",
        "no key",
    ];
    if kind != FailureKind::KeyRejected || status != Some(403) {
        return kind;
    }
    let message = body.message.to_lowercase();
    let names_key = message.contains("key") && WRONG.iter().any(|word| message.contains(word));
    if names_key { FailureKind::KeyRejected } else { FailureKind::Forbidden }
}

/// Distinguishes a model that this account may not use from one that is retired for everyone.
pub(super) fn detail(kind: FailureKind, body: &ErrorBody) -> Option<FailureDetail> {
    (kind == FailureKind::ModelGone && has(body, NOT_ENTITLED)).then_some(FailureDetail::NotEntitled)
}

/// Whether the model rejected the thinking level. Google has no error code for that.
pub(crate) fn rejects_thinking_level(failure: &Failure) -> bool {
    failure.status == Some(400) && failure.message.to_lowercase().contains("thinking level")
}

/// Whether the message or a code contains one of the phrases.
fn has(body: &ErrorBody, phrases: &[&str]) -> bool {
    let message = body.message.to_lowercase();
    phrases.iter().any(|phrase| message.contains(phrase) || body.codes.iter().any(|code| code.contains(phrase)))
}

fn names_model(body: &ErrorBody) -> bool {
    let message = body.message.to_lowercase();
    message.contains("model") && !message.contains("unknown path")
}

/// The message for the user: the provider's own, unless it does not say what to do.
pub(super) fn message(kind: FailureKind, body: &ErrorBody) -> String {
    let message = body.message.trim();
    if body.codes.iter().any(|word| word == "model_terms_required") {
        let page =
            message.split_whitespace().find(|word| word.starts_with("https://")).unwrap_or("the provider's console");
        return format!(
            "This model's terms must be accepted once, by an administrator of the account. Open {page} and accept them."
        );
    }
    if matches!(kind, FailureKind::KeyRejected | FailureKind::Forbidden) && message.contains("error code: 10") {
        return format!(
            "The provider's gateway refused this connection ({message}). Check the proxy, the VPN, and whether the service is available in your region."
        );
    }
    message.to_owned()
}
