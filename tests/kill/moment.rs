//! When the app is ended, and what was found afterwards.

use serde_json::{Value, json};

/// A phase of a spoken turn in which the app is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The key was pressed; the microphone opens.
    Press,
    /// The question is recorded.
    Listening,
    /// The key was just released.
    Release,
    /// The recording is transcribed.
    Transcribing,
    /// The answer is written.
    Thinking,
    /// The answer is played.
    Speaking,
    /// The turn ends and is saved.
    Saving,
}

/// Every phase, in the order of a turn.
pub(crate) const PHASES: [Phase; 7] = [
    Phase::Press,
    Phase::Listening,
    Phase::Release,
    Phase::Transcribing,
    Phase::Thinking,
    Phase::Speaking,
    Phase::Saving,
];

impl Phase {
    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Press => "press",
            Self::Listening => "listening",
            Self::Release => "release",
            Self::Transcribing => "transcribing",
            Self::Thinking => "thinking",
            Self::Speaking => "speaking",
            Self::Saving => "saving",
        }
    }

    /// How long after the begin of the phase the app is ended at most, in milliseconds.
    fn longest_ms(self) -> u64 {
        match self {
            Self::Press => 120,
            Self::Listening => 700,
            Self::Release => 60,
            Self::Transcribing => 200,
            Self::Thinking => 350,
            Self::Speaking => 600,
            Self::Saving => 60,
        }
    }
}

/// A moment at which the app is ended.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    /// Its place among all moments.
    pub(crate) number: usize,
    /// `KILL` or `TERM`.
    pub(crate) signal: &'static str,
    /// The phase.
    pub(crate) phase: Phase,
    /// Microseconds after the begin of the phase.
    pub(crate) after_us: u64,
    /// How long the key is held, in milliseconds.
    pub(crate) hold_ms: u64,
}

/// The moments of a run: the same ones each time, as many in each phase.
pub(crate) fn all(kills: usize, terms: usize) -> Vec<Moment> {
    let mut random = Random(0x5EED_0B11);
    let signals = std::iter::repeat_n("KILL", kills).chain(std::iter::repeat_n("TERM", terms));
    let moment = |(number, signal): (usize, &'static str)| {
        let phase = PHASES[number % PHASES.len()];
        let after_us = random.below(phase.longest_ms() * 1_000);
        Moment { number, signal, phase, after_us, hold_ms: 700 + random.below(500) }
    };
    signals.enumerate().map(moment).collect()
}

/// A sequence of numbers that is the same in each run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}

/// What was found after a restart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// `KILL` or `TERM`.
    pub(crate) signal: String,
    /// The name of the phase.
    pub(crate) phase: String,
    /// Milliseconds after the begin of the phase.
    pub(crate) at_ms: u64,
    /// Whether the turn had begun: the app showed it, recorded it, or called a provider.
    pub(crate) begun: bool,
    /// Whether it is in the history.
    pub(crate) listed: bool,
    /// Whether it failed and could be retried.
    pub(crate) retried: bool,
    /// Whether it had ended before the signal came.
    pub(crate) complete: bool,
    /// The milliseconds that its recording lacks at the end.
    pub(crate) missing_ms: Option<i64>,
    /// What is wrong.
    pub(crate) failures: Vec<String>,
}

/// What a line with an outcome begins with.
const LINE: &str = "outcome ";

impl Outcome {
    /// Prints the outcome for the program that started this worker.
    pub(crate) fn report(&self) {
        let Self { signal, phase, at_ms, begun, listed, retried, complete, missing_ms, failures } = self;
        let line = json!({
            "signal": signal, "phase": phase, "at_ms": at_ms, "begun": begun, "listed": listed, "retried": retried,
            "complete": complete, "missing_ms": missing_ms, "failures": failures,
        });
        println!("{LINE}{line}");
    }

    /// Reads such a line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line.strip_prefix(LINE)?).ok()?;
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let is = |name: &str| value[name].as_bool().unwrap_or_default();
        let failures = value["failures"].as_array().into_iter().flatten();
        Some(Self {
            signal: text("signal"),
            phase: text("phase"),
            at_ms: value["at_ms"].as_u64()?,
            begun: is("begun"),
            listed: is("listed"),
            retried: is("retried"),
            complete: is("complete"),
            missing_ms: value["missing_ms"].as_i64(),
            failures: failures.filter_map(|failure| Some(failure.as_str()?.to_owned())).collect(),
        })
    }
}
