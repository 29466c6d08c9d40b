//! A text field in a window of another program, which tells what is in it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{Running, wait_until};

/// A page with a field. The title of the window is its text or, of a long one, the number of its characters and their checksum.
const PAGE: &str = r#"<!doctype html><meta charset=utf-8><title>field</title><textarea autofocus oninput="
    const all = [...this.value];
    const sum = all.reduce((sum, c) => (sum * 31 + c.codePointAt(0)) >>> 0, 7);
    document.title = 'field: ' + (all.length > 100 ? `${all.length} ${sum}` : this.value.replaceAll('\n', '¶'));
"></textarea>"#;

/// The field, in a browser without a frame. Dropping it closes the browser.
#[derive(Debug)]
pub struct Field {
    window: String,
    _browser: Running,
}

impl Field {
    /// Opens the field on the display of this process, and waits until it has the focus. The page and the browser's profile are in `folder`.
    pub fn open(folder: &Path) -> Self {
        let page = folder.join("field.html");
        std::fs::write(&page, PAGE).expect("the folder can be written");
        let mut command = Command::new("chromium");
        command.args(["--no-sandbox", "--no-first-run", "--disable-gpu", "--password-store=basic"]);
        command.arg(format!("--user-data-dir={}", folder.join("profile").display()));
        command.arg(format!("--app=file://{}", page.display()));
        let browser = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()), "chromium");
        let mut window = String::new();
        let has_focus = || {
            window = xdotool(&["getactivewindow"]);
            xdotool(&["getwindowname", &window]).starts_with("field")
        };
        assert!(wait_until(Duration::from_secs(60), has_focus), "the browser's window did not appear");
        // Its page takes the keys a moment after its window does.
        std::thread::sleep(Duration::from_secs(2));
        Self { window, _browser: browser }
    }

    /// The ID of the window on the X server.
    pub fn window(&self) -> u32 {
        self.window.parse().expect("xdotool prints a number")
    }

    /// Waits until the field holds this text.
    #[track_caller]
    pub fn assert_holds(&self, text: &str) {
        let wanted = format!("field: {text}");
        let title = || xdotool(&["getwindowname", &self.window]);
        assert!(wait_until(Duration::from_secs(20), || title() == wanted), "{} is not {wanted}", title());
    }

    /// Gives the window the focus.
    pub fn focus(&self) {
        crate::display::xdotool(&["windowactivate", "--sync", &self.window]);
    }
}

/// What xdotool prints; nothing where it fails, as it does while there is no such window.
fn xdotool(arguments: &[&str]) -> String {
    let output =
        Command::new("xdotool").args(arguments).stderr(Stdio::null()).output().expect("xdotool can be started");
    String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
}
