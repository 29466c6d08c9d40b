//! Manual pages and shell completions, made from the definition of a command line.

use std::io;
use std::path::Path;

use clap::Command;
use clap_complete::{Shell, generate_to};

/// Writes the manual pages of a program (`man1/NAME.1` and one page for each of its commands) and its completions
/// (`completions/`, in the names that each shell expects) into a folder.
///
/// # Errors
/// When a file cannot be written.
pub fn write_manual(command: &Command, folder: &Path) -> io::Result<()> {
    let (pages, completions) = (folder.join("man1"), folder.join("completions"));
    for folder in [&pages, &completions] {
        std::fs::create_dir_all(folder)?;
    }
    let name = command.get_name().to_owned();
    clap_mangen::generate_to(command.clone(), &pages)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
        generate_to(shell, &mut command.clone(), &name, &completions)?;
    }
    Ok(())
}
