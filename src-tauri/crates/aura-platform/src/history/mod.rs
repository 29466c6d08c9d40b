//! The turns and the usage ledger, in one SQLite file.
//!
//! A thread of its own holds the connection, because SQLite blocks. Writes are awaited, so a saved turn is on disk.

mod file;
mod retention;

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use aura_core::error::{Error, Result};
use aura_core::ports::{History, TurnChange, TurnFilter};
use aura_core::record::TurnRecord;
use aura_providers::Service;
use aura_router::{DailyUsage, Ledger, LedgerEntry, LedgerError, UsageTotals};
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::{mpsc, oneshot};

use self::file::Database;

/// Queries that are queued for the database thread at most; callers wait when it is full.
const MAX_QUEUED_JOBS: usize = 64;

type Job = Box<dyn FnOnce(&mut Database) + Send>;

/// The history database, `history.db` in the data folder.
#[derive(Debug, Clone)]
pub struct SqliteHistory {
    jobs: mpsc::Sender<Job>,
}

impl SqliteHistory {
    /// Opens or creates the database in a folder. A damaged file is renamed, with an error in the log.
    ///
    /// # Errors
    /// The file cannot be opened or created, or a newer version of AURA wrote it.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut database = Database::open(&folder.join("history.db"))?;
        let (jobs, mut queue) = mpsc::channel::<Job>(MAX_QUEUED_JOBS);
        std::thread::Builder::new()
            .name("aura-history".into())
            .spawn(move || {
                // Ends when the last handle is dropped.
                while let Some(job) = queue.blocking_recv() {
                    job(&mut database);
                }
            })
            .map_err(|cause| Error::storage("open the history", cause))?;
        Ok(Self { jobs })
    }

    /// Runs a query on the database thread. `action` completes the sentence "AURA could not {action}."
    async fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        query: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, result) = oneshot::channel();
        let job: Job = Box::new(move |database| {
            // Fails when the caller was dropped.
            let _ = sender.send(database.run(action, query));
        });
        self.jobs.send(job).await.map_err(|_| Error::internal("the history thread has ended"))?;
        result.await.map_err(|_| Error::internal("the history thread ended unexpectedly"))?
    }
}

#[async_trait]
impl History for SqliteHistory {
    async fn save(&self, turn: &TurnRecord) -> Result<()> {
        let json = serde_json::to_string(turn).map_err(Error::internal)?;
        let (id, session, started) = (turn.id.clone(), turn.session.clone(), turn.started_at.as_microsecond());
        let (transcript, answer) = (turn.transcript.clone(), turn.answer.clone());
        self.run("save the turn to the history", move |db| {
            db.prepare_cached(
                "INSERT INTO turns (id, session, started_at, transcript, answer, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (id) DO UPDATE SET session = ?2, started_at = ?3, transcript = ?4, answer = ?5, json = ?6",
            )?
            .execute(params![id, session, started, transcript, answer, json])
            .map(drop)
        })
        .await
    }

    async fn find(&self, filter: &TurnFilter) -> Result<Vec<TurnRecord>> {
        let TurnFilter { session, words, before, limit } = filter.clone();
        let query = words.as_deref().map(as_query);
        if query.as_deref() == Some("") {
            return Ok(Vec::new());
        }
        self.run("read the history", move |db| {
            // Two statements, because SQLite does not use the session index for `?1 IS NULL OR session = ?1`.
            let of_session = if session.is_some() { "session = ?1" } else { "?1 IS NULL" };
            let mut rows = db.prepare_cached(&format!(
                "SELECT json FROM turns
                 WHERE {of_session}
                   AND (?2 IS NULL OR rowid IN (SELECT rowid FROM words WHERE words MATCH ?2))
                   AND (?3 IS NULL OR (started_at, id) < (SELECT started_at, id FROM turns WHERE id = ?3))
                 ORDER BY started_at DESC, id DESC LIMIT ?4"
            ))?;
            let found = rows.query_map(params![session, query, before, limit], |row| row.get::<_, String>(0))?;
            found.collect::<Result<Vec<_>, _>>()
        })
        .await
        .map(parse)
    }

    async fn get(&self, id: &str) -> Result<Option<TurnRecord>> {
        let id = id.to_owned();
        self.run("read the history", move |db| {
            db.prepare_cached("SELECT json FROM turns WHERE id = ?1")?
                .query_row([&id], |row| row.get::<_, String>(0))
                .optional()
        })
        .await
        .map(|found| parse(found).pop())
    }

    async fn delete(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.run("delete the turn from the history", move |db| {
            db.prepare_cached("DELETE FROM turns WHERE id = ?1")?.execute([&id]).map(drop)
        })
        .await
    }

    async fn edit(&self, id: &str, change: TurnChange) -> Result<bool> {
        self.edit_turn(id.to_owned(), change).await
    }

    async fn delete_before(&self, time: jiff::Timestamp) -> Result<()> {
        self.delete_turns_before(time).await
    }
}

/// A full-text query that matches every word as a prefix. The words are quoted, so they never count as search syntax.
fn as_query(words: &str) -> String {
    let quoted: Vec<String> =
        words.split_whitespace().map(|word| format!("\"{}\"*", word.replace('"', "\"\""))).collect();
    quoted.join(" ")
}

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
        self.run("save the usage", move |db| {
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

    async fn forget_before(&self, day: Date) -> Result<(), LedgerError> {
        self.delete_attempts_before(day).await.map_err(|error| LedgerError(error.message))
    }
}

/// Parses rows into turns. A row that cannot be parsed, perhaps written by another version, is skipped.
fn parse(rows: impl IntoIterator<Item = String>) -> Vec<TurnRecord> {
    rows.into_iter()
        .filter_map(|row| match serde_json::from_str(&row) {
            Ok(turn) => Some(turn),
            Err(cause) => {
                tracing::warn!(%cause, "a turn in the history cannot be read and is skipped");
                None
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(id: &str, session: &str, second: i64, transcript: &str, answer: &str) -> TurnRecord {
        TurnRecord {
            id: id.into(),
            session: session.into(),
            started_at: jiff::Timestamp::from_second(second).unwrap(),
            transcript: transcript.into(),
            answer: answer.into(),
            spoken: answer.into(),
            interrupted: false,
            error: None,
            stages: vec![],
            notices: vec![],
            question_audio: None,
            answer_audio: None,
            recordings_deleted: None,
            seen: None,
            picture: None,
            first_sound_ms: Some(321),
        }
    }

    fn newest(limit: u32) -> TurnFilter {
        TurnFilter { limit, ..TurnFilter::default() }
    }

    fn holding(words: &str) -> TurnFilter {
        TurnFilter { words: Some(words.into()), ..newest(10) }
    }

    fn ids(turns: &[TurnRecord]) -> Vec<&str> {
        turns.iter().map(|turn| turn.id.as_str()).collect()
    }

    #[tokio::test]
    async fn turns_are_saved_replaced_listed_and_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let history = SqliteHistory::open(folder.path()).unwrap();
        for (id, session, second) in [("a", "x", 10), ("b", "y", 30), ("c", "x", 20)] {
            history.save(&turn(id, session, second, "question", "answer")).await.unwrap();
        }
        assert_eq!(ids(&history.find(&newest(10)).await.unwrap()), ["b", "c", "a"]);
        assert_eq!(ids(&history.find(&newest(2)).await.unwrap()), ["b", "c"]);
        assert_eq!(
            ids(&history.find(&TurnFilter { session: Some("x".into()), ..newest(10) }).await.unwrap()),
            ["c", "a"]
        );

        let before = |id: &str| TurnFilter { before: Some(id.into()), ..newest(10) };
        assert_eq!(ids(&history.find(&before("b")).await.unwrap()), ["c", "a"]);
        assert_eq!(ids(&history.find(&before("a")).await.unwrap()), Vec::<&str>::new());

        let better = turn("a", "x", 10, "question", "a better answer");
        history.save(&better).await.unwrap();
        assert_eq!(history.get("a").await.unwrap(), Some(better));
        history.delete("a").await.unwrap();
        history.delete("a").await.unwrap();
        assert_eq!(history.get("a").await.unwrap(), None);
    }

    #[tokio::test]
    async fn turns_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let saved = turn("a", "x", 10, "What is this?", "A lamp.");
        SqliteHistory::open(folder.path()).unwrap().save(&saved).await.unwrap();
        assert_eq!(SqliteHistory::open(folder.path()).unwrap().get("a").await.unwrap(), Some(saved));
    }

    #[tokio::test]
    async fn search_finds_word_prefixes_and_follows_changes() {
        let folder = tempfile::tempdir().unwrap();
        let history = SqliteHistory::open(folder.path()).unwrap();
        history.save(&turn("a", "x", 1, "What is the weather?", "Rain in the evening.")).await.unwrap();
        history.save(&turn("b", "x", 2, "And tomorrow?", "The weather clears.")).await.unwrap();
        assert_eq!(ids(&history.find(&holding("weath")).await.unwrap()), ["b", "a"]);
        assert_eq!(ids(&history.find(&holding("weather RAIN")).await.unwrap()), ["a"]);
        assert_eq!(ids(&history.find(&holding("\"rain OR (")).await.unwrap()), Vec::<&str>::new());
        assert_eq!(ids(&history.find(&holding(" ")).await.unwrap()), Vec::<&str>::new());

        history.save(&turn("a", "x", 1, "What is the time?", "Noon.")).await.unwrap();
        history.delete("b").await.unwrap();
        assert_eq!(ids(&history.find(&holding("weather")).await.unwrap()), Vec::<&str>::new());
        assert_eq!(ids(&history.find(&holding("noon")).await.unwrap()), ["a"]);
    }

    #[tokio::test]
    async fn usage_is_added_up_by_day_provider_and_service() {
        use aura_providers::{FailureKind, Usage};
        use aura_router::{Attempt, Cost, CostBasis, Route};

        let folder = tempfile::tempdir().unwrap();
        let attempt = |provider: &str, kind| Attempt {
            service: Service::Llm,
            route: Route { provider: provider.into(), model: "m".into(), voice: None },
            ms: 1,
            first_ms: None,
            kind,
            message: None,
            usage: Usage { input_tokens: Some(10), ..Usage::default() },
            cost: Cost { usd: Some(0.5), basis: CostBasis::Priced },
        };
        let entry = |at: &str, attempt| LedgerEntry { at: at.parse().unwrap(), attempt };
        let history = SqliteHistory::open(folder.path()).unwrap();
        let entries = [
            entry("2026-10-31T12:00:00Z", attempt("groq", None)),
            entry("2026-11-02T12:00:00Z", attempt("groq", None)),
            entry("2026-11-02T12:00:01Z", attempt("groq", Some(FailureKind::Timeout))),
            entry("2026-11-02T12:00:02Z", attempt("gemini", None)),
        ];
        history.add(&entries).await.unwrap();
        drop(history);
        let history = SqliteHistory::open(folder.path()).unwrap();
        let daily = history.totals("2026-11-01".parse().unwrap()).await.unwrap();
        let figures: Vec<_> = daily
            .iter()
            .map(|line| {
                (
                    line.provider.as_str(),
                    line.totals.attempts,
                    line.totals.failed,
                    line.totals.input_tokens,
                    line.totals.usd,
                )
            })
            .collect();
        assert_eq!(figures, [("gemini", 1, 0, 10, 0.5), ("groq", 2, 1, 20, 1.0)]);
    }

    #[tokio::test]
    async fn a_damaged_file_is_renamed_when_it_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("history.db"), vec![b'x'; 9000]).unwrap();
        let history = SqliteHistory::open(folder.path()).unwrap();
        history.save(&turn("a", "x", 1, "q", "a")).await.unwrap();
        assert_eq!(renamed(folder.path()), 1);
    }

    #[tokio::test]
    async fn a_damaged_file_is_renamed_when_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let history = SqliteHistory::open(folder.path()).unwrap();
        for n in 0..200 {
            history.save(&turn(&format!("t{n}"), "x", n, "question", &"words ".repeat(200))).await.unwrap();
        }
        drop(history);
        // The database thread closes the file and merges the log into it.
        std::thread::sleep(std::time::Duration::from_millis(300));
        // The header stays intact, so that the damage is found only when the pages are read.
        let path = folder.path().join("history.db");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[40_960..].fill(0x5a);
        std::fs::write(&path, bytes).unwrap();

        let history = SqliteHistory::open(folder.path()).unwrap();
        assert_eq!(history.find(&newest(500)).await.unwrap(), vec![]);
        history.save(&turn("new", "x", 1, "q", "a")).await.unwrap();
        assert_eq!(ids(&history.find(&newest(10)).await.unwrap()), ["new"]);
        assert_eq!(renamed(folder.path()), 1);
    }

    #[tokio::test]
    async fn a_file_of_a_newer_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
        let error = SqliteHistory::open(folder.path()).unwrap_err();
        assert!(error.message.contains("newer AURA"), "{}", error.message);
        assert_eq!(renamed(folder.path()), 0);
    }

    fn renamed(folder: &Path) -> usize {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("history.broken-") && name.ends_with(".db")).count()
    }
}
