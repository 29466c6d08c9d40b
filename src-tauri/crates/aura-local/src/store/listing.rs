//! What a user sees of the store.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use aura_providers::Service;

use super::catalog::{Catalog, Entry, FileSpec, RUNTIME};
use super::error::StoreError;
use super::job::blocking;
use super::machine::{self, Fits, Machine};
use super::partial::{self, Plan};
use super::suggest::suggest;
use super::{ModelStore, files};
use crate::installed::InstalledModels;

/// The models, and the place for them.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Every model of the catalog that users see, and every installed one.
    pub models: Vec<ModelStatus>,
    /// ONNX Runtime; `None` where there is none for this computer.
    pub runtime: Option<RuntimeStatus>,
    /// What installed models and unfinished downloads take, in bytes.
    pub disk_used: u64,
    /// What is free for them, in bytes.
    pub disk_free: u64,
    /// The memory and processors of this computer.
    pub machine: Machine,
    /// The folder.
    pub folder: PathBuf,
    /// IDs of the models to offer first.
    pub suggested: Vec<String>,
}

/// A model.
#[derive(Debug, Clone)]
pub struct ModelStatus {
    /// What the catalog says of it.
    pub entry: Entry,
    /// The size of its files or of their download, in bytes; 0 when it is not known yet.
    pub size: u64,
    /// Whether the catalog knows the checksum of each file.
    pub has_checksums: bool,
    /// Whether this computer has the memory for it.
    pub fits: Fits,
    /// Whether it is installed.
    pub state: State,
    /// The services for which it comes first among the installed ones.
    pub used_for: Vec<Service>,
}

/// ONNX Runtime.
#[derive(Debug, Clone)]
pub struct RuntimeStatus {
    /// Its name and version.
    pub label: String,
    /// The size of its download, in bytes.
    pub size: u64,
    /// Its licence.
    pub license: String,
    /// The page that describes it.
    pub source: url::Url,
    /// Whether it is installed.
    pub state: State,
}

/// Whether a model is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It can be downloaded.
    Available,
    /// It is being downloaded, or waits for its turn.
    Downloading {
        /// Bytes that have arrived.
        done: u64,
        /// Bytes in all; 0 while that is not known.
        total: u64,
        /// Bytes per second in the last seconds.
        speed: u64,
    },
    /// Its download stopped and can go on.
    Paused {
        /// Bytes that have arrived.
        done: u64,
        /// Bytes in all; 0 while that is not known.
        total: u64,
        /// Why it stopped; `None` when the user paused it or AURA ended.
        error: Option<StoreError>,
    },
    /// Its files have arrived and are being checked.
    Checking,
    /// It can be used.
    Installed,
    /// Its download failed, and nothing of it was kept.
    Failed(StoreError),
}

impl ModelStore {
    /// What a user sees. `language` is the ISO 639-1 code of the user's language.
    pub async fn listing(&self, language: &str) -> Listing {
        let (store, language) = (self.clone(), language.to_owned());
        let listed = blocking(move || {
            store.scan();
            Ok(store.list(&language))
        });
        listed.await.unwrap_or_else(|_| self.list("en"))
    }

    fn list(&self, language: &str) -> Listing {
        let (catalog, machine) = (self.catalog(), Machine::this());
        let installed = self.installed();
        let first = |service: Service| installed.iter().find(|model| model.services.contains(&service));
        let chosen = |service: Service| {
            let state = self.0.state.lock();
            let id = state.choices.of(service).filter(|id| state.installed.contains_key(*id)).map(str::to_owned);
            id.or_else(|| first(service).map(|model| model.id.clone()))
        };
        let used = Service::ALL.map(|service| (service, chosen(service)));
        let is_installed = |entry: &Entry| installed.iter().any(|model| model.id == entry.id);
        let models = catalog.models.iter().filter(|entry| !entry.hidden || is_installed(entry)).map(|entry| {
            let plan = Plan::model(catalog, entry);
            let is_used =
                |(service, id): &(Service, Option<String>)| (id.as_deref() == Some(&entry.id)).then_some(*service);
            let state = self.state_of(&entry.id, &plan);
            ModelStatus {
                size: self.size_of(entry, &plan, &state),
                has_checksums: entry.files.iter().all(|file| has_checksum(catalog, file)),
                fits: machine.fits(entry),
                used_for: used.iter().filter_map(is_used).collect(),
                state,
                entry: entry.clone(),
            }
        });
        let models = models.collect();
        let runtime = catalog.runtime().map(|runtime| RuntimeStatus {
            label: runtime.label.clone(),
            size: catalog.download_size(&runtime.files),
            license: runtime.license.clone(),
            source: runtime.source.clone(),
            state: self.state_of(RUNTIME, &Plan::runtime(catalog, runtime)),
        });
        Listing {
            models,
            runtime,
            disk_used: files::folder_size(self.folder()),
            disk_free: machine::free(self.folder()).unwrap_or(0),
            machine,
            folder: self.folder().to_owned(),
            suggested: suggest(catalog, machine, language),
        }
    }

    /// The size of an installed model on the disk, else of its download.
    fn size_of(&self, entry: &Entry, plan: &Plan, state: &State) -> u64 {
        let record = self.0.state.lock().installed.get(&entry.id).cloned();
        if let Some(record) = record {
            return record.files.iter().map(|file| file.size).sum();
        }
        let partial = partial::partial_folder(self.folder(), &entry.id);
        match (state, plan.progress(&partial)) {
            (_, (_, total)) if total > 0 => total,
            (State::Downloading { total, .. }, _) => *total,
            _ => 0,
        }
    }

    fn state_of(&self, id: &str, plan: &Plan) -> State {
        let partial = partial::partial_folder(self.folder(), id);
        let state = self.0.state.lock();
        if let Some(running) = state.running.get(id) {
            if running.is_checking.load(Ordering::Relaxed) {
                return State::Checking;
            }
            let (progress, total) = (&running.progress, running.progress.total());
            return State::Downloading { done: progress.done(), total, speed: progress.speed() };
        }
        if state.installed.contains_key(id) {
            return State::Installed;
        }
        let error = state.errors.get(id).cloned();
        drop(state);
        let (done, total) = plan.progress(&partial);
        match error {
            Some(error) if !error.can_resume() => State::Failed(error),
            error if done > 0 || error.is_some() => State::Paused { done, total, error },
            _ => State::Available,
        }
    }
}

fn has_checksum(catalog: &Catalog, file: &FileSpec) -> bool {
    file.sha256.is_some() || catalog.source(file).is_some_and(|source| source.sha256.is_some())
}
