//! The real global shortcut against a real X server, with keys pressed by xdotool.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use aura_core::error::Code;
use aura_platform::hotkey::{self, Edge, HotkeyGuard, Shortcut};
use aura_tests::display::{self, Display, with_display, xdotool};
use aura_tests::process::in_own_process;

fn listen(shortcut: &str) -> (HotkeyGuard, Receiver<(Edge, Instant)>) {
    let (send, edges) = channel();
    let guard = hotkey::listen(&shortcut.parse::<Shortcut>().unwrap(), move |edge| {
        let _ = send.send((edge, Instant::now()));
    });
    (guard.unwrap(), edges)
}

fn next(edges: &Receiver<(Edge, Instant)>) -> (Edge, Instant) {
    edges.recv_timeout(Duration::from_secs(3)).expect("no edge came")
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
        let taken = hotkey::listen(&"Ctrl+Shift+Space".parse().unwrap(), |_| {}).unwrap_err();
        assert_eq!(taken.code, Code::Shortcut);
        assert!(taken.message.contains("Another program already uses Ctrl+Shift+Space"), "{}", taken.message);
        let dropped = Instant::now();
        drop(guard);
        assert!(dropped.elapsed() < Duration::from_millis(500));
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
        std::thread::sleep(Duration::from_millis(300));
        xdotool(&["key", "ctrl+z"]);
        assert_eq!((next(&edges).0, next(&edges).0), (Edge::Press, Edge::Release));
        xdotool(&["key", "ctrl+y"]);
        nothing(&edges);
    });
}

#[test]
fn a_display_that_goes_away_releases_the_key() {
    with_display("a_display_that_goes_away_releases_the_key", display_of_keys, || {
        let (guard, edges) = listen("Alt+F9");
        xdotool(&["keydown", "alt", "keydown", "F9"]);
        assert_eq!(next(&edges).0, Edge::Press);
        display::crash();
        assert_eq!(next(&edges).0, Edge::Release);
        drop(guard);
    });
}

#[test]
fn is_fast() {
    use x11rb::connection::Connection;
    use x11rb::protocol::xtest::ConnectionExt;

    with_display("is_fast", display_of_keys, || {
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
            assert!(times[10] < 20.0);
        }
    });
}

#[test]
fn no_display_names_the_remedy() {
    let nowhere = || ((), vec![("DISPLAY", "".into()), ("WAYLAND_DISPLAY", "wayland-0".into())]);
    in_own_process("no_display_names_the_remedy", nowhere, || {
        let error = hotkey::listen(&"Alt+F9".parse().unwrap(), |_| {}).unwrap_err();
        assert_eq!(error.code, Code::Shortcut);
        assert!(error.message.contains("aura ptt press"), "{}", error.message);
        assert!(hotkey::check().is_err());
    });
}
