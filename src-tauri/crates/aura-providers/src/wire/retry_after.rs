//! Parses how long to wait before the next call, in the formats that providers use.

use std::time::Duration;

use jiff::{Timestamp, ToSpan, Zoned, tz::TimeZone};
use reqwest::header::HeaderMap;

/// Longer delays are ignored as implausible, in seconds: 31 days.
const MAX_DELAY: f64 = 31.0 * 24.0 * 3600.0;

/// A Go duration: `547ms`, `2.0325s`, `1m23.45s`, `1h30m`.
pub(crate) fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        seconds += number
            * match &rest[..letters] {
                "d" => 86_400.0,
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[letters..];
    }
    from_seconds(seconds)
}

/// `retry-after-ms`, or `retry-after` as seconds (a fraction is allowed), as a Go duration, or as an HTTP date.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(milliseconds) = text("retry-after-ms").and_then(|value| value.parse::<f64>().ok()) {
        return from_seconds(milliseconds / 1000.0);
    }
    let value = text("retry-after")?;
    if let Ok(seconds) = value.parse::<f64>() {
        return from_seconds(seconds);
    }
    if let Some(duration) = go_duration(value) {
        return Some(duration);
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    from_seconds((date - now).total(jiff::Unit::Second).ok()?.max(0.0))
}

/// The time until the exhausted limit resets, from the `x-ratelimit-*` headers; of several the longest.
pub(crate) fn reset(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: String| headers.get(name).and_then(|value| value.to_str().ok());
    ["requests", "tokens", "audio-seconds"]
        .into_iter()
        .filter(|what| text(format!("x-ratelimit-remaining-{what}")).is_some_and(|left| left.trim().parse() == Ok(0.0)))
        .filter_map(|what| go_duration(text(format!("x-ratelimit-reset-{what}"))?))
        .max()
}

/// A delay in a message, such as `Please try again in 1m23.45s`.
pub(crate) fn in_text(message: &str) -> Option<Duration> {
    let lower = message.to_lowercase();
    let start = ["try again in ", "retry in ", "retry after "]
        .iter()
        .find_map(|words| lower.find(words).map(|at| at + words.len()))?;
    let mut words = lower[start..].split_whitespace();
    let first = words.next()?.trim_end_matches(['.', ',', ';', ')']);
    if let Some(duration) = go_duration(first) {
        return Some(duration);
    }
    let number: f64 = first.parse().ok()?;
    let unit = words.next().unwrap_or_default();
    let scale = match unit {
        _ if unit.starts_with("ms") || unit.starts_with("milli") => 1e-3,
        _ if unit.starts_with("min") => 60.0,
        _ if unit.starts_with("hour") => 3600.0,
        _ => 1.0,
    };
    from_seconds(number * scale)
}

/// The time until the next midnight in California, when Gemini's daily quotas reset.
pub(crate) fn until_pacific_midnight(now: Timestamp) -> Option<Duration> {
    // Without a time zone database, the winter offset is at most an hour late.
    let zone = TimeZone::get("America/Los_Angeles").unwrap_or_else(|_| TimeZone::fixed(jiff::tz::offset(-8)));
    let here: Zoned = now.to_zoned(zone);
    let midnight = here.start_of_day().ok()?.checked_add(1.day()).ok()?;
    from_seconds((midnight.timestamp() - now).total(jiff::Unit::Second).ok()?)
}

fn from_seconds(seconds: f64) -> Option<Duration> {
    (seconds.is_finite() && (0.0..=MAX_DELAY).contains(&seconds)).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Option<Duration> {
        Some(Duration::from_millis(milliseconds))
    }

    fn header(name: &'static str, value: &'static str) -> HeaderMap {
        [(name.parse().unwrap(), value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn go_durations_are_parsed() {
        for (text, expected) in [
            ("547ms", ms(547)),
            ("2m52.8s", ms(172_800)),
            ("1h30m", ms(5_400_000)),
            ("5m45.6s", ms(345_600)),
            ("1m23.45s", ms(83_450)),
            ("0s", ms(0)),
            ("", None),
            ("soon", None),
            ("12", None),
            ("1.2.3s", None),
            ("99999999h", None),
        ] {
            assert_eq!(go_duration(text), expected, "{text}");
        }
        assert_eq!(go_duration("16.239999999s").unwrap().as_millis(), 16_239);
    }

    #[test]
    fn retry_after_is_read_in_every_format() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!(retry_after(&header("retry-after", "3"), now), ms(3000));
        assert_eq!(retry_after(&header("retry-after", "0.5"), now), ms(500));
        assert_eq!(retry_after(&header("retry-after-ms", "250"), now), ms(250));
        assert_eq!(retry_after(&header("retry-after", "Sun, 22 Nov 2026 12:00:40 GMT"), now), ms(40_000));
        assert_eq!(retry_after(&header("retry-after", "Sun, 22 Nov 2026 11:00:00 GMT"), now), ms(0));
        assert_eq!(retry_after(&header("retry-after", "-4"), now), None);
        assert_eq!(retry_after(&header("retry-after", "whenever"), now), None);
    }

    /// `retry-after` has seconds, reset headers have Go durations, and messages have either.
    #[test]
    fn trap_07_delays_come_as_seconds_as_go_durations_and_in_messages() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!(retry_after(&header("retry-after", "3"), now), ms(3000));
        let mut headers = header("x-ratelimit-remaining-tokens", "0");
        headers.insert("x-ratelimit-reset-tokens", "2m52.8s".parse().unwrap());
        assert_eq!(reset(&headers), ms(172_800));
        assert_eq!(in_text("Please try again in 16.239999999s.").unwrap().as_millis(), 16_239);
        assert_eq!(in_text("Please try again in 1m23.45s. Need more?"), ms(83_450));
        assert_eq!(in_text("limit: 15\nPlease retry in 36.871s."), ms(36_871));
        assert_eq!(in_text("please retry in 800ms"), ms(800));
        assert_eq!(in_text("Try again in 20 seconds."), ms(20_000));
        assert_eq!(in_text("Try again in 2 minutes"), ms(120_000));
        assert_eq!(in_text("Try again in a while"), None);
    }

    #[test]
    fn the_reset_of_the_exhausted_limit_counts() {
        let (_, headers) = crate::wire::recorded::head("groq_headers_429.txt");
        assert_eq!(reset(&headers).unwrap().as_millis(), 2032);
        let (_, headers) = crate::wire::recorded::head("groq_headers_ok.txt");
        assert_eq!(reset(&headers), None);
    }

    #[test]
    fn daily_quotas_reset_at_midnight_in_california() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap(); // 4 a.m. in California
        assert_eq!(until_pacific_midnight(now), ms(20 * 3600 * 1000));
    }
}
