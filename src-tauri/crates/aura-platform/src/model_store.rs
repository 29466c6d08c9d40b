//! The store of models as a port of the assistant.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::local_models::{ChecksumSource, Fits, LocalModelState, LocalModelView, LocalModelsView, RuntimeView};
use aura_core::ports::LocalModelStore;
use aura_local::Models;
use aura_local::store::catalog::Catalog;
use aura_local::store::error::StoreError;
use aura_local::store::{ModelStatus, ModelStore, RuntimeStatus, State, machine};
use aura_providers::Service;
use tokio::sync::watch;

use crate::NewerCatalogs;

/// The folder of the models: that of the variable `AURA_MODELS`, else `models` in AURA's data folder.
pub fn models_folder(data: &Path) -> PathBuf {
    let chosen = std::env::var_os("AURA_MODELS").filter(|folder| !folder.is_empty());
    chosen.map_or_else(|| data.join("models"), PathBuf::from)
}

/// The catalog: that in the file of the variable `AURA_MODEL_CATALOG`, for a company's own models and for tests, else a newer one that was
/// fetched, else AURA's own. The
/// variable `HF_ENDPOINT`, which Hugging Face's own tools read too, names a mirror of its server.
///
/// # Errors
/// When the file cannot be read or is no valid catalog.
pub(crate) fn catalog(newer: Option<&NewerCatalogs>) -> Result<Catalog> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let catalog = match variable("AURA_MODEL_CATALOG").map(PathBuf::from) {
        Some(file) => {
            let invalid = |cause: String| {
                let message =
                    format!("The catalog of models {} cannot be used. Correct AURA_MODEL_CATALOG.", file.display());
                Error::invalid(message).because(cause)
            };
            let text = std::fs::read_to_string(&file).map_err(|cause| invalid(cause.to_string()))?;
            Catalog::parse(&text).map_err(|error| invalid(error.to_string()))?
        }
        None => newer.map_or_else(|| Catalog::own().clone(), |newer| newer.local.clone()),
    };
    let mirror = variable("HF_ENDPOINT").and_then(|mirror| url::Url::parse(mirror.to_str()?).ok());
    Ok(match mirror {
        Some(mirror) => catalog.with_mirror(&mirror),
        None => catalog,
    })
}

/// The models on this computer: their files, and the processes that run them.
#[derive(Clone)]
pub struct LocalStore {
    store: ModelStore,
    running: Arc<Models>,
}

impl LocalStore {
    /// `running` runs the models of `store`.
    pub fn new(store: ModelStore, running: Arc<Models>) -> Self {
        Self { store, running }
    }
}

#[async_trait]
impl LocalModelStore for LocalStore {
    async fn view(&self, language: Option<&str>) -> LocalModelsView {
        let of_system = || sys_locale::get_locale().unwrap_or_default();
        let language = language.map_or_else(of_system, str::to_owned);
        let code = language.split(['-', '_', '.']).next().unwrap_or_default().to_lowercase();
        let listing = self.store.listing(if code.len() == 2 { &code } else { "en" }).await;
        LocalModelsView {
            models: listing.models.into_iter().map(model).collect(),
            disk_used: listing.disk_used,
            disk_free: listing.disk_free,
            memory_total: listing.machine.memory,
            folder: listing.folder,
            runtime: runtime(listing.runtime),
            suggested: listing.suggested,
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.store.changes()
    }

    async fn download(&self, id: &str) -> Result<()> {
        self.store.download(id).await.map_err(error)
    }

    async fn pause(&self, id: &str) -> Result<()> {
        self.store.pause(id).await.map_err(error)
    }

    async fn cancel(&self, id: &str) -> Result<()> {
        self.store.cancel(id).await.map_err(error)
    }

    async fn delete(&self, id: &str) -> Result<()> {
        // Windows deletes no file that a process has open; other systems free its space only when the process ends.
        self.running.unload(id).await;
        self.store.delete(id).await.map_err(error)
    }

    async fn choose(&self, service: Service, id: Option<&str>) -> Result<()> {
        self.store.choose(service, id).await.map_err(error)
    }
}

fn model(status: ModelStatus) -> LocalModelView {
    let ModelStatus { entry, size, has_checksums, fits, state: model_state, used_for } = status;
    LocalModelView {
        id: entry.id,
        label: entry.label,
        services: entry.services,
        languages: entry.languages,
        description: entry.description,
        size_bytes: size,
        memory_bytes: entry.memory,
        license: entry.license,
        source_url: entry.source.to_string(),
        checksum: if has_checksums { ChecksumSource::Catalog } else { ChecksumSource::Server },
        fits: match fits {
            machine::Fits::Yes => Fits::Yes,
            machine::Fits::Tight => Fits::Tight,
            machine::Fits::No => Fits::No,
        },
        state: state(model_state),
        used_for,
    }
}

fn runtime(status: Option<RuntimeStatus>) -> RuntimeView {
    let Some(RuntimeStatus { label, size, license, source, state: runtime_state }) = status else {
        let platform = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
        let state = LocalModelState::Failed { error: error(StoreError::NoRuntime(platform)) };
        return RuntimeView { label: "ONNX Runtime".into(), state, ..RuntimeView::default() };
    };
    RuntimeView { label, size_bytes: size, license, source_url: source.to_string(), state: state(runtime_state) }
}

fn state(state: State) -> LocalModelState {
    match state {
        State::Available => LocalModelState::Available,
        State::Downloading { done, total, speed } => {
            LocalModelState::Downloading { done_bytes: done, total_bytes: total, bytes_per_second: speed }
        }
        State::Paused { done, total, error: cause } => {
            LocalModelState::Paused { done_bytes: done, total_bytes: total, error: cause.map(error) }
        }
        State::Checking => LocalModelState::Checking,
        State::Installed => LocalModelState::Installed,
        State::Failed(cause) => LocalModelState::Failed { error: error(cause) },
    }
}

/// The store's error as one of the assistant's.
fn error(error: StoreError) -> Error {
    let code = match &error {
        StoreError::Unknown(_) | StoreError::NotInstalled(_) => ErrorCode::NotFound,
        StoreError::IsInstalled(_)
        | StoreError::Packaged(_)
        | StoreError::NotDownloading(_)
        | StoreError::WrongService { .. }
        | StoreError::NoRuntime(_)
        | StoreError::Busy(_) => ErrorCode::InvalidRequest,
        StoreError::DiskFull { .. } => ErrorCode::DiskFull,
        StoreError::Storage { .. } => ErrorCode::Storage,
        StoreError::Stopped => ErrorCode::Cancelled,
        _ => ErrorCode::DownloadFailed,
    };
    Error::new(code, error.to_string())
}
