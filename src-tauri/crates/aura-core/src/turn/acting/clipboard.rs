//! The tools for the clipboard and the selection.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::tools::{Call, Tool, ToolResult};
use super::super::turn::Turn;
use crate::action::{Action, Effect};
use crate::error::Result;

/// Gives the model the text on the clipboard.
pub(super) struct ReadClipboard;

#[async_trait]
impl Tool for ReadClipboard {
    fn name(&self) -> &str {
        "read_clipboard"
    }

    fn description(&self) -> String {
        "Reads the text on the clipboard. Call it when the person speaks of what they copied.".into()
    }

    fn effect(&self) -> Effect {
        Effect::ReadsPrivate
    }

    async fn plan(&self, _: &Turn, _: &Map<String, Value>) -> Result<Option<Action>> {
        Ok(Some(Action::ReadClipboard))
    }

    async fn run(&self, turn: &Turn, call: Call) -> Result<ToolResult> {
        turn.perform(call).await
    }
}

/// Gives the model the selected text.
pub(super) struct ReadSelection;

#[async_trait]
impl Tool for ReadSelection {
    fn name(&self) -> &str {
        "read_selection"
    }

    fn description(&self) -> String {
        "Reads the text that the person has selected. Call it when they speak of the selection, or of \"this text\"."
            .into()
    }

    fn effect(&self) -> Effect {
        Effect::ReadsPrivate
    }

    async fn plan(&self, _: &Turn, _: &Map<String, Value>) -> Result<Option<Action>> {
        Ok(Some(Action::ReadSelection))
    }

    async fn run(&self, turn: &Turn, call: Call) -> Result<ToolResult> {
        turn.perform(call).await
    }
}

/// Puts a text on the clipboard.
pub(super) struct SetClipboard;

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[async_trait]
impl Tool for SetClipboard {
    fn name(&self) -> &str {
        "set_clipboard"
    }

    fn description(&self) -> String {
        "Puts a text on the clipboard, in the place of what is there.".into()
    }

    fn parameters(&self) -> Value {
        json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]})
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    async fn plan(&self, _: &Turn, arguments: &Map<String, Value>) -> Result<Option<Action>> {
        let Text { text } = super::arguments(arguments)?;
        super::check_text(&text)?;
        Ok(Some(Action::SetClipboard { text }))
    }

    async fn run(&self, turn: &Turn, call: Call) -> Result<ToolResult> {
        turn.perform(call).await
    }
}
