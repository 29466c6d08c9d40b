//! Files through which sound and text go to local programs and back.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempPath;

use super::RUN_TIMEOUT;
use crate::types::{Failure, FailureKind};

/// The beginning of the file names. The ID of the process follows.
const PREFIX: &str = "aura-";
/// A file that was not touched for this long belongs to no running program.
const STALE: Duration = RUN_TIMEOUT.saturating_mul(10);

/// A temporary file that only the current user can read. It is deleted on drop, also when a call is cancelled.
pub(super) struct TempFile(TempPath);

impl TempFile {
    pub(super) async fn create(folder: PathBuf, extension: &'static str, content: Bytes) -> Result<Self, Failure> {
        blocking(move || {
            let mut file = tempfile::Builder::new()
                .prefix(&format!("{PREFIX}{}-", std::process::id()))
                .suffix(&format!(".{extension}"))
                .tempfile_in(folder)?;
            file.write_all(&content)?;
            Ok(Self(file.into_temp_path()))
        })
        .await
    }

    /// The path, as the argument of a program.
    pub(super) fn argument(&self) -> OsString {
        self.0.as_os_str().to_owned()
    }

    pub(super) async fn read(&self) -> Result<Vec<u8>, Failure> {
        tokio::fs::read(&self.0).await.map_err(|error| disk_failure(&error))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|cause| Err(std::io::Error::other(cause)));
    done.map_err(|error| disk_failure(&error))
}

fn disk_failure(error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Unreachable, format!("The folder for temporary files cannot be used: {error}"))
}

/// Deletes the temporary files of the `offline` provider that a killed process left in a folder. Returns their number. Files of processes
/// that still run are kept.
///
/// # Errors
/// The folder cannot be listed, or a file cannot be deleted.
pub fn sweep_temp_files(folder: &Path) -> std::io::Result<usize> {
    let mut deleted = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(process) = process_of(&name.to_string_lossy()) else { continue };
        let untouched = entry.metadata().and_then(|file| file.modified()).ok().and_then(|time| time.elapsed().ok());
        if has_ended(process) || untouched.is_some_and(|time| time > STALE) {
            match std::fs::remove_file(entry.path()) {
                Ok(()) => deleted += 1,
                Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
                Err(cause) => return Err(cause),
            }
        }
    }
    Ok(deleted)
}

/// The ID of the process that made a temporary file; `None` for a file of somebody else.
fn process_of(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split_once('-')?.0.parse().ok()
}

/// Whether it is certain that there is no such process. Only Linux can tell without asking the process.
fn has_ended(process: u32) -> bool {
    cfg!(target_os = "linux")
        && Path::new("/proc/self").exists()
        && !Path::new("/proc").join(process.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_private_and_ends_with_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let file = TempFile::create(folder.path().to_owned(), "wav", Bytes::from_static(b"sound")).await.unwrap();
        let path = PathBuf::from(file.argument());
        assert!(path.starts_with(folder.path()) && path.extension().is_some_and(|extension| extension == "wav"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(file.read().await.unwrap(), b"sound");
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn files_of_a_process_that_ended_are_swept_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let ended = child.id();
        child.wait().unwrap();
        let names = [format!("aura-{ended}-a.wav"), format!("aura-{}-b.wav", std::process::id()), "notes.txt".into()];
        for name in &names {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(sweep_temp_files(folder.path()).unwrap(), 1);
        let left: Vec<bool> = names.iter().map(|name| folder.path().join(name).exists()).collect();
        assert_eq!(left, [false, true, true]);
    }
}
