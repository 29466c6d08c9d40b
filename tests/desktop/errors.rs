//! Errors and notices show in the window, and the next question is answered.

use std::time::Duration;

use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop;
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::sound::{self, pactl};
use aura_tests::window::Window;
use serde_json::{Value, json};

const ANSWER: &str = "There are many people looking for money.";
/// An address without a server.
const UNREACHABLE: &str = "http://127.0.0.1:9/v1";
const ENTER: &str = "\u{e007}";

/// Panics unless the window shows the message of the turn's error, and the next question is answered.
fn assert_shown_and_recovers(window: &Window, record: &Value, code: &str) {
    assert_eq!(record["error"]["code"], code, "{record:#}");
    window.wait_for_text(record["error"]["message"].as_str().expect("an error has a message"));
    window.find("button", "Retry");
    assert_recovers(window);
}

fn assert_recovers(window: &Window) {
    let number = window.app.history().len() + 1;
    let shown = || window.text().matches(ANSWER).count();
    let before = shown();
    window.write("textbox", "Your question", &format!("And now?{ENTER}"));
    let record = window.app.turn(number);
    assert_eq!((&record["transcript"], &record["answer"]), (&json!("And now?"), &json!(ANSWER)), "{record:#}");
    assert!(wait_until(Duration::from_secs(40), || shown() > before), "the answer is not shown:\n{}", window.text());
}

fn assert_notice_shown(window: &Window, record: &Value, kind: &str) {
    let notices = record["notices"].as_array().cloned().unwrap_or_default();
    let notice = notices
        .iter()
        .find(|notice| notice["kind"] == kind)
        .unwrap_or_else(|| panic!("no notice `{kind}`: {record:#}"));
    window.wait_for_text(notice["message"].as_str().expect("a notice has a message"));
    window.wait_for_text(ANSWER);
    assert_recovers(window);
}

#[test]
fn no_microphone() {
    with_desktop("errors::no_microphone", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(Aura::new().with_all(providers.groq()));
        pactl(&["unload-module", "module-remap-source"]);
        window.press("button", "Talk");
        let record = window.app.turn(1);
        window.release();
        assert_shown_and_recovers(&window, &record, "no_microphone");
    });
}

#[test]
fn microphone_lost() {
    with_desktop("errors::microphone_lost", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(Aura::new().with_all(providers.groq()));
        window.press("button", "Talk");
        window.app.wait_for_recording();
        sound::crash();
        let record = window.app.turn(1);
        window.release();
        let _server = sound::restart();
        assert_shown_and_recovers(&window, &record, "microphone_lost");
    });
}

#[test]
fn silence() {
    with_desktop("errors::silence", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(Aura::new().with_all(providers.groq()));
        window.press("button", "Talk");
        window.app.wait_for_recording();
        // A hold, not a tap.
        std::thread::sleep(Duration::from_millis(600));
        window.release();
        let record = window.app.turn(1);
        assert_shown_and_recovers(&window, &record, "nothing_heard");
    });
}

#[test]
fn no_speaker() {
    with_desktop("errors::no_speaker", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(Aura::new().with_all(providers.groq()));
        pactl(&["load-module", "module-null-source", "source_name=silence"]);
        for module in ["module-remap-source", "module-null-sink"] {
            pactl(&["unload-module", module]);
        }
        window.write("textbox", "Your question", &format!("How are you?{ENTER}"));
        let record = window.app.turn(1);
        assert_notice_shown(&window, &record, "no_speaker");
    });
}

#[test]
fn capture_refused() {
    with_desktop("errors::capture_refused", || {
        let providers = Providers::answering(ANSWER);
        let settings = "[screen]\nshare = \"always\"\ntarget = { kind = \"window\", title = \"no such window\" }\n";
        let window = Window::open(Aura::new().with_all(providers.groq()).settings(settings));
        window.write("textbox", "Your question", &format!("What is on my screen?{ENTER}"));
        let record = window.app.turn(1);
        assert_notice_shown(&window, &record, "no_screen");
    });
}

#[test]
fn an_unreachable_provider() {
    with_desktop("errors::an_unreachable_provider", || {
        let providers = Providers::answering(ANSWER);
        let aura = Aura::new()
            .with_all(providers.gemini())
            .with("GROQ_API_KEY", "some-key")
            .with("GROQ_BASE_URL", UNREACHABLE);
        let window = Window::open(aura);
        // Another provider answers, with a notice.
        window.write("textbox", "Your question", &format!("How are you?{ENTER}"));
        let record = window.app.turn(1);
        assert_notice_shown(&window, &record, "fallback");
        // Without fallback.
        window
            .app
            .call("change_settings", json!({"changes": {"fallback": false, "routes": {"llm": {"provider": "groq"}}}}));
        window.write("textbox", "Your question", &format!("And you?{ENTER}"));
        let record = window.app.turn(3);
        let code = record["error"]["code"].as_str().expect("it failed").to_owned();
        assert!(["all_routes_failed", "no_route"].contains(&code.as_str()), "{record:#}");
        window.app.call("change_settings", json!({"changes": {"routes": {"llm": {"provider": "gemini"}}}}));
        assert_shown_and_recovers(&window, &record, &code);
    });
}
