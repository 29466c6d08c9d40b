//! This month's usage: totals in memory, and a task that writes each attempt to the ledger.
//!
//! Recording an attempt never waits for the disk. Attempts that cannot be written are kept and written later.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aura_providers::Service;
use jiff::civil::Date;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::attempt::Attempt;
use crate::cost::today;
use crate::ledger::{DailyUsage, Ledger, LedgerEntry, UsageTotals};

/// Entries that may wait for the task, and as many that it keeps after a failure. Further ones are dropped with a warning; the totals
/// in memory still count them.
const QUEUE: usize = 4_096;
/// How long after a failure the ledger is written again, if no attempt comes before. It doubles with each failure, up to the maximum.
const RETRY: Duration = Duration::from_secs(1);
/// The longest time between two failures.
const MAX_RETRY: Duration = Duration::from_secs(60);
/// The most entries of one write.
const BATCH: usize = 64;
/// The shortest time between two writes: under load, one write has many attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// Usage per provider and service, today and this month.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct UsageReport {
    /// One line for each provider and service that was used this month.
    pub lines: Vec<UsageLine>,
    /// Totals of today.
    pub today: UsageTotals,
    /// Totals of this month.
    pub month: UsageTotals,
    /// The day on which the catalog's prices were last compared with those that the providers publish.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub prices_of: Date,
}

/// Usage of one provider and service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct UsageLine {
    /// The provider.
    pub provider: String,
    /// The service.
    pub service: Service,
    /// Totals of today.
    pub today: UsageTotals,
    /// Totals of this month.
    pub month: UsageTotals,
}

/// Totals by day, provider and service.
type DailyTotals = BTreeMap<(Date, String, Service), UsageTotals>;

/// Adds up the usage of attempts, and writes them to a ledger. Cheap to clone; clones share the totals.
#[derive(Clone)]
pub struct UsageTracker {
    totals: Arc<Mutex<DailyTotals>>,
    to_ledger: mpsc::Sender<LedgerCommand>,
}

/// A command to the task that writes the ledger.
enum LedgerCommand {
    Append(Box<LedgerEntry>),
    /// Replies when every command before this one is done.
    Flush(oneshot::Sender<()>),
}

/// Writes entries to the ledger, in order.
struct LedgerWriter {
    ledger: Option<Arc<dyn Ledger>>,
    /// Entries that are not in the ledger yet, the oldest first.
    unwritten: Vec<LedgerEntry>,
    /// Failures in a row.
    failures: u32,
}

impl LedgerWriter {
    /// Runs until there are no more commands.
    async fn run(mut self, mut commands: mpsc::Receiver<LedgerCommand>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut next_write = Instant::now();
        loop {
            let mut is_due = false;
            let received = tokio::select! {
                count = commands.recv_many(&mut batch, BATCH) => count > 0,
                () = tokio::time::sleep_until(next_write), if !self.unwritten.is_empty() => {
                    is_due = true;
                    true
                }
            };
            let mut flushes = Vec::new();
            for command in batch.drain(..) {
                match command {
                    LedgerCommand::Append(entry) => self.keep(*entry),
                    LedgerCommand::Flush(done) => flushes.push(done),
                }
            }
            // After a failure, every attempt is a reason to try again.
            is_due |= !received || !flushes.is_empty() || self.failures > 0 || Instant::now() >= next_write;
            if is_due {
                self.write().await;
                next_write = Instant::now() + self.pause();
            }
            for done in flushes {
                let _ = done.send(());
            }
            if !received {
                break;
            }
        }
        if !self.unwritten.is_empty() {
            tracing::warn!(count = self.unwritten.len(), "attempts are missing from the ledger");
        }
    }

    /// How long to wait before the next write.
    fn pause(&self) -> Duration {
        match self.failures {
            0 => PAUSE,
            failures => RETRY.saturating_mul(1 << (failures - 1).min(8)).min(MAX_RETRY),
        }
    }

    fn keep(&mut self, entry: LedgerEntry) {
        if self.ledger.is_none() {
            return;
        }
        if self.unwritten.len() >= QUEUE {
            self.unwritten.remove(0);
            tracing::warn!("an attempt is missing from the ledger: it could not be written for too long");
        }
        self.unwritten.push(entry);
    }

    /// Writes what is not written. What cannot be written is kept.
    async fn write(&mut self) {
        let Some(ledger) = &self.ledger else { return };
        while !self.unwritten.is_empty() {
            let count = self.unwritten.len().min(BATCH);
            if let Err(error) = ledger.add(&self.unwritten[..count]).await {
                tracing::warn!(%error, count = self.unwritten.len(), "cannot write attempts to the ledger yet");
                self.failures = self.failures.saturating_add(1);
                return;
            }
            self.unwritten.drain(..count);
        }
        self.failures = 0;
    }
}

impl UsageTracker {
    /// Starts the task that writes to the ledger; without one, the totals are kept in memory only. The task ends when the last
    /// clone is dropped and every recorded attempt is written. Must be called on a Tokio runtime.
    pub fn start(ledger: Option<Arc<dyn Ledger>>) -> Self {
        let (to_ledger, commands) = mpsc::channel(QUEUE);
        tokio::spawn(LedgerWriter { ledger, unwritten: Vec::new(), failures: 0 }.run(commands));
        Self { totals: Arc::default(), to_ledger }
    }

    /// Adds this month's totals from the ledger. Call it once, before the first request.
    pub async fn load(&self, ledger: &dyn Ledger) {
        let from = today().first_of_month();
        match ledger.totals(from).await {
            Ok(days) => {
                let mut all = self.totals.lock();
                for DailyUsage { day, provider, service, totals } in days {
                    all.entry((day, provider, service)).or_default().merge(&totals);
                }
            }
            Err(error) => tracing::warn!(%error, "cannot read this month's usage from the ledger"),
        }
    }

    /// Counts an attempt and sends it to the ledger. Never waits.
    pub(crate) fn record(&self, attempt: &Attempt) {
        let key = (today(), attempt.route.provider.clone(), attempt.service);
        {
            let mut all = self.totals.lock();
            all.entry(key).or_default().add(attempt);
        }
        let entry = LedgerEntry { at: jiff::Timestamp::now(), attempt: attempt.clone() };
        if self.to_ledger.try_send(LedgerCommand::Append(Box::new(entry))).is_err() {
            tracing::warn!("an attempt is missing from the ledger: writing it is slower than the requests");
        }
    }

    /// Waits until every attempt recorded before this call is written to the ledger, or could not be written.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.to_ledger.send(LedgerCommand::Flush(done)).await.is_ok() {
            let _ = flushed.await;
        }
    }

    /// Usage today.
    pub(crate) fn today(&self) -> UsageTotals {
        let (today, mut sum) = (today(), UsageTotals::default());
        let all = self.totals.lock();
        all.iter().filter(|((day, ..), _)| *day == today).for_each(|(_, totals)| sum.merge(totals));
        sum
    }

    /// Usage today and this month. `prices_of` is the day on which the catalog's prices were verified.
    pub(crate) fn report(&self, prices_of: Date) -> UsageReport {
        let today = today();
        let mut report = UsageReport { prices_of, ..UsageReport::default() };
        let mut lines: BTreeMap<(String, Service), UsageLine> = BTreeMap::new();
        let mut all = self.totals.lock();
        all.retain(|(day, ..), _| day.first_of_month() == today.first_of_month());
        for ((day, provider, service), totals) in all.iter() {
            let line = lines.entry((provider.clone(), *service)).or_insert_with(|| UsageLine {
                provider: provider.clone(),
                service: *service,
                today: UsageTotals::default(),
                month: UsageTotals::default(),
            });
            line.month.merge(totals);
            report.month.merge(totals);
            if *day == today {
                line.today.merge(totals);
                report.today.merge(totals);
            }
        }
        report.lines = lines.into_values().collect();
        report
    }
}
