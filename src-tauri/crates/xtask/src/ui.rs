//! The interface: installs its npm packages and builds it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::program::{self, Result};

fn folder() -> PathBuf {
    program::root().join("ui")
}

/// npm in the interface's folder.
pub(crate) fn npm(arguments: &[&str]) -> Command {
    // A script on Windows, which is found by its full name only.
    let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.args(arguments).current_dir(folder());
    npm
}

/// Installs the interface's npm packages if they are missing or older than the lock file.
///
/// # Errors
/// npm is missing, or it failed.
pub(crate) fn packages() -> Result {
    packages_of(&folder())
}

/// The same for any folder with a lock file.
///
/// # Errors
/// npm is missing, or it failed.
pub(crate) fn packages_of(folder: &Path) -> Result {
    if !program::is_installed("npm") {
        return Err("npm was not found. Install Node 20.19 or newer with npm.".into());
    }
    let lock = modified(&folder.join("package-lock.json"));
    // npm writes this file last, after it has installed everything.
    let installed = modified(&folder.join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= lock {
        return Ok(());
    }
    program::run(npm(&["ci", "--no-audit", "--no-fund"]).current_dir(folder))
}

/// Builds the interface if a source changed since the last build.
pub(crate) fn build() -> Result {
    packages()?;
    let built = ["index.html", "overlay.html"].map(|page| modified(&folder().join("dist").join(page)));
    let oldest = built.into_iter().min().flatten();
    if oldest.is_some() && oldest >= newest_source(&folder()) {
        return Ok(());
    }
    program::run(&mut npm(&["run", "build"]))
}

/// The time of the latest change to a source file.
fn newest_source(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let times = entries.filter_map(|entry| {
        let path = entry.path();
        let name = entry.file_name();
        if name == "node_modules" || name == "dist" {
            None
        } else if path.is_dir() {
            newest_source(&path)
        } else {
            modified(&path)
        }
    });
    times.max()
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).ok()?.modified().ok()
}
