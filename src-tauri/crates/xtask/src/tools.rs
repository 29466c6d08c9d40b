//! Programs of others that check the work tree: licences and sources of dependencies, unused dependencies, workflow files. They are installed
//! below the target folder, each in one version, and used from there until that version changes.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::program::{self, Result};
use crate::ui;

/// A program that cargo builds and installs.
#[derive(Debug, Clone, Copy)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

/// Checks licences, sources and duplicates of dependencies, and published weaknesses in them.
const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
/// Finds dependencies that no source names.
const MACHETE: Tool = Tool { name: "cargo-machete", version: "0.9.2" };

/// Checks licences, sources and duplicates of all dependencies, and that each is used. `deny.toml` has the rules.
pub(crate) fn dependencies() -> Result {
    let mut deny = installed(DENY)?;
    if std::env::var_os("CI").is_some() {
        deny.arg("--locked");
    }
    program::run(deny.args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    program::run(&mut installed(MACHETE)?)
}

/// Checks the workflow files.
pub(crate) fn workflows() -> Result {
    let folder = program::root().join(".github/lint");
    ui::packages_of(&folder)?;
    program::run(program::command("node").arg(folder.join("lint.js")))
}

/// `cargo xtask audit`: looks for published weaknesses in dependencies, which needs the network.
pub(crate) fn audit() -> Result<ExitCode> {
    program::run(installed(DENY)?.args(["check", "advisories"]))?;
    Ok(ExitCode::SUCCESS)
}

/// A tool, which is built and installed first if it is missing or has another version.
fn installed(tool: Tool) -> Result<Command> {
    let folder = program::target().join("tools");
    let program = folder.join("bin").join(format!("{}{}", tool.name, std::env::consts::EXE_SUFFIX));
    if !is_installed(&folder, &program, tool) {
        install(&folder, tool)?;
    }
    Ok(program::command(program))
}

fn is_installed(folder: &Path, program: &Path, tool: Tool) -> bool {
    // cargo's own list of what it installed in a folder.
    let listed = std::fs::read_to_string(folder.join(".crates.toml")).unwrap_or_default();
    program.is_file() && listed.contains(&format!("\"{} {} (", tool.name, tool.version))
}

/// Builds a tool without optimisation and debug information, which takes half the time. It runs for seconds.
fn install(folder: &Path, tool: Tool) -> Result {
    let build: PathBuf = folder.join("build");
    let mut cargo = program::cargo_elsewhere("install");
    cargo.args(["--debug", "--locked", "--version", tool.version, "--root"]).arg(folder).arg(tool.name);
    cargo.env("CARGO_TARGET_DIR", &build).env("CARGO_PROFILE_DEV_DEBUG", "0");
    program::run(&mut cargo)?;
    // Hundreds of megabytes that nothing reads again.
    let _ = std::fs::remove_dir_all(build);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_of_another_version_is_installed_again() {
        let folder = std::env::temp_dir().join(format!("aura-tools-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let program = folder.join("cargo-deny");
        let listed =
            "[v1]\n\"cargo-deny 0.20.2 (registry+https://github.com/rust-lang/crates.io-index)\" = [\"cargo-deny\"]\n";
        std::fs::write(folder.join(".crates.toml"), listed).unwrap();
        let tool = |version| Tool { name: "cargo-deny", version };
        assert!(!is_installed(&folder, &program, tool("0.20.2")), "the program is missing");
        std::fs::write(&program, "").unwrap();
        assert!(is_installed(&folder, &program, tool("0.20.2")));
        assert!(!is_installed(&folder, &program, tool("0.20.1")) && !is_installed(&folder, &program, tool("0.20.20")));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
