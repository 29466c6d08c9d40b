//! Databases of earlier and of later versions.

use aura_core::history_problem::{HistoryProblem, MemoryReason};
use aura_core::ports::{History, Selection};
use aura_platform::SqliteHistory;
use rusqlite::Connection;

use crate::common::{all, fill, named, problem, search, turn};

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone_and_aura_works_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 4).await;
    let path = folder.path().join("history.db");
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    db.close().unwrap();
    let before = std::fs::read(&path).unwrap();

    let history = SqliteHistory::open(folder.path()).unwrap();
    let newer = HistoryProblem::InMemory { reason: MemoryReason::NewerVersion };
    assert_eq!(problem(&history), Some(newer.clone()));
    assert!(newer.to_string().contains("newer version of AURA"), "{newer}");
    history.save(&turn(4)).await.unwrap();
    assert_eq!(all(&history).await, (0..5).map(turn).collect::<Vec<_>>());
    assert_eq!(search(&history, "zebra4z").await, ["turn-00004"]);
    // What is on the disk cannot be deleted now, and that is said.
    history.delete(&Selection::Turn("turn-00001".into())).await.unwrap_err();
    history.delete(&Selection::Turn("turn-00004".into())).await.unwrap();
    assert_eq!(all(&history).await.len(), 4);
    history.close().await;
    assert!(std::fs::read(&path).unwrap() == before);
    assert_eq!(named(folder.path(), "history.broken-"), Vec::<String>::new());
}

/// The schema of version 2, as it was released.
const VERSION_2: &str = "
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

    CREATE TABLE attempts (
        id       INTEGER PRIMARY KEY,
        day      TEXT NOT NULL,    -- of this computer's time zone, YYYY-MM-DD
        provider TEXT NOT NULL,
        service  TEXT NOT NULL,
        json     TEXT NOT NULL     -- the whole entry
    );
    CREATE INDEX attempts_by_day ON attempts (day);
    PRAGMA user_version = 2;
";

#[tokio::test]
async fn a_database_of_version_2_keeps_its_turns_and_loses_what_was_deleted_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch(&format!("PRAGMA journal_mode = wal; {VERSION_2}")).unwrap();
    let insert = "INSERT INTO turns VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    for number in 0..40 {
        let turn = turn(number);
        let (started, json) = (turn.started_at.as_microsecond(), serde_json::to_string(&turn).unwrap());
        db.execute(insert, (turn.id, turn.session, started, turn.transcript, turn.answer, json)).unwrap();
    }
    db.execute("DELETE FROM turns WHERE id >= 'turn-00010' AND id < 'turn-00030'", []).unwrap();
    db.close().unwrap();
    let holds = |text: &str| std::fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("zebra20z"), "the earlier version left it in the file");

    let history = SqliteHistory::open(folder.path()).unwrap();
    history.checked().await;
    assert_eq!(all(&history).await, (0..10).chain(30..40).map(turn).collect::<Vec<_>>());
    assert_eq!(search(&history, "zebra35z").await, ["turn-00035"]);
    assert_eq!(problem(&history), None);
    history.close().await;
    assert!(!holds("zebra20z"));
}
