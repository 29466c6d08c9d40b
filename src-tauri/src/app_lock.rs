//! One running app per data folder: a lock on the file `aura.lock`, which the operating system frees when the app ends, however it ends.

use std::fs::{File, TryLockError};
use std::path::Path;

use aura_core::error::{Error, Result};

/// The lock of the running app. Dropping it lets another app start.
#[derive(Debug)]
pub(crate) struct AppLock {
    _file: File,
}

impl AppLock {
    /// Takes the lock; `None` while another process holds it.
    ///
    /// # Errors
    /// The file cannot be opened or locked.
    pub(crate) fn take(data: &Path) -> Result<Option<Self>> {
        let failed = |cause| Error::storage("lock its data folder", cause);
        let path = data.join("aura.lock");
        let file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_has_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let first = AppLock::take(folder.path()).unwrap();
        assert!(first.is_some());
        assert!(AppLock::take(folder.path()).unwrap().is_none());
        drop(first);
        assert!(AppLock::take(folder.path()).unwrap().is_some(), "the file stays, the lock does not");
    }
}
