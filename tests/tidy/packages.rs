//! Who may depend on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Packages that belong to windows, sound, pictures of the screen, or a server. The core knows none of them.
const NOT_IN_THE_CORE: &[&str] = &[
    "tauri",
    "wry",
    "tao",
    "axum",
    "cpal",
    "rodio",
    "xcap",
    "keyring",
    "rusqlite",
    "x11rb",
    "aura-platform",
    "aura-server",
    "aura-sandbox",
];

/// Libraries of the system, as build scripts name what they link: a machine without their headers must build the core.
const SYSTEM: &[&str] = &[
    "alsa",
    "asound",
    "pulse",
    "pipewire",
    "spa",
    "jack",
    "x11",
    "xcb",
    "xdo",
    "wayland",
    "gtk",
    "gdk",
    "webkit",
    "soup",
    "javascriptcore",
    "glib",
    "gobject",
    "dbus",
    "egl",
    "gbm",
    "sqlite",
];

struct Packages {
    metadata: Value,
}

impl Packages {
    fn read() -> Self {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", "x86_64-unknown-linux-gnu"])
            .current_dir(super::root());
        let output = cargo.output().expect("cargo can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { metadata: serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON") }
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        self.metadata["packages"].as_array().into_iter().flatten()
    }

    /// What a package of the workspace needs to be built and run, by name, with what each links.
    fn closure(&self, name: &str) -> BTreeMap<String, String> {
        let nodes: BTreeMap<&str, &Value> = self.metadata["resolve"]["nodes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|node| Some((node["id"].as_str()?, node)))
            .collect();
        let packages: BTreeMap<&str, &Value> =
            self.all().filter_map(|package| Some((package["id"].as_str()?, package))).collect();
        let first = self.all().find(|package| package["name"] == name).and_then(|package| package["id"].as_str());
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = vec![first.unwrap_or_else(|| panic!("there is no package {name}"))];
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                let dependencies = nodes[id]["deps"].as_array().into_iter().flatten();
                let needed = dependencies.filter(|dependency| {
                    dependency["dep_kinds"].as_array().into_iter().flatten().any(|kind| kind["kind"] != "dev")
                });
                open.extend(needed.filter_map(|dependency| dependency["pkg"].as_str()));
            }
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        seen.into_iter()
            .map(|id| (text(&packages[id]["name"]), text(&packages[id]["links"])))
            .filter(|(package, _)| package != name)
            .collect()
    }

    /// The dependencies that a package of the workspace names itself.
    fn named(&self, package: &Value) -> Vec<String> {
        package["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
            .collect()
    }

    fn members(&self) -> impl Iterator<Item = &Value> {
        let members = self.metadata["workspace_members"].as_array().cloned().unwrap_or_default();
        self.all().filter(move |package| members.contains(&package["id"]))
    }
}

#[test]
fn the_core_knows_no_machine() {
    let closure = Packages::read().closure("aura-core");
    assert!(closure.len() > 50, "the closure is incomplete: {closure:?}");
    for (name, links) in &closure {
        assert!(!NOT_IN_THE_CORE.contains(&name.as_str()), "aura-core depends on {name}");
        let linked = links.to_lowercase();
        assert!(
            !SYSTEM.iter().any(|library| linked.contains(library)),
            "aura-core depends on {name}, which links {links}"
        );
    }
}

#[test]
fn the_server_needs_no_window() {
    let closure = Packages::read().closure("aura-server");
    assert!(
        closure.contains_key("aura-core") && closure.contains_key("axum"),
        "the closure is incomplete: {closure:?}"
    );
    for (name, links) in &closure {
        let window = ["tauri", "wry", "tao", "gtk"].contains(&name.as_str());
        assert!(
            !window && !links.contains("webkit") && !links.contains("gtk"),
            "aura-server depends on {name} ({links})"
        );
    }
}

#[test]
fn the_sandbox_depends_on_nobody() {
    let closure = Packages::read().closure("aura-sandbox");
    let own: Vec<_> = closure.keys().filter(|name| name.starts_with("aura")).collect();
    assert!(own.is_empty(), "aura-sandbox depends on {own:?}");
}

#[test]
fn only_the_shell_names_tauri() {
    let packages = Packages::read();
    for package in packages.members().filter(|package| package["name"] != "aura") {
        let named: Vec<_> = packages.named(package).into_iter().filter(|name| name.starts_with("tauri")).collect();
        assert!(named.is_empty(), "{} names {named:?}", package["name"]);
    }
    for folder in ["src-tauri/crates", "tests"] {
        for (path, content) in super::files(folder, &[".rs"]) {
            assert!(!content.contains(concat!("tauri", "::")), "{} uses Tauri", path.display());
        }
    }
}
