//! The first run: with an API key and offline, with the sound check, by pointer and by keyboard alone.

use std::time::Duration;

use aura_sandbox::DEFAULT_KEY;
use aura_tests::aura::Aura;
use aura_tests::desktop::{with_desktop, with_desktop_and_store};
use aura_tests::keyboard::ENTER;
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::sound::{SoundMonitor, play_into_microphone};
use aura_tests::speech::say;
use aura_tests::window::Window;

const QUESTION: &str = "hello can you hear me";
const ANSWER: &str = "There are many people looking for money.";

/// A peak above silence and above the chime at the start of a recording.
const LOUD: f32 = 0.05;

/// Does the sound check: speaks a sentence between `press` and `release`, and checks that the answer is played.
fn check_sound(window: &Window, press: impl FnOnce(), release: impl FnOnce()) {
    window.wait_for_text("Now say something");
    let question = window.app.aura().folder().join("question.wav");
    say(&question, QUESTION);
    let monitor = SoundMonitor::open();
    press();
    window.app.wait_for_recording();
    play_into_microphone(&question).wait();
    let released = std::time::Instant::now();
    release();
    let record = window.app.turn(1);
    assert!(record["error"].is_null(), "{record:#}");
    window.wait_for_text("The sound check worked: first sound after");
    assert!(monitor.onset(released, LOUD, Duration::from_secs(10)).is_some(), "nothing was played");
    // The first run does not appear again.
    assert!(!window.shows("button", "Paste an API key"), "{}", window.text());
    window.script("location.reload()", &[]);
    window.wait_for_text(record["transcript"].as_str().expect("there is a transcript"));
    assert!(!window.shows("button", "Paste an API key"), "{}", window.text());
}

#[test]
fn with_a_key() {
    with_desktop_and_store("welcome::with_a_key", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(Aura::new().with_store().with_all(providers.groq_address()));
        window.click("button", "Paste an API key");
        // The provider rejects a wrong key, and another one can be entered.
        window.write("textbox", "Your API key", "not-the-key");
        window.click("button", "Save and check");
        window.find("button", "Use a different key");
        assert!(!window.shows("button", "Continue"), "a rejected key is accepted: {}", window.text());
        window.click("button", "Use a different key");
        window.write("textbox", "Your API key", DEFAULT_KEY);
        window.click("button", "Save and check");
        window.wait_for_text("Groq accepted the key.");
        window.click("button", "Continue");
        window.wait_for_text("Groq");
        check_sound(&window, || window.press("button", "Talk"), || window.release());
    });
}

#[test]
fn without_an_account_by_keyboard() {
    with_desktop("welcome::without_an_account_by_keyboard", || {
        let window = Window::open(Aura::new());
        window.press_by_key("button", "Choose models");
        window.wait_for_text("AURA on this computer");
        window.press_by_key("button", "Continue without a download");
        window.find("button", "Skip the sound check");
        window.tab_to("button", "Talk");
        check_sound(&window, || window.key("keyDown", " "), || window.key("keyUp", " "));
    });
}

#[test]
fn with_a_key_by_keyboard() {
    with_desktop("welcome::with_a_key_by_keyboard", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(Aura::new().with_all(providers.gemini_address()));
        window.press_by_key("button", "Paste an API key");
        window.wait_for_focus("textbox", "Your API key");
        window.type_keys(DEFAULT_KEY);
        window.tab_to("combobox", "Provider");
        window.choose_by_key("Google Gemini");
        // Without a key store, the user chooses.
        window.press_by_key("button", "Keep it for this session only");
        window.wait_for_text("Google Gemini accepted the key.");
        window.press_by_key("button", "Continue");
        window.wait_for_text("Now say something");
        window.press_by_key("button", "Skip the sound check");
        window.tab_to("textbox", "Your question");
        window.type_keys(&format!("how many are there{ENTER}"));
        let record = window.app.turn(1);
        assert!(record["error"].is_null(), "{record:#}");
        let answered = || window.shows("button", "Google Gemini");
        assert!(wait_until(Duration::from_secs(20), answered), "{}", window.text());
    });
}
