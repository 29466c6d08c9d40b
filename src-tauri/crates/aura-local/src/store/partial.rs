//! The folder of a download that is not complete. It is renamed to the model's own folder when every file in it was checked.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::catalog::{Catalog, Entry, FileSpec, Place, RUNTIME, Runtime, Source};
use super::error::StoreError;
use super::files::{self, PART};
use super::record::Record;
use super::transfer::{Known, known_file};

/// The end of the name of a folder that is not complete.
const FOLDER: &str = ".partial";
/// The folder of the lock files, one for each model.
const LOCKS: &str = ".locks";

/// What is to be installed: a model, or ONNX Runtime.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The record that is written at the end, still without its files.
    pub(crate) record: Record,
    /// The downloads, in order.
    pub(crate) steps: Vec<Step>,
}

/// One download: a file, or an archive with files.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) source: Source,
    /// The name of the download on the disk.
    pub(crate) name: String,
    /// The files that come of it.
    pub(crate) files: Vec<FileSpec>,
}

impl Step {
    /// Whether the download is an archive.
    pub(crate) fn is_archive(&self) -> bool {
        self.files.iter().any(|file| matches!(file.place, Place::Archive { .. }))
    }

    /// Where the download arrives.
    pub(crate) fn part(&self, partial: &Path) -> PathBuf {
        partial.join(format!("{}{PART}", self.name))
    }

    /// Whether all files that come of it are there.
    pub(crate) fn is_done(&self, partial: &Path) -> bool {
        self.files.iter().all(|file| partial.join(&file.name).is_file())
    }

    /// The bytes that it downloads: from the catalog, else as a server said; 0 when neither knows.
    pub(crate) fn size(&self, partial: &Path) -> u64 {
        let said = || files::read_json::<Known>(&known_file(&self.part(partial)))?.size;
        let complete = || (!self.is_archive()).then(|| files::size(&partial.join(&self.name))).filter(|size| *size > 0);
        self.source.size.or_else(said).or_else(complete).unwrap_or(0)
    }

    /// The bytes that unpacking adds, as far as they are known.
    pub(crate) fn unpacked(&self) -> u64 {
        if self.is_archive() { self.files.iter().filter_map(|file| file.size).sum() } else { 0 }
    }
}

impl Plan {
    pub(crate) fn model(catalog: &Catalog, entry: &Entry) -> Self {
        let record = Record {
            id: entry.id.clone(),
            label: entry.label.clone(),
            engine: Some(entry.engine),
            services: entry.services.clone(),
            languages: entry.languages.clone(),
            memory: entry.memory,
            files: Vec::new(),
            folder: PathBuf::new(),
        };
        Self { record, steps: steps(catalog, &entry.files) }
    }

    pub(crate) fn runtime(catalog: &Catalog, runtime: &Runtime) -> Self {
        let record = Record {
            id: RUNTIME.into(),
            label: runtime.label.clone(),
            engine: None,
            services: Vec::new(),
            languages: Vec::new(),
            memory: 0,
            files: Vec::new(),
            folder: PathBuf::new(),
        };
        Self { record, steps: steps(catalog, &runtime.files) }
    }

    /// Bytes that have arrived, and bytes in all (0 when that is not known).
    pub(crate) fn progress(&self, partial: &Path) -> (u64, u64) {
        let (mut done, mut total, mut is_known) = (0, 0, true);
        for step in &self.steps {
            let size = step.size(partial);
            is_known &= size > 0;
            total += size;
            done += if step.is_done(partial) { size } else { files::size(&step.part(partial)) };
        }
        (done, if is_known { total.max(done) } else { 0 })
    }
}

/// The downloads for these files: each archive once.
fn steps(catalog: &Catalog, files: &[FileSpec]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut archives: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files {
        // The catalog was checked: each archive is there.
        let Some(source) = catalog.source(file) else { continue };
        let name = match &file.place {
            Place::Archive { archive, .. } => {
                if let Some(step) = archives.get(archive.as_str()) {
                    steps[*step].files.push(file.clone());
                    continue;
                }
                archives.insert(archive, steps.len());
                format!("{archive}.zip")
            }
            Place::Urls { .. } => file.name.clone(),
        };
        steps.push(Step { source, name, files: vec![file.clone()] });
    }
    steps
}

/// The folder of an installed model.
pub(crate) fn installed_folder(store: &Path, id: &str) -> PathBuf {
    store.join(id)
}

/// The folder of a download.
pub(crate) fn partial_folder(store: &Path, id: &str) -> PathBuf {
    store.join(format!("{id}{FOLDER}"))
}

/// Held while a process changes a model, so that no other process does.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "closing the file releases the lock")] File);

impl Lock {
    /// Takes the lock of a model. `label` is the model's name for users.
    pub(crate) fn take(store: &Path, id: &str, label: &str) -> Result<Self, StoreError> {
        let failed = |cause: std::io::Error| StoreError::storage("write to the folder of models", &cause);
        let folder = store.join(LOCKS);
        files::create_folder(&folder).map_err(failed)?;
        let file = files::private().truncate(false).open(folder.join(id)).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::Busy(label.to_owned())),
            Err(std::fs::TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }
}

/// Writes the record, and puts the folder of a complete download in its place.
pub(crate) fn put_in_place(store: &Path, record: &Record) -> Result<(), StoreError> {
    let failed = |cause: std::io::Error| StoreError::storage("write to the folder of models", &cause);
    let (partial, place) = (partial_folder(store, &record.id), installed_folder(store, &record.id));
    files::write_json(&partial.join(super::record::FILE), record).map_err(failed)?;
    files::sync_folder(&partial);
    files::remove_folder(&place).map_err(failed)?;
    std::fs::rename(&partial, &place).map_err(failed)?;
    files::sync_folder(store);
    Ok(())
}

/// Removes an installed model: it is gone at once, and its space a little later.
pub(crate) fn remove(store: &Path, id: &str) -> Result<(), StoreError> {
    let failed = |cause: std::io::Error| StoreError::storage("remove a model", &cause);
    let (place, removed) = (installed_folder(store, id), store.join(format!(".removed-{id}")));
    files::remove_folder(&removed).map_err(failed)?;
    std::fs::rename(&place, &removed).map_err(failed)?;
    files::sync_folder(store);
    files::remove_folder(&removed).map_err(failed)
}

/// Removes what earlier removals left behind.
pub(crate) fn clean(store: &Path) {
    let entries = std::fs::read_dir(store).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".removed-")) {
        if let Err(cause) = files::remove_folder(&entry.path()) {
            tracing::warn!(%cause, folder = %entry.path().display(), "a removed model still takes space");
        }
    }
}
