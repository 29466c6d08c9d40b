//! `cargo xtask bench turn`: the time from the release of the key to the first sound, AURA's own part of it, and the time from a cancel to
//! silence.
//!
//! The providers have fixed delays, which are subtracted. The measured app is the real one, with window, microphone and speaker, on a
//! private sound server and display.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use aura_tests::aura::{App, Aura};
use aura_tests::display::Display;
use aura_tests::process::{Running, wait_until};
use aura_tests::sound::{Sound, SoundMonitor, play_into_microphone};
use aura_tests::speech::say;
use serde_json::{Value, json};

/// Set in the process that has the private desktop.
const INSIDE: &str = "AURA_BENCH_INSIDE";

/// The delays of the providers, in milliseconds.
const DELAYS: &str = "stt=120,llm=150,chunk=15,tts=100";
const CHUNK_MS: f64 = 15.0;

/// The answer of the model, one chunk per word. Speech starts once the first sentence is complete.
const ANSWER: &str = "It is going to rain today. Take a coat with you.";
const FIRST_SENTENCE_WORDS: usize = 6;

/// A peak above the chime at the start of a recording and below the tone that stands for speech.
const LOUD: f32 = 0.25;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(turns), Some(programs)) =
        (arguments.first().and_then(|turns| turns.parse::<u32>().ok()), arguments.get(1))
    else {
        eprintln!("usage: bench-turn TURNS FOLDER-OF-PROGRAMS; `cargo xtask bench turn` calls it");
        return ExitCode::from(2);
    };
    if std::env::var_os(INSIDE).is_some() {
        measure(turns, Path::new(programs));
        return ExitCode::SUCCESS;
    }
    let (sound, display) = (Sound::start(), Display::managed(1280, 900));
    let mut inside = Command::new(std::env::current_exe().expect("a program knows its own path"));
    inside.args(&arguments).env(INSIDE, "1").envs(sound.environment()).envs(display.environment());
    let done = inside.status().expect("the program can start itself");
    if done.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The sandbox as a separate program, so that it shares no threads with AURA or this program.
struct Providers {
    _running: Running,
    url: String,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
}

impl Providers {
    fn start(programs: &Path, folder: &Path) -> Self {
        let script = folder.join("script.json");
        std::fs::write(&script, json!({"rules": [{"reply": {"text": ANSWER}}]}).to_string())
            .expect("the folder can be written");
        let mut command = Command::new(programs.join("aura-sandbox"));
        command.args([
            "--delays",
            DELAYS,
            "--fixed-transcript",
            "do I need a coat",
            "--fixed-audio",
            "tone",
            "--fixed-audio-ms",
            "600",
            "--script",
        ]);
        let mut running = Running::start(command.arg(script).stdout(Stdio::piped()), "the workspace's own build");
        let lines = BufReader::new(running.stdout().expect("standard output was piped")).lines().map_while(Result::ok);
        let url = lines
            .filter_map(|line| Some(line.strip_prefix("control ")?.trim().strip_suffix("/control")?.to_owned()))
            .next();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
        Self {
            _running: running,
            url: url.expect("the sandbox prints its addresses"),
            runtime,
            http: reqwest::Client::new(),
        }
    }

    /// The requests received since the last call.
    fn requests(&self) -> Vec<Value> {
        let url = format!("{}/control/requests", self.url);
        self.runtime.block_on(async {
            let all = self
                .http
                .get(&url)
                .send()
                .await
                .expect("the sandbox answers")
                .json()
                .await
                .expect("a list of requests");
            self.http.delete(&url).send().await.expect("the sandbox answers");
            all
        })
    }
}

/// The times of one turn, in milliseconds.
struct Times {
    whole: f64,
    floor: f64,
    own_count: f64,
}

fn measure(turns: u32, programs: &Path) {
    let aura = Aura::of(programs.join("aura"));
    let providers = Providers::start(programs, aura.folder());
    let base = format!("{}/groq/openai/v1", providers.url);
    let app = aura
        .with("GROQ_API_KEY", "sandbox-key")
        .with("GROQ_BASE_URL", base)
        .settings("[appearance]\noverlay = true\n")
        .start();
    let question = app.aura().folder().join("question.wav");
    say(&question, "do I need a coat");
    let monitor = SoundMonitor::open();
    let mut all = Vec::new();
    for number in 0..=turns as usize {
        let times = turn(&app, &monitor, &providers, &question, number + 1);
        println!(
            "turn {number:2}: {:6.1} ms, providers {:6.1}, own {:6.1}{}",
            times.whole,
            times.floor,
            times.whole - times.floor,
            if number == 0 { " (not counted)" } else { "" }
        );
        if number > 0 {
            all.push(times);
        }
    }
    let build = if programs.ends_with("release") { "optimised" } else { "debug" };
    println!(
        "\nfrom release to the first sound at the speaker, {build} build, {turns} turns\n{:34} {:>8} {:>8}",
        "milliseconds", "p50", "p95"
    );
    let row = |name: &str, of: &dyn Fn(&Times) -> f64| {
        let mut values: Vec<f64> = all.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let at = |part: f64| {
            values
                .get(((values.len() as f64 * part).ceil() as usize).clamp(1, values.len().max(1)) - 1)
                .copied()
                .unwrap_or(f64::NAN)
        };
        println!("{name:34} {:8.1} {:8.1}", at(0.5), at(0.95));
    };
    row("whole", &|times| times.whole);
    row("providers", &|times| times.floor);
    row("AURA's own", &|times| times.whole - times.floor);
    row("first_sound_ms of the record", &|times| times.own_count);

    let mut silent: Vec<f64> = (0..turns).filter_map(|_| until_silent(&app, &monitor)).collect();
    silent.sort_by(f64::total_cmp);
    if let (Some(middle), Some(most)) = (silent.get(silent.len() / 2), silent.last()) {
        println!(
            "\nfrom a cancel to the last sound at the speaker: p50 {middle:.1} ms, at most {most:.1} ms, of {}",
            silent.len()
        );
    }
}

/// Milliseconds from a cancel during speech to silence at the speaker. `None` if the speech had ended.
fn until_silent(app: &App, monitor: &SoundMonitor) -> Option<f64> {
    /// A quiet time of this length is silence. Pauses between sentences are shorter.
    const SILENCE: Duration = Duration::from_millis(300);
    std::thread::scope(|scope| {
        let asked = Instant::now();
        let turn = scope.spawn(|| app.call("ask", json!({"text": "do I need a coat", "speech": "aloud"})));
        monitor.onset(asked, LOUD, Duration::from_secs(20)).expect("an answer is played");
        let stopped = Instant::now();
        app.call("cancel", json!({}));
        let record = turn.join().expect("the turn ends");
        wait_until(Duration::from_secs(20), || monitor.last(LOUD).is_none_or(|last| last.elapsed() > SILENCE));
        let last = monitor.last(LOUD)?;
        (record["interrupted"] == true).then(|| last.saturating_duration_since(stopped).as_secs_f64() * 1_000.0)
    })
}

fn turn(app: &App, monitor: &SoundMonitor, providers: &Providers, question: &Path, number: usize) -> Times {
    providers.requests();
    app.call("press", json!({}));
    app.wait_for_recording();
    play_into_microphone(question).wait();
    let released = Instant::now();
    app.call("release", json!({}));
    let heard = monitor.onset(released, LOUD, Duration::from_secs(20)).expect("an answer is played");
    let record = app.turn(number);
    assert!(record["error"].is_null(), "{record:#}");
    let requests = providers.requests();
    let took = |service: &str| {
        let first = requests.iter().find(|request| request["service"] == service && request["method"] == "POST");
        let first = first.unwrap_or_else(|| panic!("no request for {service}: {requests:#?}"));
        first["ended_ms"].as_f64().unwrap_or_default() - first["body_ms"].as_f64().unwrap_or_default()
    };
    // Speech starts after the first sentence, so the rest of the answer is not waited for.
    let rest = (ANSWER.split_whitespace().count() - FIRST_SENTENCE_WORDS) as f64 * CHUNK_MS;
    let floor = took("stt") + took("llm") - rest + took("tts");
    let whole = heard.duration_since(released).as_secs_f64() * 1_000.0;
    Times { whole, floor, own_count: record["first_sound_ms"].as_f64().unwrap_or(f64::NAN) }
}
