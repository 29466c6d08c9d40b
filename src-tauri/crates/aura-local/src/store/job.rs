//! One download of a model: its files one after the other, checked, unpacked and put in place together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::catalog::{FileSpec, Place};
use super::error::StoreError;
use super::files;
use super::http::Http;
use super::machine;
use super::partial::{self, Lock, Plan, Step};
use super::progress::Progress;
use super::record::RecordedFile;
use super::transfer::{Limits, Transfer, known_file, remove_part};
use super::unpack::unpack;
use super::verify::{Measured, verify};

/// The largest file that is unpacked without a size in the catalog, in bytes.
const LARGEST: u64 = 8 << 30;

/// A download that is under way.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) store: PathBuf,
    pub(crate) http: Http,
    pub(crate) limits: Limits,
    pub(crate) plan: Arc<Plan>,
    pub(crate) progress: Arc<Progress>,
    /// Whether files are being checked or unpacked now.
    pub(crate) is_checking: Arc<AtomicBool>,
    pub(crate) stop: CancellationToken,
}

impl Job {
    /// Downloads, checks and installs. Whatever happens, the model's own folder is complete or not there.
    pub(crate) async fn run(mut self) -> Result<(), StoreError> {
        let (store, id, label) = (self.store.clone(), self.plan.record.id.clone(), self.plan.record.label.clone());
        let partial = partial::partial_folder(&store, &id);
        let folder = partial.clone();
        let _lock = blocking(move || {
            let lock = Lock::take(&store, &id, &label)?;
            files::create_folder(&folder)
                .map_err(|cause| StoreError::storage("create a folder for a model", &cause))?;
            Ok(lock)
        })
        .await?;
        let plan = self.plan.clone();
        let (done, total) = plan.progress(&partial);
        self.progress.set_total(total);
        let unpacked: u64 = plan.steps.iter().map(Step::unpacked).sum();
        machine::check_space(&partial, total.saturating_sub(done).saturating_add(unpacked), self.limits.reserve)
            .await?;
        let mut record = plan.record.clone();
        for (index, step) in plan.steps.iter().enumerate() {
            let rest = &plan.steps[index + 1..];
            let further = rest.iter().filter(|step| !step.is_done(&partial)).map(|step| step.source.size.unwrap_or(0));
            let further = further.sum::<u64>() + step.unpacked();
            record.files.extend(self.step(step, &partial, further).await?);
            self.progress.set_total(plan.progress(&partial).1);
        }
        self.set_checking(true);
        let store = self.store.clone();
        blocking(move || partial::put_in_place(&store, &record)).await
    }

    /// Downloads one file or archive, unless its files are there already, and checks them.
    async fn step(&mut self, step: &Step, partial: &Path, further: u64) -> Result<Vec<RecordedFile>, StoreError> {
        let size = step.size(partial);
        if step.is_done(partial) {
            let files = self.measure(step, partial).await;
            if let Ok(files) = files {
                self.progress.finish(size);
                return Ok(files);
            }
            // The disk has lost something since: once more.
            for file in &step.files {
                let _ = std::fs::remove_file(partial.join(&file.name));
            }
        }
        let mut urls = step.source.urls.as_slice();
        loop {
            let error = match self.load(step, partial, further, urls).await {
                Ok(files) => return Ok(files),
                Err(error) => error,
            };
            // What arrived in full and is not what it should be: from the beginning, from the next address.
            let is_damaged = matches!(error, StoreError::Damaged { .. } | StoreError::Archive { .. });
            if is_damaged {
                self.discard(step, partial)?;
            }
            urls = urls.get(1..).unwrap_or_default();
            if !is_damaged || urls.is_empty() {
                return Err(error);
            }
            tracing::warn!(%error, "a file is downloaded from another address");
        }
    }

    /// Downloads, checks and unpacks.
    async fn load(
        &self,
        step: &Step,
        partial: &Path,
        further: u64,
        urls: &[url::Url],
    ) -> Result<Vec<RecordedFile>, StoreError> {
        let part = step.part(partial);
        let transfer = Transfer {
            http: &self.http,
            limits: &self.limits,
            progress: &self.progress,
            stop: &self.stop,
            name: &step.name,
            part: part.clone(),
            further,
        };
        let known = transfer.run(&step.source, urls).await?;
        let (name, size, stop) = (step.name.clone(), known.size, self.stop.clone());
        let hash = step.source.sha256.clone().or(known.sha256);
        self.set_checking(true);
        let checked = part.clone();
        let measured = blocking(move || verify(&checked, &name, size, hash.as_deref(), &stop)).await;
        let unpacked = match measured {
            Ok(measured) if step.is_archive() => self.unpack(step, partial, &part).await.map(|files| (measured, files)),
            Ok(measured) => {
                let place = partial.join(&step.name);
                let recorded = step.files.iter().map(|file| recorded(file, &measured)).collect();
                std::fs::rename(&part, place)
                    .map_err(|cause| StoreError::storage("write to the folder of models", &cause))
                    .map(|()| (measured, recorded))
            }
            Err(error) => Err(error),
        };
        self.set_checking(false);
        let (measured, files) = unpacked?;
        let _ = std::fs::remove_file(known_file(&part));
        self.progress.finish(measured.size);
        Ok(files)
    }

    /// Takes the files out of an archive and removes it.
    async fn unpack(&self, step: &Step, partial: &Path, archive: &Path) -> Result<Vec<RecordedFile>, StoreError> {
        let (step, partial, archive, stop) = (step.clone(), partial.to_owned(), archive.to_owned(), self.stop.clone());
        blocking(move || {
            let mut recorded_files = Vec::new();
            for file in &step.files {
                let Place::Archive { member, .. } = &file.place else { continue };
                let temporary = partial.join(format!("{}.unpacked{}", file.name, files::PART));
                unpack(&archive, member, &temporary, file.size.unwrap_or(LARGEST), &stop)?;
                let measured = verify(&temporary, &file.name, file.size, file.sha256.as_deref(), &stop)?;
                std::fs::rename(&temporary, partial.join(&file.name))
                    .map_err(|cause| StoreError::storage("write to the folder of models", &cause))?;
                recorded_files.push(recorded(file, &measured));
            }
            let _ = std::fs::remove_file(&archive);
            Ok(recorded_files)
        })
        .await
    }

    /// Measures the files of an earlier attempt, which were checked then.
    async fn measure(&self, step: &Step, partial: &Path) -> Result<Vec<RecordedFile>, StoreError> {
        let (step, partial, stop) = (step.clone(), partial.to_owned(), self.stop.clone());
        blocking(move || {
            let measured = step.files.iter().map(|file| {
                let path = partial.join(&file.name);
                verify(&path, &file.name, file.size, file.sha256.as_deref(), &stop)
                    .map(|measured| recorded(file, &measured))
            });
            measured.collect()
        })
        .await
    }

    /// Removes what has arrived of a step.
    fn discard(&self, step: &Step, partial: &Path) -> Result<(), StoreError> {
        self.progress.set_current(0);
        remove_part(&step.part(partial))
    }

    fn set_checking(&self, is_checking: bool) {
        self.is_checking.store(is_checking, Ordering::Relaxed);
        self.progress.finish(0);
    }
}

fn recorded(file: &FileSpec, measured: &Measured) -> RecordedFile {
    RecordedFile {
        role: file.role.clone(),
        name: file.name.clone(),
        size: measured.size,
        sha256: measured.sha256.clone(),
    }
}

/// Runs work that waits for the disk on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|cause| {
        Err(StoreError::Storage { action: "work with the folder of models".into(), cause: cause.to_string() })
    })
}
