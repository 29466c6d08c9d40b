//! The summaries of long sessions.

use aura_core::session::SessionSummary;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::pages::{Record, Value};

/// Saves or replaces a summary.
const SAVE: &str = "INSERT INTO summaries (session, turns, through, summary) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT (session) DO UPDATE SET turns = ?2, through = ?3, summary = ?4";

/// Adds a summary unless the session has one.
const ADD: &str = "INSERT OR IGNORE INTO summaries (session, turns, through, summary) VALUES (?1, ?2, ?3, ?4)";

/// Adds the summaries of an attached database that are missing.
pub(super) const ADD_FROM_BACKUP: &str = "INSERT OR IGNORE INTO main.summaries (session, turns, through, summary)
     SELECT session, turns, through, summary FROM backup.summaries";

/// Removes the summaries of sessions whose last covered turn is gone, and with it perhaps others.
pub(super) const FORGET: &str = "DELETE FROM summaries WHERE through NOT IN (SELECT id FROM turns)";

/// The summary of one session, or those of all.
pub(super) fn find(db: &Connection, session: Option<&str>) -> rusqlite::Result<Vec<SessionSummary>> {
    let mut rows = db.prepare_cached(
        "SELECT session, turns, through, summary FROM summaries WHERE ?1 IS NULL OR session = ?1 ORDER BY session",
    )?;
    let found = rows.query_map([session], |row| {
        Ok(SessionSummary { session: row.get(0)?, turns: row.get(1)?, through: row.get(2)?, text: row.get(3)? })
    })?;
    found.collect()
}

/// Saves a summary in the place of the one that ends with `replaced`, if all turns of `of` are still there. The transaction holds the
/// write lock from its first read on, so that no turn is deleted in between.
pub(super) fn save(
    db: &Connection,
    summary: &SessionSummary,
    replaced: Option<&str>,
    of: &[String],
) -> rusqlite::Result<bool> {
    let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    let known: Option<String> = transaction
        .prepare_cached("SELECT through FROM summaries WHERE session = ?1")?
        .query_row([&summary.session], |row| row.get(0))
        .optional()?;
    if known.as_deref() != replaced {
        return Ok(false);
    }
    {
        let mut turn = transaction.prepare_cached("SELECT 1 FROM turns WHERE id = ?1 AND session = ?2")?;
        for id in of {
            if !turn.exists([id, &summary.session])? {
                return Ok(false);
            }
        }
    }
    put(&transaction, SAVE, summary)?;
    transaction.commit()?;
    Ok(true)
}

/// Adds a summary that was read from a damaged file.
pub(super) fn add(db: &Connection, summary: &SessionSummary) -> rusqlite::Result<()> {
    put(db, ADD, summary)
}

/// Saves every summary of `from`, where the history was kept in memory.
pub(super) fn copy(from: &Connection, to: &Connection) -> rusqlite::Result<()> {
    find(from, None)?.iter().try_for_each(|summary| put(to, SAVE, summary))
}

fn put(db: &Connection, sql: &str, summary: &SessionSummary) -> rusqlite::Result<()> {
    let SessionSummary { session, turns, through, text } = summary;
    db.prepare_cached(sql)?.execute(params![session, turns, through, text]).map(drop)
}

/// The summary in a row that was read from a damaged file.
pub(super) fn recover(record: &Record) -> Option<SessionSummary> {
    let [Value::Text(session), Value::Integer(turns), Value::Text(through), Value::Text(text)] = &record.columns[..]
    else {
        return None;
    };
    let string = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
    Some(SessionSummary {
        session: string(session)?,
        turns: u32::try_from(*turns).ok()?,
        through: string(through)?,
        text: string(text)?,
    })
}
