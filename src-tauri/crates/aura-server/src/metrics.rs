//! Metrics of the local API and the providers, in the text format of Prometheus.
//!
//! See <https://prometheus.io/docs/instrumenting/exposition_formats/>. Counters start at zero when the program starts.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::time::Duration;

use aura_core::Assistant;
use aura_core::api::{self as operations, Nothing};
use aura_router::health::{CircuitState, Status};
use axum::http::StatusCode;
use parking_lot::Mutex;

/// Upper bounds of the duration buckets, seconds.
const BOUNDS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
/// The status of a request whose client disconnected before the response, as nginx logs it.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Durations, counted in cumulative buckets.
#[derive(Default)]
struct DurationHistogram {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    seconds: f64,
}

/// Counters of one route.
#[derive(Default)]
struct RouteMetrics {
    /// Requests by method and status.
    requests: BTreeMap<(&'static str, u16), u64>,
    durations: DurationHistogram,
}

/// Counters of the requests to the local API, by route.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<BTreeMap<String, RouteMetrics>>);

impl Metrics {
    /// Counts a request that ended. `status` is `None` if its client disconnected before the response.
    pub(crate) fn record_request(
        &self,
        route: &str,
        method: &'static str,
        status: Option<StatusCode>,
        duration: Duration,
    ) {
        let status = status.map_or(CLIENT_CLOSED_REQUEST, |status| status.as_u16());
        let mut routes = self.0.lock();
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), RouteMetrics::default());
        }
        let Some(RouteMetrics { requests, durations }) = routes.get_mut(route) else { return };
        *requests.entry((method, status)).or_default() += 1;
        let seconds = duration.as_secs_f64();
        durations.count += 1;
        durations.seconds += seconds;
        for (count, _) in durations.buckets.iter_mut().zip(BOUNDS).filter(|(_, bound)| seconds <= *bound) {
            *count += 1;
        }
    }

    /// The metrics page. `sandbox`: whether the sandbox replaces the real providers.
    pub(crate) async fn render(&self, assistant: &Assistant, sandbox: bool) -> String {
        let mut page = Page::default();
        self.write_requests(&mut page);
        write_attempts(&mut page, assistant);
        if let Ok(health) = operations::health(assistant, Nothing {}).await {
            let name = "aura_circuit_state";
            page.family(name, "gauge", "Circuit breaker of a provider for a service: 0 closed, 1 half-open, 2 open.");
            let services =
                health.providers.iter().flat_map(|provider| provider.services.iter().map(move |s| (&provider.name, s)));
            for (provider, service) in services {
                let state = match service.circuit {
                    CircuitState::Closed => 0,
                    CircuitState::HalfOpen => 1,
                    CircuitState::Open => 2,
                };
                page.sample(name, &[("provider", provider), ("service", service.service.as_str())], state);
            }
            let name = "aura_provider_available";
            page.family(name, "gauge", "1 if a provider is set up, 0 otherwise.");
            for provider in &health.providers {
                let available = provider.status != Status::Unavailable;
                page.sample(name, &[("provider", &provider.name)], u8::from(available));
            }
        }
        page.family("aura_info", "gauge", "Always 1. Labels: the version, and whether the sandbox is used.");
        let sandbox = if sandbox { "true" } else { "false" };
        page.sample("aura_info", &[("version", env!("CARGO_PKG_VERSION")), ("sandbox", sandbox)], 1);
        page.0
    }

    fn write_requests(&self, page: &mut Page) {
        let name = "aura_http_requests_total";
        page.family(
            name,
            "counter",
            "Requests to the local API; status 499: the client disconnected before the response.",
        );
        let routes = self.0.lock();
        for (route, metrics) in routes.iter() {
            for ((method, status), count) in &metrics.requests {
                page.sample(name, &[("route", route), ("method", method), ("status", &status.to_string())], count);
            }
        }
        let name = "aura_http_request_duration_seconds";
        page.family(name, "histogram", "Seconds from the request head to the end of the response.");
        for (route, RouteMetrics { durations, .. }) in routes.iter() {
            for (count, bound) in durations.buckets.iter().zip(BOUNDS) {
                page.sample(&format!("{name}_bucket"), &[("route", route), ("le", &bound.to_string())], count);
            }
            page.sample(&format!("{name}_bucket"), &[("route", route), ("le", "+Inf")], durations.count);
            page.sample(&format!("{name}_sum"), &[("route", route)], durations.seconds);
            page.sample(&format!("{name}_count"), &[("route", route)], durations.count);
        }
    }
}

fn write_attempts(page: &mut Page, assistant: &Assistant) {
    let attempt_counts = assistant.router().attempt_counts();
    let name = "aura_attempts_total";
    page.family(name, "counter", "Provider calls by outcome; class `ok`: the call succeeded.");
    for counts in &attempt_counts {
        let class = counts.kind.map_or("ok", |kind| kind.as_str());
        let labels = [("provider", counts.provider.as_str()), ("service", counts.service.as_str()), ("class", class)];
        page.sample(name, &labels, counts.totals.attempts);
    }
    // Tokens and costs are summed over all outcomes.
    let mut sums: BTreeMap<(&str, &str), aura_router::UsageTotals> = BTreeMap::new();
    for counts in &attempt_counts {
        sums.entry((&counts.provider, counts.service.as_str())).or_default().merge(&counts.totals);
    }
    let name = "aura_tokens_total";
    page.family(name, "counter", "Input and output tokens, as counted by the providers.");
    for ((provider, service), sum) in &sums {
        for (direction, tokens) in [("input", sum.input_tokens), ("output", sum.output_tokens)] {
            page.sample(name, &[("provider", provider), ("service", service), ("direction", direction)], tokens);
        }
    }
    let name = "aura_cost_usd_total";
    page.family(name, "counter", "Cost in US dollars of the calls whose cost is known.");
    for ((provider, service), sum) in &sums {
        page.sample(name, &[("provider", provider), ("service", service)], sum.usd);
    }
}

/// A metrics page under construction.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        let _ = writeln!(self.0, "{name}{{{}}} {value}", labels.join(","));
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_buckets_are_cumulative_and_a_disconnect_counts_as_499() {
        let metrics = Metrics::default();
        for ms in [2, 30, 400] {
            metrics.record_request("/chat", "POST", Some(StatusCode::OK), Duration::from_millis(ms));
        }
        metrics.record_request("/chat", "POST", None, Duration::from_millis(1));
        let mut page = Page::default();
        metrics.write_requests(&mut page);
        for line in [
            r#"aura_http_requests_total{route="/chat",method="POST",status="200"} 3"#,
            r#"aura_http_requests_total{route="/chat",method="POST",status="499"} 1"#,
            r#"aura_http_request_duration_seconds_bucket{route="/chat",le="0.005"} 2"#,
            r#"aura_http_request_duration_seconds_bucket{route="/chat",le="0.05"} 3"#,
            r#"aura_http_request_duration_seconds_bucket{route="/chat",le="+Inf"} 4"#,
            r#"aura_http_request_duration_seconds_count{route="/chat"} 4"#,
        ] {
            assert!(page.0.lines().any(|sample| sample == line), "{line} is not in\n{}", page.0);
        }
    }

    #[test]
    fn label_values_are_escaped() {
        let mut page = Page::default();
        page.sample("m", &[("l", "a\"b\\c\nd")], 1);
        assert_eq!(page.0, "m{l=\"a\\\"b\\\\c\\nd\"} 1\n");
    }
}
