//! The tools for timers. They change nothing outside AURA, so nobody is asked unless text that AURA read may have led to the call.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::tools::{Call, Tool, ToolResult};
use super::super::turn::Turn;
use crate::action::{Action, Effect};
use crate::error::{Error, Result};
use crate::timers::{MAX_LABEL, SECONDS};

/// Sets a timer.
pub(super) struct SetTimer;

#[derive(Deserialize)]
struct Set {
    seconds: u32,
    #[serde(default)]
    label: String,
}

#[async_trait]
impl Tool for SetTimer {
    fn name(&self) -> &str {
        "set_timer"
    }

    fn description(&self) -> String {
        let now = jiff::Zoned::now();
        format!(
            "Sets a timer or a reminder: AURA says its label when it is over, also after a restart. It is {} now; for a time of day, count \
             the seconds until then.",
            now.strftime("%A, %Y-%m-%d %H:%M:%S")
        )
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "seconds": {"type": "integer", "description": "from now on"},
                "label": {"type": "string", "description": "what it is for, in the person's language; empty for a plain timer"},
            },
            "required": ["seconds"],
        })
    }

    fn effect(&self) -> Effect {
        Effect::ChangesAura
    }

    async fn plan(&self, _: &Turn, arguments: &Map<String, Value>) -> Result<Option<Action>> {
        let Set { seconds, label } = super::arguments(arguments)?;
        if !SECONDS.contains(&seconds) {
            return Err(Error::invalid("A timer takes from one second to a year. Nothing was set."));
        }
        let label = label.trim().chars().filter(|c| !c.is_control()).take(MAX_LABEL).collect();
        Ok(Some(Action::SetTimer { seconds, label }))
    }

    async fn run(&self, turn: &Turn, call: Call) -> Result<ToolResult> {
        turn.perform(call).await
    }
}

/// Lists the timers.
pub(super) struct ListTimers;

#[async_trait]
impl Tool for ListTimers {
    fn name(&self) -> &str {
        "list_timers"
    }

    fn description(&self) -> String {
        "Lists the timers and reminders that are set, with their numbers and how long they still take.".into()
    }

    async fn run(&self, turn: &Turn, _: Call) -> Result<ToolResult> {
        let now = Timestamp::now();
        let timers: Vec<Value> = turn
            .context
            .timers
            .list()
            .into_iter()
            .map(|timer| json!({"timer": timer.id, "label": timer.label, "seconds_left": timer.seconds_left(now)}))
            .collect();
        Ok(ToolResult::said(json!({ "timers": timers }).to_string()))
    }
}

/// Cancels a timer.
pub(super) struct CancelTimer;

#[derive(Deserialize)]
struct Cancel {
    timer: u32,
}

#[async_trait]
impl Tool for CancelTimer {
    fn name(&self) -> &str {
        "cancel_timer"
    }

    fn description(&self) -> String {
        "Cancels a timer or a reminder by its number, which `list_timers` tells.".into()
    }

    fn parameters(&self) -> Value {
        json!({"type": "object", "properties": {"timer": {"type": "integer"}}, "required": ["timer"]})
    }

    fn effect(&self) -> Effect {
        Effect::ChangesAura
    }

    async fn plan(&self, turn: &Turn, arguments: &Map<String, Value>) -> Result<Option<Action>> {
        let Cancel { timer } = super::arguments(arguments)?;
        let timer = turn.context.timers.get(timer)?;
        Ok(Some(Action::CancelTimer { timer: timer.id, label: timer.label }))
    }

    async fn run(&self, turn: &Turn, call: Call) -> Result<ToolResult> {
        turn.perform(call).await
    }
}
