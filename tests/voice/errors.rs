//! Faults of devices, screen and providers: AURA reports each, in the app and on the command line, and answers the next question.

use std::process::Command;
use std::time::Duration;

use aura_sandbox::{Fault, FixedAnswers, SandboxConfig, Script, Service};
use aura_tests::aura::{App, Aura, Ended};
use aura_tests::desktop::with_desktop;
use aura_tests::display::xdotool;
use aura_tests::process::{run, wait_until};
use aura_tests::providers::Providers;
use aura_tests::sound::{self, pactl, play_into_microphone};
use serde_json::{Value, json};

use crate::push_to_talk::{SHORTCUT, ask_aloud, assert_all_by, question};

const QUESTION: &str = "i think it is going to be a good year";
const ANSWER: &str = "There are many people looking for money.";

/// An address without a server: port 9 is the discard service.
const UNREACHABLE: &str = "http://127.0.0.1:9/v1";

/// Providers that hear the question in any sound: what is tested is the fault, and a recogniser takes long on a busy computer.
fn providers() -> Providers {
    let fixed = FixedAnswers { transcript: Some(QUESTION.to_owned()), ..FixedAnswers::default() };
    Providers::of(SandboxConfig { script: Script::always(ANSWER), fixed, ..SandboxConfig::default() })
}

/// Checks that the next question is answered.
fn assert_recovers(app: &App) {
    let heard = ask_aloud(app, QUESTION);
    assert_all_by(&heard.record, "groq");
    assert_eq!(heard.record["answer"], ANSWER);
}

/// Checks an error of the command line: exit code 1, the error code, and a part of the message.
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

/// Calls `meanwhile` with the number of the turn while the shortcut is held, then waits for the end of the turn.
fn hold_until(app: &App, meanwhile: impl FnOnce(usize)) -> Value {
    // Turns of the command line are in the same history.
    let number = app.history().len() + 1;
    xdotool(&["keydown", SHORTCUT]);
    meanwhile(number);
    xdotool(&["keyup", SHORTCUT]);
    app.turn(number)
}

#[test]
fn no_microphone() {
    with_desktop("errors::no_microphone", || {
        let providers = providers();
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
        assert_recovers(&app);
    });
}

#[test]
fn microphone_lost() {
    with_desktop("errors::microphone_lost", || {
        let providers = providers();
        let mut app = Aura::new().with_all(providers.groq()).start();
        let question = question(&app, QUESTION);
        let record = hold_until(&app, |number| {
            app.wait_for_recording();
            sound::crash();
            // The turn ends by itself while the key is still pressed.
            app.turn(number);
        });
        assert_error(&record, "microphone_lost");
        assert!(app.is_alive());

        let server = sound::restart();
        // Again, after enough speech: the recorded part is answered, with a notice.
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
        assert_recovers(&app);
    });
}

#[test]
fn microphone_unplugged_while_others_stay() {
    with_desktop("errors::microphone_unplugged_while_others_stay", || {
        let providers = providers();
        let mut app = Aura::new().with_all(providers.groq()).start();
        let question = question(&app, QUESTION);
        let record = hold_until(&app, |number| {
            app.wait_for_recording();
            play_into_microphone(&question).wait();
            // The server moves the recording to another source, which is not the user's microphone.
            run(Command::new("pactl").args(["unload-module", "module-remap-source"]), "pulseaudio-utils");
            app.turn(number);
        });
        assert!(has_notice(&record, "microphone_lost"), "{record:#}");
        assert_eq!(record["answer"], ANSWER);
        assert!(app.is_alive());
    });
}

#[test]
fn microphone_lost_from_the_command_line() {
    with_desktop("errors::microphone_lost_from_the_command_line", || {
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
    with_desktop("errors::silence", || {
        let providers = providers();
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
        assert_recovers(&app);
    });
}

#[test]
fn no_speaker() {
    with_desktop("errors::no_speaker", || {
        let providers = providers();
        let app = Aura::new().with_all(providers.groq()).start();
        let spoken = app.aura().folder().join("spoken.wav");
        aura_tests::speech::say(&spoken, QUESTION);
        // No output remains, only an input that is not the monitor of one.
        pactl(&["load-module", "module-null-source", "source_name=silence"]);
        for module in ["module-remap-source", "module-null-sink"] {
            pactl(&["unload-module", module]);
        }

        let ended = app.aura().run(&["listen", "--audio", &spoken.to_string_lossy(), "--json"]);
        assert_eq!(ended.code, 0, "the text answer is still printed: {ended:?}");
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
        assert_recovers(&app);
    });
}

#[test]
fn capture_refused() {
    with_desktop("errors::capture_refused", || {
        let providers = providers();
        let settings = "[screen]\nshare = \"always\"\ntarget = { kind = \"window\", title = \"no such window\" }\n";
        let app = Aura::new().with_all(providers.groq()).settings(settings).start();
        let heard = ask_aloud(&app, QUESTION);
        assert!(has_notice(&heard.record, "no_screen"), "{:#}", heard.record);
        assert_eq!(heard.record["answer"], ANSWER, "the question is answered without the screen");
        app.call("change_settings", json!({"changes": {"screen": {"share": "never"}}}));
        assert_recovers(&app);
        drop(app);

        // A display that does not exist.
        let aura = Aura::new().with_all(providers.groq()).with("DISPLAY", ":4242");
        let ended = aura.run(&["ask", "--screen", "What is on my screen?", "--json"]);
        let record = ended.json();
        assert!(has_notice(&record, "no_screen"), "{record:#}");
        assert_eq!(ended.code, 0, "{ended:?}");
        let findings = aura.run(&["doctor", "--json"]).json();
        let screen = findings.as_array().into_iter().flatten().find(|finding| finding["area"] == "screen").cloned();
        assert_eq!(screen.expect("the doctor checks the screen")["ok"], false, "{findings:#}");
    });
}

#[test]
fn an_unreachable_provider() {
    with_desktop("errors::an_unreachable_provider", || {
        // With fallback, another provider answers, with a notice.
        let aura = Aura::new().with("GROQ_API_KEY", "some-key").with("GROQ_BASE_URL", UNREACHABLE);
        let spoken = aura.folder().join("spoken.wav");
        aura_tests::speech::say(&spoken, QUESTION);
        let ended = aura.run(&["listen", "--audio", &spoken.to_string_lossy(), "--quiet", "--json"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let record = ended.json();
        assert!(has_notice(&record, "fallback"), "{record:#}");

        // Without fallback, the question fails and the error names the provider.
        let aura = aura.with("ENABLE_PROVIDER_FALLBACK", "false");
        let ended = aura.run(&["ask", "How are you?", "--json"]);
        assert_failed(&ended, "all_routes_failed", "groq");
        let attempt = &ended.json()["error"]["detail"];
        assert!(attempt.to_string().contains("unreachable"), "{attempt:#}");

        // In the running app, the provider fails and recovers.
        let providers = providers();
        let app = Aura::new().with_all(providers.groq()).with("ENABLE_PROVIDER_FALLBACK", "false").start();
        let reset: Fault =
            serde_json::from_value(json!({"service": "llm", "kind": "reset", "count": 8})).expect("a fault");
        providers.fault(reset);
        let record = app.call("ask", json!({"text": "How are you?", "speech": "none"}));
        assert_error(&record, "all_routes_failed");
        providers.clear_faults();
        // The circuit is open for five seconds after the failures.
        let again = || app.call("ask", json!({"text": "How are you?", "speech": "none"}))["error"].is_null();
        assert!(wait_until(Duration::from_secs(60), again), "{:#}", app.history()[0]);
        assert_recovers(&app);
    });
}
