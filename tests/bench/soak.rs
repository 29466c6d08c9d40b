//! `cargo xtask soak`: hundreds of spoken turns in a few minutes. Checks that memory does not grow, and that AURA is idle while its window
//! is hidden.
//!
//! Each turn is complete: speech from a microphone, levels, a transcript, a streamed answer, and speech output. Only the providers are
//! faster than real ones.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use aura_sandbox::{Delays, FixedAnswers, FixedAudio, SandboxConfig, Script, TestSignal};
use aura_tests::aura::{App, Aura};
use aura_tests::desktop::in_private_desktop;
use aura_tests::process::{Running, wait_until};
use aura_tests::processes::{Memory, family, shares_of_a_core};
use aura_tests::providers::Providers;
use aura_tests::sound::play_into_microphone_endlessly;
use aura_tests::speech::say;
use serde_json::{Value, json};

const QUESTION: &str = "what is the weather like today and do I need a coat";
const ANSWER: &str = "It is going to rain today, and in the afternoon there will be some wind from the west. \
    Take a coat with you, and perhaps an umbrella as well. Tomorrow the sun comes back.";

/// The length of each question: long enough for a dozen levels.
const QUESTION_LENGTH: Duration = Duration::from_millis(500);
/// How long the speaker's stream stays open after the last sound. The program is idle after that.
const SPEAKER_TIMEOUT: Duration = Duration::from_secs(20);
/// The pause before a measurement, in which the processes of the window settle.
const SETTLE_TIME: Duration = Duration::from_secs(4);
/// The time over which the idle program is measured.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// The memory growth allowed between the first turns and the last one.
const MAX_GROWTH: f64 = 0.10;
/// The share of a core that the idle program may use while its window is hidden.
const MAX_IDLE_SHARE: f64 = 0.005;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(turns), Some(first), Some(programs)) = (number(&arguments, 0), number(&arguments, 1), arguments.get(2))
    else {
        eprintln!("usage: soak TURNS FIRST FOLDER-OF-PROGRAMS [check]; `cargo xtask soak` calls it");
        return ExitCode::from(2);
    };
    let check = arguments.get(3).is_some_and(|word| word == "check");
    in_private_desktop(1280, 900, true, || {
        if !soak(turns, first, Path::new(programs)) && check {
            std::process::exit(1);
        }
    })
}

fn number(arguments: &[String], at: usize) -> Option<usize> {
    arguments.get(at)?.parse().ok()
}

/// Memory in use after a number of turns.
#[derive(Clone, Copy)]
struct Measured {
    turns: usize,
    main: Memory,
    web: Memory,
}

fn soak(turns: usize, first: usize, programs: &Path) -> bool {
    let providers = Providers::of(SandboxConfig {
        script: Script::always(ANSWER),
        delays: Delays { stt_ms: 20, llm_first_ms: 20, llm_chunk_ms: 4, tts_first_ms: 20, ..Delays::default() },
        fixed: FixedAnswers {
            transcript: Some(QUESTION.to_owned()),
            audio: Some(FixedAudio { sound: TestSignal::Noise, ms: 60 }),
        },
        ..SandboxConfig::default()
    });
    let app = Aura::of(programs.join("aura")).with_all(providers.groq()).living(7_200).start();
    let (question, spoken) = (app.aura().folder().join("question.wav"), app.aura().folder().join("spoken.wav"));
    say(&question, QUESTION);
    // Without pauses, because each turn records another part of it.
    let mut shorten = Command::new("sox");
    shorten.arg(&question).arg(&spoken).args("silence -l 1 0.01 1% -1 0.05 1%".split(' '));
    Running::start(&mut shorten, "sox").wait();
    let _speaker = play_into_microphone_endlessly(&spoken);
    std::thread::sleep(SETTLE_TIME);

    let idle_before = hidden(|| shares_of_a_core(app.starter(), IDLE_TIME));
    let mut all = vec![measure(&app, 0)];
    print(&all[0]);
    let begun = Instant::now();
    let mut missed = 0;
    let mut done = 0;
    while done < turns {
        if turn(&app) {
            done += 1;
        } else {
            missed += 1;
            assert!(missed < 10 + turns / 10, "{missed} turns did not end; the stage is `{}`", app.stage());
        }
        if done == first || done == turns || done % 50 == 0 {
            let measured = measure(&app, done);
            print(&measured);
            all.push(measured);
        }
    }
    let took = begun.elapsed().as_secs_f64();
    std::thread::sleep(SPEAKER_TIMEOUT);
    let idle_after = hidden(|| shares_of_a_core(app.starter(), IDLE_TIME));
    let early = all.iter().find(|measured| measured.turns == first).copied();
    let (Some(early), Some(late)) = (early, all.last().copied()) else { return false };

    println!("\n{turns} spoken turns in {took:.0} s, {missed} not counted; memory in MB, of {}", names(&app));
    println!("{:34} {:>10} {:>10} {:>8}", "", format!("turn {first}"), format!("turn {turns}"), "growth");
    let row = |name: &str, before: u64, after: u64, kept: bool| {
        let growth = after as f64 / before.max(1) as f64 - 1.0;
        let good = !kept || growth <= MAX_GROWTH;
        let verdict = if good { "" } else { "  too much" };
        println!("{name:34} {:10.1} {:10.1} {:7.1}%{verdict}", megabytes(before), megabytes(after), growth * 100.0);
        good
    };
    // Only the PSS is checked. The private memory of the web processes still grows at turn 50, from about 103 MB to the 118 to 124 MB
    // that it keeps from turn 200 to turn 1500, while the engine's caches and heap fill up.
    let memory = [
        row("main process, private", early.main.own, late.main.own, false),
        row("main process, PSS", early.main.pss, late.main.pss, true),
        row("main process, RSS", early.main.rss, late.main.rss, false),
        row("web processes, private", early.web.own, late.web.own, false),
        row("web processes, PSS", early.web.pss, late.web.pss, true),
        row("web processes, RSS", early.web.rss, late.web.rss, false),
    ];
    let idle = |name: &str, shares: &[(String, f64)]| {
        let share: f64 = shares.iter().map(|(_, share)| share).sum();
        let of =
            shares.iter().filter(|(_, share)| *share > 0.0).map(|(of, share)| format!("{of} {:.2}", share * 100.0));
        let verdict = if share < MAX_IDLE_SHARE { "" } else { "  too much" };
        println!("{name:34} {:9.2}% of a core ({}){verdict}", share * 100.0, of.collect::<Vec<_>>().join(", "));
        share < MAX_IDLE_SHARE
    };
    let idles = [idle("hidden and idle, before", &idle_before), idle("hidden and idle, after", &idle_after)];
    memory.into_iter().chain(idles).all(|good| good)
}

/// Does one spoken turn. False if it failed or was too short: the soak does not test recognition.
fn turn(app: &App) -> bool {
    let newest = || app.call("history", json!({"limit": 1}))[0]["id"].clone();
    let before = newest();
    app.call("press", json!({}));
    std::thread::sleep(QUESTION_LENGTH);
    app.call("release", json!({}));
    let ended = wait_until(Duration::from_secs(20), || app.stage() == "idle" && newest() != before);
    let record: Value = app.call("history", json!({"limit": 1}))[0].clone();
    ended && record["error"].is_null()
}

/// The memory of the program after it has settled: the median of five samples, because garbage collection makes it vary.
fn measure(app: &App, turns: usize) -> Measured {
    std::thread::sleep(SETTLE_TIME);
    let mut samples: Vec<Measured> = (0..5)
        .map(|_| {
            std::thread::sleep(Duration::from_secs(1));
            let (mut main, mut web) = (Memory::default(), Memory::default());
            for process in family(app.starter()) {
                let Some(memory) = process.memory() else { continue };
                match process.name.as_str() {
                    "aura" => main += memory,
                    _ if process.is_web() => web += memory,
                    _ => {}
                }
            }
            Measured { turns, main, web }
        })
        .collect();
    samples.sort_by_key(|sample| sample.main.own + sample.web.own);
    samples[samples.len() / 2]
}

fn print(measured: &Measured) {
    println!(
        "turn {:4}: main {:6.1} MB, web {:6.1} MB private; PSS {:6.1} and {:6.1}",
        measured.turns,
        megabytes(measured.main.own),
        megabytes(measured.web.own),
        megabytes(measured.main.pss),
        megabytes(measured.web.pss)
    );
}

fn megabytes(kilobytes: u64) -> f64 {
    kilobytes as f64 / 1024.0
}

fn names(app: &App) -> String {
    let mut names: Vec<String> = family(app.starter()).into_iter().map(|process| process.name).collect();
    names.retain(|name| name != "timeout");
    names.join(", ")
}

/// Runs `work` while the main window is minimised.
fn hidden<T>(work: impl FnOnce() -> T) -> T {
    window(&["windowminimize"]);
    std::thread::sleep(SETTLE_TIME);
    let done = work();
    window(&["windowmap"]);
    std::thread::sleep(SETTLE_TIME);
    done
}

/// Runs an xdotool command on the main window.
fn window(what: &[&str]) {
    let mut command = Command::new("xdotool");
    command.args(["search", "--name", "^AURA$"]).args(what).arg("%@").stdout(Stdio::null());
    Running::start(&mut command, "xdotool").wait();
}
