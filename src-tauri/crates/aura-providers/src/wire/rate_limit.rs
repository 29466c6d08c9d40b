//! The `x-ratelimit-*` headers of a reply.

use reqwest::header::HeaderMap;

use super::retry_after;
use crate::types::RateLimit;

/// Reads the rate limits; `None` when the provider sends none.
pub(crate) fn read(headers: &HeaderMap) -> Option<RateLimit> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |name: &str| text(name).and_then(|value| value.parse::<f64>().ok()).map(|value| value as u32);
    let seconds = |name: &str| text(name).and_then(retry_after::go_duration).map(|reset| reset.as_secs_f32());
    let limit = RateLimit {
        requests: number("x-ratelimit-limit-requests"),
        requests_left: number("x-ratelimit-remaining-requests"),
        requests_reset_s: seconds("x-ratelimit-reset-requests"),
        tokens: number("x-ratelimit-limit-tokens"),
        tokens_left: number("x-ratelimit-remaining-tokens"),
        tokens_reset_s: seconds("x-ratelimit-reset-tokens"),
        audio_seconds: number("x-ratelimit-limit-audio-seconds"),
        audio_seconds_left: number("x-ratelimit-remaining-audio-seconds"),
        audio_seconds_reset_s: seconds("x-ratelimit-reset-audio-seconds"),
    };
    (limit != RateLimit::default()).then_some(limit)
}
