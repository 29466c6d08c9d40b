//! Timers: what AURA says later. They are in a small file in the data folder, so that they survive the end of AURA.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::error::{Error, ErrorCode, Result};
use crate::files::replace_file;

/// The shortest and the longest timer, in seconds: a second and a year.
pub(crate) const SECONDS: std::ops::RangeInclusive<u32> = 1..=31_536_000;
/// Timers at the same time.
const MAX_TIMERS: usize = 100;
/// The longest label, in characters.
pub(crate) const MAX_LABEL: usize = 200;
/// The longest wait before the clock is looked at again: a computer that slept does not count the time.
const CLOCK_CHECK: Duration = Duration::from_secs(20);

/// A timer that has been set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Timer {
    /// Its number, by which it is cancelled.
    pub(crate) id: u32,
    /// What it is for; may be empty.
    #[serde(default)]
    pub(crate) label: String,
    /// When it is over.
    pub(crate) due: Timestamp,
    /// How long it takes, in seconds.
    pub(crate) seconds: u32,
    /// ISO 639-1 code of the language in which it was set.
    #[serde(default)]
    pub(crate) language: Option<String>,
}

impl Timer {
    /// The seconds until it is over; 0 when it is.
    pub(crate) fn seconds_left(&self, now: Timestamp) -> u64 {
        u64::try_from(self.due.duration_since(now).as_secs()).unwrap_or(0)
    }
}

/// The timers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Timers(Arc<Inner>);

struct Inner {
    file: PathBuf,
    list: Mutex<Vec<Timer>>,
    /// Held by a thread that writes the file, so that the last state is written last.
    writing: Mutex<()>,
    changed: watch::Sender<()>,
}

impl Timers {
    /// Reads the timers. Blocks on the disk. A file that cannot be read is moved aside, and its timers are lost.
    pub(crate) fn open(file: PathBuf) -> Self {
        let list = read(&file).unwrap_or_else(|cause| {
            tracing::warn!(%cause, "the timers could not be read");
            if let Err(cause) = std::fs::rename(&file, file.with_extension("broken.json")) {
                tracing::warn!(%cause, "the timers could not be moved aside");
            }
            Vec::new()
        });
        Self(Arc::new(Inner {
            file,
            list: Mutex::new(list),
            writing: Mutex::default(),
            changed: watch::Sender::default(),
        }))
    }

    /// The timers, the one that is over first in front.
    pub(crate) fn list(&self) -> Vec<Timer> {
        let mut list = self.0.list.lock().clone();
        list.sort_by_key(|timer| timer.due);
        list
    }

    /// The timer with this number.
    ///
    /// # Errors
    /// With [`ErrorCode::NotFound`] when there is none.
    pub(crate) fn get(&self, id: u32) -> Result<Timer> {
        self.0.list.lock().iter().find(|timer| timer.id == id).cloned().ok_or_else(|| {
            Error::new(ErrorCode::NotFound, format!("There is no timer {id}. List the timers to see their numbers."))
        })
    }

    /// Sets a timer from now on.
    ///
    /// # Errors
    /// When there are too many, or the file cannot be written; nothing is set then.
    pub(crate) async fn set(&self, seconds: u32, label: String, language: Option<String>) -> Result<Timer> {
        let due =
            Timestamp::now().saturating_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX);
        let timer = {
            let mut list = self.0.list.lock();
            if list.len() >= MAX_TIMERS {
                return Err(Error::invalid(format!("There are {MAX_TIMERS} timers already. Cancel some first.")));
            }
            // The least number that is free: easy to say.
            let id = (1..).find(|id| list.iter().all(|timer| timer.id != *id)).unwrap_or(u32::MAX);
            let timer = Timer { id, label, due, seconds, language };
            list.push(timer.clone());
            timer
        };
        self.save_or(|list| list.retain(|other| other.id != timer.id)).await?;
        Ok(timer)
    }

    /// Sets a timer again that was cancelled. One with its number is replaced.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) async fn restore(&self, timer: Timer) -> Result<()> {
        let id = timer.id;
        {
            let mut list = self.0.list.lock();
            list.retain(|other| other.id != id);
            list.push(timer);
        }
        self.save_or(|list| list.retain(|other| other.id != id)).await
    }

    /// Removes a timer.
    ///
    /// # Errors
    /// With [`ErrorCode::NotFound`] when there is none with this number, or when the file cannot be written; the timer stays then.
    pub(crate) async fn cancel(&self, id: u32) -> Result<Timer> {
        let timer = self.get(id)?;
        self.0.list.lock().retain(|other| other.id != id);
        let kept = timer.clone();
        self.save_or(|list| list.push(kept)).await?;
        Ok(timer)
    }

    /// Waits for the next timer that is over. It stays in the file until it is cancelled.
    pub(crate) async fn next_due(&self) -> Timer {
        let mut changed = self.0.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let next = self.list().into_iter().next();
            let now = Timestamp::now();
            match next {
                Some(timer) if timer.due <= now => return timer,
                Some(timer) => {
                    let left = Duration::try_from(timer.due.duration_since(now)).unwrap_or_default();
                    let _ = tokio::time::timeout(left.min(CLOCK_CHECK), changed.changed()).await;
                }
                None => {
                    let _ = changed.changed().await;
                }
            }
        }
    }

    /// Writes the file; takes the change back when that fails.
    async fn save_or(&self, take_back: impl FnOnce(&mut Vec<Timer>)) -> Result<()> {
        let inner = self.0.clone();
        let write = move || {
            let _writing = inner.writing.lock();
            let list = serde_json::to_vec(&*inner.list.lock())?;
            replace_file(&inner.file, &list)
        };
        let written = tokio::task::spawn_blocking(write).await.map_err(Error::internal)?;
        if let Err(cause) = written {
            take_back(&mut self.0.list.lock());
            return Err(Error::storage("save the timer", cause));
        }
        self.0.changed.send_replace(());
        Ok(())
    }
}

fn read(file: &Path) -> io::Result<Vec<Timer>> {
    match std::fs::read(file) {
        Ok(content) => serde_json::from_slice(&content).map_err(io::Error::other),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(cause) => Err(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn timers_survive_a_restart_and_the_first_one_is_due_first() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("timers.json");
        let timers = Timers::open(file.clone());
        let tea = timers.set(240, "tea".into(), Some("en".into())).await.unwrap();
        let eggs = timers.set(1, "eggs".into(), None).await.unwrap();
        assert_eq!((tea.id, eggs.id), (1, 2));
        timers.cancel(1).await.unwrap();
        assert_eq!(timers.cancel(1).await.unwrap_err().code, ErrorCode::NotFound);
        timers.restore(tea).await.unwrap();

        let again = Timers::open(file.clone());
        let labels: Vec<String> = again.list().into_iter().map(|timer| timer.label).collect();
        assert_eq!(labels, ["eggs", "tea"]);
        assert_eq!(again.next_due().await.label, "eggs");
        assert_eq!(again.list().len(), 2, "it stays until it was said");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }

        std::fs::write(&file, "not JSON").unwrap();
        assert_eq!(Timers::open(file.clone()).list(), []);
        assert!(!file.exists(), "a broken file is moved aside");
    }

    #[tokio::test]
    async fn a_timer_that_cannot_be_saved_is_not_set() {
        let folder = tempfile::tempdir().unwrap();
        let timers = Timers::open(folder.path().join("missing").join("timers.json"));
        assert_eq!(timers.set(60, String::new(), None).await.unwrap_err().code, ErrorCode::Storage);
        assert_eq!(timers.list(), []);
    }
}
