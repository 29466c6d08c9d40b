//! Turns, and how the tests fill and read a history.

use std::path::Path;

use aura_core::history_problem::HistoryProblem;
use aura_core::ports::{History, TurnFilter};
use aura_core::record::TurnRecord;
use aura_platform::SqliteHistory;

/// A turn whose answer holds a word that no other turn has.
pub(crate) fn turn(number: usize) -> TurnRecord {
    turn_with(
        number,
        &format!("The lamp number {number} is called zebra{number}z. {}", "It shines at night. ".repeat(20)),
    )
}

pub(crate) fn turn_with(number: usize, answer: &str) -> TurnRecord {
    serde_json::from_value(serde_json::json!({
        "id": format!("turn-{number:05}"),
        "session": format!("session-{}", number % 7),
        "started_at": jiff::Timestamp::from_second(1_700_000_000 + i64::try_from(number).unwrap()).unwrap(),
        "transcript": format!("What is lamp number {number}?"),
        "answer": answer,
        "spoken": "",
        "interrupted": false,
        "stages": [],
        "notices": [],
    }))
    .unwrap()
}

/// Writes a history of turns and closes it, so that all is in one file.
pub(crate) async fn fill(folder: &Path, count: usize) {
    let history = SqliteHistory::open(folder).unwrap();
    for number in 0..count {
        history.save(&turn(number)).await.unwrap();
    }
    history.close().await;
}

/// Every turn, oldest first.
pub(crate) async fn all(history: &SqliteHistory) -> Vec<TurnRecord> {
    let mut turns = history.find(&TurnFilter { limit: 100_000, ..TurnFilter::default() }).await.unwrap();
    turns.reverse();
    turns
}

/// The IDs of the turns that a search finds.
pub(crate) async fn search(history: &SqliteHistory, words: &str) -> Vec<String> {
    let filter = TurnFilter { words: Some(words.into()), limit: 1_000, ..TurnFilter::default() };
    history.find(&filter).await.unwrap().into_iter().map(|turn| turn.id).collect()
}

pub(crate) fn problem(history: &SqliteHistory) -> Option<HistoryProblem> {
    history.problem().borrow().clone()
}

/// The names in a folder that begin so, sorted.
pub(crate) fn named(folder: &Path, start: &str) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(start)).collect();
    names.sort();
    names
}
