//! Rate-limit headers of successful replies.

use super::errors;
use crate::http_reply::HttpReply;
use crate::request::RequestContext;

/// Adds the request id and the request limits, which every successful reply has.
pub(super) fn with_rate_limit_headers(context: &RequestContext, reply: HttpReply) -> HttpReply {
    let used = context.record.id();
    reply
        .with_header("x-request-id", errors::request_id(context.record.id()))
        .with_header("x-ratelimit-limit-requests", "1000")
        .with_header("x-ratelimit-remaining-requests", 1000u64.saturating_sub(used).to_string())
        .with_header("x-ratelimit-reset-requests", "2m52.8s")
}

/// Adds the request id, the request limits and the token limits.
pub(super) fn with_token_limit_headers(context: &RequestContext, reply: HttpReply) -> HttpReply {
    with_rate_limit_headers(context, reply)
        .with_header("x-ratelimit-limit-tokens", "8000")
        .with_header("x-ratelimit-remaining-tokens", "7927")
        .with_header("x-ratelimit-reset-tokens", "547ms")
}
