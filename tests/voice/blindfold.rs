//! The blindfold test: one shortcut and two ears. Nothing is seen, and no other key is pressed.

use std::time::Duration;

use aura_sandbox::{Fault, FixedAnswers, Rule, SandboxConfig, Script, Service, ToolCall};
use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop;
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::speech::assert_says_among;
use serde_json::{Value, json};

use crate::push_to_talk::{ask_aloud, routes};

const FIRST: &str = "There are many people looking for money.";
const SECOND: &str = "I think you are looking at many people.";

/// Providers that hear what is set by [`hearing`]: what is tested is what AURA says, and a recogniser takes long on a busy computer.
fn providers() -> Providers {
    Providers::of(SandboxConfig { script: Script::always(FIRST), ..SandboxConfig::default() })
}

fn hearing(providers: &Providers, words: &str) {
    providers.fixed(FixedAnswers { transcript: Some(words.to_owned()), ..FixedAnswers::default() });
}

/// The provider that answered.
fn answered_by(record: &Value) -> String {
    let thinking = routes(record).into_iter().find(|(stage, _)| stage == "thinking");
    thinking.map(|(_, provider)| provider).unwrap_or_default()
}

#[test]
fn everything_works_with_one_shortcut_and_two_ears() {
    with_desktop("blindfold::everything_works_with_one_shortcut_and_two_ears", || {
        let providers = providers();
        // Without fallback, so that a provider that fails is heard to fail.
        let settings = "fallback = false\n[listening]\nlanguage = \"en\"\n";
        let app = Aura::new().with_all(providers.groq()).with_all(providers.gemini()).settings(settings).start();

        // From the first start to an answered question.
        hearing(&providers, "What are people looking for?");
        let heard = ask_aloud(&app, "what are people looking for");
        assert_eq!(answered_by(&heard.record), "groq", "{:#}", heard.record);
        heard.assert_spoken(&[FIRST]);

        // Another provider.
        hearing(&providers, "Switch to Gemini.");
        let heard = ask_aloud(&app, "switch to gemini");
        assert_eq!(heard.record["answer"], "Google Gemini answers from now on.", "{:#}", heard.record);
        assert_says_among(&heard.recording, "from now on", "Google Gemini answers from now on.");
        providers.answer(SECOND);
        hearing(&providers, "And what do you think?");
        let heard = ask_aloud(&app, "and what do you think");
        assert_eq!(answered_by(&heard.record), "gemini", "{:#}", heard.record);
        heard.assert_spoken(&[SECOND]);

        // The sentence again.
        hearing(&providers, "Say that again.");
        let heard = ask_aloud(&app, "say that again");
        heard.assert_spoken(&[SECOND]);

        // The screen, because the model asks to see it.
        let look = ToolCall { name: "look_at_screen".into(), arguments: json!({}) };
        providers.script(Script { rules: vec![Rule::calling(vec![look]), Rule::reply(FIRST)] });
        hearing(&providers, "What does this say?");
        let heard = ask_aloud(&app, "what does this say");
        assert!(heard.record["seen"].is_object(), "{:#}", heard.record);
        heard.assert_spoken(&[FIRST]);

        // A failure is heard, and the next question is answered.
        providers.fault(Fault::status(500).service(Service::Llm));
        hearing(&providers, "Are you there?");
        let heard = ask_aloud(&app, "are you there");
        assert_eq!(heard.record["error"]["code"], "all_routes_failed", "{:#}", heard.record);
        assert_says_among(&heard.recording, "your question is saved", "No provider answered. Your question is saved.");
        providers.clear_faults();
        providers.answer(SECOND);
        // The circuits are open for a few seconds after the failures.
        let is_healthy = || {
            let health = app.call("health", json!({}));
            let all = health["providers"].as_array().cloned().unwrap_or_default();
            all.iter().any(|provider| provider["name"] == "gemini" && provider["status"] != "unhealthy")
        };
        assert!(wait_until(Duration::from_secs(60), is_healthy), "{:#}", app.call("health", json!({})));
        let heard = ask_aloud(&app, "are you there");
        heard.assert_spoken(&[SECOND]);
    });
}
