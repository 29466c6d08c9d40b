//! Tools: what the model may have AURA do while it answers. A further tool is one type that implements [`Tool`], and one line in
//! [`Turn::offered_tools`].

use std::sync::Arc;

use async_trait::async_trait;
use aura_providers::{Tool as ToolDefinition, ToolCall};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::turn::Turn;
use crate::error::Result;
use crate::record::{ToolOutcome, ToolTrace};

/// The longest name of a tool in the record, in characters.
const MAX_NAME: usize = 64;
/// The longest arguments in the record, in characters.
const MAX_ARGUMENTS: usize = 300;

/// Something that the model may have AURA do during a turn.
#[async_trait]
pub(super) trait Tool: Send + Sync {
    /// The name for the model: letters, digits and `_`, at most 64.
    fn name(&self) -> &'static str;

    /// What the tool does and when to call it, for the model.
    fn description(&self) -> String;

    /// The JSON schema of the arguments: an object. By default one without properties.
    fn parameters(&self) -> Value {
        json!({"type": "object", "properties": {}})
    }

    /// Carries out a call. Dropping the future stops it.
    ///
    /// # Errors
    /// When the tool could not do its work. The model is told the message, and answers without.
    async fn run(&self, turn: &Turn, arguments: Map<String, Value>) -> Result<ToolResult>;
}

/// What a tool gives the model.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ToolResult {
    /// The result in words, or as JSON.
    pub(super) text: String,
    /// A picture that the model is shown: a JPEG or PNG file.
    pub(super) picture: Option<Bytes>,
}

/// The tools that the model is offered in a turn.
#[derive(Clone, Default)]
pub(super) struct Toolbox(Vec<Arc<dyn Tool>>);

impl Toolbox {
    /// A box with these tools.
    pub(super) fn new(tools: Vec<Arc<dyn Tool>>) -> Self {
        Self(tools)
    }

    /// Whether it has no tool.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tools as a request offers them.
    pub(super) fn definitions(&self) -> impl Iterator<Item = ToolDefinition> {
        self.0.iter().map(|tool| {
            ToolDefinition::new(tool.name()).with_description(tool.description()).with_parameters(tool.parameters())
        })
    }

    fn find(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.0.iter().find(|tool| tool.name() == name)
    }
}

impl Turn {
    /// Carries out a call of the model. It is in the record before it begins.
    pub(super) async fn call_tool(&self, tools: &Toolbox, call: &ToolCall) -> ToolResult {
        let mut running = RunningTool::begin(self, call);
        let Some(tool) = tools.find(&call.name) else {
            return running
                .refuse(format!("There is no tool named {}. Answer without it.", shortened(&call.name, MAX_NAME)));
        };
        let Ok(Value::Object(arguments)) = serde_json::from_str(&call.arguments) else {
            return running.refuse("The arguments are not a JSON object. Nothing was done.".into());
        };
        match tool.run(self, arguments).await {
            Ok(result) => {
                running.outcome = ToolOutcome::Done;
                result
            }
            Err(error) => {
                running.outcome = ToolOutcome::Failed;
                ToolResult { text: format!("This failed: {}", error.message), picture: None }
            }
        }
    }
}

/// Records a call of a tool until it is dropped, whether it succeeds, fails or is stopped.
struct RunningTool<'a> {
    turn: &'a Turn,
    /// Its index in the record.
    index: usize,
    start_ms: u32,
    outcome: ToolOutcome,
}

impl<'a> RunningTool<'a> {
    fn begin(turn: &'a Turn, call: &ToolCall) -> Self {
        let start_ms = turn.ms_since_begun();
        let mut index = 0;
        turn.edit(|record| {
            index = record.tools.len();
            record.tools.push(ToolTrace {
                name: shortened(&call.name, MAX_NAME),
                arguments: shortened(&call.arguments, MAX_ARGUMENTS),
                start_ms,
                ms: 0,
                outcome: ToolOutcome::Running,
            });
        });
        turn.save_soon();
        Self { turn, index, start_ms, outcome: ToolOutcome::Stopped }
    }

    fn refuse(&mut self, text: String) -> ToolResult {
        self.outcome = ToolOutcome::Refused;
        ToolResult { text, picture: None }
    }
}

impl Drop for RunningTool<'_> {
    fn drop(&mut self) {
        let ms = self.turn.ms_since_begun().saturating_sub(self.start_ms);
        self.turn.edit(|record| {
            if let Some(trace) = record.tools.get_mut(self.index) {
                (trace.ms, trace.outcome) = (ms, self.outcome);
            }
        });
        self.turn.save_soon();
    }
}

/// A text, cut after `max` characters.
fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
