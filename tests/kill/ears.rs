//! A second recorder at the same microphone: what a recording of AURA is compared with.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aura_tests::process::{Running, wait_until};
use parking_lot::Mutex;

/// Samples per second, as in AURA's recordings.
const RATE: usize = 16_000;
/// The end of a recording that is looked for in what this recorder heard: 50 ms.
const PATTERN: usize = RATE / 20;

/// Records the private microphone that this process uses.
pub(crate) struct Ears {
    samples: Arc<Mutex<Vec<i16>>>,
    _reader: Running,
}

impl Ears {
    /// Starts to record and waits until samples arrive.
    pub(crate) fn open() -> Self {
        let mut command = Command::new("parec");
        command.args(["-d", "microphone", "--latency-msec=10", "--format=s16le", "--rate=16000", "--channels=1"]);
        let mut reader = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null()), "pulseaudio-utils");
        let mut sound = reader.stdout().unwrap();
        let samples = Arc::new(Mutex::new(Vec::new()));
        let into = samples.clone();
        std::thread::spawn(move || {
            let mut piece = [0; 2 * RATE / 200];
            while sound.read_exact(&mut piece).is_ok() {
                let piece = piece.chunks_exact(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]]));
                into.lock().extend(piece);
            }
        });
        let ears = Self { samples, _reader: reader };
        assert!(wait_until(Duration::from_secs(30), || ears.now() > 0), "the microphone delivers nothing");
        ears
    }

    /// The number of samples heard so far.
    pub(crate) fn now(&self) -> usize {
        self.samples.lock().len()
    }

    /// How much a recording lacks, in milliseconds, of what was heard up to `until`; negative if it goes on for longer. `None` if its end
    /// was not heard since `from`.
    pub(crate) fn missing_ms(&self, recording: &[i16], from: usize, until: usize) -> Option<i64> {
        // Either recorder may have lost a few samples on a busy machine, which nothing is like. Then what came just before is compared.
        (0..4).find_map(|back| {
            let end = recording.len().checked_sub(back * PATTERN)?;
            let pattern = recording.get(end.checked_sub(PATTERN)?..end)?;
            let found = self.find(pattern, from)?;
            Some((until as i64 - (found + (back + 1) * PATTERN) as i64) * 1_000 / RATE as i64)
        })
    }

    /// Where a piece of noise was heard since `from`.
    fn find(&self, pattern: &[i16], from: usize) -> Option<usize> {
        let heard = self.samples.lock();
        let heard = &heard[from..];
        let energy = |samples: &[i16]| samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
        let own = energy(pattern);
        let likeness = |window: &[i16]| {
            let product: f64 = window.iter().zip(pattern).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum();
            product / (own * energy(window)).sqrt().max(1.0)
        };
        let best = heard
            .windows(PATTERN)
            .enumerate()
            .map(|(at, window)| (likeness(window), at))
            .max_by(|one, other| one.0.total_cmp(&other.0))?;
        // Noise is like no other noise.
        (best.0 > 0.7).then_some(from + best.1)
    }
}
