//! The models on this computer: which there are, which are installed, and how they get here.
//!
//! The folder of the store holds a folder for each installed model, with its files and `installed.json`. A download goes to
//! `<id>.partial`, which is renamed to `<id>` once every file in it was checked, so a folder with that name is complete. Downloads go on
//! where they stopped: after a break of the connection by themselves, after the end of the process when they are resumed.

pub mod catalog;
pub mod error;
pub mod machine;
pub mod record;

pub(crate) mod http;
pub(crate) mod job;
pub(crate) mod progress;
pub(crate) mod transfer;
pub(crate) mod verify;

mod choices;
mod files;
mod listing;
mod partial;
mod suggest;
mod unpack;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use aura_providers::Service;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

pub use listing::{Listing, ModelStatus, RuntimeStatus, State};
pub use transfer::Limits;

use catalog::{Catalog, RUNTIME, needs_runtime};
use choices::Choices;
use error::StoreError;
use http::Http;
use job::{Job, blocking};
use partial::Plan;
use progress::Progress;
use record::Record;

use crate::installed::{Installed, InstalledModels};

/// The number of models that are downloaded at once; further ones wait.
const AT_ONCE: usize = 2;

/// How a store is set up.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The folder of the models.
    pub folder: PathBuf,
    /// A folder of models, or of ONNX Runtime alone, that came with AURA's package. It is only read.
    pub packaged: Option<PathBuf>,
    /// The models that there are.
    pub catalog: Arc<Catalog>,
    /// The limits of downloads.
    pub limits: Limits,
}

impl StoreOptions {
    /// AURA's own catalog, in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            packaged: None,
            catalog: Arc::new(Catalog::own().clone()),
            limits: Limits::default(),
        }
    }
}

/// The store. Cheap to clone. Downloads stop when the last clone is dropped.
#[derive(Clone)]
pub struct ModelStore(Arc<Inner>);

struct Inner {
    options: StoreOptions,
    http: Http,
    changes: watch::Sender<u64>,
    permits: Arc<Semaphore>,
    /// Cancelled when the store is dropped.
    closing: CancellationToken,
    state: Mutex<StoreState>,
}

#[derive(Default)]
struct StoreState {
    /// Downloads that are under way, by ID.
    running: BTreeMap<String, Running>,
    /// Why a download ended early, by ID.
    errors: BTreeMap<String, StoreError>,
    /// What is installed, by ID.
    installed: BTreeMap<String, Record>,
    choices: Choices,
}

/// A download that is under way.
struct Running {
    progress: Arc<Progress>,
    is_checking: Arc<AtomicBool>,
    stop: CancellationToken,
    ended: watch::Receiver<bool>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

impl ModelStore {
    /// Opens the store in a folder, which need not exist yet. Waits for the disk.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn open(options: StoreOptions) -> Result<Self, StoreError> {
        partial::clean(&options.folder);
        let choices = Choices::read(&options.folder);
        let store = Self(Arc::new(Inner {
            http: Http::new()?,
            changes: watch::channel(0).0,
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            closing: CancellationToken::new(),
            state: Mutex::new(StoreState { choices, ..StoreState::default() }),
            options,
        }));
        store.scan();
        Ok(store)
    }

    /// The folder of the models.
    pub fn folder(&self) -> &Path {
        &self.0.options.folder
    }

    /// The models that there are.
    pub fn catalog(&self) -> &Catalog {
        &self.0.options.catalog
    }

    /// A counter that grows with each change: while something is downloaded, about four times per second.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Looks at the disk again, where another process may have installed or removed a model. Waits for the disk.
    fn scan(&self) {
        // The user's own folder last, so that it wins.
        let folders = self.0.options.packaged.iter().chain([&self.0.options.folder]);
        let entries = folders.flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
        let (mut installed, mut damaged) = (BTreeMap::new(), BTreeMap::new());
        for entry in entries {
            let id = entry.file_name().to_string_lossy().into_owned();
            if id.starts_with('.') {
                continue;
            }
            match Record::read(&entry.path()) {
                Ok(Some(record)) if record.id == id => drop(installed.insert(id, record)),
                Ok(_) => {}
                Err(error) => drop(damaged.insert(id, error)),
            }
        }
        let mut state = self.0.state.lock();
        state.errors.retain(|id, _| !installed.contains_key(id));
        state.errors.extend(damaged);
        state.installed = installed;
    }

    fn changed(&self) {
        self.0.changes.send_modify(|count| *count += 1);
    }

    /// What is to be installed for an ID.
    fn plan(&self, id: &str) -> Result<Plan, StoreError> {
        let catalog = self.catalog();
        if id == RUNTIME {
            let platform = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
            return catalog
                .runtime()
                .map(|runtime| Plan::runtime(catalog, runtime))
                .ok_or(StoreError::NoRuntime(platform));
        }
        let entry = catalog.entry(id).ok_or_else(|| StoreError::Unknown(id.to_owned()))?;
        Ok(Plan::model(catalog, entry))
    }

    /// Starts to download a model, or goes on with a download that stopped. Returns at once. Succeeds when the download runs or the model
    /// is installed already. A speech model brings ONNX Runtime with it.
    ///
    /// # Errors
    /// When the model is unknown, this computer cannot run it, or the disk has no room for it.
    pub async fn download(&self, id: &str) -> Result<(), StoreError> {
        let plan = self.plan(id)?;
        let needs_runtime = plan.record.engine.is_some_and(needs_runtime);
        if needs_runtime {
            self.plan(RUNTIME)?;
        }
        let partial = partial::partial_folder(self.folder(), id);
        let (store, measured) = (self.clone(), plan.clone());
        let (done, total) = blocking(move || {
            store.scan();
            Ok(measured.progress(&partial))
        })
        .await?;
        if self.0.state.lock().installed.contains_key(id) {
            return Ok(());
        }
        let unpacked: u64 = plan.steps.iter().map(partial::Step::unpacked).sum();
        let needed = total.saturating_sub(done).saturating_add(unpacked);
        machine::check_space(self.folder(), needed, self.0.options.limits.reserve).await?;
        self.start(plan, (done, total), needs_runtime);
        self.changed();
        Ok(())
    }

    /// Starts the task of a download, unless it runs.
    fn start(&self, plan: Plan, (done, total): (u64, u64), needs_runtime: bool) {
        let id = plan.record.id.clone();
        let mut state = self.0.state.lock();
        if state.running.contains_key(&id) {
            return;
        }
        state.errors.remove(&id);
        let progress = Arc::new(Progress::new(self.0.changes.clone()));
        progress.set_total(total);
        progress.set_current(done);
        let (is_checking, stop) = (Arc::new(AtomicBool::new(false)), self.0.closing.child_token());
        let job = Job {
            store: self.0.options.folder.clone(),
            http: self.0.http.clone(),
            limits: self.0.options.limits,
            plan: Arc::new(plan),
            progress: progress.clone(),
            is_checking: is_checking.clone(),
            stop: stop.clone(),
        };
        let (end, ended) = watch::channel(false);
        // The task must not keep the store, and with it the download, alive.
        let store = Arc::downgrade(&self.0);
        let (weak, permits, is_runtime) = (store.clone(), self.0.permits.clone(), id == RUNTIME);
        let work = async move {
            let stop = job.stop.clone();
            if needs_runtime {
                ensure_runtime(weak, &stop).await?;
            }
            // ONNX Runtime does not wait for the models that wait for it.
            let _permit = if is_runtime {
                None
            } else {
                tokio::select! {
                    permit = permits.acquire_owned() => permit.ok(),
                    () = stop.cancelled() => return Err(StoreError::Stopped),
                }
            };
            job.run().await
        };
        let ended_id = id.clone();
        tokio::spawn(async move {
            let done = tokio::spawn(work).await.unwrap_or_else(|cause| {
                Err(StoreError::Storage { action: "download a model".into(), cause: cause.to_string() })
            });
            if let Some(store) = store.upgrade().map(ModelStore) {
                store.end(&ended_id, done).await;
            }
            let _ = end.send(true);
        });
        state.running.insert(id, Running { progress, is_checking, stop, ended });
    }

    /// Notes how a download ended.
    async fn end(&self, id: &str, done: Result<(), StoreError>) {
        if let Err(error) = &done
            && *error != StoreError::Stopped
        {
            tracing::warn!(%error, model = id, "a download stopped");
        }
        let store = self.clone();
        let _ = blocking(move || {
            store.scan();
            Ok(())
        })
        .await;
        let mut state = self.0.state.lock();
        state.running.remove(id);
        match done {
            Ok(()) => drop(state.errors.remove(id)),
            Err(StoreError::Stopped) => {}
            Err(error) => drop(state.errors.insert(id.to_owned(), error)),
        }
        drop(state);
        self.changed();
    }

    /// Stops a download that is under way, and waits until its files are closed. Returns whether there was one.
    async fn halt(&self, id: &str) -> bool {
        let ended = {
            let state = self.0.state.lock();
            let Some(running) = state.running.get(id) else { return false };
            running.stop.cancel();
            running.ended.clone()
        };
        wait_for_end(ended).await;
        true
    }

    /// Waits until no download of this model is under way. Returns its error, if it ended with one.
    pub async fn finished(&self, id: &str) -> Result<(), StoreError> {
        let ended = self.0.state.lock().running.get(id).map(|running| running.ended.clone());
        if let Some(ended) = ended {
            wait_for_end(ended).await;
        }
        let state = self.0.state.lock();
        match (state.installed.contains_key(id), state.errors.get(id)) {
            (true, _) => Ok(()),
            (false, Some(error)) => Err(error.clone()),
            (false, None) => Err(StoreError::Stopped),
        }
    }

    /// Pauses a download. What has arrived is kept.
    ///
    /// # Errors
    /// When the model is unknown or is not being downloaded.
    pub async fn pause(&self, id: &str) -> Result<(), StoreError> {
        let plan = self.plan(id)?;
        if self.halt(id).await { Ok(()) } else { Err(StoreError::NotDownloading(plan.record.label)) }
    }

    /// Stops a download and removes what has arrived. Succeeds when nothing had.
    ///
    /// # Errors
    /// When the model is unknown or installed, another process downloads it, or the files cannot be removed.
    pub async fn cancel(&self, id: &str) -> Result<(), StoreError> {
        let plan = self.plan(id)?;
        self.halt(id).await;
        if self.0.state.lock().installed.contains_key(id) {
            return Err(StoreError::IsInstalled(plan.record.label));
        }
        let (folder, id, label) = (self.folder().to_owned(), id.to_owned(), plan.record.label);
        let removed = id.clone();
        blocking(move || {
            let _lock = partial::Lock::take(&folder, &id, &label)?;
            files::remove_folder(&partial::partial_folder(&folder, &id))
                .map_err(|cause| StoreError::storage("remove a download", &cause))
        })
        .await?;
        self.0.state.lock().errors.remove(&removed);
        self.changed();
        Ok(())
    }

    /// Removes an installed model. A process that uses it keeps it until it is done.
    ///
    /// # Errors
    /// When the model is not installed, or its files cannot be removed.
    pub async fn delete(&self, id: &str) -> Result<(), StoreError> {
        let (store, id) = (self.clone(), id.to_owned());
        blocking(move || {
            store.scan();
            let label = store.catalog().entry(&id).map(|entry| entry.label.clone());
            let record = store.0.state.lock().installed.get(&id).cloned();
            let Some(record) = record else {
                return Err(label.map_or(StoreError::Unknown(id), StoreError::NotInstalled));
            };
            if !record.folder.starts_with(store.folder()) {
                return Err(StoreError::Packaged(record.label));
            }
            let _lock = partial::Lock::take(store.folder(), &id, &record.label)?;
            let removed = partial::remove(store.folder(), &id);
            store.scan();
            let mut choices = store.0.state.lock().choices.clone();
            if choices.forget(&id) {
                choices.write(store.folder())?;
                store.0.state.lock().choices = choices;
            }
            removed
        })
        .await?;
        self.changed();
        Ok(())
    }

    /// Prefers an installed model for a service; `None`: none, so that the order of the catalog decides.
    ///
    /// # Errors
    /// When the model is not installed or does not provide the service, or the choice cannot be saved.
    pub async fn choose(&self, service: Service, id: Option<&str>) -> Result<(), StoreError> {
        if let Some(id) = id {
            let installed = self.0.state.lock().installed.get(id).cloned();
            let label = self.catalog().entry(id).map(|entry| entry.label.clone());
            let Some(record) = installed.filter(|record| record.engine.is_some()) else {
                return Err(label.map_or(StoreError::Unknown(id.to_owned()), StoreError::NotInstalled));
            };
            if !record.services.contains(&service) {
                return Err(StoreError::WrongService { label: record.label, service });
            }
        }
        let (store, id) = (self.clone(), id.map(str::to_owned));
        blocking(move || {
            let mut choices = Choices::read(store.folder());
            choices.set(service, id);
            choices.write(store.folder())?;
            store.0.state.lock().choices = choices;
            Ok(())
        })
        .await?;
        self.changed();
        Ok(())
    }
}

/// Waits until a task has said that it ended, or is gone.
async fn wait_for_end(mut ended: watch::Receiver<bool>) {
    let _ = ended.wait_for(|ended| *ended).await;
}

/// Downloads ONNX Runtime if it is missing, and waits for it.
async fn ensure_runtime(store: std::sync::Weak<Inner>, stop: &CancellationToken) -> Result<(), StoreError> {
    let Some(store) = store.upgrade().map(ModelStore) else { return Err(StoreError::Stopped) };
    Box::pin(store.download(RUNTIME)).await?;
    let finished = async move { store.finished(RUNTIME).await };
    tokio::select! {
        done = finished => done,
        () = stop.cancelled() => Err(StoreError::Stopped),
    }
}

impl InstalledModels for ModelStore {
    fn installed(&self) -> Vec<Installed> {
        let state = self.0.state.lock();
        let mut models: Vec<Installed> = state.installed.values().filter_map(Record::installed).collect();
        // Chosen ones first, then in the order of the catalog; those that do not fit this computer last.
        let catalog = self.catalog();
        let this = machine::Machine::this();
        models.sort_by_key(|model| {
            let place = catalog.models.iter().position(|entry| entry.id == model.id).unwrap_or(usize::MAX);
            let is_too_large = catalog.entry(&model.id).is_some_and(|entry| this.fits(entry) == machine::Fits::No);
            (!state.choices.has(&model.id), is_too_large, place)
        });
        models
    }

    fn onnx_runtime(&self) -> Option<PathBuf> {
        self.0.state.lock().installed.get(RUNTIME)?.file("library")
    }
}
