//! Changes of saved turns.

use aura_core::error::Result;
use aura_core::ports::TurnChange;
use aura_core::record::TurnRecord;
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
}

#[cfg(test)]
mod tests {
    use aura_core::ports::{History, Selection};
    use jiff::Timestamp;
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
        history.delete(&Selection::Turn("a".into())).await.unwrap();
        assert!(!history.edit("a", change()).await.unwrap());
        assert_eq!(history.get("a").await.unwrap(), None, "it does not come back");
    }
}
