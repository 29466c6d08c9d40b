//! `cargo xtask bench`: measurements whose numbers are printed, not judged.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::program::{self, Result};
use crate::system::{self, Purpose};
use crate::{steps, ui};

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// From the release of the key to the first sound, with providers of fixed delay; how much of it is AURA's own.
    Turn(Turn),
}

/// How the turn is measured.
#[derive(Debug, Args)]
pub(crate) struct Turn {
    /// How many turns count; one more is taken before them.
    #[arg(long, default_value_t = 20)]
    turns: u32,
    /// With optimisation.
    #[arg(long)]
    release: bool,
}

impl Bench {
    /// Builds what is measured, and measures.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        let Self::Turn(turn) = self;
        system::prepare(Purpose::Test)?;
        ui::build()?;
        steps::build()?;
        let mut programs = "debug";
        if turn.release {
            programs = "release";
            program::run(program::cargo("build").args([
                "--release",
                "--package",
                "aura",
                "--package",
                "aura-sandbox",
            ]))?;
        }
        let measure = program::target().join("debug/bench-turn");
        let mut measure = program::command(measure);
        measure.arg(turn.turns.to_string()).arg(program::target().join(programs));
        program::run(&mut measure)?;
        Ok(ExitCode::SUCCESS)
    }
}
