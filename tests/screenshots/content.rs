//! What is in the pictures: a conversation as somebody might have had it.

use aura_sandbox::{
    Delays, Fault, Fixed, FixedAudio, Provider, Reply, Rule, SandboxConfig, Script, Service, Sound, When,
};
use aura_tests::providers::Providers;
use aura_tests::sound::play_into_microphone;
use aura_tests::speech::say;
use aura_tests::window::Window;
use serde_json::json;

const ENTER: &str = "\u{e007}";

/// Questions, and what is answered to them.
const ANSWERS: [(&str, &str); 5] = [
    (
        "free port",
        "Ask the system what is taken, and choose what is not listed:\n\n```sh\nss -ltn\n```\n\n- Ports below 1024 need special rights.\n- **0** lets the system choose one for you.",
    ),
    ("weather", "It is going to rain in the afternoon, so a coat is a good idea. The evening stays dry."),
    (
        "meeting",
        "Here is a shorter version: “Can we move our meeting to Thursday at ten? I have read the draft and have two questions.”",
    ),
    (
        "error",
        "The error means that another program already uses port 8080. Stop that program, or start the server on another port.",
    ),
    ("train", "The next train to the centre leaves at 9:14 from platform 3 and takes 22 minutes."),
];

pub(crate) fn providers() -> Providers {
    let rule = |(contains, text): (&str, &str)| Rule {
        when: When { contains: Some(contains.into()), ..When::default() },
        reply: Reply { text: text.into(), ..Reply::default() },
        times: None,
    };
    Providers::of(SandboxConfig {
        script: Script {
            rules: ANSWERS.into_iter().map(rule).chain([Rule::reply("Of course. What is it about?")]).collect(),
        },
        delays: Delays { stt_ms: 180, llm_first_ms: 160, llm_chunk_ms: 6, tts_first_ms: 90, ..Delays::default() },
        fixed: Fixed {
            transcript: Some("Do I need a coat in this weather?".to_owned()),
            audio: Some(FixedAudio { sound: Sound::Tone, ms: 300 }),
        },
        ..SandboxConfig::default()
    })
}

/// Has the conversation: one spoken, one typed, one that somebody else answers, and one that nobody does.
pub(crate) fn converse(window: &Window, providers: &Providers) {
    let question = window.app.aura().folder().join("question.wav");
    say(&question, "do I need a coat in this weather");
    window.app.call("press", json!({}));
    window.app.wait_for_recording();
    play_into_microphone(&question).wait();
    window.app.call("release", json!({}));
    window.app.turn(1);
    let ask = |question: &str, number: usize| {
        window.write("textbox", "Your question", &format!("{question}{ENTER}"));
        window.app.turn(number);
    };
    ask("When does the next train leave?", 2);
    ask("Make this shorter: I would like to ask whether our meeting could be moved.", 3);
    providers
        .fault(Fault::status(429).header("retry-after", "40").provider(Provider::Groq).service(Service::Vlm).times(1));
    ask("What does this error mean?", 4);
    providers.fault(Fault::status(503).service(Service::Llm));
    window
        .app
        .call("change_settings", json!({"changes": {"fallback": false, "routes": {"llm": {"provider": "gemini"}}}}));
    ask("What is the capital of Australia?", 5);
    providers.mend();
    window.app.call("change_settings", json!({"changes": {"fallback": null, "routes": {"llm": {"provider": null}}}}));
    ask("How do I find a free port?", 6);
}
