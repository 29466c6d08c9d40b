//! Who runs a turn: each process has a lock file, so that the turns of a process that has ended are told from those of a living one.
//!
//! The operating system frees a lock when its process ends, however it ends. The names are never used again.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// This process, as the owner of its turns. Dropping it removes the lock file.
pub(crate) struct Owner {
    name: String,
    folder: PathBuf,
    /// Holds the lock; `None` when the lock file could not be created.
    lock: Option<File>,
}

impl Owner {
    /// Creates and locks a file in a folder. Without one, another process may take this one's turns for lost until they end.
    pub(crate) fn register(folder: &Path) -> Self {
        let name = uuid::Uuid::now_v7().to_string();
        let lock = lock(folder, &name)
            .inspect_err(|cause| tracing::warn!(%cause, folder = %folder.display(), "no lock file for the turns of this process"))
            .ok();
        Self { name, folder: folder.to_owned(), lock }
    }

    /// The name of the lock file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the process with this name still runs.
    pub(crate) fn is_alive(&self, name: &str) -> bool {
        // A name is no path. One that AURA did not make never had a lock.
        uuid::Uuid::parse_str(name).is_ok() && (name == self.name || is_locked(&self.folder.join(name)))
    }

    /// Removes the lock files of processes that have ended.
    pub(crate) fn sweep(&self) {
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|name| !self.is_alive(name)) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.lock.take().is_some() {
            let _ = std::fs::remove_file(self.folder.join(&self.name));
        }
    }
}

/// Creates a file and locks it.
fn lock(folder: &Path, name: &str) -> io::Result<File> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(name);
    // Another process may sweep the file away before it is locked. Once it is locked, none does.
    for _ in 0..100 {
        let file = File::create(&path)?;
        file.lock()?;
        if path.try_exists()? {
            return Ok(file);
        }
    }
    Err(io::Error::other("the lock file is removed again and again"))
}

fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_alive_as_long_as_it_holds_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (Owner::register(folder.path()), Owner::register(folder.path()));
        let name = other.name().to_owned();
        assert!(one.is_alive(one.name()) && one.is_alive(&name) && other.is_alive(one.name()));
        one.sweep();
        assert!(one.is_alive(&name));
        drop(other);
        assert!(!one.is_alive(&name));
        // A killed process leaves its file behind.
        let killed = folder.path().join(uuid::Uuid::now_v7().to_string());
        File::create(&killed).unwrap();
        assert!(!one.is_alive(killed.file_name().unwrap().to_str().unwrap()));
        one.sweep();
        assert!(!killed.exists() && one.is_alive(one.name()));
        assert!(!one.is_alive("../history.db"));
    }
}
