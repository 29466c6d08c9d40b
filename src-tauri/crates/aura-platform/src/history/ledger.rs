//! The usage ledger, in the same database as the turns.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aura_providers::Service;
use aura_router::{DailyUsage, Ledger, LedgerCall, LedgerEntry, LedgerError, UsageTotals};
use jiff::civil::Date;
use rusqlite::params;

use super::SqliteHistory;

/// Calls that are read at most.
const MAX_CALLS: u32 = 50_000;

#[async_trait]
impl Ledger for SqliteHistory {
    async fn add(&self, entries: &[LedgerEntry]) -> Result<(), LedgerError> {
        let row = |entry: &LedgerEntry| {
            let day = entry.at.to_zoned(jiff::tz::TimeZone::system()).date().to_string();
            let json = serde_json::to_string(entry)?;
            Ok((day, entry.attempt.route.provider.clone(), entry.attempt.service.as_str(), json))
        };
        let rows: Result<Vec<_>, serde_json::Error> = entries.iter().map(row).collect();
        let rows = rows.map_err(|cause| LedgerError(cause.to_string()))?;
        self.write("save the usage", move |db| {
            let transaction = db.unchecked_transaction()?;
            {
                let mut insert = transaction
                    .prepare_cached("INSERT INTO attempts (day, provider, service, json) VALUES (?1, ?2, ?3, ?4)")?;
                for (day, provider, service, json) in &rows {
                    insert.execute(params![day, provider, service, json])?;
                }
            }
            transaction.commit()
        })
        .await
        .map_err(|error| LedgerError(error.message))
    }

    async fn totals(&self, from: Date) -> Result<Vec<DailyUsage>, LedgerError> {
        let from = from.to_string();
        let rows = self
            .run("read the usage", move |db| {
                let mut rows = db.prepare_cached("SELECT day, json FROM attempts WHERE day >= ?1")?;
                let mut totals: BTreeMap<(String, String, Service), UsageTotals> = BTreeMap::new();
                let found = rows.query_map([&from], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
                for row in found {
                    let (day, json) = row?;
                    // Skips entries of another version.
                    let Ok(LedgerEntry { attempt, .. }) = serde_json::from_str(&json) else { continue };
                    totals.entry((day, attempt.route.provider.clone(), attempt.service)).or_default().add(&attempt);
                }
                Ok(totals)
            })
            .await
            .map_err(|error| LedgerError(error.message))?;
        let daily = |((day, provider, service), totals): ((String, String, Service), UsageTotals)| {
            Some(DailyUsage { day: day.parse().ok()?, provider, service, totals })
        };
        Ok(rows.into_iter().filter_map(daily).collect())
    }

    async fn calls(&self, from: jiff::Timestamp) -> Result<Vec<LedgerCall>, LedgerError> {
        let read = move |db: &rusqlite::Connection| {
            let mut rows = db.prepare_cached("SELECT json FROM attempts ORDER BY id DESC LIMIT ?1")?;
            let mut rows = rows.query([MAX_CALLS])?;
            let mut calls = Vec::new();
            while let Some(row) = rows.next()? {
                // Skips entries of another version.
                let Ok(entry) = serde_json::from_str::<LedgerEntry>(row.get_ref(0)?.as_str()?) else { continue };
                // Entries are added in the order in which calls end.
                if entry.at < from {
                    break;
                }
                calls.extend(LedgerCall::of(entry));
            }
            Ok(calls)
        };
        self.run("read the usage", read).await.map_err(|error| LedgerError(error.message))
    }

    async fn prune(&self, before: Date) -> Result<u64, LedgerError> {
        let before = before.to_string();
        let delete = move |db: &rusqlite::Connection| {
            db.execute("DELETE FROM attempts WHERE day < ?1", [&before]).map(|rows| rows as u64)
        };
        let pruned = self.write("delete old usage", delete).await;
        pruned.map_err(|error| LedgerError(error.message))
    }
}
