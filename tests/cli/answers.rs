//! `aura ask` and `aura listen` against each provider, and `aura doctor`.

use std::path::Path;

use aura_sandbox::{DEFAULT_KEY, Service};
use aura_tests::aura::Aura;
use aura_tests::desktop::{with_desktop, with_desktop_and_store};
use aura_tests::providers::Providers;
use aura_tests::speech::say;
use serde_json::{Value, json};

const QUESTION: &str = "i think it is going to be a good year";
const ANSWER: &str = "There are many people looking for money.";

/// The stages with a route, each with its provider. Panics if one has no duration or model.
fn stages(record: &Value) -> Vec<String> {
    let stages = record["stages"].as_array().expect("a turn has stages");
    let routed = stages.iter().filter(|stage| stage["route"].is_object());
    let described = routed.map(|stage| {
        let route = &stage["route"];
        assert!(stage["ms"].is_u64() && route["model"].as_str().is_some_and(|model| !model.is_empty()), "{stage:#}");
        format!("{} by {}", stage["stage"].as_str().unwrap_or_default(), route["provider"].as_str().unwrap_or_default())
    });
    described.collect()
}

/// Panics unless the answer's audio file decodes to sound.
fn assert_audible(record: &Value) {
    let path = record["answer_audio"].as_str().unwrap_or_else(|| panic!("no audio file: {record:#}"));
    let mut wav = hound::WavReader::open(Path::new(path)).unwrap_or_else(|cause| panic!("{path}: {cause}"));
    let seconds = f64::from(wav.duration()) / f64::from(wav.spec().sample_rate);
    let loudest = wav.samples::<i16>().map(|sample| sample.expect("16-bit samples").unsigned_abs()).max();
    assert!(seconds > 0.5 && loudest > Some(1_000), "{path}: {seconds} s, at most {loudest:?}");
}

/// A typed and a spoken question, with every stage by `provider`.
fn asks_and_listens(aura: &Aura, provider: &str, answers: impl Fn(&str) -> bool) {
    let by = |stages: &[&str]| stages.iter().map(|stage| format!("{stage} by {provider}")).collect::<Vec<_>>();

    let ended = aura.run(&["ask", "How many are there?", "--json"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
    let record = ended.json();
    assert_eq!(record["transcript"], "How many are there?");
    assert!(record["answer"].as_str().is_some_and(&answers), "{record:#}");
    assert_eq!(stages(&record), by(&["thinking", "speaking"]), "{record:#}");
    assert_audible(&record);

    let spoken = aura.folder().join("spoken.wav");
    say(&spoken, QUESTION);
    let ended = aura.run(&["listen", "--audio", &spoken.to_string_lossy(), "--quiet", "--json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let record = ended.json();
    assert!(record["transcript"].as_str().is_some_and(|heard| heard.to_lowercase().contains("going")), "{record:#}");
    assert!(record["answer"].as_str().is_some_and(&answers), "{record:#}");
    assert_eq!(stages(&record), by(&["transcribing", "thinking", "speaking"]), "{record:#}");
    assert_audible(&record);
}

#[test]
fn offline() {
    asks_and_listens(&Aura::new(), "offline", |answer| answer.starts_with("I heard: \""));
}

#[test]
fn groq() {
    let providers = Providers::answering(ANSWER);
    asks_and_listens(&Aura::new().with_all(providers.groq()), "groq", |answer| answer == ANSWER);
}

#[test]
fn gemini() {
    let providers = Providers::answering(ANSWER);
    asks_and_listens(&Aura::new().with_all(providers.gemini()), "gemini", |answer| answer == ANSWER);
}

#[test]
fn an_openai_compatible_server() {
    with_desktop_and_store("answers::an_openai_compatible_server", || {
        let providers = Providers::answering(ANSWER);
        let app = Aura::new().with_store().settings(&providers.server()).start();
        // The app saves the key in the key store, where the command line finds it.
        app.call("save_key", json!({"provider": "local", "key": DEFAULT_KEY}));
        asks_and_listens(app.aura(), "local", |answer| answer == ANSWER);
        assert!(!providers.requests(Service::Tts).is_empty(), "the server did not speak");
    });
}

#[test]
fn without_json_only_the_answer_is_printed() {
    let providers = Providers::answering(ANSWER);
    let ended = Aura::new().with_all(providers.groq()).run(&["ask", "How many are there?"]);
    assert_eq!(
        (ended.code, ended.out.as_str(), ended.err.as_str()),
        (0, "There are many people looking for money.\n", "")
    );
    assert!(providers.requests(Service::Tts).is_empty(), "no speech was requested");
}

#[test]
fn a_picture_is_sent_with_the_question() {
    let providers = Providers::answering("{screen_text}");
    let aura = Aura::new().with_all(providers.gemini());
    let picture = aura.folder().join("picture.png");
    let words =
        ["-size", "900x300", "-background", "white", "-font", "DejaVu-Sans", "-pointsize", "48", "label:Many people"];
    aura_tests::display::make_picture(&picture, &words);
    let ended = aura.run(&["ask", "What is written there?", "--image", &picture.to_string_lossy(), "--json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let record = ended.json();
    assert!(record["answer"].as_str().is_some_and(|answer| answer.contains("Many people")), "{record:#}");
}

#[test]
fn the_sandbox_needs_no_key() {
    let ended = Aura::new().run(&["ask", "--sandbox", "Hello?", "--json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(stages(&ended.json()), ["thinking by groq", "speaking by groq"]);
}

#[test]
fn the_doctor_checks_every_area() {
    with_desktop("answers::the_doctor_checks_every_area", || {
        let ended = Aura::new().run(&["doctor", "--json"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let findings = ended.json();
        let finding = |area: &str| {
            let all = findings.as_array().expect("a list of findings");
            all.iter()
                .find(|finding| finding["area"] == area)
                .unwrap_or_else(|| panic!("nothing about {area}: {findings:#}"))
        };
        for area in ["microphone", "speaker", "screen", "shortcut"] {
            // The test's microphone delivers silence, which the doctor reports.
            let good = finding(area)["ok"] == true || area == "microphone";
            assert!(good && finding(area)["message"].is_string(), "{:#}", finding(area));
        }
        assert!(
            finding("microphone")["message"].as_str().is_some_and(|says| says.contains("first block")),
            "{findings:#}"
        );
        // Without a message bus there is no key store. Each problem has a remedy.
        assert_eq!(finding("keyring")["ok"], false);
        for finding in findings.as_array().into_iter().flatten().filter(|finding| finding["ok"] == false) {
            assert!(finding["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{finding:#}");
        }
    });
}
