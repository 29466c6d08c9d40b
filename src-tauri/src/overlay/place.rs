//! Where the overlay is: where the person moved it to on this monitor, else at an edge where it covers nothing that has the focus.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aura_core::replace_file;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tauri::{Monitor, PhysicalPosition};

/// The file in the data folder with the kept places.
const FILE: &str = "overlay.json";
/// Distance from the upper and lower edge of a monitor, in logical pixels.
const MARGIN: f64 = 64.0;
/// Where it is without a kept place: the first of these at which it covers nothing that has the focus, else the first one.
const USUAL: [Place; 6] = [
    Place { across: 0.5, down: 1.0 },
    Place { across: 0.5, down: 0.0 },
    Place { across: 1.0, down: 1.0 },
    Place { across: 0.0, down: 1.0 },
    Place { across: 1.0, down: 0.0 },
    Place { across: 0.0, down: 0.0 },
];

/// The middle of the card as a share of a monitor's width and height, so that it is the same place at another resolution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    across: f64,
    down: f64,
}

/// The places to which the person moved the overlay, by monitor. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Absent in tests of other things.
    file: Option<PathBuf>,
    kept: BTreeMap<String, Place>,
    /// Where the window was when the person began to move it.
    dragged_from: Option<PhysicalPosition<i32>>,
}

/// A part of the desktop, in physical pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Places {
    /// Reads what was kept in the data folder.
    pub(crate) fn in_folder(data: &Path) -> Self {
        let file = data.join(FILE);
        let kept = match std::fs::read(&file) {
            Ok(content) => serde_json::from_slice(&content).unwrap_or_else(|cause| {
                tracing::warn!(%cause, "the places of the overlay cannot be read; it begins at its usual one");
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        Self(Arc::new(Mutex::new(State { file: Some(file), kept, dragged_from: None })))
    }

    /// The place that was kept for a monitor.
    pub(super) fn on(&self, monitor: &Monitor) -> Option<Place> {
        self.0.lock().kept.get(&key(monitor)).copied()
    }

    /// The person begins to move the window from here.
    pub(super) fn begin_drag(&self, from: PhysicalPosition<i32>) {
        self.0.lock().dragged_from.get_or_insert(from);
    }

    /// Where the window was before the person moved it, if somebody tried.
    pub(super) fn end_drag(&self) -> Option<PhysicalPosition<i32>> {
        self.0.lock().dragged_from.take()
    }

    /// Keeps the place with this middle for a monitor, and writes it to the disk.
    pub(super) fn keep(&self, monitor: &Monitor, middle: (f64, f64)) {
        let room = Area::of(monitor);
        let place = Place { across: (middle.0 - room.x) / room.width, down: (middle.1 - room.y) / room.height };
        let (file, content) = {
            let mut state = self.0.lock();
            state.kept.insert(key(monitor), place);
            (state.file.clone(), serde_json::to_vec(&state.kept))
        };
        if let (Some(file), Ok(content)) = (file, content) {
            let write = move || {
                if let Err(cause) = replace_file(&file, &content) {
                    tracing::warn!(%cause, "the place of the overlay is kept until AURA ends only");
                }
            };
            tauri::async_runtime::spawn_blocking(write);
        }
    }
}

/// The name of a monitor, which is that of its socket on X11.
fn key(monitor: &Monitor) -> String {
    monitor.name().cloned().unwrap_or_default()
}

impl Area {
    /// What panels and docks leave of a monitor.
    pub(super) fn of(monitor: &Monitor) -> Self {
        let (at, size) = (monitor.work_area().position, monitor.work_area().size);
        Self { x: at.x.into(), y: at.y.into(), width: size.width.into(), height: size.height.into() }
    }

    fn covers(&self, other: &Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }
}

/// The upper left corner of the card, inside the room, in physical pixels.
pub(super) fn choose(
    card: (f64, f64),
    room: Area,
    scale: f64,
    kept: Option<Place>,
    focused: Option<Area>,
) -> (f64, f64) {
    let within = |at: f64, begin: f64, free: f64| at.clamp(begin, begin + free.max(0.0));
    if let Some(kept) = kept {
        let x = room.x + kept.across * room.width - card.0 / 2.0;
        let y = room.y + kept.down * room.height - card.1 / 2.0;
        return (within(x, room.x, room.width - card.0), within(y, room.y, room.height - card.1));
    }
    let margin = (MARGIN * scale).min(((room.height - card.1) / 2.0).max(0.0));
    let corner = |place: &Place| {
        let x = room.x + place.across * (room.width - card.0);
        let y = room.y + margin + place.down * (room.height - card.1 - 2.0 * margin);
        (within(x, room.x, room.width - card.0), within(y, room.y, room.height - card.1))
    };
    let is_free = |place: &&Place| {
        let (x, y) = corner(place);
        focused.is_none_or(|focused| !focused.covers(&Area { x, y, width: card.0, height: card.1 }))
    };
    corner(USUAL.iter().find(is_free).unwrap_or(&USUAL[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: (f64, f64) = (400.0, 100.0);
    const ROOM: Area = Area { x: 1000.0, y: 0.0, width: 1000.0, height: 800.0 };

    fn usual(focused: Option<Area>) -> (f64, f64) {
        choose(CARD, ROOM, 1.0, None, focused)
    }

    #[test]
    fn it_is_below_in_the_middle_and_not_over_what_has_the_focus() {
        let below = (1300.0, 636.0);
        assert_eq!(usual(None), below);
        // On another monitor, and beside the card.
        assert_eq!(usual(Some(Area { x: 0.0, y: 0.0, width: 1000.0, height: 800.0 })), below);
        assert_eq!(usual(Some(Area { x: 1000.0, y: 0.0, width: 1000.0, height: 636.0 })), below);
        // In the lower half.
        assert_eq!(usual(Some(Area { x: 1000.0, y: 400.0, width: 1000.0, height: 400.0 })), (1300.0, 64.0));
        // From top to bottom in the middle, which is too little on the left side.
        assert_eq!(usual(Some(Area { x: 1300.0, y: 0.0, width: 250.0, height: 800.0 })), (1600.0, 636.0));
        // Everywhere.
        assert_eq!(usual(Some(ROOM)), below);
    }

    #[test]
    fn a_kept_place_is_the_same_at_another_resolution_and_inside_the_monitor() {
        let kept = |across, down| Some(Place { across, down });
        let large = Area { x: 0.0, y: 0.0, width: 2000.0, height: 1600.0 };
        assert_eq!(choose(CARD, ROOM, 1.0, kept(0.3, 0.5), Some(ROOM)), (1100.0, 350.0));
        assert_eq!(choose(CARD, large, 1.0, kept(0.3, 0.5), None), (400.0, 750.0));
        assert_eq!(choose(CARD, ROOM, 1.0, kept(0.99, -3.0), None), (1600.0, 0.0));
        let small = Area { x: 0.0, y: 0.0, width: 300.0, height: 90.0 };
        assert_eq!(choose(CARD, small, 1.0, kept(0.5, 0.5), None), (0.0, 0.0));
        assert_eq!(choose(CARD, small, 1.0, None, None), (0.0, 0.0));
    }

    #[test]
    fn a_broken_file_keeps_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(Places::in_folder(folder.path()).0.lock().kept.is_empty());
        std::fs::write(folder.path().join(FILE), r#"{"DP-1": {"across": 0.5, "down": 0.25}}"#).unwrap();
        let places = Places::in_folder(folder.path());
        assert_eq!(places.0.lock().kept["DP-1"], Place { across: 0.5, down: 0.25 });
    }
}
