//! A turn as a row of the database.

use std::path::PathBuf;

use aura_core::record::TurnRecord;
use aura_core::recordings;
use rusqlite::{Connection, Row, params};

use super::pages::{Record, Value};

/// The columns that [`read`] expects.
pub(super) const COLUMNS: &str = "id, session, started_at, transcript, answer, json";

/// Whether a turn has not ended: its record has the object `running`. No text contains this, because JSON escapes quotes. Derived from
/// the record, so that whatever writes the row need not know it.
pub(super) const UNFINISHED: &str = r#"(instr(json, '"running":{"stage":') > 0)"#;

/// Saves or replaces a turn.
pub(super) const UPSERT: &str =
    "INSERT INTO turns (id, session, started_at, transcript, answer, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
     ON CONFLICT (id) DO UPDATE SET session = ?2, started_at = ?3, transcript = ?4, answer = ?5, json = ?6";

/// Saves a turn unless one with its ID exists.
const INSERT: &str =
    "INSERT OR IGNORE INTO turns (id, session, started_at, transcript, answer, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// The turn in a row. Without a readable record, perhaps of another version, it is made from the columns, so that question and answer
/// still show.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Option<TurnRecord>> {
    // As bytes, because damaged text need not be UTF-8.
    let text = |column| row.get_ref(column).map(|value| value.as_bytes().unwrap_or_default().to_vec());
    if let Ok(turn) = serde_json::from_slice(row.get_ref(5)?.as_bytes().unwrap_or_default()) {
        return Ok(Some(turn));
    }
    Ok(from_columns(&text(0)?, &text(1)?, row.get(2)?, &text(3)?, &text(4)?))
}

/// The turn in a row that was read from a damaged file.
pub(super) fn recover(record: &Record) -> Option<TurnRecord> {
    let [Value::Text(id), Value::Text(session), Value::Integer(started), Value::Text(transcript), rest @ ..] =
        &record.columns[..]
    else {
        return None;
    };
    let text = |column| match rest.get(column) {
        Some(Value::Text(text)) => &text[..],
        _ => &[],
    };
    serde_json::from_slice(text(1)).ok().or_else(|| from_columns(id, session, *started, transcript, text(0)))
}

fn from_columns(id: &[u8], session: &[u8], started: i64, transcript: &[u8], answer: &[u8]) -> Option<TurnRecord> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if id.is_empty() {
        return None;
    }
    let turn = serde_json::json!({
        "id": text(id),
        "session": text(session),
        "started_at": jiff::Timestamp::from_microsecond(started).unwrap_or_default(),
        "transcript": text(transcript),
        "answer": text(answer),
        "spoken": "",
        "interrupted": false,
        "stages": [],
        "notices": [],
    });
    serde_json::from_value(turn).ok()
}

/// Saves a turn unless one with its ID exists. Returns whether it was saved.
pub(super) fn insert(db: &Connection, turn: &TurnRecord) -> rusqlite::Result<bool> {
    let json = serde_json::to_string(turn).map_err(|cause| rusqlite::Error::ToSqlConversionFailure(cause.into()))?;
    let started = turn.started_at.as_microsecond();
    db.prepare_cached(INSERT)?
        .execute(params![turn.id, turn.session, started, turn.transcript, turn.answer, json])
        .map(|rows| rows > 0)
}

/// AURA's own recordings of a turn, compressed or not, and its copy of a picture: their names begin with its ID. A file that the user passed
/// in is not AURA's to delete.
pub(super) fn own_files(turn: &TurnRecord) -> impl Iterator<Item = PathBuf> {
    let own = |path: &&PathBuf| {
        !turn.id.is_empty() && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&turn.id))
    };
    turn.question_audio
        .iter()
        .chain(&turn.answer_audio)
        .chain(&turn.picture)
        .filter(own)
        .flat_map(|path| recordings::names(path))
}
