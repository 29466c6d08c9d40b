//! No panel, light or dark, has a violation that axe-core finds, and no page is larger than its window.

use std::time::Duration;

use aura_sandbox::{Fault, Provider, Service};
use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop;
use aura_tests::display::{make_picture, open_window, with_window};
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::window::{MAIN, OVERLAY, Window};
use serde_json::{Value, json};

const ANSWER: &str =
    "Do this:\n\n1. Look at `ss -ltnp`.\n2. Take a port that is **not** listed.\n\n```sh\nss -ltnp\n```";
const ENTER: &str = "\u{e007}";

/// Widths of the window, in pixels.
const WIDTHS: [u32; 3] = [480, 900, 1440];
/// The controls and texts that reach more than a pixel beyond the card that they are in, but for what scrolls or is hidden.
const OVER_THE_EDGE: &str = "
    const scrolls = (element) => getComputedStyle(element).overflowX !== 'visible'
    return [...document.querySelectorAll('.card :is(button, input, select, textarea, label, p, a)')]
      .filter((element) => element.checkVisibility() && element.getBoundingClientRect().width > 1)
      .filter((element) => {
        const card = element.closest('.card')
        for (let parent = element.parentElement; parent !== card; parent = parent.parentElement) if (scrolls(parent)) return false
        return element.getBoundingClientRect().right > card.getBoundingClientRect().right + 1
      })
      .map((element) => element.textContent.trim().slice(0, 40) || element.outerHTML.slice(0, 80))";

/// The violations of all views so far.
#[derive(Default)]
struct Found(Vec<String>);

impl Found {
    fn check(&mut self, window: &Window, view: &str) {
        self.0.extend(window.violations().into_iter().map(|line| format!("{view}: {line}")));
        // Hidden content must not make the page longer than the window: the page could then scroll out of view.
        if window.script("return document.documentElement.scrollHeight > innerHeight", &[]) == true {
            self.0.push(format!("{view}: the page itself scrolls"));
        }
    }

    /// Checks a view in both themes, and that nothing stands over the edge of its card in narrow and wide windows.
    fn check_themes(&mut self, window: &Window, view: &str) {
        for width in WIDTHS {
            window.resize(width, 700);
            window.wait_until_still();
            let over = window.script(OVER_THE_EDGE, &[]);
            let over = over.as_array().into_iter().flatten().filter_map(Value::as_str);
            self.0.extend(over.map(|text| format!("{view}, {width} pixels wide: over the edge of its card: {text}")));
        }
        window.resize(1000, 700);
        for theme in ["light", "dark"] {
            set_theme(window, theme);
            self.check(window, &format!("{view}, {theme}"));
        }
    }

    fn end(self) {
        assert!(self.0.is_empty(), "{} violations:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// Sets the theme and waits until the page has it.
pub(crate) fn set_theme(window: &Window, theme: &str) {
    window.app.call("change_settings", json!({"changes": {"appearance": {"theme": theme}}}));
    let is_set = || window.script("return document.documentElement.dataset.theme", &[]) == theme;
    assert!(wait_until(Duration::from_secs(20), is_set), "the page is not {theme}");
}

fn go(window: &Window, panel: &str) {
    window.script("location.hash = arguments[0]", &[json!(format!("#{}", panel.to_lowercase()))]);
    window.find("heading", panel);
}

#[test]
fn first_run() {
    with_desktop("axe::first_run", || {
        let providers = Providers::answering(ANSWER);
        let window = Window::open(Aura::new().with_all(providers.groq_address()));
        let mut found = Found::default();
        window.find("button", "Paste an API key");
        found.check_themes(&window, "first run");
        window.click("button", "Paste an API key");
        window.write("textbox", "Your API key", "not-the-key");
        found.check_themes(&window, "first run, key");
        window.click("button", "Back");
        window.click("button", "Choose models");
        window.wait_for_text("AURA on this computer");
        found.check_themes(&window, "first run, models");
        window.click("button", "Continue without a download");
        window.find("button", "Skip the sound check");
        found.check_themes(&window, "first run, sound check");
        window.click("button", "Skip the sound check");
        window.wait_for_text("For example");
        found.check_themes(&window, "talk, empty");
        for panel in ["Providers", "Health", "History"] {
            go(&window, panel);
            found.check(&window, &format!("{panel}, empty"));
        }
        found.end();
    });
}

#[test]
fn every_panel() {
    with_desktop("axe::every_panel", || {
        let providers = Providers::answering(ANSWER);
        let aura = Aura::new().with_all(providers.groq()).with_all(providers.gemini());
        let window = Window::open(aura.settings("[speaking]\nmuted = true\n"));
        let mut found = Found::default();
        let ask = |number: usize| {
            window.write("textbox", "Your question", &format!("How do I find a free port?{ENTER}"));
            window.app.turn(number)
        };
        ask(1);
        // Another provider answers; then none does.
        providers.fault(Fault::status(503).provider(Provider::Groq).service(Service::Llm));
        ask(2);
        ask(3);
        window
            .app
            .call("change_settings", json!({"changes": {"fallback": false, "routes": {"llm": {"provider": "groq"}}}}));
        ask(4);
        window
            .app
            .call("change_settings", json!({"changes": {"fallback": true, "routes": {"llm": {"provider": null}}}}));
        window.find("button", "Copy details");
        window.script("document.querySelectorAll('.provenance .line').forEach((line) => line.click())", &[]);
        window.click("button", "Retry with…");
        window.find("combobox", "Provider for Answers");
        found.check_themes(&window, "talk");

        go(&window, "Providers");
        window.click("button", "Change provider for Answers");
        window.click("button", "Edit order for Voice");
        found.check_themes(&window, "providers");
        window.click("tab", "Accounts");
        window.click("button", "Another server");
        found.check_themes(&window, "accounts");
        window.click("tab", "On this computer");
        window.wait_for_text("Stored in");
        found.check_themes(&window, "models on this computer");
        window.click("tab", "Models");
        let listed = || window.script("return document.querySelectorAll('table tr').length > 10", &[]) == true;
        assert!(wait_until(Duration::from_secs(20), listed), "the models are not listed");
        found.check_themes(&window, "models");

        go(&window, "Health");
        window.wait_for_text("was overloaded");
        found.check_themes(&window, "health");

        go(&window, "History");
        window.wait_for_text("How do I find a free port?");
        window.script("document.querySelectorAll('li .head').forEach((entry) => entry.click())", &[]);
        found.check_themes(&window, "history");

        // The lists that are there only when something was chosen.
        let gone =
            "pulseaudio:alsa_input.usb-A_microphone_with_a_very_long_name_that_is_not_connected-00.mono-fallback";
        let listening = json!({"microphone": gone, "spare_microphones": [gone, "pulseaudio:microphone"]});
        let voices = json!({"de": {"provider": "groq", "voice": "a-voice-that-nobody-lists"}});
        let changes = json!({"listening": listening, "speaking": {"voices": voices}});
        window.app.call("change_settings", json!({"changes": changes}));
        go(&window, "Settings");
        let checked = || window.text().contains("Check again") && !window.text().contains("Looking for devices");
        assert!(wait_until(Duration::from_secs(30), checked), "the settings are not complete");
        found.check_themes(&window, "settings");
        window.script("document.documentElement.dataset.contrast = 'more'", &[]);
        found.check_themes(&window, "settings, high contrast");
        found.end();
    });
}

#[test]
fn overlay() {
    with_desktop("axe::overlay", || {
        let window = Window::open(Aura::new());
        let picture = window.app.aura().folder().join("letter.png");
        make_picture(&picture, &["-size", "600x300", "xc:white"]);
        // The overlay is hidden while AURA's own window has the focus.
        let _letter = open_window("Letter", &picture);
        with_window("^Letter$", &["windowactivate", "--sync"]);
        window.app.call("press", json!({}));
        window.app.wait_for_recording();
        window.switch_to(OVERLAY);
        window.wait_for_text("Listening");
        let mut found = Found::default();
        found.check(&window, "overlay");
        found.end();
        window.app.call("cancel", json!({}));
        window.switch_to(MAIN);
        assert_eq!(window.script("return document.title", &[]), Value::from("AURA"));
    });
}
