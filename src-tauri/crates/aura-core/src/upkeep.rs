//! What becomes of turns and recordings with time: recordings are compressed, and what is older or larger than the settings allow is deleted.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::blocking::blocking;
use crate::config::{HistorySettings, SettingsStore};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::ports::{History, Ledger, Selection};
use crate::record::RecordingsDeleted;
use crate::recordings::{self, Recording};

/// How often recordings are compressed. What is too old is looked for once a day, and whenever the settings for it change.
const INTERVAL: Duration = Duration::from_secs(600);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A recording that was not written to for this long belongs to a turn that is over. A program that was given its path has this long to
/// read it.
const QUIET: Duration = Duration::from_secs(600);
/// Days for which attempts are kept: a year's usage, and a month to compare it with.
const ATTEMPT_DAYS: u32 = 400;
const BYTES_PER_GIGABYTE: u64 = 1_000_000_000;

/// Compresses and deletes in the background.
pub(crate) struct Upkeep {
    pub(crate) history: Arc<dyn History>,
    pub(crate) ledger: Arc<dyn Ledger>,
    /// The folder of the recordings.
    pub(crate) recordings: PathBuf,
}

impl Upkeep {
    /// Runs until the assistant ends.
    pub(crate) async fn run(self, store: Arc<SettingsStore>, mut events: Receiver<Event>) {
        let mut applied: Option<(HistorySettings, Timestamp)> = None;
        loop {
            let (settings, now) = (store.get().settings.history.clone(), Timestamp::now());
            // By the clock of the wall: a computer that sleeps every night must not need two days for one.
            if applied.as_ref().is_none_or(|(known, at)| *known != settings || now.duration_since(*at) >= DAY) {
                self.retain(&settings, now).await;
                applied = Some((settings.clone(), now));
            }
            if let Err(error) = self.compress().await {
                tracing::warn!(%error, "recordings could not be compressed");
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                goes_on = changed(&mut events, &settings) => if !goes_on { return },
            }
        }
    }

    /// Deletes what the settings no longer allow.
    async fn retain(&self, settings: &HistorySettings, now: Timestamp) {
        // One failure must not keep the rest.
        for (what, done) in [
            ("turns", self.delete_old_turns(settings, now).await),
            ("recordings", self.delete_old_recordings(settings, now).await),
            ("recordings", self.delete_excess_recordings(settings).await),
            ("attempts", self.forget_old_attempts(now).await),
        ] {
            if let Err(error) = done {
                tracing::warn!(%error, "old {what} could not be deleted");
            }
        }
    }

    async fn list(&self) -> Result<Vec<Recording>> {
        let folder = self.recordings.clone();
        let listed = blocking(move || recordings::list(&folder)).await?;
        listed.map_err(|cause| Error::storage("list the recordings", cause))
    }

    async fn delete_old_turns(&self, settings: &HistorySettings, now: Timestamp) -> Result<()> {
        let Some(limit) = days_before(now, settings.keep_turns_days) else { return Ok(()) };
        // The rows first: a file that is left after a crash is found by its age the next time.
        self.history.delete(&Selection::Before(limit)).await?;
        for recording in self.list().await?.iter().take_while(|recording| recording.began < limit) {
            remove(recording).await?;
        }
        Ok(())
    }

    async fn delete_old_recordings(&self, settings: &HistorySettings, now: Timestamp) -> Result<()> {
        let Some(limit) = days_before(now, settings.keep_recordings_days) else { return Ok(()) };
        let reason = RecordingsDeleted::Age { days: settings.keep_recordings_days };
        for recording in self.list().await?.iter().take_while(|recording| recording.began < limit) {
            self.delete(recording, reason).await?;
        }
        Ok(())
    }

    async fn delete_excess_recordings(&self, settings: &HistorySettings) -> Result<()> {
        if settings.max_gigabytes == 0 {
            return Ok(());
        }
        let reason = RecordingsDeleted::Space { gigabytes: settings.max_gigabytes };
        let limit = u64::from(settings.max_gigabytes) * BYTES_PER_GIGABYTE;
        let recordings = self.list().await?;
        let mut bytes: u64 = recordings.iter().map(|recording| recording.bytes).sum();
        for recording in &recordings {
            if bytes <= limit {
                break;
            }
            self.delete(recording, reason).await?;
            bytes -= recording.bytes;
        }
        Ok(())
    }

    async fn forget_old_attempts(&self, now: Timestamp) -> Result<()> {
        let Some(limit) = days_before(now, ATTEMPT_DAYS) else { return Ok(()) };
        let day = limit.to_zoned(jiff::tz::TimeZone::system()).date();
        self.ledger.prune(day).await.map(drop).map_err(|cause| Error::storage("delete old attempts", cause))
    }

    /// Deletes a recording. Its record says why; a crash in between leaves the file, which is found by its age the next time.
    async fn delete(&self, recording: &Recording, reason: RecordingsDeleted) -> Result<()> {
        let path = recording.path.clone();
        let change = move |record: &mut crate::record::TurnRecord| {
            for audio in [&mut record.question_audio, &mut record.answer_audio] {
                if audio.as_deref().is_some_and(|audio| recordings::is_same(audio, &path)) {
                    *audio = None;
                    record.recordings_deleted = Some(reason);
                }
            }
        };
        self.history.edit(&recording.turn, Box::new(change)).await?;
        remove(recording).await
    }

    /// Compresses the recordings of turns that are over.
    async fn compress(&self) -> Result<()> {
        for recording in self.list().await? {
            let is_quiet = recording.written.elapsed().is_ok_and(|time| time >= QUIET);
            if is_quiet && recording.path.extension().is_some_and(|extension| extension == "wav") {
                self.compress_one(recording).await?;
            }
        }
        Ok(())
    }

    async fn compress_one(&self, recording: Recording) -> Result<()> {
        // A recording without a record is left as it was found, for the recovery of lost turns.
        if self.history.get(&recording.turn).await?.is_none() {
            return Ok(());
        }
        let wav = recording.path.clone();
        let Some(compressed) = blocking(move || recordings::compress(&wav)).await?? else { return Ok(()) };
        let (wav, flac) = (recording.path.clone(), compressed.clone());
        let change = move |record: &mut crate::record::TurnRecord| {
            for audio in [&mut record.question_audio, &mut record.answer_audio] {
                if audio.as_deref() == Some(&*wav) {
                    *audio = Some(flac.clone());
                }
            }
        };
        if self.history.edit(&recording.turn, Box::new(change)).await? {
            remove(&recording).await
        } else {
            // The turn was deleted meanwhile.
            remove(&Recording { path: compressed, ..recording }).await
        }
    }
}

/// Deletes a file; succeeds when another process was first.
async fn remove(recording: &Recording) -> Result<()> {
    match tokio::fs::remove_file(&recording.path).await {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(Error::storage("delete a recording", cause)),
        _ => Ok(()),
    }
}

/// The time so many days before now; `None` for 0 days, which mean for ever.
fn days_before(now: Timestamp, days: u32) -> Option<Timestamp> {
    (days > 0).then(|| now.checked_sub(DAY.checked_mul(i32::try_from(days).ok()?)?).ok()).flatten()
}

/// Waits until the settings for the history differ from these. False when the assistant has ended.
async fn changed(events: &mut Receiver<Event>, applied: &HistorySettings) -> bool {
    loop {
        match events.recv().await {
            Ok(Event::Changed { snapshot }) if snapshot.settings.history != *applied => return true,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return true,
            Err(RecvError::Closed) => return false,
        }
    }
}
