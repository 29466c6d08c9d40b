//! Is the database whole? And what an error of SQLite means.

use aura_core::history_problem::MemoryReason;
use rusqlite::{Connection, ErrorCode};

use super::schema;

/// The state of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// Nothing is damaged.
    Whole,
    /// Only the search index is damaged; it can be rebuilt.
    IndexDamaged,
    /// Tables are damaged.
    Damaged,
}

/// The tables whose damage costs rows. All others belong to the search index.
const TABLES: [&str; 5] = ["sqlite_schema", "turns", "attempts", "files_to_remove", "repairs"];

/// Checks every page: the tables, their indexes, the structure of the search index, and the free list. When only the last two are
/// damaged, the index is to be rebuilt and the check repeated.
///
/// # Errors
/// When the check itself could not be made, for a reason other than damage.
pub(super) fn examine(db: &Connection) -> rusqlite::Result<Health> {
    let expected = schema::in_memory().and_then(|empty| schema::definitions(&empty))?;
    if !as_finding(schema::definitions(db).map(|found| found == expected))? {
        return Ok(Health::Damaged);
    }
    if is_whole(db, None)? {
        return Ok(Health::Whole);
    }
    for table in TABLES {
        if !is_whole(db, Some(table))? {
            return Ok(Health::Damaged);
        }
    }
    Ok(Health::IndexDamaged)
}

/// Compares the search index of a copy with its turns, and searches for each of its words, because SQLite's check does not look at
/// the table by which a search finds its page. Needs write access and takes seconds, so it is not for the database in use.
pub(super) fn is_index_right(copy: &Connection) -> rusqlite::Result<bool> {
    as_finding((|| {
        copy.execute_batch(
            "INSERT INTO words (words, rank) VALUES ('integrity-check', 1);
             CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab (main, words, row);",
        )?;
        let mut words = copy.prepare("SELECT term, doc FROM vocabulary")?;
        let mut search = copy.prepare("SELECT count(*) FROM words WHERE words MATCH ?1")?;
        let mut rows = words.query([])?;
        while let Some(row) = rows.next()? {
            let (word, turns): (String, i64) = (row.get(0)?, row.get(1)?);
            if search.query_one([format!("\"{word}\"")], |row| row.get::<_, i64>(0))? != turns {
                return Ok(false);
            }
        }
        Ok(true)
    })())
}

/// Checks one table, or the whole file.
fn is_whole(db: &Connection, table: Option<&str>) -> rusqlite::Result<bool> {
    let mut is_whole = true;
    let row = |row: &rusqlite::Row<'_>| {
        is_whole &= row.get_ref(0)?.as_bytes().unwrap_or_default() == b"ok";
        Ok(())
    };
    let checked = match table {
        Some(table) => db.pragma(None, "integrity_check", table, row),
        None => db.pragma_query(None, "integrity_check", row),
    };
    as_finding(checked.map(|()| is_whole))
}

/// Turns an error that damage causes into the finding.
fn as_finding(checked: rusqlite::Result<bool>) -> rusqlite::Result<bool> {
    match checked {
        Err(cause) if environment(&cause).is_none() => {
            tracing::debug!(%cause, "the check of the history failed");
            Ok(false)
        }
        other => other,
    }
}

/// Why SQLite failed, when the reason lies outside the database; `None` when the database may be damaged.
pub(super) fn environment(cause: &rusqlite::Error) -> Option<MemoryReason> {
    match cause.sqlite_error_code()? {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some(MemoryReason::Busy),
        ErrorCode::DiskFull => Some(MemoryReason::DiskFull),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            Some(MemoryReason::ReadOnly)
        }
        ErrorCode::CannotOpen
        | ErrorCode::SystemIoFailure
        | ErrorCode::OutOfMemory
        | ErrorCode::OperationInterrupted
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::NoLargeFileSupport => Some(MemoryReason::Unreadable),
        _ => None,
    }
}
