//! The real global shortcut against a real X server, with keys pressed by xdotool.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use aura_core::error::Code;
use aura_platform::hotkey::{self, Edge, HotkeyGuard, Shortcut};
use aura_tests::display::{self, Display, with_display, xdotool};
use aura_tests::process::{in_own_process, wait_until};

fn listen(shortcut: &str) -> (HotkeyGuard, Receiver<(Edge, Instant)>) {
    let (send, edges) = channel();
    let guard = hotkey::listen(
        &shortcut.parse::<Shortcut>().unwrap(),
        move |edge| {
            let _ = send.send((edge, Instant::now()));
        },
        |_| {},
    );
    (guard.unwrap(), edges)
}

fn next(edges: &Receiver<(Edge, Instant)>) -> (Edge, Instant) {
    edges.recv_timeout(Duration::from_secs(30)).expect("no edge came")
}

fn nothing(edges: &Receiver<(Edge, Instant)>) {
    assert_eq!(edges.recv_timeout(Duration::from_millis(300)).ok(), None);
}

fn display_of_keys() -> Display {
    Display::start(640, 480)
}

#[test]
fn tells_press_and_release_once_each() {
    with_display("tells_press_and_release_once_each", display_of_keys, || {
        let (guard, edges) = listen("Ctrl+Shift+Space");
        xdotool(&["keydown", "ctrl", "keydown", "shift", "keydown", "space"]);
        assert_eq!(next(&edges).0, Edge::Press);
        // Held for longer than the keyboard needs to repeat.
        std::thread::sleep(Duration::from_millis(1200));
        assert!(edges.try_recv().is_err(), "the key repeats");
        // The modifiers may go up first.
        xdotool(&["keyup", "ctrl", "keyup", "shift"]);
        nothing(&edges);
        xdotool(&["keyup", "space"]);
        assert_eq!(next(&edges).0, Edge::Release);

        // Other keys and other modifiers are not meant.
        xdotool(&["key", "space", "key", "ctrl+space", "key", "ctrl+shift+alt+space", "key", "ctrl+shift+a"]);
        nothing(&edges);

        // Another program cannot take it, and says so; when it is freed, it can.
        let taken = hotkey::listen(&"Ctrl+Shift+Space".parse().unwrap(), |_| {}, |_| {}).unwrap_err();
        assert_eq!(taken.code, Code::Shortcut);
        assert!(taken.message.contains("Another program already uses Ctrl+Shift+Space"), "{}", taken.message);
        drop(guard);
        let (_guard, edges) = listen("Ctrl+Shift+Space");
        xdotool(&["key", "ctrl+shift+space"]);
        assert_eq!((next(&edges).0, next(&edges).0), (Edge::Press, Edge::Release));
    });
}

#[test]
fn works_with_num_lock_and_caps_lock_and_other_keys() {
    with_display("works_with_num_lock_and_caps_lock_and_other_keys", display_of_keys, || {
        for (shortcut, keys) in
            [("Alt+F9", "alt+F9"), ("Super+A", "super+a"), ("Pause", "Pause"), ("Ctrl+Alt+;", "ctrl+alt+semicolon")]
        {
            let (_guard, edges) = listen(shortcut);
            for lock in ["", "Num_Lock", "Caps_Lock", "Num_Lock"] {
                if !lock.is_empty() {
                    xdotool(&["key", lock]);
                }
                xdotool(&["key", keys]);
                assert_eq!((next(&edges).0, next(&edges).0), (Edge::Press, Edge::Release), "{shortcut} with {lock}");
            }
            xdotool(&["key", "Caps_Lock"]);
        }
    });
}

#[test]
fn follows_another_keyboard_layout() {
    with_display("follows_another_keyboard_layout", display_of_keys, || {
        let (_guard, edges) = listen("Ctrl+Z");
        xdotool(&["key", "ctrl+z"]);
        assert_eq!((next(&edges).0, next(&edges).0), (Edge::Press, Edge::Release));
        aura_tests::process::run(std::process::Command::new("setxkbmap").arg("de"), "x11-xkb-utils");
        // The server tells of the other layout in its own time.
        let followed = wait_until(Duration::from_secs(30), || {
            xdotool(&["key", "ctrl+z"]);
            edges.recv_timeout(Duration::from_millis(300)).is_ok_and(|(edge, _)| edge == Edge::Press)
        });
        assert!(followed, "the shortcut stays where the key was");
        assert_eq!(next(&edges).0, Edge::Release);
        xdotool(&["key", "ctrl+y"]);
        nothing(&edges);
    });
}

/// Z lies there on an American keyboard, and Y on a German one; keycodes as evdev numbers them.
const US_Z: u8 = 52;
const US_Y: u8 = 29;
const CONTROL: u8 = 37;

fn layout(name: &str) {
    aura_tests::process::run(std::process::Command::new("setxkbmap").arg(name), "x11-xkb-utils");
}

/// Moves a key, wherever the layout has it.
fn code(server: &impl x11rb::connection::Connection, down: bool, keycode: u8) {
    let kind = if down { 2 } else { 3 };
    x11rb::protocol::xtest::fake_input(server, kind, keycode, 0, x11rb::NONE, 0, 0, 0).unwrap().check().unwrap();
}

#[test]
fn a_key_that_is_held_while_the_layout_changes_goes_up() {
    with_display("a_key_that_is_held_while_the_layout_changes_goes_up", display_of_keys, || {
        let (server, _) = x11rb::connect(None).unwrap();
        let (_guard, edges) = listen("Ctrl+Z");
        code(&server, true, CONTROL);
        code(&server, true, US_Z);
        assert_eq!(next(&edges).0, Edge::Press);
        layout("de");
        // It is followed when the key of before is free for others.
        let free = || hotkey::listen(&"Ctrl+Y".parse().unwrap(), |_| {}, |_| {}).is_ok();
        assert!(wait_until(Duration::from_secs(30), free), "the shortcut stays where the key was");
        code(&server, false, US_Z);
        assert_eq!(next(&edges).0, Edge::Release);
        code(&server, false, CONTROL);
        xdotool(&["key", "ctrl+z"]);
        assert_eq!((next(&edges).0, next(&edges).0), (Edge::Press, Edge::Release), "it works on");
    });
}

#[test]
fn a_shortcut_that_is_lost_with_the_layout_is_told() {
    use x11rb::connection::Connection;
    use x11rb::protocol::xproto::{ConnectionExt, GrabMode, ModMask};

    with_display("a_shortcut_that_is_lost_with_the_layout_is_told", display_of_keys, || {
        let (other, screen) = x11rb::connect(None).unwrap();
        let root = other.setup().roots[screen].root;
        // Another program has the key that Z will be on.
        let mode = GrabMode::ASYNC;
        other.grab_key(false, root, ModMask::CONTROL, US_Y, mode, mode).unwrap().check().unwrap();
        let ((send, edges), (tell, told)) = (channel(), channel());
        let _guard = hotkey::listen(
            &"Ctrl+Z".parse().unwrap(),
            move |edge| assert!(send.send((edge, Instant::now())).is_ok()),
            move |trouble| assert!(tell.send(trouble.map(|error| (error.code, error.message))).is_ok()),
        );
        let told = || told.recv_timeout(Duration::from_secs(30)).expect("nothing is told");
        layout("de");
        let (code, message) = told().expect("it is lost");
        assert_eq!(code, Code::Shortcut);
        assert!(message.contains("Another program already uses Ctrl+Z"), "{message}");
        other.ungrab_key(US_Y, root, ModMask::CONTROL).unwrap().check().unwrap();
        layout("us");
        // A layout may come in several steps.
        assert!((0..10).any(|_| told().is_none()), "it does not come back");
        xdotool(&["key", "ctrl+z"]);
        assert_eq!((next(&edges).0, next(&edges).0), (Edge::Press, Edge::Release));
    });
}

#[test]
fn escape_is_taken_while_there_is_something_to_cancel() {
    with_display("escape_is_taken_while_there_is_something_to_cancel", display_of_keys, || {
        let (guard, edges) = listen("Ctrl+Shift+Space");
        let free = || hotkey::listen(&"Escape".parse().unwrap(), |_| {}, |_| {}).is_ok();
        xdotool(&["key", "Escape"]);
        nothing(&edges);
        assert!(free(), "it is taken while nothing happens");
        guard.escape(true).unwrap();
        guard.escape(true).unwrap();
        assert!(!free());
        xdotool(&["key", "Escape"]);
        assert_eq!(next(&edges).0, Edge::Escape);
        guard.escape(false).unwrap();
        assert!(free(), "it is kept");
        xdotool(&["key", "Escape"]);
        nothing(&edges);
        // While the shortcut is held, it need not be taken.
        xdotool(&["keydown", "ctrl", "keydown", "shift", "keydown", "space", "key", "Escape"]);
        assert_eq!((next(&edges).0, next(&edges).0), (Edge::Press, Edge::Escape));
        xdotool(&["keyup", "space", "keyup", "shift", "keyup", "ctrl"]);
        assert_eq!(next(&edges).0, Edge::Release);
        // A shortcut with Escape in it is still itself.
        drop(guard);
        let (guard, edges) = listen("Ctrl+Escape");
        guard.escape(true).unwrap();
        xdotool(&["key", "Escape", "key", "ctrl+Escape"]);
        let three = [next(&edges).0, next(&edges).0, next(&edges).0];
        assert_eq!(three, [Edge::Escape, Edge::Press, Edge::Release]);
    });
}

#[test]
fn a_display_that_goes_away_releases_the_key() {
    with_display("a_display_that_goes_away_releases_the_key", display_of_keys, || {
        let ((send, edges), (tell, told)) = (channel(), channel());
        let guard = hotkey::listen(
            &"Alt+F9".parse().unwrap(),
            move |edge| assert!(send.send((edge, Instant::now())).is_ok()),
            move |trouble| assert!(tell.send(trouble.is_some()).is_ok()),
        );
        xdotool(&["keydown", "alt", "keydown", "F9"]);
        assert_eq!(next(&edges).0, Edge::Press);
        display::crash();
        assert_eq!(next(&edges).0, Edge::Release);
        assert_eq!(told.recv_timeout(Duration::from_secs(30)), Ok(true), "the person is not told");
        drop(guard);
    });
}

/// How fast it is depends on the computer, and is printed.
#[test]
fn loses_no_edge_of_many() {
    use x11rb::connection::Connection;
    use x11rb::protocol::xtest::ConnectionExt;

    with_display("loses_no_edge_of_many", display_of_keys, || {
        let (_guard, edges) = listen("F9");
        let (server, _) = x11rb::connect(None).unwrap();
        const F9: u8 = 75; // as evdev keyboards number it
        let mut all = [Vec::new(), Vec::new()];
        for _ in 0..20 {
            for (kind, edge, times) in [(2, Edge::Press, 0), (3, Edge::Release, 1)] {
                let sent = Instant::now();
                server.xtest_fake_input(kind, F9, 0, x11rb::NONE, 0, 0, 0).unwrap();
                server.flush().unwrap();
                let (got, at) = next(&edges);
                assert_eq!(got, edge);
                all[times].push(at.saturating_duration_since(sent).as_secs_f64() * 1000.0);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        for (name, times) in ["press", "release"].iter().zip(&mut all) {
            times.sort_by(f64::total_cmp);
            eprintln!("{name}: p50 {:.2} ms, max {:.2} ms", times[10], times[19]);
        }
    });
}

#[test]
fn no_display_names_the_remedy() {
    let nowhere = || ((), vec![("DISPLAY", "".into()), ("WAYLAND_DISPLAY", "wayland-0".into())]);
    in_own_process("no_display_names_the_remedy", nowhere, || {
        let error = hotkey::listen(&"Alt+F9".parse().unwrap(), |_| {}, |_| {}).unwrap_err();
        assert_eq!(error.code, Code::Shortcut);
        assert!(error.message.contains("aura ptt press"), "{}", error.message);
        assert!(hotkey::check().is_err());
    });
}
