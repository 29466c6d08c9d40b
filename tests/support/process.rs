//! Programs that a test starts: found or named as missing, and ended when the test is done.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::processes::family;

/// Variables for a process.
pub type Environment = Vec<(&'static str, OsString)>;

/// Names the test that a process was started for.
const INSIDE: &str = "AURA_TEST_INSIDE";

/// Names the file by which a test says that it really ran.
const RAN: &str = "AURA_TEST_RAN";

/// A test in its own process that takes longer hangs.
const TEST_LIMIT: Duration = Duration::from_secs(300);

/// A program that is ended, by its process id, when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts a program. When it is not installed, the test fails and names the Debian package that has it.
    pub fn start(command: &mut Command, package: &str) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        match command.spawn() {
            Ok(child) => Self { child },
            Err(cause) => panic!("this test needs the program `{program}` ({cause}): apt install {package}"),
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it writes, if that was piped; can be taken once.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// What it reads, if that was piped; can be taken once.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Feeds it and closes its standard input, if that was piped.
    pub fn feed(&mut self, bytes: &[u8]) {
        if let Some(mut stdin) = self.child.stdin.take() {
            std::io::Write::write_all(&mut stdin, bytes).expect("the program reads its standard input");
        }
    }

    /// The first line that it writes to standard output; fails when it ends before.
    pub fn first_line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.child.stdout.as_mut().expect("standard output was piped");
        BufReader::new(stdout).read_line(&mut line).expect("the program writes");
        assert!(!line.is_empty(), "the program ended at once: {:?}", self.child.wait());
        line.trim().to_owned()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    pub fn wait(&mut self) {
        self.child.wait().expect("the program can be waited for");
    }

    /// Ends it and all that came of it, each by its id: a program that was killed ends nothing that it started.
    fn end_family(&mut self) {
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
        // Gently first, so that it removes its sockets and lock files.
        let _ = Command::new("kill").arg(self.id().to_string()).status();
        wait_until(Duration::from_secs(2), || !self.is_alive());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end and gives what it wrote; fails when it fails.
pub fn run(command: &mut Command, package: &str) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command.stdin(Stdio::null()).output();
    let done =
        done.unwrap_or_else(|cause| panic!("this test needs the program `{program}` ({cause}): apt install {package}"));
    assert!(done.status.success(), "`{command:?}` failed: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Looks again and again until something holds; false when the limit is over.
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

/// Waits for a file, usually a socket, that another program makes.
pub fn wait_for_file(path: &Path) {
    assert!(wait_until(Duration::from_secs(30), || path.exists()), "{} did not appear", path.display());
}

/// Runs a test's body in a process of its own.
///
/// Sound, display and keyring are found through environment variables, which one process cannot have twice. `test` is the name of the
/// calling test with its modules; `prepare` makes what is needed and gives it with its variables, and is kept until the process
/// has ended. Such tests run one at a time: they measure.
pub fn in_own_process<T>(test: &str, prepare: impl FnOnce() -> (T, Environment), body: impl FnOnce()) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    if std::env::var_os(INSIDE).is_some_and(|inside| inside == test) {
        let ran = std::env::var_os(RAN).expect("the variables come together");
        std::fs::write(ran, test).expect("the folder can be written");
        return body();
    }
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (kept, environment) = prepare();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ran = folder.path().join("ran");
    let mut command = Command::new(std::env::current_exe().expect("a test knows its own program"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).envs(environment);
    command.env(INSIDE, test).env(RAN, &ran);
    // Its summary would be counted as another run; what went wrong goes to standard error.
    command.stdout(Stdio::null());
    let mut process = Running::start(&mut command, "this test itself");
    if !wait_until(TEST_LIMIT, || !process.is_alive()) {
        process.end_family();
        panic!("{test} took longer than {TEST_LIMIT:?}");
    }
    let status = process.child.wait().expect("the test can be waited for");
    drop(kept);
    assert!(status.success(), "{test} failed in its own process; see above");
    assert!(ran.is_file(), "no test has the name {test}: nothing was run");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_by_a_wrong_name_fails() {
        let panicked = std::panic::catch_unwind(|| {
            in_own_process("process::tests::no_such_test", || ((), Environment::new()), || {});
        });
        let said = panicked.expect_err("it passed although nothing was run");
        assert!(said.downcast_ref::<String>().is_some_and(|said| said.contains("nothing was run")));
    }

    #[test]
    fn what_a_program_started_ends_with_it() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 300 & echo $!; wait"]).stdout(Stdio::piped());
        let mut parent = Running::start(&mut command, "dash");
        let child: u32 = parent.first_line().parse().expect("a process id");
        assert!(family(parent.id()).iter().any(|process| process.id == child));
        parent.end_family();
        // What nobody asks for its exit code stays in the list of processes without being one.
        let state = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let ended = || state().rsplit(')').next().is_none_or(|rest| rest.is_empty() || rest.starts_with(" Z"));
        assert!(wait_until(Duration::from_secs(30), ended), "{child} is still there");
    }
}
