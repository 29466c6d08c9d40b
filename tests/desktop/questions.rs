//! Typed and spoken questions.

use std::path::Path;
use std::time::Duration;

use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop;
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::sound::play_into_microphone;
use aura_tests::speech::{recognise, say};
use aura_tests::window::Window;

const QUESTION: &str = "i think it is going to be a good year";
const ANSWER: &str = "There are many people looking for money.";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

#[test]
fn typed_offline() {
    with_desktop("questions::typed_offline", || {
        let window = Window::open(Aura::new());
        window.write("textbox", "Your question", &format!("Is anybody there?{ENTER}"));
        window.wait_for_text("I heard: \"Is anybody there?\".");
        let record = window.app.turn(1);
        assert!(record["error"].is_null(), "{record:#}");
    });
}

#[test]
fn typed() {
    with_desktop("questions::typed", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(Aura::new().with_all(providers.groq()));
        window.write("textbox", "Your question", "How many are there?");
        window.click("button", "Send");
        window.wait_for_text("How many are there?");
        window.wait_for_text(ANSWER);
        window.app.turn(1);
        // The conversation is still shown after a reload.
        window.script("globalThis.before = true; location.reload()", &[]);
        let fresh = || window.script("return globalThis.before === undefined", &[]) == true;
        assert!(wait_until(Duration::from_secs(40), fresh), "the page was not reloaded");
        window.wait_for_text(ANSWER);
    });
}

/// Speaks a question between `press` and `release`, and waits for the answer in the window.
fn spoken(window: &Window, turn: usize, press: impl FnOnce(), release: impl FnOnce()) {
    let question = window.app.aura().folder().join("question.wav");
    say(&question, QUESTION);
    press();
    window.app.wait_for_recording();
    play_into_microphone(&question).wait();
    release();
    let record = window.app.turn(turn);
    assert!(record["error"].is_null(), "{record:#}");
    // The transcript of a live recording varies. It must not be empty and must be shown, and the recording must contain the question.
    let recording = record["question_audio"].as_str().expect("the question is kept");
    let heard = recognise(Path::new(recording), &[QUESTION.to_owned()]);
    assert!(heard.iter().any(|heard| heard == QUESTION), "the recording {recording} says {heard:?}");
    let transcript = record["transcript"].as_str().unwrap_or_default();
    assert!(!transcript.trim().is_empty(), "{record:#}");
    window.wait_for_text(transcript);
    window.wait_for_text(ANSWER);
}

#[test]
fn spoken_with_the_button() {
    with_desktop("questions::spoken_with_the_button", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(Aura::new().with_all(providers.groq()));
        spoken(&window, 1, || window.press("button", "Talk"), || window.release());
    });
}

#[test]
fn spoken_with_space() {
    with_desktop("questions::spoken_with_space", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(Aura::new().with_all(providers.gemini()));
        window.script("document.activeElement?.blur()", &[]);
        spoken(&window, 1, || window.key("keyDown", " "), || window.key("keyUp", " "));
    });
}

#[test]
fn escape_cancels() {
    with_desktop("questions::escape_cancels", || {
        let providers = Providers::answering(&format!("{ANSWER} ").repeat(20));
        let window = Window::open(Aura::new().with_all(providers.groq()));
        // While speaking.
        window.write("textbox", "Your question", &format!("Tell me a long story.{ENTER}"));
        assert!(wait_until(Duration::from_secs(30), || window.app.stage() == "speaking"), "it does not speak");
        window.key("keyDown", ESCAPE);
        window.key("keyUp", ESCAPE);
        let record = window.app.turn(1);
        assert_eq!(record["interrupted"], true, "{record:#}");
        assert!(record["spoken"].as_str().is_some_and(|spoken| spoken.len() < 800), "{record:#}");
        assert!(wait_until(Duration::from_secs(10), || window.app.stage() == "idle"), "it is still busy");
        // While listening.
        window.press("button", "Talk");
        window.app.wait_for_recording();
        window.key("keyDown", ESCAPE);
        window.key("keyUp", ESCAPE);
        assert!(wait_until(Duration::from_secs(10), || window.app.stage() == "idle"), "it still listens");
        window.release();
    });
}
