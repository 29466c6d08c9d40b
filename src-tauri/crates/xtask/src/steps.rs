//! The steps of `cargo xtask test`.
//!
//! Cargo builds a dependency once per set of features, and the set depends on the packages that a command names. So all steps except
//! `core` and `packages` name the whole workspace and differ only in their targets: everything is built once.

use std::path::PathBuf;

use serde_json::Value;

use crate::program::{self, Result};
use crate::report::Report;
use crate::system::{self, Purpose};
use crate::test_runner::TestRunner;
use crate::ui;

/// Crates that need no system library: they build and pass their tests without ALSA, X and WebKit.
const SYSTEM_FREE_CRATES: &[&str] = &["aura-audio", "aura-providers", "aura-router", "aura-core"];

/// Libraries for other programs, each in `src-tauri/crates/<name>`.
const PUBLIC_LIBRARIES: &[&str] = &["aura-audio", "aura-providers", "aura-router"];

/// Integration tests with a step of their own: they need a display, a sound server or the built programs, or take long. Some run beside
/// others.
const WHOLE_SYSTEM: &[&str] = &[
    "api",
    "browser",
    "canary",
    "cli",
    "desktop",
    "engine",
    "guide",
    "judges",
    "kill",
    "mcp_servers",
    "openai",
    "private",
    "voice",
];

/// How often the kill matrix kills the app here. `cargo test -p aura-tests --test kill` does it 200 times.
const KILLS: &str = "20";

/// How many tests of one of them run at once: each has its own servers, display and sound server, and mostly waits.
fn threads(name: &str) -> usize {
    match name {
        "openai" => 6,
        "api" | "mcp_servers" => 3,
        "desktop" | "engine" | "voice" => 2,
        // Short enough one after another.
        _ => 1,
    }
}

/// Checks the formatting of the Rust code.
pub(crate) fn format() -> Result {
    program::run(program::cargo("fmt").args(["--all", "--check"]))
}

/// Downloads the crates that this system needs.
pub(crate) fn crates() -> Result {
    program::run(program::cargo("fetch").args(["--target", "host-tuple"]))
}

/// Tests the crates that need no system library with an empty pkg-config path, where a crate that links one fails to build. The programs
/// of the offline provider may be missing, too. Not a part of a whole run: it builds every dependency a second time, with fewer features.
pub(crate) fn core(report: &mut Report, runner: &TestRunner) -> Result {
    let empty = program::target().join("no-packages");
    std::fs::create_dir_all(&empty).map_err(|cause| format!("{}: {cause}", empty.display()))?;
    println!("PKG_CONFIG_LIBDIR={} (empty)", empty.display());
    let packages = SYSTEM_FREE_CRATES.iter().flat_map(|name| ["--package", name]);
    // A test of the examples runs them as programs, which `cargo test --tests` does not build.
    let mut examples = program::cargo("build");
    program::run(examples.arg("--examples").args(packages.clone()).env("PKG_CONFIG_LIBDIR", &empty))?;
    for (mut cargo, targets) in [(runner.cargo_test(), "--tests"), (program::cargo("test"), "--doc")] {
        cargo.args(packages.clone()).args([targets, "--"]).args(&runner.arguments);
        cargo.env("PKG_CONFIG_LIBDIR", &empty).env_remove("PKG_CONFIG_PATH");
        cargo.env("AURA_CORE_ALONE", "1");
        report.watch("core", &mut cargo)?;
    }
    Ok(())
}

/// Checks types and style of the interface, tests it and builds the files that the window embeds.
pub(crate) fn interface(report: &mut Report) -> Result {
    ui::packages()?;
    report.watch("ui", &mut ui::npm(&["run", "check"]))?;
    report.watch("ui", &mut ui::npm(&["test"]))?;
    ui::build()
}

/// Runs clippy with warnings denied.
pub(crate) fn clippy() -> Result {
    program::run(program::cargo("clippy").args(["--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

/// Builds the documentation of public items with warnings denied, such as a broken link. After clippy, so that the dependencies are
/// already checked.
pub(crate) fn documentation() -> Result {
    let mut cargo = program::cargo("doc");
    program::run(cargo.args(["--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"))
}

/// Builds all targets of the workspace.
pub(crate) fn build() -> Result {
    program::run(program::cargo("build").args(["--workspace", "--all-targets"]))
}

/// Fills the store of models that the tests use.
pub(crate) fn models() -> Result {
    crate::models::fill(&crate::models::test_folder(), &program::target().join("debug"), false)
}

/// Installs and builds what a measurement or a screenshot of the real app needs. Returns the folder with the app: the debug build that the
/// tests use, or the release build.
pub(crate) fn build_app(release: bool) -> Result<PathBuf> {
    system::prepare(Purpose::Test)?;
    ui::build()?;
    build()?;
    if release {
        let packages = ["--package", "aura", "--package", "aura-engine", "--package", "aura-sandbox"];
        program::run(program::cargo("build").arg("--release").args(packages))?;
    }
    Ok(program::target().join(if release { "release" } else { "debug" }))
}

/// Runs the tests within the crates, and the doc tests.
pub(crate) fn unit(report: &mut Report, runner: &TestRunner) -> Result {
    let mut libtest = runner.cargo_test();
    libtest.args(["--workspace", "--no-fail-fast", "--lib", "--bins", "--"]).args(&runner.arguments);
    let done = report.watch("unit", &mut libtest);
    done.and(report.watch("doc", program::cargo("test").args(["--workspace", "--doc", "--"]).args(&runner.arguments)))
}

/// Runs the integration tests that do not need the whole system.
pub(crate) fn integration(report: &mut Report, runner: &TestRunner) -> Result {
    let (mut libtest, mut custom) = (runner.cargo_test(), program::cargo("test"));
    libtest.args(["--workspace", "--no-fail-fast"]);
    custom.args(["--workspace", "--no-fail-fast"]);
    let mut has_custom = false;
    for test in test_targets()?.iter().filter(|test| !WHOLE_SYSTEM.contains(&test.name.as_str())) {
        has_custom |= !test.is_libtest;
        let cargo = if test.is_libtest { &mut libtest } else { &mut custom };
        cargo.args(["--test", &test.name]);
    }
    let mut done = report.watch("integration", libtest.arg("--").args(&runner.arguments));
    if has_custom {
        done = done.and(report.watch("integration", custom.arg("--").args(&runner.arguments)));
    }
    done
}

/// Packages the public libraries and checks each from its package, as another program would. Cargo's own verification builds them and all that
/// they depend on. With the workspace's profiles, what clippy has checked with the same features is not checked again.
pub(crate) fn packages() -> Result {
    let mut cargo = program::cargo("package");
    cargo.args(["--allow-dirty", "--no-verify"]);
    cargo.args(PUBLIC_LIBRARIES.iter().flat_map(|name| ["--package", name]));
    program::run(cargo.env("CARGO_TARGET_DIR", program::target()))?;
    let folder = program::target().join("package");
    let profiles = folder.join("profiles.toml");
    std::fs::write(&profiles, development_profiles()?).map_err(|cause| format!("{}: {cause}", profiles.display()))?;
    // No registry has these versions, so a library finds the others in the work tree. Cargo warns that some of these patches are unused: those
    // of libraries that the checked one does not depend on.
    let patches = PUBLIC_LIBRARIES.iter().flat_map(|name| {
        let path = program::root().join("src-tauri/crates").join(name).display().to_string();
        ["--config".to_owned(), format!("patch.crates-io.{name}.path={path:?}")]
    });
    for name in PUBLIC_LIBRARIES {
        let package = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        // What an earlier version left there.
        let _ = std::fs::remove_dir_all(folder.join(&package));
        let mut tar = program::command("tar");
        program::run(tar.arg("-xzf").arg(folder.join(format!("{package}.crate"))).arg("-C").arg(&folder))?;
        let mut cargo = program::cargo_elsewhere("check");
        cargo.arg("--manifest-path").arg(folder.join(&package).join("Cargo.toml")).arg("--config").arg(&profiles);
        program::run(cargo.args(patches.clone()).env("CARGO_TARGET_DIR", program::target()))?;
    }
    Ok(())
}

/// The tables `profile.dev` of the workspace's manifest.
fn development_profiles() -> Result<String> {
    let path = program::root().join("Cargo.toml");
    let manifest = std::fs::read_to_string(&path).map_err(|cause| format!("{}: {cause}", path.display()))?;
    let mut is_profile = false;
    let lines = manifest.lines().filter(|line| {
        if line.starts_with('[') {
            is_profile = line.starts_with("[profile.dev]") || line.starts_with("[profile.dev.");
        }
        is_profile
    });
    Ok(lines.fold(String::new(), |tables, line| tables + line + "\n"))
}

/// Runs one whole-system test.
pub(crate) fn whole_system(report: &mut Report, runner: &TestRunner, name: &'static str) -> Result {
    let tests = test_targets()?;
    let test =
        tests.iter().find(|test| test.name == name).ok_or_else(|| format!("no test target is named `{name}`"))?;
    let mut cargo = if test.is_libtest { runner.cargo_test() } else { program::cargo("test") };
    let threads = format!("--test-threads={}", threads(name));
    cargo.args(["--workspace", "--test", name, "--", &threads]).args(&runner.arguments);
    if name == "kill" && std::env::var_os("AURA_KILLS").is_none() {
        cargo.env("AURA_KILLS", KILLS);
    }
    report.watch(name, &mut cargo)
}

/// An integration test of the workspace.
struct TestTarget {
    name: String,
    /// Whether libtest is its `main`. A target with `harness = false` reads its own arguments and prints its own table.
    is_libtest: bool,
}

/// All integration tests of the workspace.
fn test_targets() -> Result<Vec<TestTarget>> {
    let listed = program::output(program::cargo("metadata").args(["--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&listed).map_err(|cause| format!("cargo metadata: {cause}"))?;
    let mut tests = Vec::new();
    for package in list(&metadata, "packages") {
        // cargo metadata does not list `harness`.
        let path = package["manifest_path"].as_str().unwrap_or_default();
        let manifest = std::fs::read_to_string(path).map_err(|cause| format!("{path}: {cause}"))?;
        let custom = custom_harness(&manifest);
        let targets = list(package, "targets").iter();
        let targets = targets.filter(|target| list(target, "kind").iter().any(|kind| kind == "test"));
        tests.extend(
            targets
                .filter_map(|target| target["name"].as_str())
                .map(|name| TestTarget { name: name.to_owned(), is_libtest: !custom.contains(&name) }),
        );
    }
    Ok(tests)
}

/// The names of the tests with `harness = false` in a manifest.
fn custom_harness(manifest: &str) -> Vec<&str> {
    let tables = manifest.split("\n[[test]]\n").skip(1).map(|rest| rest.split("\n[").next().unwrap_or(rest));
    let custom = tables.filter(|table| table.lines().any(|line| line.trim() == "harness = false"));
    let names = custom.filter_map(|table| table.lines().find_map(|line| line.strip_prefix("name = ")));
    names.map(|name| name.trim_matches('"')).collect()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_with_a_custom_harness_are_read_from_the_manifest() {
        let manifest = r#"
[package]
name = "some-tests"

[[test]]
name = "tidy"
path = "tidy/main.rs"

# A comment.
[[test]]
name = "matrix"
path = "matrix/main.rs"
harness = false

[[bench]]
name = "speed"
harness = false
"#;
        assert_eq!(custom_harness(manifest), ["matrix"]);
    }

    #[test]
    fn every_whole_system_test_is_a_target() {
        let tests = test_targets().expect("cargo metadata lists the workspace");
        let missing: Vec<_> =
            WHOLE_SYSTEM.iter().filter(|name| !tests.iter().any(|test| test.name == **name)).collect();
        assert!(missing.is_empty(), "no such test targets: {missing:?}");
    }
}
