//! How a turn gets into the history: at its first moment, after each step, and at its end.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::turn::Turn;
use crate::error::{Error, ErrorCode, Result};
use crate::record::{Notice, NoticeFacts, NoticeKind, TurnRecord};

/// The longest time for which a turn waits until it is in the history. A busy disk must not keep the user waiting.
const LONGEST_BEGIN: Duration = Duration::from_millis(250);
/// The wait after a record could not be saved during the turn. Its end is saved all the same.
const WAIT_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// The longest wait for the recordings of a turn that was stopped. Their threads need only the disk.
const LONGEST_WRITE: Duration = Duration::from_secs(3);

impl Turn {
    /// Saves the record at once and after each change, for ever. What changes during a save is saved together.
    pub(super) async fn keep_saved(&self) -> Infallible {
        loop {
            let wanted = self.save_wanted.load(Ordering::Acquire);
            let saved = self.context.ports.history.save(&self.unfinished()).await;
            self.begun.cancel();
            self.last_save.send_replace((wanted, saved.is_ok()));
            if let Err(error) = saved {
                tracing::debug!(%error, "the turn under way is not saved");
                sleep(WAIT_AFTER_FAILURE).await;
            }
            self.changed.notified().await;
        }
    }

    /// Saves the record as it is now, and waits until that is done: before something is changed outside AURA.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub(super) async fn saved(&self) -> Result<()> {
        let wanted = self.save_wanted.fetch_add(1, Ordering::AcqRel) + 1;
        self.changed.notify_one();
        let mut last_save = self.last_save.subscribe();
        let is_saved = last_save.wait_for(|(saved, _)| *saved >= wanted).await.is_ok_and(|last| last.1);
        match is_saved {
            true => Ok(()),
            false => Err(Error::new(
                ErrorCode::Storage,
                "The history cannot be written, so nothing was done. Check that the disk is not full, then ask again.",
            )),
        }
    }

    /// Waits until the turn is in the history, or cannot be now.
    pub(super) async fn begun(&self) {
        let _ = timeout(LONGEST_BEGIN, self.begun.cancelled()).await;
    }

    /// Waits until the recordings are on the disk.
    pub(super) async fn files_written(&self) {
        self.files.close();
        if timeout(LONGEST_WRITE, self.files.wait()).await.is_err() {
            tracing::warn!(turn = self.id, "a recording is still being written at the end of its turn");
        }
    }

    /// Tells the user when this turn made today's costs reach the limit.
    pub(super) fn check_budget(&self) {
        let budget = &self.config.settings.budget;
        let limit = budget.daily_usd;
        if limit <= 0.0 {
            return;
        }
        let today = self.context.router.today().usd;
        let stages = self.unfinished().stages;
        let spent: f64 = stages.iter().flat_map(|stage| &stage.attempts).filter_map(|attempt| attempt.cost.usd).sum();
        if today < limit || today - spent >= limit {
            return;
        }
        let end = match budget.stop {
            true => "Until tomorrow, only providers on this computer are used.",
            false => "Questions are still answered.",
        };
        let facts = NoticeFacts { limit_cents: Some((limit * 100.0).round() as u32), ..NoticeFacts::default() };
        let message = format!("Today's costs reached your limit of ${limit:.2}. {end}");
        self.notify(Notice::new(NoticeKind::DailyLimit, message).with(facts));
    }

    /// Saves the ended turn. One that cannot be saved gets a notice, and is saved later.
    pub(super) async fn save(&self, record: TurnRecord) -> TurnRecord {
        match self.context.ports.history.save(&record).await {
            Ok(()) => {
                self.context.unsaved.try_again();
                record
            }
            Err(error) => {
                self.notify_error(NoticeKind::NotSaved, &not_saved(&error));
                self.context.unsaved.push(record.clone());
                let notice = Notice::of_error(NoticeKind::NotSaved, &not_saved(&error));
                TurnRecord { notices: [record.notices.clone(), vec![notice]].concat(), ..record }
            }
        }
    }

    /// Removes the turn from the history, and its recording if that was complete before the turn was discarded.
    pub(super) async fn forget(&self) {
        if let Some(path) = self.recording_path("question") {
            // Usually it was deleted when it was complete.
            let _ = tokio::fs::remove_file(path).await;
        }
        if let Err(error) = self.context.ports.history.discard(&self.id).await {
            tracing::warn!(%error, "a turn that was not intended is still in the history");
        }
    }

    /// Why the turn was stopped.
    pub(super) fn stop_reason(&self) -> Error {
        if !self.context.closing.is_cancelled() {
            return Error::cancelled();
        }
        let record = self.unfinished();
        Error::unfinished(!record.transcript.is_empty() || record.question_audio.is_some())
    }

    /// Saves the turn as a stopped one if this is dropped before the turn ends: its caller left.
    pub(super) fn save_when_dropped(&self) -> SaveWhenDropped<'_> {
        SaveWhenDropped { turn: self, ended: None, armed: true }
    }
}

/// See [`Turn::save_when_dropped`].
pub(super) struct SaveWhenDropped<'a> {
    turn: &'a Turn,
    /// The record, once the turn has ended.
    ended: Option<TurnRecord>,
    armed: bool,
}

impl SaveWhenDropped<'_> {
    /// The turn has ended with this record, which is to be saved.
    pub(super) fn ended(&mut self, record: &TurnRecord) {
        self.ended = Some(record.clone());
    }

    /// There is nothing left to save.
    pub(super) fn disarm(&mut self) {
        self.armed = false;
    }
}

impl Drop for SaveWhenDropped<'_> {
    fn drop(&mut self) {
        if self.armed {
            let record = self.ended.take().unwrap_or_else(|| self.turn.close(Err(self.turn.stop_reason())));
            self.turn.context.unsaved.push(record);
        }
    }
}

fn not_saved(cause: &Error) -> Error {
    let message =
        "This turn is not in the history yet. Check that the disk is not full; AURA tries again until you quit it.";
    Error { message: message.into(), ..cause.clone() }
}
