//! Which class an error belongs to. The table is in `router::policy`'s terms: what to do next, not whose fault it was.

use super::errors::Said;
use crate::providers::{Class, Failure};

/// The question does not fit; waiting or repeating cannot help, another model can.
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
/// The route cannot take this medium or this parameter.
const NOT_TAKEN: &[&str] = &[
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
const GONE: &[&str] =
    &["model_decommissioned", "model_not_found", "model_not_active", "invalid_model", "decommissioned"];
/// The model is there, and only this account may not use it, or not yet. The key is fine for the others.
const NOT_OFFERED: &[&str] = &["model_permission_blocked", "model_terms_required"];
/// What the model wrote could not be used: it is asked again, and then another one.
const MODELS_FAULT: &[&str] = &["tool_use_failed", "json_validate_failed"];
const AUTH: &[&str] = &[
    "invalid_api_key",
    "api_key_",
    "authentication_error",
    "unauthenticated",
    "permission_denied",
    "consumer_suspended",
];
const BLOCKED: &[&str] = &["content_filter", "content_policy", "moderation_blocked", "flagged", "safety_violation"];
const QUOTA: &[&str] =
    &["insufficient_quota", "billing_hard_limit", "billing_not_active", "insufficient credits", "perday"];
/// Groq and OpenAI name the limit that was hit in the sentence.
const PER_DAY: &[&str] = &["per day", "(rpd)", "(tpd)", "(aspd)"];
const OVER_CAPACITY: &[&str] =
    &["over_capacity", "over capacity", "capacity_exceeded", "overloaded", "unavailable", "internal"];

/// Decides with a status at hand.
pub(super) fn of_status(status: u16, said: &Said) -> Class {
    match status {
        300..=399 => Class::Unreachable, // a sign-in page or a moved server; redirects are not followed, they could leak the key
        401 => Class::Auth,
        402 => Class::Quota,
        403 if has(said, BLOCKED) => Class::Blocked,
        403 if has(said, GONE) || has(said, NOT_OFFERED) => Class::ModelGone,
        403 => Class::Auth,
        404 if names_model(said) || has(said, GONE) => Class::ModelGone,
        404 | 405 => Class::Unsupported, // the server has no such endpoint
        408 => Class::Timeout,
        410 => Class::ModelGone,
        413..=415 => Class::Unsupported, // also Groq's 413 rate_limit_exceeded: one request larger than a minute's tokens
        424 => Class::Unsupported,
        429 => too_many(said),
        409 | 425 | 498 | 499 => Class::Overloaded,
        500.. => Class::Overloaded,
        _ => of_request(said),
    }
}

/// Decides by the words alone, for errors inside a success.
pub(super) fn of_words(said: &Said) -> Class {
    if has(said, QUOTA) || has(said, &["rate_limit", "resource_exhausted", "too_many_requests"]) {
        return too_many(said);
    }
    if has(said, OVER_CAPACITY) {
        return Class::Overloaded;
    }
    match of_request(said) {
        // Without a status and without a known word, the provider broke off for reasons of its own.
        Class::InvalidRequest if !has(said, &["invalid_request", "invalid_argument"]) => Class::Overloaded,
        class => class,
    }
}

fn too_many(said: &Said) -> Class {
    let day = said.quotas.iter().any(|quota| quota.to_lowercase().contains("perday"));
    // Google speaks of quota and billing for every limit, so only its quota names count.
    if day || (!said.google && (has(said, QUOTA) || has(said, PER_DAY))) { Class::Quota } else { Class::RateLimited }
}

/// A request that was refused for what is in it.
fn of_request(said: &Said) -> Class {
    if has(said, NOT_OFFERED) {
        Class::ModelGone
    } else if has(said, MODELS_FAULT) {
        Class::Empty
    } else if has(said, AUTH) {
        Class::Auth
    } else if has(said, BLOCKED) {
        Class::Blocked
    } else if has(said, QUOTA) {
        Class::Quota
    } else if has(said, TOO_LONG) {
        Class::Unsupported
    } else if has(said, GONE) {
        Class::ModelGone
    } else if has(said, NOT_TAKEN) || has(said, &["failed_precondition"]) {
        Class::Unsupported
    } else {
        Class::InvalidRequest
    }
}

/// Whether a model that counts as gone is only not for this account.
pub(super) fn is_not_offered(class: Class, said: &Said) -> bool {
    class == Class::ModelGone && has(said, NOT_OFFERED)
}

/// Whether a request was refused for how much it lets the model think. Google has no code for that.
pub(in crate::providers) fn refuses_to_think_so_little(failure: &Failure) -> bool {
    failure.status == Some(400) && failure.message.to_lowercase().contains("thinking level")
}

fn has(said: &Said, needles: &[&str]) -> bool {
    let message = said.message.to_lowercase();
    needles.iter().any(|needle| message.contains(needle) || said.words.iter().any(|word| word.contains(needle)))
}

fn names_model(said: &Said) -> bool {
    let message = said.message.to_lowercase();
    message.contains("model") && !message.contains("unknown path")
}

/// What the provider said, with what to do where its own words do not tell.
pub(super) fn advice(class: Class, said: &Said) -> String {
    let message = said.message.trim();
    if said.words.iter().any(|word| word == "model_terms_required") {
        let page =
            message.split_whitespace().find(|word| word.starts_with("https://")).unwrap_or("the provider's console");
        return format!(
            "This model's terms must be accepted once, by an administrator of the account. Open {page} and accept them."
        );
    }
    if class == Class::Auth && message.contains("error code: 10") {
        return format!(
            "The provider's gate refused this connection ({message}). A proxy, a VPN or the region may be the reason."
        );
    }
    message.to_owned()
}
