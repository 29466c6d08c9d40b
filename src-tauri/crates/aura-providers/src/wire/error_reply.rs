//! Turns an error reply of any provider into a [`Failure`].

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::error_body::{self, ErrorBody};
use super::{classify, rate_limit, retry_after as delay};
use crate::redact::shorten;
use crate::types::{Failure, FailureKind};

/// The failure for a reply with an error status.
pub(crate) fn failure(status: u16, headers: &HeaderMap, body: &str) -> Failure {
    failure_at(status, headers, body, Timestamp::now())
}

fn failure_at(status: u16, headers: &HeaderMap, body: &str, now: Timestamp) -> Failure {
    let error = error_body::parse(body, status);
    let kind = classify::key_or_access(classify::by_status(status, &error), Some(status), &error);
    let message = shorten(&classify::message(kind, &error));
    Failure {
        status: Some(status),
        retry_after: retry_after(kind, &error, headers, now),
        detail: classify::detail(kind, &error),
        rate_limit: rate_limit::read(headers).map(Box::new),
        ..Failure::new(kind, message)
    }
}

/// The failure inside a reply with status 200, if it contains one.
pub(crate) fn in_success(value: &Value) -> Option<Failure> {
    in_success_at(value, Timestamp::now())
}

fn in_success_at(value: &Value, now: Timestamp) -> Option<Failure> {
    let value = error_body::unwrap_list(value);
    let field = value.get("error").filter(|field| !field.is_null() && **field != Value::Bool(false))?;
    if field.as_str().is_some_and(str::is_empty) {
        return None;
    }
    let error = error_body::parse_value(value);
    let kind = match error.status {
        Some(status) if status >= 400 => classify::by_status(status, &error),
        _ => classify::by_phrases(&error),
    };
    let kind = classify::key_or_access(kind, error.status, &error);
    let message = shorten(&classify::message(kind, &error));
    Some(Failure {
        status: error.status,
        retry_after: retry_after(kind, &error, &HeaderMap::new(), now),
        detail: classify::detail(kind, &error),
        ..Failure::new(kind, message)
    })
}

/// How long to wait before the next call, from wherever the reply says it.
fn retry_after(kind: FailureKind, error: &ErrorBody, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    match kind {
        // Google's retryDelay refers to the minute even when the quota of the day is used up.
        FailureKind::Quota if error.is_google && !error.quotas.is_empty() => delay::until_pacific_midnight(now),
        FailureKind::RateLimited | FailureKind::Quota | FailureKind::Overloaded => {
            delay::retry_after(headers, now)
                .or(error.retry_delay)
                .or_else(|| delay::in_text(&error.message))
                .or_else(|| if kind == FailureKind::Overloaded { None } else { delay::reset(headers) })
                // A Google limit without details is one per minute; ten seconds is where Google's own retry examples start.
                .or(if kind == FailureKind::RateLimited && error.is_google {
                    Some(Duration::from_secs(10))
                } else {
                    None
                })
        }
        _ => None,
    }
}

/// A failure of a stream that has begun. After content it is an interruption, unless a content filter blocked the answer.
pub(crate) fn mid_stream(mut failure: Failure, content: bool) -> Failure {
    if content && failure.kind != FailureKind::Blocked {
        failure.kind = FailureKind::Interrupted;
    }
    failure
}

/// The failure for a stream or body that ended early.
pub(crate) fn interrupted(content: bool, message: impl Into<String>) -> Failure {
    Failure::new(if content { FailureKind::Interrupted } else { FailureKind::Unreachable }, message)
}

/// The failure for a streamed answer whose connection closed before its end.
pub(crate) fn broken_off(content: bool) -> Failure {
    interrupted(content, if content { "The answer broke off." } else { "The connection closed before an answer came." })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FailureDetail;
    use crate::wire::recorded;

    fn of(name: &str, status: u16) -> Failure {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        failure_at(status, &HeaderMap::new(), &recorded::text(name), now)
    }

    /// 400 `model_decommissioned` or 404 `model_not_found`.
    #[test]
    fn trap_08_a_retired_model_is_reported_in_two_ways() {
        for (name, status) in [("groq_error_400_model_decommissioned.json", 400), ("groq_error_404_model.json", 404)] {
            let failure = of(name, status);
            assert_eq!((failure.kind, failure.detail), (FailureKind::ModelGone, None), "{name}");
        }
    }

    #[test]
    fn a_model_that_the_account_may_not_use_differs_from_a_retired_one() {
        for (name, status) in
            [("groq_error_400_model_terms_required.json", 400), ("groq_error_403_model_blocked.json", 403)]
        {
            let failure = of(name, status);
            assert_eq!(
                (failure.kind, failure.detail),
                (FailureKind::ModelGone, Some(FailureDetail::NotEntitled)),
                "{name}"
            );
        }
        let terms = of("groq_error_400_model_terms_required.json", 400).message;
        assert!(terms.contains("https://") && terms.contains("accept"), "{terms}");
    }

    /// Gemini replies 400, not 401, to an invalid or expired key.
    #[test]
    fn trap_19_gemini_rejects_a_key_with_status_400() {
        for name in ["gemini_error_400_key.json", "gemini_error_400_key_expired.json"] {
            assert_eq!(of(name, 400).kind, FailureKind::KeyRejected, "{name}");
        }
        assert_ne!(
            of("gemini_error_400_location.json", 400).kind,
            FailureKind::KeyRejected,
            "not every 400 is about the key"
        );
    }

    /// The status is part of the file name.
    #[test]
    fn every_recorded_error_has_its_kind() {
        use FailureKind::*;
        let expected = [
            ("fastapi_error_404.json", ModelGone),
            ("fastapi_error_422.json", InvalidRequest),
            ("gemini_error_400_key.json", KeyRejected),
            ("gemini_error_400_key_expired.json", KeyRejected),
            ("gemini_error_400_location.json", Unsupported),
            ("gemini_error_400_modalities.json", Unsupported),
            ("gemini_error_400_thinking_level.json", Unsupported),
            ("gemini_error_400_tts_system_instruction.json", Unsupported),
            ("gemini_error_400_unknown_field.json", Unsupported),
            ("gemini_error_403.json", Forbidden),
            ("gemini_error_404_model.json", ModelGone),
            ("gemini_error_404_new_users.json", ModelGone),
            ("gemini_error_429.json", RateLimited),
            ("gemini_error_429_bare.json", RateLimited),
            ("gemini_error_429_day.json", Quota),
            ("gemini_error_500.json", Overloaded),
            ("gemini_error_503.json", Overloaded),
            ("gemini_error_504.json", Overloaded),
            ("groq_error_400_audio_too_short.json", InvalidRequest),
            ("groq_error_400_invalid_media.json", Unsupported),
            ("groq_error_400_model_decommissioned.json", ModelGone),
            ("groq_error_400_model_terms_required.json", ModelGone),
            ("groq_error_400_too_many_images.json", Unsupported),
            ("groq_error_400_tool_use_failed.json", Empty),
            ("groq_error_400_tts_format.json", Unsupported),
            ("groq_error_400_tts_no_letters.json", InvalidRequest),
            ("groq_error_401.json", KeyRejected),
            ("groq_error_403_cloudflare_1010.txt", Forbidden),
            ("groq_error_403_model_blocked.json", ModelGone),
            ("groq_error_404_model.json", ModelGone),
            ("groq_error_413_body.json", Unsupported),
            ("groq_error_413_tpm.json", Unsupported),
            ("groq_error_422.json", InvalidRequest),
            ("groq_error_424.json", Unsupported),
            ("groq_error_429_ash.json", RateLimited),
            ("groq_error_429_rpd.json", Quota),
            ("groq_error_429_tpm.json", RateLimited),
            ("groq_error_498_flex.json", Overloaded),
            ("groq_error_500.json", Overloaded),
            ("groq_error_502.html", Overloaded),
            ("groq_error_503.json", Overloaded),
            ("kokoro_error_400.json", ModelGone),
            ("llamacpp_error_400_context.json", Unsupported),
            ("llamacpp_error_401.json", KeyRejected),
            ("llamacpp_error_503_loading.json", Overloaded),
            ("ollama_error_400_image_url.json", Unsupported),
            ("ollama_error_404.json", ModelGone),
            ("openai_error_401.json", KeyRejected),
            ("openai_error_404.json", ModelGone),
            ("openai_error_429_quota.json", Quota),
            ("openai_error_429_rate.json", RateLimited),
            ("openrouter_error_400_upstream.json", Unsupported),
            ("openrouter_error_402.json", Quota),
            ("vllm_error_404.json", ModelGone),
            ("vllm_error_404_old_flat.json", ModelGone),
            ("whispercpp_error_400.json", InvalidRequest),
            ("whispercpp_health_503.json", Overloaded),
        ];
        for (name, kind) in expected {
            let status =
                name.split(['_', '.']).find_map(|part| part.parse().ok().filter(|status| *status >= 400)).unwrap();
            let failure = of(name, status);
            assert_eq!(failure.kind, kind, "{name}: {failure:?}");
            assert!(
                !failure.message.is_empty() && !failure.message.contains(['{', '<', '\n']),
                "{name}: {}",
                failure.message
            );
            assert_eq!(failure.status, Some(status));
        }
        let recorded = recorded::all("")
            .into_iter()
            .filter(|(name, _)| name.contains("_error_4") || name.contains("_error_5"))
            .count();
        assert_eq!(
            expected.iter().filter(|(name, _)| name.contains("_error_")).count(),
            recorded,
            "a recorded error has no expected kind"
        );
    }

    /// 413 with `rate_limit_exceeded`: one request exceeds the tokens per minute, so waiting is useless. 429 with the same code: wait.
    #[test]
    fn trap_06_the_same_code_means_wait_or_do_not_wait() {
        for (name, status, kind, waits) in [
            ("groq_error_413_tpm.json", 413, FailureKind::Unsupported, false),
            ("groq_error_429_tpm.json", 429, FailureKind::RateLimited, true),
        ] {
            assert!(recorded::text(name).contains("rate_limit_exceeded"), "{name}");
            let failure = of(name, status);
            assert_eq!((failure.kind, failure.retry_after.is_some()), (kind, waits), "{name}");
        }
    }

    /// A limit per minute, per day, or without details.
    #[test]
    fn trap_20_google_sends_the_retry_delay_in_the_body() {
        let delay_of = |name| (of(name, 429).kind, of(name, 429).retry_after);
        assert_eq!(delay_of("gemini_error_429.json"), (FailureKind::RateLimited, Some(Duration::from_secs(36))));
        assert_eq!(delay_of("gemini_error_429_bare.json"), (FailureKind::RateLimited, Some(Duration::from_secs(10))));
        // A daily limit resets at midnight in California, 20 hours away; the retryDelay of 36 s that comes with it is wrong.
        let day = (FailureKind::Quota, Some(Duration::from_secs(20 * 3600)));
        assert_eq!(delay_of("gemini_error_429_day.json"), day);
        let inside =
            in_success_at(&recorded::json("gemini_error_429_day.json"), "2026-11-22T12:00:00Z".parse().unwrap());
        let inside = inside.unwrap();
        assert_eq!((inside.kind, inside.retry_after), day, "a daily limit inside a success");
    }

    #[test]
    fn the_retry_delay_comes_from_headers_or_message() {
        assert_eq!(of("groq_error_429_tpm.json", 429).retry_after.unwrap().as_millis(), 2032);
        assert_eq!(of("groq_error_429_rpd.json", 429).retry_after, Some(Duration::from_secs(864)));
        let (status, headers) = recorded::head("groq_headers_429.txt");
        let failure = failure(status, &headers, &recorded::text("groq_error_429_tpm.json"));
        assert_eq!(failure.retry_after, Some(Duration::from_secs(3)));
    }

    #[test]
    fn messages_are_found_in_every_format() {
        for (name, status, message) in [
            ("groq_error_502.html", 502, "502 Bad Gateway"),
            ("groq_error_403_cloudflare_1010.txt", 403, "error code: 1010"),
            ("fastapi_error_422.json", 422, "Field required"),
            ("kokoro_error_400.json", 400, "Unsupported model: nope"),
            ("whispercpp_error_400.json", 400, "no 'file' field"),
            ("openrouter_error_400_upstream.json", 400, "could not process file"),
            ("whispercpp_health_503.json", 503, "loading model"),
            ("groq_error_400_model_terms_required.json", 400, "accept"),
        ] {
            let failure = of(name, status);
            assert!(failure.message.contains(message), "{name}: {}", failure.message);
        }
        let empty = failure(502, &HeaderMap::new(), "");
        assert_eq!((empty.kind, empty.message.as_str()), (FailureKind::Overloaded, "HTTP 502: Bad Gateway"));
        assert_eq!(failure(429, &HeaderMap::new(), "{\"error\":null}").kind, FailureKind::RateLimited);
        assert_eq!(failure(529, &HeaderMap::new(), "[]").kind, FailureKind::Overloaded);
    }

    #[test]
    fn an_error_in_a_list_of_one_is_unwrapped() {
        let failure = failure(503, &HeaderMap::new(), &recorded::text("gemini_stream_array_error.json"));
        assert!(failure.message.contains("high demand"), "{failure:?}");
        let failure = in_success(&recorded::json("gemini_stream_array_error.json")).unwrap();
        assert_eq!((failure.kind, failure.status), (FailureKind::Overloaded, Some(503)));
    }

    #[test]
    fn an_error_inside_a_success_is_found() {
        let failure = in_success(&recorded::json("lmstudio_200_unexpected_endpoint.json")).unwrap();
        assert_eq!(failure.kind, FailureKind::Unsupported);
        assert!(failure.message.starts_with("Unexpected endpoint"));
        assert_eq!(in_success(&recorded::json("groq_chat.json")), None);
        assert_eq!(in_success(&serde_json::json!({"error": null, "text": "x"})), None);
    }

    #[test]
    fn messages_are_short_and_contain_no_url_query() {
        let body = serde_json::json!({"error": {"message": format!("see https://a.example/x?key=SECRET {}", "é".repeat(900))}});
        let failure = failure(400, &HeaderMap::new(), &body.to_string());
        assert!(!failure.message.contains("SECRET"));
        assert!(failure.message.chars().count() <= 300);
    }

    #[test]
    fn after_content_a_failure_is_an_interruption() {
        let failure = |kind| Failure::new(kind, "x");
        assert_eq!(mid_stream(failure(FailureKind::Overloaded), true).kind, FailureKind::Interrupted);
        assert_eq!(mid_stream(failure(FailureKind::Overloaded), false).kind, FailureKind::Overloaded);
        assert_eq!(mid_stream(failure(FailureKind::Blocked), true).kind, FailureKind::Blocked);
    }

    fn kind_of(status: u16, code: &str, message: &str) -> FailureKind {
        let body = serde_json::json!({ "error": { "message": message, "code": code } });
        failure(status, &HeaderMap::new(), &body.to_string()).kind
    }

    #[test]
    fn only_a_refusal_that_names_the_key_rejects_the_key() {
        for (status, code, message, expected) in [
            (401, "", "", FailureKind::KeyRejected),
            (401, "", "Something else entirely.", FailureKind::KeyRejected),
            (400, "API_KEY_INVALID", "API key not valid. Please pass a valid API key.", FailureKind::KeyRejected),
            (
                403,
                "PERMISSION_DENIED",
                "Your API key was reported as leaked. Please use another API key.",
                FailureKind::KeyRejected,
            ),
            (403, "", "error code: 1010", FailureKind::Forbidden),
            (403, "", "The provider's gateway refused this connection (error code: 1010).", FailureKind::Forbidden),
            (
                403,
                "invalid_request_error",
                "Missing scopes: api.model.read. If you use a restricted API key, check its scopes.",
                FailureKind::Forbidden,
            ),
            (503, "", "invalid key", FailureKind::Overloaded),
        ] {
            assert_eq!(kind_of(status, code, message), expected, "{status} {message}");
        }
        let page = failure(403, &HeaderMap::new(), "error code: 1010");
        assert_eq!(page.kind, FailureKind::Forbidden, "a plain-text body");
    }

    /// Other programs use the same account, so only the headers say what is left, never a count of our own.
    #[test]
    fn trap_16_rate_limits_come_from_the_headers() {
        let limit = rate_limit::read(&recorded::head("groq_headers_ok.txt").1).unwrap();
        assert_eq!((limit.requests, limit.requests_left, limit.tokens_left), (Some(1000), Some(998), Some(7927)));
        assert_eq!((limit.requests_reset_s, limit.tokens_reset_s), (Some(172.8), Some(0.547)));
        let limit = rate_limit::read(&recorded::head("groq_headers_stt.txt").1).unwrap();
        assert_eq!(
            (limit.audio_seconds, limit.audio_seconds_left, limit.audio_seconds_reset_s),
            (Some(7200), Some(7190), Some(5.0))
        );
        assert_eq!(rate_limit::read(&recorded::head("gemini_headers_stream.txt").1), None);
        // A refusal reports them as well.
        let (status, headers) = recorded::head("groq_headers_429.txt");
        let refused = failure(status, &headers, &recorded::text("groq_error_429_tpm.json"));
        assert_eq!(refused.rate_limit.unwrap().tokens_left, Some(0));
    }
}
