//! Starting when the person logs in, as the settings say.

use aura_core::Assistant;
use tauri::plugin::TauriPlugin;
use tauri::{AppHandle, Runtime};
use tauri_plugin_autostart::{MacosLauncher, ManagerExt};

use crate::changes;

/// What tells the operating system. No window may call it.
pub(crate) fn plugin<R: Runtime>() -> TauriPlugin<R> {
    tauri_plugin_autostart::init(MacosLauncher::LaunchAgent, Some(vec!["--hidden"]))
}

/// Follows the setting until the program ends.
pub(crate) async fn follow<R: Runtime>(app: AppHandle<R>, assistant: Assistant) {
    let mut events = assistant.subscribe();
    let mut now = assistant.snapshot().settings.startup.at_login;
    while changes::next(&mut events).await {
        let wanted = assistant.snapshot().settings.startup.at_login;
        // What the person took away by other means, such as the desktop's own list, is not put back unless the setting changes.
        if wanted != now {
            let entry = app.clone();
            let told = tokio::task::spawn_blocking(move || {
                let entry = entry.autolaunch();
                if wanted { entry.enable() } else { entry.disable() }
            });
            match told.await {
                Ok(Ok(())) => {}
                Ok(Err(cause)) => tracing::warn!(%cause, "the start at log-in could not be changed"),
                Err(cause) => tracing::warn!(%cause, "the start at log-in could not be changed"),
            }
            now = wanted;
        }
    }
}
