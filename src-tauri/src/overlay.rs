//! The overlay: shown while a spoken turn runs behind other windows. It never takes the focus.
//!
//! What it is told goes through here: nothing while it is hidden, and the level to it alone while it is shown, because the main window
//! is then behind others.

use std::time::Duration;

use aura_core::Assistant;
use aura_core::error::Code;
use aura_core::event::Event;
use aura_core::record::{Stage, TurnRecord};
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
/// How long when the turn failed: why must be read.
const LINGERS_FAILED: Duration = Duration::from_secs(6);

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
    let (mut of, mut lingers) = (String::new(), LINGERS);
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
                    (of, hide_at, lingers) = (turn, None, LINGERS);
                    shown.0.send_replace(true);
                    place(&overlay);
                    let _ = overlay.show();
                }
                // A turn that was stopped may say so when the next one is there already.
                Ok(Event::Stage { turn, stage: Stage::Idle }) if shown.now() && turn == of => {
                    hide_at = Some(Instant::now() + lingers);
                }
                Ok(Event::Done { record }) if shown.now() && record.id == of && has_failed(&record) => {
                    lingers = LINGERS_FAILED;
                    hide_at = hide_at.map(|_| Instant::now() + lingers);
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// Whether there is something to read: who stopped a turn knows it.
fn has_failed(record: &TurnRecord) -> bool {
    record.error.as_ref().is_some_and(|error| error.code != Code::Cancelled)
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

    async fn next(told: &mut UnboundedReceiver<Value>) -> Value {
        tokio::time::timeout(Duration::from_secs(60), told.recv()).await.expect("it is told something").unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_is_told_nothing_while_it_is_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let assistant = assistant(folder.path()).await;
        let (shown, (send, mut told)) = (Shown::default(), unbounded_channel());
        let channel = Channel::new(move |body| {
            if let InvokeResponseBody::Json(event) = body {
                let _ = send.send(serde_json::from_str::<Value>(&event)?);
            }
            Ok(())
        });
        let task = tokio::spawn(tell(assistant.clone(), shown.clone(), channel));
        while shown.0.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
        let longest = async |seconds: u32| {
            let changes = json!({"listening": {"longest_seconds": seconds}});
            api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
        };
        let seconds = |event: &Value| event["snapshot"]["settings"]["listening"]["longest_seconds"].clone();
        longest(61).await;
        shown.0.send_replace(true);
        // The first thing it hears is how things are when it comes up, not what it missed.
        let first = next(&mut told).await;
        assert_eq!((first["type"].as_str(), seconds(&first)), (Some("changed"), json!(61)));
        longest(62).await;
        while seconds(&next(&mut told).await) != json!(62) {}
        shown.0.send_replace(false);
        longest(63).await;
        shown.0.send_replace(true);
        assert_eq!(seconds(&next(&mut told).await), json!(63));
        task.abort();
    }

    #[test]
    fn the_level_goes_to_one_window() {
        let (shown, level) = (Shown::default(), Event::Level { level: 0.5, elapsed_ms: 40 });
        assert!(concerns_main(&level, &shown));
        shown.0.send_replace(true);
        assert!(!concerns_main(&level, &shown));
        assert!(concerns_main(&Event::Recording { turn: "a".into() }, &shown));
    }
}
