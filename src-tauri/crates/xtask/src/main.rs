//! Developer commands, such as `cargo xtask run`, `cargo xtask test`, `cargo xtask screenshots` and `cargo xtask bench voice`.

mod bench;
mod bench_local;
mod bundle;
mod clients;
mod durations;
mod fuzz;
mod guide;
mod mcp;
mod models;
mod package_parts;
mod program;
mod report;
mod run;
mod screenshots;
mod sdk;
mod soak;
mod steps;
mod system;
mod test;
mod test_runner;
mod tools;
mod ui;
mod update_manifest;

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
    /// Installs missing packages, builds everything and opens AURA. Needs no account and no API key.
    Run(run::Run),
    /// Installs missing packages and runs all tests.
    Test(test::Test),
    /// Fills a store with small models, for the tests or for the user.
    Models(models::Models),
    /// Starts the local API, runs every step of the multi-provider guide against it, and prints a table of the results.
    Guide,
    /// Runs programs of others against the local API: agents, assistants and libraries for OpenAI's and Anthropic's APIs.
    Clients(clients::Clients),
    /// Takes screenshots of every panel and the overlay: light and dark, small and large, and with text at twice its size.
    Screenshots(screenshots::Screenshots),
    /// Runs hundreds of spoken turns in a row; measures memory growth, and processor use while the window is hidden.
    Soak(soak::Soak),
    /// Fuzzes all decoders of data from outside, starting from recorded response bodies.
    Fuzz(fuzz::Fuzz),
    /// Builds the packages of Linux: the app's and the server's, each as .deb and .rpm.
    Bundle(bundle::Bundle),
    /// Describes the packages of a version for the programs that look for updates.
    UpdateManifest(update_manifest::UpdateManifest),
    /// Looks for published weaknesses in dependencies.
    Audit,
    /// Builds the parts of packages for Windows and macOS that Tauri does not build itself. Tauri calls this.
    #[command(hide = true)]
    PackageParts,
    /// Runs a benchmark.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Runs a test binary so that it prints durations. Cargo calls this during `test`.
    #[command(hide = true)]
    RunTest(test_runner::RunTest),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Run(run) => run.start(),
        Task::Test(test) => test.start(),
        Task::Models(models) => models.start(),
        Task::Guide => guide::start(),
        Task::Clients(clients) => clients.start(),
        Task::Screenshots(screenshots) => screenshots.start(),
        Task::Soak(soak) => soak.start(),
        Task::Fuzz(fuzz) => fuzz.start(),
        Task::Bundle(bundle) => bundle.start(),
        Task::UpdateManifest(manifest) => manifest.start(),
        Task::Audit => tools::audit(),
        Task::PackageParts => package_parts::start(),
        Task::Bench(bench) => bench.start(),
        Task::RunTest(test) => test.start(),
    };
    match done {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
