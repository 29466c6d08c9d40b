//! What the overlay's page is told: nothing while it is hidden, and what it missed when it is shown.

use std::mem::discriminant;
use std::sync::Arc;

use aura_core::event::Event;
use aura_core::record::Stage;
use parking_lot::Mutex;
use tauri::ipc::Channel;

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

    pub(super) fn set_visible(&self, is_visible: bool, snapshot: impl FnOnce() -> Event) {
        let mut feed = self.0.lock();
        if std::mem::replace(&mut feed.is_visible, is_visible) != is_visible {
            feed.catch_up(snapshot);
        }
    }

    pub(super) fn is_visible(&self) -> bool {
        self.0.lock().is_visible
    }

    pub(super) fn forward(&self, event: Event) {
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

/// Whether the main window receives an event: all but the input level while the overlay shows it.
pub(crate) fn concerns_main(event: &Event, overlay: &OverlayFeed) -> bool {
    !matches!(event, Event::Level { .. }) || !overlay.is_visible()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

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
