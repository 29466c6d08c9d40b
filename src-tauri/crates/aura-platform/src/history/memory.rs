//! The history in memory, for as long as the disk fails.

use rusqlite::{Connection, params};

use super::files::Files;
use super::{row, salvage, schema, sessions, summaries};

/// Turns of the file that are shown meanwhile.
const SHOWN: usize = 2_000;

/// Marks the turns that are copies of the file's, until they are changed.
const COPIES: &str = "
    CREATE TEMP TABLE copies (id TEXT PRIMARY KEY NOT NULL);
    INSERT INTO copies SELECT id FROM turns;
    CREATE TEMP TRIGGER copy_changed AFTER UPDATE ON turns BEGIN
        DELETE FROM copies WHERE id = new.id;
    END;
";

/// A database in memory with the newest turns of the file, as far as they can be read, and without the titles and
/// summaries of sessions.
pub(super) fn open(files: &Files) -> rusqlite::Result<Connection> {
    let mut db = schema::in_memory()?;
    let transaction = db.transaction()?;
    for turn in salvage::newest_turns(files, SHOWN) {
        row::insert(&transaction, &turn)?;
    }
    transaction.commit()?;
    db.execute_batch(COPIES)?;
    Ok(db)
}

/// Whether any of these turns is on the disk, where it cannot be deleted now. `condition` uses the three values.
pub(super) fn holds_copy(db: &Connection, condition: &str, id: &str, from: i64, to: i64) -> rusqlite::Result<bool> {
    let query = format!("SELECT EXISTS (SELECT 1 FROM turns WHERE {condition} AND id IN (SELECT id FROM copies))");
    db.query_one(&query, params![id, from, to], |row| row.get(0))
}

/// Saves what was kept in memory to the disk.
pub(super) fn save_to(memory: &Connection, disk: &mut Connection) -> rusqlite::Result<()> {
    let transaction = disk.transaction()?;
    let mut turns =
        memory.prepare(&format!("SELECT {} FROM turns WHERE id NOT IN (SELECT id FROM copies)", row::COLUMNS))?;
    let mut rows = turns.query([])?;
    while let Some(row) = rows.next()? {
        let (id, session, started): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (transcript, answer, json): (String, String, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
        transaction.prepare_cached(row::UPSERT)?.execute(params![id, session, started, transcript, answer, json])?;
    }
    let mut attempts = memory.prepare("SELECT day, provider, service, json FROM attempts")?;
    let mut rows = attempts.query([])?;
    while let Some(row) = rows.next()? {
        let values: [String; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
        transaction
            .prepare_cached("INSERT INTO attempts (day, provider, service, json) VALUES (?1, ?2, ?3, ?4)")?
            .execute(rusqlite::params_from_iter(values))?;
    }
    let mut titles = memory.prepare("SELECT session, title FROM titles")?;
    let mut rows = titles.query([])?;
    while let Some(row) = rows.next()? {
        let values: [String; 2] = [row.get(0)?, row.get(1)?];
        transaction.prepare_cached(sessions::SAVE_TITLE)?.execute(values)?;
    }
    summaries::copy(memory, &transaction)?;
    transaction.commit()
}
