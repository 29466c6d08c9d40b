//! The global shortcut on a private X server, with keys pressed by xdotool.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use aura_core::api::Purpose;
use aura_core::error::ErrorCode;
use aura_platform::hotkey::{self, HotkeyGuard, Shortcut, ShortcutEvent};
use aura_tests::display::{self, Display, with_display, xdotool};
use aura_tests::process::{in_own_process, wait_until};

fn listen(shortcut: &str) -> (HotkeyGuard, Receiver<(ShortcutEvent, Instant)>) {
    let (send, events) = channel();
    let guard = hotkey::listen(
        Purpose::Answer,
        &shortcut.parse::<Shortcut>().unwrap(),
        move |event| {
            let _ = send.send((event, Instant::now()));
        },
        |_| {},
    );
    (guard.unwrap(), events)
}

fn next(events: &Receiver<(ShortcutEvent, Instant)>) -> (ShortcutEvent, Instant) {
    events.recv_timeout(Duration::from_secs(30)).expect("no event came")
}

fn nothing(events: &Receiver<(ShortcutEvent, Instant)>) {
    assert_eq!(events.recv_timeout(Duration::from_millis(300)).ok(), None);
}

fn display_of_keys() -> Display {
    Display::start(640, 480)
}

#[test]
fn press_and_release_are_reported_once_each() {
    with_display("press_and_release_are_reported_once_each", display_of_keys, || {
        let (guard, events) = listen("Ctrl+Shift+Space");
        xdotool(&["keydown", "ctrl", "keydown", "shift", "keydown", "space"]);
        assert_eq!(next(&events).0, ShortcutEvent::Press);
        // Longer than the keyboard's repeat delay.
        std::thread::sleep(Duration::from_millis(1200));
        assert!(events.try_recv().is_err(), "the key repeats");
        // The modifiers may go up first.
        xdotool(&["keyup", "ctrl", "keyup", "shift"]);
        nothing(&events);
        xdotool(&["keyup", "space"]);
        assert_eq!(next(&events).0, ShortcutEvent::Release);

        // Other keys and other modifiers are ignored.
        xdotool(&["key", "space", "key", "ctrl+space", "key", "ctrl+shift+alt+space", "key", "ctrl+shift+a"]);
        nothing(&events);

        // A second grab fails with an error. It works after the first one is freed.
        let taken = hotkey::listen(Purpose::Answer, &"Ctrl+Shift+Space".parse().unwrap(), |_| {}, |_| {}).unwrap_err();
        assert_eq!(taken.code, ErrorCode::Shortcut);
        assert!(taken.message.contains("Another program already uses Ctrl+Shift+Space"), "{}", taken.message);
        drop(guard);
        let (_guard, events) = listen("Ctrl+Shift+Space");
        xdotool(&["key", "ctrl+shift+space"]);
        assert_eq!((next(&events).0, next(&events).0), (ShortcutEvent::Press, ShortcutEvent::Release));
    });
}

#[test]
fn the_shortcut_works_with_num_lock_and_caps_lock() {
    with_display("the_shortcut_works_with_num_lock_and_caps_lock", display_of_keys, || {
        for (shortcut, keys) in
            [("Alt+F9", "alt+F9"), ("Super+A", "super+a"), ("Pause", "Pause"), ("Ctrl+Alt+;", "ctrl+alt+semicolon")]
        {
            let (_guard, events) = listen(shortcut);
            for lock in ["", "Num_Lock", "Caps_Lock", "Num_Lock"] {
                if !lock.is_empty() {
                    xdotool(&["key", lock]);
                }
                xdotool(&["key", keys]);
                assert_eq!(
                    (next(&events).0, next(&events).0),
                    (ShortcutEvent::Press, ShortcutEvent::Release),
                    "{shortcut} with {lock}"
                );
            }
            xdotool(&["key", "Caps_Lock"]);
        }
    });
}

#[test]
fn the_shortcut_moves_with_the_keyboard_layout() {
    with_display("the_shortcut_moves_with_the_keyboard_layout", display_of_keys, || {
        let (_guard, events) = listen("Ctrl+Z");
        xdotool(&["key", "ctrl+z"]);
        assert_eq!((next(&events).0, next(&events).0), (ShortcutEvent::Press, ShortcutEvent::Release));
        aura_tests::process::run(std::process::Command::new("setxkbmap").arg("de"), "x11-xkb-utils");
        // The server reports the new layout after a moment.
        let followed = wait_until(Duration::from_secs(30), || {
            xdotool(&["key", "ctrl+z"]);
            events.recv_timeout(Duration::from_millis(300)).is_ok_and(|(event, _)| event == ShortcutEvent::Press)
        });
        assert!(followed, "the shortcut stays where the key was");
        assert_eq!(next(&events).0, ShortcutEvent::Release);
        xdotool(&["key", "ctrl+y"]);
        nothing(&events);
    });
}

/// evdev keycodes. The key with this code is Z on a US keyboard and Y on a German one.
const US_Z: u8 = 52;
const US_Y: u8 = 29;
const CONTROL: u8 = 37;

fn layout(name: &str) {
    aura_tests::process::run(std::process::Command::new("setxkbmap").arg(name), "x11-xkb-utils");
}

/// Presses or releases the key with this keycode, in any layout.
fn code(server: &impl x11rb::connection::Connection, down: bool, keycode: u8) {
    let kind = if down { 2 } else { 3 };
    x11rb::protocol::xtest::fake_input(server, kind, keycode, 0, x11rb::NONE, 0, 0, 0).unwrap().check().unwrap();
}

#[test]
fn a_key_held_during_a_layout_change_is_released() {
    with_display("a_key_held_during_a_layout_change_is_released", display_of_keys, || {
        let (server, _) = x11rb::connect(None).unwrap();
        let (_guard, events) = listen("Ctrl+Z");
        code(&server, true, CONTROL);
        code(&server, true, US_Z);
        assert_eq!(next(&events).0, ShortcutEvent::Press);
        layout("de");
        // The shortcut has moved when its old key is free for others.
        let free = || hotkey::listen(Purpose::Answer, &"Ctrl+Y".parse().unwrap(), |_| {}, |_| {}).is_ok();
        assert!(wait_until(Duration::from_secs(30), free), "the shortcut stays where the key was");
        code(&server, false, US_Z);
        assert_eq!(next(&events).0, ShortcutEvent::Release);
        code(&server, false, CONTROL);
        xdotool(&["key", "ctrl+z"]);
        assert_eq!(
            (next(&events).0, next(&events).0),
            (ShortcutEvent::Press, ShortcutEvent::Release),
            "the shortcut still works"
        );
    });
}

#[test]
fn a_shortcut_lost_in_a_layout_change_is_reported() {
    use x11rb::connection::Connection;
    use x11rb::protocol::xproto::{ConnectionExt, GrabMode, ModMask};

    with_display("a_shortcut_lost_in_a_layout_change_is_reported", display_of_keys, || {
        let (other, screen) = x11rb::connect(None).unwrap();
        let root = other.setup().roots[screen].root;
        // Another program has grabbed the key that Z moves to.
        let mode = GrabMode::ASYNC;
        other.grab_key(false, root, ModMask::CONTROL, US_Y, mode, mode).unwrap().check().unwrap();
        let ((send, events), (reports, problems)) = (channel(), channel());
        let _guard = hotkey::listen(
            Purpose::Answer,
            &"Ctrl+Z".parse().unwrap(),
            move |event| assert!(send.send((event, Instant::now())).is_ok()),
            move |problem| assert!(reports.send(problem.map(|error| (error.code, error.message))).is_ok()),
        );
        let next_problem = || problems.recv_timeout(Duration::from_secs(30)).expect("no report came");
        layout("de");
        let (code, message) = next_problem().expect("the shortcut is lost");
        assert_eq!(code, ErrorCode::Shortcut);
        assert!(message.contains("Another program already uses Ctrl+Z"), "{message}");
        other.ungrab_key(US_Y, root, ModMask::CONTROL).unwrap().check().unwrap();
        layout("us");
        // A layout may change in several steps.
        assert!((0..10).any(|_| next_problem().is_none()), "the shortcut does not come back");
        xdotool(&["key", "ctrl+z"]);
        assert_eq!((next(&events).0, next(&events).0), (ShortcutEvent::Press, ShortcutEvent::Release));
    });
}

/// The server reports a new layout, which is the same, each time that another one of several keyboards is used.
#[test]
fn a_change_that_moves_no_key_never_frees_the_shortcut() {
    use x11rb::connection::Connection;
    use x11rb::protocol::xproto::{ConnectionExt, GrabMode, ModMask};

    with_display("a_change_that_moves_no_key_never_frees_the_shortcut", display_of_keys, || {
        let (other, screen) = x11rb::connect(None).unwrap();
        let root = other.setup().roots[screen].root;
        let (_guard, events) = listen("Ctrl+Z");
        let changes = std::thread::spawn(|| (0..20).for_each(|_| layout("us")));
        let mode = GrabMode::ASYNC;
        while !changes.is_finished() {
            let grab = other.grab_key(false, root, ModMask::CONTROL, US_Z, mode, mode).unwrap();
            assert!(grab.check().is_err(), "a key that is pressed now would be lost");
        }
        changes.join().unwrap();
        xdotool(&["key", "ctrl+z"]);
        assert_eq!((next(&events).0, next(&events).0), (ShortcutEvent::Press, ShortcutEvent::Release));
    });
}

#[test]
fn escape_is_grabbed_only_while_it_is_wanted() {
    with_display("escape_is_grabbed_only_while_it_is_wanted", display_of_keys, || {
        let (guard, events) = listen("Ctrl+Shift+Space");
        let free = || hotkey::listen(Purpose::Answer, &"Escape".parse().unwrap(), |_| {}, |_| {}).is_ok();
        xdotool(&["key", "Escape"]);
        nothing(&events);
        assert!(free(), "Escape is grabbed although it is not wanted");
        guard.grab_escape(true).unwrap();
        guard.grab_escape(true).unwrap();
        assert!(!free());
        xdotool(&["key", "Escape"]);
        assert_eq!(next(&events).0, ShortcutEvent::Escape);
        guard.grab_escape(false).unwrap();
        assert!(free(), "Escape is still grabbed");
        xdotool(&["key", "Escape"]);
        nothing(&events);
        // While the shortcut is held, Escape is reported without a grab.
        xdotool(&["keydown", "ctrl", "keydown", "shift", "keydown", "space", "key", "Escape"]);
        assert_eq!((next(&events).0, next(&events).0), (ShortcutEvent::Press, ShortcutEvent::Escape));
        xdotool(&["keyup", "space", "keyup", "shift", "keyup", "ctrl"]);
        assert_eq!(next(&events).0, ShortcutEvent::Release);
        // A shortcut on the Escape key is told apart from Escape alone.
        drop(guard);
        let (guard, events) = listen("Ctrl+Escape");
        guard.grab_escape(true).unwrap();
        xdotool(&["key", "Escape", "key", "ctrl+Escape"]);
        let three = [next(&events).0, next(&events).0, next(&events).0];
        assert_eq!(three, [ShortcutEvent::Escape, ShortcutEvent::Press, ShortcutEvent::Release]);
    });
}

#[test]
fn a_lost_display_releases_the_key() {
    with_display("a_lost_display_releases_the_key", display_of_keys, || {
        let ((send, events), (reports, problems)) = (channel(), channel());
        let guard = hotkey::listen(
            Purpose::Answer,
            &"Alt+F9".parse().unwrap(),
            move |event| assert!(send.send((event, Instant::now())).is_ok()),
            move |problem| assert!(reports.send(problem.is_some()).is_ok()),
        );
        xdotool(&["keydown", "alt", "keydown", "F9"]);
        assert_eq!(next(&events).0, ShortcutEvent::Press);
        display::crash();
        assert_eq!(next(&events).0, ShortcutEvent::Release);
        assert_eq!(problems.recv_timeout(Duration::from_secs(30)), Ok(true), "the loss is not reported");
        drop(guard);
    });
}

/// Latency depends on the computer and is only printed.
#[test]
fn no_event_is_lost() {
    use x11rb::connection::Connection;
    use x11rb::protocol::xtest::ConnectionExt;

    with_display("no_event_is_lost", display_of_keys, || {
        let (_guard, events) = listen("F9");
        let (server, _) = x11rb::connect(None).unwrap();
        const F9: u8 = 75; // evdev keycode
        let mut all = [Vec::new(), Vec::new()];
        for _ in 0..20 {
            for (kind, event, times) in [(2, ShortcutEvent::Press, 0), (3, ShortcutEvent::Release, 1)] {
                let sent = Instant::now();
                server.xtest_fake_input(kind, F9, 0, x11rb::NONE, 0, 0, 0).unwrap();
                server.flush().unwrap();
                let (got, at) = next(&events);
                assert_eq!(got, event);
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
fn an_error_without_a_desktop_names_the_remedy() {
    let nowhere = || ((), vec![("DISPLAY", "".into()), ("WAYLAND_DISPLAY", "".into())]);
    in_own_process("an_error_without_a_desktop_names_the_remedy", nowhere, || {
        let error = hotkey::listen(Purpose::Answer, &"Alt+F9".parse().unwrap(), |_| {}, |_| {}).unwrap_err();
        assert_eq!(error.code, ErrorCode::Shortcut);
        assert!(error.message.contains("aura ptt press"), "{}", error.message);
        assert!(hotkey::check().is_err());
    });
}
