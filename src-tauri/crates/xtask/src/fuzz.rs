//! `cargo xtask fuzz`: everything that reads foreign bytes, fed with what a fuzzer makes of the recorded bodies.

use std::process::ExitCode;

use clap::Args;

use crate::program::{self, Result};

/// An input that takes longer is a finding, seconds: the longest recorded body takes a few milliseconds.
const SLOWEST: u32 = 20;
/// What a target may keep in memory, megabytes: the longest event that is believed is forty.
const MOST_MEMORY: u32 = 2_048;

/// How long, and what.
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// How long each target runs.
    #[arg(long, default_value_t = 300)]
    seconds: u32,
    /// Only these targets.
    targets: Vec<String>,
}

/// What came of one target.
struct Ran {
    target: String,
    executed: String,
    found: bool,
}

impl Fuzz {
    /// Builds the targets, runs one after another, and prints what each did. What one finds is kept in `fuzz/artifacts`.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        if !program::is_there("cargo-fuzz") {
            program::run(program::cargo("install").arg("cargo-fuzz"))?;
        }
        let mut all = Vec::new();
        for target in self.wanted()? {
            // Kept from run to run, beside the recorded bodies: what reached new code the last time does so again.
            let corpus = format!("fuzz/corpus/{target}");
            std::fs::create_dir_all(program::root().join(&corpus)).map_err(|cause| format!("{corpus}: {cause}"))?;
            let mut cargo = fuzzer("run");
            cargo.args([target.as_str(), &corpus, "tests/fixtures/wire", "--"]);
            cargo.arg(format!("-max_total_time={}", self.seconds));
            cargo.arg(format!("-timeout={SLOWEST}")).arg(format!("-rss_limit_mb={MOST_MEMORY}"));
            cargo.arg("-print_final_stats=1");
            let mut executed = None;
            let done = program::watch(&mut cargo, |line| {
                let units = line.strip_prefix("stat::number_of_executed_units:").map(|units| units.trim().to_owned());
                executed = units.or(executed.take());
            });
            if executed.is_none() {
                done?; // it did not even start
                return Err(format!("the fuzz target {target} does not tell what it did"));
            }
            all.push(Ran { target, executed: executed.unwrap_or_default(), found: done.is_err() });
        }
        println!("\n{:14} {:>8} {:>12}  found", "target", "seconds", "executions");
        for Ran { target, executed, found } in &all {
            let what = if *found { "see fuzz/artifacts" } else { "nothing" };
            println!("{target:14} {:>8} {executed:>12}  {what}", self.seconds);
        }
        Ok(if all.iter().any(|ran| ran.found) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn wanted(&self) -> Result<Vec<String>> {
        if !self.targets.is_empty() {
            return Ok(self.targets.clone());
        }
        Ok(program::output(&mut fuzzer("list"))?.lines().map(str::to_owned).collect())
    }
}

/// cargo-fuzz, which asks for what only an unstable compiler offers; the stable one has it too.
fn fuzzer(subcommand: &str) -> std::process::Command {
    let mut cargo = program::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["fuzz", subcommand]).env("RUSTC_BOOTSTRAP", "1");
    cargo
}
