//! Limits on the sources: their length, and the names that they may contain.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{files, root};

/// The most lines a source file may have.
const MAX_LINES: usize = 600;

const PROVIDERS: &str = "src-tauri/crates/aura-providers/src";

/// A file's code without comments and tests, which may name anything: each item under `#[cfg(test)]` is left out.
fn code(path: &Path, content: &str) -> String {
    if path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs") {
        return String::new();
    }
    let mut code = String::new();
    let mut lines = content.lines();
    while let Some(line) = lines.next() {
        if line.trim().starts_with("//") {
            continue;
        }
        if line.trim() != "#[cfg(test)]" {
            code.push_str(line);
            code.push('\n');
            continue;
        }
        // The item ends with its first line if that closes it, otherwise with the first brace at the same indentation.
        let indent = &line[..line.len() - line.trim_start().len()];
        let mut item = lines.by_ref().skip_while(|line| line.trim().starts_with("#["));
        if item.next().is_some_and(|first| !first.trim_end().ends_with([';', '}'])) {
            let ends = |line: &str| line.strip_prefix(indent).is_some_and(|rest| rest.starts_with('}'));
            item.find(|line| ends(line));
        }
    }
    code
}

/// The files of modules that only tests and the fuzzer build.
fn only_for_tests(all: &[(PathBuf, String)]) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for (path, content) in all {
        let folder = match path.file_name().and_then(|name| name.to_str()) {
            Some("mod.rs" | "lib.rs" | "main.rs") => path.parent().expect("a file lies in a folder").to_owned(),
            _ => path.with_extension(""),
        };
        let lines: Vec<&str> = content.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let tests = pair[0] == "#[cfg(test)]" || pair[0] == "#[cfg(any(test, feature = \"fuzzing\"))]";
            let module = pair[1].strip_prefix("pub ").unwrap_or(pair[1]).strip_prefix("mod ");
            if let (true, Some(name)) = (tests, module.and_then(|module| module.strip_suffix(';'))) {
                found.insert(folder.join(name).with_extension("rs"));
            }
        }
    }
    found
}

/// The code that is shipped, without its tests.
fn product() -> Vec<(PathBuf, String)> {
    const TOOLS: [&str; 3] = ["aura-sandbox", "aura-testkit", "xtask"];
    let is_tool = |path: &Path| TOOLS.iter().any(|tool| path.starts_with(Path::new("src-tauri/crates").join(tool)));
    let is_example = |path: &Path| path.components().any(|part| part.as_os_str() == "examples");
    let all = files("src-tauri", &[".rs"]);
    let tests = only_for_tests(&all);
    let product = all.into_iter().filter(|(path, _)| !is_tool(path) && !is_example(path) && !tests.contains(path));
    product.map(|(path, content)| (path.clone(), code(&path, &content))).collect()
}

#[test]
fn files_are_short() {
    for folder in ["src-tauri", "tests", "ui/src"] {
        for (path, content) in files(folder, &[".rs", ".ts", ".svelte"]) {
            let lines = content.lines().count();
            assert!(lines <= MAX_LINES, "{} has {lines} lines", path.display());
        }
    }
}

#[test]
fn one_file_of_the_interface_imports_tauri() {
    let importing = files("ui/src", &[".ts", ".svelte"]).into_iter().filter(|(path, content)| {
        let import = content
            .lines()
            .any(|line| line.contains("@tauri-apps") && (line.contains("import") || line.contains("from")));
        import && !path.to_string_lossy().contains(".test.")
    });
    let importing: Vec<_> = importing.map(|(path, _)| path).collect();
    assert_eq!(importing, [Path::new("ui/src/backend/tauri.ts")]);
}

#[test]
fn no_model_is_named_in_code() {
    let catalog = std::fs::read(root().join(PROVIDERS).join("catalog/data.json")).expect("the catalog is there");
    let catalog: Value = serde_json::from_slice(&catalog).expect("the catalog is JSON");
    let mut ids = BTreeSet::new();
    collect_models(&catalog["providers"], &mut ids);
    assert!(ids.len() > 10, "the catalog's models were not found: {ids:?}");
    for (path, code) in product() {
        for id in &ids {
            assert!(!code.contains(&format!("\"{id}\"")), "{} names the model {id}", path.display());
        }
    }
}

/// The ids of all models in the catalog: of every object that lists services.
fn collect_models(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            // The placeholder for the local programs is no model of a provider.
            if let (Some(id), true) = (fields.get("id").and_then(Value::as_str), fields.contains_key("services"))
                && id != "built-in"
            {
                ids.insert(id.to_owned());
            }
            fields.values().for_each(|value| collect_models(value, ids));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_models(value, ids)),
        _ => {}
    }
}

/// The provider kinds: name, main file, and that file's content.
fn providers() -> Vec<(String, PathBuf, String)> {
    let all = files(PROVIDERS, &[".rs"]).into_iter();
    let providers = all.filter(|(_, content)| content.contains("static PROVIDER: Provider"));
    let named = providers.map(|(path, content)| {
        let is_folder = path.file_name().is_some_and(|name| name == "mod.rs");
        let named = if is_folder { path.parent().expect("a file lies in a folder") } else { &path };
        let name = named.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        (name, path, content)
    });
    let named: Vec<_> = named.collect();
    assert!(named.len() >= 4, "{} providers were found", named.len());
    named
}

#[test]
fn a_provider_is_one_file_and_two_lines() {
    let read = |file: &str| std::fs::read_to_string(root().join(PROVIDERS).join(file)).expect("the file is there");
    let (modules, table) = (read("lib.rs"), read("registry.rs"));
    let count = |source: &str, wanted: &str| source.lines().filter(|line| line.trim().starts_with(wanted)).count();
    for (name, path, content) in providers() {
        assert_eq!(count(&modules, &format!("mod {name};")), 1, "{name} is a module of the crate");
        assert_eq!(count(&table, &format!("&{name}::PROVIDER,")), 1, "{name} is in the provider table");
        assert!(content.contains(&format!("id: \"{name}\"")), "{} has the name of its provider", path.display());
    }
}

/// Apart from its own file, its wire formats and the catalog, no code compares with the name of a provider.
#[test]
fn no_other_code_names_a_provider() {
    /// Names that stand for a whole class: user-defined servers, and the programs on this computer.
    const CLASSES: &[(&str, &str)] = &[
        ("openai_compatible", "src-tauri/crates/aura-providers/src/client.rs"),
        ("openai_compatible", "src-tauri/crates/aura-router/src/routing_table.rs"),
        ("offline", "src-tauri/crates/aura-core/src/api/test.rs"),
    ];
    let folder = Path::new(PROVIDERS);
    let product = product();
    assert!(product.iter().any(|(path, _)| *path == folder.join("registry.rs")), "the provider table is read too");
    for (name, path, _) in providers() {
        for (other, code) in &product {
            // A wire format that only one provider uses is named after it.
            let file = other.file_name().and_then(|file| file.to_str()).unwrap_or_default();
            let is_codec = other.starts_with(folder.join("wire")) && file.starts_with(&format!("{name}_"));
            let is_own = *other == path || other.starts_with(folder.join(&name)) || is_codec;
            let is_catalog = other.starts_with(folder.join("catalog"));
            let is_class = CLASSES.iter().any(|(class, place)| *class == name && other == Path::new(place));
            let may_name = is_own || is_catalog || is_class;
            assert!(may_name || !code.contains(&format!("\"{name}\"")), "{} names {name}", other.display());
        }
    }
}

#[test]
fn code_is_everything_but_the_tests() {
    let content = "#[cfg(test)]\nmod tests;\none\n    // note\n#[cfg(test)]\nmod more {\n    two\n}\nthree\n    #[cfg(test)]\n    \
                   #[allow(x)]\n    fn four() {\n        five\n    }\n    six\n";
    assert_eq!(code(Path::new("src/x.rs"), content), "one\nthree\n    six\n");
    assert_eq!(code(Path::new("src/tests/x.rs"), content), "");
}

/// The traps of the providers' wire formats are numbered; each has a test whose name begins with its number.
#[test]
fn each_trap_of_the_wire_formats_has_a_test() {
    const TRAPS: u32 = 38;
    let mut tested = BTreeSet::new();
    for folder in ["src-tauri/crates", "tests/fault_matrix"] {
        for (path, content) in files(folder, &[".rs"]) {
            let mut is_test = false;
            for line in content.lines().map(str::trim) {
                is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                let name = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
                let number = name.and_then(|name| name.strip_prefix("trap_")?.split_once('_'));
                if let Some((number, _)) = number {
                    assert!(is_test, "{}: `{line}` is no test", path.display());
                    tested.extend(number.parse::<u32>());
                }
                is_test &= name.is_none();
            }
        }
    }
    let missing: Vec<String> =
        (1..=TRAPS).filter(|number| !tested.contains(number)).map(|number| format!("trap_{number:02}_…")).collect();
    assert!(missing.is_empty(), "there are no tests {missing:?}");
}
