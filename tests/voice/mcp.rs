//! `aura mcp` with a microphone, a speaker and a screen: another program listens, speaks and looks through the running app.

use std::time::Duration;

use aura_sandbox::{FixedAnswers, SandboxConfig};
use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop;
use aura_tests::display::{make_picture, paint};
use aura_tests::mcp_client::McpClient;
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::sound::play_into_microphone;
use aura_tests::speech::{Recorder, assert_says, recognise};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use crate::push_to_talk::question;

const SAID: &str = "i think it is going to be a good year";
const ANSWER: &str = "There are many people looking for money.";

#[test]
fn another_program_listens_speaks_and_looks_through_the_app() {
    with_desktop("mcp::another_program_listens_speaks_and_looks_through_the_app", || {
        let fixed = FixedAnswers { transcript: Some("A good year.".into()), ..FixedAnswers::default() };
        let providers = Providers::of(SandboxConfig { fixed, ..SandboxConfig::default() });
        let app = Aura::new().with_all(providers.groq()).start();
        let mut client = McpClient::start(&mut app.aura().command(&["mcp", "--microphone", "--screen"]));
        assert_eq!(client.tools(), ["ask", "listen", "speak", "look_at_screen"]);

        // The person is heard, and is heard to the end without a key.
        let file = question(&app, SAID);
        client.request("tools/call", &json!({"name": "listen", "arguments": {}}));
        assert!(wait_until(Duration::from_secs(30), || app.stage() == "listening"), "the stage is `{}`", app.stage());
        app.wait_for_recording();
        play_into_microphone(&file).wait();
        let heard = client.result();
        assert_eq!(
            (&heard["isError"], &heard["content"][0]["text"]),
            (&json!(false), &json!("A good year.")),
            "{heard}"
        );
        let turn = app.turn(1);
        let recording = turn["question_audio"].as_str().unwrap_or_else(|| panic!("{turn:#}"));
        assert_eq!(recognise(recording.as_ref(), &[SAID.to_owned()]), [SAID], "{turn:#}");

        let recorder = Recorder::start();
        let said = client.call("speak", json!({"text": ANSWER}));
        assert_eq!(said["isError"], false, "{said}");
        assert!(recorder.wait_for_silence(Duration::from_millis(500), Duration::from_secs(60)), "it does not end");
        assert_says(&recorder.save(&app.aura().folder().join("said.wav")), &[ANSWER.to_owned()]);

        let picture = app.aura().folder().join("red.png");
        make_picture(&picture, &["-size", "1280x900", "xc:#c01010"]);
        paint(&picture);
        let seen = client.call("look_at_screen", json!({}));
        assert_eq!(seen["content"][0]["mimeType"], "image/jpeg", "{seen}");
        let jpeg = BASE64.decode(seen["content"][0]["data"].as_str().unwrap()).unwrap();
        let picture = image::load_from_memory(&jpeg).unwrap().to_rgb8();
        // AURA's own window covers a part.
        let is_red = |pixel: &&image::Rgb<u8>| pixel.0[0] > 150 && pixel.0[1] < 60 && pixel.0[2] < 60;
        let red = picture.pixels().filter(is_red).count();
        assert!(red * 10 > (picture.width() * picture.height()) as usize, "{red} red pixels");

        // The person stops it: that is told, and the next call works.
        client.request("tools/call", &json!({"name": "listen", "arguments": {}}));
        assert!(wait_until(Duration::from_secs(30), || app.stage() == "listening"), "the stage is `{}`", app.stage());
        app.call("cancel", json!({}));
        let stopped = client.result();
        assert_eq!(stopped["isError"], true, "{stopped}");
        assert!(client.close().success());
    });
}
