//! What an error reply says, whichever dialect it speaks: OpenAI's, Google's, FastAPI's, plain text or a proxy's HTML.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::{delay, limits, verdict};
use crate::providers::{Class, Failure};

/// The longest message that is kept, in characters.
const MAX_MESSAGE: usize = 300;
/// How much of a body that is no JSON is worth showing.
const MAX_TEXT: usize = 200;

/// An error in the words of the provider.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The sentence.
    pub(super) message: String,
    /// Every machine-readable word, lower case: code, type, status and reasons.
    pub(super) words: Vec<String>,
    /// A status inside the body.
    pub(super) status: Option<u16>,
    /// Which quotas Google says are used up.
    pub(super) quotas: Vec<String>,
    /// Google's `RetryInfo`.
    pub(super) retry: Option<Duration>,
    /// Whether this is a `google.rpc` status.
    pub(super) google: bool,
}

/// The failure of a reply whose status is no success.
pub(crate) fn failure(status: u16, headers: &HeaderMap, body: &str) -> Failure {
    failure_at(status, headers, body, Timestamp::now())
}

fn failure_at(status: u16, headers: &HeaderMap, body: &str, now: Timestamp) -> Failure {
    let said = read(body, status);
    let class = verdict::of_status(status, &said);
    let message = shorten(&verdict::advice(class, &said));
    Failure {
        status: Some(status),
        retry_after: wait(class, &said, headers, now),
        not_offered: verdict::is_not_offered(class, &said),
        rate_limit: limits::read(headers).map(Box::new),
        ..Failure::new(class, message)
    }
}

/// The failure that arrived inside a reply with status 200.
pub(crate) fn in_success(value: &Value) -> Option<Failure> {
    in_success_at(value, Timestamp::now())
}

fn in_success_at(value: &Value, now: Timestamp) -> Option<Failure> {
    let value = unwrap_list(value);
    let error = value.get("error").filter(|error| !error.is_null() && **error != Value::Bool(false))?;
    if error.as_str().is_some_and(str::is_empty) {
        return None;
    }
    let said = read_value(value);
    let class = match said.status {
        Some(status) if status >= 400 => verdict::of_status(status, &said),
        _ => verdict::of_words(&said),
    };
    let retry_after = wait(class, &said, &HeaderMap::new(), now);
    let message = shorten(&verdict::advice(class, &said));
    Some(Failure {
        status: said.status,
        retry_after,
        not_offered: verdict::is_not_offered(class, &said),
        ..Failure::new(class, message)
    })
}

/// How long to leave the route alone.
fn wait(class: Class, said: &Said, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    match class {
        // Google's retryDelay is about the minute even when the day is used up.
        Class::Quota if said.google && !said.quotas.is_empty() => delay::until_pacific_midnight(now),
        Class::RateLimited | Class::Quota | Class::Overloaded => delay::retry_after(headers, now)
            .or(said.retry)
            .or_else(|| delay::in_text(&said.message))
            .or_else(|| if class == Class::Overloaded { None } else { delay::reset(headers) })
            // A Google limit without any detail is one per minute; ten seconds is what its own examples start with.
            .or(if class == Class::RateLimited && said.google { Some(Duration::from_secs(10)) } else { None }),
        _ => None,
    }
}

/// A failure of a stream that has begun: after content it is an interruption whatever the reason, except a refusal.
pub(crate) fn mid_stream(mut failure: Failure, content: bool) -> Failure {
    if content && failure.class != Class::Blocked {
        failure.class = Class::Interrupted;
    }
    failure
}

/// A stream or body that broke off.
pub(crate) fn broken(content: bool, message: impl Into<String>) -> Failure {
    Failure::new(if content { Class::Interrupted } else { Class::Unreachable }, message)
}

/// One line of at most 300 characters, without the queries of the addresses in it.
pub(crate) fn shorten(message: &str) -> String {
    let mut text = String::new();
    for word in message.split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        match word.split_once('?') {
            Some((address, _)) if address.contains("://") => text.push_str(address),
            _ => text.push_str(word),
        }
    }
    cut(&text, MAX_MESSAGE)
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}

/// Reads a body of any kind.
fn read(body: &str, status: u16) -> Said {
    let mut said = match serde_json::from_str::<Value>(body) {
        Ok(value) => read_value(unwrap_list(&value)),
        Err(_) => Said { message: plain(body), ..Said::default() },
    };
    if said.message.is_empty() {
        let reason =
            StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("no reason given");
        said.message = format!("HTTP {status}: {reason}");
    }
    said
}

/// Google wraps some errors in a list of one.
fn unwrap_list(value: &Value) -> &Value {
    match value {
        Value::Array(list) if list.len() == 1 => &list[0],
        _ => value,
    }
}

fn read_value(value: &Value) -> Said {
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

    let mut said = Said { message: message.map(str::to_owned).unwrap_or_default(), ..Said::default() };
    if said.message.is_empty() && (error.is_object() || detail.is_array()) {
        said.message = cut(&value.to_string(), MAX_TEXT);
    }
    for holder in [error, detail, value] {
        for name in ["code", "type", "status", "error", "reason"] {
            match &holder[name] {
                Value::String(word) => said.words.push(word.to_lowercase()),
                Value::Number(number) if name == "code" => {
                    said.status = said.status.or_else(|| status_of(number.as_u64()))
                }
                _ => {}
            }
        }
    }
    said.status = status_of(error["status_code"].as_u64()).or(said.status);
    said.google = error["status"].is_string();
    read_google(&mut said, &error["details"]);
    read_upstream(&mut said, &error["metadata"]);
    said
}

fn status_of(number: Option<u64>) -> Option<u16> {
    number.and_then(|number| u16::try_from(number).ok()).filter(|status| (100..600).contains(status))
}

fn read_google(said: &mut Said, details: &Value) {
    for detail in details.as_array().into_iter().flatten() {
        if let Some(reason) = detail["reason"].as_str() {
            said.words.push(reason.to_lowercase());
        }
        if let Some(text) = detail["retryDelay"].as_str() {
            said.retry = delay::go_duration(text);
        }
        for violation in detail["violations"].as_array().into_iter().flatten() {
            said.quotas.extend(violation["quotaId"].as_str().map(str::to_owned));
        }
    }
}

/// OpenRouter hides what the real provider said in a string of JSON.
fn read_upstream(said: &mut Said, metadata: &Value) {
    if metadata["reasons"].is_array() {
        said.words.push("flagged".to_owned());
    }
    if let Some(raw) = metadata["raw"].as_str() {
        let inner = match serde_json::from_str::<Value>(raw) {
            Ok(value) => read_value(unwrap_list(&value)),
            Err(_) => Said { message: plain(raw), ..Said::default() },
        };
        if !inner.message.is_empty() {
            said.message = format!("{}: {}", said.message, inner.message);
        }
        said.words.extend(inner.words);
    }
}

/// The words of a text body; of an HTML page only its title or heading.
fn plain(body: &str) -> String {
    let body = body.trim();
    if !body.starts_with('<') {
        return cut(body, MAX_TEXT);
    }
    let lower = body.to_ascii_lowercase();
    ["title", "h1", "h2"]
        .into_iter()
        .find_map(|tag| {
            let start = lower.find(&format!("<{tag}>"))? + tag.len() + 2;
            let end = start + lower[start..].find(&format!("</{tag}>"))?;
            let text = body[start..end].trim();
            (!text.is_empty()).then(|| cut(text, MAX_TEXT))
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::wire::recorded;

    fn of(name: &str, status: u16) -> Failure {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        failure_at(status, &HeaderMap::new(), &recorded::text(name), now)
    }

    /// 400 `model_decommissioned` or 404 `model_not_found`. What the person hears of it is in `tests/traps`.
    #[test]
    fn trap_08_a_retired_model_is_told_in_two_ways() {
        for (name, status) in [("groq_error_400_model_decommissioned.json", 400), ("groq_error_404_model.json", 404)] {
            let failure = of(name, status);
            assert_eq!((failure.class, failure.not_offered), (Class::ModelGone, false), "{name}");
        }
    }

    /// The key is fine, and so is the model: the person can do something about it, and is told what.
    #[test]
    fn a_model_that_is_not_for_this_account_is_told_apart_from_a_retired_one() {
        for (name, status) in
            [("groq_error_400_model_terms_required.json", 400), ("groq_error_403_model_blocked.json", 403)]
        {
            let failure = of(name, status);
            assert_eq!((failure.class, failure.not_offered), (Class::ModelGone, true), "{name}");
        }
        let terms = of("groq_error_400_model_terms_required.json", 400).message;
        assert!(terms.contains("https://") && terms.contains("accept"), "{terms}");
    }

    /// Not a 401, and neither is an expired one.
    #[test]
    fn trap_19_a_bad_key_of_geminis_is_a_400() {
        for name in ["gemini_error_400_key.json", "gemini_error_400_key_expired.json"] {
            assert_eq!(of(name, 400).class, Class::Auth, "{name}");
        }
        assert_ne!(of("gemini_error_400_location.json", 400).class, Class::Auth, "not every 400 is about the key");
    }

    /// The class of every recorded error; the status is in its name.
    #[test]
    fn every_recorded_error_has_its_class() {
        use Class::*;
        let expected = [
            ("fastapi_error_404.json", ModelGone),
            ("fastapi_error_422.json", InvalidRequest),
            ("gemini_error_400_key.json", Auth),
            ("gemini_error_400_key_expired.json", Auth),
            ("gemini_error_400_location.json", Unsupported),
            ("gemini_error_400_modalities.json", Unsupported),
            ("gemini_error_400_thinking_level.json", Unsupported),
            ("gemini_error_400_tts_system_instruction.json", Unsupported),
            ("gemini_error_400_unknown_field.json", Unsupported),
            ("gemini_error_403.json", Auth),
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
            ("groq_error_401.json", Auth),
            ("groq_error_403_cloudflare_1010.txt", Auth),
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
            ("llamacpp_error_401.json", Auth),
            ("llamacpp_error_503_loading.json", Overloaded),
            ("ollama_error_400_image_url.json", Unsupported),
            ("ollama_error_404.json", ModelGone),
            ("openai_error_401.json", Auth),
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
        for (name, class) in expected {
            let status =
                name.split(['_', '.']).find_map(|part| part.parse().ok().filter(|status| *status >= 400)).unwrap();
            let failure = of(name, status);
            assert_eq!(failure.class, class, "{name}: {failure:?}");
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
            "an error file has no expectation"
        );
    }

    /// 413 with `rate_limit_exceeded` is one request that is larger than a minute's allowance; 429 with the same code is waited out.
    #[test]
    fn trap_06_the_same_code_is_waited_out_or_not() {
        for (name, status, class, waits) in [
            ("groq_error_413_tpm.json", 413, Class::Unsupported, false),
            ("groq_error_429_tpm.json", 429, Class::RateLimited, true),
        ] {
            assert!(recorded::text(name).contains("rate_limit_exceeded"), "{name}");
            let failure = of(name, status);
            assert_eq!((failure.class, failure.retry_after.is_some()), (class, waits), "{name}");
        }
    }

    /// By the day or by the minute, or without a word about it.
    #[test]
    fn trap_20_google_tells_the_wait_in_the_body() {
        let told = |name| (of(name, 429).class, of(name, 429).retry_after);
        assert_eq!(told("gemini_error_429.json"), (Class::RateLimited, Some(Duration::from_secs(36))));
        assert_eq!(told("gemini_error_429_bare.json"), (Class::RateLimited, Some(Duration::from_secs(10))));
        // The daily limit's retryDelay of 36 s is a lie; midnight in California is 20 hours away.
        let day = (Class::Quota, Some(Duration::from_secs(20 * 3600)));
        assert_eq!(told("gemini_error_429_day.json"), day);
        let inside =
            in_success_at(&recorded::json("gemini_error_429_day.json"), "2026-11-22T12:00:00Z".parse().unwrap());
        let inside = inside.unwrap();
        assert_eq!((inside.class, inside.retry_after), day, "the same inside a success");
    }

    #[test]
    fn waits_come_from_where_they_are_told() {
        assert_eq!(of("groq_error_429_tpm.json", 429).retry_after.unwrap().as_millis(), 2032);
        assert_eq!(of("groq_error_429_rpd.json", 429).retry_after, Some(Duration::from_secs(864)));
        let (status, headers) = recorded::head("groq_headers_429.txt");
        let failure = failure(status, &headers, &recorded::text("groq_error_429_tpm.json"));
        assert_eq!(failure.retry_after, Some(Duration::from_secs(3)));
    }

    #[test]
    fn messages_are_found_in_every_dialect() {
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
        assert_eq!((empty.class, empty.message.as_str()), (Class::Overloaded, "HTTP 502: Bad Gateway"));
        assert_eq!(failure(429, &HeaderMap::new(), "{\"error\":null}").class, Class::RateLimited);
        assert_eq!(failure(529, &HeaderMap::new(), "[]").class, Class::Overloaded);
    }

    #[test]
    fn a_list_of_one_is_unwrapped() {
        let failure = failure(503, &HeaderMap::new(), &recorded::text("gemini_stream_array_error.json"));
        assert!(failure.message.contains("high demand"), "{failure:?}");
        let failure = in_success(&recorded::json("gemini_stream_array_error.json")).unwrap();
        assert_eq!((failure.class, failure.status), (Class::Overloaded, Some(503)));
    }

    #[test]
    fn an_error_inside_a_success_is_seen() {
        let failure = in_success(&recorded::json("lmstudio_200_unexpected_endpoint.json")).unwrap();
        assert_eq!(failure.class, Class::Unsupported);
        assert!(failure.message.starts_with("Unexpected endpoint"));
        assert_eq!(in_success(&recorded::json("groq_chat.json")), None);
        assert_eq!(in_success(&serde_json::json!({"error": null, "text": "x"})), None);
    }

    #[test]
    fn messages_are_short_and_hold_no_query() {
        let body = serde_json::json!({"error": {"message": format!("see https://a.example/x?key=SECRET {}", "é".repeat(900))}});
        let failure = failure(400, &HeaderMap::new(), &body.to_string());
        assert!(!failure.message.contains("SECRET"));
        assert!(failure.message.chars().count() <= 300);
    }

    #[test]
    fn content_turns_a_failure_into_an_interruption() {
        let failure = |class| Failure::new(class, "x");
        assert_eq!(mid_stream(failure(Class::Overloaded), true).class, Class::Interrupted);
        assert_eq!(mid_stream(failure(Class::Overloaded), false).class, Class::Overloaded);
        assert_eq!(mid_stream(failure(Class::Blocked), true).class, Class::Blocked);
    }
}
