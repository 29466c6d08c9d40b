//! Deletion: of the rows, of the words in the search index, the log and the backups, and of the recordings.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aura_core::error::{Error, Result};
use aura_core::ports::{Deleted, Selection};
use rusqlite::{Connection, params};

use super::database::Database;
use super::{memory, row, schema, sessions};

const ACTION: &str = "delete turns from the history";

/// What a selection means: the ID of a turn or a session, or an empty text; and the times, in microseconds since 1970, both included.
struct Condition {
    sql: &'static str,
    id: String,
    from: i64,
    to: i64,
}

impl Condition {
    fn new(selection: &Selection) -> Self {
        let before = |time: &jiff::Timestamp| time.as_microsecond().saturating_sub(1);
        let (from, to) = match selection {
            Selection::Turn(_) | Selection::Session(_) | Selection::All => (i64::MIN, i64::MAX),
            Selection::Before(time) => (i64::MIN, before(time)),
            Selection::Between(from, time) => (from.as_microsecond(), before(time)),
        };
        // The columns of `turns` compared with the values.
        let (sql, id) = match selection {
            Selection::Turn(id) => ("id = ?1 AND started_at BETWEEN ?2 AND ?3", id.clone()),
            Selection::Session(id) => ("session = ?1 AND started_at BETWEEN ?2 AND ?3", id.clone()),
            _ => ("?1 = '' AND started_at BETWEEN ?2 AND ?3", String::new()),
        };
        Self { sql, id, from, to }
    }
}

/// Deletes turns, and every trace of them that AURA can reach. `interrupt` ends this process' check, which may read deleted turns.
///
/// # Errors
/// When the database fails; no turn is deleted then.
pub(super) fn delete(database: &mut Database, selection: &Selection, interrupt: impl Fn()) -> Result<Deleted> {
    let condition = Condition::new(selection);
    if !database.is_on_disk() {
        let on_disk = database
            .run(ACTION, |db| memory::holds_copy(db, condition.sql, &condition.id, condition.from, condition.to))?;
        if on_disk {
            return Err(Error::storage(ACTION, "the database on the disk cannot be changed now"));
        }
    }
    let whole = *selection == Selection::All;
    let (ids, oldest) = database.write(ACTION, |db| delete_rows(db, &condition, whole))?;
    if ids.is_empty() {
        return Ok(Deleted::default());
    }
    let oldest = Duration::from_micros(u64::try_from(oldest).unwrap_or(0));
    database.files.remove_copies(SystemTime::UNIX_EPOCH + oldest);
    let swept = sweep(database);
    interrupt();
    database.empty_log();
    let (files, files_left) = swept?;
    Ok(Deleted { ids, files, files_left })
}

/// Deletes the rows and remembers their recordings, in one transaction. Returns the IDs, and when the oldest turn began.
fn delete_rows(db: &Connection, condition: &Condition, whole: bool) -> rusqlite::Result<(Vec<String>, i64)> {
    let Condition { sql, id, from, to } = condition;
    let transaction = db.unchecked_transaction()?;
    let (mut ids, mut oldest) = (Vec::new(), i64::MAX);
    {
        let mut remember = transaction.prepare_cached("INSERT OR IGNORE INTO files_to_remove (path) VALUES (?1)")?;
        let mut found = transaction.prepare(&format!("SELECT {} FROM turns WHERE {sql}", row::COLUMNS))?;
        let mut rows = found.query(params![id, from, to])?;
        while let Some(row) = rows.next()? {
            oldest = oldest.min(row.get(2)?);
            ids.push(String::from_utf8_lossy(row.get_ref(0)?.as_bytes().unwrap_or_default()).into_owned());
            if let Some(turn) = row::read(row)? {
                for path in row::own_files(&turn) {
                    remember.execute([path.to_string_lossy()])?;
                }
            }
        }
    }
    if ids.is_empty() {
        return Ok((ids, oldest));
    }
    // A summary tells what its turns said, in other words.
    let summaries_of = format!("DELETE FROM summaries WHERE session IN (SELECT session FROM turns WHERE {sql})");
    transaction.execute(&summaries_of, params![id, from, to])?;
    if whole {
        // One statement per word would take minutes.
        let trigger: String =
            transaction
                .query_one("SELECT sql FROM sqlite_schema WHERE name = 'turns_removed'", [], |row| row.get(0))?;
        transaction.execute_batch("DROP TRIGGER turns_removed; DELETE FROM turns;")?;
        transaction.execute_batch(schema::REBUILD_INDEX)?;
        transaction.execute_batch(&trigger)?;
    } else {
        transaction.execute(&format!("DELETE FROM turns WHERE {sql}"), params![id, from, to])?;
    }
    transaction.execute(sessions::FORGET_TITLES, [])?;
    // They name a file that may be gone now.
    transaction.execute("DELETE FROM repairs", [])?;
    transaction.commit()?;
    Ok((ids, oldest))
}

/// Removes the recordings of deleted turns. Returns those that were removed, and those that could not be.
pub(super) fn sweep(database: &mut Database) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let paths: Vec<String> = database.run(ACTION, |db| {
        db.prepare_cached("SELECT path FROM files_to_remove")?.query_map([], |row| row.get(0))?.collect()
    })?;
    let (mut removed, mut left, mut done) = (Vec::new(), Vec::new(), Vec::new());
    for path in paths {
        match std::fs::remove_file(Path::new(&path)) {
            Ok(()) => removed.push(PathBuf::from(&path)),
            Err(cause) if cause.kind() == ErrorKind::NotFound => {}
            Err(cause) => {
                tracing::warn!(%cause, file = path, "a recording of a deleted turn could not be removed; it is tried again");
                left.push(PathBuf::from(path));
                continue;
            }
        }
        done.push(path);
    }
    if !done.is_empty() {
        database.write(ACTION, |db| {
            let transaction = db.unchecked_transaction()?;
            for path in &done {
                transaction.execute("DELETE FROM files_to_remove WHERE path = ?1", [path])?;
            }
            transaction.commit()
        })?;
    }
    Ok((removed, left))
}
