//! `aura serve`: the local API without a window.

use std::process::ExitCode;

use aura_core::error::Result;
use aura_server::ServerOptions;

pub(super) async fn run(sandbox: bool, port: u16) -> Result<ExitCode> {
    let web_ui = Some(crate::interface::files());
    aura_server::run(ServerOptions { sandbox, port, web_ui, ..ServerOptions::default() }).await?;
    Ok(ExitCode::SUCCESS)
}
