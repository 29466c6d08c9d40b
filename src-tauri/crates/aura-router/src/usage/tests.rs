use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;

use super::*;
use crate::ledger::LedgerError;
use crate::testing;

/// A ledger in memory that refuses the next writes.
#[derive(Default)]
struct UnreliableLedger {
    refuses: AtomicU32,
    entries: Mutex<Vec<LedgerEntry>>,
}

impl UnreliableLedger {
    fn milliseconds(&self) -> Vec<u32> {
        self.entries.lock().iter().map(|entry| entry.attempt.ms).collect()
    }
}

#[async_trait]
impl Ledger for UnreliableLedger {
    async fn add(&self, entries: &[LedgerEntry]) -> Result<(), LedgerError> {
        let left = self.refuses.load(Ordering::SeqCst);
        if left > 0 {
            self.refuses.store(left - 1, Ordering::SeqCst);
            return Err(LedgerError("The disk is full.".into()));
        }
        self.entries.lock().extend_from_slice(entries);
        Ok(())
    }

    async fn totals(&self, _: Date) -> Result<Vec<DailyUsage>, LedgerError> {
        Ok(Vec::new())
    }

    async fn prune(&self, _: Date) -> Result<u64, LedgerError> {
        Ok(0)
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_that_could_not_be_written_are_written_later_once_and_in_order() {
    let ledger = Arc::new(UnreliableLedger::default());
    let usage = UsageTracker::start(Some(ledger.clone()));
    ledger.refuses.store(3, Ordering::SeqCst);
    for ms in 0..200 {
        usage.record(&testing::attempt("x", ms, None));
        if ms == 0 {
            usage.flush().await;
            assert!(ledger.milliseconds().is_empty(), "it was refused");
        }
    }
    // Without another attempt, it is tried again after a while.
    tokio::time::sleep(MAX_RETRY).await;
    assert_eq!(ledger.milliseconds(), (0..200).collect::<Vec<_>>());
    usage.record(&testing::attempt("x", 200, None));
    usage.flush().await;
    assert_eq!(ledger.milliseconds(), (0..=200).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_written_is_written_when_the_tracker_is_dropped() {
    let ledger = Arc::new(UnreliableLedger::default());
    let usage = UsageTracker::start(Some(ledger.clone()));
    ledger.refuses.store(1, Ordering::SeqCst);
    usage.record(&testing::attempt("x", 7, None));
    usage.flush().await;
    drop(usage);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(ledger.milliseconds(), [7]);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_never_works_costs_a_bounded_amount_of_memory() {
    let ledger = Arc::new(UnreliableLedger::default());
    let usage = UsageTracker::start(Some(ledger.clone()));
    ledger.refuses.store(u32::MAX, Ordering::SeqCst);
    let count = u32::try_from(QUEUE).unwrap() + 100;
    for ms in 0..count {
        usage.record(&testing::attempt("x", ms, None));
        if ms % 1_000 == 0 {
            usage.flush().await;
        }
    }
    usage.flush().await;
    ledger.refuses.store(0, Ordering::SeqCst);
    usage.flush().await;
    assert_eq!(ledger.milliseconds(), (100..count).collect::<Vec<_>>(), "the oldest are dropped");
}
