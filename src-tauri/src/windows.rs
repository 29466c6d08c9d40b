//! The main window, and the labels of both windows. The size and position of the main window are kept between starts.

use std::path::Path;

use tauri::{AppHandle, Manager, Runtime, WebviewUrl, WebviewWindow, WebviewWindowBuilder};
use tauri_plugin_window_state::StateFlags;

/// The label of the main window.
pub(crate) const MAIN: &str = "main";
/// The label of the overlay window.
pub(crate) const OVERLAY: &str = "overlay";

/// The plugin that saves and restores the main window's size and position, in the data folder. It ignores a position on a monitor that
/// is no longer connected.
pub(crate) fn state_plugin<R: Runtime>(data: &Path) -> tauri::plugin::TauriPlugin<R> {
    tauri_plugin_window_state::Builder::new()
        // An absolute path replaces the plugin's default folder.
        .with_filename(data.join("windows.json").to_string_lossy())
        .with_state_flags(StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED)
        .with_denylist(&[OVERLAY])
        .build()
}

/// Creates the main window, visible or hidden.
pub(crate) fn open_main<R: Runtime>(app: &AppHandle<R>, is_visible: bool) -> tauri::Result<WebviewWindow<R>> {
    WebviewWindowBuilder::new(app, MAIN, WebviewUrl::App("index.html".into()))
        .title("AURA")
        .inner_size(1_000.0, 720.0)
        .min_inner_size(480.0, 420.0)
        // The page takes dropped pictures itself.
        .disable_drag_drop_handler()
        .visible(is_visible)
        .build()
}

/// Hides the main window. AURA keeps running.
pub(crate) fn hide_main<R: Runtime>(app: &AppHandle<R>) {
    if let Some(window) = app.get_webview_window(MAIN) {
        let _ = window.hide();
    }
}

/// Brings the main window to the front.
pub(crate) fn show_main<R: Runtime>(app: &AppHandle<R>) {
    if let Some(window) = app.get_webview_window(MAIN) {
        let _ = window.unminimize();
        let _ = window.show();
        let _ = window.set_focus();
    }
}
