//! `cargo xtask bench local`: the time from the release of the key to the first sound with the models of this computer alone.
//!
//! The app is the real one, with window, microphone and speaker, on a private sound server and display. The question is three seconds of
//! human speech. The time is taken at the speaker, not in AURA.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aura_tests::aura::{App, Aura};
use aura_tests::desktop::in_private_desktop;
use aura_tests::models::installed;
use aura_tests::sound::{SoundMonitor, play_into_microphone};
use serde_json::{Value, json};

/// A peak above the chime at the start of a recording and below speech.
const LOUD: f32 = 0.15;
/// The length of the question.
const QUESTION: Duration = Duration::from_secs(3);
/// Keeps the answers short: a small model tends to go on.
const INSTRUCTIONS: &str = "Answer in one short sentence.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(turns), Some(programs)) =
        (arguments.first().and_then(|turns| turns.parse::<usize>().ok()), arguments.get(1))
    else {
        eprintln!("usage: bench-local TURNS FOLDER-OF-PROGRAMS; `cargo xtask bench local` calls it");
        return ExitCode::from(2);
    };
    in_private_desktop(1280, 900, true, || measure(turns, Path::new(programs)))
}

/// Writes the first three seconds of a recording of human speech.
fn write_question(file: &Path) {
    let speech = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/speech/jfk.wav");
    let mut reader = hound::WavReader::open(&speech).expect("the recording is in the repository");
    let spec = reader.spec();
    let count = spec.sample_rate as usize * QUESTION.as_secs() as usize;
    let mut writer = hound::WavWriter::create(file, spec).expect("the folder can be written");
    for sample in reader.samples::<i16>().take(count) {
        writer.write_sample(sample.expect("a sample")).expect("the file can be written");
    }
    writer.finalize().expect("the file can be written");
}

fn measure(turns: usize, programs: &Path) {
    let aura = Aura::of(programs.join("aura"))
        .with("AURA_MODELS", installed())
        .living(3_600)
        .settings(&format!("instructions = \"{INSTRUCTIONS}\"\n"));
    let question = aura.folder().join("question.wav");
    write_question(&question);
    let app = aura.start();
    let monitor = SoundMonitor::open();
    let mut rows: Vec<(f64, Value)> = Vec::new();
    for number in 0..=turns {
        let (whole, record) = turn(&app, &monitor, &question, number + 1);
        let not_counted = if number == 0 { " (not counted: the models are loaded)" } else { "" };
        println!("turn {number:2}: {whole:6.0} ms: {} → {}{not_counted}", record["transcript"], record["answer"]);
        if number > 0 {
            rows.push((whole, record));
        }
    }
    println!(
        "\nfrom release to the first sound at the speaker, models on this computer, {turns} turns\n{:34} {:>8} {:>8}",
        "milliseconds", "p50", "p95"
    );
    print_row("whole", rows.iter().map(|(whole, _)| *whole).collect());
    for stage in ["transcribing", "thinking", "speaking"] {
        let of = |record: &Value| -> Option<f64> {
            let stages = record["stages"].as_array()?;
            stages.iter().find(|done| done["stage"] == stage)?["first_ms"].as_f64()
        };
        print_row(stage, rows.iter().filter_map(|(_, record)| of(record)).collect());
    }
}

fn print_row(name: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let at = |part: f64| values.get((values.len() as f64 * part).ceil() as usize - 1).copied().unwrap_or(f64::NAN);
    if !values.is_empty() {
        println!("{name:34} {:8.0} {:8.0}", at(0.5), at(0.95));
    }
}

/// Asks the question aloud. Returns the milliseconds from the release to the first sound, and the turn.
fn turn(app: &App, monitor: &SoundMonitor, question: &Path, number: usize) -> (f64, Value) {
    app.call("press", json!({}));
    app.wait_for_recording();
    play_into_microphone(question).wait();
    let released = Instant::now();
    app.call("release", json!({}));
    let heard = monitor.onset(released, LOUD, Duration::from_secs(60)).expect("an answer is played");
    // The rest is not measured, and a small model may talk for minutes.
    app.call("cancel", json!({}));
    let record = app.turn(number);
    assert!(!record["first_sound_ms"].is_null(), "{record:#}");
    // The next question begins a new conversation, so that each turn has as much to read.
    app.call("new_session", json!({}));
    (heard.duration_since(released).as_secs_f64() * 1_000.0, record)
}
