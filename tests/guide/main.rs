//! The multi-provider guide, walked as it is printed: its curl lines and its Python examples, copied letter by letter, against `aura
//! serve` with sandbox providers. Only the port differs. The person who starts AURA runs them, so none brings a token.
//!
//! Prints what each came to as a table.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use aura_sandbox::{
    Fault, Fixed, FixedAudio, Provider, Reply, Rule, Sandbox, SandboxConfig, Script, Sound, ToolCall, When,
};
use aura_tests::aura::programs;
use aura_tests::http::{HttpDoor, sandboxed};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The guide's curl lines, each under its title.
const LINES: &str = include_str!("lines.sh");

/// What one step came to.
struct Row {
    title: String,
    status: String,
    ms: u128,
    came_to: Result<String, String>,
}

/// The door, its providers, and the rows so far.
struct Walk {
    door: HttpDoor,
    sandbox: Sandbox,
    rows: Vec<Row>,
}

fn main() -> ExitCode {
    // The walk is one test; whoever lists tests, or looks for others, is told so.
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
    let config = SandboxConfig { script: script(), ..SandboxConfig::default() };
    let (sandbox, aura) = runtime.block_on(sandboxed(config));
    let mut walk = Walk { door: HttpDoor::serving(aura, "aura", &["serve"]), sandbox, rows: Vec::new() };
    files(walk.door.aura().folder());
    walk.all();
    print(&walk.rows);
    let failed = walk.rows.iter().filter(|row| row.came_to.is_err()).count();
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        walk.rows.len() - failed,
        began.elapsed().as_secs_f64(),
    );
    // The runtime goes last: the sandbox lives on it.
    drop(walk);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the models answer.
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
        when: When { contains: Some("WhatsApp".into()), ..When::default() },
        reply: Reply { tool_calls: vec![call], ..Reply::default() },
        times: None,
    };
    Script { rules: vec![whatsapp, Rule::reply("Hello from {model}.")] }
}

/// The files that the guide's lines name: speech, and a picture of a screen.
fn files(folder: &Path) {
    aura_tests::speech::say(&folder.join("sample.wav"), "what is the weather like today");
    let screen = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/talk-light.png");
    std::fs::copy(screen, folder.join("screen.png")).unwrap();
    // curl reads its own settings: its lines stay as they are, and tell the status all the same.
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
            assert_eq!(answer["default_provider"], "gemini", "the switch holds");
            says(&answer["default_model"], "default_model")
        });
        self.example("1-intent.py", |answer| {
            assert_eq!(answer["intent"]["name"], "send_message");
            assert_eq!(answer["action_plan"].as_array().map(Vec::len), Some(2));
            answer["intent"].to_string()
        });
        // httpx waits five seconds and no longer: on a busy computer the real recogniser may take more.
        self.sandbox.set_fixed(Fixed {
            transcript: Some("What is the weather like today?".into()),
            audio: Some(FixedAudio { sound: Sound::Tone, ms: 500 }),
        });
        self.example("2-mixed.py", |answer| {
            assert_eq!(route(answer, "thinking")["provider"], "groq", "the picture's provider");
            says(&answer["response_text"], "response_text")
        });
        self.example("3-failover.py", |answer| {
            assert_eq!(route(answer, "thinking")["provider"], "gemini", "the default since the switch");
            says(&answer["response"], "response")
        });
        // And where Groq is the default and down.
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

    /// One of the guide's curl lines.
    fn curl(&mut self, title: &str, check: impl FnOnce(&Value) -> String) {
        let line = LINES.split("### ").find_map(|block| block.strip_prefix(title)?.strip_prefix('\n'));
        let line = line.unwrap_or_else(|| panic!("the guide has no line `{title}`"));
        self.step(title, line, check);
    }

    fn step(&mut self, title: &str, line: &str, check: impl FnOnce(&Value) -> String) {
        let line = line.replace("localhost:8000", &format!("localhost:{}", self.door.port()));
        let mut bash = self.command("bash");
        bash.args(["-c", &line]);
        self.run(title, bash, check);
    }

    /// One of the guide's Python examples.
    fn example(&mut self, file: &str, check: impl FnOnce(&Value) -> String) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guide");
        let mut command = self.command(python().to_str().unwrap());
        command.arg(folder.join("run.py")).arg(folder.join("examples").join(file)).arg(self.door.port().to_string());
        self.run(&format!("Example {file}"), command, check);
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let folder = self.door.aura().folder();
        command.current_dir(folder).env("CURL_HOME", folder).env("no_proxy", "*").stdin(Stdio::null());
        command
    }

    fn run(&mut self, title: &str, mut command: Command, check: impl FnOnce(&Value) -> String) {
        let began = Instant::now();
        let done = command.output().unwrap_or_else(|cause| panic!("{command:?}: {cause}"));
        let ms = began.elapsed().as_millis();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        // curl tells the status after the answer; Python has raised, or has an answer with an error in it.
        let (text, status) = said.trim_end().rsplit_once('\n').unwrap_or((said.trim_end(), "200"));
        let came_to = match serde_json::from_str::<Value>(text) {
            Ok(answer) if status == "200" && answer.get("error").is_none() => {
                let fails = answer.get("success").is_some_and(|success| success != true);
                let checked = catch_unwind(AssertUnwindSafe(|| check(&answer)));
                if fails { Err(text.to_owned()) } else { checked.map_err(|_| format!("see above; it was {text}")) }
            }
            _ => Err(format!("{text} {}", String::from_utf8_lossy(&done.stderr))),
        };
        self.rows.push(Row { title: title.to_owned(), status: status.to_owned(), ms, came_to });
    }
}

/// The Python with httpx.
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

/// A text of an answer, which must be there.
fn says(value: &Value, name: &str) -> String {
    let text = value.as_str().unwrap_or_default();
    assert!(!text.is_empty(), "`{name}` is empty");
    text.to_owned()
}

fn print(rows: &[Row]) {
    println!("\n{:34} {:>6} {:>6}  what it came to", "step", "status", "ms");
    for Row { title, status, ms, came_to } in rows {
        match came_to {
            Ok(text) => println!("{title:34} {status:>6} {ms:>6}  {}", text.chars().take(110).collect::<String>()),
            Err(why) => println!("{title:34} {status:>6} {ms:>6}  FAILED: {why}"),
        }
    }
}
