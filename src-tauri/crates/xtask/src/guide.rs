//! `cargo xtask guide`: runs every step of the multi-provider guide against a local API that it starts.

use std::process::ExitCode;

use crate::program::{self, Result};
use crate::system::{self, Purpose};
use crate::{sdk, steps, ui};

/// Builds what the guide needs, runs its steps and prints a table of the results.
pub(crate) fn start() -> Result<ExitCode> {
    system::prepare(Purpose::Test)?;
    ui::build()?;
    steps::build()?;
    sdk::python()?;
    // The test prints its results, so the exit code is enough.
    let done = program::run(program::cargo("test").args(["--quiet", "--workspace", "--test", "guide"]));
    Ok(if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
