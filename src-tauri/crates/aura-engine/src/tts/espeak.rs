//! Phonemes by the program espeak-ng. It is not linked, because its licence would then be AURA's.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use aura_local::protocol::{FailedKind, Load, LoadFailedKind};

use crate::model::{Failed, LoadFailed, Stop};
use crate::tts::text::{self, Clause};

/// How long the program may take for one text; usually it takes a few milliseconds.
const LIMIT: Duration = Duration::from_secs(10);
/// How often a stop is looked for.
const POLL: Duration = Duration::from_millis(20);

/// What holds the parts of one sound together.
pub(super) const TIE: char = '\u{361}';

/// The program, with the voice whose rules it reads text by.
pub(super) struct Espeak {
    program: PathBuf,
    voice: String,
    has_ties: bool,
    /// Started ahead, and waiting for the next text.
    next: RefCell<Option<Child>>,
}

impl Drop for Espeak {
    fn drop(&mut self) {
        if let Some(mut child) = self.next.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Espeak {
    /// Tries the program with the voice. `has_ties`: whether the parts of one sound, such as a diphthong, are held together by [`TIE`].
    ///
    /// # Errors
    /// With [`LoadFailedKind::Unsupported`] when the program is missing or does not know the voice.
    pub(super) fn open(load: &Load, voice: &str, has_ties: bool) -> Result<Self, LoadFailed> {
        let unsupported = |message: String| LoadFailed::new(LoadFailedKind::Unsupported, message);
        let program = load.espeak.as_deref().filter(|program| program.is_file());
        let program = program.ok_or_else(|| {
            unsupported(
                "This voice needs the program espeak-ng. Install the package espeak-ng with your system's package manager."
                    .into(),
            )
        })?;
        if voice.is_empty() || voice.starts_with('-') {
            return Err(LoadFailed::new(
                LoadFailedKind::BadFile,
                "The voice's settings name no language for espeak-ng.",
            ));
        }
        let espeak = Self { program: program.to_owned(), voice: voice.to_owned(), has_ties, next: RefCell::default() };
        let probe = espeak.phonemes(&[("a".to_owned(), '.')], &Stop::default());
        probe.map_err(|failed| {
            unsupported(format!("The program espeak-ng cannot read the language {voice}: {failed}"))
        })?;
        Ok(espeak)
    }

    /// The phonemes of each piece of text, with its punctuation. `convert` writes those of a clause in the alphabet of the voice.
    ///
    /// # Errors
    /// When the program fails or takes too long, or the request is stopped.
    pub(super) fn read(
        &self,
        pieces: &[String],
        convert: impl Fn(String) -> String,
        stop: &Stop,
    ) -> Result<Vec<String>, Failed> {
        let clauses: Vec<Vec<Clause>> = pieces.iter().map(|piece| text::clauses(piece)).collect();
        // One run of the program for all: its start takes longer than its work.
        let mut phonemes = self.phonemes(&clauses.concat(), stop)?.into_iter();
        let of_piece = |clauses: &Vec<Clause>| {
            let spoken = clauses.iter().zip(phonemes.by_ref());
            let spoken = spoken.map(|((_, mark), clause)| format!("{}{mark}", convert(without_flags(&clause))));
            spoken.collect::<Vec<_>>().join(" ")
        };
        Ok(clauses.iter().map(of_piece).collect())
    }

    /// Starts the program for the next text, for which it then waits.
    pub(super) fn prepare(&self) {
        // Without it, the next text waits for the start.
        self.next.replace(self.start().ok());
    }

    /// The phonemes of each clause, in the International Phonetic Alphabet.
    fn phonemes(&self, clauses: &[Clause], stop: &Stop) -> Result<Vec<String>, Failed> {
        // The program reads line by line and answers an empty line with an empty line: that separates the clauses, of which each may
        // give several lines.
        let mut input = String::new();
        for (clause, mark) in clauses {
            // Double brackets would have the program read phonemes.
            input.extend(clause.chars().map(|c| if c.is_control() || c == '[' || c == ']' { ' ' } else { c }));
            input.push(*mark);
            input.push_str("\n\n");
        }
        let output = self.run(input, stop)?;
        let mut phonemes: Vec<String> = Vec::with_capacity(clauses.len());
        let mut is_new = true;
        for line in output.lines().map(str::trim) {
            match phonemes.last_mut() {
                _ if line.is_empty() => is_new = true,
                Some(last) if !is_new => {
                    last.push(' ');
                    last.push_str(line);
                }
                _ => {
                    phonemes.push(line.to_owned());
                    is_new = false;
                }
            }
        }
        if phonemes.len() == clauses.len() {
            return Ok(phonemes);
        }
        if clauses.len() <= 1 {
            return Ok(vec![phonemes.join(" "); clauses.len()]);
        }
        // A clause gave nothing: it is not known which.
        let (first, second) = clauses.split_at(clauses.len() / 2);
        Ok([self.phonemes(first, stop)?, self.phonemes(second, stop)?].concat())
    }

    /// Starts the program, which then waits for text.
    fn start(&self) -> std::io::Result<Child> {
        command(&self.program)
            .args(["-q", if self.has_ties { "--ipa=2" } else { "--ipa" }, "-v", &self.voice])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    }

    fn run(&self, input: String, stop: &Stop) -> Result<String, Failed> {
        let failed = |what: &str| Failed::new(FailedKind::Engine, format!("The program espeak-ng {what}."));
        let waiting = self.next.take().and_then(|mut child| matches!(child.try_wait(), Ok(None)).then_some(child));
        let child = waiting.map_or_else(|| self.start(), Ok);
        let mut child = child.map_err(|error| failed(&format!("cannot be started: {error}")))?;
        let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("has no input and output"));
        };
        // Both threads end with the program at the latest.
        std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let (done, wait) = sync_channel(1);
        std::thread::spawn(move || {
            let mut output = Vec::new();
            let outcome = stdout.read_to_end(&mut output).map(|_| output);
            // Nobody waits any more after a stop.
            let _ = done.send(outcome);
        });
        let start = Instant::now();
        let outcome = loop {
            match wait.recv_timeout(POLL) {
                Ok(outcome) => break outcome.map_err(|error| failed(&format!("cannot be read: {error}"))),
                Err(RecvTimeoutError::Disconnected) => break Err(failed("ended early")),
                Err(RecvTimeoutError::Timeout) if start.elapsed() > LIMIT => break Err(failed("takes too long")),
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(stopped) = stop.check() {
                        break Err(stopped);
                    }
                }
            }
        };
        if outcome.is_err() {
            // It may have ended by itself meanwhile.
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| failed(&format!("cannot be waited for: {error}")))?;
        let output = outcome?;
        if !status.success() {
            return Err(failed(&format!("ended with {status}")));
        }
        Ok(String::from_utf8_lossy(&output).into_owned())
    }
}

/// The phonemes without the flags that the program sets around words of another language, such as `(en)`.
fn without_flags(phonemes: &str) -> String {
    let mut kept = String::with_capacity(phonemes.len());
    let mut rest = phonemes;
    while let Some((before, flag)) = rest.split_once('(') {
        kept.push_str(before);
        rest = flag.split_once(')').map_or("", |(_, after)| after);
    }
    kept + rest
}

/// The program in an environment without anything that it does not need.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C.UTF-8");
    for name in ["ESPEAK_DATA_PATH", "SystemRoot"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    #[cfg(windows)]
    {
        use std::os::windows::process::CommandExt;
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        command.creation_flags(CREATE_NO_WINDOW);
    }
    command
}

#[cfg(test)]
mod tests {
    #[test]
    fn flags_of_other_languages_are_no_phonemes() {
        assert_eq!(super::without_flags("a (en)b(de) i ("), "a b i ");
    }
}
