//! `aura update`: looks for a newer version, and downloads its package.

use std::process::ExitCode;
use std::time::Duration;

use aura_core::error::{Error, ErrorCode, Result};
use aura_core::updates::{UpdateState, UpdatesView};
use serde_json::json;

use super::operations::Operations;
use super::output;

/// How often the state of a download is read.
const LOOK: Duration = Duration::from_millis(250);

pub(super) async fn run(sandbox: bool, download: bool, as_json: bool) -> Result<ExitCode> {
    let operations = Operations::open(sandbox).await?;
    let done = update(&operations, download, as_json).await;
    operations.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn update(operations: &Operations, download: bool, as_json: bool) -> Result<()> {
    let mut view: UpdatesView = operations.request("check_for_updates", json!({})).await?;
    if download && view.release.is_some() {
        operations.call("download_update", json!({})).await?;
        view = tokio::select! {
            view = follow(operations) => view?,
            () = aura_server::shutdown_signal() => {
                let _ = operations.call("stop_update", json!({})).await;
                return Err(Error::new(ErrorCode::Cancelled, "Stopped. Run `aura update --download` again to go on."));
            }
        };
    }
    if as_json {
        return output::json(&view);
    }
    let Some(release) = &view.release else {
        output::print(format!("AURA {} is up to date.", env!("CARGO_PKG_VERSION")));
        return Ok(());
    };
    output::print(format!("AURA {} is available, published on {}.", release.version, release.published));
    if !release.notes.is_empty() {
        output::print(format!("\n{}\n", release.notes.trim()));
    }
    match (&view.state, &release.package) {
        (UpdateState::Ready { file, command }, _) => {
            output::print(format!("Its package is {file}, and its signature is right."));
            if let Some(command) = command {
                output::print(format!("Install it: {command}"));
            }
        }
        (_, Some(_)) => output::print("Download it: aura update --download"),
        (_, None) => output::print("Update AURA in the way you installed it."),
    }
    Ok(())
}

/// Shows how a download goes, until it has ended.
async fn follow(operations: &Operations) -> Result<UpdatesView> {
    loop {
        let view: UpdatesView = operations.request("updates", json!({})).await?;
        match &view.state {
            UpdateState::Downloading { done_bytes, total_bytes } => {
                eprintln!("{} of {} MB", done_bytes / 1_000_000, total_bytes / 1_000_000);
            }
            UpdateState::Failed { error } => return Err(error.clone()),
            _ => return Ok(view),
        }
        tokio::time::sleep(LOOK).await;
    }
}
