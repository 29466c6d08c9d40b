//! Opens pages and files in the programs that the system has for them.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, Stdio};

use aura_providers::inherited_variables;

/// The variable in which `open` hands the target to the program that it starts on Windows.
const HANDED_OVER: &str = "OPEN_RS_TARGET";

/// Opens an address or the path of a file in the program that the system has for it, and leaves that program alone afterwards. The caller
/// decides whether the target may be opened.
///
/// # Errors
/// When no program could be started.
pub fn open_with_system(target: &str) -> io::Result<()> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for mut command in open::commands(target) {
        match start(&mut command) {
            Ok(()) => return Ok(()),
            Err(cause) => last = cause,
        }
    }
    Err(last)
}

/// Starts a program without AURA's keys, and leaves it alone afterwards.
///
/// # Errors
/// When it could not be started.
pub(crate) fn start(command: &mut Command) -> std::io::Result<()> {
    let address = command.get_envs().find(|(name, _)| *name == HANDED_OVER).and_then(|(_, value)| value);
    let address = address.map(OsStr::to_owned);
    command
        // Without AURA's API keys. This also removes the variables that the command has of its own.
        .env_clear()
        .envs(inherited_variables())
        .envs(address.map(|address| (HANDED_OVER, address)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let mut child = command.spawn()?;
    // Its end is waited for, so that it leaves no zombie behind.
    std::thread::Builder::new().name("aura-link".into()).spawn(move || child.wait()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_starts_without_keys_and_a_missing_one_is_an_error() {
        assert!(start(&mut Command::new("a-program-that-nobody-has")).is_err());
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("environment");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("env > {0}.part; mv {0}.part {0}", told.display())]);
        command.env("GROQ_API_KEY", "secret").env(HANDED_OVER, "https://example.org/");
        start(&mut command).unwrap();
        while !told.exists() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let told = std::fs::read_to_string(&told).unwrap();
        assert!(!told.contains("secret") && told.contains("https://example.org/"), "{told}");
    }
}
