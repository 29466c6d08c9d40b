//! The multi-provider guide: its curl commands and Python examples, copied verbatim apart from the port, run against `aura serve` with
//! sandbox providers. They run as the user who started the server, so they need no token.
//!
//! Prints a table of the results.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use aura_sandbox::{
    Fault, FixedAnswers, FixedAudio, Provider, Rule, RuleCondition, Sandbox, SandboxConfig, Script, ScriptedReply,
    TestSignal, ToolCall,
};
use aura_tests::aura::programs;
use aura_tests::http::{HttpServer, sandboxed};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The guide's curl commands, each under its title.
const LINES: &str = include_str!("lines.sh");

/// The guide's environment variables, as printed there.
const VARIABLES: [(&str, &str); 10] = [
    ("DEFAULT_STT_PROVIDER", "groq"),
    ("DEFAULT_LLM_PROVIDER", "groq"),
    ("DEFAULT_VLM_PROVIDER", "groq"),
    ("DEFAULT_TTS_PROVIDER", "groq"),
    ("DEFAULT_STT_MODEL", "whisper-large-v3-turbo"),
    ("DEFAULT_LLM_MODEL", "llama-3.3-70b-versatile"),
    ("DEFAULT_VLM_MODEL", "llama-4-maverick-17b-128e-instruct"),
    ("DEFAULT_TTS_MODEL", "playai-tts"),
    ("DEFAULT_TTS_VOICE", "Arista-PlayAI"),
    ("ENABLE_PROVIDER_FALLBACK", "true"),
];

/// The result of one step.
struct Row {
    title: String,
    status: String,
    ms: u128,
    result: Result<String, String>,
}

/// The server, its providers, and the results so far.
struct Walk {
    /// `None` only while it is started again.
    server: Option<HttpServer>,
    sandbox: Sandbox,
    rows: Vec<Row>,
}

fn main() -> ExitCode {
    // The whole guide is one test for `--list` and for filters.
    if std::env::args().any(|argument| argument == "--list") {
        println!("the_guide: test");
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if !wanted.is_empty() && !wanted.iter().any(|part| "the_guide".contains(part.as_str())) {
        println!("\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out; finished in 0.00s\n");
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    let runtime = Runtime::new().unwrap();
    // Without the guide's variables, and with them.
    let mut rows = Vec::new();
    for variables in [&[], &VARIABLES[..]] {
        let config = SandboxConfig { script: script(), ..SandboxConfig::default() };
        let (sandbox, aura) = runtime.block_on(sandboxed(config));
        let aura = variables.iter().fold(aura, |aura, (name, value)| aura.with(name, *value));
        let mut walk = Walk { server: Some(HttpServer::serving(aura, "aura", &["serve"])), sandbox, rows: Vec::new() };
        files(walk.server().aura().folder());
        walk.all();
        if !variables.is_empty() {
            walk.next_start();
        }
        println!("\n{}", if variables.is_empty() { "As printed" } else { "With the guide's variables" });
        print(&walk.rows);
        // Dropped before the runtime, on which the sandbox runs.
        rows.extend(std::mem::take(&mut walk.rows));
    }
    let failed = rows.iter().filter(|row| row.result.is_err()).count();
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        rows.len() - failed,
        began.elapsed().as_secs_f64(),
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The answers of the models.
fn script() -> Script {
    let arguments = json!({
        "steps": [
            {"action": "open_application", "application": "WhatsApp"},
            {"action": "send_message", "application": "WhatsApp", "recipient": "John"},
        ],
        "reply": "I would open WhatsApp and write to John.",
    });
    let call = ToolCall { name: "plan_actions".into(), arguments };
    let whatsapp = Rule {
        when: RuleCondition { contains: Some("WhatsApp".into()), ..RuleCondition::default() },
        reply: ScriptedReply { tool_calls: vec![call], ..ScriptedReply::default() },
        times: None,
    };
    Script { rules: vec![whatsapp, Rule::reply("Hello from {model}.")] }
}

/// Creates the files that the commands use: speech, and a screenshot.
fn files(folder: &Path) {
    aura_tests::speech::say(&folder.join("sample.wav"), "what is the weather like today");
    let screen = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/talk-light.png");
    std::fs::copy(screen, folder.join("screen.png")).unwrap();
    // A .curlrc makes curl print the status, without a change to the commands.
    std::fs::write(folder.join(".curlrc"), "silent\nshow-error\nwrite-out = \"\\n%{http_code}\"\n").unwrap();
}

impl Walk {
    fn all(&mut self) {
        let healthy = |answer: &Value| says(&answer["overall_status"], "overall_status");
        self.curl("Check Provider Health", healthy);
        self.curl("Get Provider Information", |answer| {
            let config = &answer["service_configs"]["llm"];
            format!("llm by {}, then {}", config["default_provider"], config["fallback_providers"])
        });
        self.curl("All models", |answer| format!("{} models", length(answer)));
        self.curl("Models for specific service", |answer| format!("{} models", length(answer)));
        self.curl("Models for specific provider", |answer| {
            assert!(answer.as_array().unwrap().iter().all(|model| model["provider"] == "gemini"));
            format!("{} models", length(answer))
        });
        self.curl("Get Available Voices", |answer| format!("{} voices", length(answer)));
        self.curl("Get Service Config", |answer| says(&answer["default_model"], "default_model"));
        self.curl("Process with specific providers", |answer| {
            assert!(answer["tts_audio"].is_string(), "no speech");
            assert_eq!(route(answer, "thinking")["provider"], "groq", "the picture's provider");
            format!("heard {}, said {}", answer["transcript"], answer["response_text"])
        });
        self.curl("Chat with specific LLM", |answer| {
            assert_eq!(route(answer, "thinking")["provider"], "gemini");
            assert_eq!(answer["session_id"], "test");
            assert_eq!(answer["notices"][0]["kind"], "model_replaced");
            says(&answer["response"], "response")
        });
        self.curl("Test Models", |answer| says(&answer["data"]["result"], "result"));
        self.curl("Test specific model", |answer| says(&answer["data"]["result"], "result"));
        self.curl("Switch Default Provider", |answer| says(&answer["message"], "message"));
        self.curl("Set Default Model", |answer| says(&answer["message"], "message"));
        self.curl("Get Service Config", |answer| {
            assert_eq!(answer["default_provider"], "gemini", "the switch applies");
            says(&answer["default_model"], "default_model")
        });
        self.example("1-intent.py", |answer| {
            assert_eq!(answer["intent"]["name"], "send_message");
            assert_eq!(answer["action_plan"].as_array().map(Vec::len), Some(2));
            answer["intent"].to_string()
        });
        // httpx times out after five seconds, and the real recogniser may take longer on a busy computer.
        self.sandbox.set_fixed(FixedAnswers {
            transcript: Some("What is the weather like today?".into()),
            audio: Some(FixedAudio { sound: TestSignal::Tone, ms: 500 }),
        });
        self.example("2-mixed.py", |answer| {
            assert_eq!(route(answer, "thinking")["provider"], "groq", "the picture's provider");
            says(&answer["response_text"], "response_text")
        });
        self.example("3-failover.py", |answer| {
            assert_eq!(route(answer, "thinking")["provider"], "gemini", "the default since the switch");
            says(&answer["response"], "response")
        });
        // With Groq as the default, and down.
        let back = json!({"service_type": "llm", "provider": "groq"}).to_string();
        self.step("Back to Groq", &format!("curl --json '{back}' http://localhost:8000/providers/switch"), |answer| {
            says(&answer["message"], "message")
        });
        self.sandbox.add_fault(Fault::status(503).provider(Provider::Groq));
        self.example("3-failover.py", |answer| {
            assert_eq!(route(answer, "thinking")["provider"], "gemini");
            assert_eq!(answer["notices"][0]["kind"], "fallback");
            says(&answer["notices"][0]["message"], "notice")
        });
        self.curl("Check Provider Health", |answer| {
            let groq = &answer["providers"]["groq"]["services"]["llm"]["last_error"];
            assert_eq!(groq["class"], "overloaded");
            format!("groq: {}", groq["message"])
        });
    }

    fn server(&self) -> &HttpServer {
        self.server.as_ref().expect("it runs")
    }

    /// Starts the server again: the variables decide again.
    fn next_start(&mut self) {
        self.sandbox.clear_faults();
        self.curl("Switch Default Provider", |answer| {
            let message = says(&answer["message"], "message");
            assert!(message.contains("DEFAULT_LLM_PROVIDER=groq"), "it tells that the variable decides again");
            message
        });
        let aura = self.server.take().expect("it runs").stop();
        self.server = Some(HttpServer::serving(aura, "aura", &["serve"]));
        self.curl("Get Service Config", |answer| {
            assert_eq!(answer["default_provider"], "groq", "the variable decides");
            says(&answer["default_model"], "default_model")
        });
    }

    /// Runs one of the guide's curl commands.
    fn curl(&mut self, title: &str, check: impl FnOnce(&Value) -> String) {
        let line = LINES.split("### ").find_map(|block| block.strip_prefix(title)?.strip_prefix('\n'));
        let line = line.unwrap_or_else(|| panic!("the guide has no command `{title}`"));
        self.step(title, line, check);
    }

    fn step(&mut self, title: &str, line: &str, check: impl FnOnce(&Value) -> String) {
        let line = line.replace("localhost:8000", &format!("localhost:{}", self.server().port()));
        let mut bash = self.command("bash");
        bash.args(["-c", &line]);
        self.run(title, bash, check);
    }

    /// Runs one of the guide's Python examples.
    fn example(&mut self, file: &str, check: impl FnOnce(&Value) -> String) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guide");
        let mut command = self.command(python().to_str().unwrap());
        command
            .arg(folder.join("run.py"))
            .arg(folder.join("examples").join(file))
            .arg(self.server().port().to_string());
        self.run(&format!("Example {file}"), command, check);
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let folder = self.server().aura().folder();
        command.current_dir(folder).env("CURL_HOME", folder).env("no_proxy", "*").stdin(Stdio::null());
        command
    }

    fn run(&mut self, title: &str, mut command: Command, check: impl FnOnce(&Value) -> String) {
        let began = Instant::now();
        let done = command.output().unwrap_or_else(|cause| panic!("{command:?}: {cause}"));
        let ms = began.elapsed().as_millis();
        let output = String::from_utf8_lossy(&done.stdout).into_owned();
        // curl prints the status after the answer. A Python example fails with an exception or an answer with an error.
        let (text, status) = output.trim_end().rsplit_once('\n').unwrap_or((output.trim_end(), "200"));
        let result = match serde_json::from_str::<Value>(text) {
            Ok(answer) if status == "200" && answer.get("error").is_none() => {
                let fails = answer.get("success").is_some_and(|success| success != true);
                let checked = catch_unwind(AssertUnwindSafe(|| check(&answer)));
                if fails { Err(text.to_owned()) } else { checked.map_err(|_| format!("see above; it was {text}")) }
            }
            _ => Err(format!("{text} {}", String::from_utf8_lossy(&done.stderr))),
        };
        self.rows.push(Row { title: title.to_owned(), status: status.to_owned(), ms, result });
    }
}

/// The Python interpreter with httpx.
fn python() -> PathBuf {
    let python = programs().parent().unwrap().join("python/bin/python");
    assert!(python.is_file(), "{} is missing: run `cargo xtask guide`", python.display());
    python
}

/// The route of a stage.
fn route<'a>(answer: &'a Value, stage: &str) -> &'a Value {
    let stages = answer["stages"].as_array().unwrap();
    &stages.iter().find(|known| known["stage"] == stage).unwrap_or_else(|| panic!("no stage {stage}"))["route"]
}

fn length(list: &Value) -> usize {
    let length = list.as_array().map_or(0, Vec::len);
    assert!(length > 0, "an empty list");
    length
}

/// A text of an answer; panics if it is missing or empty.
fn says(value: &Value, name: &str) -> String {
    let text = value.as_str().unwrap_or_default();
    assert!(!text.is_empty(), "`{name}` is empty");
    text.to_owned()
}

fn print(rows: &[Row]) {
    println!("\n{:34} {:>6} {:>6}  result", "step", "status", "ms");
    for Row { title, status, ms, result } in rows {
        match result {
            Ok(text) => println!("{title:34} {status:>6} {ms:>6}  {}", text.chars().take(110).collect::<String>()),
            Err(why) => println!("{title:34} {status:>6} {ms:>6}  FAILED: {why}"),
        }
    }
}
