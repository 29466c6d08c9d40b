//! Text and keys in other programs on Wayland.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use aura_core::desktop::TargetWindow;
use aura_core::ports::Desktop as _;
use aura_platform::SystemDesktop;
use aura_tests::desktop_port::{press, wait};
use aura_tests::display::Display;
use aura_tests::field::Field;
use aura_tests::keyring::Bus;
use aura_tests::process::{Running, in_own_process, wait_until};

use crate::desktop::Desktop;
use crate::remote_desktop::Portal;
use crate::with_session;

#[test]
fn text_and_keys_go_through_the_real_portal() {
    with_session("typing::text_and_keys_go_through_the_real_portal", || {
        let session = Desktop::start();
        let desktop = SystemDesktop::default();
        let window = wait(desktop.target_window()).unwrap();
        assert_eq!(window, TargetWindow::new(0, ""), "no program says that it has the focus");
        assert_eq!(session.keyboard.lock().unwrap().asked, 0);

        wait(desktop.type_text("Hello, World!\n", &window)).unwrap();
        assert_eq!(session.keyboard.lock().unwrap().text(), "Hello, World!\n");
        session.keyboard.lock().unwrap().keys.clear();
        press(&desktop, "Ctrl+Shift+S", &window).unwrap();
        {
            let seen = session.keyboard.lock().unwrap();
            let (ctrl, shift, s) = (0xffe3, 0xffe1, 0x73);
            let expected = [(ctrl, true), (shift, true), (s, true), (s, false), (shift, false), (ctrl, false)];
            assert!(seen.keys.ends_with(&expected), "{:x?}", seen.keys);
            assert_eq!(seen.asked, 1, "a desktop that remembers nothing is asked once in a session");
        }
        // The person ends it in the desktop's own menu, which the portal sees a moment later, and is asked again.
        session.end_remote_desktop();
        let is_asked_again = || {
            press(&desktop, "F5", &window).unwrap();
            session.keyboard.lock().unwrap().asked == 2
        };
        assert!(wait_until(Duration::from_secs(20), is_asked_again), "nobody was asked");
        session.keyboard.lock().unwrap().refuses = true;
        session.end_remote_desktop();
        let mut refused = None;
        let is_refused = || {
            session.keyboard.lock().unwrap().keys.clear();
            refused = wait(desktop.type_text("secret", &window)).err();
            refused.is_some()
        };
        assert!(wait_until(Duration::from_secs(20), is_refused), "it was typed");
        let error = refused.unwrap();
        assert!(error.message.contains("agree when the desktop asks"), "{error}");
        assert_eq!(session.keyboard.lock().unwrap().text(), "");
    });
}

#[test]
fn a_permission_is_remembered_and_its_session_ends_after_each_action() {
    with_session("typing::a_permission_is_remembered_and_its_session_ends_after_each_action", || {
        let portal = Portal::start();
        let folder = tempfile::tempdir().unwrap();
        let window = TargetWindow::new(0, "");
        for text in ["one ", "two "] {
            // Each time as after a start of the computer.
            wait(SystemDesktop::new(folder.path()).type_text(text, &window)).unwrap();
            assert!(portal.seen.lock().unwrap().sessions.is_empty(), "the session stays open");
        }
        let seen = || {
            let seen = portal.seen.lock().unwrap();
            (seen.text(), seen.asked)
        };
        assert_eq!(seen(), ("one two ".to_owned(), 1));
        let token = std::fs::metadata(folder.path().join("remote-desktop.token")).unwrap();
        assert_eq!(token.permissions().mode() & 0o077, 0, "others may not read the token");

        portal.seen.lock().unwrap().refuses = true;
        let error = wait(SystemDesktop::new(folder.path()).type_text("x", &window)).unwrap_err();
        assert!(error.message.contains("agree when the desktop asks"), "{error}");
        portal.seen.lock().unwrap().refuses = false;
        wait(SystemDesktop::new(folder.path()).type_text("three", &window)).unwrap();
        assert_eq!(seen(), ("one two three".to_owned(), 2));
    });
}

#[test]
fn an_action_that_is_stopped_types_no_more() {
    with_session("typing::an_action_that_is_stopped_types_no_more", || {
        let portal = Portal::start();
        let (desktop, window) = (SystemDesktop::default(), TargetWindow::new(0, ""));
        let text = "x".repeat(20_000);
        wait(async {
            let has_begun = async {
                while portal.seen.lock().unwrap().keys.is_empty() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::select! {
                done = desktop.type_text(&text, &window) => panic!("it was typed: {done:?}"),
                () = has_begun => {}
            }
        });
        let is_over = || portal.seen.lock().unwrap().sessions.is_empty();
        assert!(wait_until(Duration::from_secs(20), is_over), "the session stays open");
        let seen = portal.seen.lock().unwrap();
        assert!(seen.keys.len() < 40_000 && seen.keys.last().is_some_and(|(_, is_down)| !is_down), "a key stays down");
    });
}

/// Runs a test in a Wayland session with a display of X11, as XWayland's is; the portal's keys reach it as a compositor's would.
fn with_windows(test: &str, start: impl FnOnce(&Display) -> Bus, body: impl FnOnce()) {
    let prepare = || {
        let display = Display::managed(1024, 768);
        let bus = start(&display);
        let mut environment = [display.environment(), bus.environment()].concat();
        environment.retain(|(name, _)| *name != "WAYLAND_DISPLAY");
        environment.push(("WAYLAND_DISPLAY", "wayland-test".into()));
        ((bus, display), environment)
    };
    in_own_process(test, prepare, body);
}

#[test]
fn any_script_reaches_a_window_and_the_clipboard_stays_as_it_was() {
    let test = "typing::any_script_reaches_a_window_and_the_clipboard_stays_as_it_was";
    with_windows(
        test,
        |_| Bus::start(),
        || {
            let portal = Portal::start();
            let folder = tempfile::tempdir().unwrap();
            let (desktop, field) = (SystemDesktop::new(folder.path()), Field::open(folder.path()));
            let window = wait(desktop.target_window()).unwrap();
            wait(desktop.set_clipboard("before: ä 你好")).unwrap();
            wait(desktop.type_text("Hello, World! 1+1=2\n", &window)).unwrap();
            field.assert_holds("Hello, World! 1+1=2\n");
            press(&desktop, "Ctrl+A", &window).unwrap();
            wait(desktop.type_text("Grüße 你好 🎉", &window)).unwrap();
            field.assert_holds("Grüße 你好 🎉");
            press(&desktop, "Ctrl+A", &window).unwrap();
            let long = "Ein Satz mit Umlauten: äöüß, 你好 🎉.\n".repeat(140);
            wait(desktop.paste_text(&long, &window)).unwrap();
            field.assert_holds(&long);
            assert_eq!(wait(desktop.clipboard()).unwrap().as_deref(), Some("before: ä 你好"));
            assert_eq!(portal.seen.lock().unwrap().asked, 1);
        },
    );
}

#[test]
fn nothing_is_typed_into_another_window_than_was_agreed() {
    let test = "typing::nothing_is_typed_into_another_window_than_was_agreed";
    with_windows(
        test,
        |display| Bus::with_accessibility(&display.environment()),
        || {
            let portal = Portal::start();
            let desktop = SystemDesktop::default();
            let open = |title: &str| {
                let mut dialog = Command::new("zenity");
                // The display's programs know nothing of Wayland.
                dialog.args(["--entry", "--title", title]).env_remove("WAYLAND_DISPLAY").stdout(Stdio::null());
                let dialog = Running::start(&mut dialog, "zenity");
                let mut window = None;
                let is_in_front = || {
                    window = wait(desktop.target_window()).ok();
                    window.as_ref().is_some_and(|window| window.title == title)
                };
                assert!(wait_until(Duration::from_secs(20), is_in_front), "the dialog did not appear");
                (dialog, window.unwrap())
            };
            let (_first, window) = open("First");
            assert_ne!(window.id, 0);
            press(&desktop, "A", &window).unwrap();
            let (second, _) = open("Second");
            let error = press(&desktop, "B", &window).unwrap_err();
            assert!(error.message.contains("Another window came to the front"), "{error}");
            assert_eq!(portal.seen.lock().unwrap().text(), "a");
            // It comes back to the front, as after the desktop's question.
            drop(second);
            press(&desktop, "C", &window).unwrap();
            assert_eq!(portal.seen.lock().unwrap().text(), "ac");
        },
    );
}
