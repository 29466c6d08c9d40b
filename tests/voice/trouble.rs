//! Bad input, one kind at a time: AURA says what is wrong, in the running app and on the command line, and goes on.

use std::process::Command;
use std::time::Duration;

use aura_sandbox::{Fault, Service};
use aura_tests::aura::{App, Aura, Ended};
use aura_tests::display::xdotool;
use aura_tests::machine::with_machine;
use aura_tests::process::{run, wait_until};
use aura_tests::providers::Providers;
use aura_tests::sound::{self, pactl, play_into_microphone};
use serde_json::{Value, json};

use crate::talk::{SHORTCUT, ask_aloud, assert_all_by, question};

const QUESTION: &str = "i think it is going to be a good year";
const ANSWER: &str = "There are many people looking for money.";

/// Nothing listens there: the port is reserved for discarding.
const NOBODY: &str = "http://127.0.0.1:9/v1";

/// What the next turn must be like: good, as if nothing had happened.
fn assert_goes_on(app: &App) {
    let heard = ask_aloud(app, QUESTION);
    assert_all_by(&heard.record, "groq");
    assert_eq!(heard.record["answer"], ANSWER);
}

/// An error of the command line: exit code 1, its code for programs and a sentence for the person.
fn assert_failed(ended: &Ended, code: &str, says: &str) {
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains(&format!("error[{code}]: ")), "{ended:?}");
    assert!(ended.err.to_lowercase().contains(says), "{ended:?}");
}

fn assert_error(record: &Value, code: &str) {
    assert_eq!(record["error"]["code"], code, "{record:#}");
    assert!(record["error"]["message"].as_str().is_some_and(|message| message.len() > 20), "{record:#}");
}

fn has_notice(record: &Value, kind: &str) -> bool {
    record["notices"].as_array().is_some_and(|notices| notices.iter().any(|notice| notice["kind"] == kind))
}

/// Holds the shortcut meanwhile, which is told the turn's number, and waits for the turn's end.
fn hold_until(app: &App, meanwhile: impl FnOnce(usize)) -> Value {
    // The command line writes into the same history.
    let number = app.history().len() + 1;
    xdotool(&["keydown", SHORTCUT]);
    meanwhile(number);
    xdotool(&["keyup", SHORTCUT]);
    app.turn(number)
}

#[test]
fn no_microphone() {
    with_machine("trouble::no_microphone", || {
        let providers = Providers::answering(ANSWER);
        let app = Aura::new().with_all(providers.groq()).start();
        let module = pactl(&["list", "short", "modules"]);
        let module = module
            .lines()
            .find(|line| line.contains("module-remap-source"))
            .and_then(|line| line.split_whitespace().next());
        pactl(&["unload-module", module.expect("the microphone is a remapped source")]);

        let ended = app.aura().run(&["listen", "--seconds", "1", "--json"]);
        assert_failed(&ended, "no_microphone", "microphone");
        let record = hold_until(&app, |number| drop(app.turn(number)));
        assert_error(&record, "no_microphone");

        pactl(&["load-module", "module-remap-source", "source_name=microphone", "master=cable.monitor"]);
        pactl(&["set-default-source", "microphone"]);
        assert_goes_on(&app);
    });
}

#[test]
fn microphone_taken_away() {
    with_machine("trouble::microphone_taken_away", || {
        let providers = Providers::answering(ANSWER);
        let mut app = Aura::new().with_all(providers.groq()).start();
        let question = question(&app, QUESTION);
        let record = hold_until(&app, |number| {
            app.wait_for_recording();
            sound::crash();
            // The turn ends by itself, while the key is still down.
            app.turn(number);
        });
        assert_error(&record, "microphone_lost");
        assert!(app.is_alive());

        let server = sound::restart();
        // Once more, after enough was said: what was heard is answered, and the person is told.
        let record = hold_until(&app, |number| {
            app.wait_for_recording();
            play_into_microphone(&question).wait();
            run(Command::new("kill").args(["-9", &server.id().to_string()]), "procps");
            app.turn(number);
        });
        assert!(has_notice(&record, "microphone_lost"), "{record:#}");
        assert_eq!(record["answer"], ANSWER);

        drop(server);
        let _server = sound::restart();
        assert_goes_on(&app);
    });
}

#[test]
fn microphone_unplugged_while_others_stay() {
    with_machine("trouble::microphone_unplugged_while_others_stay", || {
        let providers = Providers::answering(ANSWER);
        let mut app = Aura::new().with_all(providers.groq()).start();
        let question = question(&app, QUESTION);
        let record = hold_until(&app, |number| {
            app.wait_for_recording();
            play_into_microphone(&question).wait();
            // The server moves the recording to another source; that is not what the person speaks into.
            run(Command::new("pactl").args(["unload-module", "module-remap-source"]), "pulseaudio-utils");
            app.turn(number);
        });
        assert!(has_notice(&record, "microphone_lost"), "{record:#}");
        assert_eq!(record["answer"], ANSWER);
        assert!(app.is_alive());
    });
}

#[test]
fn microphone_taken_away_from_the_command_line() {
    with_machine("trouble::microphone_taken_away_from_the_command_line", || {
        let aura = Aura::new();
        let recordings = aura.data().join("recordings");
        let crash = std::thread::spawn(move || {
            let begun = || {
                std::fs::read_dir(&recordings)
                    .is_ok_and(|files| files.flatten().any(|file| file.metadata().is_ok_and(|file| file.len() > 44)))
            };
            let recorded = wait_until(Duration::from_secs(60), begun);
            sound::crash();
            recorded
        });
        let ended = aura.run(&["listen", "--seconds", "60", "--json"]);
        assert!(crash.join().expect("the thread does not panic"), "nothing was recorded");
        assert_failed(&ended, "microphone_lost", "microphone");
    });
}

#[test]
fn silence() {
    with_machine("trouble::silence", || {
        let providers = Providers::answering(ANSWER);
        let app = Aura::new().with_all(providers.groq()).start();
        let ended = app.aura().run(&["listen", "--seconds", "1", "--json"]);
        assert_failed(&ended, "nothing_heard", "heard nothing");
        let record = hold_until(&app, |_| {
            app.wait_for_recording();
            // A hold, not a tap.
            std::thread::sleep(Duration::from_millis(600));
        });
        assert_error(&record, "nothing_heard");
        assert!(providers.requests(Service::Stt).is_empty(), "silence was sent to a provider");
        assert_goes_on(&app);
    });
}

#[test]
fn no_speaker() {
    with_machine("trouble::no_speaker", || {
        let providers = Providers::answering(ANSWER);
        let app = Aura::new().with_all(providers.groq()).start();
        let spoken = app.aura().folder().join("spoken.wav");
        aura_tests::speech::say(&spoken, QUESTION);
        // No output is left, only a microphone that is no speaker's monitor.
        pactl(&["load-module", "module-null-source", "source_name=silence"]);
        for module in ["module-remap-source", "module-null-sink"] {
            pactl(&["unload-module", module]);
        }

        let ended = app.aura().run(&["listen", "--audio", &spoken.to_string_lossy(), "--json"]);
        assert_eq!(ended.code, 0, "the answer is there to read: {ended:?}");
        let record = ended.json();
        assert!(has_notice(&record, "no_speaker"), "{record:#}");
        assert_eq!(record["answer"], ANSWER);
        let ended = app.aura().run(&["ask", "--speak", "How are you?"]);
        assert_eq!((ended.code, ended.out.trim()), (0, ANSWER), "{ended:?}");
        assert!(ended.err.contains("note: ") && ended.err.to_lowercase().contains("speaker"), "{ended:?}");

        let record = app.call("ask", json!({"text": "How are you?"}));
        assert!(has_notice(&record, "no_speaker"), "{record:#}");
        assert_eq!(record["answer"], ANSWER);
        assert_eq!(record["spoken"], "", "nothing was heard");

        pactl(&["load-module", "module-null-sink", "sink_name=speaker", "rate=48000", "channels=2"]);
        pactl(&["load-module", "module-null-sink", "sink_name=cable", "rate=48000", "channels=2"]);
        pactl(&["load-module", "module-remap-source", "source_name=microphone", "master=cable.monitor"]);
        pactl(&["set-default-sink", "speaker"]);
        pactl(&["set-default-source", "microphone"]);
        assert_goes_on(&app);
    });
}

#[test]
fn capture_refused() {
    with_machine("trouble::capture_refused", || {
        let providers = Providers::answering(ANSWER);
        let settings = "[screen]\nshare = \"always\"\ntarget = { kind = \"window\", title = \"no such window\" }\n";
        let app = Aura::new().with_all(providers.groq()).settings(settings).start();
        let heard = ask_aloud(&app, QUESTION);
        assert!(has_notice(&heard.record, "no_screen"), "{:#}", heard.record);
        assert_eq!(heard.record["answer"], ANSWER, "the question is answered without the screen");
        app.call("change_settings", json!({"changes": {"screen": {"share": "never"}}}));
        assert_goes_on(&app);
        drop(app);

        // A display that nobody has.
        let aura = Aura::new().with_all(providers.groq()).with("DISPLAY", ":4242");
        let ended = aura.run(&["ask", "--screen", "What is on my screen?", "--json"]);
        let record = ended.json();
        assert!(has_notice(&record, "no_screen"), "{record:#}");
        assert_eq!(ended.code, 0, "{ended:?}");
        let findings = aura.run(&["doctor", "--json"]).json();
        let screen = findings.as_array().into_iter().flatten().find(|finding| finding["area"] == "screen").cloned();
        assert_eq!(screen.expect("the doctor looks at the screen")["ok"], false, "{findings:#}");
    });
}

#[test]
fn a_provider_that_is_not_there() {
    with_machine("trouble::a_provider_that_is_not_there", || {
        // With fallback, the question is answered by who is there, and the person is told.
        let aura = Aura::new().with("GROQ_API_KEY", "some-key").with("GROQ_BASE_URL", NOBODY);
        let spoken = aura.folder().join("spoken.wav");
        aura_tests::speech::say(&spoken, QUESTION);
        let ended = aura.run(&["listen", "--audio", &spoken.to_string_lossy(), "--quiet", "--json"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let record = ended.json();
        assert!(has_notice(&record, "fallback"), "{record:#}");

        // Without, it fails and says who was tried.
        let aura = aura.with("ENABLE_PROVIDER_FALLBACK", "false");
        let ended = aura.run(&["ask", "How are you?", "--json"]);
        assert_failed(&ended, "all_routes_failed", "groq");
        let attempt = &ended.json()["error"]["detail"];
        assert!(attempt.to_string().contains("unreachable"), "{attempt:#}");

        // In the running app the provider goes away and comes back.
        let providers = Providers::answering(ANSWER);
        let app = Aura::new().with_all(providers.groq()).with("ENABLE_PROVIDER_FALLBACK", "false").start();
        let reset: Fault =
            serde_json::from_value(json!({"service": "llm", "kind": "reset", "count": 8})).expect("a fault");
        providers.fault(reset);
        let record = app.call("ask", json!({"text": "How are you?", "speech": "none"}));
        assert_error(&record, "all_routes_failed");
        providers.mend();
        // The provider is left alone for five seconds after a failure.
        let again = || app.call("ask", json!({"text": "How are you?", "speech": "none"}))["error"].is_null();
        assert!(wait_until(Duration::from_secs(60), again), "{:#}", app.history()[0]);
        assert_goes_on(&app);
    });
}
