//! `cargo xtask run`: builds and starts AURA from a fresh clone.

use std::path::PathBuf;
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
        let programs = self.build()?;
        // AURA works without: it uses programs on this computer, or a provider.
        if let Err(message) = models::user_folder().and_then(|folder| models::fill(&folder, &programs, false)) {
            eprintln!("Not all models could be installed: {message}. `aura doctor` says what is missing.");
        }
        // Not through `cargo run`, which would select other packages than the build did, and with them other features of dependencies.
        let mut aura = program::command(programs.join(format!("aura{}", std::env::consts::EXE_SUFFIX)));
        aura.args(&self.arguments);
        // AURA starts in the user's working directory, so that relative paths among its arguments are correct.
        if let Ok(here) = std::env::current_dir() {
            aura.current_dir(here);
        }
        let status = aura.status().map_err(|cause| format!("AURA could not be started: {cause}"))?;
        Ok(match status.code() {
            Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
            None => ExitCode::FAILURE,
        })
    }

    /// Builds AURA and the engine that runs models. Returns the folder with both programs.
    fn build(&self) -> Result<PathBuf> {
        let mut cargo = program::cargo("build");
        cargo.args(["--package", "aura", "--package", "aura-engine"]);
        if self.release {
            cargo.arg("--release");
        }
        // Nothing is printed on standard output, which is AURA's.
        let status = cargo.status().map_err(|cause| format!("cargo could not be started: {cause}"))?;
        if !status.success() {
            return Err(format!("`{}` failed ({status})", program::command_line(&cargo)));
        }
        Ok(program::target().join(if self.release { "release" } else { "debug" }))
    }
}
