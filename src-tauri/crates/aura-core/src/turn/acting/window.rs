//! The tools for what is in the window in front: a person who does not see it can ask what is there, and use it by name.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::tools::{Call, Tool, ToolResult};
use super::super::turn::Turn;
use crate::action::{Action, Effect};
use crate::error::Result;

/// Tells the model what the window in front shows.
pub(super) struct ReadWindow;

#[async_trait]
impl Tool for ReadWindow {
    fn name(&self) -> &str {
        "read_window"
    }

    fn description(&self) -> String {
        "Lists what is in the window in front, as a screen reader knows it: buttons, fields, menus and texts with their names. Call it \
         when the person asks what a window offers, and before `use_control`."
            .into()
    }

    fn effect(&self) -> Effect {
        Effect::ReadsPrivate
    }

    async fn plan(&self, turn: &Turn, _: &Map<String, Value>) -> Result<Option<Action>> {
        Ok(Some(Action::ReadWindow { window: turn.context.ports.desktop.front_window().await? }))
    }

    async fn run(&self, turn: &Turn, call: Call) -> Result<ToolResult> {
        turn.perform(call).await
    }
}

/// Presses a control by its name, or puts the cursor into it.
pub(super) struct UseControl;

#[derive(Deserialize)]
struct Named {
    name: String,
    role: Option<String>,
}

#[async_trait]
impl Tool for UseControl {
    fn name(&self) -> &str {
        "use_control"
    }

    fn description(&self) -> String {
        "Presses a button, ticks a box, opens a menu or chooses an entry in the window in front, by its name. If it is a field, the \
         cursor is put into it; then write with `type_text`."
            .into()
    }

    fn parameters(&self) -> Value {
        let role =
            json!({"type": "string", "description": "Its role as `read_window` lists it, if several have the name."});
        json!({"type": "object", "properties": {"name": {"type": "string"}, "role": role}, "required": ["name"]})
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    async fn plan(&self, turn: &Turn, arguments: &Map<String, Value>) -> Result<Option<Action>> {
        let Named { name, role } = super::arguments(arguments)?;
        let desktop = &turn.context.ports.desktop;
        let window = desktop.front_window().await?;
        let control = desktop.read_window(&window).await?.find(&name, role.as_deref())?.clone();
        Ok(Some(Action::UseControl { control, window }))
    }

    async fn run(&self, turn: &Turn, call: Call) -> Result<ToolResult> {
        turn.perform(call).await
    }
}
