//! The place where a recording waits for a pump that runs.

use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use aura_core::error::Result;
use aura_core::ports::Replacement;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A recording that is to be made.
pub(super) struct RecordingRequest {
    /// Where the samples go, and one error when the device is lost.
    pub(super) blocks: mpsc::Sender<Result<Vec<i16>>>,
    /// Cancelled to end the recording.
    pub(super) stop: CancellationToken,
}

/// What the pump of an open microphone does.
enum State {
    /// It records, or will as soon as the microphone is open.
    Busy(Option<RecordingRequest>),
    /// It waits for the next recording.
    Idle,
    /// The microphone is closed, or will be at once.
    Closed,
}

/// Hands recordings to a pump. A request is either taken by the pump or given back, whenever the pump ends.
pub(super) struct Slot {
    state: Mutex<State>,
    pump: Mutex<Option<Thread>>,
    /// The microphone that is open, if it is not the first choice.
    replacement: Arc<OnceLock<Replacement>>,
}

impl Slot {
    /// A slot with the first recording. Without one, the pump waits.
    pub(super) fn new(first: Option<RecordingRequest>) -> Self {
        let state = if first.is_some() { State::Busy(first) } else { State::Idle };
        Self { state: Mutex::new(state), pump: Mutex::default(), replacement: Arc::default() }
    }

    /// Sets the microphone that is open in the place of the first choice. Called before the pump takes a recording.
    pub(super) fn set_replacement(&self, replacement: Replacement) {
        let _ = self.replacement.set(replacement);
    }

    /// Where the microphone that replaces the first choice is told.
    pub(super) fn replacement(&self) -> Arc<OnceLock<Replacement>> {
        self.replacement.clone()
    }

    /// Sets the thread to wake.
    pub(super) fn set_pump(&self, pump: Thread) {
        *self.pump.lock() = Some(pump);
    }

    /// Wakes the pump, which sleeps between callbacks.
    pub(super) fn wake(&self) {
        if let Some(pump) = &*self.pump.lock() {
            pump.unpark();
        }
    }

    /// Offers a recording. Gives it back when the pump is busy or has ended.
    pub(super) fn offer(&self, request: RecordingRequest) -> Option<RecordingRequest> {
        {
            let mut state = self.state.lock();
            if !matches!(*state, State::Idle) {
                return Some(request);
            }
            *state = State::Busy(Some(request));
        }
        self.wake();
        None
    }

    /// Takes the recording that waits. For the pump.
    pub(super) fn take(&self) -> Option<RecordingRequest> {
        match &mut *self.state.lock() {
            State::Busy(request) => request.take(),
            State::Idle | State::Closed => None,
        }
    }

    /// Ends a recording; the next one may be offered. For the pump.
    pub(super) fn release(&self) {
        let mut state = self.state.lock();
        if matches!(*state, State::Busy(None)) {
            *state = State::Idle;
        }
    }

    /// Closes the microphone unless it is busy. True when it is closed.
    pub(super) fn close(&self) -> bool {
        {
            let mut state = self.state.lock();
            if matches!(*state, State::Busy(_)) {
                return false;
            }
            *state = State::Closed;
        }
        self.wake();
        true
    }

    /// Closes the microphone, whatever it does. A recording that waits fails.
    pub(super) fn abandon(&self) {
        if let State::Busy(Some(request)) = std::mem::replace(&mut *self.state.lock(), State::Closed) {
            let _ = request.blocks.try_send(Err(super::no_sound_error()));
        }
        self.wake();
    }

    /// Whether the microphone is closed.
    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.state.lock(), State::Closed)
    }

    /// Whether a recording is made.
    pub(super) fn is_busy(&self) -> bool {
        matches!(*self.state.lock(), State::Busy(_))
    }
}

/// Closes the slot when it is dropped, however its thread ends.
pub(super) struct CloseOnDrop(pub(super) Arc<Slot>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
