//! The files of the history: their names, and how a damaged database is set aside without overwriting anything.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The damaged databases that were set aside begin with this.
const BROKEN: &str = "history.broken-";
/// The backups begin with this.
const BACKUP: &str = "history.backup-";
/// Backups that are kept.
const BACKUPS: usize = 3;
/// The age of an unfinished file that no living process is writing.
const UNFINISHED_AGE: Duration = Duration::from_secs(3_600);

/// The paths in one data folder.
#[derive(Debug, Clone)]
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database in use.
    pub(super) fn database(&self) -> PathBuf {
        self.folder.join("history.db")
    }

    /// A repaired database that is complete, and takes the place of the damaged one as soon as that is set aside.
    pub(super) fn repaired(&self) -> PathBuf {
        self.folder.join("history.repaired.db")
    }

    /// A database that is being written; worthless unless its writer completes it.
    pub(super) fn unfinished(&self, purpose: &str) -> PathBuf {
        self.folder.join(format!("history.{purpose}-{}.tmp", unique()))
    }

    /// A name for the damaged database. Continues a move that was interrupted after the log.
    pub(super) fn broken(&self) -> PathBuf {
        let interrupted = self.named(BROKEN, ".db-wal").into_iter().find_map(|log| {
            let database = log.with_extension("db");
            (!database.exists()).then_some(database)
        });
        interrupted.unwrap_or_else(|| self.folder.join(format!("{BROKEN}{}.db", unique())))
    }

    /// A name for a new backup. Names sort by time.
    pub(super) fn backup(&self) -> PathBuf {
        self.folder.join(format!("{BACKUP}{}.db", unique()))
    }

    /// The backups, newest first.
    pub(super) fn backups(&self) -> Vec<PathBuf> {
        let mut backups = self.named(BACKUP, ".db");
        backups.reverse();
        backups
    }

    /// The names of the folder that begin and end so, sorted.
    fn named(&self, start: &str, end: &str) -> Vec<PathBuf> {
        let names = std::fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok);
        let fits = |name: &str| name.starts_with(start) && name.ends_with(end);
        let mut found: Vec<PathBuf> =
            names.filter(|entry| entry.file_name().to_str().is_some_and(fits)).map(|entry| entry.path()).collect();
        found.sort();
        found
    }

    /// Moves the damaged database and its log to `broken`, the log first: a log without its database does no harm, a new database
    /// with a foreign log does.
    pub(super) fn set_aside(&self, broken: &Path) -> io::Result<()> {
        let database = self.database();
        move_to_new(&beside(&database, "-wal"), &beside(broken, "-wal"))?;
        // Only an index of the log; it is made anew.
        let _ = move_to_new(&beside(&database, "-shm"), &beside(broken, "-shm"));
        move_to_new(&database, broken)?;
        self.sync();
        Ok(())
    }

    /// Makes renames permanent.
    pub(super) fn sync(&self) {
        #[cfg(unix)]
        if let Err(cause) = std::fs::File::open(&self.folder).and_then(|folder| folder.sync_all()) {
            tracing::warn!(%cause, "the folder of the history could not be synced");
        }
    }

    /// Removes all but the newest backups.
    pub(super) fn prune_backups(&self) {
        self.backups().iter().skip(BACKUPS).for_each(|backup| remove_database(backup));
    }

    /// Removes every copy that may hold turns that began at or after `oldest`: backups, also unfinished ones, and damaged databases
    /// that were set aside later.
    pub(super) fn remove_copies(&self, oldest: SystemTime) {
        let changed = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
        let mut copies = [self.named(BACKUP, ".db"), self.named("history.", ".tmp")].concat();
        let logs = self.named(BROKEN, ".db-wal").into_iter().map(|log| log.with_extension("db"));
        let broken = self.named(BROKEN, ".db").into_iter().chain(logs);
        copies.extend(broken.filter(|broken| changed(broken).is_none_or(|changed| changed >= oldest)));
        copies.iter().for_each(|copy| remove_database(copy));
        self.sync();
    }

    /// Removes files whose writer ended long ago. The caller holds the lock of the folder alone.
    pub(super) fn remove_unfinished(&self) {
        let is_old = |path: &PathBuf| {
            let changed = std::fs::metadata(path).and_then(|file| file.modified());
            changed.is_ok_and(|time| time.elapsed().is_ok_and(|age| age >= UNFINISHED_AGE))
        };
        self.named("history.", ".tmp").iter().filter(|path| is_old(path)).for_each(|file| remove_database(file));
    }

    /// Why nothing can be written to the folder; `None` when something can.
    pub(super) fn write_problem(&self) -> Option<ErrorKind> {
        let probe = self.unfinished("probe");
        let written = std::fs::write(&probe, [0; 4_096]);
        let _ = std::fs::remove_file(&probe);
        written.err().map(|cause| cause.kind())
    }
}

/// A part of a name that no other process and no other moment has.
fn unique() -> String {
    let now = jiff::Zoned::now();
    format!("{}.{:09}-{}", now.strftime("%Y%m%d-%H%M%S"), now.subsec_nanosecond(), std::process::id())
}

/// The log or the log's index of a database.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes a database that nobody uses, with its log.
pub(super) fn remove_database(database: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let path = beside(database, suffix);
        match std::fs::remove_file(&path) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => {
                tracing::warn!(%cause, file = %path.display(), "a copy of the history could not be removed");
            }
            _ => {}
        }
    }
}

/// Renames a file unless the new name is taken. Succeeds when there is no such file.
pub(super) fn move_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::hard_link(from, to) {
        Ok(()) => std::fs::remove_file(from),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Err(cause),
        // A file system without hard links. Only holders of the folder's lock make these names.
        Err(_) if !to.exists() => std::fs::rename(from, to),
        Err(cause) => Err(cause),
    }
}

/// What tells a file from another one that has its name later.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Some((metadata.dev(), metadata.ino()))
    }
    // An open file cannot be replaced there.
    #[cfg(not(unix))]
    {
        let _ = metadata;
        Some((0, 0))
    }
}
