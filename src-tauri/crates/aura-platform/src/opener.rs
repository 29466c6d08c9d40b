//! Opens pages and files in the programs that the system has for them.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{Command, Stdio};

use aura_providers::inherited_variables;

/// The variable in which `open` hands the target to the program that it starts on Windows.
const HANDED_OVER: &str = "OPEN_RS_TARGET";

/// The variables by which a program finds the session of the person: its display, message bus, sound and key agent, and how it looks there.
const SESSION: &[&str] = &[
    "BROWSER",
    "DBUS_SESSION_BUS_ADDRESS",
    "DESKTOP_SESSION",
    "DISPLAY",
    "EDITOR",
    "SESSION_MANAGER",
    "SHELL",
    "SSH_AUTH_SOCK",
    "TMPDIR",
    "VISUAL",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XCURSOR_SIZE",
    "XCURSOR_THEME",
    "XMODIFIERS",
];
/// What others of them begin with.
const SESSION_BEGINNINGS: &[&str] = &["GDK_", "GNOME_", "GTK_", "KDE_", "MOZ_", "PIPEWIRE_", "PULSE_", "QT_"];

/// The variables of this process that a program of the person's session inherits. No API key is among them.
pub(crate) fn session_variables() -> impl Iterator<Item = (OsString, OsString)> {
    let of_session = std::env::vars_os().filter(|(name, _)| {
        let Some(name) = name.to_str().filter(|name| !name.ends_with("_API_KEY")) else { return false };
        SESSION.contains(&name) || SESSION_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
    });
    inherited_variables().chain(of_session)
}

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
        .envs(session_variables())
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
