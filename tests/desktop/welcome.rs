//! The first run, each way in, with the sound check; the second one by keyboard alone.

use std::time::Duration;

use aura_tests::aura::Aura;
use aura_tests::keyboard::ENTER;
use aura_tests::machine::{with_machine, with_machine_and_store};
use aura_tests::process::wait_until;
use aura_tests::providers::{KEY, Providers};
use aura_tests::sound::{Ear, play_into_microphone};
use aura_tests::speech::say;
use aura_tests::window::Window;

const QUESTION: &str = "hello can you hear me";
const ANSWER: &str = "There are many people looking for money.";

/// Louder than silence and than the chime at the start of a recording.
const LOUD: f32 = 0.05;

/// The sound check: holds something, says a sentence, lets go, and hears the answer.
fn check_sound(window: &Window, press: impl FnOnce(), release: impl FnOnce()) {
    window.wait_for_text("Now say something");
    let question = window.app.aura().folder().join("question.wav");
    say(&question, QUESTION);
    let ear = Ear::open();
    press();
    window.app.wait_for_recording();
    play_into_microphone(&question).wait();
    let released = std::time::Instant::now();
    release();
    let record = window.app.turn(1);
    assert!(record["error"].is_null(), "{record:#}");
    window.wait_for_text("The sound check worked: first sound after");
    assert!(ear.onset(released, LOUD, Duration::from_secs(10)).is_some(), "nothing was heard");
    // The first run is over, and stays so.
    assert!(!window.shows("button", "Paste a key"), "{}", window.text());
    window.script("location.reload()", &[]);
    window.wait_for_text(record["transcript"].as_str().expect("it was understood"));
    assert!(!window.shows("button", "Paste a key"), "{}", window.text());
}

#[test]
fn with_a_key() {
    with_machine_and_store("welcome::with_a_key", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(Aura::new().with_store().with_all(providers.groq_address()));
        window.click("button", "Paste a key");
        // A wrong one is refused by the provider itself, and one can try again.
        window.write("textbox", "Your key", "not-the-key");
        window.click("button", "Save and check");
        window.find("button", "Another key");
        assert!(!window.shows("button", "Continue"), "a refused key leads on: {}", window.text());
        window.click("button", "Another key");
        window.write("textbox", "Your key", KEY);
        window.click("button", "Save and check");
        window.wait_for_text("Groq takes the key.");
        window.click("button", "Continue");
        window.wait_for_text("Groq");
        check_sound(&window, || window.press("button", "Talk"), || window.release());
    });
}

#[test]
fn without_an_account_by_keyboard() {
    with_machine("welcome::without_an_account_by_keyboard", || {
        let window = Window::open(Aura::new());
        window.press_by_key("button", "Start offline");
        window.find("button", "Skip the sound check");
        window.tab_to("button", "Talk");
        check_sound(&window, || window.key("keyDown", " "), || window.key("keyUp", " "));
    });
}

#[test]
fn with_a_key_by_keyboard() {
    with_machine("welcome::with_a_key_by_keyboard", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(Aura::new().with_all(providers.gemini_address()));
        window.press_by_key("button", "Paste a key");
        window.wait_for_focus("textbox", "Your key");
        window.type_keys(KEY);
        window.tab_to("combobox", "It is a key for");
        window.choose_by_key("Google Gemini");
        // Without a key store the person decides.
        window.press_by_key("button", "Keep it for this session only");
        window.wait_for_text("Google Gemini takes the key.");
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
