//! Damage costs only what it hits, and the user is told.

use std::path::Path;

use aura_core::history_problem::HistoryProblem;
use aura_core::ports::History;
use aura_platform::SqliteHistory;
use rusqlite::Connection;

use crate::common::{all, fill, named, problem, search, turn};

const PAGE: usize = 4_096;

fn flip(path: &Path, byte: usize, bit: u8) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[byte] ^= 1 << bit;
    std::fs::write(path, bytes).unwrap();
}

/// Whether SQLite itself finds a fault, also in the search index.
fn is_whole(path: &Path) -> bool {
    let check = || -> rusqlite::Result<bool> {
        let db = Connection::open(path)?;
        let whole: String = db.query_one("PRAGMA integrity_check", [], |row| row.get(0))?;
        db.execute_batch("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")?;
        Ok(whole == "ok")
    };
    check().unwrap_or(false)
}

#[tokio::test]
async fn a_damaged_search_index_is_rebuilt_and_no_turn_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 6).await;
    let db = Connection::open(folder.path().join("history.db")).unwrap();
    db.execute_batch("UPDATE words_data SET block = zeroblob(length(block)) WHERE id > 10").unwrap();
    db.close().unwrap();

    let history = SqliteHistory::open(folder.path()).unwrap();
    assert_eq!(search(&history, "zebra3z").await, ["turn-00003"]);
    history.checked().await;
    assert_eq!(all(&history).await.len(), 6);
    assert_eq!(problem(&history), Some(HistoryProblem::IndexRebuilt));
    assert_eq!(named(folder.path(), "history.broken-"), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("history.db"), vec![b'x'; 9_000]).unwrap();
    let history = SqliteHistory::open(folder.path()).unwrap();
    history.save(&turn(1)).await.unwrap();
    let Some(HistoryProblem::Repaired { turns: 0, from_backup: 0, kept }) = problem(&history) else { panic!() };
    assert_eq!(std::fs::read(kept).unwrap(), vec![b'x'; 9_000]);
}

#[tokio::test]
async fn a_damaged_half_costs_only_itself_and_a_backup_brings_it_back() {
    for with_backup in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let history = SqliteHistory::open(folder.path()).unwrap();
        history.checked().await;
        for number in 0..200 {
            history.save(&turn(number)).await.unwrap();
        }
        history.close().await;
        drop(history);
        for name in named(folder.path(), "history.backup-") {
            let path = folder.path().join(name);
            if with_backup {
                // Yesterday's backup, so that today's is due.
                let file = std::fs::File::options().write(true).open(path).unwrap();
                file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(90_000)).unwrap();
            } else {
                std::fs::remove_file(path).unwrap();
            }
        }
        if with_backup {
            let history = SqliteHistory::open(folder.path()).unwrap();
            history.checked().await;
            history.close().await;
            assert_eq!(named(folder.path(), "history.backup-").len(), 2);
        }
        let path = folder.path().join("history.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let half = bytes.len() / 2 / PAGE * PAGE;
        bytes[half..].fill(0x5a);
        std::fs::write(&path, &bytes).unwrap();

        let history = SqliteHistory::open(folder.path()).unwrap();
        history.checked().await;
        let turns = all(&history).await;
        let Some(HistoryProblem::Repaired { turns: count, from_backup, kept }) = problem(&history) else { panic!() };
        assert_eq!(turns.len() as u64, count);
        assert_eq!(std::fs::read(kept).unwrap(), bytes, "the damaged file is kept as it was");
        if with_backup {
            assert_eq!(turns, (0..200).map(turn).collect::<Vec<_>>());
            assert!(from_backup > 20, "{from_backup}");
        } else {
            assert!(turns.len() > 60, "{}", turns.len());
            assert!(turns.iter().all(|found| (0..200).any(|number| turn(number) == *found)));
        }
        // The new database works, and the search index fits it.
        history.save(&turn(1_000)).await.unwrap();
        assert_eq!(search(&history, "zebra1000z").await, ["turn-01000"]);
        history.close().await;
        assert!(is_whole(&path));
    }
}

/// Which turns lie on each page of the file, found by their ID.
fn turns_on(bytes: &[u8], page: usize, count: usize) -> Vec<usize> {
    let page = &bytes[page * PAGE..(page + 1) * PAGE];
    let holds = |number: &usize| {
        let id = format!("turn-{number:05}");
        page.windows(id.len()).any(|window| window == id.as_bytes())
    };
    (0..count).filter(holds).collect()
}

/// Flips one bit in every page, each in a copy of its own, at `place` of the page.
async fn flip_every_page(place: impl Fn(usize) -> (usize, u8)) {
    const TURNS: usize = 300;
    let origin = tempfile::tempdir().unwrap();
    fill(origin.path(), TURNS).await;
    let bytes = std::fs::read(origin.path().join("history.db")).unwrap();
    let (mut told, mut unharmed) = (0, 0);
    for page in 0..bytes.len() / PAGE {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        std::fs::write(&path, &bytes).unwrap();
        let (offset, bit) = place(page);
        flip(&path, page * PAGE + offset, bit);
        let at = format!("page {page}, byte {offset}, bit {bit}");
        let probe = tempfile::tempdir().unwrap();
        std::fs::copy(&path, probe.path().join("history.db")).unwrap();
        let whole = is_whole(&probe.path().join("history.db"));

        let history = SqliteHistory::open(folder.path()).unwrap();
        history.checked().await;
        let hit = turns_on(&bytes, page, TURNS);
        let found = all(&history).await;
        for number in (0..TURNS).filter(|number| !hit.contains(number)) {
            assert!(found.contains(&turn(number)), "turn {number} was lost: {at}");
        }
        for number in [0, TURNS / 3, TURNS / 2, TURNS - 1] {
            if !hit.contains(&number) {
                let id = format!("turn-{number:05}");
                let found = search(&history, &format!("zebra{number}z")).await;
                assert_eq!(found, [id.as_str()], "{at}, whole: {whole}, {:?}", self::problem(&history));
                assert_eq!(history.get(&id).await.unwrap(), Some(turn(number)), "{at}");
            }
        }
        let problem = problem(&history);
        assert!(whole || problem.is_some(), "the user is not told: {at}");
        told += usize::from(problem.is_some());
        unharmed += usize::from(problem.is_none());
        // What comes after is saved, in memory if need be.
        history.save(&turn(TURNS)).await.unwrap();
        assert_eq!(history.get(&format!("turn-{TURNS:05}")).await.unwrap(), Some(turn(TURNS)), "{at}");
        history.close().await;
    }
    eprintln!("{told} flips were told, {unharmed} changed nothing that SQLite knows");
    assert!(told > 20, "{told}");
}

#[tokio::test]
async fn a_flipped_bit_in_the_head_of_every_page_costs_no_turn_elsewhere() {
    flip_every_page(|page| (page % 12, (page % 8) as u8)).await;
}

#[tokio::test]
async fn a_flipped_bit_in_the_cells_of_every_page_costs_no_turn_elsewhere() {
    flip_every_page(|page| (PAGE - 1 - page * 37 % 3_000, (page % 8) as u8)).await;
}

#[tokio::test]
async fn a_flipped_bit_anywhere_in_the_first_page_costs_no_turn() {
    const TURNS: usize = 40;
    let origin = tempfile::tempdir().unwrap();
    fill(origin.path(), TURNS).await;
    let bytes = std::fs::read(origin.path().join("history.db")).unwrap();
    for offset in (0..108).chain((108..PAGE).step_by(97)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        std::fs::write(&path, &bytes).unwrap();
        flip(&path, offset, (offset % 8) as u8);
        let history = SqliteHistory::open(folder.path()).unwrap();
        history.checked().await;
        assert_eq!(all(&history).await, (0..TURNS).map(turn).collect::<Vec<_>>(), "byte {offset}");
        history.close().await;
    }
}

#[tokio::test]
async fn damage_while_it_runs_is_repaired_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 300).await;
    let history = SqliteHistory::open(folder.path()).unwrap();
    history.checked().await;
    let path = folder.path().join("history.db");
    let length = std::fs::metadata(&path).unwrap().len();
    // Through SQLite's own pages, so that its locks and caches stay as they are: the root of `turns` becomes unreadable.
    let db = Connection::open(&path).unwrap();
    db.execute_batch("PRAGMA writable_schema = on; DELETE FROM words_idx; DELETE FROM words_data WHERE id > 1;")
        .unwrap();
    db.close().unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() >= length);
    history.save(&turn(300)).await.unwrap();
    assert_eq!(search(&history, "zebra7z").await, ["turn-00007"]);
    assert_eq!(search(&history, "zebra300z").await, ["turn-00300"]);
    assert_eq!(problem(&history), Some(HistoryProblem::IndexRebuilt));
}

#[tokio::test]
async fn a_record_that_is_not_json_still_shows_its_question_and_answer() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 3).await;
    let db = Connection::open(folder.path().join("history.db")).unwrap();
    db.execute_batch("UPDATE turns SET json = CAST(x'7bff00' AS TEXT) WHERE id = 'turn-00001'").unwrap();
    db.close().unwrap();
    let history = SqliteHistory::open(folder.path()).unwrap();
    let found = all(&history).await;
    assert_eq!(found.len(), 3);
    assert_eq!((&found[1].transcript, &found[1].answer), (&turn(1).transcript, &turn(1).answer));
}
