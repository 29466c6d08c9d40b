//! The interface: its packages, its checks and its build.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::program::{self, Result};

fn folder() -> PathBuf {
    program::root().join("ui")
}

/// npm, in the interface's folder.
pub(crate) fn npm(arguments: &[&str]) -> Command {
    let mut npm = Command::new("npm");
    npm.args(arguments).current_dir(folder());
    npm
}

/// Gets the packages when there are none, or not those of the lock file.
pub(crate) fn packages() -> Result {
    if !program::is_there("npm") {
        return Err("npm was not found. Install Node 20.19 or newer with npm.".into());
    }
    let lock = changed(&folder().join("package-lock.json"));
    // npm writes this file when it has installed everything.
    let installed = changed(&folder().join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= lock {
        return Ok(());
    }
    program::run(&mut npm(&["ci", "--no-audit", "--no-fund"]))
}

/// Builds it when something changed since the last time.
pub(crate) fn build() -> Result {
    packages()?;
    let built = ["index.html", "hud.html"].map(|page| changed(&folder().join("dist").join(page)));
    let oldest = built.into_iter().min().flatten();
    if oldest.is_some() && oldest >= newest(&folder()) {
        return Ok(());
    }
    program::run(&mut npm(&["run", "build"]))
}

/// When the newest source was changed.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let times = entries.filter_map(|entry| {
        let path = entry.path();
        let name = entry.file_name();
        if name == "node_modules" || name == "dist" {
            None
        } else if path.is_dir() {
            newest(&path)
        } else {
            changed(&path)
        }
    });
    times.max()
}

fn changed(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).ok()?.modified().ok()
}
