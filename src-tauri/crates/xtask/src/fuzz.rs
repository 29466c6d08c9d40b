//! `cargo xtask fuzz`: fuzzes all decoders of data from outside, starting from recorded response bodies.

use std::process::ExitCode;

use clap::Args;

use crate::program::{self, Result};

/// Seconds after which an input counts as a hang. The longest recorded body takes a few milliseconds.
const TIMEOUT_SECONDS: u32 = 20;
/// Memory limit of a target, in megabytes. The longest event that a decoder accepts has 40 megabytes.
const MEMORY_LIMIT_MB: u32 = 2_048;

/// How long to fuzz, and which targets.
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// Duration of each target's run, in seconds.
    #[arg(long, default_value_t = 300)]
    seconds: u32,
    /// The targets to run; default: all.
    targets: Vec<String>,
}

/// The outcome of one target.
struct TargetRun {
    target: String,
    /// Number of inputs that were tried.
    executions: String,
    /// Whether an input crashed, hung or ran out of memory.
    has_finding: bool,
}

impl Fuzz {
    /// Builds the targets, runs one after another, and prints a table. An input that fails is saved in `fuzz/artifacts`.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        if !program::is_installed("cargo-fuzz") {
            program::run(program::cargo_elsewhere("install").arg("cargo-fuzz"))?;
        }
        let mut all = Vec::new();
        for target in self.selected()? {
            // Inputs that reached new code are kept for the next run, apart from the recorded bodies.
            let corpus = format!("fuzz/corpus/{target}");
            std::fs::create_dir_all(program::root().join(&corpus)).map_err(|cause| format!("{corpus}: {cause}"))?;
            let mut cargo = fuzzer("run");
            cargo.args([target.as_str(), &corpus, "tests/fixtures/wire", "--"]);
            cargo.arg(format!("-max_total_time={}", self.seconds));
            cargo.arg(format!("-timeout={TIMEOUT_SECONDS}")).arg(format!("-rss_limit_mb={MEMORY_LIMIT_MB}"));
            cargo.arg("-print_final_stats=1");
            let mut executions = None;
            let done = program::watch(&mut cargo, "", |line| {
                let units = line.strip_prefix("stat::number_of_executed_units:").map(|units| units.trim().to_owned());
                executions = units.or(executions.take());
            });
            let Some(executions) = executions else {
                done?; // cargo-fuzz or the build failed
                return Err(format!("the fuzz target {target} printed no statistics"));
            };
            all.push(TargetRun { target, executions, has_finding: done.is_err() });
        }
        println!("\n{:14} {:>8} {:>12}  found", "target", "seconds", "executions");
        for TargetRun { target, executions, has_finding } in &all {
            let found = if *has_finding { "see fuzz/artifacts" } else { "nothing" };
            println!("{target:14} {:>8} {executions:>12}  {found}", self.seconds);
        }
        Ok(if all.iter().any(|run| run.has_finding) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn selected(&self) -> Result<Vec<String>> {
        if !self.targets.is_empty() {
            return Ok(self.targets.clone());
        }
        Ok(program::output(&mut fuzzer("list"))?.lines().map(str::to_owned).collect())
    }
}

/// cargo-fuzz. It uses unstable compiler flags; `RUSTC_BOOTSTRAP` makes the stable compiler accept them.
fn fuzzer(subcommand: &str) -> std::process::Command {
    let mut cargo = program::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["fuzz", subcommand]).env("RUSTC_BOOTSTRAP", "1");
    cargo
}
