//! `docs/dependencies.md` names every dependency, and no other.

use std::collections::BTreeSet;

use super::root;

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|cause| panic!("{file}: {cause}"))
}

/// The names in the first column of the table below a heading. A name without an explanation does not count.
fn listed(heading: &str) -> BTreeSet<String> {
    let document = read("docs/dependencies.md");
    let (_, rest) = document.split_once(&format!("\n## {heading}\n")).expect("the heading is there");
    let part = rest.split("\n## ").next().unwrap_or(rest);
    let rows = part.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "));
    rows.filter(|(_, why)| !why.trim().is_empty()).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_crate_is_explained() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("the manifest is TOML");
    let dependencies = manifest["workspace"]["dependencies"].as_table().expect("the workspace has dependencies");
    let of_others = dependencies.iter().filter(|(_, dependency)| dependency.get("path").is_none());
    let named: BTreeSet<String> = of_others.map(|(name, _)| name.clone()).collect();
    assert!(named.len() > 50, "the dependencies were not found: {named:?}");
    assert_eq!(listed("Rust"), named, "docs/dependencies.md (left) and [workspace.dependencies] (right) differ");
}

#[test]
fn every_npm_package_is_explained() {
    let mut named = BTreeSet::new();
    for file in ["ui/package.json", ".github/lint/package.json"] {
        let package: serde_json::Value = serde_json::from_str(&read(file)).expect("the file is JSON");
        for kind in ["dependencies", "devDependencies"] {
            named.extend(package[kind].as_object().into_iter().flat_map(|packages| packages.keys().cloned()));
        }
    }
    assert!(named.len() > 10, "the packages were not found: {named:?}");
    assert_eq!(listed("npm"), named, "docs/dependencies.md (left) and the package.json files (right) differ");
}
