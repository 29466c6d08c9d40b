//! The models that tests within the program run: those below `AURA_MODELS`, else `models` in the target folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    let default = || std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("models");
    std::env::var_os("AURA_MODELS").map_or_else(default, PathBuf::from)
}

/// The files of a model by their names; `None` where tests of models are left out.
pub(crate) fn files(id: &str) -> Option<BTreeMap<String, PathBuf>> {
    let files = list(&folder().join(id));
    if files.is_empty() {
        let alone = std::env::var_os("AURA_CORE_ALONE").is_some();
        assert!(
            alone,
            "this test needs the model {id} in {}: set AURA_MODELS, or run cargo xtask test",
            folder().display()
        );
        return None;
    }
    Some(files)
}

/// The shared library of ONNX Runtime.
pub(crate) fn onnx_runtime() -> PathBuf {
    let files = list(&folder().join("onnxruntime"));
    let library = files.into_iter().find(|(name, _)| name.contains("onnxruntime."));
    library.expect("ONNX Runtime is in a folder beside the models").1
}

fn list(folder: &Path) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect()
}
