//! The overlay: a small window that is shown during a spoken turn while the main window is not in front. It never takes the focus.
//!
//! While hidden, it receives no events. While shown, it alone receives the input level, because the main window is then behind others.

mod feed;
mod focused;
mod place;

use std::time::Duration;

use aura_core::Assistant;
use aura_core::error::ErrorCode;
use aura_core::event::Event;
use aura_core::record::{Stage, TurnRecord};
use tauri::{
    AppHandle, LogicalSize, Manager, PhysicalPosition, Runtime, WebviewUrl, WebviewWindow, WebviewWindowBuilder,
};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};

pub(crate) use self::feed::{OverlayFeed, concerns_main};
use self::focused::focused;
use self::place::Area;
pub(crate) use self::place::Places;
use crate::legibility::text_scale;
use crate::windows::{MAIN, OVERLAY};

/// Width and height of the card with text of the usual size, in logical pixels.
const SIZE: (f64, f64) = (440.0, 128.0);
/// The room around the card for its shadow, if the desktop shows what is behind the window; see `Overlay.svelte`.
const SHADOW: f64 = 20.0;
/// How long the overlay stays after a turn.
const HIDE_DELAY: Duration = Duration::from_millis(1_600);
/// How long the overlay stays after a failed turn, a reminder and an answer that was not spoken, so that they can be read.
const HIDE_DELAY_TO_READ: Duration = Duration::from_secs(6);

/// Creates the overlay window, hidden. Its page shares the process of the main window's, where the system lets it choose.
pub(crate) fn create<R: Runtime>(app: &AppHandle<R>, main: &WebviewWindow<R>) -> tauri::Result<WebviewWindow<R>> {
    let window = WebviewWindowBuilder::new(app, OVERLAY, WebviewUrl::App("overlay.html".into()))
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
        .on_page_load(|overlay, _| tell_edges(&overlay, is_composited()));
    // Where the desktop cannot show what is behind, the page is opaque.
    #[cfg(target_os = "linux")]
    let window = match view_of(main) {
        Some(related) => window.with_related_view(related),
        None => window,
    }
    .transparent(true);
    #[cfg(not(target_os = "linux"))]
    let _ = main;
    window.build()
}

/// The web view of a window. Must be called on the main thread.
#[cfg(target_os = "linux")]
fn view_of<R: Runtime>(window: &WebviewWindow<R>) -> Option<webkit2gtk::WebView> {
    use gtk::prelude::{Cast, ContainerExt};

    window.default_vbox().ok()?.children().into_iter().find_map(|widget| widget.downcast().ok())
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
                keep_place(&overlay);
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
            Event::Done { record } if feed.is_visible() && record.id == shown_turn && is_read(&record) => {
                hide_delay = HIDE_DELAY_TO_READ;
                hide_at = hide_at.map(|_| Instant::now() + hide_delay);
            }
            _ => {}
        }
    }
}

fn show<R: Runtime>(overlay: &WebviewWindow<R>, feed: &OverlayFeed, assistant: &Assistant) {
    feed.set_visible(true, || snapshot(assistant));
    keep_place(overlay);
    let window = overlay.clone();
    let _ = overlay.run_on_main_thread(move || {
        let edge = fit(&window);
        move_to_place(&window, edge);
        let _ = window.show();
    });
}

/// Gives the overlay the size that it needs for the desktop's text size, and rounded corners where the desktop can show what is behind them.
/// Returns the width of the edge around the card, in logical pixels.
fn fit<R: Runtime>(overlay: &WebviewWindow<R>) -> f64 {
    let is_composited = is_composited();
    let edge = if is_composited { SHADOW * text_scale() } else { 0.0 };
    let (width, height) = card();
    let size = LogicalSize::new(width + 2.0 * edge, height + 2.0 * edge);
    // Fixed by limits, because WebKitGTK makes a window that is not resizable at least 200 pixels high.
    let _ = overlay.set_min_size(Some(size));
    let _ = overlay.set_max_size(Some(size));
    let _ = overlay.set_size(size);
    tell_edges(overlay, is_composited);
    #[cfg(target_os = "linux")]
    take_clicks(overlay, edge);
    edge
}

/// The width and the height of the card, in logical pixels.
fn card() -> (f64, f64) {
    let scale = text_scale();
    (SIZE.0 * scale, SIZE.1 * scale)
}

/// Whether the desktop shows what is behind a transparent window.
fn is_composited() -> bool {
    #[cfg(target_os = "linux")]
    return gtk::gdk::Screen::default().is_some_and(|screen| screen.is_composited());
    // The system shapes windows by itself.
    #[cfg(not(target_os = "linux"))]
    return false;
}

/// Tells the page whether its card stands alone, with corners and a shadow, or fills the window.
fn tell_edges<R: Runtime>(overlay: &WebviewWindow<R>, is_composited: bool) {
    let edges = if is_composited { "round" } else { "square" };
    let _ = overlay.eval(format!("document.documentElement.dataset.edges = '{edges}'"));
}

/// Leaves clicks on the shadow to the windows behind it.
#[cfg(target_os = "linux")]
fn take_clicks<R: Runtime>(overlay: &WebviewWindow<R>, edge: f64) {
    use gtk::cairo::{RectangleInt, Region};
    use gtk::prelude::WidgetExt;

    let ((width, height), edge) = (card(), edge as i32);
    if let Ok(window) = overlay.gtk_window() {
        let card = RectangleInt::new(edge, edge, width as i32, height as i32);
        window.input_shape_combine_region(Some(&Region::create_rectangle(&card)));
    }
}

/// Moves the card to its place on the monitor with the pointer, else on the primary one. A desktop that does not allow this chooses the
/// position itself. Must be called on the main thread.
fn move_to_place<R: Runtime>(overlay: &WebviewWindow<R>, edge: f64) {
    let app = overlay.app_handle();
    let under_pointer = app.cursor_position().ok().and_then(|at| app.monitor_from_point(at.x, at.y).ok().flatten());
    let Some(monitor) = under_pointer.or_else(|| overlay.primary_monitor().ok().flatten()) else { return };
    let scale = monitor.scale_factor();
    let (width, height) = card();
    let card = (width * scale, height * scale);
    let kept = overlay.state::<Places>().on(&monitor);
    let (x, y) = place::choose(card, Area::of(&monitor), scale, kept, focused());
    let _ = overlay.set_position(PhysicalPosition::new(x - edge * scale, y - edge * scale));
}

/// Begins to move the overlay with the pointer, whose button is down.
pub(crate) fn drag<R: Runtime>(overlay: &WebviewWindow<R>) -> tauri::Result<()> {
    overlay.state::<Places>().begin_drag(overlay.outer_position()?);
    overlay.start_dragging()
}

/// Keeps the place to which the person moved the overlay.
fn keep_place<R: Runtime>(overlay: &WebviewWindow<R>) {
    let places = overlay.state::<Places>();
    let Some(from) = places.end_drag() else { return };
    let (Ok(at), Ok(size)) = (overlay.outer_position(), overlay.outer_size()) else { return };
    if at == from {
        return;
    }
    let (x, y) = (f64::from(at.x) + f64::from(size.width) / 2.0, f64::from(at.y) + f64::from(size.height) / 2.0);
    if let Ok(Some(monitor)) = overlay.monitor_from_point(x, y) {
        places.keep(&monitor, (x, y));
    }
}

/// The assistant's present state, with which a page begins.
pub(crate) fn snapshot(assistant: &Assistant) -> Event {
    Event::Changed { snapshot: Box::new(assistant.snapshot()) }
}

/// Whether the turn ended with an error or an answer to read. A turn that the user cancelled did not.
fn is_read(record: &TurnRecord) -> bool {
    match &record.error {
        Some(error) => error.code != ErrorCode::Cancelled,
        None => record.spoken.is_empty() && !record.answer.is_empty() && !record.interrupted,
    }
}

/// Whether the overlay is turned on and the main window is not in front.
fn is_wanted<R: Runtime>(overlay: &WebviewWindow<R>, assistant: &Assistant) -> bool {
    let main = overlay.app_handle().get_webview_window(MAIN);
    let in_front = main.is_some_and(|main| main.is_focused().unwrap_or(false) && main.is_visible().unwrap_or(false));
    assistant.config().settings.appearance.overlay && !in_front
}
