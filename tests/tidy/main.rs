//! The invariants of the architecture, checked on the sources and on the output of `cargo metadata`.

mod circles;
mod dependencies;
mod events;
mod generated;
mod modules;
mod packages;
mod sources;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the tests lie in the repository").to_owned()
}

/// The files under a folder whose names end with one of `endings`, with their content. Build output and fetched packages are left out.
fn files(folder: &str, endings: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|cause| panic!("{}: {cause}", folder.display())).flatten()
        {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | "node_modules" | "dist" | ".git") {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let content = std::fs::read_to_string(&path).expect("sources are UTF-8");
                found.push((path.strip_prefix(root()).expect("it lies in the repository").to_owned(), content));
            }
        }
    }
    assert!(!found.is_empty(), "no {endings:?} under {folder}");
    found
}
