//! What a contributor types: `cargo xtask run`, `cargo xtask test`, `cargo xtask screenshots`, `cargo xtask bench turn`.

mod bench;
mod fuzz;
mod guide;
mod program;
mod report;
mod run;
mod screenshots;
mod sdk;
mod soak;
mod steps;
mod system;
mod test;
mod ui;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, runs, tests and measures AURA.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Installs what is missing, builds everything and opens AURA. Needs no account and no key.
    Run(run::Run),
    /// Installs what is missing and runs every test.
    Test(test::Test),
    /// Walks the multi-provider guide as it is printed against a server that it starts, and prints a table.
    Guide,
    /// Takes a picture of every panel and of the overlay, light and dark, small, large and with letters of double size.
    Screenshots(screenshots::Screenshots),
    /// Talks to AURA hundreds of times in a row, and measures whether it keeps its memory and rests while its window is hidden.
    Soak(soak::Soak),
    /// Feeds everything that reads foreign bytes with what a fuzzer makes of the recorded bodies.
    Fuzz(fuzz::Fuzz),
    /// Measures.
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Run(run) => run.start(),
        Task::Test(test) => test.start(),
        Task::Guide => guide::start(),
        Task::Screenshots(screenshots) => screenshots.start(),
        Task::Soak(soak) => soak.start(),
        Task::Fuzz(fuzz) => fuzz.start(),
        Task::Bench(bench) => bench.start(),
    };
    match done {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
