//! Registers AURA to start at log-in while the setting is on.

use aura_core::Assistant;
use tauri::plugin::TauriPlugin;
use tauri::{AppHandle, Runtime};
use tauri_plugin_autostart::{MacosLauncher, ManagerExt};

use crate::changes;

/// The plugin that registers programs with the operating system. No capability allows it to a window.
pub(crate) fn plugin<R: Runtime>() -> TauriPlugin<R> {
    tauri_plugin_autostart::init(MacosLauncher::LaunchAgent, Some(vec!["--hidden"]))
}

/// Applies changes of the setting until the program ends.
pub(crate) async fn follow<R: Runtime>(app: AppHandle<R>, assistant: Assistant) {
    let mut events = assistant.subscribe();
    let mut current = assistant.config().settings.startup.at_login;
    while changes::next(&mut events).await {
        let wanted = assistant.config().settings.startup.at_login;
        // Only on a change: an entry that the user removed in the desktop's own settings is not added again.
        if wanted != current {
            let entry = app.clone();
            let result = tokio::task::spawn_blocking(move || {
                let entry = entry.autolaunch();
                if wanted { entry.enable() } else { entry.disable() }
            });
            match result.await {
                Ok(Ok(())) => {}
                Ok(Err(cause)) => tracing::warn!(%cause, "starting at log-in could not be changed"),
                Err(cause) => tracing::warn!(%cause, "starting at log-in could not be changed"),
            }
            current = wanted;
        }
    }
}
