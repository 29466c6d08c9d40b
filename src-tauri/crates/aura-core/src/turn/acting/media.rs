//! The tool for media players and the volume.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::tools::{Call, Tool, ToolResult};
use super::super::turn::Turn;
use crate::action::{Action, Effect};
use crate::desktop::MediaCommand;
use crate::error::{Error, Result};

/// Controls media players, and the volume.
pub(super) struct Media;

#[derive(Deserialize)]
struct Arguments {
    command: Command,
    percent: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Command {
    Play,
    Pause,
    Next,
    Previous,
    Volume,
}

#[async_trait]
impl Tool for Media {
    fn name(&self) -> &str {
        "media"
    }

    fn description(&self) -> String {
        "Plays, pauses or changes the title in the media player that runs, or sets how loud the computer is.".into()
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "command": {"type": "string", "enum": ["play", "pause", "next", "previous", "volume"]},
                "percent": {"type": "integer", "description": "0 to 100, for volume"},
            },
            "required": ["command"],
        })
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    async fn plan(&self, _: &Turn, arguments: &Map<String, Value>) -> Result<Option<Action>> {
        let Arguments { command, percent } = super::arguments(arguments)?;
        let media = match (command, percent) {
            (Command::Play, _) => MediaCommand::Play,
            (Command::Pause, _) => MediaCommand::Pause,
            (Command::Next, _) => MediaCommand::Next,
            (Command::Previous, _) => MediaCommand::Previous,
            (Command::Volume, Some(percent @ 0..=100)) => MediaCommand::Volume { percent },
            (Command::Volume, _) => return Err(Error::invalid("`percent` must be 0 to 100. Nothing was done.")),
        };
        Ok(Some(Action::Media { media }))
    }

    async fn run(&self, turn: &Turn, call: Call) -> Result<ToolResult> {
        turn.perform(call).await
    }
}
