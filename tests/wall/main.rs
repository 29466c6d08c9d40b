//! The wall: everything that goes wrong with a provider, for each service, over real sockets, and what the person got all the same.
//!
//! Each row is an assistant of its own on a fake machine, with the sandbox as its providers. A row passes when the answer, the
//! attempts and the report are exactly what the table of the product promises. The table is printed at the end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod around;
mod flapping;
#[allow(dead_code, reason = "the turns' tests use all of it")]
#[path = "../../src-tauri/crates/aura-core/tests/turn/house.rs"]
mod house;
#[allow(dead_code, reason = "the turns' tests use all of it")]
#[path = "../../src-tauri/crates/aura-core/tests/turn/machine.rs"]
mod machine;
mod row;
#[allow(dead_code, reason = "the router's tests use all of it")]
#[path = "../../src-tauri/crates/aura-core/tests/router/scripted.rs"]
mod scripted;
mod sound;
mod text;
mod wall;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::StreamExt;
use row::{Row, Score};

/// Rows that run at the same time: most of them wait.
const AT_ONCE: usize = 8;
/// No row takes longer than this unless it hangs.
const LIMIT: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let mut rows = text::rows();
    rows.extend(sound::rows());
    rows.extend(around::rows());
    rows.extend(flapping::rows());
    let all = rows.len();
    rows.retain(|row| wanted.is_empty() || wanted.iter().any(|part| row.title().contains(part.as_str())));
    if arguments.iter().any(|argument| argument == "--list") {
        rows.iter().for_each(|row| println!("{}: test", row.title()));
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let left_out = all - rows.len();
    let results = runtime.block_on(async {
        let runs = rows.into_iter().map(|Row { fault, service, run }| async move {
            let task = tokio::spawn(run());
            let stop = task.abort_handle();
            let result = match tokio::time::timeout(LIMIT, task).await {
                Ok(result) => result.map_err(row::reason),
                Err(_) => Err(format!("It hung for {} s.", LIMIT.as_secs())),
            };
            stop.abort();
            (fault, service, result)
        });
        futures::stream::iter(runs).buffered(AT_ONCE).collect::<Vec<_>>().await
    });
    print(&results);
    let failed = results.iter().filter(|(.., result)| result.is_err()).count();
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; {left_out} filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        results.len() - failed,
        began.elapsed().as_secs_f64(),
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The scorecard.
fn print(results: &[(String, &'static str, Result<Score, String>)]) {
    println!("\n{:3} {:64} {:62} {:>6}  attempts", "for", "fault", "what the person got", "ms");
    for (fault, service, result) in results {
        match result {
            Ok(score) => println!("{service:3} {fault:64} {:62} {:>6}  {}", score.got, score.ms, score.attempts),
            Err(why) => println!("{service:3} {fault:64} FAILED: {why}"),
        }
    }
}
