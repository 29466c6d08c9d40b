//! Undo: what a call of a tool changed is as it was before, on a click or by voice.

use super::request::TurnContext;
use crate::consent::Undo;
use crate::desktop::MediaCommand;
use crate::error::{Error, ErrorCode, Result};
use crate::event::Event;
use crate::record::TurnRecord;

impl TurnContext {
    /// Undoes the last change.
    ///
    /// # Errors
    /// As those of [`Self::undo`].
    pub(super) async fn undo_last(&self) -> Result<()> {
        let (turn, index) = self.consents.last_to_undo().ok_or_else(gone)?;
        self.undo(&turn, index).await
    }

    /// Undoes what the call with this index of a turn has changed.
    ///
    /// # Errors
    /// With [`ErrorCode::NotFound`] when it can no longer be undone, or when the desktop does not let AURA do it.
    pub(crate) async fn undo(&self, turn: &str, index: u32) -> Result<()> {
        let undo = self.consents.take_undo(turn, index).ok_or_else(gone)?;
        let desktop = &self.ports.desktop;
        let undone = match undo.clone() {
            Undo::SetClipboard(text) => desktop.set_clipboard(&text).await,
            Undo::SetVolume(percent) => desktop.media(MediaCommand::Volume { percent }).await,
            Undo::CancelTimer(id) => self.timers.cancel(id).await.map(drop),
            Undo::SetTimer(timer) => self.timers.restore(timer).await,
        };
        if let Err(error) = undone {
            self.consents.keep_undo(turn, index, undo);
            return Err(error);
        }
        let mark = move |record: &mut TurnRecord| {
            if let Some(tool) = record.tools.get_mut(index as usize) {
                tool.undone = Some(true);
            }
        };
        if let Err(error) = self.ports.history.edit(turn, Box::new(mark)).await {
            tracing::warn!(%error, "the history does not say that an action was undone");
        }
        self.events.send(Event::History);
        Ok(())
    }
}

fn gone() -> Error {
    let message = "This can no longer be undone. AURA keeps what was there before only until it ends.";
    Error::new(ErrorCode::NotFound, message)
}
