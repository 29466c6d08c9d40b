//! `cargo xtask run`: builds and starts AURA from a fresh clone.

use std::process::ExitCode;

use clap::Args;

use crate::models;
use crate::program::{self, Result};
use crate::system::{self, Purpose};
use crate::ui;

/// How AURA is built and started.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Build with optimisation: a slower build, faster answers.
    #[arg(long)]
    release: bool,
    /// Arguments for AURA, such as `-- ask "What time is it?"`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Run {
    /// Installs, builds and runs AURA, and returns its exit code.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        system::prepare(Purpose::Run)?;
        ui::build()?;
        self.install_models()?;
        let mut cargo = program::cargo("run");
        cargo.args(["--package", "aura"]);
        if self.release {
            cargo.arg("--release");
        }
        cargo.arg("--").args(&self.arguments);
        // AURA starts in the user's working directory, so that relative paths among its arguments are correct.
        if let Ok(here) = std::env::current_dir() {
            cargo.current_dir(here);
        }
        let status = cargo.status().map_err(|cause| format!("cargo could not be started: {cause}"))?;
        Ok(match status.code() {
            Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
            None => ExitCode::FAILURE,
        })
    }

    /// Builds AURA and its engine, and fills the user's store of models, so that the first question is heard and answered.
    fn install_models(&self) -> Result {
        let mut cargo = program::cargo("build");
        cargo.args(["--package", "aura", "--package", "aura-engine"]);
        if self.release {
            // The store is filled by the debug build.
            program::run(&mut cargo)?;
            cargo.arg("--release");
        }
        program::run(&mut cargo)?;
        // AURA works without: it uses programs on this computer, or a provider.
        if let Err(message) = models::user_folder().and_then(|folder| models::fill(&folder, false)) {
            println!(
                "Not all models could be installed: {message}. AURA starts without them; `aura doctor` says what is missing."
            );
        }
        Ok(())
    }
}
