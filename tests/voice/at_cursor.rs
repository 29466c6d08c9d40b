//! Text at the cursor: spoken into the real app, typed into another program.

use std::time::Duration;

use aura_sandbox::{FixedAnswers, SandboxConfig, Script};
use aura_tests::aura::{App, Aura};
use aura_tests::desktop::with_desktop;
use aura_tests::display::xdotool;
use aura_tests::field::Field;
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::sound::play_into_microphone;
use serde_json::{Value, json};

use crate::push_to_talk::question;

/// Holds a shortcut and speaks; returns the turn.
fn speak(app: &App, keys: &str) -> Value {
    let turns = app.history().len();
    let file = question(app, "what day is it today");
    xdotool(&["keydown", keys]);
    assert!(wait_until(Duration::from_secs(20), || app.stage() == "listening"), "the stage is `{}`", app.stage());
    app.wait_for_recording();
    play_into_microphone(&file).wait();
    xdotool(&["keyup", keys]);
    app.turn(turns + 1)
}

#[test]
fn dictation_answers_and_changes_reach_the_field_in_front() {
    with_desktop("at_cursor::dictation_answers_and_changes_reach_the_field_in_front", || {
        let fixed = FixedAnswers { transcript: Some("Grüße aus Köln.".into()), ..FixedAnswers::default() };
        let script = Script::always("Dear Ms Jones,\nthank you.");
        let providers = Providers::of(SandboxConfig { fixed, script, ..SandboxConfig::default() });
        let settings = "[cursor_shortcuts]\ndictate = \"Ctrl+Shift+F7\"\nanswer_here = \"Ctrl+Shift+F8\"\n\
                        edit_selection = \"Ctrl+Shift+F9\"\n";
        let app = Aura::new().with_all(providers.groq()).settings(settings).start();
        assert_eq!(app.call("snapshot", json!({}))["shortcut_problem"], Value::Null);
        let field = Field::open(app.aura().folder());

        let dictated = speak(&app, "ctrl+shift+F7");
        assert_eq!((&dictated["error"], &dictated["purpose"]), (&Value::Null, &json!("dictate")), "{dictated:#}");
        field.assert_holds("Grüße aus Köln.");

        xdotool(&["key", "ctrl+a"]);
        let answered = speak(&app, "ctrl+shift+F8");
        assert_eq!((&answered["error"], &answered["spoken"]), (&Value::Null, &json!("")), "{answered:#}");
        field.assert_holds("Dear Ms Jones,\nthank you.");

        xdotool(&["key", "ctrl+a"]);
        providers.answer("Dear Ana, thank you.");
        let changed = speak(&app, "ctrl+shift+F9");
        assert_eq!(changed["error"], Value::Null, "{changed:#}");
        field.assert_holds("Dear Ana, thank you.");
        // The old text is one undo away.
        field.focus();
        xdotool(&["key", "ctrl+z"]);
        field.assert_holds("Dear Ms Jones,\nthank you.");
    });
}
