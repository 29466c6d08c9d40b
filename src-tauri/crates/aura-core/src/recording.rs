//! A recording in progress.

use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::Result;

/// The microphone that records because the first choice cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The name to show to the user.
    pub label: String,
    /// Whether none of the chosen ones can be used, so that this is the operating system's default.
    pub is_default: bool,
}

/// A recording in progress: mono 16-bit samples at [`aura_audio::SPEECH_RATE`].
///
/// Blocks of about 10 to 40 ms arrive until [`Recording::stop`] is called; then the adapter delivers what it has buffered and
/// closes the channel. When the device is disconnected, the adapter sends one error and closes the channel. Dropping the
/// recording stops the device.
#[derive(Debug)]
pub struct Recording {
    blocks: mpsc::Receiver<Result<Vec<i16>>>,
    replacement: Option<Arc<OnceLock<Replacement>>>,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl Recording {
    /// Makes a recording. The adapter sends blocks through the other end of `blocks` and stops when `stop` is cancelled.
    pub fn new(blocks: mpsc::Receiver<Result<Vec<i16>>>, stop: CancellationToken) -> Self {
        let _stop_on_drop = stop.clone().drop_guard();
        Self { blocks, replacement: None, stop, _stop_on_drop }
    }

    /// Sets where the adapter says that another microphone records than the first choice. It does so before the first block.
    #[must_use]
    pub fn replaced_by(mut self, replacement: Arc<OnceLock<Replacement>>) -> Self {
        self.replacement = Some(replacement);
        self
    }

    /// The microphone that records in the place of the first choice. Returned once, as soon as it is known: with the first block at the latest.
    pub fn take_replacement(&mut self) -> Option<Replacement> {
        let replacement = self.replacement.as_ref()?.get()?.clone();
        self.replacement = None;
        Some(replacement)
    }

    /// Waits for the next block; `None` once the recording has ended.
    ///
    /// # Errors
    /// When the device was disconnected.
    pub async fn next(&mut self) -> Option<Result<Vec<i16>>> {
        self.blocks.recv().await
    }

    /// Whether every block that has come was read.
    pub fn is_read(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Stops the device. Buffered sound still arrives through [`Recording::next`].
    pub fn stop(&self) {
        self.stop.cancel();
    }
}
