//! How providers did over a longer time, from the ledger, which outlives the process.

use std::collections::BTreeMap;

use aura_providers::Service;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::health::{HealthBucket, quantile};
use crate::ledger::LedgerCall;

/// How far back the trends reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum TrendRange {
    /// The last hour, in twelve parts.
    #[default]
    Hour,
    /// The last 24 hours, in 24 parts.
    Day,
    /// The last 30 days, in 30 parts.
    Month,
}

impl TrendRange {
    /// The length of the range.
    pub fn length(self) -> SignedDuration {
        match self {
            Self::Hour => SignedDuration::from_hours(1),
            Self::Day => SignedDuration::from_hours(24),
            Self::Month => SignedDuration::from_hours(30 * 24),
        }
    }

    fn parts(self) -> usize {
        match self {
            Self::Hour => 12,
            Self::Day => 24,
            Self::Month => 30,
        }
    }
}

/// How one provider did at one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TrendLine {
    /// ID of the provider.
    pub provider: String,
    /// The service.
    pub service: Service,
    /// Calls in the range.
    pub requests: u32,
    /// The share of them that succeeded, 0 to 1.
    pub success_rate: f32,
    /// Median latency of the successful calls in milliseconds: to the first content of a stream, otherwise to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub p50_ms: Option<u32>,
    /// 95th percentile of the same latency, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub p95_ms: Option<u32>,
    /// The range in equal parts, the oldest first.
    pub parts: Vec<HealthBucket>,
}

/// The lines for the calls of a range that ends now, by provider and service. Calls outside it are left out.
pub fn trend_lines(range: TrendRange, now: Timestamp, calls: Vec<LedgerCall>) -> Vec<TrendLine> {
    let (parts, length) = (range.parts(), range.length().as_secs_f64());
    let mut lines: BTreeMap<(String, Service), (Vec<HealthBucket>, Vec<u32>)> = BTreeMap::new();
    for call in calls {
        let age = now.duration_since(call.at).as_secs_f64() / length;
        if !(0.0..1.0).contains(&age) {
            continue;
        }
        let (buckets, latencies) = lines
            .entry((call.provider, call.service))
            .or_insert_with(|| (vec![HealthBucket::default(); parts], Vec::new()));
        let bucket = &mut buckets[parts - 1 - ((age * parts as f64) as usize).min(parts - 1)];
        if call.failed {
            bucket.failed += 1;
        } else {
            bucket.ok += 1;
            latencies.push(call.ms);
        }
    }
    let line = |((provider, service), (parts, mut latencies)): ((String, Service), (Vec<HealthBucket>, Vec<u32>))| {
        latencies.sort_unstable();
        let requests: u32 = parts.iter().map(|part| part.ok + part.failed).sum();
        TrendLine {
            provider,
            service,
            requests,
            success_rate: latencies.len() as f32 / requests as f32,
            p50_ms: quantile(&latencies, 0.5),
            p95_ms: quantile(&latencies, 0.95),
            parts,
        }
    };
    lines.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use aura_providers::FailureKind;

    use super::*;
    use crate::ledger::LedgerEntry;

    fn call(minutes_ago: i64, ms: u32, failed: bool) -> LedgerCall {
        let at = now() - SignedDuration::from_mins(minutes_ago);
        LedgerCall { at, provider: "groq".into(), service: Service::Llm, ms, failed }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap()
    }

    #[test]
    fn calls_are_counted_in_the_part_in_which_they_ended() {
        let calls = || {
            vec![call(0, 100, false), call(7, 300, false), call(59, 0, true), call(61, 900, false), call(-5, 1, false)]
        };
        let [line] = &trend_lines(TrendRange::Hour, now(), calls())[..] else { panic!() };
        let counts: Vec<(u32, u32)> = line.parts.iter().map(|part| (part.ok, part.failed)).collect();
        assert_eq!((counts[0], counts[10], counts[11], counts.len()), ((0, 1), (1, 0), (1, 0), 12));
        assert_eq!((line.requests, line.p50_ms, line.p95_ms), (3, Some(100), Some(300)));
        assert!((line.success_rate - 2.0 / 3.0).abs() < 0.001);

        let [line] = &trend_lines(TrendRange::Day, now(), calls())[..] else { panic!() };
        assert_eq!((line.requests, line.parts.len(), line.parts[22].ok, line.parts[23].ok), (4, 24, 1, 2));
        assert_eq!(trend_lines(TrendRange::Month, now(), calls())[0].parts[29].ok, 3);
        assert_eq!(trend_lines(TrendRange::Hour, now(), vec![call(99, 1, false)]), []);
    }

    #[test]
    fn a_failure_of_the_request_says_nothing_about_the_provider() {
        for (kind, counts) in
            [(FailureKind::Cancelled, false), (FailureKind::Blocked, false), (FailureKind::Timeout, true)]
        {
            let attempt = crate::testing::attempt("groq", 100, Some(kind));
            assert_eq!(LedgerCall::of(LedgerEntry { at: now(), attempt }).is_some(), counts, "{kind:?}");
        }
    }
}
