//! The command line with a microphone, a speaker and the running app.

use std::process::Command;
use std::time::Duration;

use aura_tests::aura::{App, Aura, Ended};
use aura_tests::desktop::with_desktop;
use aura_tests::display::{make_picture, open_window, windows, with_window, xdotool};
use aura_tests::process::{Running, run, wait_until};
use aura_tests::processes::family;
use aura_tests::providers::Providers;
use aura_tests::sound::play_into_microphone;
use aura_tests::speech::{Recorder, assert_says};
use serde_json::{Value, json};

use crate::push_to_talk::{SHORTCUT, assert_all_by, hold_shortcut, question};

const QUESTION: &str = "i think it is going to be a good year";
const ANSWER: &str = "There are many people looking for money.";

/// The time limit of a wait.
const LIMIT: Duration = Duration::from_secs(30);

fn assert_cancelled(record: &Value) {
    assert_eq!(record["error"]["code"], "cancelled", "{record:#}");
}

/// Opens another window and gives it the focus.
fn focus_another_window(app: &App) -> Running {
    let picture = app.aura().folder().join("letter.png");
    make_picture(&picture, &["-size", "600x300", "xc:white"]);
    let letter = open_window("Letter", &picture);
    with_window("^Letter$", &["windowactivate", "--sync"]);
    letter
}

#[test]
fn an_answer_is_spoken() {
    with_desktop("command_line::an_answer_is_spoken", || {
        let providers = Providers::answering(ANSWER);
        let aura = Aura::new().with_all(providers.groq());
        let recorder = Recorder::start();
        let ended = aura.run(&["ask", "--speak", "How many are there?", "--json"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(ended.json()["spoken"], ANSWER, "{ended:?}");
        assert!(recorder.wait_for_silence(Duration::from_millis(500), LIMIT), "the speaker does not fall silent");
        assert_says(&recorder.save(&aura.folder().join("answer.wav")), &[ANSWER.to_owned()]);
    });
}

#[test]
fn a_recording_ends_after_its_time_limit_in_every_push_to_talk_mode() {
    with_desktop("command_line::a_recording_ends_after_its_time_limit_in_every_push_to_talk_mode", || {
        let nothing_heard = |ended: &Ended| ended.code == 1 && ended.err.contains("error[nothing_heard]");
        for mode in ["toggle", "hold", "auto"] {
            let aura = Aura::new().settings(&format!("[listening]\nmode = \"{mode}\"\n"));
            let ended = aura.run(&["listen", "--seconds", "1", "--json"]);
            assert!(nothing_heard(&ended), "{mode}: {ended:?}");
            // Without a terminal nobody can press Enter, so the recording ends at once.
            let ended = aura.run(&["listen", "--json"]);
            assert!(nothing_heard(&ended), "{mode} without an end: {ended:?}");
        }
    });
}

#[test]
fn cancel_stops_the_running_app() {
    with_desktop("command_line::cancel_stops_the_running_app", || {
        let providers = Providers::answering(&format!("{ANSWER} ").repeat(40));
        let app = Aura::new().with_all(providers.groq()).start();
        let ptt = |edge: &str| assert_eq!(app.aura().run(&["ptt", edge]).code, 0, "{edge}");
        // While listening.
        ptt("press");
        app.wait_for_recording();
        ptt("cancel");
        assert_cancelled(&app.turn(1));
        // While speaking.
        let question = question(&app, QUESTION);
        ptt("press");
        app.wait_for_recording();
        play_into_microphone(&question).wait();
        ptt("release");
        assert!(wait_until(Duration::from_secs(60), || app.stage() == "speaking"), "it does not speak");
        ptt("cancel");
        let record = app.turn(2);
        assert_eq!((&record["interrupted"], &record["error"]), (&json!(true), &Value::Null), "{record:#}");
        let length = |field: &str| record[field].as_str().unwrap_or_default().len();
        assert!(length("spoken") < length("answer"), "{record:#}");
        // The next question is answered.
        providers.answer(ANSWER);
        ptt("press");
        app.wait_for_recording();
        play_into_microphone(&question).wait();
        ptt("release");
        let record = app.turn(3);
        assert_all_by(&record, "groq");
        assert_eq!(record["spoken"], ANSWER);
    });
}

#[test]
fn escape_cancels_while_another_window_has_the_focus() {
    with_desktop("command_line::escape_cancels_while_another_window_has_the_focus", || {
        let app = Aura::new().start();
        let _letter = focus_another_window(&app);
        // The shortcut is not held. AURA grabs Escape a moment after it starts to listen.
        app.call("press", json!({}));
        app.wait_for_recording();
        let stopped = wait_until(LIMIT, || {
            xdotool(&["key", "Escape"]);
            app.stage() == "idle"
        });
        assert!(stopped, "Escape does nothing");
        assert_cancelled(&app.turn(1));
        // While the shortcut is held, AURA has grabbed the keyboard.
        hold_shortcut(&app);
        app.wait_for_recording();
        xdotool(&["key", "Escape"]);
        assert_cancelled(&app.turn(2));
        xdotool(&["keyup", SHORTCUT]);
        assert!(wait_until(LIMIT, || app.stage() == "idle"), "it listens again");
        assert_eq!(app.history().len(), 2);
    });
}

#[test]
fn a_second_start_shows_the_window_of_the_first() {
    with_desktop("command_line::a_second_start_shows_the_window_of_the_first", || {
        let mut app = Aura::new().start();
        let seen = || !windows("^AURA$").is_empty();
        with_window("^AURA$", &["windowminimize", "--sync"]);
        assert!(wait_until(LIMIT, || !seen()), "it is not minimised");
        let ended = app.aura().run(&[]);
        assert!(ended.code == 0 && ended.out.contains("already running"), "{ended:?}");
        assert!(wait_until(LIMIT, seen), "its window stays away");
        assert!(app.is_alive());
    });
}

#[test]
fn an_app_that_does_not_answer_is_reported() {
    with_desktop("command_line::an_app_that_does_not_answer_is_reported", || {
        let app = Aura::new().start();
        let process = family(app.starter()).into_iter().find(|process| process.name == "aura").expect("it runs");
        let signal = |name: &str| run(Command::new("kill").args([name, &process.id.to_string()]), "procps");
        signal("-STOP");
        let ended = app.aura().run(&["ptt", "press"]);
        signal("-CONT");
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.err.contains("error[not_running]") && ended.err.contains("does not respond"), "{ended:?}");
        assert_eq!(app.aura().run(&["ptt", "cancel"]).code, 0);
    });
}
