//! The models of this computer in the window: downloaded, paused, resumed after a break, used and removed, by pointer and by keyboard.

use std::process::{Command, Stdio};
use std::time::Duration;

use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop;
use aura_tests::models::{ModelServer, SIZE};
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::window::Window;
use serde_json::{Value, json};

use crate::axe::set_theme;

/// Starts a download and kills it in the middle, as a power cut would.
fn cut_download(server: &ModelServer, aura: &Aura) {
    server.hold(true);
    let mut command: Command = aura.command(&["models", "get", "one"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("aura starts");
    let part = aura.data().join("models/one.partial/model.gguf.part");
    let begun = wait_until(Duration::from_secs(60), || part.metadata().is_ok_and(|part| part.len() > 0));
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    server.hold(false);
    assert!(begun, "the download did not begin");
}

/// What AURA says about a model.
fn model(window: &Window, id: &str) -> Value {
    let view = window.app.call("local_models", json!({}));
    let models = view["models"].as_array().and_then(|models| models.iter().find(|model| model["id"] == id));
    models.unwrap_or_else(|| panic!("no {id} in {view:#}")).clone()
}

fn is_in_state(window: &Window, id: &str, state: &str) {
    let reached = wait_until(Duration::from_secs(40), || model(window, id)["state"]["state"] == state);
    assert!(reached, "{:#}", model(window, id));
}

fn open_models(window: &Window) {
    window.script("location.hash = '#providers/local'", &[]);
    window.wait_for_text("Model one");
}

fn assert_accessible(window: &Window, view: &str) {
    for theme in ["light", "dark"] {
        set_theme(window, theme);
        let violations = window.violations();
        assert!(violations.is_empty(), "{view}, {theme}:\n{}", violations.join("\n"));
    }
}

#[test]
fn a_model_is_resumed_after_a_break_used_and_removed() {
    with_desktop("local_models::a_model_is_resumed_after_a_break_used_and_removed", || {
        let providers = Providers::answering("Yes.");
        let server = ModelServer::start();
        let aura = server.with(Aura::new().with_all(providers.groq()));
        cut_download(&server, &aura);
        let window = Window::open(aura);
        open_models(&window);
        window.find("button", "Resume: Model one");
        assert_accessible(&window, "a download that was cut");
        window.click("button", "Resume: Model one");
        is_in_state(&window, "one", "installed");
        let file = window.app.aura().data().join("models/one/model.gguf");
        assert_eq!(std::fs::metadata(&file).expect("the model is there").len(), SIZE as u64);

        window.click("button", "Use Model one for");
        window.wait_for_text("Model one from your next question.");
        assert_eq!(model(&window, "one")["used_for"], json!(["llm"]));
        assert_accessible(&window, "an installed model");

        window.click("button", "Remove: Model one");
        window.wait_for_text("Remove Model one?");
        assert_accessible(&window, "a removal that is asked about");
        // The last button of this name is the one that confirms.
        window.click("button", "Remove");
        window.wait_for_text("Model one removed.");
        is_in_state(&window, "one", "available");
        assert!(!file.exists());
        window.find("button", "Get · 2 MB: Model one");
    });
}

#[test]
fn by_keyboard_a_download_is_paused_resumed_and_cancelled() {
    with_desktop("local_models::by_keyboard_a_download_is_paused_resumed_and_cancelled", || {
        let providers = Providers::answering("Yes.");
        let server = ModelServer::start();
        server.hold(true);
        let window = Window::open(server.with(Aura::new().with_all(providers.groq())));
        open_models(&window);
        window.press_by_key("button", "Get · 2 MB: Model one");
        // The download stays in sight in every panel.
        window.script("location.hash = '#talk'", &[]);
        window.wait_for_text("Downloading Model one");
        open_models(&window);
        assert_accessible(&window, "a download");
        window.screenshot("local-models-download");
        window.press_by_key("button", "Pause: Model one");
        is_in_state(&window, "one", "paused");
        // The focus is where the work goes on.
        window.wait_for_focus("button", "Resume: Model one");
        window.press_by_key("button", "Resume: Model one");
        is_in_state(&window, "one", "downloading");
        window.press_by_key("button", "Cancel: Model one");
        is_in_state(&window, "one", "available");
        window.wait_for_text("Download of Model one cancelled.");
        assert!(!window.app.aura().data().join("models/one.partial").exists());
        server.hold(false);
        window.press_by_key("button", "Get · 2 MB: Model one");
        is_in_state(&window, "one", "installed");
    });
}
