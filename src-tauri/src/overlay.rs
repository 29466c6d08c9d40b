//! The overlay: shown while a spoken turn runs behind other windows. It never takes the focus.
//!
//! What it is told goes through here: nothing while it is hidden, and the level to it alone while it is shown, because the main window
//! is then behind others.

use std::time::Duration;

use aura_core::Assistant;
use aura_core::event::Event;
use aura_core::record::Stage;
use tauri::ipc::Channel;
use tauri::{AppHandle, Manager, Runtime, WebviewUrl, WebviewWindow, WebviewWindowBuilder};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::windows::MAIN;

/// The label of the overlay.
pub(crate) const OVERLAY: &str = "hud";
/// Its size, in logical pixels.
const SIZE: (f64, f64) = (440.0, 116.0);
/// Its distance from the lower edge of the screen.
const RISE: f64 = 64.0;
/// How long it stays after the turn.
const LINGERS: Duration = Duration::from_millis(1_600);

/// Whether the overlay is shown.
#[derive(Debug, Clone)]
pub(crate) struct Shown(watch::Sender<bool>);

impl Default for Shown {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Shown {
    fn now(&self) -> bool {
        *self.0.borrow()
    }
}

/// Makes the overlay, hidden.
pub(crate) fn make<R: Runtime>(app: &AppHandle<R>) -> tauri::Result<WebviewWindow<R>> {
    WebviewWindowBuilder::new(app, OVERLAY, WebviewUrl::App("hud.html".into()))
        .title("AURA overlay")
        .inner_size(SIZE.0, SIZE.1)
        // A window that is not resizable gets WebKitGTK's own least height of 200 pixels.
        .min_inner_size(SIZE.0, SIZE.1)
        .max_inner_size(SIZE.0, SIZE.1)
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

/// Shows the overlay while a spoken turn runs behind other windows, and hides it a moment after.
pub(crate) async fn drive<R: Runtime>(overlay: WebviewWindow<R>, assistant: Assistant) {
    let shown = overlay.state::<Shown>().inner().clone();
    let mut events = assistant.subscribe();
    let mut hide_at: Option<Instant> = None;
    let mut of = String::new();
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
                shown.0.send_replace(false);
                let _ = overlay.hide();
            }
            event = events.recv() => match event {
                Ok(Event::Stage { turn, stage: Stage::Listening }) if wanted(&overlay, &assistant) => {
                    (of, hide_at) = (turn, None);
                    shown.0.send_replace(true);
                    place(&overlay);
                    let _ = overlay.show();
                }
                // A turn that was stopped may say so when the next one is there already.
                Ok(Event::Stage { turn, stage: Stage::Idle }) if shown.now() && turn == of => hide_at = Some(Instant::now() + LINGERS),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// Tells the overlay what happens while it is shown. When it comes up it is told how things are, and which turn is under way.
pub(crate) async fn tell(assistant: Assistant, shown: Shown, channel: Channel<Event>) {
    let mut events = assistant.subscribe();
    let mut visible = shown.0.subscribe();
    let mut stage = None;
    loop {
        let happened = tokio::select! {
            biased;
            changed = visible.changed() => {
                if changed.is_err() {
                    return;
                }
                if !*visible.borrow_and_update() {
                    continue;
                }
                let state = Event::Changed { snapshot: Box::new(assistant.snapshot()) };
                if channel.send(state).is_err() {
                    return;
                }
                match stage.take() {
                    Some(stage) => stage,
                    None => continue,
                }
            }
            event = events.recv() => match event {
                Ok(event) => event,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            },
        };
        if *visible.borrow() {
            if channel.send(happened).is_err() {
                return;
            }
        } else if matches!(happened, Event::Stage { .. }) {
            stage = Some(happened);
        }
    }
}

/// Whether the main window is told of an event: the level only while the overlay does not show it.
pub(crate) fn concerns_main(event: &Event, shown: &Shown) -> bool {
    !matches!(event, Event::Level { .. }) || !shown.now()
}

/// Whether the overlay would say something that is not in front of the person already.
fn wanted<R: Runtime>(overlay: &WebviewWindow<R>, assistant: &Assistant) -> bool {
    let main = overlay.app_handle().get_webview_window(MAIN);
    let in_front = main.is_some_and(|main| main.is_focused().unwrap_or(false) && main.is_visible().unwrap_or(false));
    assistant.snapshot().settings.appearance.overlay && !in_front
}

/// The lower middle of the monitor with the pointer, else of the primary one. Where it cannot be placed, the platform chooses.
fn place<R: Runtime>(overlay: &WebviewWindow<R>) {
    let app = overlay.app_handle();
    let pointed = app.cursor_position().ok().and_then(|at| app.monitor_from_point(at.x, at.y).ok().flatten());
    let Some(monitor) = pointed.or_else(|| overlay.primary_monitor().ok().flatten()) else { return };
    let (origin, size, scale) = (monitor.position(), monitor.size(), monitor.scale_factor());
    let x = f64::from(origin.x) + (f64::from(size.width) - SIZE.0 * scale) / 2.0;
    let y = f64::from(origin.y) + f64::from(size.height) - (SIZE.1 + RISE) * scale;
    let _ = overlay.set_position(tauri::PhysicalPosition::new(x, y));
}
