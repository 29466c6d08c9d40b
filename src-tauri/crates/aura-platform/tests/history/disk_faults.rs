//! A disk that fails under SQLite: full, broken, read-only, locked, cut off. What was there stays, and the user is told.

use aura_core::history_problem::{HistoryProblem, MemoryReason};
use aura_core::ports::History;
use aura_platform::SqliteHistory;
use rusqlite::ffi;

use crate::common::{all, fill, named, problem, turn};
use crate::vfs::{self, Fault, Operation};

const TURNS: usize = 12;

/// A fault by name: what fails, SQLite's code, and whether half of a write arrives.
const FAULTS: [(&str, Operation, i32, bool); 9] = [
    ("ENOSPC", Operation::Write, ffi::SQLITE_FULL, false),
    ("ENOSPC after half a write", Operation::Write, ffi::SQLITE_FULL, true),
    ("EIO on write", Operation::Write, ffi::SQLITE_IOERR_WRITE, false),
    ("short write", Operation::Write, ffi::SQLITE_IOERR_WRITE, true),
    ("EIO on fsync", Operation::Sync, ffi::SQLITE_IOERR_FSYNC, false),
    ("EIO on read", Operation::Read, ffi::SQLITE_IOERR_READ, false),
    ("EROFS on write", Operation::Write, ffi::SQLITE_READONLY, false),
    ("EROFS on open", Operation::Open, ffi::SQLITE_READONLY, false),
    ("EACCES on open", Operation::Open, ffi::SQLITE_CANTOPEN, false),
];

/// Opens a history and saves five turns while the disk fails, then with a disk that works again.
async fn case(name: &str, fault: Fault) -> bool {
    let at = format!("{name}, {fault:?}");
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), TURNS).await;
    vfs::watch(folder.path());
    vfs::break_with(folder.path(), fault);
    let history = SqliteHistory::open(folder.path()).unwrap();
    let mut saved = Vec::new();
    for number in TURNS..TURNS + 5 {
        let done = history.save(&turn(number)).await;
        if done.is_ok() {
            saved.push(number);
        } else {
            assert!(problem(&history).is_some(), "not told: {at}");
        }
    }
    if let Some(HistoryProblem::InMemory { .. }) = problem(&history) {
        // AURA goes on, with what can be read of the past.
        let shown = all(&history).await;
        assert!((0..TURNS).all(|number| shown.contains(&turn(number))), "{at}");
    }
    let failed = vfs::mend(folder.path()) > 0;
    // The disk works again: what was kept in memory is written, at the latest with the retry after a second.
    let mut watched = history.problem();
    while matches!(&*watched.borrow_and_update(), Some(HistoryProblem::InMemory { .. })) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let _ = history.get("-").await;
    }
    history.save(&turn(99)).await.unwrap();
    // A read error in the search index looks like damage, which a rebuild repairs.
    assert!(matches!(problem(&history), None | Some(HistoryProblem::IndexRebuilt)), "{:?}: {at}", problem(&history));
    history.close().await;
    drop(history);

    let history = SqliteHistory::open(folder.path()).unwrap();
    let found = all(&history).await;
    for number in (0..TURNS).chain(saved).chain([99]) {
        assert!(found.contains(&turn(number)), "turn {number} was lost: {at}");
    }
    assert_eq!(named(folder.path(), "history.broken-"), Vec::<String>::new(), "{at}");
    history.close().await;
    failed
}

#[tokio::test]
async fn whatever_fails_at_whatever_moment_no_saved_turn_is_lost_and_the_user_is_told() {
    for (name, operation, code, short) in FAULTS {
        let mut cases: usize = 0;
        // For good from some operation on, then once only.
        for (times, moments) in [(usize::MAX, [0, 1, 4, 11, 25]), (1, [0, 2, 6, 13, 31])] {
            for after in moments {
                let fault = Fault { operation, code, after, times, short };
                cases += usize::from(case(name, fault).await);
            }
        }
        eprintln!("{name}: {cases} cases");
        assert!(cases > 0, "{name} never happened");
    }
}

#[tokio::test]
async fn a_lock_that_another_program_holds_for_a_moment_costs_nothing() {
    for after in [0, 3, 9] {
        let fault = Fault { operation: Operation::Lock, code: ffi::SQLITE_BUSY, after, times: 3, short: false };
        assert!(case("BUSY", fault).await);
    }
}

#[tokio::test]
async fn a_power_cut_leaves_every_turn_that_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    vfs::watch(folder.path());
    let history = SqliteHistory::open(folder.path()).unwrap();
    history.checked().await;
    for number in 0..120 {
        history.save(&turn(number)).await.unwrap();
        if number % 9 == 0 {
            let left = tempfile::tempdir().unwrap();
            vfs::power_cut(folder.path(), left.path());
            let after = SqliteHistory::open(left.path()).unwrap();
            assert_eq!(all(&after).await, (0..=number).map(turn).collect::<Vec<_>>());
            assert_eq!(problem(&after), None);
            after.close().await;
        }
    }
    history.close().await;
}

#[tokio::test]
async fn in_a_folder_that_cannot_be_written_aura_works_in_memory() {
    // Not even root can make a file there.
    let history = SqliteHistory::open("/proc/self/fdinfo".as_ref()).unwrap();
    history.save(&turn(1)).await.unwrap();
    assert_eq!(all(&history).await, [turn(1)]);
    let Some(HistoryProblem::InMemory { reason }) = problem(&history) else { panic!() };
    assert!(matches!(reason, MemoryReason::ReadOnly | MemoryReason::Unreadable), "{reason:?}");
    history.close().await;
}

#[tokio::test]
async fn a_repair_for_which_there_is_no_room_leaves_the_damaged_file_and_shows_its_turns() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 50).await;
    let path = folder.path().join("history.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..16].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    vfs::watch(folder.path());
    let fault =
        Fault { operation: Operation::Write, code: ffi::SQLITE_FULL, after: 0, times: usize::MAX, short: false };
    vfs::break_with(folder.path(), fault);
    let history = SqliteHistory::open(folder.path()).unwrap();
    assert_eq!(all(&history).await, (0..50).map(turn).collect::<Vec<_>>());
    let damaged = HistoryProblem::InMemory { reason: MemoryReason::Damaged };
    assert_eq!(problem(&history), Some(damaged));
    assert!(std::fs::read(&path).unwrap() == bytes);
    history.save(&turn(50)).await.unwrap();
    vfs::mend(folder.path());
    while matches!(problem(&history), Some(HistoryProblem::InMemory { .. })) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let _ = history.get("-").await;
    }
    assert_eq!(all(&history).await, (0..=50).map(turn).collect::<Vec<_>>());
    assert!(matches!(problem(&history), Some(HistoryProblem::Repaired { turns: 50, .. })));
    history.close().await;
}
