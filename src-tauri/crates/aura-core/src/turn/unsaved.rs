//! Turns that could not be saved: kept in memory and saved as soon as the history works again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::ports::History;
use crate::record::TurnRecord;

/// Turns that are kept. A further one replaces the oldest.
const MOST: usize = 256;
/// The first wait after a failure. Each further failure doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The turns to save. Cheap to clone; clones share the turns.
#[derive(Clone, Default)]
pub(crate) struct UnsavedTurns(Arc<Shared>);

#[derive(Default)]
struct Shared {
    turns: Mutex<VecDeque<TurnRecord>>,
    /// Notified when it is worth trying again at once.
    again: Notify,
    /// How many turns are left.
    left: watch::Sender<usize>,
}

impl UnsavedTurns {
    /// Keeps a turn until it is saved. A turn with the same ID is replaced.
    pub(crate) fn push(&self, turn: TurnRecord) {
        {
            let mut turns = self.0.turns.lock();
            turns.retain(|known| known.id != turn.id);
            if turns.len() >= MOST
                && let Some(lost) = turns.pop_front()
            {
                tracing::error!(turn = lost.id, "a turn is lost: too many could not be saved");
            }
            turns.push_back(turn);
            self.0.left.send_replace(turns.len());
        }
        self.0.again.notify_one();
    }

    /// The turn with this ID, if it is not saved yet.
    pub(crate) fn get(&self, id: &str) -> Option<TurnRecord> {
        self.0.turns.lock().iter().find(|turn| turn.id == id).cloned()
    }

    /// Tries again at once: the history works.
    pub(crate) fn try_again(&self) {
        if *self.0.left.borrow() > 0 {
            self.0.again.notify_one();
        }
    }

    /// Waits until every turn is saved.
    pub(crate) async fn saved(&self) {
        self.try_again();
        // The sender lives as long as `self`.
        let _ = self.0.left.subscribe().wait_for(|left| *left == 0).await;
    }

    /// Saves turns, for ever.
    pub(crate) async fn run(self, history: Arc<dyn History>) {
        let mut wait = FIRST_WAIT;
        loop {
            let first = self.0.turns.lock().front().cloned();
            let Some(turn) = first else {
                self.0.again.notified().await;
                continue;
            };
            match history.save(&turn).await {
                Ok(()) => {
                    let mut turns = self.0.turns.lock();
                    // A newer version of it may have been added meanwhile.
                    if turns.front() == Some(&turn) {
                        turns.pop_front();
                    }
                    self.0.left.send_replace(turns.len());
                    wait = FIRST_WAIT;
                }
                Err(error) => {
                    tracing::warn!(%error, "a turn is not saved yet");
                    let _ = timeout(wait, self.0.again.notified()).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }
}
