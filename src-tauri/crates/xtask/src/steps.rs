//! The steps of `cargo xtask test`.
//!
//! Cargo builds a dependency again for each set of its features, and the set depends on which packages a command names. So all
//! steps but the core's name the whole workspace and differ only in the targets: everything is built once.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::program::{self, Result};
use crate::report::Report;
use crate::system::{self, Purpose};
use crate::ui;

/// Tests that need a display, a sound server or the built programs, and run one after another.
const WHOLE_SYSTEM: &[&str] = &["api", "cli", "desktop", "guide", "openai", "voice"];

/// Formatting, of Rust.
pub(crate) fn format() -> Result {
    program::run(program::cargo("fmt").args(["--all", "--check"]))
}

/// The core where pkg-config finds nothing: neither ALSA nor X nor WebKit can slip in.
pub(crate) fn core(report: &mut Report, arguments: &[String]) -> Result {
    let nothing = program::target().join("no-packages");
    std::fs::create_dir_all(&nothing).map_err(|cause| format!("{}: {cause}", nothing.display()))?;
    let mut cargo = program::cargo("test");
    cargo.args(["--package", "aura-core", "--"]).args(arguments);
    cargo.env("PKG_CONFIG_LIBDIR", &nothing).env_remove("PKG_CONFIG_PATH");
    // Nor need the programs be there that the offline provider uses; the step `unit` has them.
    cargo.env("AURA_CORE_ALONE", "1");
    println!("PKG_CONFIG_LIBDIR={} (empty)", nothing.display());
    watch(&mut cargo, report, "core")
}

/// The interface: types, style and tests, then the build that the window embeds.
pub(crate) fn interface(report: &mut Report) -> Result {
    ui::packages()?;
    watch(&mut ui::npm(&["run", "check"]), report, "ui")?;
    watch(&mut ui::npm(&["test"]), report, "ui")?;
    ui::build()
}

/// Clippy, for which a warning is an error.
pub(crate) fn clippy() -> Result {
    program::run(program::cargo("clippy").args(["--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

/// Everything, once.
pub(crate) fn build() -> Result {
    program::run(program::cargo("build").args(["--workspace", "--all-targets"]))
}

/// What a measurement or a picture of the real app needs: what is missing is installed, the interface and all programs are built. Gives
/// the folder with the app: as it is built for the tests, or with optimisation.
pub(crate) fn real_app(release: bool) -> Result<PathBuf> {
    system::prepare(Purpose::Test)?;
    ui::build()?;
    build()?;
    if release {
        let packages = ["--package", "aura", "--package", "aura-sandbox"];
        program::run(program::cargo("build").arg("--release").args(packages))?;
    }
    Ok(program::target().join(if release { "release" } else { "debug" }))
}

/// The tests within the crates and those of the architecture.
pub(crate) fn unit(report: &mut Report, arguments: &[String]) -> Result {
    let mut cargo = program::cargo("test");
    cargo.args(["--workspace", "--lib", "--bins"]);
    for name in test_targets()?.iter().filter(|name| !WHOLE_SYSTEM.contains(&name.as_str())) {
        cargo.args(["--test", name]);
    }
    watch(cargo.arg("--").args(arguments), report, "unit")?;
    watch(program::cargo("test").args(["--workspace", "--doc", "--"]).args(arguments), report, "doc")
}

/// One of the whole-system tests: it has the machine for itself.
pub(crate) fn whole_system(report: &mut Report, name: &'static str, arguments: &[String]) -> Result {
    let mut cargo = program::cargo("test");
    cargo.args(["--workspace", "--test", name, "--", "--test-threads=1"]).args(arguments);
    watch(&mut cargo, report, name)
}

/// The HTTP door, as a process: its routes, the guide, and OpenAI's own client.
pub(crate) fn api(report: &mut Report, arguments: &[String]) -> Result {
    crate::sdk::python()?;
    for name in ["api", "guide", "openai"] {
        whole_system(report, name, arguments)?;
    }
    Ok(())
}

/// The names of all integration tests.
fn test_targets() -> Result<Vec<String>> {
    let listed = program::output(program::cargo("metadata").args(["--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&listed).map_err(|cause| format!("cargo metadata: {cause}"))?;
    let targets = list(&metadata, "packages").iter().flat_map(|package| list(package, "targets"));
    let tests = targets.filter(|target| list(target, "kind").iter().any(|kind| kind == "test"));
    Ok(tests.filter_map(|test| test["name"].as_str()).map(str::to_owned).collect())
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Runs a command and takes the test runner's summary from what it prints.
pub(crate) fn watch(command: &mut Command, report: &mut Report, name: &str) -> Result {
    program::watch(command, |line| report.read(name, line))
}
