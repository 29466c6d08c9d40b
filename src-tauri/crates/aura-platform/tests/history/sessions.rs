//! Sessions: the list, their titles, and what deletion and damage leave of them.

use aura_core::ports::{History, Selection, SessionFilter};
use aura_core::session::SessionView;
use aura_platform::SqliteHistory;

use crate::common::{fill, turn, turn_with};

async fn list(history: &SqliteHistory, words: &str) -> Vec<SessionView> {
    let words = (!words.is_empty()).then(|| words.into());
    history.sessions(&SessionFilter { words, limit: 100, ..SessionFilter::default() }).await.unwrap()
}

fn ids(sessions: &[SessionView]) -> Vec<&str> {
    sessions.iter().map(|session| session.id.as_str()).collect()
}

#[tokio::test]
async fn sessions_are_listed_by_their_latest_turn_with_their_first_question_as_title() {
    let folder = tempfile::tempdir().unwrap();
    // Turns 0 to 15, of sessions 0 to 6 in turn.
    fill(folder.path(), 16).await;
    let history = SqliteHistory::open(folder.path()).unwrap();
    let all = list(&history, "").await;
    assert_eq!(ids(&all), [1, 0, 6, 5, 4, 3, 2].map(|n| format!("session-{n}")).iter().collect::<Vec<_>>());
    assert_eq!((all[0].turns, all[2].turns, all[0].title.as_str()), (3, 2, "What is lamp number 1?"));
    assert_eq!((all[0].started_at, all[0].latest_at), (turn(1).started_at, turn(15).started_at));

    let page = SessionFilter { before: Some("session-6".into()), limit: 2, ..SessionFilter::default() };
    assert_eq!(ids(&history.sessions(&page).await.unwrap()), ["session-5", "session-4"]);

    // A turn that has not ended does not count, whatever its answer says.
    let mut running = turn_with(30, r#"{"running":{"stage":"#);
    history.save(&running).await.unwrap();
    assert_eq!(list(&history, "").await[0].latest_at, running.started_at, "it has ended");
    running.running = Some(serde_json::from_value(serde_json::json!({"stage": "thinking", "owner": "x"})).unwrap());
    history.save(&running).await.unwrap();
    assert_eq!(list(&history, "").await, all);
}

#[tokio::test]
async fn a_title_is_kept_found_and_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 9).await;
    let history = SqliteHistory::open(folder.path()).unwrap();
    assert!(history.rename_session("session-3", "All about quokkas").await.unwrap());
    assert!(!history.rename_session("session-9", "Nothing").await.unwrap(), "it has no turn");
    history.close().await;

    let history = SqliteHistory::open(folder.path()).unwrap();
    assert_eq!(ids(&list(&history, "QUOKKAS").await), ["session-3"], "by its title");
    assert_eq!(ids(&list(&history, "zebra8z").await), ["session-1"], "by an answer");
    assert_eq!(list(&history, "100%").await, []);
    let found = list(&history, "quokkas").await.remove(0);
    assert_eq!((found.title.as_str(), found.renamed), ("All about quokkas", true));
    assert!(history.rename_session("session-3", "").await.unwrap());
    let found = list(&history, "zebra3z").await.remove(0);
    assert_eq!((found.title.as_str(), found.renamed), ("What is lamp number 3?", false));
}

#[tokio::test]
async fn a_deleted_session_takes_its_turns_and_its_title_along() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 16).await;
    let history = SqliteHistory::open(folder.path()).unwrap();
    history.rename_session("session-2", "All about quokkas").await.unwrap();
    let deleted = history.delete(&Selection::Session("session-2".into())).await.unwrap();
    assert_eq!(deleted.ids, ["turn-00002", "turn-00009"]);
    assert_eq!(list(&history, "").await.len(), 6);
    // A session of that name begins anew.
    history.save(&turn(2)).await.unwrap();
    assert_eq!(list(&history, "lamp number 2").await.remove(0).title, "What is lamp number 2?");
    assert_eq!(history.delete(&Selection::Session(String::new())).await.unwrap().ids, Vec::<String>::new());
    history.close().await;
    let left: Vec<u8> = std::fs::read_dir(folder.path())
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.unwrap().path()).ok())
        .flatten()
        .collect();
    assert!(!left.windows(7).any(|bytes| bytes == b"quokkas"), "no file holds the title");
}

#[tokio::test]
async fn a_repair_keeps_titles() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 40).await;
    let history = SqliteHistory::open(folder.path()).unwrap();
    history.rename_session("session-4", "All about quokkas").await.unwrap();
    history.close().await;
    drop(history);
    // The head of the file and the root of the schema are gone; the rows are readable.
    let path = folder.path().join("history.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..60].fill(0);
    std::fs::write(&path, bytes).unwrap();

    let history = SqliteHistory::open(folder.path()).unwrap();
    history.checked().await;
    assert_eq!(ids(&list(&history, "quokkas").await), ["session-4"]);
}
