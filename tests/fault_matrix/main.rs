//! The fault matrix: every provider fault, for every service, over real sockets, and the result that the user gets.
//!
//! Each case runs an assistant of its own with fake ports and with the sandbox as its providers. A case passes if the answer, the
//! attempts and the report are exactly the expected ones. All results are printed at the end.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod case;
mod fixture;
mod flapping;
mod recovery;
mod sound;
mod text;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use case::{Case, Score};
use futures::StreamExt;

/// Cases that run at the same time. Most of them wait for a timeout.
const CONCURRENCY: usize = 8;
/// The time limit of one case.
const CASE_TIMEOUT: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let mut cases = text::cases();
    cases.extend(sound::cases());
    cases.extend(recovery::cases());
    cases.extend(flapping::cases());
    let all = cases.len();
    cases.retain(|case| wanted.is_empty() || wanted.iter().any(|part| case.title().contains(part.as_str())));
    if arguments.iter().any(|argument| argument == "--list") {
        cases.iter().for_each(|case| println!("{}: test", case.title()));
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let left_out = all - cases.len();
    let results = runtime.block_on(async {
        let runs = cases.into_iter().map(|Case { fault, service, run }| async move {
            let task = tokio::spawn(run());
            let stop = task.abort_handle();
            let result = match tokio::time::timeout(CASE_TIMEOUT, task).await {
                Ok(result) => result.map_err(case::reason),
                Err(_) => Err(format!("It did not end within {} s.", CASE_TIMEOUT.as_secs())),
            };
            stop.abort();
            (fault, service, result)
        });
        futures::stream::iter(runs).buffered(CONCURRENCY).collect::<Vec<_>>().await
    });
    print(&results);
    let failed = results.iter().filter(|(.., result)| result.is_err()).count();
    println!("\nfault matrix: {} of {} cases passed", results.len() - failed, results.len());
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; {left_out} filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        results.len() - failed,
        began.elapsed().as_secs_f64(),
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints one line per case: service, fault, result, duration, attempts.
fn print(results: &[(String, &'static str, Result<Score, String>)]) {
    println!("\n{:3} {:64} {:62} {:>6}  attempts", "", "fault", "result for the user", "ms");
    for (fault, service, result) in results {
        match result {
            Ok(score) => println!("{service:3} {fault:64} {:62} {:>6}  {}", score.got, score.ms, score.attempts),
            Err(why) => println!("{service:3} {fault:64} FAILED: {why}"),
        }
    }
}
