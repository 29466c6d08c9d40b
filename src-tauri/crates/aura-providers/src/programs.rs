//! Local programs that the `offline` provider runs: the interface that a host implements.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// The variables that a program inherits, and the beginnings of such names: where it finds its libraries and data, and the language. No
/// others: an API key, or the address of a screen or a bus, is not its business.
const INHERITED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "TZ",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "TESSDATA_PREFIX",
    "ESPEAK_DATA_PATH",
    "OMP_NUM_THREADS",
    "OMP_THREAD_LIMIT",
    // Windows starts hardly any program without these.
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
];
const INHERITED_BEGINNINGS: &[&str] = &["LC_", "XDG_"];

/// A local program to run.
#[derive(Debug, Clone)]
pub struct Job {
    /// The path of the program, from [`Programs::find`].
    pub program: PathBuf,
    /// The arguments.
    pub args: Vec<OsString>,
    /// The content of standard input.
    pub stdin: Bytes,
    /// The longest run time. After it the program is killed and the job fails.
    pub limit: Duration,
}

/// The output of a program that has ended.
#[derive(Debug, Clone)]
pub struct JobOutput {
    /// Whether the exit status is 0.
    pub success: bool,
    /// Standard output.
    pub stdout: Bytes,
    /// The end of standard error: at most 2 KiB.
    pub stderr: String,
}

/// A program could not be started, or did not end in time. Holds a message that can be shown to a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProgramError(pub String);

/// Finds and runs programs on this computer.
#[async_trait]
pub trait Programs: Send + Sync {
    /// The path of a program by its name, as a search in `PATH` finds it.
    fn find(&self, name: &str) -> Option<PathBuf>;

    /// The folder for the files through which sound and text go to a program. Only the current user should be able to read it.
    fn temp_folder(&self) -> PathBuf {
        std::env::temp_dir()
    }

    /// Runs a program until it ends. Dropping the future kills it.
    ///
    /// # Errors
    /// When the program cannot be started, or exceeds [`Job::limit`].
    async fn run(&self, job: Job) -> Result<JobOutput, ProgramError>;
}

/// The variables of this process that a program or engine which AURA starts inherits.
pub fn inherited_variables() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| {
        let Some(name) = name.to_str().map(str::to_uppercase) else { return false };
        INHERITED.contains(&name.as_str()) || INHERITED_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
    })
}

/// A host without local programs. The `offline` provider then has no speech, only its built-in answers and local model servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPrograms;

#[async_trait]
impl Programs for NoPrograms {
    fn find(&self, _name: &str) -> Option<PathBuf> {
        None
    }

    async fn run(&self, job: Job) -> Result<JobOutput, ProgramError> {
        Err(ProgramError(format!("{} cannot be run: this host runs no programs.", job.program.display())))
    }
}
