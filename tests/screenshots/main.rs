//! `cargo xtask screenshots`: every panel and the overlay, light and dark, small, large, and with text of double size, with plausible
//! content. For reviews of a change, and for the README.

mod content;
mod scenes;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use aura_tests::desktop::in_private_desktop;
use aura_tests::process::wait_until;
use aura_tests::window::Window;
use serde_json::json;

/// Large enough for the whole tallest panel, in pixels.
const DISPLAY: (u32, u32) = (1600, 3000);

/// A theme, window size and text size.
#[derive(Debug, Clone, Copy)]
struct Look {
    name: &'static str,
    theme: &'static str,
    size: (u32, u32),
    /// Text size in percent.
    text: u32,
}

const LOOKS: [Look; 6] = [
    Look { name: "900x640-light", theme: "light", size: (900, 640), text: 100 },
    Look { name: "900x640-dark", theme: "dark", size: (900, 640), text: 100 },
    Look { name: "1440x900-light", theme: "light", size: (1440, 900), text: 100 },
    Look { name: "1440x900-dark", theme: "dark", size: (1440, 900), text: 100 },
    Look { name: "1440x900-text200-light", theme: "light", size: (1440, 900), text: 200 },
    Look { name: "1440x900-text200-dark", theme: "dark", size: (1440, 900), text: 200 },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, programs] = arguments.as_slice() else {
        eprintln!("usage: screenshots FOLDER FOLDER-OF-PROGRAMS; `cargo xtask screenshots` calls it");
        return ExitCode::from(2);
    };
    let (folder, programs) = (PathBuf::from(folder), PathBuf::from(programs));
    in_private_desktop(DISPLAY.0, DISPLAY.1, true, || {
        std::fs::create_dir_all(&folder).expect("the folder can be created");
        let album = Album { folder, taken: std::cell::Cell::new(0) };
        scenes::first_run(&album, &programs);
        scenes::panels(&album, &programs);
        scenes::overlay(&album, &programs);
        println!("{} pictures are in {}", album.taken.get(), album.folder.display());
    })
}

/// The folder of the screenshots.
struct Album {
    folder: PathBuf,
    taken: std::cell::Cell<u32>,
}

impl Album {
    fn take(&self, window: &Window, view: &str, look: &str) {
        let file = self.file(view, look);
        window.picture_on_screen(if view == "overlay" { "^AURA overlay$" } else { "^AURA$" }, &file);
        println!("{}", file.display());
    }

    fn file(&self, view: &str, look: &str) -> PathBuf {
        self.taken.set(self.taken.get() + 1);
        self.folder.join(format!("{view}-{look}.png"))
    }

    /// Takes the whole panel, in a window as tall as its content.
    fn take_whole(&self, window: &Window, view: &str) {
        let height =
            "const p = document.querySelector('.panel, .log'); return innerHeight - p.clientHeight + p.scrollHeight";
        window.resize(1000, 640);
        let needed = window.script(height, &[]).as_u64().and_then(|height| u32::try_from(height).ok()).unwrap_or(640);
        window.resize(1000, needed.clamp(640, DISPLAY.1 - 100));
        self.take(window, view, "whole");
    }
}

/// Sets theme, window size and text size.
fn apply(window: &Window, look: &Look) {
    window.app.call("change_settings", json!({"changes": {"appearance": {"theme": look.theme}}}));
    let is_set = || window.script("return document.documentElement.dataset.theme", &[]) == look.theme;
    assert!(wait_until(Duration::from_secs(20), is_set), "the page is not {}", look.theme);
    window.resize(look.size.0, look.size.1);
    set_text(window, look.text);
}

/// Sets the font size of the page, on which all others depend. An input event makes the question field adapt its height.
fn set_text(window: &Window, percent: u32) {
    let script = "document.documentElement.style.fontSize = arguments[0];
        const field = document.querySelector('textarea');
        for (const text of field ? ['x', ''] : []) { field.value = text; field.dispatchEvent(new Event('input', { bubbles: true })) }";
    window.script(script, &[json!(format!("{percent}%"))]);
}

/// The built `aura`.
fn program(programs: &Path) -> PathBuf {
    programs.join("aura")
}
