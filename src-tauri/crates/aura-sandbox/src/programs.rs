//! The installed speech and OCR programs, and how they are run.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::Semaphore;

/// Time limit for one run of a program.
const RUN_TIMEOUT: Duration = Duration::from_secs(60);

/// Reason why a program produced no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// The program is not installed.
    #[error("the sandbox needs {0} on this computer, and it was not found")]
    Missing(&'static str),
    /// The program could not start, failed or exceeded the time limit.
    #[error("{program} failed: {reason}")]
    Failed { program: &'static str, reason: String },
    /// The input is not an audio file that can be decoded.
    #[error("could not process file - is it a valid media file?")]
    UnsupportedMedia,
}

/// The programs that were found on PATH.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) espeak: Option<PathBuf>,
    pub(crate) pocketsphinx: Option<PathBuf>,
    /// Paths of whisper-cli and of its model file.
    pub(crate) whisper: Option<(PathBuf, PathBuf)>,
    pub(crate) tesseract: Option<PathBuf>,
    pub(crate) sox: Option<PathBuf>,
    pub(crate) lame: Option<PathBuf>,
    pub(crate) ffmpeg: Option<PathBuf>,
    /// One permit per CPU core. Each program keeps one core busy, so more at once would only slow each other down.
    running: Semaphore,
}

impl Programs {
    /// Looks the programs up on PATH.
    pub(crate) fn find(whisper_model: Option<PathBuf>) -> Self {
        let on_path = |name: &str| which::which(name).ok();
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            espeak: on_path("espeak-ng"),
            pocketsphinx: on_path("pocketsphinx_continuous"),
            whisper: on_path("whisper-cli").zip(whisper_model),
            tesseract: on_path("tesseract"),
            sox: on_path("sox"),
            lame: on_path("lame"),
            ffmpeg: on_path("ffmpeg"),
            running: Semaphore::new(cores),
        }
    }

    /// Names of the programs that were found.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let found = [
            ("espeak-ng", self.espeak.is_some()),
            ("pocketsphinx_continuous", self.pocketsphinx.is_some()),
            ("whisper-cli", self.whisper.is_some()),
            ("tesseract", self.tesseract.is_some()),
            ("sox", self.sox.is_some()),
            ("lame", self.lame.is_some()),
            ("ffmpeg", self.ffmpeg.is_some()),
        ];
        found.into_iter().filter_map(|(name, found)| found.then_some(name)).collect()
    }

    /// Runs a program with `input` on its standard input and returns its standard output. The program is killed if the
    /// returned future is dropped.
    pub(crate) async fn run<A: AsRef<OsStr>>(
        &self,
        name: &'static str,
        program: &Option<PathBuf>,
        arguments: &[A],
        input: &[u8],
    ) -> Result<Vec<u8>, ProgramError> {
        let program = program.as_ref().ok_or(ProgramError::Missing(name))?;
        let failed = |reason: String| ProgramError::Failed { program: name, reason };
        let _turn = self.running.acquire().await.map_err(|error| failed(error.to_string()))?;
        let mut child = Command::new(program)
            .args(arguments)
            // tesseract's worker threads cost more than they save on one line of text.
            .env("OMP_THREAD_LIMIT", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let stdin = child.stdin.take();
        let feed = async {
            if let Some(mut stdin) = stdin
                && let Err(error) = stdin.write_all(input).await
            {
                // A program may close its input unread. Its exit status shows whether it failed.
                tracing::debug!(%error, name, "the program did not read its input");
            }
        };
        let both = async { tokio::join!(feed, child.wait_with_output()).1 };
        let output = tokio::time::timeout(RUN_TIMEOUT, both)
            .await
            .map_err(|_| failed("it took too long".to_owned()))?
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            let said: String = String::from_utf8_lossy(&output.stderr).trim().chars().take(300).collect();
            return Err(failed(format!("{}: {said}", output.status)));
        }
        Ok(output.stdout)
    }
}
