//! The background check: is the database whole, and is there a backup of today?

use std::path::Path;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use rusqlite::{Connection, InterruptHandle};

use super::check::{self, Health};
use super::files::{Files, identity, remove_database};
use super::lock::FolderLock;
use super::schema;

/// The age of the newest backup at which a new one is made.
const BACKUP_AGE: Duration = Duration::from_secs(24 * 3_600);

/// Interrupts the check.
#[derive(Default)]
pub(super) struct Interrupt(Mutex<State>);

#[derive(Default)]
struct State {
    /// Whether no further check may start.
    is_stopped: bool,
    running: Option<InterruptHandle>,
}

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interrupt").finish_non_exhaustive()
    }
}

impl Interrupt {
    /// Interrupts the running check, so that it no longer reads the log.
    pub(super) fn now(&self) {
        if let Some(running) = &self.0.lock().running {
            running.interrupt();
        }
    }

    /// Interrupts the running check, and lets no further one start.
    pub(super) fn for_good(&self) {
        self.0.lock().is_stopped = true;
        self.now();
    }

    /// Lets this connection be interrupted. Returns `false` when no further check may start.
    fn watch(&self, db: &Connection) -> bool {
        let mut state = self.0.lock();
        state.running = Some(db.get_interrupt_handle());
        !state.is_stopped
    }

    fn is_stopped(&self) -> bool {
        self.0.lock().is_stopped
    }
}

/// Checks the database in use and, once a day or when `renew` is set, makes a backup and checks that. Returns what must be repaired;
/// `None` when the check was interrupted and is to be repeated.
pub(super) fn inspect(files: &Files, renew: bool, interrupt: &Interrupt) -> Option<Health> {
    let health = (|| {
        let db = schema::connect_to_read(&files.database())?;
        if !interrupt.watch(&db) {
            return Ok(Health::Whole);
        }
        match check::examine(&db)? {
            Health::Whole if renew || is_due(files) => back_up(&db, files, interrupt),
            checked => Ok(checked),
        }
    })();
    health.map_or_else(
        |cause: rusqlite::Error| {
            if cause.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) && !interrupt.is_stopped() {
                return None;
            }
            tracing::warn!(%cause, "the history could not be checked");
            Some(Health::Whole)
        },
        Some,
    )
}

fn is_due(files: &Files) -> bool {
    let changed = |path: &Path| std::fs::metadata(path).ok()?.modified().ok();
    let newest = files.backups().first().and_then(|backup| changed(backup));
    // A time in the future is a clock that was wrong.
    newest.is_none_or(|time| SystemTime::now().duration_since(time).map_or(true, |age| age >= BACKUP_AGE))
}

/// Makes a backup, which also reads every row. Only a backup that passes its check is kept.
fn back_up(db: &Connection, files: &Files, interrupt: &Interrupt) -> rusqlite::Result<Health> {
    let unfinished = files.unfinished("backup");
    // Made before the backup's view of the database: a deletion from now on removes it, and is noticed below.
    schema::create_private(&unfinished);
    let created = identity(&unfinished);
    let health = copy_and_check(db, &unfinished, interrupt);
    if matches!(health, Ok(Health::Whole)) && created.is_some() {
        keep(files, &unfinished, created);
    }
    remove_database(&unfinished);
    health
}

fn copy_and_check(db: &Connection, unfinished: &Path, interrupt: &Interrupt) -> rusqlite::Result<Health> {
    db.pragma_update(None, "query_only", false)?;
    let copied = db.execute("VACUUM INTO ?1", [unfinished.to_string_lossy()]);
    if let Err(cause) = copied {
        return if check::environment(&cause).is_none() { Ok(Health::Damaged) } else { Err(cause) };
    }
    let copy = Connection::open(unfinished)?;
    copy.pragma_update(None, "secure_delete", true)?;
    interrupt.watch(&copy);
    match check::examine(&copy)? {
        // The turns of the database are whole: the copy went wrong.
        Health::Damaged => {
            Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR), None))
        }
        Health::IndexDamaged => Ok(Health::IndexDamaged),
        Health::Whole if check::is_index_right(&copy)? => Ok(Health::Whole),
        Health::Whole => Ok(Health::IndexDamaged),
    }
}

/// Gives the backup its name, unless turns were deleted since it was begun.
fn keep(files: &Files, unfinished: &Path, created: Option<(u64, u64)>) {
    let synced = std::fs::File::open(unfinished).and_then(|file| file.sync_all());
    let Ok(_guard) = FolderLock::new(files.folder()).exclusive() else { return };
    if identity(unfinished) != created {
        tracing::debug!("turns were deleted during the backup; it is dropped");
        return;
    }
    match synced.and_then(|()| super::files::move_to_new(unfinished, &files.backup())) {
        Ok(()) => files.prune_backups(),
        Err(cause) => tracing::warn!(%cause, "the backup of the history could not be kept"),
    }
}
