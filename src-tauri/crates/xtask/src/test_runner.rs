//! How test binaries are started so that they print the duration of each test.
//!
//! libtest prints durations only with `-Z unstable-options --report-time`, which a stable toolchain accepts only when `RUSTC_BOOTSTRAP`
//! is set. Set for cargo, the variable would rebuild everything. So cargo gets this program as its runner, and the runner sets
//! the variable for the test binary alone.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;

use crate::program::{self, Result};

/// Precedes the name of a test binary in a line that the runner prints before the binary's own lines.
pub(crate) const BINARY_LINE: &str = "test binary: ";

/// What cargo starts the tests with.
#[derive(Debug)]
pub(crate) struct TestRunner {
    program: PathBuf,
    /// Arguments for the test binaries, such as a part of the tests' names.
    pub(crate) arguments: Vec<String>,
}

impl TestRunner {
    /// Must be called before the first build: cargo may replace this program's file, and `current_exe` then names a deleted file.
    pub(crate) fn new(arguments: &[String]) -> Result<Self> {
        let program =
            std::env::current_exe().map_err(|cause| format!("the path of this program is unknown: {cause}"))?;
        Ok(Self { program, arguments: arguments.to_vec() })
    }

    /// `cargo test` whose test binaries print durations. Only for targets that use libtest, and not for doc tests: rustdoc uses the runner
    /// too, but its binaries do not read arguments.
    ///
    /// The runner is set by `cfg` because a runner that the user configured for the target triple takes precedence: the tests
    /// then run as configured, without durations.
    pub(crate) fn cargo_test(&self) -> Command {
        let mut cargo = program::cargo("test");
        cargo.arg("--config");
        // Rust's escapes in a string are also TOML's, for any path that occurs.
        cargo.arg(format!("target.'cfg(all())'.runner=[{:?}, 'run-test', '--']", self.program.display().to_string()));
        cargo
    }
}

/// The runner that `cargo_test` names.
#[derive(Debug, Args)]
pub(crate) struct RunTest {
    /// The test binary.
    binary: PathBuf,
    /// Its arguments.
    arguments: Vec<OsString>,
}

impl RunTest {
    /// Runs the test binary and returns its exit code.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        println!("{BINARY_LINE}{}", target_name(&self.binary));
        let mut test = Command::new(&self.binary);
        test.args(&self.arguments);
        if !self.arguments.iter().any(|argument| argument == "--report-time") {
            test.args(["-Zunstable-options", "--report-time"]);
        }
        // Programs that tests start inherit the variable. Only rustc and cargo read it, and the tests start of these only `cargo
        // metadata`, which compiles nothing.
        test.env("RUSTC_BOOTSTRAP", "1");
        let failed = |cause| format!("{} could not be started: {cause}", self.binary.display());
        #[cfg(unix)]
        {
            // Replaces this process, so that signals reach the tests and their exit status reaches cargo unchanged.
            Err(failed(std::os::unix::process::CommandExt::exec(&mut test)))
        }
        #[cfg(not(unix))]
        {
            let status = test.status().map_err(failed)?;
            Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
        }
    }
}

/// The target's name: the file's without the hash that cargo appends.
fn target_name(binary: &Path) -> String {
    let name = binary.file_stem().unwrap_or_default().to_string_lossy();
    name.rsplit_once('-').map_or(&*name, |(target, _)| target).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_name_has_no_hash() {
        assert_eq!(target_name(Path::new("target/debug/deps/aura_core-0123456789abcdef")), "aura_core");
        assert_eq!(target_name(Path::new("target/debug/deps/bench-voice-0123456789abcdef")), "bench-voice");
    }
}
