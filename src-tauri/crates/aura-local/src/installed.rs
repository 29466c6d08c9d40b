//! A model whose files are complete and checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aura_providers::Service;

use crate::protocol::Engine;

/// A model that can be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its id in the catalog of the model store.
    pub id: String,
    /// Its name for users.
    pub label: String,
    /// The engine that runs it.
    pub engine: Engine,
    /// What it does.
    pub services: Vec<Service>,
    /// The ISO 639-1 codes of the languages that it hears or speaks; empty for all.
    pub languages: Vec<String>,
    /// The memory that it needs when loaded, in bytes.
    pub memory: u64,
    /// Its files by their role: see [`Engine`].
    pub files: BTreeMap<String, PathBuf>,
}

/// Knows the installed models: the model store.
pub trait InstalledModels: Send + Sync {
    /// The models that can be loaded, for each service the preferred one first.
    fn installed(&self) -> Vec<Installed>;

    /// The shared library of ONNX Runtime; `None` when it is not installed.
    fn onnx_runtime(&self) -> Option<PathBuf>;
}

/// A fixed list of models, which need no ONNX Runtime.
impl InstalledModels for Vec<Installed> {
    fn installed(&self) -> Vec<Installed> {
        self.clone()
    }

    fn onnx_runtime(&self) -> Option<PathBuf> {
        None
    }
}
