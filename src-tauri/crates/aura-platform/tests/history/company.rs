//! Several processes on one damaged folder: nothing is overwritten, and no readable turn is lost.

use std::process::{Command, Stdio};

use aura_core::ports::History;
use aura_platform::SqliteHistory;

use crate::common::{all, fill, named, turn};

const TURNS: usize = 120;

/// One of the processes of the tests below: waits for the end of its input, then saves a turn.
#[tokio::test]
#[ignore = "the tests below start this in processes of its own"]
async fn one_process() {
    let folder = std::env::var_os("HISTORY_FOLDER").unwrap();
    let number: usize = std::env::var("HISTORY_TURN").unwrap().parse().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let history = SqliteHistory::open(folder.as_ref()).unwrap();
    history.save(&turn(number)).await.unwrap();
    assert!(history.get(&format!("turn-{number:05}")).await.unwrap().is_some());
    history.close().await;
}

/// Starts so many processes at the same moment, and returns whether each succeeded.
fn start(folder: &std::path::Path, count: usize) -> bool {
    let start = |number: usize| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "company::one_process", "--ignored", "--nocapture"])
            .env("HISTORY_FOLDER", folder)
            .env("HISTORY_TURN", (TURNS + number).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut children: Vec<_> = (0..count).map(start).collect();
    let gates: Vec<_> = children.iter_mut().map(|child| child.stdin.take()).collect();
    // The end of their input starts them all.
    drop(gates);
    let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    for output in outputs.iter().filter(|output| !output.status.success()) {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    }
    outputs.iter().all(|output| output.status.success())
}

#[tokio::test]
async fn two_to_eight_processes_at_once_on_a_damaged_folder() {
    let origin = tempfile::tempdir().unwrap();
    fill(origin.path(), TURNS).await;
    let mut bytes = std::fs::read(origin.path().join("history.db")).unwrap();
    // The root of the schema and the head of the file are gone; the rows are readable.
    bytes[..60].fill(0);
    bytes[100..104].fill(0);
    for round in 0..100 {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("history.db"), &bytes).unwrap();
        let count = 2 + round % 7;
        assert!(start(folder.path(), count), "round {round}");
        let broken = named(folder.path(), "history.broken-");
        let databases: Vec<_> = broken.iter().filter(|name| name.ends_with(".db")).collect();
        assert_eq!(databases.len(), 1, "round {round}: {broken:?}");
        assert!(std::fs::read(folder.path().join(databases[0])).unwrap() == bytes, "round {round}: it was overwritten");
        let history = SqliteHistory::open(folder.path()).unwrap();
        let found = all(&history).await;
        assert_eq!(found, (0..TURNS + count).map(turn).collect::<Vec<_>>(), "round {round}");
        history.close().await;
    }
}

#[tokio::test]
async fn two_to_eight_processes_at_once_on_a_new_folder() {
    for round in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let count = 2 + round % 7;
        assert!(start(folder.path(), count), "round {round}");
        let history = SqliteHistory::open(folder.path()).unwrap();
        assert_eq!(all(&history).await.len(), count);
        history.close().await;
    }
}

#[tokio::test]
async fn a_process_that_has_the_damaged_file_open_continues_in_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    fill(folder.path(), 30).await;
    let first = SqliteHistory::open(folder.path()).unwrap();
    first.checked().await;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..16].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let second = SqliteHistory::open(folder.path()).unwrap();
    assert_eq!(named(folder.path(), "history.broken-").iter().filter(|name| name.ends_with(".db")).count(), 1);
    first.save(&turn(30)).await.unwrap();
    second.save(&turn(31)).await.unwrap();
    assert_eq!(all(&first).await.len(), 32);
    assert_eq!(all(&second).await, (0..32).map(turn).collect::<Vec<_>>());
}

/// Every point at which a repair can be cut off leaves files from which the next start makes the whole history.
#[tokio::test]
async fn a_repair_that_was_cut_off_is_completed() {
    let origin = tempfile::tempdir().unwrap();
    fill(origin.path(), 50).await;
    let good = std::fs::read(origin.path().join("history.db")).unwrap();
    let mut bad = good.clone();
    bad[..16].fill(0);
    let log = b"the log of the damaged one".to_vec();
    type State<'a> = (&'a str, Vec<(&'a str, &'a [u8])>);
    let broken = "history.broken-20260101-000000.000000001-7.db";
    let states: [State<'_>; 5] = [
        ("while it was written", vec![("history.db", &bad), ("history.repair-1.tmp", &good[..good.len() / 2])]),
        ("before the move", vec![("history.db", &bad), ("history.repaired.db", &good)]),
        (
            "after the log was moved",
            vec![
                ("history.db", &bad),
                ("history.repaired.db", &good),
                ("history.broken-20260101-000000.000000001-7.db-wal", &log),
            ],
        ),
        ("after the database was moved", vec![(broken, &bad), ("history.repaired.db", &good)]),
        ("at the end", vec![(broken, &bad), ("history.db", &good)]),
    ];
    for (when, files) in states {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let history = SqliteHistory::open(folder.path()).unwrap();
        assert_eq!(all(&history).await, (0..50).map(turn).collect::<Vec<_>>(), "{when}");
        let kept = named(folder.path(), "history.broken-");
        let kept = kept.iter().find(|name| name.ends_with(".db")).unwrap();
        assert!(std::fs::read(folder.path().join(kept)).unwrap() == bad, "{when}");
        assert_eq!(named(folder.path(), "history.repaired"), Vec::<String>::new(), "{when}");
        history.close().await;
    }
}
