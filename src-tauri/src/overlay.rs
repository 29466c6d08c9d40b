//! The overlay: a small window that is shown during a spoken turn while the main window is not in front. It never takes the focus.
//!
//! While hidden, it receives no events. While shown, it alone receives the input level, because the main window is then behind others.

use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use aura_core::Assistant;
use aura_core::error::ErrorCode;
use aura_core::event::Event;
use aura_core::record::{Stage, TurnRecord};
use parking_lot::Mutex;
use tauri::ipc::Channel;
use tauri::{AppHandle, LogicalSize, Manager, Runtime, WebviewUrl, WebviewWindow, WebviewWindowBuilder};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};

use crate::legibility::text_scale;
use crate::windows::{MAIN, OVERLAY};

/// Width and height with text of the usual size, in logical pixels.
const SIZE: (f64, f64) = (440.0, 116.0);
/// Distance from the lower edge of the screen, in logical pixels.
const BOTTOM_MARGIN: f64 = 64.0;
/// How long the overlay stays after a turn.
const HIDE_DELAY: Duration = Duration::from_millis(1_600);
/// How long the overlay stays after a failed turn and a reminder, so that they can be read.
const HIDE_DELAY_TO_READ: Duration = Duration::from_secs(6);

/// What the overlay's page is sent. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct OverlayFeed(Arc<Mutex<Feed>>);

#[derive(Default)]
struct Feed {
    is_visible: bool,
    /// Absent until the page has loaded, which may be after the first turn began.
    page: Option<Channel<Event>>,
    turn: String,
    /// The events that describe the turn so far: its stage, then the latest of each other kind.
    turn_so_far: Vec<Event>,
}

impl OverlayFeed {
    /// Replaces the page, for example after a reload.
    pub(crate) fn connect(&self, page: Channel<Event>, snapshot: impl FnOnce() -> Event) {
        let mut feed = self.0.lock();
        feed.page = Some(page);
        feed.catch_up(snapshot);
    }

    fn set_visible(&self, is_visible: bool, snapshot: impl FnOnce() -> Event) {
        let mut feed = self.0.lock();
        if std::mem::replace(&mut feed.is_visible, is_visible) != is_visible {
            feed.catch_up(snapshot);
        }
    }

    fn is_visible(&self) -> bool {
        self.0.lock().is_visible
    }

    fn forward(&self, event: Event) {
        let mut feed = self.0.lock();
        feed.remember(&event);
        if feed.is_visible {
            feed.send(event);
        }
    }
}

impl Feed {
    /// Tells a page that is shown, or that has loaded while it is shown, what it missed.
    fn catch_up(&mut self, snapshot: impl FnOnce() -> Event) {
        if self.is_visible && self.page.is_some() {
            let missed: Vec<Event> = std::iter::once(snapshot()).chain(self.turn_so_far.iter().cloned()).collect();
            missed.into_iter().for_each(|event| self.send(event));
        }
    }

    fn send(&mut self, event: Event) {
        self.page.take_if(|page| page.send(event).is_err());
    }

    fn remember(&mut self, event: &Event) {
        let turn = match event {
            Event::Stage { turn, .. }
            | Event::Recording { turn }
            | Event::Latched { turn }
            | Event::Partial { turn, .. }
            | Event::Transcript { turn, .. }
            | Event::Seen { turn, .. }
            | Event::Consent { turn, .. }
            | Event::Speaking { turn, .. } => turn,
            Event::Done { record } => &record.id,
            _ => return,
        };
        let is_stage = matches!(event, Event::Stage { .. });
        if *turn != self.turn {
            // A cancelled turn may end after the next one has begun.
            if !is_stage || matches!(event, Event::Stage { stage: Stage::Idle, .. }) {
                return;
            }
            self.turn.clone_from(turn);
            self.turn_so_far.clear();
        }
        self.turn_so_far.retain(|earlier| discriminant(earlier) != discriminant(event));
        let at = if is_stage { 0 } else { self.turn_so_far.len() };
        self.turn_so_far.insert(at, event.clone());
    }
}

/// Creates the overlay window, hidden.
pub(crate) fn create<R: Runtime>(app: &AppHandle<R>) -> tauri::Result<WebviewWindow<R>> {
    WebviewWindowBuilder::new(app, OVERLAY, WebviewUrl::App("overlay.html".into()))
        .title("AURA overlay")
        .inner_size(SIZE.0, SIZE.1)
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

/// Shows and hides the overlay and feeds its page, until the assistant ends.
pub(crate) async fn run<R: Runtime>(overlay: WebviewWindow<R>, assistant: Assistant) {
    let feed = overlay.state::<OverlayFeed>().inner().clone();
    let mut events = assistant.subscribe();
    let mut hide_at: Option<Instant> = None;
    let (mut shown_turn, mut last_turn, mut hide_delay) = (String::new(), String::new(), HIDE_DELAY);
    loop {
        let hide = async {
            match hide_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            () = hide => {
                hide_at = None;
                feed.set_visible(false, || snapshot(&assistant));
                let _ = overlay.hide();
                continue;
            }
            event = events.recv() => match event {
                Ok(event) => event,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            },
        };
        feed.forward(event.clone());
        let begins = match &event {
            Event::Stage { turn, .. } if *turn != last_turn => {
                last_turn.clone_from(turn);
                true
            }
            _ => false,
        };
        match event {
            // A question to the person is shown whatever the turn began with.
            Event::Stage { turn, stage: Stage::Listening } | Event::Consent { turn, consent: Some(_) }
                if is_wanted(&overlay, &assistant) =>
            {
                (shown_turn, hide_at, hide_delay) = (turn, None, HIDE_DELAY);
                show(&overlay, &feed, &assistant);
            }
            // A turn that begins by speaking is a reminder.
            Event::Stage { turn, stage: Stage::Speaking } if begins && is_wanted(&overlay, &assistant) => {
                (shown_turn, hide_at, hide_delay) = (turn, None, HIDE_DELAY_TO_READ);
                show(&overlay, &feed, &assistant);
            }
            // A cancelled turn may end after the next one has begun.
            Event::Stage { turn, stage: Stage::Idle } if feed.is_visible() && turn == shown_turn => {
                hide_at = Some(Instant::now() + hide_delay);
            }
            Event::Done { record } if feed.is_visible() && record.id == shown_turn && has_failed(&record) => {
                hide_delay = HIDE_DELAY_TO_READ;
                hide_at = hide_at.map(|_| Instant::now() + hide_delay);
            }
            _ => {}
        }
    }
}

fn show<R: Runtime>(overlay: &WebviewWindow<R>, feed: &OverlayFeed, assistant: &Assistant) {
    feed.set_visible(true, || snapshot(assistant));
    let window = overlay.clone();
    let _ = overlay.run_on_main_thread(move || {
        let size = fit(&window);
        move_to_bottom(&window, size);
        let _ = window.show();
    });
}

/// Gives the overlay the size that it needs for the desktop's text size. Returns it.
fn fit<R: Runtime>(overlay: &WebviewWindow<R>) -> LogicalSize<f64> {
    let scale = text_scale();
    let size = LogicalSize::new(SIZE.0 * scale, SIZE.1 * scale);
    // Fixed by limits, because WebKitGTK makes a window that is not resizable at least 200 pixels high.
    let _ = overlay.set_min_size(Some(size));
    let _ = overlay.set_max_size(Some(size));
    let _ = overlay.set_size(size);
    size
}

/// The assistant's present state, with which a page begins.
pub(crate) fn snapshot(assistant: &Assistant) -> Event {
    Event::Changed { snapshot: Box::new(assistant.snapshot()) }
}

/// Whether the turn ended with an error to read. A turn that the user cancelled did not.
fn has_failed(record: &TurnRecord) -> bool {
    record.error.as_ref().is_some_and(|error| error.code != ErrorCode::Cancelled)
}

/// Whether the main window receives an event: all but the input level while the overlay shows it.
pub(crate) fn concerns_main(event: &Event, overlay: &OverlayFeed) -> bool {
    !matches!(event, Event::Level { .. }) || !overlay.is_visible()
}

/// Whether the overlay is turned on and the main window is not in front.
fn is_wanted<R: Runtime>(overlay: &WebviewWindow<R>, assistant: &Assistant) -> bool {
    let main = overlay.app_handle().get_webview_window(MAIN);
    let in_front = main.is_some_and(|main| main.is_focused().unwrap_or(false) && main.is_visible().unwrap_or(false));
    assistant.config().settings.appearance.overlay && !in_front
}

/// Moves the overlay to the bottom centre of the monitor with the pointer, else of the primary one. A desktop that does not allow this
/// chooses the position itself.
fn move_to_bottom<R: Runtime>(overlay: &WebviewWindow<R>, size: LogicalSize<f64>) {
    let app = overlay.app_handle();
    let under_pointer = app.cursor_position().ok().and_then(|at| app.monitor_from_point(at.x, at.y).ok().flatten());
    let Some(monitor) = under_pointer.or_else(|| overlay.primary_monitor().ok().flatten()) else { return };
    let (origin, room, scale) = (monitor.position(), monitor.size(), monitor.scale_factor());
    let x = f64::from(origin.x) + (f64::from(room.width) - size.width * scale) / 2.0;
    let y = f64::from(origin.y) + f64::from(room.height) - (size.height + BOTTOM_MARGIN) * scale;
    let _ = overlay.set_position(tauri::PhysicalPosition::new(x, y));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use aura_core::record::Stage;
    use serde_json::Value;
    use tauri::ipc::InvokeResponseBody;

    use super::*;

    fn page() -> (Channel<Event>, mpsc::Receiver<Value>) {
        let (sender, received) = mpsc::channel();
        let channel = Channel::new(move |body| {
            if let InvokeResponseBody::Json(event) = body {
                let _ = sender.send(serde_json::from_str::<Value>(&event)?);
            }
            Ok(())
        });
        (channel, received)
    }

    fn stage(turn: &str, stage: Stage) -> Event {
        Event::Stage { turn: turn.into(), stage }
    }

    /// Any event serves as the snapshot of these tests.
    fn snapshot(turn: &str) -> impl FnOnce() -> Event {
        move || Event::Text { turn: turn.into(), delta: "snapshot".into() }
    }

    /// What the page received: of a stage its name, of a snapshot its number, of others their type.
    fn kinds(received: &mpsc::Receiver<Value>) -> Vec<String> {
        let kind = |event: Value| match event["type"].as_str() {
            Some("stage") => event["stage"].as_str().unwrap().to_owned(),
            Some("text") => event["turn"].as_str().unwrap().to_owned(),
            kind => kind.unwrap().to_owned(),
        };
        received.try_iter().map(kind).collect()
    }

    #[test]
    fn a_hidden_overlay_receives_no_events() {
        let (feed, (page, received)) = (OverlayFeed::default(), page());
        feed.connect(page, snapshot("0"));
        feed.forward(stage("a", Stage::Listening));
        assert!(kinds(&received).is_empty());
        feed.set_visible(true, snapshot("1"));
        feed.forward(Event::Recording { turn: "a".into() });
        assert_eq!(kinds(&received), ["1", "listening", "recording"]);
        feed.set_visible(false, snapshot("2"));
        feed.forward(stage("a", Stage::Thinking));
        assert!(kinds(&received).is_empty());
    }

    #[test]
    fn a_page_that_loads_during_a_turn_is_told_what_it_missed() {
        let feed = OverlayFeed::default();
        feed.forward(stage("old", Stage::Listening));
        feed.forward(stage("a", Stage::Listening));
        feed.set_visible(true, snapshot("1"));
        feed.forward(Event::Recording { turn: "a".into() });
        feed.forward(Event::Transcript { turn: "a".into(), text: "Why?".into() });
        feed.forward(stage("old", Stage::Idle));
        feed.forward(stage("a", Stage::Thinking));
        let (first, received) = page();
        feed.connect(first, snapshot("2"));
        assert_eq!(kinds(&received), ["2", "thinking", "recording", "transcript"]);
        let (reloaded, received) = page();
        feed.connect(reloaded, snapshot("3"));
        assert_eq!(kinds(&received), ["3", "thinking", "recording", "transcript"]);
        feed.forward(stage("b", Stage::Listening));
        assert_eq!(kinds(&received), ["listening"]);
    }

    #[test]
    fn the_input_level_goes_to_one_window() {
        let (overlay, level) = (OverlayFeed::default(), Event::Level { level: 0.5, elapsed_ms: 40 });
        assert!(concerns_main(&level, &overlay));
        overlay.set_visible(true, snapshot("1"));
        assert!(!concerns_main(&level, &overlay));
        assert!(concerns_main(&Event::Recording { turn: "a".into() }, &overlay));
    }
}
