//! The tool that shows what is to be done, step by step, and finds out which step cannot be done here.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::tools::{Call, Tool, ToolResult};
use super::super::turn::Turn;
use crate::action::{Action, PlanStep};
use crate::action_words::{no_tool, plan_problem};
use crate::error::{Error, Result};

/// Steps of a plan. Longer ones come from a model that repeats itself.
const MAX_STEPS: usize = 20;
/// The longest step, in characters.
const MAX_TEXT: usize = 200;

/// Shows a plan. Nothing is done by it.
pub(super) struct ShowPlan;

#[derive(Deserialize)]
struct Arguments {
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    text: String,
    #[serde(default)]
    tool: String,
    #[serde(default)]
    arguments: Map<String, Value>,
}

#[async_trait]
impl Tool for ShowPlan {
    fn name(&self) -> &str {
        "show_plan"
    }

    fn description(&self) -> String {
        "Shows the person what is to be done, step by step, and tells you which step cannot be done on this computer. Nothing is done by \
         it. Call it first when a request needs more than one step."
            .into()
    }

    fn parameters(&self) -> Value {
        let step = json!({
            "type": "object",
            "properties": {
                "text": {"type": "string", "description": "the step in a few words, in the person's language"},
                "tool": {"type": "string", "description": "the tool that does it; empty if none of your tools can"},
                "arguments": {"type": "object", "description": "the tool's arguments, as far as they are known"},
            },
            "required": ["text", "tool"],
        });
        json!({"type": "object", "properties": {"steps": {"type": "array", "items": step}}, "required": ["steps"]})
    }

    async fn plan(&self, turn: &Turn, arguments: &Map<String, Value>) -> Result<Option<Action>> {
        let Arguments { steps } = super::arguments(arguments)?;
        if steps.is_empty() {
            return Err(Error::invalid("The plan has no steps."));
        }
        let language = turn.own_language();
        let mut checked = Vec::new();
        for Step { text, tool, arguments } in steps.into_iter().take(MAX_STEPS) {
            let text = text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
            let found =
                super::tools(&turn.config.settings.actions).find(|known| known.name() == tool && tool != self.name());
            let problem = match found {
                // What the step needs may only come to be by an earlier one, so only what can be known now counts.
                Some(tool) if !arguments.is_empty() => {
                    tool.plan(turn, &arguments).await.err().map(|error| error.message)
                }
                Some(_) => None,
                None if turn.is_offered(&tool) => None,
                None => Some(no_tool(&language).to_owned()),
            };
            checked.push(PlanStep { text, problem });
        }
        Ok(Some(Action::Plan { steps: checked }))
    }

    async fn run(&self, turn: &Turn, call: Call) -> Result<ToolResult> {
        turn.perform(call).await
    }
}

/// What the model and the person are told of a plan.
pub(super) fn told(steps: &[PlanStep], language: &str) -> ToolResult {
    let problems: Vec<String> = steps
        .iter()
        .zip(1..)
        .filter_map(|(step, number)| Some(plan_problem(number, &step.text, step.problem.as_deref()?, language)))
        .collect();
    if problems.is_empty() {
        return ToolResult::said("The plan is shown. Carry it out now, step by step.");
    }
    let problems = problems.join(" ");
    let text = format!(
        "The plan is shown, and the person was told this already: {problems} Carry out the other steps, as far as they make sense without."
    );
    ToolResult { said: Some(problems), ..ToolResult::said(text) }
}
