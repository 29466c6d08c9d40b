//! Acting in other programs: the question in the real window, its answer by key and on the command line, and the undo.

use std::time::Duration;

use aura_sandbox::{Rule, SandboxConfig, Script, ToolCall};
use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop;
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::window::Window;
use serde_json::{Value, json};

const ENTER: &str = "\u{e007}";

/// Models that put these texts on the clipboard, one with each question.
fn copying(texts: &[&str]) -> Providers {
    let rules = texts.iter().flat_map(|text| {
        let call = ToolCall { name: "set_clipboard".into(), arguments: json!({"text": text}) };
        [Rule::calling(vec![call]), Rule { times: Some(1), ..Rule::reply(format!("That was {text}.")) }]
    });
    Providers::of(SandboxConfig { script: Script { rules: rules.collect() }, ..SandboxConfig::default() })
}

fn outcome(turn: &Value) -> (&Value, &Value) {
    (&turn["tools"][0]["outcome"], &turn["tools"][0]["consent"]["by"])
}

#[test]
fn an_action_is_asked_for_done_and_undone() {
    with_desktop("acting::an_action_is_asked_for_done_and_undone", || {
        let providers = copying(&["one", "two", "three"]);
        let window = Window::open(Aura::new().with_all(providers.groq()));

        // By Enter, once the question has been there for a moment.
        window.write("textbox", "Your question", &format!("Copy the first.{ENTER}"));
        window.wait_for_text("Put this text on the clipboard?");
        window.wait_for_text("one");
        std::thread::sleep(Duration::from_secs(1));
        window.key("keyDown", ENTER);
        window.key("keyUp", ENTER);
        window.wait_for_text("That was one.");
        assert_eq!(outcome(&window.app.turn(1)), (&json!("done"), &json!("window")));

        // On the command line.
        window.write("textbox", "Your question", &format!("Copy the second.{ENTER}"));
        window.wait_for_text("Put this text on the clipboard?");
        let shown = window.app.aura().run(&["consent", "yes"]);
        assert!(shown.out.contains("Shall I put “two” on the clipboard?"), "{}", shown.out);
        window.wait_for_text("That was two.");
        assert_eq!(outcome(&window.app.turn(2)), (&json!("done"), &json!("command_line")));
        assert!(!window.shows("button", "Not now"), "the question is gone");

        // By a click, which declines.
        window.write("textbox", "Your question", &format!("Copy the third.{ENTER}"));
        window.click("button", "Not now");
        window.wait_for_text("That was three.");
        assert_eq!(outcome(&window.app.turn(3)), (&json!("declined"), &json!("window")));

        let undo = json!({"turn": window.app.turn(2)["id"], "index": 0});
        window.app.call("undo", undo);
        assert!(wait_until(Duration::from_secs(10), || window.app.turn(2)["tools"][0]["undone"] == true));
    });
}
