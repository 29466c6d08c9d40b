//! Ends one app again and again, and examines what is left.

use std::path::Path;
use std::time::{Duration, Instant};

use aura_sandbox::{Delays, FixedAnswers, FixedAudio, SandboxConfig, Script, Service, TestSignal};
use aura_tests::aura::{App, Aura};
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::sound::{make_noise, play_into_microphone_endlessly};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::TOLERANCE;
use crate::ears::Ears;
use crate::moment::{Moment, Outcome, Phase};

/// The transcript of each question.
const QUESTION: &str = "how many are there";
/// The answer to each question: two sentences.
const ANSWER: &str = "There are many people here. All of them look for money.";
/// The time limit of a stage.
const LIMIT: Duration = Duration::from_secs(30);
/// The longest time from SIGTERM to the end of the app.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// Runs the moments of a worker, one after another, on one data folder.
pub(crate) fn run(moments: &[Moment]) {
    let providers = Providers::of(SandboxConfig {
        script: Script::always(ANSWER),
        delays: Delays { stt_ms: 200, llm_first_ms: 150, llm_chunk_ms: 20, tts_first_ms: 50, ..Delays::default() },
        fixed: FixedAnswers {
            transcript: Some(QUESTION.into()),
            audio: Some(FixedAudio { sound: TestSignal::Tone, ms: 300 }),
        },
        ..SandboxConfig::default()
    });
    let aura = Aura::new().with_all(providers.groq()).living(3_600).settings("[startup]\nbackground = false\n");
    let noise = aura.folder().join("noise.wav");
    make_noise(&noise, 30);
    let _player = play_into_microphone_endlessly(&noise);
    let ears = Ears::open();
    let mut trial = Trial { app: aura.start(), providers, ears, turns: Vec::new() };
    for moment in moments {
        trial.run(moment).report();
    }
}

/// An app under trial.
struct Trial {
    app: App,
    providers: Providers,
    ears: Ears,
    /// The IDs of the turns so far.
    turns: Vec<String>,
}

/// What was observed of a turn until the app was ended.
#[derive(Default)]
struct Observed {
    /// The app showed the turn.
    shown: bool,
    /// Samples heard when the key was pressed.
    pressed: usize,
    /// Samples heard when the recording should end: at the release, or when the app was ended.
    until: usize,
    /// Requests that the provider had received before.
    requests: usize,
    /// Attempts in the ledger before.
    attempts: usize,
    /// The instructions that were saved last for certain.
    instructions: String,
}

impl Trial {
    /// Asks a question aloud, ends the app at the moment, starts it again and examines what is left.
    fn run(&mut self, moment: &Moment) -> Outcome {
        let mut outcome = Outcome {
            signal: moment.signal.into(),
            phase: moment.phase.name().into(),
            at_ms: moment.after_us / 1_000,
            ..Outcome::default()
        };
        let observed = self.ask_and_end(moment, &mut outcome);
        self.app.start_again_unseen();
        self.examine(moment, &observed, &mut outcome);
        outcome
    }

    fn ask_and_end(&mut self, moment: &Moment, outcome: &mut Outcome) -> Observed {
        let mut observed = Observed {
            requests: self.requests(),
            attempts: attempts(&self.app.aura().data()),
            instructions: format!("Moment {}.", moment.number),
            ..Observed::default()
        };
        let changes = json!({"changes": {"instructions": observed.instructions}});
        self.app.call("change_settings", changes);
        observed.pressed = self.ears.now();
        self.app.call("press", json!({}));
        let pressed = Instant::now();
        let ended = match moment.phase {
            Phase::Press => self.end_after(moment, pressed),
            _ => {
                self.until_stage("listening");
                observed.shown = true;
                self.ask(moment, pressed, &mut observed)
            }
        };
        if matches!(moment.phase, Phase::Press | Phase::Listening) {
            observed.until = ended;
        }
        if !self.app.ends_within(SHUTDOWN) {
            outcome.failures.push("The app does not end.".into());
            self.app.signal("KILL");
            self.app.ends_within(SHUTDOWN);
        }
        observed
    }

    /// Asks the question whose recording has begun, and ends the app at the moment.
    fn ask(&self, moment: &Moment, pressed: Instant, observed: &mut Observed) -> usize {
        let listening = Instant::now();
        if moment.phase == Phase::Listening {
            return self.end_after(moment, listening);
        }
        sleep_until(pressed + Duration::from_millis(moment.hold_ms));
        observed.until = self.ears.now();
        self.app.call("release", json!({}));
        let stage = match moment.phase {
            Phase::Transcribing => "transcribing",
            Phase::Thinking => "thinking",
            Phase::Speaking => "speaking",
            Phase::Saving => "idle",
            _ => return self.end_after(moment, Instant::now()),
        };
        if moment.phase == Phase::Saving {
            // The last sentence was played; the end is near, or was just reached.
            self.until_stage("speaking");
            let spoken = || !matches!(self.app.stage().as_str(), "speaking");
            let near = Instant::now() + Duration::from_millis(560);
            wait_until(LIMIT, || spoken() || Instant::now() > near);
        } else {
            self.until_stage(stage);
        }
        self.end_after(moment, Instant::now())
    }

    /// Ends the app so long after the begin of the phase. Returns the number of samples heard by then.
    fn end_after(&self, moment: &Moment, begin: Instant) -> usize {
        let process = self.app.process().expect("the app runs");
        sleep_until(begin + Duration::from_micros(moment.after_us));
        let heard = self.ears.now();
        let signal = format!("-{}", moment.signal);
        let sent = std::process::Command::new("kill").args([&signal, &process.to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the app can be signalled");
        heard
    }

    /// Waits until the app shows a stage, or a later one.
    fn until_stage(&self, stage: &str) {
        const ORDER: [&str; 4] = ["listening", "transcribing", "thinking", "speaking"];
        let place = |stage: &str| ORDER.iter().position(|known| *known == stage);
        let reached = wait_until(LIMIT, || place(&self.app.stage()) >= place(stage));
        assert!(reached, "the stage is `{}` and never `{stage}`", self.app.stage());
    }

    fn examine(&mut self, moment: &Moment, observed: &Observed, outcome: &mut Outcome) {
        let data = self.app.aura().data();
        let history = self.app.call("history", json!({"limit": 1_000}));
        let history = history.as_array().cloned().unwrap_or_default();
        let ids: Vec<String> = history.iter().map(|turn| text(turn, "id")).collect();
        let mut fail = |message: String| outcome.failures.push(message);
        let lost = self.turns.iter().filter(|id| !ids.contains(id)).count();
        if lost > 0 {
            fail(format!("{lost} earlier turns are no longer listed."));
        }
        let new: Vec<&Value> = history.iter().filter(|turn| !self.turns.contains(&text(turn, "id"))).collect();
        let recorded = files(&data.join("recordings"))
            .into_iter()
            .any(|name| name.ends_with("-question.wav") && !self.turns.iter().any(|id| name.starts_with(id.as_str())));
        outcome.begun = observed.shown || recorded || self.requests() > observed.requests;
        outcome.listed = new.len() == 1;
        if new.len() > 1 || (new.is_empty() && outcome.begun) {
            fail(format!("The turn has begun, and {} turns are listed.", new.len()));
        }
        let settings = self.app.call("snapshot", json!({}))["settings"].clone();
        if settings["instructions"] != json!(observed.instructions) {
            fail(format!("The settings are {}.", settings["instructions"]));
        }
        if let Err(message) = self.examine_ledger(moment, observed, new.first().copied()) {
            outcome.failures.push(message);
        }
        if let Some(turn) = new.first() {
            let turn = (*turn).clone();
            self.examine_turn(&turn, observed, outcome);
        }
        let history = self.app.call("history", json!({"limit": 1_000}));
        self.turns = history.as_array().into_iter().flatten().map(|turn| text(turn, "id")).collect();
    }

    /// Examines the recording of a turn, and retries the turn.
    fn examine_turn(&self, turn: &Value, observed: &Observed, outcome: &mut Outcome) {
        outcome.complete = turn["error"].is_null() && text(turn, "answer") == ANSWER;
        // What a person can have said until then.
        let heard = samples_of(observed.until.saturating_sub(observed.pressed));
        match turn["question_audio"].as_str() {
            Some(path) => {
                let recording = samples(Path::new(path));
                let missing = self.ears.missing_ms(&recording, observed.pressed, observed.until);
                outcome.missing_ms = missing;
                match missing {
                    Some(missing) if missing > i64::try_from(TOLERANCE.as_millis()).unwrap() => {
                        let has = samples_of(recording.len()).as_millis();
                        outcome.failures.push(format!(
                            "The last {missing} ms of the sound are missing: it has {has} ms of {} ms.",
                            heard.as_millis()
                        ));
                    }
                    // A recording of less than 50 ms has too little to be compared.
                    None if recording.len() >= 800 => {
                        outcome.failures.push("The recording holds another sound.".into())
                    }
                    _ => {}
                }
            }
            // The microphone takes a moment to open.
            None if observed.shown && heard > Duration::from_millis(500) => {
                outcome.failures.push("There is no recording.".into());
            }
            None => {}
        }
        if outcome.complete {
            return;
        }
        let code = turn["error"]["code"].as_str().unwrap_or_default();
        // An answer that was cut by SIGTERM is listed as far as it was written.
        if code != "unfinished" {
            outcome.failures.push(format!("The turn did not fail as it should: {turn}"));
        }
        let can_be_retried = !text(turn, "transcript").is_empty()
            || turn["question_audio"].as_str().is_some_and(|path| samples(Path::new(path)).len() >= 16 * 250);
        if can_be_retried {
            let retried = self.app.call("retry", json!({"id": turn["id"]}));
            outcome.retried = retried["error"].is_null() && text(&retried, "answer") == ANSWER;
            if !outcome.retried {
                outcome.failures.push(format!("It cannot be retried: {}", retried["error"]));
            }
        } else if !turn["error"]["message"].as_str().unwrap_or_default().contains("gain")
            && turn["question_audio"].is_null()
        {
            outcome.failures.push(format!("The person is not told to ask again: {}", turn["error"]));
        }
    }

    /// Examines the database: it is whole, and what the turn says about its calls is in the ledger.
    fn examine_ledger(&self, moment: &Moment, observed: &Observed, turn: Option<&Value>) -> Result<(), String> {
        let data = self.app.aura().data();
        let database = Connection::open(data.join("history.db")).map_err(|cause| cause.to_string())?;
        let check: String =
            database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(|cause| cause.to_string())?;
        if check != "ok" {
            return Err(format!("The database is damaged: {check}"));
        }
        if files(&data).iter().any(|name| name.starts_with("history.broken")) {
            return Err("The history was set aside.".into());
        }
        let now = attempts(&data);
        let stages = turn.and_then(|turn| turn["stages"].as_array()).into_iter().flatten();
        let of_turn: usize = stages.map(|stage| stage["attempts"].as_array().map_or(0, Vec::len)).sum();
        let in_ledger = now.checked_sub(observed.attempts).ok_or("Entries of the ledger are lost.")?;
        let called = self.requests() - observed.requests;
        // After SIGKILL, the call that had just ended may be missing. No call is counted that was not made.
        let is_right = match moment.signal {
            "TERM" => in_ledger == of_turn,
            _ => (of_turn.saturating_sub(1)..=called).contains(&in_ledger),
        };
        let figures = format!("{called} calls were made; the ledger has {in_ledger} attempts, the turn {of_turn}.");
        if is_right { Ok(()) } else { Err(figures) }
    }

    /// The requests for text and speech that the provider received.
    fn requests(&self) -> usize {
        [Service::Stt, Service::Llm, Service::Tts].map(|service| self.providers.requests(service).len()).iter().sum()
    }
}

fn sleep_until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
}

fn samples_of(count: usize) -> Duration {
    Duration::from_millis(count as u64 / 16)
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// The names in a folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The samples of a recording, as its header announces them.
fn samples(path: &Path) -> Vec<i16> {
    let mut reader = hound::WavReader::open(path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()));
    reader.samples::<i16>().map(|sample| sample.unwrap()).collect()
}

/// The number of attempts in the ledger.
fn attempts(data: &Path) -> usize {
    let count = Connection::open(data.join("history.db"))
        .and_then(|database| database.query_row("SELECT count(*) FROM attempts", [], |row| row.get::<_, i64>(0)));
    usize::try_from(count.unwrap_or_default()).unwrap()
}
