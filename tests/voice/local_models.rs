//! Turns with the models of this computer: without an account, and with engines that are killed in the middle of their work.
//!
//! `AURA_ENGINE_KILLS` sets how often an engine is killed in each kind of work; `AURA_TEST_LIMIT`, in seconds, gives it the time.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aura_tests::aura::{App, Aura};
use aura_tests::desktop::with_desktop;
use aura_tests::models::installed;
use aura_tests::process::{Running, wait_until};
use aura_tests::processes::family;
use aura_tests::providers::Providers;
use aura_tests::sound::play_into_microphone;
use aura_tests::speech::say;
use serde_json::{Value, json};

/// A sentence of the provider that takes over.
const ANSWER: &str = "There are many people looking for money.";
/// Kills in each kind of work without `AURA_ENGINE_KILLS`.
const KILLS: usize = 2;
/// The kill after which open files and memory are compared.
const WARM_UP: usize = 1;
/// How many more files than after the warm-up may be open: fewer than one per kill of a full run.
const MAX_MORE_FILES: usize = 12;
/// How much more memory than after the warm-up there may be, in megabytes.
const MAX_MORE_MEMORY: u64 = 30;
/// The time limit of a wait.
const LIMIT: Duration = Duration::from_secs(180);

/// AURA with the models of this computer.
fn with_models(aura: Aura) -> Aura {
    aura.with("AURA_MODELS", installed())
}

#[test]
fn a_spoken_question_is_answered_without_an_account() {
    with_desktop("local_models::a_spoken_question_is_answered_without_an_account", || {
        let aura = with_models(Aura::new());
        let question = aura.folder().join("question.wav");
        say(&question, "where is the train station");
        let ended = aura.run(&["listen", "--audio", "question.wav", "--json"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let turn = ended.json();
        let heard = turn["transcript"].as_str().unwrap_or_default().trim_end_matches(['.', '?']).to_lowercase();
        assert_eq!(heard, "where is the train station", "{turn:#}");
        let answer = turn["answer"].as_str().unwrap_or_default();
        assert!(answer.split_whitespace().count() >= 2, "{turn:#}");
        // Without a chosen language, the recogniser that knows many is used.
        for (stage, model) in
            [("transcribing", "whisper-base"), ("thinking", "smollm2-135m"), ("speaking", "hibari-en")]
        {
            assert_eq!(attempt(&turn, stage)["usage"]["model"], model, "{stage}: {turn:#}");
        }
        let speech = std::fs::metadata(turn["answer_audio"].as_str().unwrap_or_default());
        assert!(speech.is_ok_and(|file| file.len() > 16_000), "{turn:#}");
    });
}

#[test]
fn words_appear_while_one_speaks_without_an_account() {
    with_desktop("local_models::words_appear_while_one_speaks_without_an_account", || {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let aura = with_models(Aura::new()).settings(&format!("[local_api]\nopen = true\nport = {port}\n"));
        let app = aura.start();
        let question = app.aura().folder().join("question.wav");
        say(&question, "where is the train station");
        let events = Events::of(port);
        for kills in [false, true] {
            let number = app.history().len() + 1;
            app.call("press", json!({"speech": "none"}));
            app.wait_for_recording();
            let shown = events.partials().len();
            play_into_microphone(&question).wait();
            let heard = || {
                let partials = events.partials();
                partials[shown..].iter().any(|words| plain(words) == "where is the train station")
            };
            assert!(wait_until(LIMIT, heard), "words appear before the release: {:#?}", events.partials());
            if kills {
                kill_engines(&app);
            }
            app.call("release", json!({}));
            let turn = app.turn_within(number, LIMIT);
            assert_eq!(
                plain(turn["transcript"].as_str().unwrap_or_default()),
                "where is the train station",
                "{turn:#}"
            );
            let attempts: Vec<_> = attempts(&turn, "transcribing").collect();
            assert!(attempts.len() == 1 && attempts[0]["route"]["provider"] == "offline", "{turn:#}");
            let stages = turn["stages"].as_array().into_iter().flatten();
            let took = stages.filter(|stage| stage["stage"] == "transcribing").find_map(|stage| stage["ms"].as_u64());
            eprintln!("from the release to the transcript, engine killed: {kills}: {took:?} ms");
        }
    });
}

/// A text without case and punctuation.
fn plain(text: &str) -> String {
    let kept: String = text.chars().filter(|char| char.is_alphabetic() || *char == ' ').collect();
    kept.trim().to_lowercase()
}

/// The events of the local API.
struct Events {
    /// Ends when this is dropped.
    _curl: Running,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Events {
    fn of(port: u16) -> Self {
        let address = format!("http://127.0.0.1:{port}/events");
        let is_open = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        assert!(wait_until(LIMIT, is_open), "no local API");
        let mut command = Command::new("curl");
        command.args(["-sSfN", &address]).stdout(Stdio::piped());
        let mut curl = Running::start(&mut command, "curl");
        let output = curl.stdout().expect("the output was piped");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let read = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                read.lock().expect("no thread panics").push(line);
            }
        });
        let begun = || !lines.lock().expect("no thread panics").is_empty();
        assert!(wait_until(LIMIT, begun), "no events");
        Self { _curl: curl, lines }
    }

    /// The words that were shown while somebody spoke, with those that could still change.
    fn partials(&self) -> Vec<String> {
        let lines = self.lines.lock().expect("no thread panics");
        let events = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data:")?).ok());
        let text = |event: &Value, field: &str| event[field].as_str().map(str::to_owned);
        events.filter_map(|event| Some(text(&event, "committed")? + &text(&event, "tentative")?)).collect()
    }
}

/// The attempts of a stage of a turn.
fn attempts<'a>(turn: &'a Value, stage: &'a str) -> impl Iterator<Item = &'a Value> {
    let stages = turn["stages"].as_array().into_iter().flatten().filter(move |done| done["stage"] == stage);
    stages.flat_map(|done| done["attempts"].as_array().into_iter().flatten())
}

/// The last of them.
fn attempt(turn: &Value, stage: &str) -> Value {
    attempts(turn, stage).last().cloned().unwrap_or_default()
}

/// A kind of work that a model does.
#[derive(Clone, Copy, Debug)]
struct Work {
    service: &'static str,
    stage: &'static str,
}

const WORK: [Work; 3] = [
    Work { service: "stt", stage: "transcribing" },
    Work { service: "llm", stage: "thinking" },
    Work { service: "tts", stage: "speaking" },
];

/// The engine processes of the app.
fn engines(app: &App) -> Vec<u32> {
    let family = app.process().map(family).unwrap_or_default();
    family.into_iter().filter(|process| process.name == "aura-engine").map(|process| process.id).collect()
}

fn kill_engines(app: &App) {
    for engine in engines(app) {
        // It may have ended by itself.
        let _ = Command::new("kill").args(["-KILL", &engine.to_string()]).status();
    }
}

/// The open files of the app's own process, and the memory that only it has, in megabytes.
fn level(app: &App) -> (usize, u64) {
    let id = app.process().expect("the app runs");
    let files = std::fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count);
    let own = family(id).into_iter().find(|process| process.id == id).and_then(|process| process.memory());
    (files, own.map_or(0, |memory| memory.own / 1024))
}

/// Starts the engine, again if need be, and lets it do some work. Its route is used as before then.
fn works(app: &App, work: Work) {
    let test = app.call("test", json!({"service": work.service, "provider": "offline"}));
    assert!(test["error"].is_null(), "{work:?}: {test:#}");
}

/// Asks aloud, and kills the engine `after` the begin of a stage. Returns the turn.
fn ask(app: &App, work: Work, question: &std::path::Path, after: Duration) -> Value {
    let number = app.history().len() + 1;
    // A small model writes the longer the longer the conversation is.
    app.call("new_session", json!({}));
    app.call("press", json!({"speech": if work.service == "tts" { "file" } else { "none" }}));
    app.wait_for_recording();
    play_into_microphone(question).wait();
    app.call("release", json!({}));
    // The voice begins while the answer is written, and a file is made without being played.
    let begun = if work.service == "tts" { "thinking" } else { work.stage };
    wait_until(LIMIT, || app.stage() == begun || app.history().len() >= number);
    std::thread::sleep(after);
    kill_engines(app);
    app.turn_within(number, LIMIT)
}

#[test]
fn an_engine_that_is_killed_costs_no_turn() {
    with_desktop("local_models::an_engine_that_is_killed_costs_no_turn", || {
        let kills = std::env::var("AURA_ENGINE_KILLS").map_or(KILLS, |count| count.parse().expect("a number"));
        // Long enough that the voice is at work when the engine is killed.
        let providers = Providers::answering(&format!("{ANSWER} ").repeat(40));
        let app = with_models(Aura::new()).with_all(providers.groq()).living(3_600).start();
        let question = app.aura().folder().join("question.wav");
        say(&question, "where is the station");
        for work in WORK {
            let routes = WORK.map(|other| {
                let first = if other.service == work.service { ["offline", "groq"] } else { ["groq", "offline"] };
                (other.service, json!({"provider": first[0], "then": [first[1]]}))
            });
            let routes: serde_json::Map<_, _> =
                routes.into_iter().map(|(service, route)| (service.to_owned(), route)).collect();
            // Words that are recognised while one speaks leave nothing to do after the release.
            app.call("change_settings", json!({"changes": {"routes": routes, "listening": {"streaming": false}}}));
            works(&app, work);
            let (mut taken_over, mut before) = (0, None);
            for kill in 0..kills {
                let turn = ask(&app, work, &question, Duration::from_millis(kill as u64 * 37 % 150));
                assert!(turn["error"].is_null(), "{work:?}, {kill}: {turn:#}");
                assert!(!turn["answer"].as_str().unwrap_or_default().is_empty(), "{work:?}, {kill}: {turn:#}");
                let recording = std::fs::metadata(turn["question_audio"].as_str().unwrap_or_default());
                assert!(recording.is_ok_and(|file| file.len() > 1_000), "{work:?}, {kill}: {turn:#}");
                // The voice of later sentences may be the own one again.
                let took_over = attempts(&turn, work.stage).any(|attempt| attempt["route"]["provider"] == "groq");
                taken_over += usize::from(took_over);
                works(&app, work);
                // The first rounds open what the window and the sound server need once.
                if kill == WARM_UP {
                    before = Some(level(&app));
                }
            }
            let (files_now, memory_now) = level(&app);
            let (files, memory) = before.unwrap_or((files_now, memory_now));
            println!(
                "{}: {kills} kills, {taken_over} taken over; {files} to {files_now} open files, {memory} to {memory_now} MB",
                work.service
            );
            assert!(taken_over > 0, "no engine was killed at work in {work:?}");
            assert!(files_now <= files + MAX_MORE_FILES, "{work:?}: {files} open files became {files_now}");
            assert!(memory_now <= memory + MAX_MORE_MEMORY, "{work:?}: {memory} MB became {memory_now} MB");
        }
    });
}
