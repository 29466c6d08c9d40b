//! What is changed and deleted when turns grow old.

use aura_core::error::Result;
use aura_core::ports::TurnChange;
use aura_core::record::TurnRecord;
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

use super::SqliteHistory;

impl SqliteHistory {
    /// Changes a turn that is still there. The transaction holds the write lock from its first read on, so that a turn which another
    /// process deletes meanwhile does not come back.
    pub(super) async fn edit_turn(&self, id: String, change: TurnChange) -> Result<bool> {
        self.run("change the turn in the history", move |db| {
            let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
            let row = transaction
                .prepare_cached("SELECT json FROM turns WHERE id = ?1")?
                .query_row([&id], |row| row.get::<_, String>(0))
                .optional()?;
            // A row of another version, which this one cannot read, is left as it is.
            let Some(mut turn) = row.and_then(|row| serde_json::from_str::<TurnRecord>(&row).ok()) else {
                return Ok(false);
            };
            change(&mut turn);
            let json =
                serde_json::to_string(&turn).map_err(|cause| rusqlite::Error::ToSqlConversionFailure(cause.into()))?;
            transaction.prepare_cached("UPDATE turns SET json = ?2 WHERE id = ?1")?.execute(params![id, json])?;
            transaction.commit()?;
            Ok(true)
        })
        .await
    }

    pub(super) async fn delete_turns_before(&self, time: Timestamp) -> Result<()> {
        let time = time.as_microsecond();
        self.run("delete old turns from the history", move |db| {
            db.prepare_cached("DELETE FROM turns WHERE started_at < ?1")?.execute([time]).map(drop)
        })
        .await
    }

    pub(super) async fn delete_attempts_before(&self, day: Date) -> Result<()> {
        let day = day.to_string();
        self.run("delete old attempts", move |db| {
            db.prepare_cached("DELETE FROM attempts WHERE day < ?1")?.execute([&day]).map(drop)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use aura_core::ports::{History, TurnFilter};
    use aura_router::{Ledger, LedgerEntry};
    use serde_json::json;

    use super::*;

    fn turn(id: &str, second: i64) -> TurnRecord {
        let at = Timestamp::from_second(second).unwrap();
        serde_json::from_value(json!({
            "id": id, "session": "s", "started_at": at, "transcript": "why", "answer": "so", "spoken": "",
            "interrupted": false, "stages": [], "notices": [], "answer_audio": "/data/a-answer.wav",
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn a_turn_is_changed_only_while_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let history = SqliteHistory::open(folder.path()).unwrap();
        history.save(&turn("a", 1)).await.unwrap();
        let change = || -> TurnChange { Box::new(|turn| turn.answer_audio = None) };
        assert!(history.edit("a", change()).await.unwrap());
        let changed = history.get("a").await.unwrap().unwrap();
        assert_eq!((changed.answer_audio, changed.transcript.as_str()), (None, "why"));
        history.delete("a").await.unwrap();
        assert!(!history.edit("a", change()).await.unwrap());
        assert_eq!(history.get("a").await.unwrap(), None, "it does not come back");
    }

    #[tokio::test]
    async fn old_turns_and_attempts_are_deleted_and_newer_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let history = SqliteHistory::open(folder.path()).unwrap();
        for (id, second) in [("a", 10), ("b", 20)] {
            history.save(&turn(id, second)).await.unwrap();
        }
        history.delete_before(Timestamp::from_second(20).unwrap()).await.unwrap();
        let left = history.find(&TurnFilter { limit: 9, ..TurnFilter::default() }).await.unwrap();
        assert_eq!(left.iter().map(|turn| turn.id.as_str()).collect::<Vec<_>>(), ["b"]);
        let words = TurnFilter { words: Some("why".into()), limit: 9, ..TurnFilter::default() };
        assert_eq!(history.find(&words).await.unwrap().len(), 1, "the search forgets it too");

        let attempt = |at: &str| -> LedgerEntry {
            let route = json!({"provider": "groq", "model": "m"});
            serde_json::from_value(json!({"at": at, "attempt": {"service": "llm", "route": route, "ms": 5}})).unwrap()
        };
        history.add(&[attempt("2026-01-01T12:00:00Z"), attempt("2026-03-01T12:00:00Z")]).await.unwrap();
        history.forget_before("2026-02-01".parse().unwrap()).await.unwrap();
        let days = history.totals("2025-01-01".parse().unwrap()).await.unwrap();
        assert_eq!(days.iter().map(|usage| usage.day.to_string()).collect::<Vec<_>>(), ["2026-03-01"]);
    }
}
