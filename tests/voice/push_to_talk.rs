//! Questions by push-to-talk, and recordings of the answers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aura_tests::aura::App;
use aura_tests::display::xdotool;
use aura_tests::process::wait_until;
use aura_tests::sound::play_into_microphone;
use aura_tests::speech::{Recorder, assert_says, recognise, say, words};
use serde_json::Value;

/// The global shortcut.
pub(crate) const SHORTCUT: &str = "ctrl+shift+space";

/// A turn, with a recording of its answer.
pub(crate) struct Heard {
    /// The record of the turn.
    pub(crate) record: Value,
    /// The recording of the speaker.
    pub(crate) recording: PathBuf,
}

/// Synthesizes a spoken question into a file.
pub(crate) fn question(app: &App, text: &str) -> PathBuf {
    let file = app.aura().folder().join("question.wav");
    say(&file, text);
    file
}

/// Holds the shortcut, plays the question into the microphone, releases, and records the answer.
pub(crate) fn ask_aloud(app: &App, text: &str) -> Heard {
    let turns = app.history().len();
    let question = question(app, text);
    let recorder = Recorder::start();
    hold_shortcut(app);
    app.wait_for_recording();
    play_into_microphone(&question).wait();
    xdotool(&["keyup", SHORTCUT]);
    recorder.mark();
    let record = app.turn(turns + 1);
    assert!(
        recorder.wait_for_silence(Duration::from_millis(500), Duration::from_secs(60)),
        "the speaker does not fall silent"
    );
    let recording = recorder.save(&app.aura().folder().join("answer.wav"));
    Heard { record, recording }
}

/// Presses the shortcut and keeps it pressed. Waits until AURA listens.
pub(crate) fn hold_shortcut(app: &App) {
    hold_keys(app, SHORTCUT);
}

/// Like [`hold_shortcut`], for another shortcut.
pub(crate) fn hold_keys(app: &App, keys: &str) {
    // A key that is pressed before AURA has grabbed it is lost.
    for _ in 0..3 {
        xdotool(&["keydown", keys]);
        if wait_until(Duration::from_secs(20), || app.stage() == "listening") {
            return;
        }
        xdotool(&["keyup", keys]);
    }
    panic!("AURA does not react to its shortcut; the stage is `{}`", app.stage());
}

impl Heard {
    /// Panics unless AURA's recording of the question contains this sentence and the transcript is not empty. The words of the
    /// transcript depend on the recogniser, which confuses words that sound alike.
    pub(crate) fn assert_understood(&self, sentence: &str) {
        let recording = self.record["question_audio"].as_str().expect("the question is kept");
        let heard = recognise(Path::new(recording), &[sentence.to_owned()]);
        assert!(heard.iter().any(|heard| heard == sentence), "the recording {recording} says {heard:?}");
        assert!(self.record["transcript"].as_str().is_some_and(|text| !words(text).is_empty()), "{:#}", self.record);
    }

    /// Panics unless the record reports these sentences as spoken, and the speaker played them.
    pub(crate) fn assert_spoken(&self, sentences: &[&str]) {
        let spoken = self.record["spoken"].as_str().unwrap_or_default();
        assert_eq!(words(spoken), words(&sentences.join(" ")), "{:#}", self.record);
        let sentences: Vec<String> = sentences.iter().map(|sentence| (*sentence).to_owned()).collect();
        assert_says(&self.recording, &sentences);
    }
}

/// The stages of a turn that have a route, in order, with the provider that answered.
pub(crate) fn routes(record: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let stages = record["stages"].as_array().cloned().unwrap_or_default();
    stages
        .iter()
        .filter(|stage| stage["route"].is_object())
        .map(|stage| (text(&stage["stage"]), text(&stage["route"]["provider"])))
        .collect()
}

/// Panics unless the turn succeeded and this provider did every stage.
pub(crate) fn assert_all_by(record: &Value, provider: &str) {
    assert!(record["error"].is_null(), "{record:#}");
    let expected = ["transcribing", "thinking", "speaking"].map(|stage| (stage.to_owned(), provider.to_owned()));
    assert_eq!(routes(record), expected, "{record:#}");
    assert!(record["first_sound_ms"].is_u64(), "{record:#}");
}
