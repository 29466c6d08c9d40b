//! The operations on updates of AURA.

use super::types::Nothing;
use crate::assistant::Assistant;
use crate::error::Result;
use crate::updates::UpdatesView;

/// Returns what is known about a newer version of AURA, without asking anybody.
pub async fn updates(assistant: &Assistant, _: Nothing) -> Result<UpdatesView> {
    Ok(assistant.ports().updates.view())
}

/// Asks for AURA's newest version, and fetches newer lists of models and prices, whatever the settings say.
///
/// # Errors
/// When this build knows no server, the server cannot be reached, or a signature is wrong.
pub async fn check_for_updates(assistant: &Assistant, _: Nothing) -> Result<UpdatesView> {
    assistant.ports().updates.check().await?;
    updates(assistant, Nothing {}).await
}

/// Starts to download the package of the newest version, or goes on with a download that stopped.
///
/// # Errors
/// When there is no newer version, or no package of it for this computer.
pub async fn download_update(assistant: &Assistant, _: Nothing) -> Result<UpdatesView> {
    assistant.ports().updates.download()?;
    updates(assistant, Nothing {}).await
}

/// Stops the download of a package. What has arrived is kept.
pub async fn stop_update(assistant: &Assistant, _: Nothing) -> Result<UpdatesView> {
    assistant.ports().updates.stop();
    updates(assistant, Nothing {}).await
}

/// Opens the downloaded package in the program that installs it.
///
/// # Errors
/// When it is not downloaded, was changed since, or no program opens it.
pub async fn install_update(assistant: &Assistant, _: Nothing) -> Result<UpdatesView> {
    assistant.ports().updates.install().await?;
    updates(assistant, Nothing {}).await
}
