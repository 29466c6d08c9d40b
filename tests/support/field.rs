//! A text field in a window of another program, which tells what is in it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{Running, wait_until};

/// A page with a field. The title of the window is its text or, of a long one, the number of its characters and their checksum. The colour
/// around the field is that of the checksum, which the page paints together with the text. The browser sets a title up to 200 ms later.
const PAGE: &str = r#"<!doctype html><meta charset=utf-8><title>field</title><textarea autofocus oninput="
    const all = [...this.value];
    const sum = all.reduce((sum, c) => (sum * 31 + c.codePointAt(0)) >>> 0, 7);
    document.body.style.background = '#' + (sum & 0xffffff).toString(16).padStart(6, '0');
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
        // Colours are not changed for the screen.
        command.arg("--force-color-profile=srgb");
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

    /// The title of the window while the field holds this text.
    pub fn title(text: &str) -> String {
        let sum = sum(text);
        match text.chars().count() {
            length @ 101.. => format!("field: {length} {sum}"),
            _ => format!("field: {}", text.replace('\n', "¶")),
        }
    }

    /// The colour around the field while it holds this text: red, green and blue.
    pub fn colour(text: &str) -> [u8; 3] {
        let [_, red, green, blue] = sum(text).to_be_bytes();
        [red, green, blue]
    }

    /// Waits until the field holds this text.
    #[track_caller]
    pub fn assert_holds(&self, text: &str) {
        let wanted = Self::title(text);
        let title = || xdotool(&["getwindowname", &self.window]);
        assert!(wait_until(Duration::from_secs(20), || title() == wanted), "{} is not {wanted}", title());
    }

    /// Gives the window the focus.
    pub fn focus(&self) {
        crate::display::xdotool(&["windowactivate", "--sync", &self.window]);
    }
}

/// The checksum that the page makes of a text.
fn sum(text: &str) -> u32 {
    text.chars().fold(7, |sum: u32, c| sum.wrapping_mul(31).wrapping_add(c.into()))
}

/// What xdotool prints; nothing where it fails, as it does while there is no such window.
fn xdotool(arguments: &[&str]) -> String {
    let output =
        Command::new("xdotool").args(arguments).stderr(Stdio::null()).output().expect("xdotool can be started");
    String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
}
