//! `cargo xtask guide`: the multi-provider guide, line by line, against a door that is started for it.

use std::process::ExitCode;

use crate::program::{self, Result};
use crate::system::{self, Purpose};
use crate::{sdk, steps, ui};

/// Builds what is needed, walks the guide and prints a table.
pub(crate) fn start() -> Result<ExitCode> {
    system::prepare(Purpose::Test)?;
    ui::build()?;
    steps::build()?;
    sdk::python()?;
    // It prints the table and what went wrong; that it failed is all that is left to say.
    let walked = program::run(program::cargo("test").args(["--quiet", "--workspace", "--test", "guide"]));
    Ok(if walked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
