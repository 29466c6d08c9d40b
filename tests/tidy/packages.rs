//! Which package may depend on which.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The ladder: a package depends only on packages with a lower number.
const LADDER: &[&str] = &[
    "aura-audio",
    "aura-picture",
    "aura-providers",
    "aura-local",
    "aura-engine",
    "aura-mcp",
    "aura-router",
    "aura-core",
    "aura-platform",
    "aura-server",
    "aura",
];

/// Packages for development. No package of the ladder needs one to be built.
const TOOLS: &[&str] = &["aura-testkit", "aura-tests", "xtask"];

/// The stand-in for providers. It depends on no other package of the workspace.
const SANDBOX: &str = "aura-sandbox";

/// The packages that build on a computer without a window system, sound or a database.
const PORTABLE: &[&str] = &["aura-audio", "aura-providers", "aura-mcp", "aura-router", "aura-core"];

/// Packages for windows, sound devices, screenshots, key stores, databases and servers. No portable package depends on one.
const NOT_PORTABLE: &[&str] = &[
    "tauri",
    "wry",
    "tao",
    "axum",
    "cpal",
    "xcap",
    "keyring",
    "rusqlite",
    "x11rb",
    "aura-platform",
    "aura-server",
    SANDBOX,
];

/// System libraries, as the `links` key of a package names them. A portable package builds without their headers.
const SYSTEM_LIBRARIES: &[&str] = &[
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

    /// All that a workspace package needs to be built and run, directly or not: package name and `links` key. With the features that it has
    /// alone: in a build of the whole workspace, other members turn on more.
    fn closure(&self, name: &str) -> BTreeMap<String, String> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["tree", "--offline", "--target", "x86_64-unknown-linux-gnu", "--edges", "normal,build"]);
        cargo.args(["--prefix", "none", "--format", "{p}", "--package", name]).current_dir(super::root());
        let output = cargo.output().expect("cargo can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8(output.stdout).expect("cargo tree prints text");
        // Such as `serde v1.0.228 (proc-macro)`.
        let listed: BTreeSet<(&str, &str)> = tree
            .lines()
            .filter_map(|line| line.split_once(" v"))
            .map(|(name, rest)| (name, first_word(rest)))
            .collect();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of_tree = |package: &&Value| {
            let version = package["version"].as_str().unwrap_or_default();
            package["name"] != name && listed.contains(&(self::name(package), version))
        };
        self.all().filter(of_tree).map(|package| (text(&package["name"]), text(&package["links"]))).collect()
    }

    /// The packages that `package` names in its manifest, for every platform and feature.
    fn dependencies<'a>(&self, package: &'a Value) -> impl Iterator<Item = (&'a str, bool)> {
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        dependencies.filter_map(|dependency| Some((dependency["name"].as_str()?, dependency["kind"] == "dev")))
    }

    fn members(&self) -> impl Iterator<Item = &Value> {
        let members = self.metadata["workspace_members"].as_array().cloned().unwrap_or_default();
        self.all().filter(move |package| members.contains(&package["id"]))
    }
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

/// The name of a package.
fn name(package: &Value) -> &str {
    package["name"].as_str().expect("a package has a name")
}

#[test]
fn each_package_depends_only_on_lower_ones() {
    let packages = Packages::read();
    let members: BTreeSet<&str> = packages.members().map(name).collect();
    let known: BTreeSet<&str> = LADDER.iter().chain(TOOLS).chain([&SANDBOX]).copied().collect();
    assert_eq!(members, known, "each package of the workspace has a place");
    let rung = |name: &str| LADDER.iter().position(|known| *known == name);
    for package in packages.members() {
        let user = name(package);
        for (used, is_dev) in packages.dependencies(package) {
            if is_dev || !members.contains(used) || TOOLS.contains(&user) {
                continue;
            }
            assert!(!TOOLS.contains(&used), "{user} depends on {used}, which is for development");
            assert_ne!(user, SANDBOX, "{SANDBOX} depends on {used}");
            if let (Some(upper), Some(lower)) = (rung(user), rung(used)) {
                assert!(lower < upper, "{user} depends on {used}, which is not below it");
            }
        }
    }
}

#[test]
fn the_sandbox_depends_on_no_other_package_of_the_workspace() {
    let closure = Packages::read().closure(SANDBOX);
    let own: Vec<_> = closure.keys().filter(|name| name.starts_with("aura")).collect();
    assert!(own.is_empty(), "{SANDBOX} depends on {own:?}");
}

#[test]
fn the_portable_packages_need_no_system_library() {
    let packages = Packages::read();
    for portable in PORTABLE {
        let closure = packages.closure(portable);
        assert!(closure.len() > 20, "the closure of {portable} is incomplete: {closure:?}");
        for (name, links) in &closure {
            assert!(!NOT_PORTABLE.contains(&name.as_str()), "{portable} depends on {name}");
            let linked = links.to_lowercase();
            assert!(
                !SYSTEM_LIBRARIES.iter().any(|library| linked.contains(library)),
                "{portable} depends on {name}, which links {links}"
            );
        }
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
fn only_the_app_uses_tauri() {
    let packages = Packages::read();
    for package in packages.members().filter(|package| name(package) != "aura") {
        let named: Vec<_> =
            packages.dependencies(package).map(|(used, _)| used).filter(|used| used.starts_with("tauri")).collect();
        assert!(named.is_empty(), "{} depends on {named:?}", name(package));
    }
    for folder in ["src-tauri/crates", "tests"] {
        for (path, content) in super::files(folder, &[".rs"]) {
            assert!(!content.contains(concat!("tauri", "::")), "{} uses Tauri", path.display());
        }
    }
}
