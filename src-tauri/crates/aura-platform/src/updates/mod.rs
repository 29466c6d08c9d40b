//! New versions of AURA: the signed description of the newest one, and the download of its package.
//!
//! The folder `updates` in AURA's data folder holds what the last check fetched, and the package. Nothing in it is trusted: signature and
//! checksums are looked at again whenever it is used.

mod catalogs;
mod manifest;
mod source;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::Updates;
use aura_core::replace_file;
use aura_core::updates::{PackageView, ReleaseView, UpdateState, UpdatesView};
use aura_local::download::{Downloader, Progress, Wanted, is_file};
use aura_local::format_bytes;
use aura_local::store::error::StoreError;
use jiff::Timestamp;
use parking_lot::Mutex;
use semver::Version;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::manifest::{Manifest, ManifestError, RemoteFile};
use self::source::UpdateSource;
use crate::open_with_system;
use crate::paths::create_private;

pub use catalogs::{NewerCatalogs, newer_catalogs};

/// The largest description, and the largest signature, in bytes.
const LARGEST_MANIFEST: usize = 1 << 20;
const LARGEST_SIGNATURE: usize = 4 << 10;
/// The largest list of models, in bytes.
const LARGEST_LIST: u64 = 8 << 20;

/// The folder of updates in AURA's data folder.
fn folder(data: &Path) -> PathBuf {
    data.join("updates")
}

/// The newest version, as a server describes it with a signature. Cheap to clone.
#[derive(Clone)]
pub struct SignedUpdates(Arc<Inner>);

struct Inner {
    source: Option<UpdateSource>,
    /// The kind of package that AURA was installed by.
    kind: Option<String>,
    version: Version,
    folder: PathBuf,
    downloader: Downloader,
    changes: watch::Sender<u64>,
    state: Mutex<State>,
    /// One check at a time.
    checking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    manifest: Option<Manifest>,
    checked_at: Option<Timestamp>,
    activity: Activity,
}

#[derive(Default)]
enum Activity {
    #[default]
    Idle,
    Checking,
    Downloading {
        progress: Arc<Progress>,
        stop: CancellationToken,
    },
    Failed(Error),
}

impl SignedUpdates {
    /// What the last check fetched into the data folder, and the means to check again. Waits for the disk.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn open(data: &Path) -> Result<Self> {
        let kind = source::package_kind();
        Self::with(data, UpdateSource::find(), kind, env!("CARGO_PKG_VERSION"), aura_local::store::Limits::default())
    }

    fn with(
        data: &Path,
        source: Option<UpdateSource>,
        kind: Option<String>,
        version: &str,
        limits: aura_local::store::Limits,
    ) -> Result<Self> {
        let folder = folder(data);
        let saved = source.as_ref().and_then(|source| catalogs::saved(&folder, source));
        let checked_at = std::fs::metadata(folder.join(catalogs::MANIFEST)).and_then(|file| file.modified()).ok();
        let checked_at = checked_at.and_then(|time| Timestamp::try_from(time).ok()).filter(|_| saved.is_some());
        let updates = Self(Arc::new(Inner {
            source,
            kind,
            version: Version::parse(version).map_err(Error::internal)?,
            folder,
            downloader: Downloader::new(limits).map_err(Error::internal)?,
            changes: watch::channel(0).0,
            state: Mutex::new(State { manifest: saved, checked_at, activity: Activity::Idle }),
            checking: tokio::sync::Mutex::default(),
        }));
        updates.remove_old_packages();
        Ok(updates)
    }

    /// The package of the newer version for this computer.
    fn package(&self) -> Option<Wanted> {
        self.package_of(self.newer(&self.0.state.lock())?)
    }

    /// What the manifest says when its version is newer than this one.
    fn newer<'a>(&self, state: &'a State) -> Option<&'a Manifest> {
        state.manifest.as_ref().filter(|manifest| manifest.version > self.0.version)
    }

    /// The package of this version for this computer.
    fn package_of(&self, release: &Manifest) -> Option<Wanted> {
        let (source, kind) = (self.0.source.as_ref()?, self.0.kind.as_ref()?);
        release.package(kind)?.file.wanted(&source.url)
    }

    fn place(&self, wanted: &Wanted) -> PathBuf {
        self.0.folder.join(&wanted.name)
    }

    fn set(&self, activity: Activity) {
        self.0.state.lock().activity = activity;
        self.0.changes.send_modify(|count| *count += 1);
    }

    /// Removes packages of versions that are installed by now, with what has arrived of them.
    fn remove_old_packages(&self) {
        let wanted = self.package().map(|package| package.name);
        for entry in std::fs::read_dir(&self.0.folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_kept = [catalogs::MANIFEST, catalogs::SIGNATURE, catalogs::PROVIDERS, catalogs::LOCAL]
                .contains(&&*name)
                || wanted.as_ref().is_some_and(|wanted| name.starts_with(wanted));
            if !is_kept && let Err(cause) = std::fs::remove_file(entry.path()) {
                tracing::warn!(%cause, name, "a file of an earlier update could not be removed");
            }
        }
    }

    async fn fetch(&self) -> Result<Manifest> {
        let source = self.0.source.as_ref().ok_or_else(no_source)?;
        let bytes = self.0.downloader.bytes(&source.url, LARGEST_MANIFEST).await.map_err(error)?;
        let signature = self.0.downloader.bytes(&source.signature(), LARGEST_SIGNATURE).await.map_err(error)?;
        let manifest = Manifest::verified(&bytes, &signature, &source.key).map_err(|cause| match cause {
            ManifestError::Signature(_) => wrong_signature().because(cause),
            ManifestError::Format(_) => Error::new(
                ErrorCode::DownloadFailed,
                "The newest version is described in a way that this version cannot read. Install it from AURA's page.",
            )
            .because(cause),
        })?;
        self.fetch_catalogs(&manifest, source).await?;
        let folder = self.0.folder.clone();
        let saved = tokio::task::spawn_blocking(move || {
            create_private(&folder)?;
            // The catalogs that the manifest names are there by now.
            replace_file(&folder.join(catalogs::SIGNATURE), &signature)?;
            replace_file(&folder.join(catalogs::MANIFEST), &bytes)
        });
        saved
            .await
            .map_err(Error::internal)?
            .map_err(|cause| Error::storage("save what it knows of updates", cause))?;
        Ok(manifest)
    }

    /// Fetches the catalogs that are newer than those of this version, unless they are there.
    async fn fetch_catalogs(&self, manifest: &Manifest, source: &UpdateSource) -> Result<()> {
        let Some(catalogs) = manifest.catalogs.as_ref().filter(|catalogs| catalogs.date > catalogs::own_date()) else {
            return Ok(());
        };
        for (name, file) in [(catalogs::PROVIDERS, &catalogs.providers), (catalogs::LOCAL, &catalogs.local)] {
            self.fetch_list(name, file, source).await?;
        }
        Ok(())
    }

    async fn fetch_list(&self, name: &str, file: &RemoteFile, source: &UpdateSource) -> Result<()> {
        let place = self.0.folder.join(name);
        let (known, size, sha256) = (place.clone(), file.size, file.sha256.clone());
        if tokio::task::spawn_blocking(move || is_file(&known, size, &sha256)).await.unwrap_or(false) {
            return Ok(());
        }
        let wanted =
            file.wanted(&source.url).filter(|wanted| wanted.size <= LARGEST_LIST).ok_or_else(wrong_signature)?;
        let folder = self.0.folder.clone();
        tokio::task::spawn_blocking(move || create_private(&folder))
            .await
            .map_err(Error::internal)?
            .map_err(|cause| Error::storage("create the folder of updates", cause))?;
        let (progress, stop) = (Arc::new(Progress::new(watch::channel(0).0)), CancellationToken::new());
        self.0.downloader.file(&wanted, &place, &progress, &stop).await.map_err(error)
    }
}

#[async_trait]
impl Updates for SignedUpdates {
    fn view(&self) -> UpdatesView {
        let state = self.0.state.lock();
        let release = self.newer(&state);
        let package = release.and_then(|release| self.package_of(release));
        let activity = match &state.activity {
            Activity::Checking => UpdateState::Checking,
            Activity::Downloading { progress, .. } => {
                UpdateState::Downloading { done_bytes: progress.done(), total_bytes: progress.total() }
            }
            Activity::Failed(error) => UpdateState::Failed { error: error.clone() },
            Activity::Idle => match package.as_ref().map(|package| self.place(package)).filter(|file| file.is_file()) {
                Some(file) => UpdateState::Ready {
                    command: self.0.kind.as_deref().and_then(|kind| source::command(kind, &file)),
                    file: file.display().to_string(),
                },
                None => UpdateState::Idle,
            },
        };
        let catalogs = state.manifest.as_ref().and_then(|manifest| manifest.catalogs.as_ref());
        UpdatesView {
            server: self.0.source.as_ref().map(UpdateSource::server),
            checked_at: state.checked_at,
            release: release.map(|manifest| ReleaseView {
                version: manifest.version.to_string(),
                published: manifest.published,
                notes: manifest.notes.clone(),
                package: package.map(|package| PackageView { name: package.name, size_bytes: package.size }),
            }),
            new_catalogs: catalogs.map(|catalogs| catalogs.date).filter(|date| *date > catalogs::own_date()),
            state: activity,
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    async fn check(&self) -> Result<()> {
        let _one = self.0.checking.lock().await;
        if matches!(self.0.state.lock().activity, Activity::Downloading { .. }) {
            return Ok(());
        }
        self.set(Activity::Checking);
        let fetched = self.fetch().await;
        let activity = match &fetched {
            Ok(_) => Activity::Idle,
            Err(error) => Activity::Failed(error.clone()),
        };
        if let Ok(manifest) = &fetched {
            let mut state = self.0.state.lock();
            state.manifest = Some(manifest.clone());
            state.checked_at = Some(Timestamp::now());
        }
        self.set(activity);
        fetched.map(drop)
    }

    fn download(&self) -> Result<()> {
        let Some(package) = self.package() else {
            let message = match self.newer(&self.0.state.lock()) {
                Some(_) => {
                    "There is no package of the newest version for this computer. Update AURA in the way you installed it."
                }
                None => "AURA is up to date.",
            };
            return Err(Error::new(ErrorCode::NotFound, message));
        };
        let (progress, stop) = (Arc::new(Progress::new(self.0.changes.clone())), CancellationToken::new());
        {
            let mut state = self.0.state.lock();
            if matches!(state.activity, Activity::Downloading { .. }) {
                return Ok(());
            }
            state.activity = Activity::Downloading { progress: progress.clone(), stop: stop.clone() };
        }
        let updates = self.clone();
        tokio::spawn(async move {
            let place = updates.place(&package);
            let done = updates.0.downloader.file(&package, &place, &progress, &stop).await;
            updates.set(match done {
                Ok(()) | Err(StoreError::Stopped) => Activity::Idle,
                Err(cause) => Activity::Failed(error(cause)),
            });
        });
        Ok(())
    }

    fn stop(&self) {
        if let Activity::Downloading { stop, .. } = &self.0.state.lock().activity {
            stop.cancel();
        }
    }

    async fn install(&self) -> Result<()> {
        let package = self.package().ok_or_else(|| Error::new(ErrorCode::NotFound, "AURA is up to date."))?;
        let file = self.place(&package);
        let checked = file.clone();
        let is_right = tokio::task::spawn_blocking(move || is_file(&checked, package.size, &package.sha256)).await;
        if !is_right.unwrap_or(false) {
            return Err(Error::new(ErrorCode::NotFound, "The package is not complete. Download it again."));
        }
        let command = self.0.kind.as_deref().and_then(|kind| source::command(kind, &file));
        open_with_system(&file.to_string_lossy()).map_err(|cause| {
            let by_hand = command.map_or_else(
                || format!("Open {} yourself.", file.display()),
                |command| format!("In a terminal, run: {command}"),
            );
            let message = format!("No program that installs packages was found. {by_hand}");
            Error::new(ErrorCode::NotFound, message).because(cause)
        })
    }
}

fn no_source() -> Error {
    let message = "This build does not know where its updates are. Update AURA in the way you installed it.";
    Error::new(ErrorCode::NotFound, message)
}

fn wrong_signature() -> Error {
    Error::new(
        ErrorCode::DownloadFailed,
        "What the server sent was not signed by AURA's maintainers, so nothing of it is used. Try again later.",
    )
}

/// The errors of downloads in the words of updates.
fn error(cause: StoreError) -> Error {
    match cause {
        StoreError::DiskFull { needed, .. } => Error::new(
            ErrorCode::DiskFull,
            format!(
                "The disk is too full for the update: {} more are needed. Free some space, then try again.",
                format_bytes(needed)
            ),
        ),
        StoreError::Damaged { file, what } => wrong_signature().because(format!("{file}: wrong {what}")),
        StoreError::Storage { action, cause } => Error::storage(&action, cause),
        StoreError::Stopped => Error::cancelled(),
        cause => Error::new(
            ErrorCode::DownloadFailed,
            "The update server cannot be reached, or does not have the file. Check the network, then try again.",
        )
        .because(cause),
    }
}
