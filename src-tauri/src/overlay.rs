//! The overlay: a small window that is shown during a spoken turn while the main window is not in front. It never takes the focus.
//!
//! While hidden, it receives no events. While shown, it alone receives the input level, because the main window is then behind others.

use std::time::Duration;

use aura_core::Assistant;
use aura_core::error::ErrorCode;
use aura_core::event::Event;
use aura_core::record::{Stage, TurnRecord};
use tauri::ipc::Channel;
use tauri::{AppHandle, Manager, Runtime, WebviewUrl, WebviewWindow, WebviewWindowBuilder};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::windows::{MAIN, OVERLAY};

/// Width and height, in logical pixels.
const SIZE: (f64, f64) = (440.0, 116.0);
/// Distance from the lower edge of the screen, in logical pixels.
const BOTTOM_MARGIN: f64 = 64.0;
/// How long the overlay stays after a turn.
const HIDE_DELAY: Duration = Duration::from_millis(1_600);
/// How long the overlay stays after a failed turn, so that the error can be read.
const HIDE_DELAY_FAILED: Duration = Duration::from_secs(6);

/// Whether the overlay is shown.
#[derive(Debug, Clone)]
pub(crate) struct OverlayVisibility(watch::Sender<bool>);

impl Default for OverlayVisibility {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl OverlayVisibility {
    fn is_visible(&self) -> bool {
        *self.0.borrow()
    }
}

/// Creates the overlay window, hidden.
pub(crate) fn create<R: Runtime>(app: &AppHandle<R>) -> tauri::Result<WebviewWindow<R>> {
    WebviewWindowBuilder::new(app, OVERLAY, WebviewUrl::App("overlay.html".into()))
        .title("AURA overlay")
        .inner_size(SIZE.0, SIZE.1)
        // Fixed by limits, because WebKitGTK makes a window that is not resizable at least 200 pixels high.
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

/// Shows and hides the overlay, until the assistant ends.
pub(crate) async fn run<R: Runtime>(overlay: WebviewWindow<R>, assistant: Assistant) {
    let visibility = overlay.state::<OverlayVisibility>().inner().clone();
    let mut events = assistant.subscribe();
    let mut hide_at: Option<Instant> = None;
    let (mut shown_turn, mut hide_delay) = (String::new(), HIDE_DELAY);
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
                visibility.0.send_replace(false);
                let _ = overlay.hide();
            }
            event = events.recv() => match event {
                Ok(Event::Stage { turn, stage: Stage::Listening }) if is_wanted(&overlay, &assistant) => {
                    (shown_turn, hide_at, hide_delay) = (turn, None, HIDE_DELAY);
                    visibility.0.send_replace(true);
                    move_to_bottom(&overlay);
                    let _ = overlay.show();
                }
                // A cancelled turn may end after the next one has begun.
                Ok(Event::Stage { turn, stage: Stage::Idle }) if visibility.is_visible() && turn == shown_turn => {
                    hide_at = Some(Instant::now() + hide_delay);
                }
                Ok(Event::Done { record }) if visibility.is_visible() && record.id == shown_turn && has_failed(&record) => {
                    hide_delay = HIDE_DELAY_FAILED;
                    hide_at = hide_at.map(|_| Instant::now() + hide_delay);
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// Whether the turn ended with an error to read. A turn that the user cancelled did not.
fn has_failed(record: &TurnRecord) -> bool {
    record.error.as_ref().is_some_and(|error| error.code != ErrorCode::Cancelled)
}

/// Sends events to the overlay while it is shown. Each time it becomes visible, it first receives a snapshot and the current stage.
pub(crate) async fn forward_events(assistant: Assistant, visibility: OverlayVisibility, channel: Channel<Event>) {
    let mut events = assistant.subscribe();
    let mut visible = visibility.0.subscribe();
    let mut last_stage = None;
    loop {
        let event = tokio::select! {
            biased;
            changed = visible.changed() => {
                if changed.is_err() {
                    return;
                }
                if !*visible.borrow_and_update() {
                    continue;
                }
                let snapshot = Event::Changed { snapshot: Box::new(assistant.snapshot()) };
                if channel.send(snapshot).is_err() {
                    return;
                }
                match last_stage.take() {
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
            if channel.send(event).is_err() {
                return;
            }
        } else if matches!(event, Event::Stage { .. }) {
            last_stage = Some(event);
        }
    }
}

/// Whether the main window receives an event: all but the input level while the overlay shows it.
pub(crate) fn concerns_main(event: &Event, visibility: &OverlayVisibility) -> bool {
    !matches!(event, Event::Level { .. }) || !visibility.is_visible()
}

/// Whether the overlay is turned on and the main window is not in front.
fn is_wanted<R: Runtime>(overlay: &WebviewWindow<R>, assistant: &Assistant) -> bool {
    let main = overlay.app_handle().get_webview_window(MAIN);
    let in_front = main.is_some_and(|main| main.is_focused().unwrap_or(false) && main.is_visible().unwrap_or(false));
    assistant.config().settings.appearance.overlay && !in_front
}

/// Moves the overlay to the bottom centre of the monitor with the pointer, else of the primary one. A desktop that does not allow this
/// chooses the position itself.
fn move_to_bottom<R: Runtime>(overlay: &WebviewWindow<R>) {
    let app = overlay.app_handle();
    let under_pointer = app.cursor_position().ok().and_then(|at| app.monitor_from_point(at.x, at.y).ok().flatten());
    let Some(monitor) = under_pointer.or_else(|| overlay.primary_monitor().ok().flatten()) else { return };
    let (origin, size, scale) = (monitor.position(), monitor.size(), monitor.scale_factor());
    let x = f64::from(origin.x) + (f64::from(size.width) - SIZE.0 * scale) / 2.0;
    let y = f64::from(origin.y) + f64::from(size.height) - (SIZE.1 + BOTTOM_MARGIN) * scale;
    let _ = overlay.set_position(tauri::PhysicalPosition::new(x, y));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aura_core::api::{self, ChangeSettings};
    use serde_json::{Value, json};
    use tauri::ipc::InvokeResponseBody;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    async fn assistant(folder: &std::path::Path) -> Assistant {
        let paths = aura_platform::Paths::at(folder.join("config"), folder.join("data")).unwrap();
        let ports = aura_platform::ports(&paths).unwrap();
        let setup = aura_core::Setup { data: paths.data, ..aura_core::Setup::default() };
        Assistant::start(ports, setup).await.unwrap()
    }

    async fn next(received: &mut UnboundedReceiver<Value>) -> Value {
        tokio::time::timeout(Duration::from_secs(60), received.recv()).await.expect("no event came").unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_hidden_overlay_receives_no_events() {
        let folder = tempfile::tempdir().unwrap();
        let assistant = assistant(folder.path()).await;
        let (visibility, (sender, mut received)) = (OverlayVisibility::default(), unbounded_channel());
        let channel = Channel::new(move |body| {
            if let InvokeResponseBody::Json(event) = body {
                let _ = sender.send(serde_json::from_str::<Value>(&event)?);
            }
            Ok(())
        });
        let task = tokio::spawn(forward_events(assistant.clone(), visibility.clone(), channel));
        while visibility.0.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
        let set_longest = async |seconds: u32| {
            let changes = json!({"listening": {"longest_seconds": seconds}});
            api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
        };
        let seconds = |event: &Value| event["snapshot"]["settings"]["listening"]["longest_seconds"].clone();
        set_longest(61).await;
        visibility.0.send_replace(true);
        // The first event is a snapshot of this moment, not the event that was missed.
        let first = next(&mut received).await;
        assert_eq!((first["type"].as_str(), seconds(&first)), (Some("changed"), json!(61)));
        set_longest(62).await;
        while seconds(&next(&mut received).await) != json!(62) {}
        visibility.0.send_replace(false);
        set_longest(63).await;
        visibility.0.send_replace(true);
        assert_eq!(seconds(&next(&mut received).await), json!(63));
        task.abort();
    }

    #[test]
    fn the_input_level_goes_to_one_window() {
        let (visibility, level) = (OverlayVisibility::default(), Event::Level { level: 0.5, elapsed_ms: 40 });
        assert!(concerns_main(&level, &visibility));
        visibility.0.send_replace(true);
        assert!(!concerns_main(&level, &visibility));
        assert!(concerns_main(&Event::Recording { turn: "a".into() }, &visibility));
    }
}
