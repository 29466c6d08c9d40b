//! The list of sessions, and their titles.

use aura_core::ports::SessionFilter;
use aura_core::session::SessionView;
use rusqlite::{Connection, Row, params};

use super::row::UNFINISHED;

/// Saves or replaces a title.
pub(super) const SAVE_TITLE: &str =
    "INSERT INTO titles (session, title) VALUES (?1, ?2) ON CONFLICT (session) DO UPDATE SET title = ?2";

/// Removes the titles of sessions that have no turn left.
pub(super) const FORGET_TITLES: &str = "DELETE FROM titles WHERE session NOT IN (SELECT session FROM turns)";

/// Finds sessions, the one with the latest turn first. `query` is the full-text query; an empty one finds titles alone.
pub(super) fn find(db: &Connection, filter: &SessionFilter, query: Option<&str>) -> rusqlite::Result<Vec<SessionView>> {
    // The texts are looked up only for the sessions that are returned.
    let mut rows = db.prepare_cached(&format!(
        "SELECT session, began, latest, turns,
                (SELECT title FROM titles WHERE titles.session = listed.session),
                (SELECT transcript FROM turns WHERE turns.session = listed.session AND transcript <> ''
                 ORDER BY started_at LIMIT 1)
         FROM (
             SELECT session, min(started_at) AS began, max(started_at) AS latest, count(*) AS turns
             FROM turns
             WHERE rowid NOT IN (SELECT rowid FROM turns WHERE {UNFINISHED})
               AND (?1 IS NULL OR session IN (
                   SELECT session FROM turns WHERE rowid IN (SELECT rowid FROM words WHERE words MATCH ?1)
                   UNION SELECT session FROM titles WHERE instr(lower(title), lower(?2)) > 0))
             GROUP BY session
             HAVING ?3 IS NULL OR (latest, session) < (SELECT max(started_at), session FROM turns WHERE session = ?3)
             ORDER BY latest DESC, session DESC LIMIT ?4
         ) AS listed
         ORDER BY latest DESC, session DESC"
    ))?;
    rows.query_map(params![query, filter.words.as_deref().map(str::trim), filter.before, filter.limit], view)?.collect()
}

fn view(row: &Row<'_>) -> rusqlite::Result<SessionView> {
    let time = |column| {
        row.get::<_, i64>(column).map(|at| jiff::Timestamp::from_microsecond(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
    };
    // As bytes, because damaged text need not be UTF-8.
    let text = |column| {
        row.get_ref(column).map(|value| {
            value.as_bytes_or_null().ok().flatten().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        })
    };
    let (title, question) = (text(4)?, text(5)?);
    Ok(SessionView {
        id: text(0)?.unwrap_or_default(),
        renamed: title.is_some(),
        title: title.or(question).unwrap_or_default(),
        started_at: time(1)?,
        latest_at: time(2)?,
        turns: row.get(3)?,
    })
}

/// Gives a session a title, or takes it away. Returns false when no turn belongs to the session.
pub(super) fn rename(db: &Connection, id: &str, title: &str) -> rusqlite::Result<bool> {
    if !db.prepare_cached("SELECT 1 FROM turns WHERE session = ?1")?.exists([id])? {
        return Ok(false);
    }
    if title.is_empty() {
        db.execute("DELETE FROM titles WHERE session = ?1", [id])?;
    } else {
        db.execute(SAVE_TITLE, [id, title])?;
    }
    Ok(true)
}
