//! `cargo xtask screenshots`: screenshots of every panel and the overlay.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::program::{self, Result};
use crate::steps;

/// The pictures in README, and the screenshots that they are copied from.
const DOCS: [(&str, &str); 5] = [
    ("talk-light.png", "talk-readme-light.png"),
    ("talk-dark.png", "talk-readme-dark.png"),
    ("providers.png", "providers-900x640-light.png"),
    ("health.png", "health-900x640-dark.png"),
    ("overlay.png", "overlay-listening.png"),
];

/// Where the screenshots are saved.
#[derive(Debug, Args)]
pub(crate) struct Screenshots {
    /// The folder for the screenshots; default: `target/screenshots`.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Also update the pictures in README.
    #[arg(long)]
    docs: bool,
}

impl Screenshots {
    /// Builds the app and takes the screenshots.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        let programs = steps::build_app(false)?;
        let folder = match &self.folder {
            Some(folder) => std::path::absolute(folder).map_err(|cause| format!("{}: {cause}", folder.display()))?,
            None => program::target().join("screenshots"),
        };
        let mut take = program::command(programs.join("screenshots"));
        program::run(take.arg(&folder).arg(&programs))?;
        if self.docs {
            for (name, taken) in DOCS {
                let (from, to) = (folder.join(taken), program::root().join("docs").join(name));
                std::fs::copy(&from, &to).map_err(|cause| format!("{} → {}: {cause}", from.display(), to.display()))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
