//! The main window. Its size and place are remembered from one start to the next.

use std::path::Path;

use aura_core::Assistant;
use tauri::{AppHandle, Manager, Runtime, WebviewUrl, WebviewWindow, WebviewWindowBuilder};
use tauri_plugin_window_state::StateFlags;

/// The label of the main window.
pub(crate) const MAIN: &str = "main";

/// Where the main window was, kept in the data folder. A place on a monitor that is gone is not taken again.
pub(crate) fn memory<R: Runtime>(data: &Path) -> tauri::plugin::TauriPlugin<R> {
    tauri_plugin_window_state::Builder::new()
        // An absolute path takes the place of the plugin's own folder.
        .with_filename(data.join("windows.json").to_string_lossy())
        .with_state_flags(StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED)
        .with_denylist(&[crate::overlay::OVERLAY])
        .build()
}

/// Opens the main window, or makes it without showing it.
pub(crate) fn open_main<R: Runtime>(app: &AppHandle<R>, visible: bool) -> tauri::Result<WebviewWindow<R>> {
    WebviewWindowBuilder::new(app, MAIN, WebviewUrl::App("index.html".into()))
        .title("AURA")
        .inner_size(1_000.0, 720.0)
        .min_inner_size(480.0, 420.0)
        .visible(visible)
        .build()
}

/// What closing the main window does: AURA goes on where its tray shows it and the person wants that; else it ends.
pub(crate) fn close_main<R: Runtime>(app: &AppHandle<R>, assistant: &Assistant) -> bool {
    let stays = crate::tray::is_seen(app) && assistant.snapshot().settings.startup.background;
    if stays && let Some(window) = app.get_webview_window(MAIN) {
        let _ = window.hide();
    }
    stays
}

/// Brings the main window to the front.
pub(crate) fn show_main<R: Runtime>(app: &AppHandle<R>) {
    if let Some(window) = app.get_webview_window(MAIN) {
        let _ = window.unminimize();
        let _ = window.show();
        let _ = window.set_focus();
    }
}
