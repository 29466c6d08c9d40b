//! Questions that come back to the picture of an earlier one.
//!
//! The last picture goes along with a later question of its conversation only when the model asks for it, by the tool
//! [`EarlierPicture`]. It is then attached to that later question: the earlier one may be shortened or left out by then. So a question
//! that has nothing to do with the picture is neither slower nor dearer, and shows the picture to nobody again.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use super::last_picture::KeptPicture;
use super::tools::{Call, Tool, ToolResult};
use super::turn::Turn;
use crate::config::ScreenPolicy;
use crate::error::Result;
use crate::record::{SentPicture, Stage};

/// The longest part of a question that describes its picture to the model, in characters.
const MAX_QUESTION: usize = 120;

impl Turn {
    /// Records and reports the picture that is sent with the question, and keeps it for later questions of the conversation.
    pub(super) fn send_picture(&self, file: &Bytes, sent: SentPicture) {
        self.set_sent_picture(sent.clone());
        // What a caller of the local API sends is none of the user's business, and the reverse.
        if !self.is_detached() {
            self.context.last_picture.keep(KeptPicture {
                file: file.clone(),
                sent,
                session: self.request.session.clone(),
                question: self.transcript().chars().take(MAX_QUESTION).collect(),
                kept_at: Timestamp::now(),
            });
        }
    }

    /// The picture of an earlier question that this one may come back to. A screenshot is not sent again once the settings forbid
    /// to share the screen.
    pub(super) fn earlier_picture(&self) -> Option<KeptPicture> {
        if self.is_detached() || self.request.screen == Some(false) {
            return None;
        }
        let picture = self.context.last_picture.get(&self.request.session)?;
        if picture.sent.is_screenshot() && self.config.settings.screen.share == ScreenPolicy::Never {
            self.context.last_picture.forget();
            return None;
        }
        Some(picture)
    }
}

/// The tool that shows the model the picture of an earlier question again.
pub(super) struct EarlierPicture(pub(super) KeptPicture);

#[async_trait]
impl Tool for EarlierPicture {
    fn name(&self) -> &str {
        "look_at_earlier_picture"
    }

    fn description(&self) -> String {
        format!(
            "Shows you again the picture that went with an earlier question of this conversation: \"{}\". Call it when the answer \
             depends on something in that picture that was not said yet.",
            self.0.question
        )
    }

    async fn run(&self, turn: &Turn, _: Call) -> Result<ToolResult> {
        let _stage = turn.enter(Stage::Looking);
        turn.set_sent_picture(self.0.sent.clone());
        let text = format!(
            "The picture that went with the earlier question \"{}\" is attached to the person's question now. The screen may \
             have changed since.",
            self.0.question
        );
        Ok(ToolResult { pictures: vec![self.0.file.clone()], ..ToolResult::said(text) })
    }
}
