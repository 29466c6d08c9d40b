//! `cargo xtask bench history`: how long a history of many turns takes to open, search, page through, export and repair.
//!
//! The turns are made of 4,000 words with the frequencies of a natural language, so that beginnings of words match few and many turns.
#![allow(clippy::unwrap_used, reason = "a benchmark ends with its first failure")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aura_core::ports::{History, Selection, TurnFilter};
use aura_core::record::TurnRecord;
use aura_platform::SqliteHistory;
use serde_json::json;

/// Set in the process that is killed while it writes.
const VICTIM: &str = "AURA_BENCH_VICTIM";

/// What a user types, letter by letter.
const TYPED: [&str; 6] = ["the", "weather", "tomorrow in", "port", "router and switch", "word17"];

/// Turns per page of the window, and per page of an export.
const PAGES: [u32; 2] = [30, 500];

/// Turns that are saved one by one.
const SAVED: u32 = 500;

/// A source of numbers that is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A word; the first words are the most frequent (Zipf's law).
    fn word(&mut self) -> String {
        const FREQUENT: [&str; 10] = ["the", "a", "in", "port", "weather", "tomorrow", "router", "switch", "and", "is"];
        let uniform = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let rank = 4_000_f64.powf(uniform) as usize - 1;
        FREQUENT.get(rank).map_or_else(|| format!("word{rank}"), |word| (*word).to_owned())
    }

    fn text(&mut self, words: usize) -> String {
        (0..words).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }
}

fn turn(number: u32, numbers: &mut Numbers) -> TurnRecord {
    let started = jiff::Timestamp::from_second(1_700_000_000 + i64::from(number) * 60).unwrap();
    let stage = |stage: &str| {
        json!({"stage": stage, "start_ms": 0, "ms": 400, "route": {"provider": "groq", "model": "openai/gpt-oss-120b"}, "attempts": [{
            "service": "llm", "route": {"provider": "groq", "model": "openai/gpt-oss-120b"}, "ms": 400,
            "usage": {"input_tokens": 900, "output_tokens": 120}, "cost": {"usd": 0.0004, "basis": "priced"},
        }]})
    };
    let length = 20 + (numbers.next() % 80) as usize;
    serde_json::from_value(json!({
        "id": format!("0192{number:08x}-aaaa-7bbb-8ccc-0123456789ab"),
        "session": format!("session-{}", number / 20),
        "started_at": started,
        "transcript": numbers.text(9),
        "answer": numbers.text(length),
        "spoken": "",
        "interrupted": false,
        "stages": [stage("transcribing"), stage("thinking"), stage("speaking")],
        "notices": [],
        "question_audio": format!("/home/me/.local/share/aura/recordings/0192{number:08x}-aaaa-7bbb-8ccc-0123456789ab-question.wav"),
    }))
    .unwrap()
}

/// Durations of one kind of operation.
struct Measured {
    name: &'static str,
    all: Vec<Duration>,
}

impl Measured {
    fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.all.clone();
        sorted.sort();
        sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)].as_secs_f64() * 1_000.0
    }
}

async fn timed<T>(into: &mut Vec<Duration>, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let done = work.await;
    into.push(begun.elapsed());
    done
}

/// Opens the history and reads its first page.
async fn start(folder: &Path) -> SqliteHistory {
    let history = SqliteHistory::open(folder).unwrap();
    let first = history.find(&TurnFilter { limit: PAGES[0], ..TurnFilter::default() }).await.unwrap();
    assert_eq!(first.len(), PAGES[0] as usize);
    history
}

/// Writes turns in one transaction: one by one, each waits for the disk.
async fn fill(folder: &Path, turns: u32, numbers: &mut Numbers) {
    let history = SqliteHistory::open(folder).unwrap();
    history.checked().await;
    history.close().await;
    let mut db = rusqlite::Connection::open(folder.join("history.db")).unwrap();
    let transaction = db.transaction().unwrap();
    for number in 0..turns {
        let turn = turn(number, numbers);
        let (started, json) = (turn.started_at.as_microsecond(), serde_json::to_string(&turn).unwrap());
        let mut insert = transaction.prepare_cached("INSERT INTO turns VALUES (?1, ?2, ?3, ?4, ?5, ?6)").unwrap();
        insert.execute((turn.id, turn.session, started, turn.transcript, turn.answer, json)).unwrap();
    }
    transaction.commit().unwrap();
}

/// Reads every page; returns the number of turns.
async fn scroll(history: &SqliteHistory, limit: u32, most: usize, into: &mut Vec<Duration>) -> usize {
    let (mut before, mut count) = (None, 0);
    loop {
        let page = timed(into, history.find(&TurnFilter { before, limit, ..TurnFilter::default() })).await.unwrap();
        count += page.len();
        let Some(last) = page.last().filter(|_| count < most) else { return count };
        before = Some(last.id.clone());
    }
}

/// Saves turns until it is killed.
async fn victim(folder: &Path) -> ! {
    let history = SqliteHistory::open(folder).unwrap();
    let mut numbers = Numbers(7);
    for number in 10_000_000.. {
        history.save(&turn(number, &mut numbers)).await.unwrap();
        // The parent kills this process after so many lines.
        println!("saved");
        std::io::stdout().flush().unwrap();
    }
    unreachable!("it is killed before")
}

/// Kills a process that writes, with SIGKILL, after 200 turns.
fn kill_a_writer(folder: &Path) {
    use std::io::BufRead;
    let mut child =
        Command::new(std::env::current_exe().unwrap()).env(VICTIM, folder).stdout(Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.take(200).map_while(Result::ok).count(), 200);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Some(folder) = std::env::var_os(VICTIM) {
        victim(folder.as_ref()).await;
    }
    let turns: u32 = std::env::args().nth(1).map_or(50_000, |turns| turns.parse().expect("the number of turns"));
    let folder = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(42);
    let mut results: Vec<Measured> = Vec::new();

    let saved = turns.min(SAVED);
    fill(folder.path(), turns - saved, &mut numbers).await;
    let mut all = Vec::new();
    let history = SqliteHistory::open(folder.path()).unwrap();
    for number in turns - saved..turns {
        let turn = turn(number, &mut numbers);
        timed(&mut all, history.save(&turn)).await.unwrap();
    }
    history.close().await;
    drop(history);
    results.push(Measured { name: "save a turn", all });

    let mut all = Vec::new();
    for _ in 0..10 {
        let history = timed(&mut all, start(folder.path())).await;
        history.close().await;
    }
    results.push(Measured { name: "start, first page", all });

    let history = start(folder.path()).await;
    // A new backup is due, because the one of the start is of the empty history.
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("history.backup-") {
            std::fs::remove_file(path).unwrap();
        }
    }
    history.close().await;
    drop(history);
    let mut all = Vec::new();
    let history = SqliteHistory::open(folder.path()).unwrap();
    timed(&mut all, history.checked()).await;
    results.push(Measured { name: "check and backup, in the background", all });

    let mut all = Vec::new();
    for typed in TYPED {
        for end in 1..=typed.len() {
            let words = Some(typed[..end].to_owned());
            let filter = TurnFilter { words, limit: PAGES[0], ..TurnFilter::default() };
            timed(&mut all, history.find(&filter)).await.unwrap();
        }
    }
    results.push(Measured { name: "search as you type", all });

    let mut all = Vec::new();
    scroll(&history, PAGES[0], 30 * 200, &mut all).await;
    results.push(Measured { name: "scroll, a page of 30", all });

    let (mut all, mut pages) = (Vec::new(), Vec::new());
    let exported = timed(&mut all, scroll(&history, PAGES[1], usize::MAX, &mut pages)).await;
    assert_eq!(exported, turns as usize);
    results.push(Measured { name: "read all for an export", all });

    let mut all = Vec::new();
    for number in 0..20 {
        let id = turn(number, &mut Numbers(1)).id;
        timed(&mut all, history.delete(&Selection::Turn(id))).await.unwrap();
    }
    results.push(Measured { name: "delete a turn", all });
    history.close().await;
    drop(history);

    let mut all = Vec::new();
    for _ in 0..3 {
        kill_a_writer(folder.path());
        let history = timed(&mut all, start(folder.path())).await;
        history.close().await;
    }
    results.push(Measured { name: "start after kill -9", all });

    let path = folder.path().join("history.db");
    let size = std::fs::metadata(&path).unwrap().len();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..16].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let mut all = Vec::new();
    let history = timed(&mut all, start(folder.path())).await;
    results.push(Measured { name: "start with repair of a damaged file", all });
    let mut all = Vec::new();
    timed(&mut all, history.delete(&Selection::All)).await.unwrap();
    results.push(Measured { name: "delete all", all });
    history.close().await;

    println!("{turns} turns, {} MB", size / 1_000_000);
    println!("{:<38} {:>6} {:>10} {:>10} {:>10}", "milliseconds", "count", "p50", "p95", "max");
    for line in &results {
        let [p50, p95, max] = [50, 95, 100].map(|percent| line.percentile(percent));
        println!("{:<38} {:>6} {p50:>10.1} {p95:>10.1} {max:>10.1}", line.name, line.all.len());
    }
    let lines = results.iter().map(|line| {
        let [p50, p95, max] = [50, 95, 100].map(|percent| line.percentile(percent));
        json!({"name": line.name, "count": line.all.len(), "p50_ms": p50, "p95_ms": p95, "max_ms": max})
    });
    println!("{}", json!({"turns": turns, "bytes": size, "results": lines.collect::<Vec<_>>()}));
}
