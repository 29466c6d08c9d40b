//! Deleted is deleted: in the database, its log, the search index, the backups and the recordings.

use std::path::{Path, PathBuf};

use aura_core::ports::{History, Selection};
use aura_core::record::TurnRecord;
use aura_platform::SqliteHistory;

use crate::common::{all, named, search, turn, turn_with};

const CANARY: &str = "xylophonecanary";

/// The files below a folder that hold the canary, in any case of letters.
fn files_with_canary(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with_canary(&path));
        } else {
            // A backup that is being made gets another name when it is complete.
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let bytes = bytes.to_ascii_lowercase();
            // The search index shares beginnings of words, so a part is looked for.
            if bytes.windows(8).any(|window| window == &CANARY.as_bytes()[4..12]) {
                found.push(path);
            }
        }
    }
    found
}

fn secret(number: usize) -> TurnRecord {
    turn_with(number, &format!("My {CANARY} is secret. {}", format!("{CANARY} again. ").repeat(400)))
}

fn at(number: usize) -> jiff::Timestamp {
    turn(number).started_at
}

/// A history of 60 turns, of which 20 to 39 hold the canary, with a backup.
async fn prepared(folder: &Path) -> SqliteHistory {
    let history = SqliteHistory::open(folder).unwrap();
    for number in 0..60 {
        let record = if (20..40).contains(&number) { secret(number) } else { turn(number) };
        history.save(&record).await.unwrap();
    }
    history.close().await;
    drop(history);
    let history = SqliteHistory::open(folder).unwrap();
    history.checked().await;
    for name in named(folder, "history.backup-") {
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    drop(history);
    let history = SqliteHistory::open(folder).unwrap();
    history.checked().await;
    assert_eq!(named(folder, "history.backup-").len(), 1);
    assert!(files_with_canary(folder).len() >= 2, "the database and its backup hold it before");
    history
}

#[tokio::test]
async fn no_file_holds_a_word_of_deleted_turns() {
    let one_by_one: Vec<Selection> = (20..40).map(|number| Selection::Turn(format!("turn-{number:05}"))).collect();
    let selections =
        [one_by_one, vec![Selection::Between(at(20), at(40))], vec![Selection::Before(at(40))], vec![Selection::All]];
    for (selections, left) in selections.into_iter().zip([40, 40, 20, 0]) {
        let folder = tempfile::tempdir().unwrap();
        let history = prepared(folder.path()).await;
        // A damaged file of before holds the turns too.
        std::fs::write(folder.path().join("history.broken-1.db"), CANARY).unwrap();
        std::fs::write(folder.path().join("history.broken-1.db-wal"), CANARY).unwrap();
        for selection in &selections {
            assert!(!history.delete(selection).await.unwrap().ids.is_empty());
        }
        assert_eq!(files_with_canary(folder.path()), Vec::<PathBuf>::new(), "while it runs: {selections:?}");
        assert_eq!(all(&history).await.len(), left);
        assert_eq!(search(&history, CANARY).await, Vec::<String>::new());
        history.save(&turn(99)).await.unwrap();
        assert_eq!(search(&history, "zebra99z").await, ["turn-00099"]);
        history.close().await;
        assert_eq!(files_with_canary(folder.path()), Vec::<PathBuf>::new(), "after the end: {selections:?}");
    }
}

#[tokio::test]
async fn a_backup_replaces_the_ones_that_were_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let history = prepared(folder.path()).await;
    let before = named(folder.path(), "history.backup-");
    history.delete(&Selection::Between(at(20), at(40))).await.unwrap();
    // The check that follows a deletion ends with a new backup.
    let replaced = || named(folder.path(), "history.backup-").iter().any(|name| !before.contains(name));
    while !replaced() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(files_with_canary(folder.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_damaged_file_that_is_older_than_the_deleted_turn_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let history = SqliteHistory::open(folder.path()).unwrap();
    let broken = folder.path().join("history.broken-1.db");
    std::fs::write(&broken, "older").unwrap();
    let mut record = turn(1);
    record.started_at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(5);
    history.save(&record).await.unwrap();
    history.delete(&Selection::Turn(record.id)).await.unwrap();
    assert!(broken.exists());
}

#[tokio::test]
async fn recordings_go_with_the_turn_or_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (recordings, foreign) = (folder.path().join("recordings"), folder.path().join("my-question.wav"));
    std::fs::create_dir(&recordings).unwrap();
    std::fs::write(&foreign, "mine").unwrap();
    let history = SqliteHistory::open(folder.path()).unwrap();
    let mut record = turn(1);
    let stuck = recordings.join("turn-00001-answer.wav");
    record.question_audio = Some(recordings.join("turn-00001-question.wav"));
    record.answer_audio = Some(stuck.clone());
    std::fs::write(record.question_audio.as_ref().unwrap(), "sound").unwrap();
    // A folder cannot be removed as a file, even by root.
    std::fs::create_dir(&stuck).unwrap();
    history.save(&record).await.unwrap();
    let mut passed_in = turn(2);
    passed_in.question_audio = Some(foreign.clone());
    history.save(&passed_in).await.unwrap();

    let deleted = history.delete(&Selection::All).await.unwrap();
    assert_eq!(deleted.files, [record.question_audio.clone().unwrap()]);
    assert_eq!(deleted.files_left, std::slice::from_ref(&stuck));
    assert!(!record.question_audio.unwrap().exists() && foreign.exists());
    history.close().await;
    drop(history);

    std::fs::remove_dir(&stuck).unwrap();
    std::fs::write(&stuck, "sound").unwrap();
    let history = SqliteHistory::open(folder.path()).unwrap();
    history.checked().await;
    assert_eq!(all(&history).await, []);
    assert!(!stuck.exists());
}

#[tokio::test]
async fn old_usage_is_pruned() {
    use aura_router::Ledger;
    let folder = tempfile::tempdir().unwrap();
    let history = SqliteHistory::open(folder.path()).unwrap();
    let entry = |at: &str| -> aura_router::LedgerEntry {
        serde_json::from_value(serde_json::json!({
            "at": at,
            "attempt": {
                "service": "llm", "route": {"provider": "groq", "model": "m"}, "ms": 1,
                "usage": {}, "cost": {"basis": "unknown"},
            },
        }))
        .unwrap()
    };
    history.add(&["2026-01-05T12:00:00Z", "2026-02-05T12:00:00Z", "2026-03-05T12:00:00Z"].map(entry)).await.unwrap();
    assert_eq!(history.prune("2026-03-01".parse().unwrap()).await.unwrap(), 2);
    let left = history.totals("2026-01-01".parse().unwrap()).await.unwrap();
    assert_eq!(left.iter().map(|line| line.day.to_string()).collect::<Vec<_>>(), ["2026-03-05"]);
}

#[cfg(unix)]
#[tokio::test]
async fn every_file_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let history = prepared(folder.path()).await;
    history.save(&turn(1)).await.unwrap();
    for name in named(folder.path(), "") {
        let mode = std::fs::metadata(folder.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o177, 0, "{name}: {mode:o}");
    }
}
