//! The lock file of a data folder: every use of the database holds it shared; opening, repairing and replacing hold it alone.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// The longest wait for another process, which may be repairing a large history.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Another process did not release the lock in time.
#[derive(Debug)]
pub(super) struct Blocked;

/// The lock of a folder. It needs no file in a folder that cannot be written: nothing can be replaced there.
#[derive(Debug)]
pub(super) struct FolderLock {
    path: PathBuf,
    file: Option<Arc<File>>,
}

/// A held lock; dropping it releases the lock.
#[derive(Debug)]
pub(super) struct Guard(Option<Arc<File>>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            // Closing the file would release it too.
            let _ = file.unlock();
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    Shared,
    Exclusive,
}

impl Mode {
    fn try_lock(self, file: &File) -> Result<(), TryLockError> {
        match self {
            Self::Shared => file.try_lock_shared(),
            Self::Exclusive => file.try_lock(),
        }
    }

    fn lock(self, file: &File) -> std::io::Result<()> {
        match self {
            Self::Shared => file.lock_shared(),
            Self::Exclusive => file.lock(),
        }
    }
}

impl FolderLock {
    pub(super) fn new(folder: &Path) -> Self {
        Self { path: folder.join("history.lock"), file: None }
    }

    /// Holds the lock together with other users of the database.
    pub(super) fn shared(&mut self) -> Result<Guard, Blocked> {
        self.take(Mode::Shared)
    }

    /// Holds the lock alone. The caller must hold no other guard.
    pub(super) fn exclusive(&mut self) -> Result<Guard, Blocked> {
        self.take(Mode::Exclusive)
    }

    fn take(&mut self, mode: Mode) -> Result<Guard, Blocked> {
        if self.file.is_none() {
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create(true).truncate(false);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            self.file = options.open(&self.path).ok().map(Arc::new);
        }
        let Some(file) = &self.file else { return Ok(Guard(None)) };
        match mode.try_lock(file) {
            Ok(()) => Ok(Guard(Some(file.clone()))),
            // The file system has no locks.
            Err(TryLockError::Error(_)) => Ok(Guard(None)),
            Err(TryLockError::WouldBlock) => self.wait(mode, file.clone()),
        }
    }

    /// Waits on a thread of its own, because a blocking lock cannot be given up.
    fn wait(&mut self, mode: Mode, file: Arc<File>) -> Result<Guard, Blocked> {
        let (sender, receiver) = mpsc::channel();
        let waiting = file.clone();
        let thread = std::thread::Builder::new().name("aura-history-lock".into()).spawn(move || {
            let guard = match mode.lock(&waiting) {
                Ok(()) => Guard(Some(waiting)),
                Err(_) => Guard(None),
            };
            // Fails when the time was over; the guard is dropped then.
            let _ = sender.send(guard);
        });
        match thread.ok().and_then(|_| receiver.recv_timeout(TIMEOUT).ok()) {
            Some(guard) => Ok(guard),
            None => {
                // The thread may still get the lock; the next attempt must not share its file.
                self.file = None;
                Err(Blocked)
            }
        }
    }
}
