//! Carries out an action that the person has consented to.

use super::super::tools::{Call, ToolResult};
use super::super::turn::Turn;
use super::show_plan;
use crate::action::Action;
use crate::consent::Undo;
use crate::desktop::{KeyCombination, MediaCommand};
use crate::error::{Error, Result};

/// The longest text of the clipboard, a selection, a window or a server that the model is given, in characters.
const MAX_READ: usize = 12_000;

impl Turn {
    /// Carries out the action of a call, and remembers how it can be undone.
    ///
    /// # Errors
    /// When the desktop does not let AURA do it, or it fails.
    pub(super) async fn perform(&self, call: Call) -> Result<ToolResult> {
        let desktop = &self.context.ports.desktop;
        let Call { action, index } = call;
        let action = action.ok_or_else(|| Error::internal("a tool that acts without an action"))?;
        let (told, undo) = match action {
            Action::Open { target } => {
                desktop.open(&target).await?;
                ("It is being opened.".to_owned(), None)
            }
            Action::ReadClipboard => return Ok(read(desktop.clipboard().await?, "The clipboard holds no text.")),
            Action::ReadSelection => return Ok(read(desktop.selection().await?, "No text is selected.")),
            Action::SetClipboard { text } => {
                // What was there is kept in memory alone: it may be a password.
                let before = desktop.clipboard().await.ok().flatten();
                desktop.set_clipboard(&text).await?;
                ("The text is on the clipboard.".to_owned(), before.map(Undo::SetClipboard))
            }
            Action::TypeText { text, window } => {
                desktop.type_text(&text, &window).await?;
                ("The text was typed.".to_owned(), None)
            }
            Action::PressShortcut { keys, window } => {
                desktop.press(&keys.parse::<KeyCombination>()?, &window).await?;
                ("The keys were pressed.".to_owned(), None)
            }
            Action::ReadWindow { window } => {
                let contents = desktop.read_window(&window).await?;
                return Ok(match contents.elements.is_empty() {
                    true => ToolResult::said("The program does not describe what is in its window."),
                    false => ToolResult::foreign(cut(&contents.outline(&window))),
                });
            }
            Action::UseControl { control, window } => {
                desktop.use_control(&control, &window).await?;
                let told = if control.is_field { "The cursor is in the field." } else { "It was pressed." };
                (told.to_owned(), None)
            }
            Action::Media { media } => {
                let before = match media {
                    MediaCommand::Volume { .. } => desktop.volume().await.ok().map(Undo::SetVolume),
                    _ => None,
                };
                desktop.media(media).await?;
                ("It is done.".to_owned(), before)
            }
            Action::SetTimer { seconds, label } => {
                let timer = self.context.timers.set(seconds, label, self.language()).await?;
                let told = format!("Timer {} is set for {seconds} seconds from now.", timer.id);
                (told, Some(Undo::CancelTimer(timer.id)))
            }
            Action::CancelTimer { timer, .. } => {
                let timer = self.context.timers.cancel(timer).await?;
                (format!("Timer {} is cancelled.", timer.id), Some(Undo::SetTimer(timer)))
            }
            Action::Plan { steps } => {
                return Ok(show_plan::told(&steps, &self.own_language()));
            }
            // The first is carried out by its tool.
            Action::CallMcpTool { .. } | Action::Unknown => return Err(Error::internal("an action of another kind")),
        };
        if let Some(undo) = undo {
            self.context.consents.keep_undo(&self.id, index, undo);
            self.edit_tool(index, |trace| trace.undone = Some(false));
        }
        Ok(ToolResult::said(told))
    }
}

/// Foreign text for the model, or that there is none.
fn read(text: Option<String>, nothing: &str) -> ToolResult {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return ToolResult::said(nothing) };
    ToolResult::foreign(cut(&text))
}

/// A foreign text, cut after [`MAX_READ`] characters.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_READ) {
        Some((end, _)) => format!("{}\n… (the rest is left out)", &text[..end]),
        None => text.to_owned(),
    }
}
