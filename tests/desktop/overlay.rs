//! The overlay's place and shape on the desktop.

use std::process::Command;
use std::time::Duration;

use aura_tests::aura::{App, Aura};
use aura_tests::desktop::with_desktop;
use aura_tests::display::{Frame, find_window, frame, make_picture, open_window, windows, with_window, xdotool};
use aura_tests::process::{Running, run, wait_until};
use aura_tests::processes::family;
use aura_tests::window::{MAIN, OVERLAY, Window, screenshots};
use serde_json::{Value, json};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ConnectionExt, CreateWindowAux, WindowClass};

/// The width and the height of the test's screen.
const SCREEN: (i32, i32) = (1280, 900);
/// The width and the height of the card.
const CARD: (i32, i32) = (440, 128);
const TITLE: &str = "^AURA overlay$";

/// Opens another window and gives it the focus: the overlay is hidden while AURA's own window has it.
fn focus_a_letter(app: &App) -> Running {
    let picture = app.aura().folder().join("letter.png");
    make_picture(&picture, &["-size", "600x300", "xc:white"]);
    let letter = open_window("Letter", &picture);
    activate_letter();
    letter
}

/// Gives the letter the focus, also if AURA's window takes it once more when it is first shown.
fn activate_letter() {
    let has_focus =
        || run(Command::new("xdotool").args(["getactivewindow", "getwindowname"]), "xdotool").trim() == "Letter";
    let keeps_focus = wait_until(Duration::from_secs(10), || {
        with_window("^Letter$", &["windowactivate", "--sync"]);
        std::thread::sleep(Duration::from_millis(500));
        has_focus()
    });
    assert!(keeps_focus, "the letter does not keep the focus");
}

fn move_letter(x: i32, y: i32) {
    let letter = find_window("^Letter$").to_string();
    xdotool(&["windowmove", &letter, &x.to_string(), &y.to_string()]);
    let there = || frame("^Letter$").is_some_and(|[left, top, ..]| (left - x).abs() < 60 && (top - y).abs() < 60);
    assert!(wait_until(Duration::from_secs(5), there), "the letter is at {:?}", frame("^Letter$"));
}

/// Begins a question, and waits until the overlay stands still.
fn show(app: &App) -> Frame {
    app.call("press", json!({}));
    let mut last = None;
    let still = wait_until(Duration::from_secs(10), || {
        let now = frame(TITLE);
        let is_still = now.is_some() && now == last;
        last = now;
        std::thread::sleep(Duration::from_millis(150));
        is_still
    });
    assert!(still, "the overlay does not show: {last:?}");
    last.unwrap_or_default()
}

fn hide(app: &App) {
    app.call("cancel", json!({}));
    assert!(wait_until(Duration::from_secs(10), || windows(TITLE).is_empty()), "it stays");
}

/// Moves the pointer in steps, as a hand does.
fn drag(from: (i32, i32), by: (i32, i32)) {
    let to = |x: i32, y: i32| xdotool(&["mousemove", &x.to_string(), &y.to_string()]);
    to(from.0, from.1);
    xdotool(&["mousedown", "1"]);
    for step in 1..=10 {
        // The window is moved once its page has asked for it.
        std::thread::sleep(Duration::from_millis(60));
        to(from.0 + by.0 * step / 10, from.1 + by.1 * step / 10);
    }
    xdotool(&["mouseup", "1"]);
}

#[test]
fn it_stays_where_it_is_moved_to() {
    with_desktop("overlay::it_stays_where_it_is_moved_to", || {
        let mut app = Aura::new().start();
        let _letter = focus_a_letter(&app);
        move_letter(0, 0);
        let usual = show(&app);
        assert_eq!(usual, [(SCREEN.0 - CARD.0) / 2, SCREEN.1 - CARD.1 - 64, CARD.0, CARD.1]);
        hide(&app);

        // Not over what has the focus.
        move_letter(340, 560);
        let above = show(&app);
        assert_eq!(above[1], 64, "{above:?}");
        hide(&app);

        // A click is no move.
        show(&app);
        drag((usual[0] + 100, 64 + 60), (0, 0));
        hide(&app);
        assert!(!app.aura().data().join("overlay.json").exists());

        show(&app);
        drag((usual[0] + 100, 64 + 60), (-300, 200));
        let moved = [above[0] - 300, above[1] + 200, CARD.0, CARD.1];
        assert!(
            wait_until(Duration::from_secs(5), || frame(TITLE) == Some(moved)),
            "{:?}, not {moved:?}",
            frame(TITLE)
        );
        hide(&app);
        assert_eq!(show(&app), moved, "the next question");
        hide(&app);

        let file = app.aura().data().join("overlay.json");
        let kept =
            || -> Value { serde_json::from_slice(&std::fs::read(&file).unwrap_or_default()).unwrap_or_default() };
        assert!(wait_until(Duration::from_secs(5), || kept().is_object()), "nothing is kept");
        app.signal("TERM");
        assert!(app.ends_within(Duration::from_secs(20)), "AURA does not end");
        app.start_again();
        activate_letter();
        assert_eq!(show(&app), moved, "after a restart");
        hide(&app);

        // The monitor is gone: this one has no place of its own.
        app.signal("TERM");
        assert!(app.ends_within(Duration::from_secs(20)), "AURA does not end");
        let places: Vec<Value> = kept().as_object().into_iter().flat_map(|kept| kept.values().cloned()).collect();
        std::fs::write(&file, json!({"gone": places[0]}).to_string()).expect("the folder can be written");
        app.start_again();
        activate_letter();
        move_letter(0, 0);
        assert_eq!(show(&app), usual, "without its monitor");
    });
}

#[test]
fn it_shares_the_web_process_of_the_main_window() {
    with_desktop("overlay::it_shares_the_web_process_of_the_main_window", || {
        let window = Window::open(Aura::new());
        for page in [OVERLAY, MAIN] {
            window.switch_to(page);
        }
        let all = family(window.app.starter());
        let pages: Vec<_> = all.iter().filter(|process| process.name.starts_with("WebKitWebProc")).collect();
        assert_eq!(pages.len(), 1, "{all:#?}");
    });
}

/// Says, as a compositing manager does, that transparent windows show what is behind them. Nobody draws them, so pictures have no shadow.
fn compose(is_composed: bool) {
    let announce = || -> Result<(), Box<dyn std::error::Error>> {
        let (connection, screen) = x11rb::connect(None)?;
        let root = connection.setup().roots[screen].root;
        let manager = connection.intern_atom(false, b"_NET_WM_CM_S0")?.reply()?.atom;
        let window = if is_composed { connection.generate_id()? } else { x11rb::NONE };
        if is_composed {
            let plain = CreateWindowAux::new();
            connection.create_window(0, window, root, -1, -1, 1, 1, 0, WindowClass::INPUT_ONLY, 0, &plain)?.check()?;
        }
        connection.set_selection_owner(window, manager, x11rb::CURRENT_TIME)?.check()?;
        // Ownership ends with its connection.
        std::mem::forget(connection);
        Ok(())
    };
    announce().expect("the private display can be reached");
}

#[test]
fn it_is_round_where_the_desktop_shows_what_is_behind() {
    with_desktop("overlay::it_is_round_where_the_desktop_shows_what_is_behind", || {
        let window = Window::open(Aura::new().settings("[appearance]\ntheme = \"dark\"\n"));
        let _letter = focus_a_letter(&window.app);
        move_letter(0, 0);
        let look = || {
            window.script(
                "const card = getComputedStyle(document.querySelector('.card')); \
                 return [getComputedStyle(document.body).backgroundColor, card.borderTopLeftRadius, card.boxShadow !== 'none']",
                &[],
            )
        };
        let (x, y) = ((SCREEN.0 - CARD.0) / 2, SCREEN.1 - CARD.1 - 64);
        assert_eq!(show(&window.app), [x, y, CARD.0, CARD.1]);
        window.switch_to(OVERLAY);
        window.wait_for_text("Listening");
        assert_eq!(look(), json!(["rgb(27, 27, 31)", "0px", false]));
        window.picture_on_screen(TITLE, &screenshots().join("overlay-square.png"));
        hide(&window.app);

        // The card is at the same place, and the shadow around it.
        compose(true);
        assert_eq!(show(&window.app), [x - 20, y - 20, CARD.0 + 40, CARD.1 + 40]);
        window.wait_for_text("Listening");
        assert_eq!(look(), json!(["rgba(0, 0, 0, 0)", "16px", true]));
        window.picture_on_screen(TITLE, &screenshots().join("overlay-round.png"));
        hide(&window.app);

        compose(false);
        assert_eq!(show(&window.app), [x, y, CARD.0, CARD.1]);
        window.wait_for_text("Listening");
        assert_eq!(look(), json!(["rgb(27, 27, 31)", "0px", false]));
    });
}
