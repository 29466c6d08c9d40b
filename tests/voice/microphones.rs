//! The microphones in the person's order: one that is gone gives way to the next, and is used again when it is back.

use std::time::Duration;

use aura_sandbox::{FixedAnswers, SandboxConfig, Script};
use aura_tests::aura::{App, Aura};
use aura_tests::desktop::with_desktop;
use aura_tests::display::xdotool;
use aura_tests::process::Running;
use aura_tests::providers::Providers;
use aura_tests::sound::{pactl, play_into_microphone_endlessly};
use serde_json::{Value, json};

use crate::push_to_talk::{SHORTCUT, ask_aloud, hold_shortcut, question};

const QUESTION: &str = "i think it is going to be a good year";

/// AURA looks every second which microphones are connected, while one stands by.
const NOTICED: Duration = Duration::from_secs(3);

/// A headset whose microphone hears what is played into `headset_cable`. Returns the number of its module.
fn plug_in_headset() -> String {
    let arguments = ["load-module", "module-remap-source", "source_name=headset", "master=headset_cable.monitor"];
    pactl(&[&arguments[..], &["source_properties=device.description=Headset"]].concat()).trim().to_owned()
}

/// The name of the microphone of which a turn tells that it listened instead.
fn other_microphone(record: &Value) -> Option<&str> {
    let notices = record["notices"].as_array()?;
    let notice = notices.iter().find(|notice| notice["kind"] == "other_microphone")?;
    notice["facts"]["microphone"].as_str()
}

/// Asks with the file played into a sink.
fn ask_into(app: &App, sink: &str) -> Value {
    let file = question(app, QUESTION);
    let turns = app.history().len();
    hold_shortcut(app);
    app.wait_for_recording();
    let mut player = std::process::Command::new("paplay");
    player.args(["-d", sink, "--latency-msec=20"]).arg(file);
    Running::start(&mut player, "pulseaudio-utils").wait();
    xdotool(&["keyup", SHORTCUT]);
    app.turn(turns + 1)
}

#[test]
fn the_next_one_takes_over_until_the_first_is_back() {
    with_desktop("microphones::the_next_one_takes_over_until_the_first_is_back", || {
        let fixed = FixedAnswers { transcript: Some(QUESTION.to_owned()), ..FixedAnswers::default() };
        let answer = Script::always("There are many people looking for money.");
        let providers = Providers::of(SandboxConfig { script: answer, fixed, ..SandboxConfig::default() });
        pactl(&["load-module", "module-null-sink", "sink_name=headset_cable", "rate=48000", "channels=2"]);
        // The system's default hears nothing.
        pactl(&["load-module", "module-null-source", "source_name=silence"]);
        pactl(&["set-default-source", "silence"]);
        let headset = plug_in_headset();
        let order = "[listening]\nmicrophone = 'pulseaudio:headset'\nspare_microphones = ['pulseaudio:microphone']\n";
        let app = Aura::new().settings(order).with_all(providers.groq()).start();
        let record = ask_into(&app, "headset_cable");
        assert_eq!((record["error"].as_object(), other_microphone(&record)), (None, None), "{record:#}");

        pactl(&["unload-module", &headset]);
        std::thread::sleep(NOTICED);
        let heard = ask_aloud(&app, QUESTION);
        heard.assert_understood(QUESTION);
        assert_eq!(other_microphone(&heard.record), Some("Microphone"), "{:#}", heard.record);
        // The system check says so, too.
        let speech = question(&app, QUESTION);
        let speaking = play_into_microphone_endlessly(&speech);
        let findings = app.aura().run(&["doctor", "--json"]).json();
        drop(speaking);
        let found = findings.as_array().and_then(|all| all.iter().find(|finding| finding["area"] == "microphone"));
        let expected = json!({"kind": "microphone_replaced", "microphone": "Microphone"});
        assert_eq!(
            found.map(|found| (&found["ok"], &found["finding"])),
            Some((&json!(true), &expected)),
            "{findings:#}"
        );

        plug_in_headset();
        std::thread::sleep(NOTICED);
        let record = ask_into(&app, "headset_cable");
        assert_eq!((record["error"].as_object(), other_microphone(&record)), (None, None), "{record:#}");
    });
}
