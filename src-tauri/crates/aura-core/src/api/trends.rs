//! How providers did and what they cost over a longer time, from the ledger.

use std::collections::BTreeMap;

use aura_router::{LedgerError, TrendLine, TrendRange, UsageTotals, trend_lines};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::assistant::Assistant;
use crate::error::{Error, Result};

/// Days for which costs are reported.
const COST_DAYS: i64 = 30;

/// Request of `trends`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct TrendsQuery {
    /// How far back to look.
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub range: TrendRange,
}

/// Response of `trends`. Empty in the sandbox, whose calls are in no ledger.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Trends {
    /// One line for each provider and service with calls in the range.
    pub lines: Vec<TrendLine>,
    /// Usage and cost of each of the last 30 days with calls, the oldest first.
    pub days: Vec<DayTotals>,
}

/// Usage and cost of one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct DayTotals {
    /// The day, in this computer's time zone.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub day: Date,
    /// Its totals.
    pub totals: UsageTotals,
}

pub(super) async fn read(assistant: &Assistant, range: TrendRange) -> Result<Trends> {
    if assistant.is_sandbox() {
        return Ok(Trends::default());
    }
    let (ledger, now) = (&assistant.ports().ledger, Timestamp::now());
    let failed = |cause: LedgerError| Error::storage("read the usage", cause);
    let calls = ledger.calls(now - range.length()).await.map_err(failed)?;
    let first = jiff::Zoned::now().date().saturating_sub(jiff::Span::new().days(COST_DAYS - 1));
    let mut days: BTreeMap<Date, UsageTotals> = BTreeMap::new();
    for usage in ledger.totals(first).await.map_err(failed)? {
        days.entry(usage.day).or_default().merge(&usage.totals);
    }
    let days = days.into_iter().map(|(day, totals)| DayTotals { day, totals }).collect();
    Ok(Trends { lines: trend_lines(range, now, calls), days })
}
