//! Speech synthesis, recording and recognition for tests.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::process::{Running, run, wait_until};

/// The recogniser's sample rate, in hertz.
const RATE: u32 = 16_000;

/// The espeak-ng voice that pocketsphinx recognises best.
const VOICE: &str = "en-us+m1";

/// Samples below this, of 32768, count as silence.
const SILENT: u16 = 200;

/// Synthesizes a text into a 48 kHz file with espeak-ng, after 0.3 s and before 0.5 s of silence.
pub fn say(file: &Path, text: &str) {
    let raw = file.with_extension("raw.wav");
    let mut speak = Command::new("espeak-ng");
    speak.args(["-v", VOICE, "-s", "150", "-w"]).arg(&raw).arg(text);
    run(&mut speak, "espeak-ng");
    let mut pad = Command::new("sox");
    pad.arg(&raw).args(["-r", "48000"]).arg(file).args(["pad", "0.3", "0.5"]);
    run(&mut pad, "sox");
}

/// Other phrases that the recogniser may choose. Without them it would find an expected phrase in any noise.
const OTHER: [&str; 6] = [
    "the weather is fine today",
    "what time is it now",
    "please open the window",
    "she went home by train last night",
    "this is not what we were looking for",
    "my brother likes coffee in the morning",
];

/// The model of American English of Debian's pocketsphinx.
const MODEL: &str = "/usr/share/pocketsphinx/model/en-us";

/// Words of AURA's answers that are missing from the recogniser's dictionary, with their phonemes.
const NAMES: [(&str, &str); 1] = [("groq", "G R AA K")];

/// The recogniser's dictionary: a word and its phonemes per line.
fn dictionary() -> String {
    let mut dictionary =
        std::fs::read_to_string(format!("{MODEL}/cmudict-en-us.dict")).expect("the model is installed");
    for (name, sounds) in NAMES {
        dictionary.push_str(&format!("{name} {sounds}\n"));
    }
    dictionary
}

/// The words of a phrase that are in the dictionary.
fn known_words(phrase: &str, dictionary: &str) -> String {
    let known: HashSet<&str> = dictionary.lines().filter_map(|line| line.split_whitespace().next()).collect();
    words(phrase).into_iter().filter(|word| known.contains(word.as_str())).collect::<Vec<_>>().join(" ")
}

/// The phrases that pocketsphinx recognises in a sound file, out of these, in any number and order.
///
/// With its whole vocabulary it misrecognises one in three of espeak-ng's words, a different one each time. With a closed set of phrases
/// it is reliable enough to tell whether the right one was spoken.
fn choose(file: &Path, phrases: &[String], dictionary: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = |name: &str| folder.path().join(name);
    let grammar = format!("#JSGF V1.0;\ngrammar said;\npublic <said> = ( {} )+;\n", phrases.join(" | "));
    std::fs::write(path("said.gram"), grammar).expect("the folder can be written");
    std::fs::write(path("said.dict"), dictionary).expect("the folder can be written");
    std::fs::write(path("files"), "said\n").expect("the folder can be written");
    // On a busy computer, a recording may begin with seconds of silence, after which the recogniser rejects every phrase.
    let mut cut = Command::new("sox");
    cut.arg(file).args(["-r", &RATE.to_string(), "-b", "16", "-c", "1"]).arg(path("said.wav"));
    let silence = ["silence", "1", "0.05", "0.5%", "reverse"];
    run(cut.args(silence).args(silence).args(["pad", "0.4", "0.4"]), "sox");
    let mut recognise = Command::new("pocketsphinx_batch");
    recognise.current_dir(folder.path()).args(["-adcin", "yes", "-adchdr", "44", "-cepdir", ".", "-cepext", ".wav"]);
    recognise.args(["-ctl", "files", "-hyp", "heard", "-jsgf", "said.gram", "-dict", "said.dict"]);
    // Wider beams than the defaults, so that a phrase with gaps is still recognised.
    recognise.args(["-beam", "1e-90", "-wbeam", "1e-70", "-pbeam", "1e-90"]);
    recognise.args(["-logfn", "/dev/null", "-hmm", &format!("{MODEL}/en-us")]);
    run(&mut recognise, "pocketsphinx");
    let heard = std::fs::read_to_string(path("heard")).unwrap_or_default();
    heard.split(" (").next().unwrap_or_default().trim().to_owned()
}

/// The sentences in a recording, in order, out of these and `OTHER`.
pub fn recognise(file: &Path, sentences: &[String]) -> Vec<String> {
    let dictionary = dictionary();
    let all = sentences.iter().cloned().chain(OTHER.map(str::to_owned));
    let mut all: Vec<(String, String)> = all.map(|sentence| (known_words(&sentence, &dictionary), sentence)).collect();
    all.retain(|(audible, _)| !audible.is_empty());
    let phrases: Vec<String> = all.iter().map(|(audible, _)| audible.clone()).collect();
    let heard = choose(file, &phrases, &dictionary);
    let mut rest = heard.as_str();
    let mut order = Vec::new();
    let begins = |rest: &str, audible: &str| {
        rest.strip_prefix(audible).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    while let Some((audible, sentence)) =
        all.iter().filter(|(audible, _)| begins(rest, audible)).max_by_key(|(audible, _)| audible.len())
    {
        order.push(sentence.clone());
        rest = rest[audible.len()..].trim_start();
    }
    if !rest.is_empty() {
        order.push(rest.to_owned());
    }
    order
}

/// Panics unless a recording of a text contains this sentence, whatever precedes or follows it in the text.
pub fn assert_says_among(file: &Path, sentence: &str, text: &str) {
    let dictionary = dictionary();
    let own = words(sentence);
    let around = words(text).into_iter().filter(|word| !own.contains(word));
    let phrases = std::iter::once(sentence.to_owned()).chain(around).chain(OTHER.map(str::to_owned));
    let mut phrases: Vec<String> = phrases.map(|phrase| known_words(&phrase, &dictionary)).collect();
    phrases.retain(|phrase| !phrase.is_empty());
    let heard = choose(file, &phrases, &dictionary);
    assert!(heard.contains(&phrases[0]), "the recording of “{text}” in {} says “{heard}”", file.display());
}

/// The words of a text in the spelling of the recogniser's dictionary.
pub fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|letter: char| !letter.is_alphanumeric() && letter != '\'')
        .map(|word| word.trim_matches('\'').to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Panics unless the recording contains these sentences, in this order, and nothing else.
pub fn assert_says(file: &Path, sentences: &[String]) {
    assert!(!sentences.is_empty(), "a sentence is expected");
    let heard = recognise(file, sentences);
    assert_eq!(heard, sentences, "the recording in {} says something else", file.display());
}

/// A recorder of the private speaker.
#[derive(Debug)]
pub struct Recorder {
    samples: Arc<Mutex<Vec<i16>>>,
    begun: Mutex<usize>,
    _reader: Running,
}

impl Recorder {
    /// Starts to record and waits until samples arrive.
    pub fn start() -> Self {
        let mut command = Command::new("parec");
        command.args([
            "-d",
            "speaker.monitor",
            "--latency-msec=20",
            "--format=s16le",
            "--channels=1",
            &format!("--rate={RATE}"),
        ]);
        let mut reader = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null()), "pulseaudio-utils");
        let mut sound = reader.stdout().expect("standard output was piped");
        let samples = Arc::new(Mutex::new(Vec::new()));
        let into = samples.clone();
        std::thread::spawn(move || {
            let mut piece = [0; 640];
            while sound.read_exact(&mut piece).is_ok() {
                let piece = piece.chunks_exact(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]]));
                into.lock().extend(piece);
            }
        });
        let recorder = Self { samples, begun: Mutex::new(0), _reader: reader };
        assert!(
            wait_until(Duration::from_secs(30), || !recorder.heard().is_empty()),
            "the speaker outputs no samples, not even silence"
        );
        recorder
    }

    /// Drops what was recorded so far.
    pub fn mark(&self) {
        let length = self.samples.lock().len();
        *self.begun.lock() = length;
    }

    fn heard(&self) -> Vec<i16> {
        let begun = *self.begun.lock();
        self.samples.lock()[begun..].to_vec()
    }

    /// The duration of all sound above silence since the mark.
    pub fn voiced(&self) -> Duration {
        const FRAME: usize = RATE as usize / 50;
        let heard = self.heard();
        let loud =
            heard.chunks(FRAME).filter(|frame| frame.iter().any(|sample| sample.unsigned_abs() > SILENT)).count();
        Duration::from_millis(20) * u32::try_from(loud).unwrap_or(u32::MAX)
    }

    /// Waits until the speaker has been silent for `length`. False once the limit is reached.
    pub fn wait_for_silence(&self, length: Duration, limit: Duration) -> bool {
        let mut last = (self.voiced(), Instant::now());
        wait_until(limit, || {
            let voiced = self.voiced();
            if voiced != last.0 {
                last = (voiced, Instant::now());
            }
            last.1.elapsed() >= length
        })
    }

    /// Writes the recording since the mark to a file, with half a second of silence on both sides.
    pub fn save(&self, file: &Path) -> PathBuf {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = hound::WavWriter::create(file, spec).expect("the folder can be written");
        let silence = vec![0; RATE as usize / 2];
        for sample in silence.iter().chain(&self.heard()).chain(&silence) {
            wav.write_sample(*sample).expect("the file can be written");
        }
        wav.finalize().expect("the file can be written");
        file.to_owned()
    }
}
