//! The database file: schema, migrations, and recovery from damage.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aura_core::error::{Error, ErrorCode, Result};
use rusqlite::{Connection, ErrorCode as SqliteCode};

/// Migrations in order. `user_version` counts those that have run. Add new ones at the end; never change one.
const MIGRATIONS: &[&str] = &[TURNS, LEDGER];

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

/// Whether a turn has not ended: its record has the object `running`. No text contains this, because JSON escapes quotes. Derived from
/// the record, so that any version of AURA can write the row.
pub(super) const UNFINISHED: &str = r#"(instr(json, '"running":{"stage":') > 0)"#;

/// How long to wait for another process: the desktop app and the command line may use the file at the same time.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    db: Connection,
}

impl Database {
    /// Opens the file and migrates it to the newest schema. A damaged file is renamed and replaced by an empty one.
    ///
    /// # Errors
    /// The file cannot be opened or created, or a newer version of AURA wrote it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let db = match connect(path) {
            Err(cause) if is_damaged(&cause) => {
                move_aside(path, &cause)?;
                connect(path)
            }
            opened => opened,
        };
        let db = db.map_err(|cause| Error::storage("open the history", cause))?;
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        let version = db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        if version.is_ok_and(|version| version > known) {
            return Err(Error::new(
                ErrorCode::Storage,
                format!(
                    "The history in {} was written by a newer AURA. Update AURA, or set AURA_DATA_DIR to another folder.",
                    path.display()
                ),
            ));
        }
        Ok(Self { path: path.to_owned(), db })
    }

    /// Runs a query. If the file turns out to be damaged, it is renamed and the query runs again on an empty database. `action`
    /// completes the sentence "AURA could not {action}."
    pub(super) fn run<T>(&mut self, action: &str, query: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        match query(&self.db) {
            Err(cause) if is_damaged(&cause) => {
                // Closes the file before it is renamed.
                let memory = Connection::open_in_memory().map_err(|cause| Error::storage(action, cause))?;
                drop(std::mem::replace(&mut self.db, memory));
                move_aside(&self.path, &cause)?;
                self.db = connect(&self.path).map_err(|cause| Error::storage(action, cause))?;
                query(&self.db)
            }
            done => done,
        }
        .map_err(|cause| Error::storage(action, cause))
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let mut db = Connection::open(path)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    // With a write-ahead log, a crash of the program loses nothing, and this is much faster than the default.
    db.pragma_update(None, "synchronous", "normal")?;
    let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (migration, version) in MIGRATIONS.iter().zip(1..).skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    // No migration: a version of AURA that does not know this index keeps it up to date all the same. A newer one's file is left alone.
    if usize::try_from(version).is_ok_and(|version| version <= MIGRATIONS.len()) {
        transaction.execute_batch(&format!(
            "CREATE INDEX IF NOT EXISTS turns_unfinished ON turns (started_at) WHERE {UNFINISHED}"
        ))?;
    }
    transaction.commit()?;
    Ok(db)
}

/// Whether the error means that the file is not a valid database.
fn is_damaged(cause: &rusqlite::Error) -> bool {
    matches!(cause.sqlite_error_code(), Some(SqliteCode::DatabaseCorrupt | SqliteCode::NotADatabase))
}

/// Renames a damaged database, so that it can be repaired by hand.
fn move_aside(path: &Path, cause: &rusqlite::Error) -> Result<()> {
    let date = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
    let renamed = path.with_file_name(format!("history.broken-{date}.db"));
    tracing::error!(%cause, file = %path.display(), kept = %renamed.display(), "the history is damaged; it was renamed and a new one was started");
    std::fs::rename(path, &renamed).map_err(|cause| Error::storage("rename the damaged history", cause))?;
    for log in ["-wal", "-shm"] {
        let beside = |file: &Path| PathBuf::from(format!("{}{log}", file.display()));
        // Fails when the database was closed properly, which removes these files.
        let _ = std::fs::rename(beside(path), beside(&renamed));
    }
    Ok(())
}
