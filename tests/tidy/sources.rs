//! What the sources may say, and how long they may be.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{files, root};

/// A file that is longer does more than one thing.
const LONGEST: usize = 600;

/// A file's code without its tests, which may name anything: each item that is only there for tests is left out, and no more.
fn code(path: &Path, content: &str) -> String {
    if path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs") {
        return String::new();
    }
    let mut code = String::new();
    let mut lines = content.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            code.push_str(line);
            code.push('\n');
            continue;
        }
        // The item ends with its first line if that is all, else with the brace that stands where it began.
        let indent = &line[..line.len() - line.trim_start().len()];
        let mut item = lines.by_ref().skip_while(|line| line.trim().starts_with("#["));
        if item.next().is_some_and(|first| !first.trim_end().ends_with([';', '}'])) {
            let ends = |line: &str| line.strip_prefix(indent).is_some_and(|rest| rest.starts_with('}'));
            item.find(|line| ends(line));
        }
    }
    code
}

/// What is no provider but a place for all of a kind may be named: the servers that a person adds, and this computer.
const MEANT: &[(&str, &str)] = &[("openai_compatible", "router/world.rs"), ("offline", "api/test.rs")];

/// The files of modules that are only there for tests and for the fuzzer, which names what it feeds.
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

/// The code of the product.
fn product() -> Vec<(PathBuf, String)> {
    let ours =
        |path: &Path| !path.starts_with("src-tauri/crates/aura-sandbox") && !path.starts_with("src-tauri/crates/xtask");
    let all = files("src-tauri", &[".rs"]);
    let tests = only_for_tests(&all);
    let product = all.into_iter().filter(|(path, _)| ours(path) && !tests.contains(path));
    product.map(|(path, content)| (path.clone(), code(&path, &content))).collect()
}

#[test]
fn files_are_short() {
    for folder in ["src-tauri", "tests", "ui/src"] {
        for (path, content) in files(folder, &[".rs", ".ts", ".svelte"]) {
            let lines = content.lines().count();
            assert!(lines <= LONGEST, "{} has {lines} lines", path.display());
        }
    }
}

#[test]
fn one_file_of_the_interface_knows_tauri() {
    let naming = files("ui/src", &[".ts", ".svelte"]).into_iter().filter(|(path, content)| {
        let import = content
            .lines()
            .any(|line| line.contains("@tauri-apps") && (line.contains("import") || line.contains("from")));
        import && !path.to_string_lossy().contains(".test.")
    });
    let naming: Vec<_> = naming.map(|(path, _)| path).collect();
    assert_eq!(naming, [Path::new("ui/src/backend/tauri.ts")]);
}

#[test]
fn no_model_is_named_in_code() {
    let catalog =
        std::fs::read(root().join("src-tauri/crates/aura-core/src/catalog/data.json")).expect("the catalog is there");
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

/// The ids of everything that offers a service.
fn collect_models(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            // What the local programs go by is no model of a provider.
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

#[test]
fn a_provider_is_one_file_and_two_lines() {
    let folder = Path::new("src-tauri/crates/aura-core/src/providers");
    let table = std::fs::read_to_string(root().join(folder).join("mod.rs")).expect("the provider table is there");
    let all = files(&folder.to_string_lossy(), &[".rs"]);
    let providers: Vec<_> = all
        .iter()
        .filter(|(path, content)| path.parent() == Some(folder) && content.contains("static PROVIDER: Provider"))
        .collect();
    assert!(providers.len() >= 4, "{} providers were found", providers.len());
    for (path, _) in &providers {
        let name = path.file_stem().expect("a file has a name").to_string_lossy();
        let (module, entry) = (format!("mod {name};"), format!("&{name}::PROVIDER,"));
        let lines = |wanted: &str| table.lines().filter(|line| line.trim().starts_with(wanted)).count();
        assert_eq!((lines(&module), lines(&entry)), (1, 1), "{name} in the provider table");
    }
    let core = Path::new("src-tauri/crates/aura-core/src");
    let product = product();
    let table =
        product.iter().find(|(path, _)| *path == folder.join("mod.rs")).expect("the table is part of the product");
    assert!(table.1.contains("&groq::PROVIDER"), "the table itself is looked at");
    // Nothing else in the product asks which provider it is: not even another provider, and not the wire formats.
    for (path, content) in providers {
        let name = path.file_stem().expect("a file has a name").to_string_lossy();
        assert!(content.contains(&format!("id: \"{name}\"")), "{} has the name of its provider", path.display());
        for (other, code) in &product {
            let own =
                other == path || other.starts_with(folder.join(&*name)) || other.starts_with(core.join("catalog"));
            // A format that only one provider speaks bears its name.
            let codec = other.file_name().and_then(|file| file.to_str()).unwrap_or_default();
            let own = own || (other.starts_with(folder.join("wire")) && codec.starts_with(&format!("{name}_")));
            let meant = MEANT.iter().any(|(named, place)| *named == name && *other == core.join(place));
            assert!(own || meant || !code.contains(&format!("\"{name}\"")), "{} names {name}", other.display());
        }
    }
}

#[test]
fn code_is_all_but_the_tests() {
    let content = "#[cfg(test)]\nmod tests;\none\n#[cfg(test)]\nmod more {\n    two\n}\nthree\n    #[cfg(test)]\n    \
                   #[allow(x)]\n    fn four() {\n        five\n    }\n    six\n";
    assert_eq!(code(Path::new("src/x.rs"), content), "one\nthree\n    six\n");
    assert_eq!(code(Path::new("src/tests/x.rs"), content), "");
}

/// The traps of the providers' wire formats are numbered; each has a test whose name begins with its number.
#[test]
fn each_trap_of_the_wire_has_a_test() {
    const TRAPS: u32 = 38;
    let mut tested = BTreeSet::new();
    for folder in ["src-tauri/crates", "tests/wall"] {
        for (path, content) in files(folder, &[".rs"]) {
            let mut test = false;
            for line in content.lines().map(str::trim) {
                test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                let name = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
                let number = name.and_then(|name| name.strip_prefix("trap_")?.split_once('_'));
                if let Some((number, _)) = number {
                    assert!(test, "{}: `{line}` is no test", path.display());
                    tested.extend(number.parse::<u32>());
                }
                test &= name.is_none();
            }
        }
    }
    let missing: Vec<String> =
        (1..=TRAPS).filter(|number| !tested.contains(number)).map(|number| format!("trap_{number:02}_…")).collect();
    assert!(missing.is_empty(), "there are no tests {missing:?}");
}
