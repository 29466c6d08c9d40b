//! The programs of the tasks: which one opens what, and what is in them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aura_tests::desktop::bus_address;
use aura_tests::display::{find_window, windows, xdotool};
use aura_tests::process::{Running, run, wait_until};
use aura_tests::sound::make_file;
use parking_lot::Mutex;

/// The browser, as a test runs it: also as root, with nothing in its window but the page, which is described as for a screen reader.
const BROWSER: &str = "#!/bin/sh\nexport GNOME_ACCESSIBILITY=1\nexec chromium --no-sandbox --no-first-run --disable-gpu \
                       --password-store=basic --force-renderer-accessibility --app=\"$1\"\n";
/// The terminal, with a shell that leaves its title alone.
const TERMINAL: &str = "[Desktop Entry]\nType=Application\nName=Terminal\nExec=xterm -T Terminal -e sh\n";
/// What opens pages and texts.
const DEFAULTS: &str = "[Default Applications]\nx-scheme-handler/http=browser.desktop\n\
                        text/plain=org.xfce.mousepad.desktop\n";

/// The private home folder, with the programs that open pages and texts.
pub(super) fn home() -> PathBuf {
    let home = std::env::home_dir().expect("a private home folder");
    let applications = home.join(".local/share/applications");
    for folder in [&applications, &home.join(".config")] {
        std::fs::create_dir_all(folder).expect("the folder can be written");
    }
    let browser = home.join("browser");
    let entry = format!("[Desktop Entry]\nType=Application\nName=Browser\nExec={} %u\n", browser.display());
    for (file, text) in [
        (&browser, BROWSER),
        (&applications.join("browser.desktop"), &entry),
        (&applications.join("terminal.desktop"), TERMINAL),
        (&home.join(".config/mimeapps.list"), DEFAULTS),
    ] {
        std::fs::write(file, text).expect("the folder can be written");
    }
    std::fs::set_permissions(&browser, PermissionsExt::from_mode(0o755)).expect("the script can be made a program");
    home
}

/// Whether a window with this title is visible.
pub(super) fn is_open(title: &str) -> bool {
    !windows(title).is_empty()
}

/// The text of the clipboard, as another program pastes it.
pub(super) fn clipboard() -> String {
    pasted("clipboard")
}

/// The selected text, as another program pastes it.
pub(super) fn selection() -> String {
    pasted("primary")
}

fn pasted(which: &str) -> String {
    let pasted = Command::new("xclip").args(["-selection", which, "-o"]).output().expect("apt install xclip");
    String::from_utf8_lossy(&pasted.stdout).into_owned()
}

/// Puts a text on the clipboard from another program, which gives it away until it is dropped.
pub(super) fn copy(text: &str) -> Running {
    let mut command = Command::new("xclip");
    command.args(["-selection", "clipboard", "-quiet"]).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut owner = Running::start(&mut command, "xclip");
    owner.feed(text.as_bytes());
    assert!(wait_until(Duration::from_secs(10), || clipboard() == text), "the clipboard holds “{}”", clipboard());
    owner
}

/// The editor with a file, as a person at the keyboard uses it.
pub(super) struct Editor {
    window: String,
    /// The title of its window.
    pub(super) title: String,
    file: PathBuf,
}

impl Editor {
    /// The editor that has opened a file.
    pub(super) fn of(file: PathBuf) -> Self {
        let window = find_window(file.to_str().expect("the path is text")).to_string();
        let title = run(Command::new("xdotool").args(["getwindowname", &window]), "xdotool").trim_end().to_owned();
        Self { window, title, file }
    }

    /// Presses keys in it.
    pub(super) fn press(&self, keys: &[&str]) {
        xdotool(&["windowactivate", "--sync", &self.window]);
        xdotool(&[&["key"], keys].concat());
    }

    /// Saves it, and returns what is in the file.
    pub(super) fn saved(&self) -> String {
        self.press(&["ctrl+s"]);
        std::thread::sleep(Duration::from_millis(200));
        self.file()
    }

    /// What was saved last.
    pub(super) fn file(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap_or_default().trim_end().to_owned()
    }

    /// Selects by keys, and waits until other programs can see it.
    pub(super) fn select(&self, keys: &[&str], text: &str) {
        self.press(keys);
        assert!(wait_until(Duration::from_secs(10), || selection() == text), "“{}” is selected", selection());
    }
}

/// A website on loopback with a search, which keeps what it is asked for.
pub(super) struct Website {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

const PAGE: &str = "<!doctype html><meta charset=utf-8><title>Tea shop</title><h1>Tea shop</h1>\
                    <form action=/find><label>Search for <input name=q></label><button>Find</button></form>";

impl Website {
    /// Starts it. Its thread ends with the test's process.
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let into = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let into = into.clone();
                std::thread::spawn(move || serve(stream, &into));
            }
        });
        Self { port, asked }
    }

    /// Its address.
    pub(super) fn address(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }

    /// Whether a browser has asked for this path.
    pub(super) fn was_asked(&self, path: &str) -> bool {
        self.asked.lock().iter().any(|asked| asked == path)
    }
}

fn serve(mut stream: TcpStream, asked: &Mutex<Vec<String>>) {
    // A request without a body comes in one piece.
    let mut request = [0; 16 * 1024];
    let length = stream.read(&mut request).unwrap_or_default();
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    asked.lock().extend(request.split_whitespace().nth(1).map(str::to_owned));
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close";
    // A browser that has left needs no page.
    let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{PAGE}", PAGE.len());
}

/// A media player with two titles, over the interface that it shares with others: MPRIS.
pub(super) struct Player {
    _running: Running,
}

impl Player {
    /// Starts it, and waits until it plays.
    pub(super) fn start(folder: &Path) -> Self {
        let titles = ["one.wav", "two.wav"].map(|name| folder.join(name));
        for (title, pitch) in titles.iter().zip([330, 440]) {
            make_file(title, 8_000, 1, &format!("synth 300 sine {pitch} vol 0.02"));
        }
        let mut command = Command::new("mpv");
        command.args(["--no-video", "--no-terminal", "--ao=pulse", "--loop-playlist"]).args(&titles);
        command.env("DBUS_SESSION_BUS_ADDRESS", bus_address()).stdout(Stdio::null()).stderr(Stdio::null());
        let player = Self { _running: Running::start(&mut command, "mpv mpv-mpris") };
        let plays = || player.status() == "Playing" && player.title() == "one.wav";
        assert!(wait_until(Duration::from_secs(20), plays), "it is {} {}", player.status(), player.title());
        player
    }

    /// `Playing` or `Paused`, as it says itself.
    pub(super) fn status(&self) -> String {
        let told = property("PlaybackStatus");
        told.split('\'').nth(1).unwrap_or_default().to_owned()
    }

    /// The title that it plays.
    pub(super) fn title(&self) -> String {
        let told = property("Metadata");
        let title = told.split_once("'xesam:title': <'").and_then(|(_, rest)| rest.split('\'').next());
        title.unwrap_or_default().to_owned()
    }
}

/// A property of the player, as `gdbus` prints it; nothing while the player does not answer.
fn property(name: &str) -> String {
    let mut ask = Command::new("gdbus");
    ask.args(["call", "--session", "--timeout", "5", "--dest", "org.mpris.MediaPlayer2.mpv"]);
    ask.args(["--object-path", "/org/mpris/MediaPlayer2", "--method", "org.freedesktop.DBus.Properties.Get"]);
    ask.args(["org.mpris.MediaPlayer2.Player", name]).env("DBUS_SESSION_BUS_ADDRESS", bus_address());
    ask.output().map(|told| String::from_utf8_lossy(&told.stdout).into_owned()).unwrap_or_default()
}

/// The volume of the loudspeaker, in percent.
pub(super) fn volume() -> u32 {
    let told = run(Command::new("pactl").args(["get-sink-volume", "speaker"]).env("LC_ALL", "C"), "pulseaudio-utils");
    let percent = told.split_whitespace().find_map(|word| word.strip_suffix('%')?.parse().ok());
    percent.expect("pactl prints a percentage")
}

/// Opens a dialog that asks for a name, and waits until it is visible. It prints the name.
pub(super) fn open_dialog() -> Running {
    let mut command = Command::new("zenity");
    command.args(["--entry", "--title=Sign in", "--text=Your name"]).env("DBUS_SESSION_BUS_ADDRESS", bus_address());
    let dialog = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null()), "zenity");
    assert!(wait_until(Duration::from_secs(20), || is_open("^Sign in$")), "the dialog did not appear");
    dialog
}
