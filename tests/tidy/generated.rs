//! The TypeScript types of the interface are generated from the Rust ones. The committed files must be up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use aura_core::api::*;
use aura_core::event::Event;
use aura_core::ports::Diagnostic;
use aura_core::record::TurnRecord;
use aura_router::UsageReport;
use aura_router::health::HealthReport;
use ts_rs::{Config, TS, TypeVisitor};

/// Exports a type with all types that it uses. A list exports its element type.
struct Exporter(Config);

impl Exporter {
    fn add<T: TS + 'static + ?Sized>(&mut self) {
        if T::output_path().is_some() {
            T::export_all(&self.0).expect("the temporary folder can be written");
        } else {
            T::visit_generics(self);
        }
    }
}

impl TypeVisitor for Exporter {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        self.add::<T>();
    }
}

macro_rules! export_operations {
    ($($name:ident: $request:ty => $response:ty,)*) => {
        /// Exports the request and response types of every operation.
        fn export_operations(export: &mut Exporter) {
            $(export.add::<$request>(); export.add::<$response>();)*
        }

        /// The TypeScript map of all operations: name, request, response.
        fn operations(config: &Config) -> String {
            let mut types = BTreeSet::new();
            let mut lines = String::new();
            $(
                types.extend(names::<$request>(config));
                types.extend(names::<$response>(config));
                let _ = writeln!(
                    lines,
                    "  {}: {{ request: {}; response: {} }}",
                    stringify!($name),
                    <$request as TS>::name(config),
                    <$response as TS>::name(config),
                );
            )*
            let mut imports = String::new();
            for name in types {
                let _ = writeln!(imports, "import type {{ {name} }} from './{name}'");
            }
            format!("// This file was generated from the Rust list of operations. Do not edit it.\n{imports}\nexport type Operations = {{\n{lines}}}\n")
        }
    };
}
aura_core::with_operations!(export_operations);

/// The names of the types that have a file of their own, in a type or in a list of it.
fn names<T: TS + 'static>(config: &Config) -> Vec<String> {
    struct Names<'a>(&'a Config, Vec<String>);
    impl TypeVisitor for Names<'_> {
        fn visit<T: TS + 'static + ?Sized>(&mut self) {
            if T::output_path().is_some() {
                self.1.push(T::name(self.0));
            }
        }
    }
    let mut names = Names(config, Vec::new());
    if T::output_path().is_some() {
        names.1.push(T::name(config));
    } else {
        T::visit_generics(&mut names);
    }
    names.1
}

fn read(folder: &Path) -> BTreeMap<String, String> {
    let files = std::fs::read_dir(folder).unwrap_or_else(|cause| panic!("{}: {cause}", folder.display())).flatten();
    files
        .map(|file| {
            (file.file_name().to_string_lossy().into_owned(), std::fs::read_to_string(file.path()).expect("a source"))
        })
        .collect()
}

/// Set to write the types instead of comparing them: `UPDATE_TYPES=1 cargo test -p aura-tests --test tidy`.
const UPDATE: &str = "UPDATE_TYPES";

#[test]
fn types_and_operations_are_fresh() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = Config::new().with_out_dir(folder.path());
    let operations = operations(&config);
    let mut export = Exporter(config);
    export_operations(&mut export);
    export.add::<Event>();
    std::fs::write(folder.path().join("Operations.ts"), operations).expect("the temporary folder can be written");
    let committed = super::root().join("ui/src/generated");
    let (now, before) = (read(folder.path()), read(&committed));
    if std::env::var_os(UPDATE).is_some() {
        for name in before.keys().filter(|name| !now.contains_key(*name)) {
            std::fs::remove_file(committed.join(name)).expect("a stale file can be removed");
        }
        for (name, content) in &now {
            std::fs::write(committed.join(name), content).expect("the types can be written");
        }
        return;
    }
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&now), "the files in ui/src/generated; {UPDATE}=1 writes them");
    for (name, content) in &now {
        assert_eq!(&before[name], content, "ui/src/generated/{name} is stale; {UPDATE}=1 writes it");
    }
}
