//! A window of another program, read and used by voice alone.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aura_sandbox::{Rule, RuleCondition, Script, ScriptedReply, Service, ToolCall};
use aura_tests::aura::{App, Aura};
use aura_tests::desktop::{bus_address, with_desktop_and_accessibility};
use aura_tests::display::xdotool;
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::sound::play_into_microphone;
use serde_json::{Value, json};

use crate::push_to_talk::{SHORTCUT, ask_aloud, hold_shortcut, question};

/// What the recogniser hears, in order; what the model calls then, one after the other; and what it says at the end.
fn script(providers: &Providers, heard: &[&str], calls: &[(&str, Value)], answer: &str) {
    let heard = heard.iter().map(|text| Rule {
        when: RuleCondition { service: Some(Service::Stt), ..RuleCondition::default() },
        reply: ScriptedReply { text: (*text).into(), ..ScriptedReply::default() },
        times: Some(1),
    });
    let calls = calls
        .iter()
        .map(|(name, arguments)| Rule::calling(vec![ToolCall { name: (*name).into(), arguments: arguments.clone() }]));
    providers.script(Script { rules: heard.chain(calls).chain([Rule::reply(answer)]).collect() });
}

/// Asks aloud, and says yes to each question. Returns the questions and the turn.
fn ask(app: &App, answers: usize) -> (Vec<String>, Value) {
    let turns = app.history().len();
    let file = question(app, "what does this window offer");
    hold_shortcut(app);
    app.wait_for_recording();
    play_into_microphone(&file).wait();
    xdotool(&["keyup", SHORTCUT]);
    let mut asked: Vec<Value> = Vec::new();
    for _ in 0..answers {
        let mut consent = Value::Null;
        let is_new = || {
            consent = app.call("snapshot", json!({}))["consent"].clone();
            consent.is_object() && asked.last().is_none_or(|last| last["id"] != consent["id"])
        };
        assert!(wait_until(Duration::from_secs(60), is_new), "nothing is asked after {asked:#?}: {:#?}", app.history());
        asked.push(consent);
        hold_shortcut(app);
        play_into_microphone(&file).wait();
        xdotool(&["keyup", SHORTCUT]);
    }
    let sentences = asked.iter().map(|consent| consent["sentence"].as_str().unwrap_or_default().to_owned()).collect();
    (sentences, app.turn(turns + 1))
}

fn open_dialog() -> Child {
    let mut zenity = Command::new("zenity");
    zenity.args(["--entry", "--title=Sign in", "--text=Your name"]).env("DBUS_SESSION_BUS_ADDRESS", bus_address());
    let dialog = zenity.stdout(Stdio::piped()).spawn().expect("apt install zenity");
    let is_open = || {
        let found = Command::new("xdotool").args(["search", "--onlyvisible", "--name", "^Sign in$"]).output();
        found.is_ok_and(|found| found.status.success())
    };
    assert!(wait_until(Duration::from_secs(20), is_open), "the dialog did not appear");
    dialog
}

#[test]
fn a_window_is_read_and_its_controls_are_used_by_voice_alone() {
    with_desktop_and_accessibility("by_name::a_window_is_read_and_its_controls_are_used_by_voice_alone", || {
        let providers = Providers::answering("Hello.");
        let settings = "[listening]\nlanguage = \"en\"\n";
        let app = Aura::new().with_store().with_all(providers.groq()).settings(settings).start();
        let dialog = open_dialog();

        script(
            &providers,
            &["What does this window offer?", "Yes."],
            &[("read_window", json!({}))],
            "A field for your name, and two buttons.",
        );
        let (asked, turn) = ask(&app, 1);
        assert_eq!(asked, ["May I read what is in the window “Sign in”? Yes or no?"], "{turn:#}");
        assert_eq!((&turn["error"], &turn["tools"][0]["outcome"]), (&Value::Null, &json!("done")), "{turn:#}");
        let told = providers.requests(Service::Llm).into_iter().rev().find_map(|request| {
            let messages = request.json.as_ref()?["messages"].to_string();
            messages.contains("button “OK”").then_some(messages)
        });
        let told = told.expect("the model was told of the buttons");
        assert!(told.contains("“Your name”") && told.contains("button “Cancel”"), "{told}");

        script(
            &providers,
            &["Sign me in as Maria.", "Yes.", "Yes, please.", "Yes."],
            &[
                ("use_control", json!({"name": "Your name"})),
                ("type_text", json!({"text": "Maria"})),
                ("use_control", json!({"name": "OK"})),
            ],
            "You are signed in.",
        );
        let (asked, turn) = ask(&app, 3);
        let expected = [
            "Shall I put the cursor into “Your name” in the window “Sign in”? Yes or no?",
            "Shall I type “Maria” into the window “Sign in”? Yes or no?",
            "Shall I press “OK” in the window “Sign in”? Yes or no?",
        ];
        assert_eq!(asked, expected, "{turn:#}");
        assert_eq!(turn["error"], Value::Null, "{turn:#}");
        for tool in turn["tools"].as_array().unwrap() {
            assert_eq!((&tool["outcome"], &tool["consent"]["by"]), (&json!("done"), &json!("voice")), "{turn:#}");
        }
        let said = dialog.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "Maria");

        // Nothing is left to press; that is said, and not asked.
        script(&providers, &["Press OK."], &[("use_control", json!({"name": "OK"}))], "The window is closed.");
        let heard = ask_aloud(&app, "press the button");
        assert_eq!(heard.record["tools"][0]["outcome"], "failed", "{:#}", heard.record);
    });
}
