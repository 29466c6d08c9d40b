//! A store in a folder of its own, with a catalog of files on the test server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aura_local::store::catalog::Catalog;
use aura_local::store::error::StoreError;
use aura_local::store::{Limits, ModelStore, State, StoreOptions};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Bytes that look random and are the same each time.
pub(crate) fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file of a catalog.
pub(crate) fn file(role: &str, urls: &[&str], size: Option<usize>, sha256: Option<String>) -> Value {
    let mut file = json!({ "role": role, "name": format!("{role}.bin"), "urls": urls });
    if let Some(size) = size {
        file["size"] = size.into();
    }
    if let Some(sha256) = sha256 {
        file["sha256"] = sha256.into();
    }
    file
}

/// A model of a catalog. Its engine needs no ONNX Runtime.
pub(crate) fn model(id: &str, files: Vec<Value>) -> Value {
    json!({
        "id": id, "label": format!("Model {id}"), "engine": "llama", "services": ["llm"], "languages": ["en"],
        "description": "For tests.", "memory": 1_000_000, "license": "MIT", "source": "https://example.com/", "files": files,
    })
}

pub(crate) fn catalog(models: Vec<Value>, archives: Value, runtimes: Value) -> Catalog {
    Catalog::parse(&json!({ "runtimes": runtimes, "archives": archives, "models": models }).to_string()).unwrap()
}

/// Short limits, so that the tests of faults are quick.
pub(crate) fn limits() -> Limits {
    Limits { stall: Duration::from_millis(400), retries: 2, pause: Duration::from_millis(5), reserve: 0 }
}

pub(crate) fn open(folder: &Path, catalog: Catalog) -> ModelStore {
    let mut options = StoreOptions::new(folder);
    options.catalog = Arc::new(catalog);
    options.limits = limits();
    ModelStore::open(options).unwrap()
}

pub(crate) async fn state(store: &ModelStore, id: &str) -> State {
    let models = store.listing("en").await.models;
    models.into_iter().find(|model| model.entry.id == id).unwrap().state
}

/// Downloads a model to the end.
pub(crate) async fn get(store: &ModelStore, id: &str) -> Result<(), StoreError> {
    store.download(id).await?;
    store.finished(id).await
}

/// Every file in a folder that is not of the store itself.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let own = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with('.');
    let paths = entries.filter(|entry| !own(entry)).map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
