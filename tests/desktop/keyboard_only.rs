//! Provider settings by keyboard alone: switching, failure and recovery, API keys, the fallback order.

use std::time::Duration;

use aura_sandbox::{Fault, Provider, SandboxConfig, Script};
use aura_tests::aura::Aura;
use aura_tests::desktop::{with_desktop, with_desktop_and_store};
use aura_tests::keyboard::{ENTER, RIGHT};
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::window::Window;
use serde_json::{Value, json};

const ANSWER: &str = "There are many people looking for money.";

/// An API key long enough that its last four characters are shown.
const LONG_KEY: &str = "gsk-a-key-as-long-as-a-real-one-3f9k";

/// Types a question into the conversation; returns the record of its turn.
fn ask(window: &Window, question: &str, number: usize) -> Value {
    if !window.shows("textbox", "Your question") {
        window.go_by_key("Talk");
    }
    if !window.is_focused("textbox", "Your question") {
        window.tab_to("textbox", "Your question");
    }
    window.type_keys(&format!("{question}{ENTER}"));
    window.app.turn(number)
}

/// Waits until the last answer names this provider.
fn assert_answered_by(window: &Window, provider: &str) {
    let line = format!("{provider} ");
    let shown = || window.script(LAST_LINE, &[]).as_str().is_some_and(|text| text.starts_with(&line));
    assert!(wait_until(Duration::from_secs(20), shown), "{provider} is not named: {}", window.text());
}

/// Returns the line that names the provider of the last answer.
const LAST_LINE: &str = "return [...document.querySelectorAll('article .provenance > .line')].at(-1)?.innerText.trim().replace(/\\s+/g, ' ') ?? ''";

fn both(providers: &Providers) -> Aura {
    Aura::new().with_all(providers.groq()).with_all(providers.gemini())
}

#[test]
fn switching_the_provider_within_a_conversation() {
    with_desktop("keyboard_only::switching_the_provider_within_a_conversation", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(both(&providers));
        ask(&window, "how many are there", 1);
        assert_answered_by(&window, "Groq");
        window.go_by_key("Providers");
        window.press_by_key("button", "Change provider for Answers");
        // The focus moves into the editor.
        window.wait_for_focus("combobox", "Provider");
        window.choose_by_key("Google Gemini");
        // The change is announced at once and can be undone.
        window.wait_for_text("Google Gemini will answer from your next question.");
        window.find("button", "Undo");
        let session = window.app.call("snapshot", json!({}))["session"].clone();
        let record = ask(&window, "and here", 2);
        assert_eq!(record["session"], session, "it is another conversation: {record:#}");
        assert_answered_by(&window, "Google Gemini");
        window.wait_for_text("how many are there");
        // The details of the turn.
        window.press_by_key("button", "Google Gemini 3.5");
        let rows =
            "return [...document.querySelectorAll('table tr')].map((row) => row.innerText.replace(/\\s+/g, ' '))";
        let named = || {
            let rows = window.script(rows, &[]);
            let rows: Vec<&str> = rows.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            rows.iter().any(|row| row.contains("Think") && row.contains("Google Gemini"))
        };
        assert!(wait_until(Duration::from_secs(10), named), "{}", window.text());
    });
}

/// What the card of a provider says in the panel Health.
fn card(window: &Window, provider: &str) -> String {
    let script = "return [...document.querySelectorAll('article')].find((card) => card.querySelector('h2')?.textContent === arguments[0])?.innerText ?? ''";
    window.script(script, &[json!(provider)]).as_str().unwrap_or_default().to_owned()
}

fn wait_for_card(window: &Window, provider: &str, why: &str, holds: impl Fn(&str) -> bool) {
    let there = wait_until(Duration::from_secs(40), || holds(&card(window, provider)));
    assert!(there, "{provider} {why}, but its card says:\n{}", card(window, provider));
}

#[test]
fn a_provider_fails_and_recovers() {
    with_desktop("keyboard_only::a_provider_fails_and_recovers", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(both(&providers));
        ask(&window, "how many are there", 1);
        assert_answered_by(&window, "Groq");
        window.go_by_key("Health");
        wait_for_card(&window, "Groq", "works", |text| text.starts_with("Groq") && text.contains("healthy"));
        window.wait_for_text("No fallbacks yet.");

        // Groq fails: Gemini answers, and both the conversation and the Health panel say so.
        providers.fault(Fault::status(503).provider(Provider::Groq));
        for (number, question) in [(2, "and now"), (3, "and then")] {
            let record = ask(&window, question, number);
            assert!(record["error"].is_null(), "{record:#}");
            assert_answered_by(&window, "Google Gemini");
            let notices = record["notices"].as_array().into_iter().flatten();
            let notice =
                notices.filter(|notice| notice["kind"] == "fallback").find_map(|notice| notice["message"].as_str());
            window.wait_for_text(notice.unwrap_or_else(|| panic!("there is no notice of the fallback: {record:#}")));
        }
        window.wait_for_text("Groq is having problems.");
        window.go_by_key("Health");
        wait_for_card(&window, "Groq", "fails", |text| {
            ["paused", "failing", "recovering"].iter().any(|word| text.contains(word))
        });
        window.wait_for_text("Groq was overloaded while answering. Google Gemini took over.");

        // Groq recovers: the panel counts down until the circuit is half-open, and the next question is answered by Groq again.
        providers.clear_faults();
        let calls = || window.app.call("health", json!({}))["providers"][0]["services"].clone();
        let paused = |services: &Value| {
            let llm = services.as_array().into_iter().flatten().find(|of| of["service"] == "llm");
            llm.is_some_and(|of| of["circuit"] == "open")
        };
        assert!(wait_until(Duration::from_secs(60), || !paused(&calls())), "the circuit stays open: {:#}", calls());
        wait_for_card(&window, "Groq", "is tried again", |text| text.contains("Will retry on your next question."));
        ask(&window, "and again", 4);
        assert_answered_by(&window, "Groq");
        let quiet = || !window.text().contains("is having problems");
        assert!(wait_until(Duration::from_secs(30), quiet), "it still has a problem: {}", window.text());
        window.go_by_key("Health");
        wait_for_card(&window, "Groq", "works again", |text| {
            !text.contains("paused") && !text.contains("failing") && !text.contains("Answers: ")
                || text.contains("degraded")
        });
    });
}

/// Opens the accounts by keyboard: the arrow keys select a tab.
fn go_to_accounts(window: &Window) {
    window.go_by_key("Providers");
    window.tab_to("tab", "Services");
    window.tap(RIGHT);
    window.wait_for_focus("tab", "Accounts");
}

#[test]
fn a_key_is_saved_and_masked() {
    with_desktop_and_store("keyboard_only::a_key_is_saved_and_masked", || {
        let script = Script::always(ANSWER);
        let providers = Providers::of(SandboxConfig { key: LONG_KEY.into(), script, ..SandboxConfig::default() });
        let window = Window::open(Aura::new().with_store().with_all(providers.groq_address()));
        go_to_accounts(&window);
        window.press_by_key("button", "Add an API key for Groq");
        window.wait_for_focus("textbox", "API key for Groq");
        window.type_keys(&format!("{LONG_KEY}{ENTER}"));
        window.wait_for_text("Groq API key saved.");
        // The key is in the keyring. The page contains and shows only its end.
        let end = &LONG_KEY[LONG_KEY.len() - 4..];
        window.wait_for_text(&format!("••••••{end}"));
        window.wait_for_text("in the keyring");
        let page = "return document.documentElement.outerHTML + [...document.querySelectorAll('input')].map((i) => i.value).join()";
        let assert_masked = || {
            let page = window.script(page, &[]);
            assert!(!page.as_str().unwrap_or_default().contains(LONG_KEY), "the page holds the key");
        };
        assert_masked();
        window.script("location.reload()", &[]);
        window.wait_for_text(&format!("••••••{end}"));
        assert_masked();
        // The provider accepts it.
        let record = ask(&window, "how many are there", 1);
        assert!(record["error"].is_null(), "{record:#}");
        assert_answered_by(&window, "Groq");
        // It can be removed. The harmless button has the focus.
        go_to_accounts(&window);
        window.press_by_key("button", "Remove key for Groq");
        window.wait_for_focus("button", "Keep it");
        window.tap(ENTER);
        window.wait_for_text(&format!("••••••{end}"));
        window.press_by_key("button", "Remove key for Groq");
        window.wait_for_focus("button", "Keep it");
        window.press_by_key("button", "Remove it");
        window.wait_for_text("Groq API key removed.");
        window.find("button", "Add an API key for Groq");
    });
}

#[test]
fn the_fallback_order() {
    with_desktop("keyboard_only::the_fallback_order", || {
        let providers = Providers::answering(ANSWER);
        let settings = "[routes.llm]\nprovider = \"groq\"\n";
        let window = Window::open(both(&providers).settings(settings));
        let then = || window.app.call("snapshot", json!({}))["settings"]["routes"]["llm"]["then"].clone();
        window.go_by_key("Providers");
        window.press_by_key("button", "Edit order for Answers");
        window.find("button", "Move Google Gemini down");
        window.press_by_key("button", "Move Google Gemini down");
        let moved = || then() == json!(["offline", "gemini"]);
        assert!(wait_until(Duration::from_secs(10), moved), "the order is {}", then());
        window.wait_for_text("Applies from your next question.");
        // The focus stays on the moved row.
        window.wait_for_focus("button", "Move Google Gemini up");
        providers.fault(Fault::status(503).provider(Provider::Groq));
        let record = ask(&window, "how many are there", 1);
        let thinking = record["stages"].as_array().into_iter().flatten().find(|stage| stage["stage"] == "thinking");
        assert_eq!(thinking.map(|stage| &stage["route"]["provider"]), Some(&json!("offline")), "{record:#}");
        // Move it back.
        window.go_by_key("Providers");
        window.press_by_key("button", "Edit order for Answers");
        window.press_by_key("button", "Move Google Gemini up");
        let back = || then() == json!(["gemini", "offline"]);
        assert!(wait_until(Duration::from_secs(10), back), "the order is {}", then());
        window.press_by_key("button", "Use the default order");
        assert!(wait_until(Duration::from_secs(10), || then().is_null()), "the order is {}", then());
    });
}
