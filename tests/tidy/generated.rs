//! The interface's types are written from the Rust ones; what is committed is what they are now.

use std::collections::BTreeMap;
use std::path::Path;

use aura_core::api::*;
use aura_core::event::Event;
use aura_core::health::HealthReport;
use aura_core::ports::Finding;
use aura_core::record::TurnRecord;
use aura_core::usage::UsageReport;
use ts_rs::{Config, TS, TypeVisitor};

/// Exports a type with all that it is made of; of a list, what it is a list of.
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
        /// Exports what goes in and out of every operation.
        fn export_operations(export: &mut Exporter) {
            $(export.add::<$request>(); export.add::<$response>();)*
        }
    };
}
aura_core::with_operations!(export_operations);

fn read(folder: &Path) -> BTreeMap<String, String> {
    let files = std::fs::read_dir(folder).unwrap_or_else(|cause| panic!("{}: {cause}", folder.display())).flatten();
    files
        .map(|file| {
            (file.file_name().to_string_lossy().into_owned(), std::fs::read_to_string(file.path()).expect("a source"))
        })
        .collect()
}

#[test]
fn types_are_fresh() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut export = Exporter(Config::new().with_out_dir(folder.path()));
    export_operations(&mut export);
    export.add::<Event>();
    let (now, committed) = (read(folder.path()), read(&super::root().join("ui/src/generated")));
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&now), "the files in ui/src/generated");
    for (name, content) in &now {
        assert_eq!(
            &committed[name], content,
            "ui/src/generated/{name} is stale: `cargo test -p aura-core` writes it anew"
        );
    }
}
