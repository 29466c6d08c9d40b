//! `cargo xtask soak`: hundreds of spoken turns in a row; measures memory growth, and processor use while the window is hidden.

use std::process::ExitCode;

use clap::Args;

use crate::program::{self, Result};
use crate::steps;

/// How many turns run, and whether the results are judged.
#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// Number of turns.
    #[arg(long, default_value_t = 500)]
    turns: u32,
    /// Number of turns after which the memory is first measured; the last measurement is compared with this one.
    #[arg(long, default_value_t = 50)]
    first: u32,
    /// Fail if memory (PSS) grows by more than 10 % or the app with a hidden window uses more than 0.5 % of a core.
    #[arg(long)]
    check: bool,
    /// Measure a build with optimisation.
    #[arg(long)]
    release: bool,
}

impl Soak {
    /// Builds the app and runs the turns.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        let programs = steps::build_app(self.release)?;
        let mut soak = program::command(program::target().join("debug/soak"));
        soak.args([self.turns.to_string(), self.first.to_string()]).arg(programs);
        if self.check {
            soak.arg("check");
        }
        // The program prints its results, so the exit code is enough.
        let done = program::run(&mut soak);
        Ok(if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
