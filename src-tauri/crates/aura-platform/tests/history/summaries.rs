//! Summaries of sessions: when they are saved, and what deletion, damage and an earlier version leave of them.

use aura_core::ports::{History, Selection};
use aura_core::session::SessionSummary;
use aura_platform::SqliteHistory;
use rusqlite::Connection;

use crate::common::{all, fill, turn};

fn summary(session: usize, turns: u32, through: &str, text: &str) -> SessionSummary {
    SessionSummary { session: format!("session-{session}"), turns, through: through.into(), text: text.into() }
}

fn ids(numbers: &[usize]) -> Vec<String> {
    numbers.iter().map(|number| format!("turn-{number:05}")).collect()
}

#[tokio::test]
async fn a_summary_replaces_the_one_that_it_was_made_from() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 30).await;
    let history = SqliteHistory::open(folder.path()).unwrap();
    let first = summary(1, 2, "turn-00008", "Two lamps.");
    assert!(history.save_summary(&first, None, &ids(&[1, 8])).await.unwrap());
    assert!(!history.save_summary(&first, None, &ids(&[1, 8])).await.unwrap(), "another process was faster");
    let second = summary(1, 3, "turn-00015", "Three lamps.");
    assert!(!history.save_summary(&second, Some("turn-00001"), &ids(&[15])).await.unwrap());
    assert!(history.save_summary(&second, Some("turn-00008"), &ids(&[15])).await.unwrap());
    let other = summary(2, 1, "turn-00002", "A lamp.");
    assert!(!history.save_summary(&other, None, &ids(&[1])).await.unwrap(), "a turn of another session");
    assert!(history.save_summary(&other, None, &ids(&[2])).await.unwrap());
    history.close().await;

    let history = SqliteHistory::open(folder.path()).unwrap();
    assert_eq!(history.summaries(Some("session-1")).await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(history.summaries(Some("session-3")).await.unwrap(), []);
    assert_eq!(history.summaries(None).await.unwrap(), [second, other]);
}

#[tokio::test]
async fn a_summary_is_deleted_with_any_turn_of_its_session_and_leaves_no_word() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 30).await;
    let history = SqliteHistory::open(folder.path()).unwrap();
    let before = turn(2).started_at;
    for (selection, number) in [
        (Selection::Turn("turn-00010".into()), 3),
        (Selection::Session("session-4".into()), 4),
        // What `keep_turns_days` deletes.
        (Selection::Before(before), 1),
        (Selection::All, 6),
    ] {
        let of = ids(&[number]);
        let made = summary(number, 1, &of[0], "All about quokkas.");
        assert!(history.save_summary(&made, None, &of).await.unwrap());
        history.delete(&Selection::Turn("none".into())).await.unwrap();
        assert_eq!(history.summaries(None).await.unwrap().len(), 1, "{selection:?}");
        history.delete(&selection).await.unwrap();
        assert_eq!(history.summaries(None).await.unwrap(), [], "{selection:?}");
        assert!(!history.save_summary(&made, None, &ids(&[9_999])).await.unwrap(), "one that was under way");
    }
    history.close().await;
    let files = std::fs::read_dir(folder.path()).unwrap();
    let left: Vec<u8> = files.filter_map(|entry| std::fs::read(entry.unwrap().path()).ok()).flatten().collect();
    assert!(!left.windows(7).any(|bytes| bytes == b"quokkas"), "no file holds the summary");
}

#[tokio::test]
async fn a_repair_keeps_summaries() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 40).await;
    let history = SqliteHistory::open(folder.path()).unwrap();
    let kept = summary(4, 2, "turn-00011", "All about quokkas.");
    assert!(history.save_summary(&kept, None, &ids(&[4, 11])).await.unwrap());
    history.close().await;
    drop(history);
    // The head of the file and the root of the schema are gone; the rows are readable.
    let path = folder.path().join("history.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..60].fill(0);
    std::fs::write(&path, bytes).unwrap();

    let history = SqliteHistory::open(folder.path()).unwrap();
    history.checked().await;
    assert_eq!(history.summaries(None).await.unwrap(), [kept]);
    assert_eq!(all(&history).await.len(), 40, "and the summary is not taken for a turn");
}

#[tokio::test]
async fn a_database_of_version_4_gains_the_table() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 10).await;
    let path = folder.path().join("history.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("DROP TABLE summaries; PRAGMA user_version = 4;").unwrap();
    db.close().unwrap();

    let history = SqliteHistory::open(folder.path()).unwrap();
    history.rename_session("session-2", "Lamps").await.unwrap();
    assert!(history.save_summary(&summary(2, 1, "turn-00002", "A lamp."), None, &ids(&[2])).await.unwrap());
    assert_eq!(all(&history).await, (0..10).map(turn).collect::<Vec<_>>());
    history.close().await;
    let version = Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    assert_eq!(version.unwrap(), 5);
}
