//! Past turns by keyboard alone: retry, search, replay, deletion.

use std::time::{Duration, Instant};

use aura_sandbox::{Fault, Provider, Service};
use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop;
use aura_tests::keyboard::ENTER;
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::sound::SoundMonitor;
use aura_tests::window::Window;

const ANSWER: &str = "There are many people looking for money.";

/// A peak above silence.
const LOUD: f32 = 0.05;

fn ask(window: &Window, question: &str, number: usize) {
    if !window.is_focused("textbox", "Your question") {
        window.tab_to("textbox", "Your question");
    }
    window.type_keys(&format!("{question}{ENTER}"));
    window.app.turn(number);
    let idle = || window.app.stage() == "idle";
    assert!(wait_until(Duration::from_secs(30), idle), "turn {number} does not end");
}

#[test]
fn a_failed_turn_is_retried() {
    with_desktop("history::a_failed_turn_is_retried", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(Aura::new().with_all(providers.groq()).settings("fallback = false\n"));
        providers.fault(Fault::status(503).provider(Provider::Groq).service(Service::Llm));
        ask(&window, "how many are there", 1);
        let record = window.app.turn(1);
        let message = record["error"]["message"].as_str().unwrap_or_else(|| panic!("it did not fail: {record:#}"));
        window.wait_for_text(message);
        providers.clear_faults();
        window.press_by_key("button", "Retry");
        let record = window.app.turn(2);
        assert!(record["error"].is_null(), "{record:#}");
        assert_eq!(record["transcript"], "how many are there");
        window.wait_for_text(ANSWER);
        // With another route.
        window.press_by_key("button", "Retry with…");
        window.wait_for_focus("combobox", "Provider for Answers");
        window.press_by_key("button", "Ask again");
        let record = window.app.turn(3);
        assert!(record["error"].is_null(), "{record:#}");
    });
}

#[test]
fn a_turn_is_found_replayed_and_deleted() {
    with_desktop("history::a_turn_is_found_replayed_and_deleted", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(Aura::new().with_all(providers.groq()));
        ask(&window, "how many are there", 1);
        providers.answer("The train leaves at nine.");
        ask(&window, "when does the train leave", 2);
        window.go_by_key("History");
        window.wait_for_text("how many are there");
        // Found by a word of the answer.
        window.tab_to("textbox", "Search questions and answers");
        window.type_keys("nine");
        let is_filtered = || !window.text().contains("how many are there");
        assert!(wait_until(Duration::from_secs(10), is_filtered), "the search finds too much: {}", window.text());
        window.wait_for_text("when does the train leave");
        // Replayed.
        let entry = "return document.activeElement.getAttribute('aria-expanded')";
        window.tab_to("button", &time_of(&window));
        window.tap(ENTER);
        assert_eq!(window.script(entry, &[]), "true", "the entry does not open");
        let monitor = SoundMonitor::open();
        let begun = Instant::now();
        window.press_by_key("button", "Play");
        assert!(monitor.onset(begun, LOUD, Duration::from_secs(20)).is_some(), "nothing is played");
        let ended = || window.shows("button", "Play");
        assert!(wait_until(Duration::from_secs(30), ended), "it does not end: {}", window.text());
        // Deleted: hidden at once, restored by Undo, deleted again, and removed once the message is dismissed.
        let delete = "Delete “when does the train leave”";
        window.press_by_key("button", delete);
        window.wait_for_text("Deleted, with its recordings.");
        window.wait_for_text("No results for “nine”.");
        window.press_by_key("button", "Undo");
        window.wait_for_text("when does the train leave");
        assert_eq!(window.app.history().len(), 2, "it was removed too early");
        if !window.shows("button", delete) {
            window.press_by_key("button", &time_of(&window));
        }
        window.press_by_key("button", delete);
        window.wait_for_text("Deleted, with its recordings.");
        window.press_by_key("button", "Dismiss");
        let gone = || window.app.history().len() == 1;
        assert!(wait_until(Duration::from_secs(20), gone), "it is still there");
        let sounds = || std::fs::read_dir(window.app.aura().data().join("recordings")).into_iter().flatten().count();
        assert!(wait_until(Duration::from_secs(10), || sounds() <= 2), "its recordings are still there");
    });
}

/// The time of the only entry in the list, with which its name begins.
fn time_of(window: &Window) -> String {
    let text = window.script("return document.querySelector('li button time')?.textContent.trim() ?? ''", &[]);
    text.as_str().filter(|text| !text.is_empty()).expect("an entry has its time").to_owned()
}
