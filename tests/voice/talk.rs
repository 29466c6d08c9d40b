//! How a person talks to AURA, and what they hear.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use aura_tests::aura::App;
use aura_tests::display::xdotool;
use aura_tests::sound::play_into_microphone;
use aura_tests::speech::{Recorder, assert_says, say, words};
use serde_json::Value;

/// The global shortcut.
pub(crate) const SHORTCUT: &str = "ctrl+shift+space";

/// A turn as a person sees and hears it.
pub(crate) struct Heard {
    /// What AURA keeps of it.
    pub(crate) record: Value,
    /// What the speaker gave.
    pub(crate) recording: PathBuf,
}

/// Makes a file in which a question is spoken.
pub(crate) fn question(app: &App, text: &str) -> PathBuf {
    let file = app.aura().folder().join("question.wav");
    say(&file, text);
    file
}

/// Holds the shortcut, speaks the question into the microphone, lets go, and listens to the answer.
pub(crate) fn ask_aloud(app: &App, text: &str) -> Heard {
    let turns = app.history().len();
    let question = question(app, text);
    let recorder = Recorder::start();
    xdotool(&["keydown", SHORTCUT]);
    app.wait_for_recording();
    play_into_microphone(&question).wait();
    xdotool(&["keyup", SHORTCUT]);
    recorder.mark();
    let record = app.turn(turns + 1);
    assert!(
        recorder.wait_for_silence(Duration::from_millis(500), Duration::from_secs(20)),
        "the speaker does not fall silent"
    );
    let recording = recorder.save(&app.aura().folder().join("answer.wav"));
    Heard { record, recording }
}

impl Heard {
    /// Fails unless enough of these words were understood: the recogniser knows many that sound alike.
    pub(crate) fn assert_understood(&self, question: &str) {
        let (asked, transcript) = (words(question), words(self.record["transcript"].as_str().unwrap_or_default()));
        let understood: BTreeSet<&String> = asked.iter().filter(|word| transcript.contains(word)).collect();
        assert!(understood.len() >= 2, "of {asked:?} only {understood:?} were understood: {transcript:?}");
    }

    /// Fails unless the answer that AURA kept is what the speaker said, a sentence at a time.
    pub(crate) fn assert_spoken(&self) {
        let spoken = self.record["spoken"].as_str().unwrap_or_default();
        let sentences: Vec<String> =
            spoken.split_inclusive(['.', '\n']).filter(|part| !words(part).is_empty()).map(str::to_owned).collect();
        assert_says(&self.recording, &sentences);
    }
}

/// The stages of a turn that have a route, with the provider that answered, in their order.
pub(crate) fn routes(record: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let stages = record["stages"].as_array().cloned().unwrap_or_default();
    stages
        .iter()
        .filter(|stage| stage["route"].is_object())
        .map(|stage| (text(&stage["stage"]), text(&stage["route"]["provider"])))
        .collect()
}

/// Fails unless the turn went well and this provider did everything.
pub(crate) fn assert_all_by(record: &Value, provider: &str) {
    assert!(record["error"].is_null(), "{record:#}");
    let expected = ["transcribing", "thinking", "speaking"].map(|stage| (stage.to_owned(), provider.to_owned()));
    assert_eq!(routes(record), expected, "{record:#}");
    assert!(record["first_sound_ms"].is_u64(), "{record:#}");
}
