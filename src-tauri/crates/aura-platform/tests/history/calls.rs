//! The calls of the usage ledger, which the panel Health shows over longer times.

use aura_core::ports::{Ledger, LedgerEntry};
use aura_platform::SqliteHistory;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

fn entry(at: Timestamp, ms: u32, class: Option<&str>) -> LedgerEntry {
    let mut attempt = json!({"service": "llm", "route": {"provider": "groq", "model": "m"}, "ms": 900, "first_ms": ms});
    if let Some(class) = class {
        attempt["class"] = json!(class);
    }
    serde_json::from_value(json!({"at": at, "attempt": attempt})).unwrap()
}

#[tokio::test]
async fn calls_of_a_time_are_read_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let now = Timestamp::now();
    let ago = |hours| now - SignedDuration::from_hours(hours);
    let history = SqliteHistory::open(folder.path()).unwrap();
    let entries = [
        entry(ago(40), 1, None),
        entry(ago(5), 2, None),
        entry(ago(3), 3, Some("timeout")),
        entry(ago(2), 4, Some("cancelled")),
        entry(ago(1), 5, None),
    ];
    history.add(&entries).await.unwrap();
    aura_core::ports::History::close(&history).await;
    drop(history);

    let history = SqliteHistory::open(folder.path()).unwrap();
    let calls = history.calls(ago(24)).await.unwrap();
    let found: Vec<(u32, bool)> = calls.iter().map(|call| (call.ms, call.failed)).collect();
    assert_eq!(
        found,
        [(5, false), (3, true), (2, false)],
        "newest first, and none that says nothing about the provider"
    );
    assert_eq!(history.calls(ago(48)).await.unwrap().len(), 4);
}
