//! The voices, through the built program and its protocol.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use aura_local::protocol::{Engine, Event, FailedKind, Load, LoadFailedKind, Request};

use crate::program::{self, Program, models, onnx_runtime};

const SENTENCE: &str = "The train to the city leaves at half past nine tomorrow.";
const HIBARI_FILES: [&str; 9] = [
    "hibari.onnx",
    "vocab.json",
    "normalize.json",
    "tokenizer_exceptions.json",
    "tagger.json.gz",
    "lexicon_us_gold.json.gz",
    "lexicon_us_silver.json.gz",
    "oov.onnx",
    "oov.json",
];

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// The installed voices; none where tests of models are left out.
fn voices() -> Vec<Load> {
    let voices = [("hibari-en", Engine::Hibari), ("piper-en-us-joe", Engine::Piper)];
    voices.into_iter().filter_map(|(id, engine)| voice(id, engine)).collect()
}

fn voice(id: &str, engine: Engine) -> Option<Load> {
    let folder = models()?.join(id);
    let files = program::files(&folder);
    assert!(
        !files.is_empty(),
        "this test needs the model in {}: set AURA_MODELS, or run cargo xtask test",
        folder.display()
    );
    let role = |path: &PathBuf| match (engine, name(path)) {
        (Engine::Piper, name) if name.ends_with(".onnx") => Some("model".into()),
        (Engine::Piper, name) if name.ends_with(".onnx.json") => Some("config".into()),
        (_, name) => HIBARI_FILES.contains(&name.as_str()).then_some(name),
    };
    let files = files.into_iter().filter_map(|path| Some((role(&path)?, path)));
    Some(Load {
        engine,
        files: files.collect(),
        onnx_runtime: onnx_runtime(),
        espeak: std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|folder| folder.join("espeak-ng"))
            .find(|path| path.is_file()),
        threads: 2,
        context: 0,
    })
}

/// The program with a voice.
struct Voice(Program);

impl Deref for Voice {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.0
    }
}

impl DerefMut for Voice {
    fn deref_mut(&mut self) -> &mut Program {
        &mut self.0
    }
}

impl Voice {
    fn ready(load: &Load) -> Self {
        Self(Program::ready(load))
    }

    fn ask(&mut self, id: u64, text: &str, speed: f32) {
        self.send(&Request::Speak { id, text: text.into(), voice: String::new(), language: None, speed }, &[]);
    }

    /// The pieces of speech of a request, and its last event.
    fn hear(&mut self, id: u64) -> (Vec<Piece>, Event) {
        let mut pieces = Vec::new();
        loop {
            match self.next() {
                (Event::Audio { id: of, rate }, bytes) => {
                    assert_eq!(of, id);
                    pieces.push(Piece { rate, samples: samples(&bytes) });
                }
                (event, _) => return (pieces, event),
            }
        }
    }

    fn speak(&mut self, text: &str, speed: f32) -> Vec<Piece> {
        self.ask(1, text, speed);
        let (pieces, end) = self.hear(1);
        assert!(matches!(end, Event::End { id: 1, .. }), "{text:?}: {end:?}");
        pieces
    }
}

struct Piece {
    rate: u32,
    samples: Vec<i16>,
}

fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn all(pieces: &[Piece]) -> Vec<i16> {
    pieces.iter().flat_map(|piece| piece.samples.iter().copied()).collect()
}

fn seconds(pieces: &[Piece]) -> f64 {
    pieces.iter().map(|piece| piece.samples.len() as f64 / f64::from(piece.rate)).sum()
}

#[test]
fn speech_is_heard_is_as_long_as_its_text_and_does_not_clip() {
    for load in voices() {
        let mut program = Voice::ready(&load);
        let pieces = program.speak(SENTENCE, 1.0);
        let length = seconds(&pieces);
        assert!((2.0..6.0).contains(&length), "{:?}: {length} s", load.engine);
        let samples = all(&pieces);
        assert!(aura_audio::rms(&samples) > 0.01, "{:?}: {}", load.engine, aura_audio::rms(&samples));
        let clipped = samples.iter().filter(|sample| sample.unsigned_abs() >= 32_700).count();
        assert_eq!(clipped, 0, "{:?}", load.engine);
        let fast = seconds(&program.speak(SENTENCE, 2.0));
        assert!((1.3..2.5).contains(&(length / fast)), "{:?}: {length} s and {fast} s", load.engine);
        let slow = seconds(&program.speak(SENTENCE, 0.5));
        assert!((1.5..2.6).contains(&(slow / length)), "{:?}: {length} s and {slow} s", load.engine);
    }
}

#[test]
fn sentences_arrive_in_order_and_together_as_long_as_each_alone() {
    for load in voices() {
        let mut program = Voice::ready(&load);
        let long = "A much longer sentence about the weather in the mountains follows here.";
        let both = program.speak(&format!("Yes. {long}"), 1.0);
        let (short, long) = (program.speak("Yes.", 1.0), program.speak(long, 1.0));
        let (sum, whole) = (seconds(&short) + seconds(&long), seconds(&both));
        assert!((0.85..1.15).contains(&(whole / sum)), "{:?}: {whole} s and {sum} s", load.engine);
        if load.engine == Engine::Piper {
            assert_eq!(both.len(), 2);
            assert!(both[0].samples.len() * 2 < both[1].samples.len(), "the short sentence comes first");
        } else {
            // The noise differs each time, the voice does not.
            let (alone, first) = (all(&short), all(&both));
            let dot = |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
            let first = &first[..alone.len()];
            let likeness = dot(&alone, first) / (dot(&alone, &alone) * dot(first, first)).sqrt();
            assert!(likeness > 0.7, "the short sentence comes first: {likeness}");
        }
    }
}

#[test]
fn a_cancelled_request_stops_after_its_first_sound_and_the_next_is_served() {
    for load in voices() {
        let mut program = Voice::ready(&load);
        let text = format!("{SENTENCE} ").repeat(40);
        program.ask(7, &text, 1.0);
        let (first, _) = program.next();
        assert!(matches!(first, Event::Audio { id: 7, .. }), "{first:?}");
        program.send(&Request::Cancel { id: 7 }, &[]);
        let (pieces, end) = program.hear(7);
        assert!(matches!(end, Event::Failed { id: 7, kind: FailedKind::Cancelled, .. }), "{end:?}");
        // The whole text is two minutes long.
        assert!(seconds(&pieces) < 60.0, "{:?}: {} s after the stop", load.engine, seconds(&pieces));
        assert!(seconds(&program.speak("Yes, I can.", 1.0)) > 0.3);
    }
}

#[test]
fn unusual_text_is_spoken_or_refused() {
    let long = "This is a sentence without an end and it goes on ".repeat(42);
    let texts = [
        "",
        " \n ",
        "🎉🎉🎉",
        "...",
        "?!",
        "你好，世界。",
        "Привет, мир!",
        "\u{0}\u{7}\u{1b}[31m",
        "[[h@'l@U]] (((",
        "-v --help",
        "<speak>a</speak>",
        "a\u{301}\u{301}\u{301}\u{200d}",
        "1234567890123456789012345678901234567890123456789",
        "x",
        "😀 yes 😀",
        &long,
        "https://example.com/a?b=c&d=%20#e",
        "`fn main() { println!(\"{}\", 1 << 3); }`",
        "\u{202e}abc",
        "1/0 0:99 $ .. ,, 5,,,5 ½",
    ];
    for load in voices() {
        let mut program = Voice::ready(&load);
        for (id, text) in (1..).zip(texts) {
            program.ask(id, text, 1.0);
            let (pieces, end) = program.hear(id);
            match end {
                Event::End { .. } => assert!(aura_audio::rms(&all(&pieces)) > 0.001, "{:?} {text:?}", load.engine),
                Event::Failed { kind: FailedKind::Invalid | FailedKind::Unsupported, .. } => {}
                other => panic!("{:?} {text:?}: {other:?}", load.engine),
            }
        }
        for speed in [0.0, -1.0, f32::MAX] {
            assert!(seconds(&program.speak("Yes, I can.", speed)) > 0.05, "{speed}");
        }
    }
}

#[test]
fn a_language_that_the_voice_does_not_speak_is_refused() {
    for load in voices() {
        let mut program = Voice::ready(&load);
        for (language, is_spoken) in [("de", false), ("en", true), ("en-GB", true)] {
            let (text, voice, language) = ("Hallo".into(), String::new(), Some(language.to_owned()));
            program.send(&Request::Speak { id: 3, text, voice, language, speed: 1.0 }, &[]);
            let (_, end) = program.hear(3);
            let is_refused = matches!(end, Event::Failed { kind: FailedKind::Unsupported, .. });
            assert_eq!(is_refused, !is_spoken, "{end:?}");
        }
    }
}

/// The program's answer to `load`, which must be a failure.
fn refused(load: &Load) -> (LoadFailedKind, String) {
    let (mut program, event) = Program::start(load);
    let Event::LoadFailed { kind, message } = event else { panic!("{event:?}") };
    assert!(program.has_ended(), "the program ends");
    (kind, message)
}

#[test]
fn damaged_and_missing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for load in voices() {
        for (role, path) in &load.files {
            let content = std::fs::read(path).unwrap();
            let noise: Vec<u8> = (0..5_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            for (what, content) in [("half", &content[..content.len() / 2]), ("noise", &noise), ("empty", &[])] {
                let damaged = folder.path().join("damaged");
                std::fs::write(&damaged, content).unwrap();
                let mut load = load.clone();
                load.files.insert(role.clone(), damaged);
                let (kind, message) = refused(&load);
                assert_eq!(kind, LoadFailedKind::BadFile, "{role}, {what}: {message}");
            }
            let mut without = load.clone();
            without.files.remove(role);
            let (kind, message) = refused(&without);
            assert!(kind == LoadFailedKind::BadFile && message.contains(role), "{role}: {message}");
        }
    }
}

#[test]
fn another_kind_of_model_is_refused() {
    let (Some(hibari), Some(piper)) = (voice("hibari-en", Engine::Hibari), voice("piper-en-us-joe", Engine::Piper))
    else {
        return;
    };
    let with = |load: &Load, role: &str, path: &Path| {
        let files: std::collections::BTreeMap<_, _> =
            load.files.clone().into_iter().chain([(role.to_owned(), path.to_owned())]).collect();
        Load { files, ..load.clone() }
    };
    for load in
        [with(&piper, "model", &hibari.files["hibari.onnx"]), with(&hibari, "hibari.onnx", &piper.files["model"])]
    {
        assert_eq!(refused(&load).0, LoadFailedKind::BadFile);
    }
}

#[test]
fn what_is_missing_on_this_computer_is_named() {
    let Some(load) = voice("piper-en-us-joe", Engine::Piper) else { return };
    for espeak in [None, Some(PathBuf::from("/nonexistent/espeak-ng"))] {
        let (kind, message) = refused(&Load { espeak, ..load.clone() });
        assert!(kind == LoadFailedKind::Unsupported && message.contains("Install the package espeak-ng"), "{message}");
    }
    for onnx_runtime in [None, Some(PathBuf::from("/nonexistent/libonnxruntime.so"))] {
        let (kind, message) = refused(&Load { onnx_runtime, ..load.clone() });
        assert!(kind == LoadFailedKind::Unsupported && message.contains("ONNX Runtime"), "{message}");
    }
}
