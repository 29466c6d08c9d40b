//! `aura serve`: the HTTP door without a window.

use std::process::ExitCode;

use aura_core::error::Result;

pub(super) async fn run(sandbox: bool, port: u16) -> Result<ExitCode> {
    aura_server::run(sandbox, port, Some(crate::interface::files())).await?;
    Ok(ExitCode::SUCCESS)
}
