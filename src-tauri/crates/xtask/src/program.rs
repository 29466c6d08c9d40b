//! Starts other programs and reads their output and exit status.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;

/// Errors are messages for the user; no code branches on them.
pub(crate) type Result<T = ()> = std::result::Result<T, String>;

/// The root of the work tree.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(3).unwrap_or(here).to_owned()
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// Cargo, at the root of the work tree. In continuous integration (`CI` is set) it must not change the lock file.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let mut cargo = cargo_elsewhere(subcommand);
    if std::env::var_os("CI").is_some() && subcommand != "fmt" {
        cargo.arg("--locked");
    }
    cargo
}

/// Cargo, for a package outside the workspace. Its lock file is another one, which may change.
pub(crate) fn cargo_elsewhere(subcommand: &str) -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg(subcommand);
    // `cargo run` describes xtask in these variables. Some build scripts, such as ring's, run again when they change, so without
    // this, `cargo xtask test` and a plain `cargo test` would each rebuild what the other had built.
    for (name, _) in std::env::vars_os() {
        if ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// A program whose working directory is the root of the work tree.
pub(crate) fn command(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// The command line, without quotes and without the program's folder.
pub(crate) fn command_line(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(name).chain(command.get_args()).map(|word| word.to_string_lossy());
    words.collect::<Vec<_>>().join(" ")
}

/// Runs a command to its end. Its output goes to the terminal.
///
/// # Errors
/// The command could not be started, or its exit status is not 0.
pub(crate) fn run(command: &mut Command) -> Result {
    println!("$ {}", command_line(command));
    let status =
        command.status().map_err(|cause| format!("`{}` could not be started: {cause}", command_line(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", command_line(command))) }
}

/// Runs a command to its end and passes its output on, line by line, each after `prefix`. `on_line` gets each line without colours and
/// line end.
///
/// # Errors
/// The command could not be started, or its exit status is not 0.
pub(crate) fn watch(command: &mut Command, prefix: &str, mut on_line: impl FnMut(&str)) -> Result {
    println!("{prefix}$ {}", command_line(command));
    let (sender, lines) = mpsc::channel();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        command.spawn().map_err(|cause| format!("`{}` could not be started: {cause}", command_line(command)))?;
    let readers = [
        child.stdout.take().map(|from| read_lines(from, sender.clone())),
        child.stderr.take().map(|from| read_lines(from, sender)),
    ];
    let mut out = std::io::stdout();
    for line in lines {
        // The tests go on when the terminal is closed.
        let _ = out.write_all(&[prefix.as_bytes(), &line].concat()).and_then(|()| out.flush());
        on_line(&without_colours(&String::from_utf8_lossy(&line)));
    }
    for reader in readers.into_iter().flatten() {
        let _ = reader.join();
    }
    let status = child.wait().map_err(|cause| format!("`{}`: {cause}", command_line(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", command_line(command))) }
}

fn read_lines(from: impl Read + Send + 'static, sender: mpsc::Sender<Vec<u8>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while let Ok(1..) = from.read_until(b'\n', &mut line) {
            if sender.send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    })
}

/// The standard output of a command.
///
/// # Errors
/// The command could not be started, or its exit status is not 0.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output =
        command.output().map_err(|cause| format!("`{}` could not be started: {cause}", command_line(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{}` failed ({}): {}", command_line(command), output.status, stderr.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program is on the search path.
pub(crate) fn is_installed(name: &str) -> bool {
    which::which(name).is_ok()
}

/// A line without its colours (ANSI escape sequences) and its line end.
fn without_colours(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line.trim_end().chars();
    while let Some(letter) = rest.next() {
        if letter == '\u{1b}' {
            // An escape sequence ends with its first letter.
            let _ = rest.by_ref().find(char::is_ascii_alphabetic);
        } else {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_removed_from_lines() {
        assert_eq!(without_colours("\u{1b}[1m\u{1b}[32m Tests \u{1b}[39m 3 passed\n"), " Tests  3 passed");
    }

    #[test]
    fn the_root_is_the_workspace_root() {
        assert!(root().join("Cargo.lock").is_file());
    }
}
