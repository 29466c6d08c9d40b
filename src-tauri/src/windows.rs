//! The main window and the overlay.

use std::time::Duration;

use aura_core::Assistant;
use aura_core::event::Event;
use aura_core::record::Stage;
use tauri::{AppHandle, Manager, Runtime, WebviewUrl, WebviewWindow, WebviewWindowBuilder};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};

/// The overlay's size, in logical pixels.
const OVERLAY: (f64, f64) = (440.0, 116.0);
/// Its distance from the lower edge of the screen.
const OVERLAY_RISE: f64 = 64.0;
/// How long it stays after the turn.
const OVERLAY_LINGERS: Duration = Duration::from_millis(1_600);

/// Opens the main window.
pub(crate) fn open_main<R: Runtime>(app: &AppHandle<R>) -> tauri::Result<WebviewWindow<R>> {
    WebviewWindowBuilder::new(app, "main", WebviewUrl::App("index.html".into()))
        .title("AURA")
        .inner_size(1_000.0, 720.0)
        .min_inner_size(480.0, 420.0)
        .build()
}

/// Makes the overlay, hidden. It never takes the focus.
pub(crate) fn make_overlay<R: Runtime>(app: &AppHandle<R>) -> tauri::Result<WebviewWindow<R>> {
    WebviewWindowBuilder::new(app, "hud", WebviewUrl::App("hud.html".into()))
        .title("AURA overlay")
        .inner_size(OVERLAY.0, OVERLAY.1)
        // A window that is not resizable gets WebKitGTK's own least height of 200 pixels.
        .min_inner_size(OVERLAY.0, OVERLAY.1)
        .max_inner_size(OVERLAY.0, OVERLAY.1)
        .decorations(false)
        .always_on_top(true)
        .visible_on_all_workspaces(true)
        .skip_taskbar(true)
        .focusable(false)
        .focused(false)
        .shadow(true)
        .visible(false)
        .build()
}

/// Brings the main window to the front.
pub(crate) fn show_main<R: Runtime>(app: &AppHandle<R>) {
    if let Some(window) = app.get_webview_window("main") {
        let _ = window.unminimize();
        let _ = window.show();
        let _ = window.set_focus();
    }
}

/// Shows the overlay while a spoken turn runs behind other windows, and hides it a moment after.
pub(crate) async fn drive_overlay<R: Runtime>(overlay: WebviewWindow<R>, assistant: Assistant) {
    let mut events = assistant.subscribe();
    let mut hide_at: Option<Instant> = None;
    loop {
        let hide = async {
            match hide_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = hide => {
                hide_at = None;
                let _ = overlay.hide();
            }
            event = events.recv() => match event {
                Ok(Event::Stage { stage: Stage::Listening, .. }) if wanted(&overlay, &assistant) => {
                    hide_at = None;
                    place(&overlay);
                    let _ = overlay.show();
                }
                Ok(Event::Stage { stage: Stage::Idle, .. }) => hide_at = Some(Instant::now() + OVERLAY_LINGERS),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// Whether the overlay would say something that is not in front of the person already.
fn wanted<R: Runtime>(overlay: &WebviewWindow<R>, assistant: &Assistant) -> bool {
    let main = overlay.app_handle().get_webview_window("main");
    let in_front = main.is_some_and(|main| main.is_focused().unwrap_or(false) && main.is_visible().unwrap_or(false));
    assistant.snapshot().settings.appearance.overlay && !in_front
}

/// The lower middle of the monitor with the pointer, else of the primary one. Where it cannot be placed, the platform chooses.
fn place<R: Runtime>(overlay: &WebviewWindow<R>) {
    let app = overlay.app_handle();
    let pointed = app.cursor_position().ok().and_then(|at| app.monitor_from_point(at.x, at.y).ok().flatten());
    let Some(monitor) = pointed.or_else(|| overlay.primary_monitor().ok().flatten()) else { return };
    let (origin, size, scale) = (monitor.position(), monitor.size(), monitor.scale_factor());
    let x = f64::from(origin.x) + (f64::from(size.width) - OVERLAY.0 * scale) / 2.0;
    let y = f64::from(origin.y) + f64::from(size.height) - (OVERLAY.1 + OVERLAY_RISE) * scale;
    let _ = overlay.set_position(tauri::PhysicalPosition::new(x, y));
}
