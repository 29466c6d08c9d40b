//! The engine processes: one for each loaded model, at most one of them with a language model.
//!
//! Each model has a lock, which one request holds at a time: it loads the model if need be, and is handed over. A model is unloaded
//! only under its lock, or by its own process after a long time without a request. A request waits for the lock of another model only
//! while that one is loaded and its own is not, so that no two wait for each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aura_providers::{Failure, FailureKind, Programs, Service};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use crate::format_bytes;
use crate::installed::{Installed, InstalledModels};
use crate::memory;
use crate::options::Options;
use crate::process::{Delivery, Ended, NotTaken, Observer, Process, StartError};
use crate::protocol::{Load, LoadFailedKind, Request};

/// After this many crashes in a row a model is not started for [`COOLDOWN`].
const CRASHES: u32 = 3;
const COOLDOWN: Duration = Duration::from_secs(60);
/// Memory that is left to the rest of the computer when a model is loaded, in bytes.
const SPARE_MEMORY: u64 = 100_000_000;

/// The engine processes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    installed: Arc<dyn InstalledModels>,
    programs: Arc<dyn Programs>,
    options: Options,
    slots: Mutex<BTreeMap<String, Slot>>,
    next_id: AtomicU64,
}

/// What is known about one model.
struct Slot {
    /// Held by the request that uses the model: one permit.
    lock: Arc<Semaphore>,
    crash_log: Arc<CrashLog>,
    resident: Resident,
    is_language_model: bool,
    used: Instant,
}

/// Whether a model is in memory.
enum Resident {
    No,
    /// Being loaded. Holds the bytes that it needs.
    Loading(u64),
    Yes(Arc<Process>),
}

/// The crashes of one model in a row.
#[derive(Default)]
struct CrashLog(Mutex<Crashes>);

#[derive(Default)]
struct Crashes {
    count: u32,
    last: Option<(Instant, String)>,
}

impl Observer for CrashLog {
    fn succeeded(&self) {
        *self.0.lock() = Crashes::default();
    }

    fn ended(&self, ended: &Ended) {
        if ended.is_crash() {
            let mut crashes = self.0.lock();
            crashes.count += 1;
            crashes.last = Some((Instant::now(), ended.to_string()));
        }
    }
}

impl CrashLog {
    /// Fails while the model crashed too often to be started.
    fn check(&self, label: &str) -> Result<(), Failure> {
        let crashes = self.0.lock();
        let Some((at, reason)) = crashes.last.as_ref().filter(|_| crashes.count >= CRASHES) else { return Ok(()) };
        match COOLDOWN.checked_sub(at.elapsed()).filter(|left| !left.is_zero()) {
            // Unsupported, so that a program or another provider takes over at once.
            Some(left) => Err(Failure::new(
                FailureKind::Unsupported,
                format!(
                    "{label} failed {} times in a row and is tried again in {} seconds. Last: {reason}",
                    crashes.count,
                    left.as_secs() + 1
                ),
            )),
            // One more attempt; a further crash starts the next cooldown.
            None => Ok(()),
        }
    }
}

/// A request that an engine handles.
pub(crate) struct Running {
    pub(crate) events: mpsc::Receiver<Delivery>,
}

impl Pool {
    pub(crate) fn new(installed: Arc<dyn InstalledModels>, programs: Arc<dyn Programs>, options: Options) -> Self {
        let (slots, next_id) = (Mutex::default(), AtomicU64::new(1));
        Self(Arc::new(Inner { installed, programs, options, slots, next_id }))
    }

    pub(crate) fn installed(&self) -> Vec<Installed> {
        self.0.installed.installed()
    }

    /// Hands a request to a model, and loads it first if need be. `request` makes the request with its id for a model with these voices.
    ///
    /// # Errors
    /// When the model cannot be loaded, or the request is too large.
    pub(crate) async fn begin(
        &self,
        model: &Installed,
        request: impl Fn(u64, &[String]) -> Request,
        payload: Bytes,
    ) -> Result<Running, Failure> {
        // A process may end between the moment it is chosen and the moment it takes the request.
        for _ in 0..3 {
            let permit = self.lock(&model.id).await?;
            let (process, permit) = self.process(model, permit, MayUnload::Others).await?;
            let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
            match process.begin(&request(id, process.voices()), id, payload.clone(), permit).await {
                Ok(events) => return Ok(Running { events }),
                Err(NotTaken::Gone) => {}
                Err(too_large @ NotTaken::TooLarge) => {
                    return Err(Failure::new(FailureKind::Unsupported, too_large.to_string()));
                }
            }
        }
        let label = &model.label;
        Err(Failure::new(FailureKind::Overloaded, format!("The engine of {label} ended each time it was started.")))
    }

    /// Loads a model in the background. Does nothing when it is in use, or when another one would have to be unloaded for it.
    pub(crate) fn preload(&self, model: &Installed) {
        let lock = self.0.with_slot(&model.id, |slot| slot.lock.clone());
        let Ok(permit) = lock.try_acquire_owned() else { return };
        let (pool, model) = (self.clone(), model.clone());
        tokio::spawn(async move {
            if let Err(failure) = pool.process(&model, permit, MayUnload::Nothing).await {
                tracing::debug!(%failure, model = model.id, "a model was not loaded ahead of time");
            }
        });
    }

    /// Unloads a model once its current request is done.
    pub(crate) async fn unload(&self, id: &str) {
        if let Ok(permit) = self.lock(id).await {
            self.0.evict(id, permit).await;
        }
    }

    async fn lock(&self, id: &str) -> Result<OwnedSemaphorePermit, Failure> {
        let lock = self.0.with_slot(id, |slot| slot.lock.clone());
        lock.acquire_owned().await.map_err(|closed| Failure::new(FailureKind::Overloaded, closed.to_string()))
    }

    /// The model's process, which is started if there is none. The start goes on when this future is dropped.
    async fn process(
        &self,
        model: &Installed,
        permit: OwnedSemaphorePermit,
        may_unload: MayUnload,
    ) -> Result<(Arc<Process>, OwnedSemaphorePermit), Failure> {
        let loaded = self.0.with_slot(&model.id, |slot| {
            slot.used = Instant::now();
            match &slot.resident {
                Resident::Yes(process) if !process.is_gone() => Some(process.clone()),
                _ => None,
            }
        });
        if let Some(process) = loaded {
            return Ok((process, permit));
        }
        let (inner, model) = (self.0.clone(), model.clone());
        let loading = tokio::spawn(async move {
            let process = inner.load(&model, may_unload).await?;
            Ok((process, permit))
        });
        let stopped = |cause: tokio::task::JoinError| Err(Failure::new(FailureKind::Overloaded, cause.to_string()));
        loading.await.unwrap_or_else(stopped)
    }
}

impl Inner {
    fn with_slot<T>(&self, id: &str, work: impl FnOnce(&mut Slot) -> T) -> T {
        let mut slots = self.slots.lock();
        work(slots.entry(id.to_owned()).or_insert_with(|| Slot {
            lock: Arc::new(Semaphore::new(1)),
            crash_log: Arc::default(),
            resident: Resident::No,
            is_language_model: false,
            used: Instant::now(),
        }))
    }

    /// Loads a model. The caller holds its lock.
    async fn load(&self, model: &Installed, may_unload: MayUnload) -> Result<Arc<Process>, Failure> {
        let crash_log = self.with_slot(&model.id, |slot| slot.crash_log.clone());
        crash_log.check(&model.label)?;
        let program = self.options.engine().ok_or_else(|| {
            let message = "The program aura-engine, which runs models, is missing beside AURA. Install AURA again.";
            Failure::new(FailureKind::Unsupported, message)
        })?;
        let reserved = self.reserve(model, may_unload).await?;
        let load = Load {
            engine: model.engine,
            files: model.files.clone(),
            onnx_runtime: self.installed.onnx_runtime(),
            espeak: self.programs.find("espeak-ng"),
            threads: self.options.threads,
            context: self.options.context,
        };
        let began = Instant::now();
        match Process::start(&program, load, self.options.limits, crash_log.clone()).await {
            Ok(process) => {
                let ms = began.elapsed().as_millis();
                tracing::info!(model = model.id, ms, "a model was loaded");
                Ok(reserved.fill(Arc::new(process)))
            }
            Err(error) => {
                match &error {
                    StartError::Failed(ended) => crash_log.ended(ended),
                    StartError::TooSlow(limit) => crash_log.ended(&Ended::Silent(*limit)),
                    StartError::Refused { .. } | StartError::NotStarted { .. } => {}
                }
                Err(load_failure(model, &error))
            }
        }
    }

    /// Makes room for a model: unloads another language model for a language model, and models that are not in use when memory is short.
    async fn reserve(&self, model: &Installed, may_unload: MayUnload) -> Result<Reserved<'_>, Failure> {
        let needed = model.memory;
        self.with_slot(&model.id, |slot| slot.is_language_model = is_language_model(model));
        loop {
            let free = memory::available(&self.options.meminfo).await;
            let eviction = {
                let mut slots = self.slots.lock();
                if is_language_model(model)
                    && let Some((id, lock)) = other_language_model(&slots, &model.id)
                {
                    Eviction::Waiting(id, lock)
                } else {
                    // What is being loaded is not in use yet, or only in part.
                    let loading: u64 = slots.values().map(|slot| slot.resident.loading()).sum();
                    let wanted = needed.saturating_add(loading).saturating_add(SPARE_MEMORY);
                    match free.filter(|free| *free < wanted) {
                        None => {
                            if let Some(slot) = slots.get_mut(&model.id) {
                                slot.resident = Resident::Loading(needed);
                            }
                            return Ok(Reserved { inner: self, id: model.id.clone() });
                        }
                        Some(free) => match least_recently_used(&slots, &model.id) {
                            Some((id, permit)) => Eviction::Unused(id, permit),
                            None => return Err(does_not_fit(model, free)),
                        },
                    }
                }
            };
            if may_unload == MayUnload::Nothing {
                return Err(Failure::new(FailureKind::Unsupported, "Another model is in the way."));
            }
            let (id, permit) = match eviction {
                Eviction::Unused(id, permit) => (id, permit),
                Eviction::Waiting(id, lock) => match lock.acquire_owned().await {
                    Ok(permit) => (id, permit),
                    Err(closed) => return Err(Failure::new(FailureKind::Overloaded, closed.to_string())),
                },
            };
            self.evict(&id, permit).await;
        }
    }

    /// Unloads a model, and waits until its process is gone. The caller holds its lock.
    async fn evict(&self, id: &str, permit: OwnedSemaphorePermit) {
        let resident = self.with_slot(id, |slot| std::mem::replace(&mut slot.resident, Resident::No));
        if let Resident::Yes(process) = resident {
            process.unload().await;
            tracing::info!(model = id, "a model was unloaded");
        }
        drop(permit);
    }
}

/// What may be unloaded to make room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MayUnload {
    Nothing,
    Others,
}

/// A model that has to be unloaded first.
enum Eviction {
    /// It is not in use. Holds its lock.
    Unused(String, OwnedSemaphorePermit),
    /// It may be in use. Its lock has to be waited for.
    Waiting(String, Arc<Semaphore>),
}

impl Resident {
    fn is_in_memory(&self) -> bool {
        match self {
            Self::No => false,
            Self::Loading(_) => true,
            Self::Yes(process) => !process.is_gone(),
        }
    }

    fn loading(&self) -> u64 {
        if let Self::Loading(bytes) = self { *bytes } else { 0 }
    }
}

/// Another language model that is loaded or being loaded, with its lock.
fn other_language_model(slots: &BTreeMap<String, Slot>, id: &str) -> Option<(String, Arc<Semaphore>)> {
    let mut others = slots.iter().filter(|(other, slot)| *other != id && slot.resident.is_in_memory());
    others.find(|(_, slot)| slot.is_language_model).map(|(other, slot)| (other.clone(), slot.lock.clone()))
}

/// The loaded model that was not used for the longest time, if it is not in use.
fn least_recently_used(slots: &BTreeMap<String, Slot>, except: &str) -> Option<(String, OwnedSemaphorePermit)> {
    let mut loaded: Vec<(&String, &Slot)> =
        slots.iter().filter(|(id, slot)| *id != except && slot.resident.is_in_memory()).collect();
    loaded.sort_by_key(|(_, slot)| slot.used);
    loaded.into_iter().find_map(|(id, slot)| Some((id.clone(), slot.lock.clone().try_acquire_owned().ok()?)))
}

/// A place in memory for a model that is being loaded. Given back when it is dropped before it is filled.
struct Reserved<'a> {
    inner: &'a Inner,
    id: String,
}

impl Reserved<'_> {
    fn fill(self, process: Arc<Process>) -> Arc<Process> {
        self.inner.with_slot(&self.id, |slot| slot.resident = Resident::Yes(process.clone()));
        process
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.inner.with_slot(&self.id, |slot| {
            if matches!(slot.resident, Resident::Loading(_)) {
                slot.resident = Resident::No;
            }
        });
    }
}

fn is_language_model(model: &Installed) -> bool {
    model.services.iter().any(|service| matches!(service, Service::Llm | Service::Vlm))
}

fn does_not_fit(model: &Installed, free: u64) -> Failure {
    let (label, needed, free) = (&model.label, format_bytes(model.memory), format_bytes(free));
    Failure::new(
        FailureKind::Unsupported,
        format!("{label} needs {needed} of memory, and {free} are free. Close other programs, or use a smaller model."),
    )
}

fn load_failure(model: &Installed, error: &StartError) -> Failure {
    let label = &model.label;
    let (kind, message) = match error {
        StartError::Refused { kind: LoadFailedKind::BadFile, message } => (
            FailureKind::Unsupported,
            format!("The files of {label} cannot be used: {message} Delete the model and download it again."),
        ),
        StartError::Refused { kind: LoadFailedKind::NoMemory, .. } => {
            let needed = format_bytes(model.memory);
            let message = format!("There is not enough memory for {label}, which needs {needed}. Use a smaller model.");
            (FailureKind::Unsupported, message)
        }
        StartError::Refused { message, .. } => {
            (FailureKind::Unsupported, format!("{label} cannot run here: {message}"))
        }
        StartError::NotStarted { .. } => (FailureKind::Unsupported, error.to_string()),
        StartError::Failed(_) => (FailureKind::Overloaded, format!("{label} could not be loaded: {error}")),
        StartError::TooSlow(_) => (FailureKind::Timeout, format!("{label} could not be loaded: {error}")),
    };
    Failure::new(kind, message.chars().take(300).collect::<String>())
}
