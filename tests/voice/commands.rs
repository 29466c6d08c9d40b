//! The command line with a microphone, a speaker and the running app.

use std::process::Command;
use std::time::Duration;

use aura_tests::aura::{App, Aura, Ended};
use aura_tests::display::{make_picture, open_window, windows, with_window, xdotool};
use aura_tests::machine::with_machine;
use aura_tests::process::{Running, run, wait_until};
use aura_tests::processes::family;
use aura_tests::providers::Providers;
use aura_tests::sound::play_into_microphone;
use aura_tests::speech::{Recorder, assert_says};
use serde_json::{Value, json};

use crate::talk::{SHORTCUT, assert_all_by, hold_shortcut, question};

const QUESTION: &str = "i think it is going to be a good year";
const ANSWER: &str = "There are many people looking for money.";

/// What does not come by then does not come.
const LIMIT: Duration = Duration::from_secs(30);

fn assert_cancelled(record: &Value) {
    assert_eq!(record["error"]["code"], "cancelled", "{record:#}");
}

/// Somebody works in another window.
fn work_elsewhere(app: &App) -> Running {
    let picture = app.aura().folder().join("letter.png");
    make_picture(&picture, &["-size", "600x300", "xc:white"]);
    let letter = open_window("Letter", &picture);
    with_window("^Letter$", &["windowactivate", "--sync"]);
    letter
}

#[test]
fn an_answer_is_heard() {
    with_machine("commands::an_answer_is_heard", || {
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
fn a_recording_ends_when_its_time_is_over_whatever_the_talk_key_is_set_to() {
    with_machine("commands::a_recording_ends_when_its_time_is_over_whatever_the_talk_key_is_set_to", || {
        let nothing_heard = |ended: &Ended| ended.code == 1 && ended.err.contains("error[nothing_heard]");
        for mode in ["toggle", "hold", "auto"] {
            let aura = Aura::new().settings(&format!("[listening]\nmode = \"{mode}\"\n"));
            let ended = aura.run(&["listen", "--seconds", "1", "--json"]);
            assert!(nothing_heard(&ended), "{mode}: {ended:?}");
            // Nobody can type Enter there: it ends at once.
            let ended = aura.run(&["listen", "--json"]);
            assert!(nothing_heard(&ended), "{mode} without an end: {ended:?}");
        }
    });
}

#[test]
fn cancel_stops_the_running_app() {
    with_machine("commands::cancel_stops_the_running_app", || {
        let providers = Providers::answering(&format!("{ANSWER} ").repeat(40));
        let app = Aura::new().with_all(providers.groq()).start();
        let ptt = |edge: &str| assert_eq!(app.aura().run(&["ptt", edge]).code, 0, "{edge}");
        // While it listens.
        ptt("press");
        app.wait_for_recording();
        ptt("cancel");
        assert_cancelled(&app.turn(1));
        // While it speaks.
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
        // And the next one is answered.
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
fn escape_stops_what_runs_behind_another_window() {
    with_machine("commands::escape_stops_what_runs_behind_another_window", || {
        let app = Aura::new().start();
        let _letter = work_elsewhere(&app);
        // Nothing holds the shortcut; AURA takes Escape a moment after it began to listen.
        app.call("press", json!({}));
        app.wait_for_recording();
        let stopped = wait_until(LIMIT, || {
            xdotool(&["key", "Escape"]);
            app.stage() == "idle"
        });
        assert!(stopped, "Escape does nothing");
        assert_cancelled(&app.turn(1));
        // While the shortcut is held, the keyboard is AURA's.
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
fn a_second_aura_brings_the_first_ones_window() {
    with_machine("commands::a_second_aura_brings_the_first_ones_window", || {
        let mut app = Aura::new().start();
        let seen = || !windows("^AURA$").is_empty();
        with_window("^AURA$", &["windowminimize", "--sync"]);
        assert!(wait_until(LIMIT, || !seen()), "it is not minimised");
        let ended = app.aura().run(&[]);
        assert!(ended.code == 0 && ended.out.contains("running already"), "{ended:?}");
        assert!(wait_until(LIMIT, seen), "its window stays away");
        assert!(app.is_alive());
    });
}

#[test]
fn an_app_that_does_not_answer_is_not_waited_for_for_ever() {
    with_machine("commands::an_app_that_does_not_answer_is_not_waited_for_for_ever", || {
        let app = Aura::new().start();
        let process = family(app.starter()).into_iter().find(|process| process.name == "aura").expect("it runs");
        let signal = |name: &str| run(Command::new("kill").args([name, &process.id.to_string()]), "procps");
        signal("-STOP");
        let ended = app.aura().run(&["ptt", "press"]);
        signal("-CONT");
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.err.contains("error[not_running]") && ended.err.contains("does not answer"), "{ended:?}");
        assert_eq!(app.aura().run(&["ptt", "cancel"]).code, 0);
    });
}
