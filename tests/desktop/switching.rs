//! A switch by the local API shows in the window at once, and the reverse. The next question uses it.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop;
use aura_tests::process::{run, wait_until};
use aura_tests::providers::Providers;
use aura_tests::window::Window;
use serde_json::{Value, json};

const ANSWER: &str = "There are many people looking for money.";
const ENTER: &str = "\u{e007}";

/// A request to the local API of the app, as the same user.
fn http(port: u16, arguments: &[&str], path: &str) -> Value {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--fail-with-body"]).args(arguments).arg(format!("http://127.0.0.1:{port}{path}"));
    serde_json::from_str(&run(&mut curl, "curl")).expect("the local API answers with JSON")
}

fn answered_by(window: &Window, turn: usize) -> String {
    let record = window.app.turn(turn);
    let stages = record["stages"].as_array().cloned().unwrap_or_default();
    let thinking = stages.iter().find(|stage| stage["stage"] == "thinking").expect("there is a thinking stage");
    thinking["route"]["provider"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn by_the_local_api_and_in_the_window() {
    with_desktop("switching::by_the_local_api_and_in_the_window", || {
        let providers = Providers::answering(ANSWER);
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap().port();
        let aura = Aura::new().with_all(providers.groq()).with_all(providers.gemini());
        let window = Window::open(aura.settings(&format!("[local_api]\nopen = true\nport = {port}\n")));
        window.wait_for_text("Answering with Groq");
        window.write("textbox", "Your question", &format!("How many are there?{ENTER}"));
        assert_eq!(answered_by(&window, 1), "groq");

        // By the local API: the window shows it, and the next question of the conversation uses it.
        let open = || {
            Command::new("curl")
                .args(["-sSf", "-o", "/dev/null"])
                .arg(format!("http://127.0.0.1:{port}/health"))
                .status()
        };
        assert!(wait_until(Duration::from_secs(20), || open().is_ok_and(|status| status.success())), "no local API");
        let body = json!({ "service_type": "llm", "provider": "gemini" }).to_string();
        let switched = http(port, &["-H", "Content-Type: application/json", "-d", &body], "/providers/switch");
        assert_eq!(switched["success"], true, "{switched:#}");
        window.wait_for_text("Answering with Google Gemini");
        window.write("textbox", "Your question", &format!("And here?{ENTER}"));
        assert_eq!(answered_by(&window, 2), "gemini");

        // In the window: the local API reports it.
        window.click("link", "Providers");
        window.click("button", "Change provider for Answers");
        window.find("combobox", "Provider");
        window.script(
            "const list = document.querySelector('.editor select'); list.value = 'groq'; list.dispatchEvent(new Event('change', { bubbles: true }))",
            &[],
        );
        window.wait_for_text("Answering with Groq");
        let config = || http(port, &[], "/providers/config/llm");
        assert!(wait_until(Duration::from_secs(10), || config()["default_provider"] == "groq"), "{:#}", config());
    });
}
