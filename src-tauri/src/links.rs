//! Links of answers, which the system's own browser or mail program opens: AURA's windows show no foreign page.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use aura_core::error::{Error, Result};
use aura_providers::inherited_variables;

/// The longest address, in bytes.
const MAX_BYTES: usize = 4_096;
/// The variable in which `open` hands the address to the program that it starts on Windows.
const HANDED_OVER: &str = "OPEN_RS_TARGET";

/// The address as it is handed to the system: of a web page or for mail, and nothing else, since what a model writes decides it.
///
/// # Errors
/// When it is another kind of address, too long, or not one at all.
fn check(address: &str) -> Result<String> {
    let invalid = || Error::invalid("Only links to web pages and mail addresses can be opened.");
    if address.len() > MAX_BYTES {
        return Err(invalid());
    }
    // As the parser writes it: with its special characters escaped.
    let url = url::Url::parse(address).map_err(|_| invalid())?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url.into()),
        "mailto" => Ok(url.into()),
        _ => Err(invalid()),
    }
}

/// Opens an address in the program that the system has for it, and leaves that program alone afterwards.
///
/// # Errors
/// When the address is not of a web page or for mail, or no program could be started.
pub(crate) fn open(address: &str) -> Result<()> {
    let address = check(address)?;
    let mut last = None;
    for mut command in open::commands(&address) {
        match start(&mut command) {
            Ok(()) => return Ok(()),
            Err(cause) => last = Some(cause),
        }
    }
    let error = Error::invalid("No program to open this link was found. Copy its address instead.");
    Err(last.map_or(error.clone(), |cause| error.because(cause)))
}

fn start(command: &mut Command) -> std::io::Result<()> {
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
    fn only_web_pages_and_mail_addresses_are_opened() {
        for (address, handed_over) in [
            ("https://example.org/a b", "https://example.org/a%20b"),
            ("http://example.org", "http://example.org/"),
            ("mailto:ada@example.org", "mailto:ada@example.org"),
            ("HTTPS://EXAMPLE.org/$(x)`y`", "https://example.org/$(x)%60y%60"),
        ] {
            assert_eq!(check(address).unwrap(), handed_over);
        }
        let long = format!("https://example.org/{}", "a".repeat(MAX_BYTES));
        for address in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "/bin/sh",
            "-e",
            "",
            "smb://host/share",
            "https://",
            long.as_str(),
        ] {
            assert!(check(address).is_err(), "{address}");
        }
    }

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
