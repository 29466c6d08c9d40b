//! The turns and the usage ledger, in one SQLite file.
//!
//! A thread of its own holds the connection, because SQLite blocks. Writes are awaited, so a saved turn is on the disk. A second thread
//! checks the database for damage after the start, and makes a backup of it once a day and after deletions.

mod backup;
mod check;
mod database;
mod deletion;
mod edit;
mod files;
mod ledger;
mod lock;
mod memory;
mod pages;
mod row;
mod salvage;
mod schema;
mod sessions;
mod summaries;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use aura_core::error::{Error, Result};
use aura_core::history_problem::HistoryProblem;
use aura_core::ports::{Deleted, History, Selection, SessionFilter, TurnChange, TurnFilter};
use aura_core::record::TurnRecord;
use aura_core::session::{SessionSummary, SessionView};
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::{mpsc, oneshot, watch};

use self::backup::Interrupt;
use self::check::Health;
use self::database::Database;
use self::files::Files;
use self::row::UNFINISHED;

/// Queries that are queued for the database thread at most; callers wait when it is full.
const MAX_QUEUED_JOBS: usize = 64;

type Job = Box<dyn FnOnce(&mut Database) + Send>;

/// The history database, `history.db` in the data folder.
#[derive(Debug, Clone)]
pub struct SqliteHistory {
    jobs: mpsc::Sender<Job>,
    /// Asks for a new backup. One waiting request is enough.
    renewals: mpsc::Sender<()>,
    interrupt: Arc<Interrupt>,
    problem: watch::Receiver<Option<HistoryProblem>>,
    /// Whether the first check is over.
    checked: watch::Receiver<bool>,
}

impl SqliteHistory {
    /// Opens or creates the database in a folder. A damaged one is repaired; one that cannot be used is replaced by one in memory until
    /// the disk works again. [`History::problem`] tells about both.
    ///
    /// # Errors
    /// When not even a database in memory can be made, or a thread cannot be started.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut database = Database::open(folder)?;
        let (files, problem) = (database.files.clone(), database.problem());
        let is_memory = !database.is_on_disk();
        let (jobs, mut queue) = mpsc::channel::<Job>(MAX_QUEUED_JOBS);
        let failed = |cause| Error::storage("open the history", cause);
        std::thread::Builder::new()
            .name("aura-history".into())
            .spawn(move || {
                if let Err(error) = deletion::sweep(&mut database) {
                    tracing::warn!(%error, "recordings of deleted turns could not be removed");
                }
                // Ends when the last handle is dropped.
                while let Some(job) = queue.blocking_recv() {
                    job(&mut database);
                }
                if let Err(error) = database.close() {
                    tracing::warn!(%error, "the history could not be closed");
                }
            })
            .map_err(failed)?;
        let (renewals, requests) = mpsc::channel(1);
        let (is_checked, checked) = watch::channel(is_memory);
        let interrupt = Arc::new(Interrupt::default());
        let checker = Checker { files, jobs: jobs.downgrade(), requests, is_checked, interrupt: interrupt.clone() };
        std::thread::Builder::new().name("aura-history-check".into()).spawn(|| checker.run()).map_err(failed)?;
        Ok(Self { jobs, renewals, interrupt, problem, checked })
    }

    /// Runs a job on the database thread.
    async fn job<T: Send + 'static>(&self, job: impl FnOnce(&mut Database) -> Result<T> + Send + 'static) -> Result<T> {
        let (sender, result) = oneshot::channel();
        let job: Job = Box::new(move |database| {
            // Fails when the caller was dropped.
            let _ = sender.send(job(database));
        });
        self.jobs.send(job).await.map_err(|_| Error::internal("the history thread has ended"))?;
        result.await.map_err(|_| Error::internal("the history thread ended unexpectedly"))?
    }

    /// Runs a query on the database thread. `action` completes the sentence "AURA could not {action}."
    async fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        query: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.job(move |database| database.run(action, query)).await
    }

    /// Runs a query that writes on the database thread.
    async fn write<T: Send + 'static>(
        &self,
        action: &'static str,
        query: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.job(move |database| {
            let done = database.write(action, query);
            if database.log_is_due {
                database.empty_log();
            }
            done
        })
        .await
    }
}

/// The thread that checks the database and makes backups.
struct Checker {
    files: Files,
    jobs: mpsc::WeakSender<Job>,
    requests: mpsc::Receiver<()>,
    is_checked: watch::Sender<bool>,
    interrupt: Arc<Interrupt>,
}

impl Checker {
    fn run(mut self) {
        let mut renew = false;
        // Without a database on the disk, there is nothing to check before the first deletion on it.
        if *self.is_checked.borrow() && self.requests.blocking_recv().is_none() {
            return;
        }
        loop {
            let mut health = backup::inspect(&self.files, renew, &self.interrupt);
            if health.is_some_and(|health| health != Health::Whole) && self.repair() {
                // There may be no backup yet.
                health = backup::inspect(&self.files, renew, &self.interrupt);
            }
            if health.is_some() {
                self.is_checked.send_replace(true);
            }
            // A deletion asks for a new backup. Ends when the last handle of the history is dropped.
            if self.requests.blocking_recv().is_none() {
                return;
            }
            renew = true;
        }
    }

    /// Lets the database thread repair the database, and waits for it.
    fn repair(&self) -> bool {
        let (sender, repaired) = oneshot::channel();
        let job: Job = Box::new(move |database| {
            let _ = sender.send(database.repair(None));
        });
        let sent = self.jobs.upgrade().is_some_and(|jobs| jobs.blocking_send(job).is_ok());
        match sent.then(|| repaired.blocking_recv()) {
            Some(Ok(Ok(repaired))) => repaired,
            Some(Ok(Err(error))) => {
                tracing::error!(%error, "the damaged history could not be repaired");
                false
            }
            _ => false,
        }
    }
}

#[async_trait]
impl History for SqliteHistory {
    async fn save(&self, turn: &TurnRecord) -> Result<()> {
        let json = serde_json::to_string(turn).map_err(Error::internal)?;
        let (id, session, started) = (turn.id.clone(), turn.session.clone(), turn.started_at.as_microsecond());
        let (transcript, answer) = (turn.transcript.clone(), turn.answer.clone());
        self.write("save the turn to the history", move |db| {
            db.prepare_cached(row::UPSERT)?.execute(params![id, session, started, transcript, answer, json]).map(drop)
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
                "SELECT {} FROM turns
                 WHERE {of_session}
                   AND NOT {UNFINISHED}
                   AND (?2 IS NULL OR rowid IN (SELECT rowid FROM words WHERE words MATCH ?2))
                   AND (?3 IS NULL OR (started_at, id) < (SELECT started_at, id FROM turns WHERE id = ?3))
                 ORDER BY started_at DESC, id DESC LIMIT ?4",
                row::COLUMNS
            ))?;
            let found = rows.query_map(params![session, query, before, limit], row::read)?;
            found.filter_map(Result::transpose).collect()
        })
        .await
    }

    async fn sessions(&self, filter: &SessionFilter) -> Result<Vec<SessionView>> {
        let filter = filter.clone();
        let query = filter.words.as_deref().map(as_query);
        self.run("read the history", move |db| sessions::find(db, &filter, query.as_deref())).await
    }

    async fn rename_session(&self, id: &str, title: &str) -> Result<bool> {
        let (id, title) = (id.to_owned(), title.to_owned());
        self.write("rename the conversation", move |db| sessions::rename(db, &id, &title)).await
    }

    async fn summaries(&self, session: Option<&str>) -> Result<Vec<SessionSummary>> {
        let session = session.map(str::to_owned);
        self.run("read the history", move |db| summaries::find(db, session.as_deref())).await
    }

    async fn save_summary(&self, summary: &SessionSummary, replaced: Option<&str>, of: &[String]) -> Result<bool> {
        let (summary, replaced, of) = (summary.clone(), replaced.map(str::to_owned), of.to_vec());
        self.write("save the summary of a conversation", move |db| {
            summaries::save(db, &summary, replaced.as_deref(), &of)
        })
        .await
    }

    async fn get(&self, id: &str) -> Result<Option<TurnRecord>> {
        let id = id.to_owned();
        self.run("read the history", move |db| {
            db.prepare_cached(&format!("SELECT {} FROM turns WHERE id = ?1", row::COLUMNS))?
                .query_row([&id], row::read)
                .optional()
        })
        .await
        .map(Option::flatten)
    }

    async fn unfinished(&self) -> Result<Vec<TurnRecord>> {
        self.run("read the history", |db| {
            let mut rows = db.prepare_cached(&format!("SELECT {} FROM turns WHERE {UNFINISHED}", row::COLUMNS))?;
            rows.query_map([], row::read)?.filter_map(Result::transpose).collect()
        })
        .await
    }

    async fn unknown(&self, ids: Vec<String>) -> Result<Vec<String>> {
        self.run("read the history", move |db| {
            let mut row = db.prepare_cached("SELECT 1 FROM turns WHERE id = ?1")?;
            let mut unknown = Vec::new();
            for id in &ids {
                if !row.exists([id])? {
                    unknown.push(id.clone());
                }
            }
            Ok(unknown)
        })
        .await
    }

    async fn discard(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.write("remove the turn from the history", move |db| {
            db.prepare_cached("DELETE FROM turns WHERE id = ?1")?.execute([&id]).map(drop)
        })
        .await
    }

    async fn edit(&self, id: &str, change: TurnChange) -> Result<bool> {
        self.edit_turn(id.to_owned(), change).await
    }

    async fn delete(&self, selection: &Selection) -> Result<Deleted> {
        let (selection, interrupt, renewals) = (selection.clone(), self.interrupt.clone(), self.renewals.clone());
        self.job(move |database| {
            // The check would keep deleted words in the log, and copy them. It begins again below.
            let deleted = deletion::delete(database, &selection, || interrupt.now());
            if deleted.as_ref().is_ok_and(|deleted| deleted.ids.is_empty()) {
                return deleted;
            }
            // Fails when a request waits already.
            let _ = renewals.try_send(());
            deleted
        })
        .await
    }

    fn problem(&self) -> watch::Receiver<Option<HistoryProblem>> {
        self.problem.clone()
    }

    async fn checked(&self) {
        // Fails when the check was interrupted because the program ends.
        let _ = self.checked.clone().wait_for(|checked| *checked).await;
    }

    async fn close(&self) {
        self.interrupt.for_good();
        self.checked().await;
        if let Err(error) = self.job(Database::close).await {
            tracing::warn!(%error, "the history could not be closed");
        }
    }
}

/// A full-text query that matches every word as a prefix. The words are quoted, so they never count as search syntax.
fn as_query(words: &str) -> String {
    let quoted: Vec<String> =
        words.split_whitespace().map(|word| format!("\"{}\"*", word.replace('"', "\"\""))).collect();
    quoted.join(" ")
}
