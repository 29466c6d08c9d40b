//! `cargo xtask soak`: hundreds of spoken turns in a row; whether AURA keeps its memory, and rests while its window is hidden.

use std::process::ExitCode;

use clap::Args;

use crate::program::{self, Result};
use crate::steps;

/// How long it lasts.
#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// How many turns.
    #[arg(long, default_value_t = 500)]
    turns: u32,
    /// After how many turns the memory is what it is compared with.
    #[arg(long, default_value_t = 50)]
    first: u32,
    /// Fails when memory (PSS) grows by more than a tenth or the hidden window takes more than half a hundredth of a core.
    #[arg(long)]
    check: bool,
    /// With optimisation.
    #[arg(long)]
    release: bool,
}

impl Soak {
    /// Builds what is measured, and measures.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        let programs = steps::real_app(self.release)?;
        let mut soak = program::command(program::target().join("debug/soak"));
        soak.args([self.turns.to_string(), self.first.to_string()]).arg(programs);
        if self.check {
            soak.arg("check");
        }
        // It prints a table; that something was too much is all that is left to say.
        let done = program::run(&mut soak);
        Ok(if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
