//! Running other programs: where they are, what they print, and how they end.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;

/// What can go wrong here is told to a person; nobody branches on it.
pub(crate) type Result<T = ()> = std::result::Result<T, String>;

/// The root of the work tree.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(3).unwrap_or(here).to_owned()
}

/// The one folder that everything is built in.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// Cargo, at the root of the work tree. A run for others must not change the lock file.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg(subcommand);
    if std::env::var_os("CI").is_some() && subcommand != "fmt" {
        cargo.arg("--locked");
    }
    // The tests export the interface's types; what is compared with the work tree must not overwrite it.
    cargo.env("TS_RS_EXPORT_DIR", target().join("generated-types"));
    cargo
}

/// A program that works at the root of the work tree.
pub(crate) fn command(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// The command as it would be typed.
pub(crate) fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(name).chain(command.get_args()).map(|word| word.to_string_lossy());
    words.collect::<Vec<_>>().join(" ")
}

/// Runs a command to its end; what it prints goes straight to the terminal.
pub(crate) fn run(command: &mut Command) -> Result {
    println!("$ {}", shown(command));
    let status = command.status().map_err(|cause| format!("`{}` could not be started: {cause}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", shown(command))) }
}

/// Runs a command to its end, and hands each line that it prints to `seen` as it is passed on.
pub(crate) fn watch(command: &mut Command, mut seen: impl FnMut(&str)) -> Result {
    println!("$ {}", shown(command));
    let (tell, lines) = mpsc::channel();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|cause| format!("`{}` could not be started: {cause}", shown(command)))?;
    let readers = [
        child.stdout.take().map(|from| read_lines(from, tell.clone())),
        child.stderr.take().map(|from| read_lines(from, tell)),
    ];
    let mut out = std::io::stdout();
    for line in lines {
        // A closed terminal is no reason to end the tests.
        let _ = out.write_all(&line).and_then(|()| out.flush());
        seen(&plain(&String::from_utf8_lossy(&line)));
    }
    for reader in readers.into_iter().flatten() {
        let _ = reader.join();
    }
    let status = child.wait().map_err(|cause| format!("`{}`: {cause}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", shown(command))) }
}

fn read_lines(from: impl Read + Send + 'static, tell: mpsc::Sender<Vec<u8>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while let Ok(1..) = from.read_until(b'\n', &mut line) {
            if tell.send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    })
}

/// What a command prints, when it succeeds.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|cause| format!("`{}` could not be started: {cause}", shown(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{}` failed ({}): {}", shown(command), output.status, said.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program can be found.
pub(crate) fn is_there(name: &str) -> bool {
    which::which(name).is_ok()
}

/// A line without its colours and its end.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line.trim_end().chars();
    while let Some(letter) = rest.next() {
        if letter == '\u{1b}' {
            // A colour ends with its first letter.
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
    fn lines_lose_their_colours() {
        assert_eq!(plain("\u{1b}[1m\u{1b}[32m Tests \u{1b}[39m 3 passed\n"), " Tests  3 passed");
    }

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.lock").is_file());
    }
}
