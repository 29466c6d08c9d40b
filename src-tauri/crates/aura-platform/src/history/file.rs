//! The database file: its schema, its versions, and what happens when it is damaged.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aura_core::error::{Code, Error, Result};
use rusqlite::{Connection, ErrorCode};

/// One step per version, in order; `user_version` counts the steps that were taken. Steps are never changed, only added.
const STEPS: &[&str] = &[TURNS, LEDGER];

const TURNS: &str = "
    CREATE TABLE turns (
        id         TEXT PRIMARY KEY NOT NULL,
        session    TEXT NOT NULL,
        started_at INTEGER NOT NULL, -- microseconds since 1970
        transcript TEXT NOT NULL,
        answer     TEXT NOT NULL,
        json       TEXT NOT NULL     -- the whole record
    );
    CREATE INDEX turns_by_time ON turns (started_at);
    CREATE INDEX turns_by_session ON turns (session, started_at);

    CREATE VIRTUAL TABLE words USING fts5 (transcript, answer, content = 'turns', tokenize = 'unicode61 remove_diacritics 2');
    CREATE TRIGGER turns_added AFTER INSERT ON turns BEGIN
        INSERT INTO words (rowid, transcript, answer) VALUES (new.rowid, new.transcript, new.answer);
    END;
    CREATE TRIGGER turns_removed AFTER DELETE ON turns BEGIN
        INSERT INTO words (words, rowid, transcript, answer) VALUES ('delete', old.rowid, old.transcript, old.answer);
    END;
    CREATE TRIGGER turns_changed AFTER UPDATE ON turns BEGIN
        INSERT INTO words (words, rowid, transcript, answer) VALUES ('delete', old.rowid, old.transcript, old.answer);
        INSERT INTO words (rowid, transcript, answer) VALUES (new.rowid, new.transcript, new.answer);
    END;
";

const LEDGER: &str = "
    CREATE TABLE attempts (
        id       INTEGER PRIMARY KEY,
        day      TEXT NOT NULL,    -- of this computer's time zone, YYYY-MM-DD
        provider TEXT NOT NULL,
        service  TEXT NOT NULL,
        json     TEXT NOT NULL     -- the whole entry
    );
    CREATE INDEX attempts_by_day ON attempts (day);
";

/// The window and the command line may use the file at the same time; one waits this long for the other.
const BUSY: Duration = Duration::from_secs(3);

/// An open database file.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    db: Connection,
}

impl File {
    /// Opens it and brings it to the newest schema. A damaged one is moved aside.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let db = match connect(path) {
            Err(cause) if damaged(&cause) => {
                set_aside(path, &cause)?;
                connect(path)
            }
            opened => opened,
        };
        let db = db.map_err(|cause| Error::storage("open the history", cause))?;
        let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
        let version = db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        if version.is_ok_and(|version| version > known) {
            return Err(Error::new(
                Code::Storage,
                format!(
                    "The history in {} was written by a newer AURA. Update this one, or set AURA_DATA_DIR to another folder.",
                    path.display()
                ),
            ));
        }
        Ok(Self { path: path.to_owned(), db })
    }

    /// Runs a piece of work. When it meets damage, the file is moved aside and the work runs once more on a fresh one.
    pub(super) fn run<T>(&mut self, doing: &str, work: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        match work(&self.db) {
            Err(cause) if damaged(&cause) => {
                // The file must be closed before it is moved.
                let memory = Connection::open_in_memory().map_err(|cause| Error::storage(doing, cause))?;
                drop(std::mem::replace(&mut self.db, memory));
                set_aside(&self.path, &cause)?;
                self.db = connect(&self.path).map_err(|cause| Error::storage(doing, cause))?;
                work(&self.db)
            }
            done => done,
        }
        .map_err(|cause| Error::storage(doing, cause))
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let mut db = Connection::open(path)?;
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    // With a write-ahead log this loses nothing in a crash of the program, and is much faster than the default.
    db.pragma_update(None, "synchronous", "normal")?;
    let change = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let taken: i64 = change.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (step, version) in STEPS.iter().zip(1..).skip(usize::try_from(taken).unwrap_or(0)) {
        change.execute_batch(step)?;
        change.pragma_update(None, "user_version", version)?;
    }
    change.commit()?;
    Ok(db)
}

fn damaged(cause: &rusqlite::Error) -> bool {
    matches!(cause.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Moves a damaged database out of the way; nothing is deleted, so that it can be repaired by hand.
fn set_aside(path: &Path, cause: &rusqlite::Error) -> Result<()> {
    let date = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
    let aside = path.with_file_name(format!("history.broken-{date}.db"));
    tracing::error!(%cause, file = %path.display(), kept = %aside.display(), "the history is damaged; it was kept and a new one started");
    std::fs::rename(path, &aside).map_err(|cause| Error::storage("move the damaged history aside", cause))?;
    for log in ["-wal", "-shm"] {
        let beside = |file: &Path| PathBuf::from(format!("{}{log}", file.display()));
        // There is none when the file was closed properly.
        let _ = std::fs::rename(beside(path), beside(&aside));
    }
    Ok(())
}
