//! The program of a server: started without AURA's keys, and killed with every program that it started itself.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use aura_providers::inherited_variables;
use parking_lot::Mutex;
use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::error::Failure;
use crate::secrets::Redactor;
use crate::tools::clean;

/// The time that a program has to end after its input is closed.
const GRACE: Duration = Duration::from_secs(1);
/// The end of standard error that is kept, in bytes.
const STDERR: usize = 2_048;
/// The time for the rest of standard error, once the program has ended.
const REST: Duration = Duration::from_millis(200);

/// Where programs may be beside the search path: in the home folder, and elsewhere.
const HOME_FOLDERS: &[&str] = &[".local/bin", ".cargo/bin", ".bun/bin", ".deno/bin", ".volta/bin"];
#[cfg(unix)]
const FOLDERS: &[&str] = &["/usr/local/bin", "/opt/homebrew/bin", "/home/linuxbrew/.linuxbrew/bin"];
#[cfg(not(unix))]
const FOLDERS: &[&str] = &[];

/// What to start.
pub(crate) struct Program<'a> {
    pub(crate) command: &'a str,
    pub(crate) args: &'a [String],
    pub(crate) env: Vec<(String, SecretString)>,
    pub(crate) cwd: Option<PathBuf>,
}

/// A running program. It is stopped when the last of its handles is dropped.
#[derive(Clone)]
pub(crate) struct Process {
    stop: Arc<StopOnDrop>,
    /// The exit status, once it has ended.
    ended: watch::Receiver<Option<String>>,
    last_line: Arc<Mutex<Vec<u8>>>,
    redactor: Redactor,
}

struct StopOnDrop(CancellationToken);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// A program with all that it started. Dropping it kills all of them.
struct Group(Box<dyn ChildWrapper>);

impl Drop for Group {
    fn drop(&mut self) {
        // Fails when nothing is left.
        let _ = self.0.start_kill();
    }
}

impl Process {
    /// Starts a program.
    pub(crate) async fn start(
        program: Program<'_>,
        redactor: Redactor,
    ) -> Result<(Self, ChildStdout, ChildStdin), Failure> {
        let not_started = |cause: String| Failure::NotStarted { program: program.command.to_owned(), cause };
        let (command, cwd) = (program.command.to_owned(), program.cwd.clone());
        let located = tokio::task::spawn_blocking(move || Located::find(&command, cwd)).await;
        let located = located.map_err(|cause| not_started(cause.to_string()))?.map_err(not_started)?;
        let mut command = Command::new(located.program);
        command.env_clear().envs(inherited_variables()).env("PATH", located.search_path);
        command.args(program.args).current_dir(located.folder);
        for (name, value) in &program.env {
            command.env(name, value.expose_secret());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut wrap = CommandWrap::from(command);
        wrap.wrap(KillOnDrop);
        #[cfg(unix)]
        wrap.wrap(process_wrap::tokio::ProcessGroup::leader());
        #[cfg(windows)]
        {
            use process_wrap::tokio::{CreationFlags, JobObject};
            // Without a console window.
            wrap.wrap(CreationFlags(windows::Win32::System::Threading::CREATE_NO_WINDOW)).wrap(JobObject);
        }
        let mut group = Group(wrap.spawn().map_err(|cause| not_started(cause.to_string()))?);
        let child = &mut group.0;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin().take(), child.stdout().take(), child.stderr().take())
        else {
            return Err(not_started("it has no standard streams".into()));
        };
        let last_line = Arc::new(Mutex::new(Vec::new()));
        let reading = tokio::spawn(read_end(stderr, last_line.clone()));
        let stop = CancellationToken::new();
        let (status, ended) = watch::channel(None);
        tokio::spawn(attend(group, stop.clone(), status, reading));
        Ok((Self { stop: Arc::new(StopOnDrop(stop)), ended, last_line, redactor }, stdout, stdin))
    }

    /// Stops the program and waits until it is gone. Its input should be closed, so that it can end by itself. Returns how it ended, and
    /// the last line that it wrote to standard error.
    pub(crate) async fn stop(&mut self) -> String {
        self.stop.0.cancel();
        let ended = self.ended.wait_for(Option::is_some).await;
        let status = ended.ok().and_then(|status| status.clone()).unwrap_or_else(|| "stopped".to_owned());
        let end = String::from_utf8_lossy(&self.last_line.lock()).into_owned();
        let line = end.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        match clean(line, &self.redactor) {
            line if line.is_empty() => status,
            line => format!("{status}, {line}"),
        }
    }
}

/// Where things are on the disk.
struct Located {
    program: PathBuf,
    folder: PathBuf,
    search_path: OsString,
}

impl Located {
    /// Finds a program as a terminal would. The error is a part of a sentence.
    fn find(command: &str, cwd: Option<PathBuf>) -> Result<Self, String> {
        let home = std::env::home_dir().filter(|folder| folder.is_dir());
        let folder = match cwd {
            Some(cwd) if !cwd.is_dir() => return Err("its working folder does not exist".into()),
            Some(cwd) => cwd,
            None => home.clone().unwrap_or_else(std::env::temp_dir),
        };
        let search_path = search_path(home);
        // On Windows with the endings of programs.
        let program = which::which_in(command, Some(&search_path), &folder)
            .map_err(|_| "it was not found; check that it is installed".to_owned())?;
        Ok(Self { program, folder, search_path })
    }
}

/// The search path of AURA, and after it where package managers put programs: a desktop starts AURA without the settings of a terminal.
fn search_path(home: Option<PathBuf>) -> OsString {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let own = home.iter().flat_map(|home| HOME_FOLDERS.iter().map(|folder| home.join(folder)));
    let more = own.chain(FOLDERS.iter().map(PathBuf::from)).filter(|folder| folder.is_dir());
    let all: Vec<PathBuf> = std::env::split_paths(&inherited).chain(more).collect();
    // Fails for a folder with a separator in its name.
    std::env::join_paths(all).unwrap_or(inherited)
}

/// Waits for the end of a program, or ends it; then kills what it left behind.
async fn attend(
    mut group: Group,
    stop: CancellationToken,
    status: watch::Sender<Option<String>>,
    mut reading: JoinHandle<()>,
) {
    let ended = tokio::select! {
        ended = group.0.wait() => Some(ended),
        () = stop.cancelled() => tokio::time::timeout(GRACE, group.0.wait()).await.ok(),
    };
    // Fails when nothing is left.
    let _ = group.0.start_kill();
    let ended = match ended {
        Some(Ok(status)) => status.to_string(),
        Some(Err(cause)) => cause.to_string(),
        None => {
            // It was killed, so this does not take long.
            let _ = tokio::time::timeout(GRACE, group.0.wait()).await;
            "it was stopped".to_owned()
        }
    };
    let _ = tokio::time::timeout(REST, &mut reading).await;
    reading.abort();
    // Nobody may be interested any more.
    let _ = status.send(Some(ended));
}

async fn read_end(mut from: impl AsyncRead + Unpin, end: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mut end = end.lock();
        end.extend_from_slice(&buffer[..count]);
        let surplus = end.len().saturating_sub(STDERR);
        end.drain(..surplus);
    }
}
