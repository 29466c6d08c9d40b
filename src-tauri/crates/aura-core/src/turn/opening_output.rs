//! A speaker output that is being opened.

use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::error::Result;
use crate::ports::{Output, Speaker};

/// An open output, and whether the default one replaced the chosen one.
type Opened = (Arc<dyn Output>, bool);

/// A speaker output that is being opened. Cheap to clone; it is opened once.
#[derive(Clone)]
pub(super) struct OpeningOutput {
    speaker: Arc<dyn Speaker>,
    device: Option<String>,
    cell: Arc<OnceCell<Result<Opened>>>,
}

impl OpeningOutput {
    /// The output with this ID, or the default one, which is opened by the first wait.
    pub(super) fn new(speaker: Arc<dyn Speaker>, device: Option<String>) -> Self {
        Self { speaker, device, cell: Arc::default() }
    }

    /// Waits until the output is open. Returns whether the default one replaced the chosen one.
    ///
    /// # Errors
    /// When the speaker cannot be opened.
    pub(super) async fn output(&self) -> Result<Opened> {
        self.cell.get_or_init(|| self.speaker.open_or_default(self.device.as_deref())).await.clone()
    }

    /// The output, if it is open already.
    pub(super) fn opened(&self) -> Option<Arc<dyn Output>> {
        self.cell.get()?.as_ref().ok().map(|(output, _)| output.clone())
    }
}
