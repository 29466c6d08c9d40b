//! The slot for a summary: one is made at a time, and one that runs on this computer gives way to a turn.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// The slot. Cheap to clone; clones share it.
#[derive(Clone, Default)]
pub(crate) struct SummarySlot(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    is_taken: bool,
    /// Whether a turn has begun since.
    is_in_the_way: bool,
    /// Cancels a summary that is made on this computer.
    local: Option<CancellationToken>,
}

impl SummarySlot {
    /// Takes the slot until the permit is dropped; `None` while it is taken.
    pub(super) fn take(&self) -> Option<SummaryPermit> {
        let mut state = self.0.lock();
        if state.is_taken {
            return None;
        }
        *state = State { is_taken: true, ..State::default() };
        Some(SummaryPermit(self.clone()))
    }

    /// Stops a summary that is made on this computer: a turn needs its models. It is made after that turn.
    pub(super) fn give_way(&self) {
        let mut state = self.0.lock();
        state.is_in_the_way = true;
        if let Some(local) = state.local.take() {
            local.cancel();
        }
    }
}

/// Held while a summary is made.
pub(super) struct SummaryPermit(SummarySlot);

impl SummaryPermit {
    /// Says that the summary is made on this computer. Returns the token that a turn cancels.
    pub(super) fn local(&self) -> CancellationToken {
        let token = CancellationToken::new();
        let mut state = self.0.0.lock();
        if state.is_in_the_way {
            token.cancel();
        } else {
            state.local = Some(token.clone());
        }
        token
    }
}

impl Drop for SummaryPermit {
    fn drop(&mut self) {
        *self.0.0.lock() = State::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_summary_is_made_at_a_time_and_gives_way_to_a_turn() {
        let slot = SummarySlot::default();
        let permit = slot.take().unwrap();
        assert!(slot.take().is_none());
        let stop = permit.local();
        slot.give_way();
        assert!(stop.is_cancelled());
        assert!(permit.local().is_cancelled(), "the turn began a moment before");
        drop(permit);
        assert!(!slot.take().unwrap().local().is_cancelled());
    }
}
