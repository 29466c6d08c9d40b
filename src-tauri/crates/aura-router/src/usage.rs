//! This month's usage: totals in memory, and a task that writes each attempt to the ledger.
//!
//! Recording an attempt never waits for the disk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use aura_providers::Service;
use jiff::civil::Date;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::attempt::Attempt;
use crate::cost::today;
use crate::ledger::{DailyUsage, Ledger, LedgerEntry, LedgerError, UsageTotals};

/// Entries that may wait for the ledger. Further ones are dropped with a warning; the totals in memory still count them.
const QUEUE: usize = 4_096;
/// The first wait after the ledger failed. Each further failure doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The most entries of one write.
const BATCH: usize = 64;

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

impl LedgerCommand {
    fn is_flush(&self) -> bool {
        matches!(self, Self::Flush(_))
    }
}

impl UsageTracker {
    /// Starts the task that writes to the ledger; without one, the totals are kept in memory only. The task ends when the last
    /// clone is dropped and every recorded attempt is written. Must be called on a Tokio runtime.
    pub fn start(ledger: Option<Arc<dyn Ledger>>) -> Self {
        let (to_ledger, commands) = mpsc::channel(QUEUE);
        tokio::spawn(write(ledger, commands));
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

    /// Waits until every attempt recorded before this call is written to the ledger. While the ledger fails, the attempts are kept and
    /// written later, and this goes on waiting.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.to_ledger.send(LedgerCommand::Flush(done)).await.is_ok() {
            let _ = flushed.await;
        }
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

/// Writes entries to the ledger until every sender is gone. Entries that cannot be written are kept and written later.
async fn write(ledger: Option<Arc<dyn Ledger>>, mut commands: mpsc::Receiver<LedgerCommand>) {
    let mut unwritten: VecDeque<LedgerEntry> = VecDeque::new();
    let mut flushes = Vec::new();
    let mut batch = Vec::with_capacity(BATCH);
    let (mut wait, mut retry_at) = (FIRST_WAIT, Instant::now());
    loop {
        let received = if unwritten.is_empty() {
            commands.recv_many(&mut batch, BATCH).await
        } else {
            // The ledger failed. What arrives meanwhile is written with the rest.
            timeout_at(retry_at, commands.recv_many(&mut batch, BATCH)).await.unwrap_or(usize::MAX)
        };
        // A flush is worth an attempt at once; a new entry is not.
        let is_due = unwritten.is_empty() || Instant::now() >= retry_at || batch.iter().any(LedgerCommand::is_flush);
        for command in batch.drain(..) {
            match command {
                LedgerCommand::Append(entry) => unwritten.push_back(*entry),
                LedgerCommand::Flush(done) => flushes.push(done),
            }
        }
        let surplus = unwritten.len().saturating_sub(QUEUE);
        if surplus > 0 {
            unwritten.drain(..surplus);
            tracing::warn!(count = surplus, "attempts are missing from the ledger: it has failed for too long");
        }
        if is_due || received == 0 {
            match write_all(ledger.as_deref(), &mut unwritten).await {
                Ok(()) => wait = FIRST_WAIT,
                Err(error) => {
                    tracing::warn!(%error, count = unwritten.len(), "attempts are not in the ledger yet");
                    retry_at = Instant::now() + wait;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
        if unwritten.is_empty() {
            for done in flushes.drain(..) {
                let _ = done.send(());
            }
        }
        if received == 0 {
            return;
        }
    }
}

/// Writes all entries, a batch at a time, up to the first failure.
async fn write_all(ledger: Option<&dyn Ledger>, unwritten: &mut VecDeque<LedgerEntry>) -> Result<(), LedgerError> {
    while !unwritten.is_empty() {
        let count = unwritten.len().min(BATCH);
        if let Some(ledger) = ledger {
            ledger.add(&unwritten.make_contiguous()[..count]).await?;
        }
        unwritten.drain(..count);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::time::timeout;

    use super::*;
    use crate::cost::{Cost, CostBasis};

    /// A ledger that another process may keep busy.
    #[derive(Default)]
    struct BusyLedger {
        is_busy: AtomicBool,
        refused: Mutex<usize>,
        entries: Mutex<Vec<LedgerEntry>>,
    }

    #[async_trait::async_trait]
    impl Ledger for BusyLedger {
        async fn add(&self, entries: &[LedgerEntry]) -> Result<(), LedgerError> {
            if self.is_busy.load(Ordering::SeqCst) {
                *self.refused.lock() += 1;
                return Err(LedgerError("The database is locked.".into()));
            }
            self.entries.lock().extend_from_slice(entries);
            Ok(())
        }

        async fn totals(&self, _: Date) -> Result<Vec<DailyUsage>, LedgerError> {
            Ok(Vec::new())
        }
    }

    fn attempt(ms: u32) -> Attempt {
        Attempt {
            service: Service::Llm,
            route: crate::attempt::Route { provider: "groq".into(), model: "m".into(), voice: None },
            ms,
            first_ms: None,
            kind: None,
            message: None,
            usage: aura_providers::Usage::default(),
            cost: Cost { usd: Some(0.5), basis: CostBasis::Priced },
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_entry_is_lost_while_the_ledger_is_busy() {
        let ledger = Arc::new(BusyLedger::default());
        let tracker = UsageTracker::start(Some(ledger.clone()));
        ledger.is_busy.store(true, Ordering::SeqCst);
        for ms in 0..300 {
            tracker.record(&attempt(ms));
            tokio::task::yield_now().await;
        }
        assert!(timeout(Duration::from_secs(30), tracker.flush()).await.is_err(), "nothing can be written yet");
        let refused = *ledger.refused.lock();
        assert!((2..20).contains(&refused), "it tries again, and not all the time: {refused}");
        ledger.is_busy.store(false, Ordering::SeqCst);
        tracker.record(&attempt(300));
        tracker.flush().await;
        let written: Vec<u32> = ledger.entries.lock().iter().map(|entry| entry.attempt.ms).collect();
        assert_eq!(written, (0..=300).collect::<Vec<_>>(), "each once, in order");
    }
}
