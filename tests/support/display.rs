//! A private display, with pictures, windows, keyboard and mouse.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ClientMessageEvent, ConnectionExt, EventMask};

use crate::process::{Environment, Running, in_own_process, run, wait_until};

/// A private X server (Xvfb).
#[derive(Debug)]
pub struct Display {
    _manager: Option<Running>,
    server: Running,
    name: String,
    folder: TempDir,
}

impl Display {
    /// Starts a display of this size in pixels.
    pub fn start(width: u32, height: u32) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("Xvfb");
        // The server picks a free number and prints it. Without -noreset it would restart when its last client disconnects.
        command.args([
            "-displayfd",
            "1",
            "-noreset",
            "-nolisten",
            "tcp",
            "-screen",
            "0",
            &format!("{width}x{height}x24"),
        ]);
        let mut server = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null()), "xvfb");
        let name = format!(":{}", server.first_line());
        Self { _manager: None, server, name, folder }
    }

    /// Like [`Self::start`], with a window manager, which gives windows a title bar and focus.
    pub fn managed(width: u32, height: u32) -> Self {
        let mut display = Self::start(width, height);
        let mut command = Command::new("openbox");
        command.envs(display.environment()).env("HOME", display.folder.path());
        display._manager = Some(Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()), "openbox"));
        let there = || {
            let output =
                Command::new("xprop").args(["-root", "_NET_SUPPORTING_WM_CHECK"]).envs(display.environment()).output();
            output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("window id"))
        };
        assert!(
            wait_until(Duration::from_secs(30), there),
            "openbox did not start (is xprop missing? apt install x11-utils)"
        );
        display
    }

    /// The variables by which a program uses this display and no other.
    pub fn environment(&self) -> Environment {
        vec![
            ("DISPLAY", self.name.as_str().into()),
            ("WAYLAND_DISPLAY", "".into()),
            ("XDG_SESSION_TYPE", "x11".into()),
            ("AURA_TEST_DISPLAY", self.server.id().to_string().into()),
        ]
    }
}

/// Runs a test's body in a process whose only display is a private one. See [`in_own_process`].
pub fn with_display(test: &str, start: impl FnOnce() -> Display, body: impl FnOnce()) {
    let prepare = || {
        let display = start();
        let environment = display.environment();
        (display, environment)
    };
    in_own_process(test, prepare, body);
}

/// Creates an image file with ImageMagick's `convert`.
pub fn make_picture(path: &Path, arguments: &[&str]) {
    run(Command::new("convert").args(arguments).arg(path), "imagemagick");
}

/// Shows a picture as the background of the display that this process uses.
pub fn paint(picture: &Path) {
    // `display` paints and then fails, because it has no window of its own. The test sees whether it painted.
    let mut command = Command::new("display");
    command.args(["-window", "root"]).arg(picture);
    Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()), "imagemagick").wait();
}

/// Opens a window with a title and a picture on the display that this process uses, and waits until it is visible.
pub fn open_window(title: &str, picture: &Path) -> Running {
    let mut command = Command::new("display");
    command.args(["-title", title]).arg(picture);
    let window = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()), "imagemagick");
    // Not `search --sync`, which fails if another window closes meanwhile.
    assert!(wait_until(Duration::from_secs(30), || !windows(title).is_empty()), "the window {title} did not appear");
    window
}

/// Runs `xdotool` on the display that this process uses.
pub fn xdotool(arguments: &[&str]) {
    run(Command::new("xdotool").args(arguments), "xdotool");
}

/// The visible windows with this title. A search fails, and finds none, if a window closes meanwhile.
pub fn windows(title: &str) -> Vec<u32> {
    let found = Command::new("xdotool").args(["search", "--onlyvisible", "--name", title]).output();
    let found = found.expect("this test needs the program `xdotool`: apt install xdotool");
    String::from_utf8_lossy(&found.stdout).split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// Waits up to 30 s for a single visible window with this title.
pub fn find_window(title: &str) -> u32 {
    let mut window = None;
    wait_until(Duration::from_secs(30), || {
        window = <[u32; 1]>::try_from(windows(title)).ok().map(|[window]| window);
        window.is_some()
    });
    window.unwrap_or_else(|| panic!("there is not one window named {title}"))
}

/// The place of a window's upper left corner on the screen, and its width and height.
pub type Frame = [i32; 4];

/// The frame of the last visible window with this title.
pub fn frame(title: &str) -> Option<Frame> {
    let id = windows(title).last()?.to_string();
    let output = Command::new("xdotool").args(["getwindowgeometry", "--shell", &id]).output().ok()?;
    let geometry = String::from_utf8_lossy(&output.stdout).into_owned();
    let of = |name: &str| geometry.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
    Some([of("X=")?, of("Y=")?, of("WIDTH=")?, of("HEIGHT=")?])
}

/// Runs an `xdotool` command, such as `windowminimize --sync`, on the only visible window with this title.
pub fn with_window(title: &str, command: &[&str]) {
    let window = find_window(title).to_string();
    xdotool(&[command, &[&window]].concat());
}

/// Closes the only visible window with this title through the window manager, like its close button. Unlike keys and pointer, this
/// needs no focus.
pub fn close_window(title: &str) {
    let window = find_window(title);
    let ask = || -> Result<(), Box<dyn std::error::Error>> {
        let (connection, screen) = x11rb::connect(None)?;
        let root = connection.setup().roots[screen].root;
        // `_NET_CLOSE_WINDOW` of the Extended Window Manager Hints: the time, and a direct user action as the source.
        let close = connection.intern_atom(false, b"_NET_CLOSE_WINDOW")?.reply()?.atom;
        let message = ClientMessageEvent::new(32, window, close, [x11rb::CURRENT_TIME, 2, 0, 0, 0]);
        let mask = EventMask::SUBSTRUCTURE_REDIRECT | EventMask::SUBSTRUCTURE_NOTIFY;
        connection.send_event(false, root, mask, message)?.check()?;
        Ok(())
    };
    ask().expect("the private display can be reached");
}

/// Kills the private display that this process uses, like a crash.
pub fn crash() {
    let id = std::env::var("AURA_TEST_DISPLAY").expect("a private display");
    run(Command::new("kill").args(["-9", &id]), "procps");
}

/// Stops or continues the private display that this process uses. A stopped one does not answer.
pub fn freeze(frozen: bool) {
    let id = std::env::var("AURA_TEST_DISPLAY").expect("a private display");
    run(Command::new("kill").args([if frozen { "-STOP" } else { "-CONT" }, &id]), "procps");
}
