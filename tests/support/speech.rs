//! Speech that a test makes, records and understands.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::process::{Running, run, wait_until};

/// Samples per second that the recogniser wants.
const RATE: u32 = 16_000;

/// The voice that pocketsphinx understands best, of those that espeak-ng has.
const VOICE: &str = "en-us+m1";

/// Below this, of 32768, the speaker is silent.
const SILENT: u16 = 200;

/// Lets espeak-ng say a text into a file, with silence around it.
pub fn say(file: &Path, text: &str) {
    let raw = file.with_extension("raw.wav");
    let mut speak = Command::new("espeak-ng");
    speak.args(["-v", VOICE, "-s", "150", "-w"]).arg(&raw).arg(text);
    run(&mut speak, "espeak-ng");
    let mut pad = Command::new("sox");
    pad.arg(&raw).args(["-r", "48000"]).arg(file).args(["pad", "0.3", "0.5"]);
    run(&mut pad, "sox");
}

/// The words that pocketsphinx hears in a sound file, with its general English vocabulary.
pub fn understand(file: &Path) -> Vec<String> {
    let mut recognise = Command::new("pocketsphinx_continuous");
    recognise.arg("-infile").arg(file).args(["-logfn", "/dev/null"]);
    run(&mut recognise, "pocketsphinx").split_whitespace().map(str::to_lowercase).collect()
}

/// Fails unless these words were heard.
pub fn assert_heard(words: &[String], expected: &[&str]) {
    let missing: Vec<_> = expected.iter().filter(|word| !words.iter().any(|heard| heard == *word)).collect();
    assert!(missing.is_empty(), "{missing:?} were not heard in {words:?}");
}

/// What the private speaker gives, recorded.
#[derive(Debug)]
pub struct Recorder {
    samples: Arc<Mutex<Vec<i16>>>,
    begun: Mutex<usize>,
    _reader: Running,
}

impl Recorder {
    /// Starts and waits until sound, or silence, really flows.
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
                into.lock().unwrap_or_else(PoisonError::into_inner).extend(piece);
            }
        });
        let recorder = Self { samples, begun: Mutex::new(0), _reader: reader };
        assert!(
            wait_until(Duration::from_secs(5), || !recorder.heard().is_empty()),
            "the speaker gives not even silence"
        );
        recorder
    }

    /// Forgets what was heard so far.
    pub fn mark(&self) {
        let length = self.samples.lock().unwrap_or_else(PoisonError::into_inner).len();
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = length;
    }

    fn heard(&self) -> Vec<i16> {
        let begun = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)[begun..].to_vec()
    }

    /// How long something louder than silence was heard since the mark.
    pub fn voiced(&self) -> Duration {
        const FRAME: usize = RATE as usize / 50;
        let heard = self.heard();
        let loud =
            heard.chunks(FRAME).filter(|frame| frame.iter().any(|sample| sample.unsigned_abs() > SILENT)).count();
        Duration::from_millis(20) * u32::try_from(loud).unwrap_or(u32::MAX)
    }

    /// Waits until the speaker has been silent for so long.
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

    /// Writes what was heard since the mark, with silence around it.
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
