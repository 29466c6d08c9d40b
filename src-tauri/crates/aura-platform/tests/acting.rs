//! Acting in other programs: a real browser on a private X server with a window manager.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aura_core::desktop::{Control, ElementState, OpenTarget, TargetWindow};
use aura_core::error::ErrorCode;
use aura_core::ports::Desktop;
use aura_platform::SystemDesktop;
use aura_tests::desktop_port::{press, wait};
use aura_tests::display::{Display, find_window, make_picture, open_window, with_display, xdotool};
use aura_tests::field::Field;
use aura_tests::keyring::Bus;
use aura_tests::process::{Running, in_own_process, wait_until};
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt, CreateWindowAux, WindowClass};

fn display() -> Display {
    Display::managed(1024, 768)
}

#[test]
fn text_and_keys_reach_a_window_and_the_clipboard_stays_as_it_was() {
    with_display("text_and_keys_reach_a_window_and_the_clipboard_stays_as_it_was", display, || {
        let folder = tempfile::tempdir().unwrap();
        let desktop = SystemDesktop::default();
        let field = Field::open(folder.path());
        let window = wait(desktop.target_window()).unwrap();
        assert_eq!(window.id, field.window());
        assert_eq!(wait(desktop.clipboard()).unwrap(), None);
        wait(desktop.set_clipboard("before: ä 你好")).unwrap();

        wait(desktop.type_text("Hello, World! 1+1=2 (a_b)\n", &window)).unwrap();
        field.assert_holds("Hello, World! 1+1=2 (a_b)\n");
        // Characters that the layout does not have are pasted.
        press(&desktop, "Ctrl+A", &window).unwrap();
        wait(desktop.type_text("Grüße 你好 🎉", &window)).unwrap();
        field.assert_holds("Grüße 你好 🎉");
        assert_eq!(wait(desktop.clipboard()).unwrap().as_deref(), Some("before: ä 你好"));

        press(&desktop, "Ctrl+A", &window).unwrap();
        let selected = || wait(desktop.selection()).unwrap().as_deref() == Some("Grüße 你好 🎉");
        assert!(wait_until(Duration::from_secs(10), selected), "{:?}", wait(desktop.selection()));
        let hint = std::thread::spawn(hint_of_clipboard);
        let long = "Ein Satz mit Umlauten: äöüß, 你好 🎉.\n".repeat(140);
        wait(desktop.paste_text(&long, &window)).unwrap();
        field.assert_holds(&long);
        assert_eq!(wait(desktop.clipboard()).unwrap().as_deref(), Some("before: ä 你好"));

        assert_eq!(hint.join().unwrap().as_deref(), Some("secret"), "clipboard managers are asked to forget it");

        // Another window is in front. The text still goes where it was meant to go.
        let picture = folder.path().join("other.png");
        make_picture(&picture, &["-size", "300x200", "xc:white"]);
        let other = open_window("other", &picture);
        assert!(wait_until(Duration::from_secs(10), || wait(desktop.target_window()).unwrap().title.contains("other")));
        press(&desktop, "Ctrl+A", &window).unwrap();
        wait(desktop.type_text("x", &window)).unwrap();
        field.assert_holds("x");
        drop(other);

        drop(field);
        let is_closed = || {
            Command::new("xwininfo").args(["-id", &window.id.to_string()]).output().is_ok_and(|o| !o.status.success())
        };
        assert!(wait_until(Duration::from_secs(20), is_closed));
        let error = wait(desktop.type_text("y", &window)).unwrap_err();
        assert!(error.code == ErrorCode::Desktop && error.message.contains("is closed"), "{error}");
    });
}

#[test]
fn a_terminal_gets_the_text_and_not_its_own_selection() {
    with_display("a_terminal_gets_the_text_and_not_its_own_selection", display, || {
        let (folder, desktop) = (tempfile::tempdir().unwrap(), SystemDesktop::default());
        let told = folder.path().join("told");
        let mut command = Command::new("xterm");
        command.args(["-T", "Terminal", "-e", "sh", "-c", &format!("echo wrong; cat > {}", told.display())]);
        let _terminal = Running::start(&mut command, "xterm");
        let id = find_window("^Terminal$").to_string();
        xdotool(&["windowactivate", "--sync", &id]);
        let window = wait(desktop.target_window()).unwrap();
        assert_eq!(window.title, "Terminal");
        let is_selected = || {
            // A double click on the first word.
            xdotool(&["mousemove", "--window", &id, "15", "8", "click", "--repeat", "2", "--delay", "50", "1"]);
            let selected = || wait(desktop.selection()).unwrap().as_deref() == Some("wrong");
            wait_until(Duration::from_secs(1), selected)
        };
        assert!(wait_until(Duration::from_secs(20), is_selected), "{:?}", wait(desktop.selection()));
        wait(desktop.paste_text("right\n", &window)).unwrap();
        let pasted = || std::fs::read_to_string(&told).is_ok_and(|text| text == "right\n");
        assert!(wait_until(Duration::from_secs(10), pasted), "{:?}", std::fs::read_to_string(&told));
    });
}

/// What the clipboard tells clipboard managers of its text; `None` when it tells nothing for five seconds.
fn hint_of_clipboard() -> Option<String> {
    let (server, screen) = x11rb::connect(None).unwrap();
    let (window, root) = (server.generate_id().unwrap(), server.setup().roots[screen].root);
    let attributes = CreateWindowAux::new();
    server.create_window(0, window, root, 0, 0, 1, 1, 0, WindowClass::INPUT_ONLY, 0, &attributes).unwrap();
    let atom = |name: &str| server.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom;
    let (clipboard, hint, place) = (atom("CLIPBOARD"), atom("x-kde-passwordManagerHint"), atom("AURA_TEST"));
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        server.convert_selection(window, clipboard, hint, place, x11rb::CURRENT_TIME).unwrap();
        server.flush().unwrap();
        if let Event::SelectionNotify(answer) = server.wait_for_event().unwrap()
            && answer.property == place
        {
            let value = server.get_property(true, window, place, AtomEnum::ANY, 0, 64).unwrap().reply().unwrap().value;
            return Some(String::from_utf8(value).unwrap());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

#[test]
fn a_desktop_without_windows_says_what_to_do() {
    with_display("a_desktop_without_windows_says_what_to_do", display, || {
        let desktop = SystemDesktop::default();
        let error = wait(desktop.target_window()).unwrap_err();
        assert!(error.code == ErrorCode::NotFound && error.message.contains("Open the one that you mean"), "{error}");
        assert_eq!(wait(desktop.selection()).unwrap(), None);
        let error = wait(desktop.find_application("An App That Nobody Has")).unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound);
        let gone = OpenTarget::Application { id: "org.example.Gone".into(), name: "Gone".into() };
        assert_eq!(wait(desktop.open(&gone)).unwrap_err().code, ErrorCode::NotFound);
    });
}

#[test]
fn on_wayland_the_error_says_what_to_do_instead() {
    let prepare = || ((), vec![("WAYLAND_DISPLAY", "wayland-0".into()), ("DISPLAY", "".into())]);
    in_own_process("on_wayland_the_error_says_what_to_do_instead", prepare, || {
        let desktop = SystemDesktop::default();
        let error = wait(desktop.target_window()).unwrap_err();
        assert!(error.message.contains("X11 session") && error.message.contains("paste it yourself"), "{error}");
    });
}

/// Runs a test's body in a process whose programs describe their windows, as for a screen reader.
fn with_described_windows(test: &str, body: impl FnOnce()) {
    let prepare = || {
        let display = display();
        let bus = Bus::with_accessibility(&display.environment());
        let environment = [bus.environment(), display.environment()].concat();
        ((bus, display), environment)
    };
    in_own_process(test, prepare, body);
}

/// Opens a dialog of a real program, and waits until it is in front.
fn open_dialog(desktop: &SystemDesktop, arguments: &[&str]) -> (std::process::Child, TargetWindow) {
    let dialog = Command::new("zenity").args(arguments).stdout(Stdio::piped()).spawn().expect("apt install zenity");
    let mut window = None;
    let is_in_front = || {
        window = wait(desktop.front_window()).ok();
        window.as_ref().is_some_and(|window| window.title == "Sign in")
    };
    assert!(wait_until(Duration::from_secs(20), is_in_front), "the dialog did not appear");
    (dialog, window.unwrap())
}

#[test]
fn what_a_window_offers_is_read_and_used_by_name() {
    with_described_windows("what_a_window_offers_is_read_and_used_by_name", || {
        let desktop = SystemDesktop::default();
        let arguments = ["--entry", "--title=Sign in", "--text=Your name", "--entry-text=Ana"];
        let (dialog, window) = open_dialog(&desktop, &arguments);
        let contents = wait(desktop.read_window(&window)).unwrap();
        let outline = contents.outline(&window);
        let field = contents.find("your name", None).unwrap();
        assert!(field.is_field, "{outline}");
        let entered = |text: &str| {
            let contents = wait(desktop.read_window(&window)).unwrap();
            contents.elements.iter().any(|element| element.control == *field && element.text == text)
        };
        assert!(entered("Ana"), "{outline}");
        let (ok, cancel) = (contents.find("OK", None).unwrap(), contents.find("cancel", None).unwrap());
        assert_eq!((ok.role.as_str(), cancel.role.as_str()), ("button", "button"), "{outline}");

        press(&desktop, "Tab", &window).unwrap();
        wait(desktop.use_control(field, &window)).unwrap();
        let has_focus = || {
            let contents = wait(desktop.read_window(&window)).unwrap();
            contents
                .elements
                .iter()
                .any(|element| element.control == *field && element.states.contains(&ElementState::Focused))
        };
        assert!(wait_until(Duration::from_secs(10), has_focus), "the cursor is not in the field");
        press(&desktop, "Ctrl+A", &window).unwrap();
        wait(desktop.type_text("Maria", &window)).unwrap();
        assert!(wait_until(Duration::from_secs(10), || entered("Maria")), "nothing was typed");
        wait(desktop.use_control(ok, &window)).unwrap();
        let said = dialog.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "Maria");
        assert_eq!(
            wait(desktop.use_control(ok, &window)).unwrap_err().code,
            ErrorCode::Desktop,
            "the window is closed"
        );
    });
}

#[test]
fn an_application_opens_in_the_session_and_its_closed_menus_are_used() {
    with_described_windows("an_application_opens_in_the_session_and_its_closed_menus_are_used", || {
        let desktop = SystemDesktop::default();
        let editor = wait(desktop.find_application("mousepad")).unwrap();
        wait(desktop.open(&editor)).unwrap();
        let mut window = None;
        let is_in_front = |title: &str, window: &mut Option<TargetWindow>| {
            *window = wait(desktop.front_window()).ok();
            window.as_ref().is_some_and(|window| window.title.contains(title))
        };
        assert!(wait_until(Duration::from_secs(20), || is_in_front("Untitled", &mut window)), "{window:?}");
        let editor = window.unwrap();
        let contents = wait(desktop.read_window(&editor)).unwrap();
        let outline = contents.outline(&editor);
        let at = |line: &str| outline.find(line).unwrap_or_else(|| panic!("no {line} in {outline}"));
        let places = ["menu “Edit”", "menu item “Preferences...”", "menu “Search”", "menu item “Find”", "menu “View”"];
        assert!(places.map(at).is_sorted(), "{outline}");

        // The menu stays closed: an open one would take the keyboard from the shortcut.
        let preferences = contents.find("preferences", None).unwrap();
        wait(desktop.use_control(preferences, &editor)).unwrap();
        let mut window = None;
        assert!(wait_until(Duration::from_secs(20), || is_in_front("Preferences", &mut window)), "{window:?}");
        press(&desktop, "Alt+F4", window.as_ref().unwrap()).unwrap();
        assert!(wait_until(Duration::from_secs(20), || is_in_front("Untitled", &mut window)), "{window:?}");
        press(&desktop, "Ctrl+Q", &editor).unwrap();
        assert!(
            wait_until(Duration::from_secs(20), || wait(desktop.front_window()).is_err()),
            "{:?} is still open",
            wait(desktop.front_window())
        );
    });
}

#[test]
fn a_password_is_not_read_and_a_control_that_is_gone_is_not_pressed() {
    with_described_windows("a_password_is_not_read_and_a_control_that_is_gone_is_not_pressed", || {
        let desktop = SystemDesktop::default();
        let (mut dialog, window) = open_dialog(&desktop, &["--password", "--title=Sign in"]);
        wait(desktop.type_text("secret", &window)).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let contents = wait(desktop.read_window(&window)).unwrap();
        let outline = contents.outline(&window);
        assert!(
            outline.contains("password text") && !outline.contains("secret") && !outline.contains('•'),
            "{outline}"
        );
        let gone = Control::new("button", "Forget everything", false);
        let error = wait(desktop.use_control(&gone, &window)).unwrap_err();
        assert!(error.message.contains("Nothing was done"), "{error}");
        assert_eq!(dialog.try_wait().unwrap(), None, "the dialog is still open");
        let cancel = contents.find("cancel", None).unwrap();
        wait(desktop.use_control(cancel, &window)).unwrap();
        assert_eq!(dialog.wait().unwrap().code(), Some(1), "{outline}");
    });
}

#[test]
fn a_window_that_is_not_described_says_what_to_do() {
    with_described_windows("a_window_that_is_not_described_says_what_to_do", || {
        let folder = tempfile::tempdir().unwrap();
        let picture = folder.path().join("picture.png");
        make_picture(&picture, &["-size", "200x100", "xc:white"]);
        let desktop = SystemDesktop::default();
        let _window = open_window("picture", &picture);
        let mut window = None;
        assert!(wait_until(Duration::from_secs(20), || {
            window = wait(desktop.front_window()).ok();
            window.is_some()
        }));
        let error = wait(desktop.read_window(&window.unwrap())).unwrap_err();
        assert!(error.code == ErrorCode::NotFound && error.message.contains("look at the screen"), "{error}");
    });
}
