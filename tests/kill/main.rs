//! The kill matrix: the real app, ended at random moments of a spoken turn, and what is left of the turn after a restart.
//!
//! Each moment lies in a known phase, from the press of the key to the saved turn, and ends the app by SIGKILL or by SIGTERM. After a
//! restart, every turn that had begun must be listed, able to be retried, and complete but for the last [`TOLERANCE`] of its sound; the
//! settings and the ledger must be whole. `AURA_KILLS` sets the number of SIGKILLs; there is a quarter as many SIGTERMs, at least 8.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod ears;
mod moment;
mod worker;

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use moment::{Outcome, PHASES, Phase};

/// The sound that may be missing at the end of a recording.
pub(crate) const TOLERANCE: Duration = Duration::from_millis(100);
/// SIGKILLs without `AURA_KILLS`.
const KILLS: usize = 200;
/// Desktops with an app each. An app mostly waits, but its start keeps a core busy.
const WORKERS: usize = 2;
/// The variable that makes this program a worker. Its value is the worker's number.
const WORKER: &str = "AURA_KILL_WORKER";

fn main() -> ExitCode {
    let kills = std::env::var("AURA_KILLS").map_or(KILLS, |count| count.parse().expect("AURA_KILLS is a number"));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        println!("kill matrix: test");
        return ExitCode::SUCCESS;
    }
    let mut wanted = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
    let is_wanted = wanted.peek().is_none() || wanted.any(|part| "kill matrix".contains(part.as_str()));
    let moments = if is_wanted { moment::all(kills, (kills / 4).max(8)) } else { Vec::new() };
    if let Ok(number) = std::env::var(WORKER) {
        let number: usize = number.parse().unwrap();
        let own = moments.into_iter().skip(number).step_by(WORKERS).collect::<Vec<_>>();
        return aura_tests::desktop::in_private_desktop(1000, 700, false, || worker::run(&own));
    }
    let began = Instant::now();
    let count = if is_wanted { WORKERS } else { 0 };
    let workers: Vec<_> = (0..count).map(|number| std::thread::spawn(move || outcomes(number))).collect();
    let outcomes: Vec<Outcome> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
    print(&outcomes);
    let failed = outcomes.iter().filter(|outcome| !outcome.failures.is_empty()).count();
    let missing = moments.len() - outcomes.len();
    println!("\nkill matrix: {} of {} moments passed", outcomes.len() - failed, moments.len());
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; 0 filtered out; finished in {:.2}s\n",
        if failed + missing == 0 { "ok" } else { "FAILED" },
        outcomes.len() - failed,
        failed + missing,
        began.elapsed().as_secs_f64(),
    );
    if failed + missing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a worker and reads what it reports.
fn outcomes(number: usize) -> Vec<Outcome> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut worker = command.env(WORKER, number.to_string()).stdout(Stdio::piped()).spawn().unwrap();
    let mut outcomes = Vec::new();
    for line in BufReader::new(worker.stdout.take().unwrap()).lines().map_while(Result::ok) {
        match Outcome::parse(&line) {
            Some(outcome) => {
                if !outcome.failures.is_empty() {
                    eprintln!(
                        "{} at {} ms of {}: {}",
                        outcome.signal,
                        outcome.at_ms,
                        outcome.phase,
                        outcome.failures.join(" ")
                    );
                }
                outcomes.push(outcome);
            }
            None => eprintln!("worker {number}: {line}"),
        }
    }
    worker.wait().unwrap();
    outcomes
}

/// Prints one line per signal and phase.
fn print(outcomes: &[Outcome]) {
    println!(
        "\n{:8} {:14} {:>7} {:>6} {:>6} {:>8} {:>9} {:>22} {:>7}",
        "signal", "phase", "moments", "begun", "listed", "retried", "complete", "sound missing (ms)", "failed"
    );
    println!("{:72} {:>10} {:>7}", "", "median", "most");
    for signal in ["KILL", "TERM"] {
        for phase in PHASES.map(Phase::name) {
            let of_it: Vec<&Outcome> =
                outcomes.iter().filter(|outcome| outcome.signal == signal && outcome.phase == phase).collect();
            let count = |is: &dyn Fn(&Outcome) -> bool| of_it.iter().filter(|outcome| is(outcome)).count();
            let mut missing: Vec<i64> = of_it.iter().filter_map(|outcome| outcome.missing_ms).collect();
            missing.sort_unstable();
            let shown = |value: Option<&i64>| value.map_or_else(|| "-".to_owned(), i64::to_string);
            println!(
                "{signal:8} {phase:14} {:>7} {:>6} {:>6} {:>8} {:>9} {:>12} {:>7} {:>9}",
                of_it.len(),
                count(&|outcome| outcome.begun),
                count(&|outcome| outcome.listed),
                count(&|outcome| outcome.retried),
                count(&|outcome| outcome.complete),
                shown(missing.get(missing.len() / 2)),
                shown(missing.last()),
                count(&|outcome| !outcome.failures.is_empty()),
            );
        }
    }
}
