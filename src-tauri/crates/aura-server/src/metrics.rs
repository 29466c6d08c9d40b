//! What the door and the providers did, in the text format of Prometheus.
//!
//! See <https://prometheus.io/docs/instrumenting/exposition_formats/>. Counters begin at zero when the program starts.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aura_core::Assistant;
use aura_core::api::{self, Nothing};
use aura_core::health::{Circuit, Status};
use axum::http::StatusCode;

/// Upper bounds of the durations, seconds.
const BOUNDS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
/// The status of a request whose caller went away before it was answered, as web servers usually write it.
const GONE: u16 = 499;

#[derive(Default)]
struct Timed {
    within: [u64; BOUNDS.len()],
    count: u64,
    seconds: f64,
}

/// Counts requests.
#[derive(Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, &'static str, u16), u64>>,
    times: Mutex<BTreeMap<&'static str, Timed>>,
    routes: Mutex<BTreeMap<String, &'static str>>,
}

impl Metrics {
    /// The name of a route, kept once: there are as many as the code has.
    pub(crate) fn route(&self, path: &str) -> &'static str {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        match routes.get(path) {
            Some(known) => known,
            None => {
                let name: &'static str = Box::leak(path.to_owned().into_boxed_str());
                routes.insert(path.to_owned(), name);
                name
            }
        }
    }

    /// A request ended; without a status its caller went away.
    pub(crate) fn request(
        &self,
        route: &'static str,
        method: &'static str,
        status: Option<StatusCode>,
        took: Duration,
    ) {
        let status = status.map_or(GONE, |status| status.as_u16());
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry((route, method, status)).or_default() += 1;
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let timed = times.entry(route).or_default();
        let seconds = took.as_secs_f64();
        timed.count += 1;
        timed.seconds += seconds;
        for (count, _) in timed.within.iter_mut().zip(BOUNDS).filter(|(_, bound)| seconds <= *bound) {
            *count += 1;
        }
    }

    /// All of it as text.
    pub(crate) async fn text(&self, assistant: &Assistant) -> String {
        let mut page = Page::default();
        self.write_requests(&mut page);
        write_attempts(&mut page, assistant);
        if let Ok(health) = api::health(assistant, Nothing {}).await {
            let name = "aura_circuit_state";
            page.family(
                name,
                "gauge",
                "Whether calls go to a provider for a service: 0 yes, 1 the next is a probe, 2 no.",
            );
            for (provider, of) in health.providers.iter().flat_map(|of| of.services.iter().map(move |s| (&of.name, s)))
            {
                let state = match of.circuit {
                    Circuit::Closed => 0,
                    Circuit::HalfOpen => 1,
                    Circuit::Open => 2,
                };
                page.sample(name, &[("provider", provider), ("service", of.service.as_str())], state);
            }
            let name = "aura_provider_available";
            page.family(name, "gauge", "Whether a provider is set up.");
            for of in &health.providers {
                page.sample(name, &[("provider", &of.name)], u8::from(of.status != Status::Unavailable));
            }
        }
        let snapshot = assistant.snapshot();
        page.family("aura_info", "gauge", "Which AURA this is.");
        let sandbox = if snapshot.sandbox { "true" } else { "false" };
        page.sample("aura_info", &[("version", &snapshot.version), ("sandbox", sandbox)], 1);
        page.0
    }

    fn write_requests(&self, page: &mut Page) {
        let name = "aura_http_requests_total";
        page.family(name, "counter", "Requests at the HTTP door; status 499: the caller went away before the answer.");
        for ((route, method, status), count) in self.requests.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            page.sample(name, &[("route", route), ("method", method), ("status", &status.to_string())], count);
        }
        let name = "aura_http_request_duration_seconds";
        page.family(name, "histogram", "From the head of a request to the end of its answer.");
        for (route, timed) in self.times.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            for (count, bound) in timed.within.iter().zip(BOUNDS) {
                page.sample(&format!("{name}_bucket"), &[("route", route), ("le", &bound.to_string())], count);
            }
            page.sample(&format!("{name}_bucket"), &[("route", route), ("le", "+Inf")], timed.count);
            page.sample(&format!("{name}_sum"), &[("route", route)], timed.seconds);
            page.sample(&format!("{name}_count"), &[("route", route)], timed.count);
        }
    }
}

fn write_attempts(page: &mut Page, assistant: &Assistant) {
    let tallies = assistant.tallies();
    let name = "aura_attempts_total";
    page.family(name, "counter", "Calls to providers, by how they ended; class `ok`: they answered.");
    for tally in &tallies {
        let class = tally.class.map_or("ok", |class| class.as_str());
        let labels = [("provider", tally.provider.as_str()), ("service", tally.service.as_str()), ("class", class)];
        page.sample(name, &labels, tally.sum.attempts);
    }
    // The sums are per provider and service, however the calls ended.
    let mut sums: BTreeMap<(&str, &str), aura_core::usage::Sum> = BTreeMap::new();
    for tally in &tallies {
        sums.entry((&tally.provider, tally.service.as_str())).or_default().merge(&tally.sum);
    }
    let name = "aura_tokens_total";
    page.family(name, "counter", "Tokens read and written, as the providers counted.");
    for ((provider, service), sum) in &sums {
        for (direction, tokens) in [("input", sum.input_tokens), ("output", sum.output_tokens)] {
            page.sample(name, &[("provider", provider), ("service", service), ("direction", direction)], tokens);
        }
    }
    let name = "aura_cost_usd_total";
    page.family(name, "counter", "US dollars, of the calls whose cost is known.");
    for ((provider, service), sum) in &sums {
        page.sample(name, &[("provider", provider), ("service", service)], sum.usd);
    }
}

/// The page as it grows.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, about: &str) {
        // Writing to memory cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {about}\n# TYPE {name} {kind}");
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
    fn a_histogram_counts_upwards() {
        let metrics = Metrics::default();
        let route = metrics.route("/chat");
        assert!(std::ptr::eq(route, metrics.route("/chat")));
        for ms in [2, 30, 400] {
            metrics.request(route, "POST", Some(StatusCode::OK), Duration::from_millis(ms));
        }
        metrics.request(route, "POST", None, Duration::from_millis(1));
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
            assert!(page.0.lines().any(|known| known == line), "{line} is not in\n{}", page.0);
        }
    }

    #[test]
    fn labels_are_escaped() {
        let mut page = Page::default();
        page.sample("m", &[("l", "a\"b\\c\nd")], 1);
        assert_eq!(page.0, "m{l=\"a\\\"b\\\\c\\nd\"} 1\n");
    }
}
