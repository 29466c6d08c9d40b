//! Text that is put into real programs of five kinds: a browser, a terminal, an editor with GTK, one with Qt, and Vim. Each gets the exact text,
//! and the clipboard and the selection are afterwards as they were.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use aura_core::desktop::TargetWindow;
use aura_core::ports::Desktop;
use aura_platform::SystemDesktop;
use aura_tests::clipboard::{offer, offered};
use aura_tests::desktop_port::{press, wait};
use aura_tests::display::{Display, make_picture, open_window, with_display, xdotool};
use aura_tests::field::Field;
use aura_tests::process::{Running, run, wait_until};
use x11rb::protocol::xproto::ConnectionExt as _;

/// How long a program has to start, or to save a text.
const LIMIT: Duration = Duration::from_secs(30);
/// The characters of the keyboard of the United States, in texts that are short enough to be typed.
const ASCII: [&str; 5] = [
    "Hello, World! 1+1=2\n",
    "; {a[0]: 'b'} <c>\n",
    "~/d_e \"f\" g|h \\i\n",
    "@j #k $l %m ^n &o\n",
    "*p XYZ `q? (r-s)\n",
];
/// Texts that this keyboard has no keys for.
const OTHERS: [(&str, &str); 3] = [
    ("umlauts", "Äöü, Öl: süß, ÜÄ.\n"),
    ("Chinese", "你好，世界。今天天气怎么样？我们去散步吧！\n"),
    ("emoji", "🎉 👍🏽 👩\u{200d}👩\u{200d}👧 🇩🇪 ❤\u{fe0f}\n"),
];
/// A text that is pasted because it is long.
const LONG_LINE: &str = "a sentence that is longer than what is typed";
/// What was on the clipboard, and what was selected, before.
const BEFORE: [(&str, &str); 2] = [("clipboard", "copied: ä 你好 🎉"), ("primary", "selected: ß 再见 👋")];

/// 5,000 characters with line breaks.
fn long_text() -> String {
    let lines = (1..).map(|line| format!("Line {line}: Grüße, 你好 🎉, and\t'plain' words.\n"));
    lines.take(200).collect::<String>().chars().take(4_999).chain(['\n']).collect()
}

/// A window that texts are put into.
struct Target {
    desktop: SystemDesktop,
    window: TargetWindow,
    /// What it holds.
    text: String,
}

impl Target {
    /// Waits for a window in front with this in its title.
    fn with_title(part: &str) -> Self {
        let desktop = SystemDesktop::default();
        let mut window = None;
        let is_there = || {
            window = wait(desktop.target_window()).ok().filter(|window| window.title.contains(part));
            window.is_some()
        };
        assert!(wait_until(LIMIT, is_there), "the window {part} did not appear");
        Self { window: window.unwrap(), desktop, text: String::new() }
    }

    fn press(&self, keys: &str) {
        press(&self.desktop, keys, &self.window).unwrap();
    }

    fn types(&mut self, text: &str) {
        wait(self.desktop.type_text(text, &self.window)).unwrap();
        self.text += text;
    }

    fn pastes(&mut self, text: &str) {
        wait(self.desktop.paste_text(text, &self.window)).unwrap();
        self.text += text;
    }

    /// Puts texts of every kind into the window, in every way. `check` is given all that the window has to hold.
    fn take_all(&mut self, check: &dyn Fn(&Self)) {
        let _offering = BEFORE.map(|(what, text)| offer(what, text));
        let check = |this: &Self, name: &str| {
            check(this);
            for (what, text) in BEFORE {
                assert_eq!(offered(what).as_deref(), Some(text), "the {what} after {name}");
            }
        };
        for text in ASCII {
            self.types(text);
            check(self, "ASCII, typed");
        }
        for (name, text) in OTHERS {
            self.types(text);
            check(self, name);
        }
        self.pastes(&ASCII.concat());
        check(self, "ASCII, pasted");
        self.pastes(&long_text());
        check(self, "5,000 characters");
        // This keyboard has the keys.
        run(Command::new("setxkbmap").args(["-layout", "de"]), "x11-xkb-utils");
        self.types(OTHERS[0].1);
        check(self, "umlauts, typed");
    }

    /// Puts a text into the place of all that is in the window.
    fn take_instead(&mut self, check: &dyn Fn(&Self)) {
        self.press("Ctrl+A");
        self.text.clear();
        self.pastes("Instead: ü 好 🎉\n");
        check(self);
    }

    /// Puts a text into the window while its program does not answer for two seconds.
    fn take_while_busy(&mut self, program: u32, check: &dyn Fn(&Self)) {
        let signal = |name: &str| run(Command::new("kill").args(["-s", name, &program.to_string()]), "procps");
        signal("STOP");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_secs(2));
                signal("CONT");
            });
            self.pastes("Later: ü 好 🎉\n");
        });
        check(self);
    }

    /// Waits until something in the window is selected, and puts a text at the cursor, which is elsewhere.
    fn take_beside_selection(&mut self, check: &dyn Fn(&Self)) {
        let mut selected = None;
        let is_selected = || {
            selected = offered("primary").filter(|text| text != BEFORE[1].1);
            selected.is_some()
        };
        assert!(wait_until(LIMIT, is_selected), "nothing is selected");
        self.pastes("Beside: ü 好 🎉\n");
        check(self);
        assert_eq!(offered("primary"), selected);
    }
}

/// An editor with a file.
struct Editor {
    file: PathBuf,
    save: fn(&Target),
}

impl Editor {
    /// Waits until the editor takes keys, which may be later than its window appears. What it took stays in the file.
    fn wait_until_ready(&self, target: &mut Target) {
        let takes_keys = || {
            wait(target.desktop.type_text("x\n", &target.window)).unwrap();
            wait_until(Duration::from_secs(1), || {
                (self.save)(target);
                !self.text().is_empty()
            })
        };
        assert!(wait_until(LIMIT, takes_keys), "the editor takes no keys");
        // All that was pressed before has arrived with this.
        wait(target.desktop.type_text("ready\n", &target.window)).unwrap();
        let is_ready = || {
            (self.save)(target);
            self.text().ends_with("ready\n")
        };
        assert!(wait_until(LIMIT, is_ready), "the editor holds {:?}", self.text());
        target.text = self.text();
    }

    /// Saves, and compares the file with what was put into the window.
    fn check(&self, target: &Target) {
        let is_saved = || {
            (self.save)(target);
            wait_until(Duration::from_millis(200), || self.text() == target.text)
        };
        assert!(wait_until(LIMIT, is_saved), "{:?} is not {:?}", self.text(), target.text);
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap_or_default()
    }
}

/// A command with settings of its own, without a message bus and an input method.
fn with_own_folder(mut command: Command, folder: &Path) -> Command {
    command.env("HOME", folder).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "GTK_IM_MODULE", "QT_IM_MODULE", "XMODIFIERS"] {
        command.env_remove(name);
    }
    command.envs([
        ("DBUS_SESSION_BUS_ADDRESS", "disabled:"),
        ("GDK_BACKEND", "x11"),
        ("GSETTINGS_BACKEND", "keyfile"),
        ("LC_ALL", "C.UTF-8"),
        ("NO_AT_BRIDGE", "1"),
        ("QT_QPA_PLATFORM", "xcb"),
    ]);
    command
}

/// Runs a test's body with a folder, on a display whose keyboard is that of the United States.
fn with_folder(test: &str, body: impl FnOnce(&Path)) {
    with_display(test, || Display::managed(1024, 768), || body(tempfile::tempdir().unwrap().path()));
}

/// Opens an editor, puts every text into it, and compares with the file that it saves. `then` goes on.
fn edit(
    folder: &Path,
    command: Command,
    package: &str,
    save: fn(&Target),
    then: impl FnOnce(&mut Target, &dyn Fn(&Target)),
) {
    let editor = Editor { file: folder.join("letter.txt"), save };
    let program = Running::start(with_own_folder(command, folder).arg("letter.txt"), package);
    let mut target = Target::with_title("letter.txt");
    editor.wait_until_ready(&mut target);
    let check = |target: &Target| editor.check(target);
    target.take_all(&check);
    target.take_while_busy(program.id(), &check);
    then(&mut target, &check);
}

#[test]
fn a_browser_gets_every_text() {
    with_folder("a_browser_gets_every_text", |folder| {
        let field = Field::open(folder);
        let mut target = Target::with_title("field");
        let check = |target: &Target| field.assert_holds(&target.text);
        target.take_all(&check);
        target.take_instead(&check);
    });
}

#[test]
fn an_editor_with_gtk_gets_every_text() {
    with_folder("an_editor_with_gtk_gets_every_text", |folder| {
        // Otherwise it takes its own saving for somebody else's on a busy computer, and asks what to do.
        let settings = folder.join(".config/glib-2.0/settings");
        std::fs::create_dir_all(&settings).unwrap();
        let unwatched = "[org/xfce/mousepad/preferences/file]\nmonitor-changes=false\n";
        std::fs::write(settings.join("keyfile"), unwatched).unwrap();
        let mut command = Command::new("mousepad");
        command.arg("--disable-server");
        let save = |target: &Target| target.press("Ctrl+S");
        edit(folder, command, "mousepad", save, |target, check| target.take_instead(check));
    });
}

#[test]
fn an_editor_with_qt_gets_every_text() {
    with_folder("an_editor_with_qt_gets_every_text", |folder| {
        let mut command = Command::new("featherpad");
        command.arg("--standalone");
        let save = |target: &Target| target.press("Ctrl+S");
        edit(folder, command, "featherpad", save, |target, check| target.take_instead(check));
    });
}

#[test]
fn vim_gets_every_text() {
    with_folder("vim_gets_every_text", |folder| {
        let mut command = Command::new("gvim");
        // In the foreground, without a swap file, and with no line break after the text.
        command.args(["-f", "-n", "-c", "set noendofline nofixendofline", "-c", "startinsert"]);
        let save = |target: &Target| {
            target.press("Escape");
            // Inserts on after the last character.
            wait(target.desktop.type_text(":w\nGA", &target.window)).unwrap();
        };
        edit(folder, command, "vim-gtk3", save, |target, check| {
            target.press("Escape");
            wait(target.desktop.type_text("kV", &target.window)).unwrap();
            target.press("Escape");
            wait(target.desktop.type_text("GA", &target.window)).unwrap();
            target.take_beside_selection(check);
        });
    });
}

#[test]
fn a_terminal_gets_every_text() {
    with_folder("a_terminal_gets_every_text", |folder| {
        let mut command = Command::new("xterm");
        command.args(["-title", "letter.txt", "-e", "sh", "-c", "exec cat > \"$0\""]);
        // `cat` writes each line at once.
        edit(
            folder,
            command,
            "xterm",
            |_| {},
            |target, check| {
                // Three clicks select a line.
                let window = target.window.id.to_string();
                xdotool(&["mousemove", "--window", &window, "60", "60", "click", "--repeat", "3", "1"]);
                target.take_beside_selection(check);
            },
        );
    });
}

/// Waits until a window of GTK reads keys. It then moves the input focus to a child that it has for that; the window manager calls the window
/// active a moment earlier, and a key that arrives between the two is lost.
fn wait_until_gtk_reads_keys(window: u32) {
    let (server, _) = x11rb::connect(None).unwrap();
    let is_ready = || {
        let focus = server.get_input_focus().unwrap().reply().unwrap().focus;
        server.query_tree(focus).unwrap().reply().is_ok_and(|tree| tree.parent == window)
    };
    assert!(wait_until(LIMIT, is_ready), "the window does not read keys");
}

/// Writes into a dialog, ends it with Enter, and returns what was in it.
fn enter(text: &str, folder: &Path) -> String {
    let mut command = Command::new("zenity");
    command.args(["--entry", "--title=letter", "--text="]);
    let mut command = with_own_folder(command, folder);
    let mut dialog = Running::start(command.stdout(Stdio::piped()), "zenity");
    let target = Target::with_title("letter");
    wait_until_gtk_reads_keys(target.window.id);
    wait(target.desktop.type_text(&format!("{text}\n"), &target.window)).unwrap();
    let entered = dialog.first_line();
    dialog.wait();
    entered
}

#[test]
fn a_line_break_at_the_end_presses_enter() {
    with_folder("a_line_break_at_the_end_presses_enter", |folder| {
        // One is typed, one is pasted because the keyboard has no keys for it, and one because it is long.
        for text in ["hello", "你好", LONG_LINE] {
            assert_eq!(enter(text, folder), text);
        }
    });
}

#[test]
fn a_picture_on_the_clipboard_is_kept() {
    with_folder("a_picture_on_the_clipboard_is_kept", |folder| {
        let picture = folder.join("picture.png");
        make_picture(&picture, &["-size", "20x10", "xc:red"]);
        let mut command = Command::new("xclip");
        command.args(["-i", "-quiet", "-selection", "clipboard", "-target", "image/png"]).arg(&picture);
        let _copied = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()), "xclip");
        let is_there = || {
            let arguments = ["-o", "-selection", "clipboard", "-target", "image/png"];
            let offered = Command::new("xclip").args(arguments).output().unwrap().stdout;
            offered == std::fs::read(&picture).unwrap()
        };
        assert!(wait_until(LIMIT, is_there), "xclip does not offer the picture");
        assert_eq!(enter(LONG_LINE, folder), LONG_LINE, "it is typed");
        assert!(is_there());

        let _window = open_window("picture", &picture);
        let target = Target::with_title("picture");
        let error = wait(target.desktop.paste_text("你好", &target.window)).unwrap_err();
        assert!(error.message.contains("something other than text"), "{error}");
        assert!(is_there());
    });
}

#[test]
fn what_is_copied_while_a_text_is_pasted_is_kept() {
    with_folder("what_is_copied_while_a_text_is_pasted_is_kept", |folder| {
        let picture = folder.join("picture.png");
        make_picture(&picture, &["-size", "200x100", "xc:white"]);
        // Pastes nothing, so that there is time.
        let _window = open_window("picture", &picture);
        let mut target = Target::with_title("picture");
        let _offering = BEFORE.map(|(what, text)| offer(what, text));
        let _copied = std::thread::scope(|scope| {
            let pasting = scope.spawn(|| target.pastes("pasted"));
            assert!(wait_until(LIMIT, || offered("clipboard").as_deref() == Some("pasted")));
            let copied = offer("clipboard", "copied meanwhile");
            assert!(!pasting.is_finished());
            copied
        });
        assert_eq!(offered("clipboard").as_deref(), Some("copied meanwhile"));
        assert_eq!(offered("primary").as_deref(), Some(BEFORE[1].1));
    });
}
