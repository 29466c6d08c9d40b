//! Programs that a test starts, and that end with the test.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use tokio::sync::Semaphore;

use crate::processes::family;

/// Environment variables of a process.
pub type Environment = Vec<(&'static str, OsString)>;

/// The variable that names the test for which a process was started.
const INSIDE: &str = "AURA_TEST_INSIDE";

/// The variable that names the file which a test writes to show that it ran.
const RAN: &str = "AURA_TEST_RAN";

/// The time limit of a test in a process of its own, unless [`LIMIT_SECONDS`] is set.
const TEST_LIMIT: Duration = Duration::from_secs(300);
/// The environment variable with another limit in seconds, for a test that is told to do something hundreds of times.
const LIMIT_SECONDS: &str = "AURA_TEST_LIMIT";

/// A running program. Dropping this ends it by its process ID.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts a program. If it is not installed, the test fails with the name of its Debian package.
    pub fn start(command: &mut Command, package: &str) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        match command.spawn() {
            Ok(child) => Self { child },
            Err(cause) => panic!("this test needs the program `{program}` ({cause}): apt install {package}"),
        }
    }

    /// The process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Standard output, if it was piped. Can be taken once.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Standard input, if it was piped. Can be taken once.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Writes to standard input and closes it, if it was piped.
    pub fn feed(&mut self, bytes: &[u8]) {
        if let Some(mut stdin) = self.child.stdin.take() {
            std::io::Write::write_all(&mut stdin, bytes).expect("the program reads its standard input");
        }
    }

    /// The first line of standard output; panics if the program ends before.
    pub fn first_line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.child.stdout.as_mut().expect("standard output was piped");
        BufReader::new(stdout).read_line(&mut line).expect("the program writes");
        assert!(!line.is_empty(), "the program ended at once: {:?}", self.child.wait());
        line.trim().to_owned()
    }

    /// Whether the program still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for the end of the program.
    pub fn wait(&mut self) {
        self.child.wait().expect("the program can be waited for");
    }

    /// Kills the program and its descendants, each by its ID: a killed program does not end its children.
    pub fn end_family(&mut self) {
        for process in family(self.id()).into_iter().rev() {
            let _ = Command::new("kill").args(["-9", &process.id.to_string()]).stderr(Stdio::null()).status();
        }
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_alive() {
            return;
        }
        // SIGTERM first, so that it removes its sockets and lock files.
        let _ = Command::new("kill").arg(self.id().to_string()).status();
        wait_until(Duration::from_secs(2), || !self.is_alive());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end; returns its standard output. Panics if it fails.
pub fn run(command: &mut Command, package: &str) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command.stdin(Stdio::null()).output();
    let done =
        done.unwrap_or_else(|cause| panic!("this test needs the program `{program}` ({cause}): apt install {package}"));
    assert!(done.status.success(), "`{command:?}` failed: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Polls until `holds` returns true. False once the limit is reached.
pub fn wait_until(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if begun.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits up to 30 s for a file, usually a socket, that another program creates.
pub fn wait_for_file(path: &Path) {
    assert!(wait_until(Duration::from_secs(30), || path.exists()), "{} did not appear", path.display());
}

/// Sound and pictures in real time leave most of a processor idle; more than two at once are too slow for two processors.
const AT_ONCE: u32 = 2;

/// Runs a test's body in a process of its own.
///
/// Sound, display and keyring are found through environment variables, of which a process has only one set. `test` is the path of the
/// calling test. `prepare` creates what the test needs, which is kept until the process ends, and the variables for it. At most
/// two such tests of a program run at once.
pub fn in_own_process<T>(test: &str, prepare: impl FnOnce() -> (T, Environment), body: impl FnOnce()) {
    in_slots(1, test, prepare, body);
}

/// Like [`in_own_process`], while no other such test of this program runs: for what needs sound without gaps.
pub fn in_own_process_alone<T>(test: &str, prepare: impl FnOnce() -> (T, Environment), body: impl FnOnce()) {
    in_slots(AT_ONCE, test, prepare, body);
}

fn in_slots<T>(slots: u32, test: &str, prepare: impl FnOnce() -> (T, Environment), body: impl FnOnce()) {
    // Fair: a test that waits for all slots goes before those that ask later.
    static FREE: Semaphore = Semaphore::const_new(AT_ONCE as usize);
    if std::env::var_os(INSIDE).is_some_and(|inside| inside == test) {
        let ran = std::env::var_os(RAN).expect("the variables come together");
        std::fs::write(ran, test).expect("the folder can be written");
        return body();
    }
    let _taken = block_on(FREE.acquire_many(slots)).expect("it is never closed");
    let (kept, environment) = prepare();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ran = folder.path().join("ran");
    let mut command = Command::new(std::env::current_exe().expect("a test knows its own program"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).envs(environment);
    command.env(INSIDE, test).env(RAN, &ran);
    // Its summary would be counted as another run. Failures are printed to standard error.
    command.stdout(Stdio::null());
    let mut process = Running::start(&mut command, "this test itself");
    let limit = std::env::var(LIMIT_SECONDS).ok().and_then(|seconds| seconds.parse().ok());
    let limit = limit.map_or(TEST_LIMIT, Duration::from_secs);
    if !wait_until(limit, || !process.is_alive()) {
        process.end_family();
        panic!("{test} took longer than {limit:?}");
    }
    let status = process.child.wait().expect("the test can be waited for");
    drop(kept);
    assert!(status.success(), "{test} failed in its own process; see above");
    assert!(ran.is_file(), "no test is named {test}: nothing was run");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_test_name_fails() {
        let panicked = std::panic::catch_unwind(|| {
            in_own_process("process::tests::no_such_test", || ((), Environment::new()), || {});
        });
        let message = panicked.expect_err("it passed although nothing was run");
        assert!(message.downcast_ref::<String>().is_some_and(|message| message.contains("nothing was run")));
    }

    #[test]
    fn the_children_of_a_program_end_with_it() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 300 & echo $!; wait"]).stdout(Stdio::piped());
        let mut parent = Running::start(&mut command, "dash");
        let child: u32 = parent.first_line().parse().expect("a process id");
        assert!(family(parent.id()).iter().any(|process| process.id == child));
        parent.end_family();
        // A process whose exit code was not read stays in the list as a zombie.
        let state = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let ended = || state().rsplit(')').next().is_none_or(|rest| rest.is_empty() || rest.starts_with(" Z"));
        assert!(wait_until(Duration::from_secs(30), ended), "{child} is still there");
    }
}
