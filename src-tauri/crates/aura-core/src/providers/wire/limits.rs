//! What is left of the provider's allowance, as its headers tell after every call.

use reqwest::header::HeaderMap;

use super::delay;
use crate::providers::RateLimit;

/// Reads the `x-ratelimit-*` headers; `None` when the provider sends none.
pub(crate) fn read(headers: &HeaderMap) -> Option<RateLimit> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |name: &str| text(name).and_then(|value| value.parse::<f64>().ok()).map(|value| value as u32);
    let seconds = |name: &str| text(name).and_then(delay::go_duration).map(|reset| reset.as_secs_f32());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::wire::{errors, recorded};

    /// Others spend from the same allowance; what is left is what the headers say, never a count of our own.
    #[test]
    fn trap_16_what_is_left_is_what_the_headers_say() {
        let limit = read(&recorded::head("groq_headers_ok.txt").1).unwrap();
        assert_eq!((limit.requests, limit.requests_left, limit.tokens_left), (Some(1000), Some(998), Some(7927)));
        assert_eq!((limit.requests_reset_s, limit.tokens_reset_s), (Some(172.8), Some(0.547)));
        let limit = read(&recorded::head("groq_headers_stt.txt").1).unwrap();
        assert_eq!(
            (limit.audio_seconds, limit.audio_seconds_left, limit.audio_seconds_reset_s),
            (Some(7200), Some(7190), Some(5.0))
        );
        assert_eq!(read(&recorded::head("gemini_headers_stream.txt").1), None);
        // Whoever used it up: a refusal tells as well.
        let (status, headers) = recorded::head("groq_headers_429.txt");
        let refused = errors::failure(status, &headers, &recorded::text("groq_error_429_tpm.json"));
        assert_eq!(refused.rate_limit.unwrap().tokens_left, Some(0));
    }
}
