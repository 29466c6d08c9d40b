//! The schema of the database, its migrations, and how a connection is set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

/// Migrations in order. `user_version` counts those that have run. Add new ones at the end; never change one.
const MIGRATIONS: &[&str] = &[TURNS, LEDGER, SECURE_DELETE, TITLES, SUMMARIES];

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

/// Deleted words leave the search index at once, and prefixes of one to three letters have an index of their own, because a search
/// begins with one. The rebuild removes words of turns that were deleted before.
const SECURE_DELETE: &str = r#"
    DROP TABLE words;
    CREATE VIRTUAL TABLE words USING fts5 (
        transcript, answer, content = 'turns', tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3'
    );
    INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
    INSERT INTO words (words) VALUES ('rebuild');
    -- Turns that have not ended; the same expression as `row::UNFINISHED`.
    CREATE INDEX turns_unfinished ON turns (started_at) WHERE (instr(json, '"running":{"stage":') > 0);
    CREATE TABLE files_to_remove (path TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID; -- recordings of deleted turns
    CREATE TABLE repairs (
        at   INTEGER NOT NULL, -- microseconds since 1970
        json TEXT NOT NULL     -- what to tell the user
    );
"#;

/// The titles that the user gave sessions. Nothing else stored has rows of two texts, by which they are found in a damaged file.
const TITLES: &str = "CREATE TABLE titles (session TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL);";

/// The summaries of long sessions. The order of the columns differs from that of every other table, by which they are found in a
/// damaged file.
const SUMMARIES: &str = "
    CREATE TABLE summaries (
        session TEXT PRIMARY KEY NOT NULL,
        turns   INTEGER NOT NULL, -- how many turns it covers
        through TEXT NOT NULL,    -- the last of them
        summary TEXT NOT NULL
    );
";

/// Builds the search index anew from the turns.
pub(super) const REBUILD_INDEX: &str = "INSERT INTO words (words) VALUES ('rebuild')";

/// How long to wait for another process: the desktop app and the command line may use the file at the same time.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

/// A larger schema version than this is damage, not a newer AURA.
const PLAUSIBLE_VERSION: i64 = 1_000;

/// Why a database could not be opened.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// A newer version of AURA wrote it.
    Newer,
    /// SQLite failed.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for ConnectError {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Sqlite(cause)
    }
}

/// Opens or creates the database and migrates it to the newest schema.
pub(super) fn connect(path: &Path) -> Result<Connection, ConnectError> {
    create_private(path);
    let mut db = Connection::open(path)?;
    configure(&db)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    let version = version(&db)?;
    if version > known() {
        return Err(if version > PLAUSIBLE_VERSION { damaged().into() } else { ConnectError::Newer });
    }
    if (1..3).contains(&version) {
        // Earlier versions left deleted turns in free pages. Without room for the copy, they stay.
        if let Err(cause) = db.execute_batch("VACUUM") {
            tracing::warn!(%cause, "the history could not be compacted");
        }
    }
    migrate(&mut db)?;
    Ok(db)
}

/// Opens an existing database only to read it, beside the connection that writes.
pub(super) fn connect_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    configure(&db)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

/// An empty database in memory.
pub(super) fn in_memory() -> rusqlite::Result<Connection> {
    let mut db = Connection::open_in_memory()?;
    migrate(&mut db)?;
    Ok(db)
}

fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY_TIMEOUT)?;
    // A committed turn is on the disk, also after a power cut.
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "secure_delete", true)?;
    // No copies of turns in the temporary folder.
    db.pragma_update(None, "temp_store", "memory")
}

fn migrate(db: &mut Connection) -> rusqlite::Result<()> {
    // Without a write lock, so that AURA starts while another process writes.
    if version(db)? == known() {
        return Ok(());
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = usize::try_from(version(&transaction)?).unwrap_or(0);
    for (migration, version) in MIGRATIONS.iter().zip(1..).skip(done) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    transaction.commit()
}

fn version(db: &Connection) -> rusqlite::Result<i64> {
    let version = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version < 0 { Err(damaged()) } else { Ok(version) }
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn damaged() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB), None)
}

/// The definitions in a database, to compare with those of [`in_memory`].
pub(super) fn definitions(db: &Connection) -> rusqlite::Result<Vec<(String, Option<String>)>> {
    let mut rows = db.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")?;
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Creates the file for the current user alone. An existing one is not opened: closing it would release SQLite's locks.
pub(super) fn create_private(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // SQLite reports what is wrong.
    let _ = options.open(path);
}
