//! `cargo xtask run`: from a fresh clone to the open window.

use std::process::ExitCode;

use clap::Args;

use crate::program::{self, Result};
use crate::system::{self, Purpose};
use crate::ui;

/// What is run.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// With optimisation: slower to build, quicker to answer.
    #[arg(long)]
    release: bool,
    /// Goes to AURA as it is, such as `-- ask "What time is it?"`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Run {
    /// Prepares everything and hands over to AURA; its exit code is ours.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        system::prepare(Purpose::Run)?;
        ui::build()?;
        let mut cargo = program::cargo("run");
        cargo.args(["--package", "aura"]);
        if self.release {
            cargo.arg("--release");
        }
        cargo.arg("--").args(&self.arguments);
        // AURA works where it was called, so that file names mean what the person meant.
        if let Ok(here) = std::env::current_dir() {
            cargo.current_dir(here);
        }
        let status = cargo.status().map_err(|cause| format!("cargo could not be started: {cause}"))?;
        Ok(match status.code() {
            Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
            None => ExitCode::FAILURE,
        })
    }
}
