//! The licences of the libraries inside the programs, which their authors want to be passed on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{self, Result};

/// Writes the notices of all crates that a package's programs contain: each licence text once, after the crates that have it.
///
/// # Errors
/// When the dependencies cannot be listed, or the file cannot be written.
pub(super) fn write(package: &str, to: &Path) -> Result {
    let host = program::output(program::command("rustc").args(["--print", "host-tuple"]))?;
    let mut cargo = program::cargo("metadata");
    cargo.args(["--format-version", "1", "--filter-platform", host.trim()]);
    let metadata: Value =
        serde_json::from_str(&program::output(&mut cargo)?).map_err(|cause| format!("cargo metadata: {cause}"))?;
    let wanted = reachable(&metadata, &[package, "aura-engine"]);
    let (mut crates, mut texts) = (String::new(), BTreeMap::<String, Vec<String>>::new());
    for found in list(&metadata["packages"]).iter().filter(|found| wanted.contains(text(&found["id"]))) {
        if found["source"].is_null() {
            continue;
        }
        let title = format!("{} {}", text(&found["name"]), text(&found["version"]));
        let license = found["license"].as_str().unwrap_or("see its licence file");
        let _ = writeln!(crates, "{title}: {license}");
        let folder = Path::new(text(&found["manifest_path"])).parent().unwrap_or(Path::new(""));
        for notice in license_texts(folder) {
            texts.entry(notice).or_default().push(title.clone());
        }
    }
    let mut out = format!(
        "AURA contains these libraries, each under its own licence. The texts of the licences follow.\n\n{crates}\n\
         llama.cpp (MIT) is part of llama-cpp-sys-2. ONNX Runtime (MIT) is beside the engine.\n"
    );
    for (notice, owners) in texts {
        let _ = write!(out, "\n{}\n{}\n\n{}\n", "-".repeat(80), owners.join(", "), notice.trim());
    }
    fs::write(to, out).map_err(|cause| format!("{}: {cause}", to.display()))
}

/// The IDs of all packages that the named ones are built with, without what only builds or tests them.
fn reachable<'a>(metadata: &'a Value, roots: &[&str]) -> BTreeSet<&'a str> {
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).iter().map(|node| (text(&node["id"]), node)).collect();
    let packages = list(&metadata["packages"]).iter();
    let mut open: Vec<&str> =
        packages.filter(|found| roots.contains(&text(&found["name"]))).map(|found| text(&found["id"])).collect();
    let mut reached = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !reached.insert(id) {
            continue;
        }
        for dependency in nodes.get(id).map(|node| list(&node["deps"])).unwrap_or_default() {
            // `null` is an ordinary dependency.
            if list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()) {
                open.push(text(&dependency["pkg"]));
            }
        }
    }
    reached
}

/// The texts of a crate's licence files.
fn license_texts(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_license = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"].iter().any(|start| name.starts_with(start))
    };
    let mut texts: Vec<String> = files.filter(is_license).filter_map(|path| fs::read_to_string(path).ok()).collect();
    texts.sort();
    texts
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
