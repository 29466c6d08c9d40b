//! `cargo xtask bench voice`: the time from the release of the key to the first sound, AURA's own part of it in stages, the same of other
//! programs in the same rounds, and the time from a cancel to silence.
//!
//! The providers have fixed delays, which are subtracted. The app is the real one, with window, microphone and speaker, on a private sound
//! server and display. All times are taken outside of it: when the key was let go, what the providers received, and what the speaker played.

mod client;
mod providers;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use aura_tests::aura::App;
use aura_tests::display::Display;
use aura_tests::process::wait_until;
use aura_tests::quantile::quantile;
use aura_tests::sound::{Sound, SoundMonitor, play_into_microphone};
use aura_tests::speech::say;
use clap::Parser;
use serde_json::{Value, json};

use crate::client::Client;
use crate::providers::{Providers, Stages};

/// Set in the process that has the private desktop.
const INSIDE: &str = "AURA_BENCH_INSIDE";

/// A peak above the chime at the start of a recording and below the tone that stands for speech.
const LOUD: f32 = 0.25;

/// A quiet time of this length is silence. Pauses between sentences are shorter.
const SILENCE: Duration = Duration::from_millis(700);

/// Answers are played within this.
const LIMIT: Duration = Duration::from_secs(20);

/// `cargo xtask bench voice` calls this.
#[derive(Debug, Parser)]
struct Options {
    /// Turns of each program that are measured, after one that is not.
    turns: usize,
    /// The folder with AURA's programs. Absolute, because they are started in folders of their own.
    programs: PathBuf,
    /// A Python interpreter with the packages of the other programs.
    #[arg(long)]
    python: Option<PathBuf>,
    /// The folder of the other programs.
    #[arg(long, requires = "python")]
    peers: Option<PathBuf>,
    /// Also write the times to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if std::env::var_os(INSIDE).is_some() {
        measure(&options);
        return ExitCode::SUCCESS;
    }
    let (sound, display) = (Sound::start(), Display::managed(1280, 900));
    let mut inside = Command::new(std::env::current_exe().expect("a program knows its own path"));
    inside.args(std::env::args_os().skip(1)).env(INSIDE, "1");
    let done = inside.envs(sound.alsa_environment()).envs(display.environment()).status();
    if done.expect("the program can start itself").success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(options: &Options) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let providers = Providers::start(&options.programs, folder.path());
    let question = folder.path().join("question.wav");
    say(&question, "do I need a coat");
    let mut clients = vec![
        ("AURA", Client::aura(&options.programs, &providers, 9, "never")),
        ("AURA with a screenshot", Client::aura(&options.programs, &providers, 8, "always")),
    ];
    if let (Some(python), Some(peers)) = (&options.python, &options.peers) {
        let python = |script: &str| Client::python(python, &peers.join(script), &providers);
        clients.push(("Pipecat", python("pipecat_client.py")));
        clients.push(("one call after the other", python("sequential_client.py")));
    }
    let monitor = SoundMonitor::open();
    let mut all: Vec<(&str, Vec<Stages>)> = clients.iter().map(|(name, _)| (*name, Vec::new())).collect();
    for round in 0..=options.turns {
        for ((name, client), (_, times)) in clients.iter_mut().zip(&mut all) {
            let stages = turn(client, &monitor, &providers, &question);
            let (whole, own) = (stages.whole(), stages.own());
            println!(
                "{round:2} {name:26} {whole:7.1} ms, own {own:6.1}{}",
                if round == 0 { " (not counted)" } else { "" }
            );
            if round > 0 {
                times.push(stages);
            }
        }
    }
    let build = if options.programs.ends_with("release") { "optimised" } else { "debug" };
    println!("\nfrom the release of the key to the first sound, {build} build, {} turns, ms: p50 / p95", options.turns);
    report(&all);
    if let Some(file) = &options.json {
        let list = |times: &[Stages]| times.iter().map(Stages::json).collect::<Vec<_>>();
        let json: Value = all.iter().map(|(name, times)| ((*name).to_owned(), json!(list(times)))).collect();
        std::fs::write(file, format!("{json:#}\n")).expect("the file can be written");
    }
    if let Some((_, Client::Aura(aura))) = clients.first() {
        silence(&aura.app, &monitor, options.turns);
    }
}

fn turn(client: &mut Client, monitor: &SoundMonitor, providers: &Providers, question: &Path) -> Stages {
    providers.requests();
    client.press();
    // A person needs longer from the key to the first word.
    std::thread::sleep(Duration::from_millis(300));
    play_into_microphone(question).wait();
    let released = Instant::now();
    client.release();
    let heard = monitor.onset(released, LOUD, LIMIT).expect("an answer is played");
    assert!(is_silent(monitor, SILENCE), "the answer does not end");
    providers.stages(released, heard)
}

fn is_silent(monitor: &SoundMonitor, length: Duration) -> bool {
    wait_until(LIMIT, || monitor.last(LOUD).is_none_or(|last| last.elapsed() > length))
}

/// Prints the stages of each program.
fn report(all: &[(&str, Vec<Stages>)]) {
    type Part = (&'static str, fn(&Stages) -> f64);
    let parts: [Part; 7] = [
        ("release → recording sent", |stages| stages.to_recording),
        ("transcript → question sent", |stages| stages.to_question),
        ("sentence → speech requested", |stages| stages.to_sentence),
        ("first byte of sound → heard", |stages| stages.to_sound),
        ("its own", Stages::own),
        ("the providers'", |stages| stages.providers),
        ("whole", Stages::whole),
    ];
    print!("{:30}", "");
    all.iter().for_each(|(name, _)| print!(" {name:>26}"));
    println!();
    for (part, of) in parts {
        print!("{part:30}");
        for (_, times) in all {
            let at = |part| quantile(times.iter().map(of), part).unwrap_or(f64::NAN);
            print!(" {:>26}", format!("{:.1} / {:.1}", at(0.5), at(0.95)));
        }
        println!();
    }
}

/// Prints the time from a cancel to silence.
fn silence(app: &App, monitor: &SoundMonitor, turns: usize) {
    let silent: Vec<f64> = (0..turns).filter_map(|_| until_silent(app, monitor)).collect();
    let (at, count) = (|part| quantile(silent.iter().copied(), part), silent.len());
    if let (Some(middle), Some(most)) = (at(0.5), at(1.0)) {
        println!(
            "\nfrom a cancel to the last sound at the speaker: p50 {middle:.1} ms, at most {most:.1} ms, of {count}"
        );
    }
}

/// Milliseconds from a cancel during speech to silence at the speaker. `None` if the speech had ended.
fn until_silent(app: &App, monitor: &SoundMonitor) -> Option<f64> {
    std::thread::scope(|scope| {
        let asked = Instant::now();
        let turn = scope.spawn(|| app.call("ask", json!({"text": "do I need a coat", "speech": "aloud"})));
        monitor.onset(asked, LOUD, LIMIT).expect("an answer is played");
        let stopped = Instant::now();
        app.call("cancel", json!({}));
        let record = turn.join().expect("the turn ends");
        is_silent(monitor, SILENCE);
        let last = monitor.last(LOUD)?;
        (record["interrupted"] == true).then(|| last.saturating_duration_since(stopped).as_secs_f64() * 1_000.0)
    })
}
