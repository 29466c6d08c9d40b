//! The shortcut and the keyboard on Wayland: through the real desktop portal with a desktop behind it that a test controls, and through
//! portals that have the traps of others.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod desktop;
mod portal;
mod remote_desktop;
mod typing;

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use aura_core::api::Purpose;
use aura_core::error::Error;
use aura_platform::hotkey::{self, HotkeyGuard, Shortcut, ShortcutEvent};
use aura_tests::keyring::Bus;
use aura_tests::process::in_own_process;

use desktop::Desktop;
use portal::{Portal, Traps};

/// What a listener reports, in order.
#[derive(Debug, PartialEq)]
enum Report {
    Event(ShortcutEvent),
    Works,
    Problem(String),
}

const PRESS: Report = Report::Event(ShortcutEvent::Press);
const RELEASE: Report = Report::Event(ShortcutEvent::Release);

fn listen(shortcut: &str) -> (HotkeyGuard, Receiver<Report>) {
    listen_for(Purpose::Answer, shortcut)
}

fn listen_for(purpose: Purpose, shortcut: &str) -> (HotkeyGuard, Receiver<Report>) {
    let (send, reports) = channel();
    let problems = send.clone();
    let on_problem = move |problem: Option<Error>| {
        let _ = problems.send(problem.map_or(Report::Works, |error| Report::Problem(error.message)));
    };
    let on_event = move |event| drop(send.send(Report::Event(event)));
    let guard = hotkey::listen(purpose, &shortcut.parse::<Shortcut>().unwrap(), on_event, on_problem).unwrap();
    (guard, reports)
}

fn next(reports: &Receiver<Report>) -> Report {
    reports.recv_timeout(Duration::from_secs(60)).expect("nothing is reported")
}

fn nothing(reports: &Receiver<Report>) {
    assert_eq!(reports.recv_timeout(Duration::from_millis(400)).ok(), None);
}

/// Runs a test in a process with a message bus of its own, in a Wayland session.
pub(crate) fn with_session(test: &str, body: impl FnOnce()) {
    let prepare = || {
        let bus = Bus::start();
        let mut environment = bus.environment();
        environment.push(("WAYLAND_DISPLAY", "wayland-test".into()));
        environment.push(("XDG_CURRENT_DESKTOP", "AURATEST".into()));
        (bus, environment)
    };
    in_own_process(test, prepare, body);
}

#[test]
fn press_and_release_come_through_the_real_portal() {
    with_session("press_and_release_come_through_the_real_portal", || {
        let desktop = Desktop::start();
        hotkey::check().expect("the portal has shortcuts");
        let (guard, reports) = listen("Ctrl+Shift+Space");
        assert_eq!(next(&reports), Report::Works);
        let bound = desktop.bound();
        assert_eq!(bound[0], ("talk".to_owned(), "CTRL+SHIFT+space".to_owned()));
        assert_eq!(bound[1].0, "cancel");
        for _ in 0..3 {
            // Some desktops report a key that repeats.
            desktop.activate("talk");
            desktop.activate("talk");
            assert_eq!(next(&reports), PRESS);
            desktop.deactivate("talk");
            desktop.deactivate("talk");
            assert_eq!(next(&reports), RELEASE);
        }
        desktop.activate("cancel");
        assert_eq!(next(&reports), Report::Event(ShortcutEvent::Escape));
        desktop.activate("another");
        nothing(&reports);
        // A session that ends while the key is held ends the recording, too. Then the shortcut is bound again.
        desktop.activate("talk");
        assert_eq!(next(&reports), PRESS);
        desktop.close_session();
        assert_eq!(next(&reports), RELEASE);
        assert_eq!(next(&reports), Report::Works);
        desktop.activate("talk");
        assert_eq!(next(&reports), PRESS);
        drop(guard);
        assert_eq!(next(&reports), RELEASE);
        desktop.wait_until_closed();
    });
}

#[test]
fn a_shortcut_at_the_cursor_is_one_of_its_own() {
    with_session("a_shortcut_at_the_cursor_is_one_of_its_own", || {
        let desktop = Desktop::start();
        let (_guard, reports) = listen_for(Purpose::Dictate, "Alt+F9");
        assert_eq!(next(&reports), Report::Works);
        assert_eq!(desktop.bound(), [("dictate".to_owned(), "ALT+F9".to_owned())], "it does not cancel, too");
        desktop.activate("talk");
        nothing(&reports);
        desktop.activate("dictate");
        assert_eq!(next(&reports), PRESS);
        desktop.deactivate("dictate");
        assert_eq!(next(&reports), RELEASE);
    });
}

#[test]
fn a_person_who_refuses_is_not_asked_again() {
    with_session("a_person_who_refuses_is_not_asked_again", || {
        let desktop = Desktop::start();
        desktop.refuse(true);
        let (guard, reports) = listen("Ctrl+Shift+Space");
        let Report::Problem(message) = next(&reports) else { panic!("the refusal is not reported") };
        assert!(message.contains("not allowed"), "{message}");
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(desktop.times_asked(), 1);
        drop(guard);
        // Another shortcut asks again.
        desktop.refuse(false);
        let (_guard, reports) = listen("Alt+F9");
        assert_eq!(next(&reports), Report::Works);
        assert_eq!(desktop.bound()[0].1, "ALT+F9");
    });
}

#[test]
fn a_portal_that_starts_late_or_restarts_is_used() {
    with_session("a_portal_that_starts_late_or_restarts_is_used", || {
        assert!(hotkey::check().unwrap_err().message.contains("aura ptt press"));
        let (_guard, reports) = listen("Ctrl+Shift+Space");
        assert!(matches!(next(&reports), Report::Problem(message) if message.contains("aura ptt press")));
        let desktop = Desktop::start();
        while next(&reports) != Report::Works {}
        desktop.activate("talk");
        assert_eq!(next(&reports), PRESS);
        drop(desktop);
        assert_eq!(next(&reports), RELEASE);
        let desktop = Desktop::start();
        while next(&reports) != Report::Works {}
        desktop.activate("talk");
        assert_eq!(next(&reports), PRESS);
    });
}

#[test]
fn a_portal_that_wants_to_know_the_program_is_told() {
    with_session("a_portal_that_wants_to_know_the_program_is_told", || {
        let portal = Portal::start(Traps { wants_app_id: true, lists_nothing: true });
        let (_guard, reports) = listen("Ctrl+Shift+Space");
        assert_eq!(next(&reports), Report::Works, "an empty list of shortcuts is no refusal");
        assert_eq!(portal.app_id().as_deref(), Some("app.aura.desktop"));
        portal.activate("talk");
        assert_eq!(next(&reports), PRESS);
    });
}
