//! Makes a new database from a damaged one: every row that can be read, then what is missing from the newest backup.

use std::path::Path;

use aura_core::error::{Error, Result};
use aura_core::history_problem::HistoryProblem;
use aura_core::record::TurnRecord;
use rusqlite::{Connection, OptionalExtension, params};

use super::files::{Files, beside, identity, remove_database};
use super::pages::{Pages, Record, Value};
use super::{row, schema, sessions, summaries};

const ACTION: &str = "repair the history";

/// What was carried over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Salvaged {
    /// Turns in the new database.
    turns: u64,
    /// How many of them came from a backup.
    from_backup: u64,
}

/// Replaces the damaged database by a repaired one. The caller holds the folder's lock alone, and has closed the database.
///
/// A crash at any point loses nothing: the repaired database is complete and synced before the damaged one is moved, and
/// [`finish`] completes what was begun.
///
/// # Errors
/// When the new database cannot be written. The damaged one stays where it is.
pub(super) fn replace(files: &Files) -> Result<HistoryProblem> {
    let (broken, database) = (files.broken(), files.database());
    let log = if beside(&broken, "-wal").exists() { beside(&broken, "-wal") } else { beside(&database, "-wal") };
    let unfinished = files.unfinished("repair");
    let written = (|| {
        let mut new = open_new(&unfinished)?;
        let mut salvaged = copy_readable(&mut new, &database, &log)?;
        copy_from_backup(&new, files, &mut salvaged);
        let problem =
            HistoryProblem::Repaired { turns: salvaged.turns, from_backup: salvaged.from_backup, kept: broken.clone() };
        report(&new, &problem).map_err(|cause| Error::storage(ACTION, cause))?;
        close(new)?;
        Ok(problem)
    })();
    let problem = match written.and_then(|problem| publish(files, &unfinished).map(|()| problem)) {
        Ok(problem) => problem,
        Err(error) => {
            remove_database(&unfinished);
            return Err(error);
        }
    };
    tracing::error!(%problem, "the history was damaged and repaired");
    set_aside_and_move_in(files, &broken)?;
    Ok(problem)
}

/// Completes a repair that was interrupted. The caller holds the folder's lock alone.
///
/// # Errors
/// When a file cannot be renamed.
pub(super) fn finish(files: &Files) -> Result<()> {
    if !files.repaired().exists() {
        return Ok(());
    }
    let broken = files.broken();
    set_aside_and_move_in(files, &broken)?;
    // Another process may have used the damaged database after the repaired one was written.
    let merged =
        schema::connect(&files.database()).map_err(|_| Error::internal("the repaired history cannot be opened"));
    copy_readable(&mut merged?, &broken, &beside(&broken, "-wal")).map(drop)
}

fn set_aside_and_move_in(files: &Files, broken: &Path) -> Result<()> {
    files
        .set_aside(broken)
        .and_then(|()| std::fs::rename(files.repaired(), files.database()))
        .map_err(|cause| Error::storage(ACTION, cause))?;
    files.sync();
    Ok(())
}

/// Gives the complete database its name.
fn publish(files: &Files, unfinished: &Path) -> Result<()> {
    std::fs::File::open(unfinished)
        .and_then(|file| file.sync_all())
        .and_then(|()| std::fs::rename(unfinished, files.repaired()))
        .map_err(|cause| Error::storage(ACTION, cause))?;
    files.sync();
    Ok(())
}

fn open_new(path: &Path) -> Result<Connection> {
    schema::connect(path).map_err(|cause| Error::storage(ACTION, format!("{cause:?}")))
}

/// Closes the new database, so that its log is merged into it.
fn close(new: Connection) -> Result<()> {
    let path = new.path().map(str::to_owned);
    new.close().map_err(|(_, cause)| Error::storage(ACTION, cause))?;
    let log = path.map(|path| beside(Path::new(&path), "-wal"));
    match log.is_some_and(|log| log.exists()) {
        true => Err(Error::storage(ACTION, "the log of the new database remains")),
        false => Ok(()),
    }
}

/// Copies every row of the damaged file that can be read and is not there yet.
fn copy_readable(new: &mut Connection, damaged: &Path, log: &Path) -> Result<Salvaged> {
    let mut salvaged = Salvaged::default();
    // Without a readable file, the backup is all there is.
    let Ok(mut pages) = Pages::open(damaged, log) else { return Ok(salvaged) };
    let copied = (|| {
        let transaction = new.transaction()?;
        pages.each_record(|record| {
            if let Some(turn) = row::recover(&record) {
                row::insert(&transaction, &turn)?;
            } else if let Some([day, provider, service, json]) = attempt(&record) {
                transaction
                    .prepare_cached(
                        "INSERT OR IGNORE INTO attempts (id, day, provider, service, json) VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute(params![record.rowid, day, provider, service, json])?;
            } else if let Some([session, title]) = title(&record) {
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO titles (session, title) VALUES (?1, ?2)")?
                    .execute([session, title])?;
            } else if let Some(summary) = summaries::recover(&record) {
                summaries::add(&transaction, &summary)?;
            }
            Ok::<_, rusqlite::Error>(())
        })?;
        transaction.execute(sessions::FORGET_TITLES, [])?;
        transaction.execute(summaries::FORGET, [])?;
        salvaged.turns = count(&transaction)?;
        transaction.commit()
    })();
    copied.map_err(|cause| Error::storage(ACTION, cause))?;
    Ok(salvaged)
}

/// The columns of an entry of the ledger; the first is the row's ID, which SQLite stores as NULL.
fn attempt(record: &Record) -> Option<[&str; 4]> {
    let [Value::Other, columns @ ..] = &record.columns[..] else { return None };
    let texts: Vec<&str> = columns
        .iter()
        .filter_map(|column| if let Value::Text(text) = column { std::str::from_utf8(text).ok() } else { None })
        .collect();
    let [day, provider, service, json] = <[&str; 4]>::try_from(texts).ok()?;
    day.parse::<jiff::civil::Date>().ok()?;
    Some([day, provider, service, json])
}

/// The columns of a session's title.
fn title(record: &Record) -> Option<[&str; 2]> {
    let [Value::Text(session), Value::Text(title)] = &record.columns[..] else { return None };
    Some([std::str::from_utf8(session).ok()?, std::str::from_utf8(title).ok()?])
}

/// Adds the turns and attempts that only the newest usable backup has. Deleted ones are in no backup.
fn copy_from_backup(new: &Connection, files: &Files, salvaged: &mut Salvaged) {
    for backup in files.backups() {
        let copied = (|| {
            new.execute("ATTACH ?1 AS backup", [backup.to_string_lossy()])?;
            let copied = new.execute_batch(&format!(
                "INSERT OR IGNORE INTO main.turns ({0}) SELECT {0} FROM backup.turns;
                 INSERT OR IGNORE INTO main.attempts (id, day, provider, service, json)
                     SELECT id, day, provider, service, json FROM backup.attempts;",
                row::COLUMNS
            ));
            // A backup of an earlier version has none.
            let _ = new.execute_batch(
                "INSERT OR IGNORE INTO main.titles (session, title) SELECT session, title FROM backup.titles;",
            );
            let _ = new.execute_batch(summaries::ADD_FROM_BACKUP);
            new.execute_batch("DETACH backup")?;
            new.execute(summaries::FORGET, [])?;
            copied?;
            count(new)
        })();
        match copied {
            Ok(turns) => {
                salvaged.from_backup = turns - salvaged.turns;
                salvaged.turns = turns;
                return;
            }
            Err(cause) => tracing::warn!(%cause, file = %backup.display(), "a backup of the history cannot be used"),
        }
    }
}

fn count(db: &Connection) -> rusqlite::Result<u64> {
    db.query_one("SELECT count(*) FROM turns", [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

/// How long a repair is reported, in days.
const REPORTED_DAYS: i64 = 3;

/// Remembers what the user must know.
pub(super) fn report(db: &Connection, problem: &HistoryProblem) -> rusqlite::Result<()> {
    let json = serde_json::to_string(problem).map_err(|cause| rusqlite::Error::ToSqlConversionFailure(cause.into()))?;
    db.execute("INSERT INTO repairs (at, json) VALUES (?1, ?2)", params![jiff::Timestamp::now().as_microsecond(), json])
        .map(drop)
}

/// The newest repair of the last days.
pub(super) fn reported(db: &Connection) -> Option<HistoryProblem> {
    let oldest = jiff::Timestamp::now().as_microsecond() - REPORTED_DAYS * 86_400_000_000;
    let found = db.query_row("SELECT json FROM repairs WHERE at >= ?1 ORDER BY at DESC LIMIT 1", [oldest], |row| {
        row.get::<_, String>(0)
    });
    serde_json::from_str(&found.optional().ok()??).ok()
}

/// The newest turns of a database that SQLite cannot open or write, for the history in memory.
pub(super) fn newest_turns(files: &Files, limit: usize) -> Vec<TurnRecord> {
    let database = files.database();
    let Ok(mut pages) = Pages::open(&database, &beside(&database, "-wal")) else { return Vec::new() };
    let mut newest = std::collections::BTreeMap::new();
    let _ = pages.each_record(|record| {
        if let Some(turn) = row::recover(&record) {
            newest.insert((turn.started_at, turn.id.clone()), turn);
            if newest.len() > limit {
                newest.pop_first();
            }
        }
        Ok::<_, std::convert::Infallible>(())
    });
    newest.into_values().collect()
}

/// Whether the file at this path is still the one with this identity.
pub(super) fn is_same(path: &Path, known: Option<(u64, u64)>) -> bool {
    known.is_some() && identity(path) == known
}
