//! What is in the pictures: a conversation as somebody might have had it.

use aura_sandbox::{
    Delays, Fault, Fixed, FixedAudio, Provider, Reply, Rule, SandboxConfig, Script, Service, Sound, When,
};
use aura_tests::providers::Providers;
use aura_tests::sound::play_into_microphone;
use aura_tests::speech::say;
use aura_tests::window::Window;
use serde_json::{Value, json};

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

/// Begins a conversation: one question is spoken, one is about the screen, one is typed.
pub(crate) fn begin(window: &Window) {
    let question = window.app.aura().folder().join("question.wav");
    say(&question, "do I need a coat in this weather");
    window.app.call("press", json!({}));
    window.app.wait_for_recording();
    play_into_microphone(&question).wait();
    window.app.call("release", json!({}));
    window.app.turn(1);
    ask(window, "What does this error mean?", 2);
    ask(window, "How do I find a free port?", 3);
}

/// Goes on with it while not everything works: one question is answered by somebody else, and one by nobody.
pub(crate) fn go_on(window: &Window, providers: &Providers) {
    let busy = Fault::status(429).header("retry-after", "600").provider(Provider::Groq).service(Service::Llm).times(1);
    providers.fault(busy);
    ask(window, "When does the next train leave?", 4);
    providers.fault(Fault::status(503).service(Service::Llm));
    let only = |fallback: Value, provider: Value| {
        let changes = json!({"fallback": fallback, "routes": {"llm": {"provider": provider}}});
        window.app.call("change_settings", json!({"changes": changes}));
    };
    only(json!(false), json!("gemini"));
    ask(window, "What is the capital of Australia?", 5);
    providers.mend();
    only(Value::Null, Value::Null);
    ask(window, "Make this shorter: I would like to ask whether our meeting could be moved.", 6);
}

fn ask(window: &Window, question: &str, number: usize) {
    window.write("textbox", "Your question", &format!("{question}{ENTER}"));
    window.app.turn(number);
}
