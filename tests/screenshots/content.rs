//! The content of the screenshots: a plausible conversation.

use aura_sandbox::{
    Delays, Fault, FixedAnswers, FixedAudio, Provider, Rule, RuleCondition, SandboxConfig, Script, ScriptedReply,
    Service, TestSignal,
};
use aura_tests::providers::Providers;
use aura_tests::sound::play_into_microphone;
use aura_tests::speech::say;
use aura_tests::window::Window;
use serde_json::{Value, json};

const ENTER: &str = "\u{e007}";

/// Parts of questions, and the answers to them.
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
        when: RuleCondition { contains: Some(contains.into()), ..RuleCondition::default() },
        reply: ScriptedReply { text: text.into(), ..ScriptedReply::default() },
        times: None,
    };
    Providers::of(SandboxConfig {
        script: Script {
            rules: ANSWERS.into_iter().map(rule).chain([Rule::reply("Of course. What is it about?")]).collect(),
        },
        delays: Delays { stt_ms: 180, llm_first_ms: 160, llm_chunk_ms: 6, tts_first_ms: 90, ..Delays::default() },
        fixed: FixedAnswers {
            transcript: Some("Do I need a coat in this weather?".to_owned()),
            audio: Some(FixedAudio { sound: TestSignal::Tone, ms: 300 }),
        },
        ..SandboxConfig::default()
    })
}

/// Starts the conversation with a spoken question and two typed ones.
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

/// Continues the conversation with faults: a fallback answers one question, and one fails.
pub(crate) fn continue_with_faults(window: &Window, providers: &Providers) {
    let busy = Fault::status(429).header("retry-after", "600").provider(Provider::Groq).service(Service::Llm).times(1);
    providers.fault(busy);
    ask(window, "When does the next train leave?", 4);
    providers.fault(Fault::status(503).service(Service::Llm));
    let set_route = |fallback: Value, provider: Value| {
        let changes = json!({"fallback": fallback, "routes": {"llm": {"provider": provider}}});
        window.app.call("change_settings", json!({"changes": changes}));
    };
    set_route(json!(false), json!("gemini"));
    ask(window, "What is the capital of Australia?", 5);
    providers.clear_faults();
    set_route(Value::Null, Value::Null);
    ask(window, "Make this shorter: I would like to ask whether our meeting could be moved.", 6);
}

fn ask(window: &Window, question: &str, number: usize) {
    window.write("textbox", "Your question", &format!("{question}{ENTER}"));
    window.app.turn(number);
}
