//! The open database: repaired when it is damaged, reopened when it was replaced, and kept in memory when the disk fails.

use std::path::Path;
use std::time::{Duration, Instant};

use aura_core::error::{Error, Result};
use aura_core::history_problem::{HistoryProblem, MemoryReason};
use rusqlite::Connection;
use tokio::sync::watch;

use super::check::{self, Health};
use super::files::{Files, identity};
use super::lock::{Blocked, FolderLock};
use super::schema::{self, ConnectError};
use super::{memory, salvage};

/// How often a history in memory tries the disk again, at most.
const RETRY: Duration = Duration::from_secs(1);

/// Where the turns are.
#[derive(Debug)]
enum Store {
    /// In the file with this identity.
    Disk(Option<(u64, u64)>),
    /// In memory, because the disk fails.
    Memory(MemoryReason, Instant),
}

/// The database of one data folder.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) files: Files,
    lock: FolderLock,
    db: Connection,
    store: Store,
    problem: watch::Sender<Option<HistoryProblem>>,
    /// Whether deleted words may still be in the log.
    pub(super) log_is_due: bool,
}

impl Database {
    /// Opens the database of a folder. It is repaired when it is damaged, and kept in memory when it cannot be used;
    /// [`Database::problem`] tells.
    ///
    /// # Errors
    /// When not even a database in memory can be made.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let db = schema::in_memory().map_err(|cause| Error::storage("open the history", cause))?;
        let mut database = Self {
            files: Files::new(folder),
            lock: FolderLock::new(folder),
            db,
            store: Store::Memory(MemoryReason::Unreadable, Instant::now()),
            problem: watch::Sender::new(None),
            log_is_due: false,
        };
        if let Err(reason) = database.open_disk() {
            database.use_memory(reason)?;
        }
        Ok(database)
    }

    /// What the user must know.
    pub(super) fn problem(&self) -> watch::Receiver<Option<HistoryProblem>> {
        self.problem.subscribe()
    }

    /// Whether turns are saved on the disk.
    pub(super) fn is_on_disk(&self) -> bool {
        matches!(self.store, Store::Disk(_))
    }

    /// Runs a query. When the database turns out to be damaged, it is repaired and the query runs again. `action` completes the
    /// sentence "AURA could not {action}."
    pub(super) fn run<T>(&mut self, action: &str, query: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let cause = match self.once(&query)? {
            Ok(done) => return Ok(done),
            Err(cause) => cause,
        };
        if check::environment(&cause).is_none() && self.is_on_disk() && self.repair(Some(&cause))? {
            return self.once(&query)?.map_err(|cause| Error::storage(action, cause));
        }
        Err(Error::storage(action, cause))
    }

    /// Runs a query that writes, and reports whether it could.
    pub(super) fn write<T>(&mut self, action: &str, query: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let done = self.run(action, query);
        if self.is_on_disk() {
            match &done {
                Err(_) => self.tell(Some(HistoryProblem::NotSaved)),
                Ok(_) if *self.problem.borrow() == Some(HistoryProblem::NotSaved) => {
                    self.tell(salvage::reported(&self.db))
                }
                Ok(_) => {}
            }
        }
        done
    }

    /// Runs a query on the database that the folder holds now.
    fn once<T>(&mut self, query: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<rusqlite::Result<T>> {
        if let Store::Memory(reason, since) = self.store
            && reason != MemoryReason::NewerVersion
            && since.elapsed() >= RETRY
        {
            self.return_to_disk(reason);
        }
        loop {
            // Nobody replaces the file while the query runs.
            let guard = self.lock.shared().map_err(blocked)?;
            match self.store {
                Store::Disk(known) if !salvage::is_same(&self.files.database(), known) => {}
                _ => {
                    let done = query(&self.db);
                    drop(guard);
                    return Ok(done);
                }
            }
            drop(guard);
            if let Err(reason) = self.open_disk() {
                self.use_memory(reason)?;
            }
        }
    }

    /// Opens the file under the lock, repairs it when that fails because of damage, and reports a repair of the last days.
    fn open_disk(&mut self) -> Result<(), MemoryReason> {
        let _guard = self.lock.exclusive().map_err(|Blocked| MemoryReason::Busy)?;
        self.open_locked()
    }

    fn open_locked(&mut self) -> Result<(), MemoryReason> {
        self.close_file().map_err(|_| MemoryReason::Unreadable)?;
        self.files.remove_unfinished();
        let reason = |reason| self.files.write_problem().map_or(reason, from_kind);
        salvage::finish(&self.files).map_err(|_| reason(MemoryReason::Damaged))?;
        let path = self.files.database();
        let db = match schema::connect(&path) {
            Ok(db) => db,
            Err(ConnectError::Newer) => return Err(MemoryReason::NewerVersion),
            Err(ConnectError::Sqlite(cause)) => {
                tracing::warn!(%cause, file = %path.display(), "the history cannot be opened");
                match check::environment(&cause) {
                    Some(MemoryReason::Unreadable) => return Err(reason(MemoryReason::Unreadable)),
                    Some(other) => return Err(other),
                    None => salvage::replace(&self.files).map_err(|_| reason(MemoryReason::Damaged))?,
                };
                schema::connect(&path).map_err(|_| reason(MemoryReason::Unreadable))?
            }
        };
        self.db = db;
        self.store = Store::Disk(identity(&path));
        self.tell(salvage::reported(&self.db));
        Ok(())
    }

    /// Closes the file, so that it can be moved.
    fn close_file(&mut self) -> Result<()> {
        let memory = schema::in_memory().map_err(|cause| Error::storage("open the history", cause))?;
        self.db = memory;
        Ok(())
    }

    /// Repairs the database if it is damaged. `cause` is the error that made this necessary; without one, the background check found
    /// something. Returns whether the database is another one than before.
    pub(super) fn repair(&mut self, cause: Option<&rusqlite::Error>) -> Result<bool> {
        let Store::Disk(known) = self.store else { return Ok(false) };
        let guard = self.lock.exclusive().map_err(blocked)?;
        let repaired = if salvage::is_same(&self.files.database(), known) {
            self.repair_locked(cause)
        } else {
            // Another process has repaired it.
            self.open_locked().map(|()| true)
        };
        drop(guard);
        repaired.or_else(|reason| self.use_memory(reason).map(|()| true))
    }

    fn repair_locked(&mut self, cause: Option<&rusqlite::Error>) -> Result<bool, MemoryReason> {
        let reason = |cause: rusqlite::Error| check::environment(&cause).unwrap_or(MemoryReason::Damaged);
        let index_failed = cause
            .and_then(rusqlite::Error::sqlite_error)
            .is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_CORRUPT_VTAB);
        let mut health = check::examine(&self.db).map_err(reason)?;
        if health == Health::Whole && (index_failed || cause.is_none()) {
            health = Health::IndexDamaged;
        }
        if health == Health::IndexDamaged {
            let rebuilt = self.db.execute_batch(schema::REBUILD_INDEX);
            if rebuilt.is_ok() && check::examine(&self.db).map_err(reason)? == Health::Whole {
                tracing::error!("the search index of the history was damaged; it was rebuilt");
                let problem = HistoryProblem::IndexRebuilt;
                salvage::report(&self.db, &problem).map_err(reason)?;
                self.tell(Some(problem));
                return Ok(true);
            }
            health = Health::Damaged;
        }
        if health == Health::Whole {
            return Ok(false);
        }
        self.close_file().map_err(|_| MemoryReason::Damaged)?;
        let write_problem = self.files.write_problem();
        salvage::replace(&self.files).map_err(|_| write_problem.map_or(MemoryReason::Damaged, from_kind))?;
        self.open_locked().map(|()| true)
    }

    /// Keeps new turns in memory, beside the newest ones of the file as far as they can be read.
    fn use_memory(&mut self, reason: MemoryReason) -> Result<()> {
        self.db = memory::open(&self.files).map_err(|cause| Error::storage("open the history", cause))?;
        self.store = Store::Memory(reason, Instant::now());
        self.tell(Some(HistoryProblem::InMemory { reason }));
        Ok(())
    }

    /// Tries the disk again and, if it works, saves what was kept in memory.
    fn return_to_disk(&mut self, reason: MemoryReason) {
        self.store = Store::Memory(reason, Instant::now());
        let Ok(memory) = schema::in_memory() else { return };
        let memory = std::mem::replace(&mut self.db, memory);
        let saved = self.open_disk().is_ok() && memory::save_to(&memory, &mut self.db).is_ok();
        if !saved {
            self.db = memory;
            self.store = Store::Memory(reason, Instant::now());
            self.tell(Some(HistoryProblem::InMemory { reason }));
        }
    }

    /// Empties the log, so that no deleted words remain in it. Tried again later when another process reads.
    pub(super) fn empty_log(&mut self) {
        if !self.is_on_disk() {
            return;
        }
        let emptied = self.db.query_one("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        self.log_is_due = !matches!(emptied, Ok(0));
    }

    /// Closes the file. A later query opens it again.
    pub(super) fn close(&mut self) -> Result<()> {
        self.empty_log();
        if self.is_on_disk() {
            self.close_file()?;
            self.store = Store::Disk(None);
        }
        Ok(())
    }

    fn tell(&self, problem: Option<HistoryProblem>) {
        self.problem.send_if_modified(|known| {
            let is_new = *known != problem;
            *known = problem;
            is_new
        });
    }
}

fn blocked(_: Blocked) -> Error {
    Error::storage("use the history", "another AURA process does not release its lock")
}

fn from_kind(kind: std::io::ErrorKind) -> MemoryReason {
    match kind {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => MemoryReason::DiskFull,
        std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => MemoryReason::ReadOnly,
        _ => MemoryReason::Unreadable,
    }
}
