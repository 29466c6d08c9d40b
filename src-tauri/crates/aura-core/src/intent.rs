//! Action plans: what the user wants done on the computer. The model gets a fixed set of actions as one tool, and its call is
//! parsed into a plan.
//!
//! No action is carried out here. One call takes all steps, because not every model can call several tools in one answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use aura_providers::{Tool, ToolCall};

/// Name of the tool.
const TOOL: &str = "plan_actions";
/// The largest number of steps; further ones are dropped. Longer plans come from a model that repeats itself.
const MAX_STEPS: usize = 20;

/// Additional instructions for a model that may plan.
pub(crate) const INSTRUCTIONS: &str = "If the person wants something done on the computer, call `plan_actions` with every step in order \
and a short sentence in `reply`; you cannot do it yourself and must not claim that it is done. Answer questions without the tool.";

/// An action that can be planned.
struct Action {
    name: &'static str,
    description: &'static str,
    arguments: &'static [&'static str],
}

/// The actions that can be planned.
const ACTIONS: &[Action] = &[
    Action { name: "open_application", description: "opens a program", arguments: &["application"] },
    Action { name: "open_address", description: "opens a web page or a file", arguments: &["address"] },
    Action { name: "type_text", description: "types into what has the focus", arguments: &["text"] },
    Action { name: "press_keys", description: "presses a key combination", arguments: &["keys"] },
    Action { name: "read_screen", description: "reads out what is on the screen", arguments: &[] },
    Action { name: "set_volume", description: "sets how loud the computer is", arguments: &["percent"] },
    Action { name: "set_timer", description: "starts a timer", arguments: &["seconds", "label"] },
    Action {
        name: "send_message",
        description: "sends a message to somebody",
        arguments: &["application", "recipient", "text"],
    },
];

/// An argument of an action.
struct Argument {
    name: &'static str,
    description: &'static str,
    is_integer: bool,
}

/// The arguments of all actions.
const ARGUMENTS: &[Argument] = &[
    Argument { name: "application", description: "a program's name", is_integer: false },
    Argument { name: "address", description: "a URL or a path", is_integer: false },
    Argument { name: "text", description: "the words to type or to send", is_integer: false },
    Argument { name: "keys", description: "such as Ctrl+S", is_integer: false },
    Argument { name: "percent", description: "0 to 100", is_integer: true },
    Argument { name: "seconds", description: "how long", is_integer: true },
    Argument { name: "label", description: "what the timer is for", is_integer: false },
    Argument { name: "recipient", description: "to whom", is_integer: false },
];

/// One step of an [`ActionPlan`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActionStep {
    /// The action's name, such as `open_application`.
    pub name: String,
    /// The action's arguments, as far as the user named them.
    pub arguments: Map<String, Value>,
}

/// What the user wants done on the computer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ActionPlan {
    /// The steps, in order, at most 20. The earlier ones prepare the last one.
    pub steps: Vec<ActionStep>,
    /// The model's sentence to the user; may be empty.
    pub reply: String,
}

impl ActionPlan {
    /// The purpose of the plan: its last step.
    pub fn intent(&self) -> Option<&ActionStep> {
        self.steps.last()
    }

    /// The model's sentence to the user, or a list of the steps when there is none.
    pub(crate) fn summary(&self) -> String {
        if !self.reply.is_empty() {
            return self.reply.clone();
        }
        let steps: Vec<String> = self.steps.iter().map(|step| step.name.replace('_', " ")).collect();
        format!("Plan: {}.", steps.join(", then "))
    }
}

/// The tool for the model.
pub(crate) fn tool() -> Tool {
    let mut properties = Map::new();
    let descriptions: Vec<String> = ACTIONS.iter().map(describe).collect();
    let names: Vec<&str> = ACTIONS.iter().map(|action| action.name).collect();
    properties
        .insert("action".into(), json!({"type": "string", "enum": names, "description": descriptions.join("; ")}));
    for Argument { name, description, is_integer } in ARGUMENTS {
        let kind = if *is_integer { "integer" } else { "string" };
        properties.insert((*name).into(), json!({"type": kind, "description": description}));
    }
    let step = json!({"type": "object", "properties": properties, "required": ["action"]});
    Tool {
        name: TOOL.into(),
        description: Some("Tells what the person wants done on their computer, step by step.".into()),
        parameters: Some(json!({
            "type": "object",
            "properties": {
                "steps": {"type": "array", "items": step, "description": "what to do, in order"},
                "reply": {"type": "string", "description": "one short sentence to the person, in their language"},
            },
            "required": ["steps", "reply"],
        })),
        strict: None,
    }
}

fn describe(action: &Action) -> String {
    match action.arguments {
        [] => format!("{} {}", action.name, action.description),
        arguments => format!("{} {} ({})", action.name, action.description, arguments.join(", ")),
    }
}

/// Parses the plan from the model's tool calls; `None` when there is none.
pub(crate) fn plan(calls: &[ToolCall]) -> Option<ActionPlan> {
    let mut plan = ActionPlan::default();
    for call in calls.iter().filter(|call| call.name == TOOL) {
        let Ok(Value::Object(arguments)) = serde_json::from_str(&call.arguments) else {
            tracing::debug!("ignored a plan of the model that is not a JSON object");
            continue;
        };
        let steps = arguments.get("steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        plan.steps.extend(steps.iter().filter_map(parse_step));
        if let Some(reply) = arguments.get("reply").and_then(Value::as_str) {
            plan.reply = reply.trim().to_owned();
        }
    }
    plan.steps.truncate(MAX_STEPS);
    (!plan.steps.is_empty() || !plan.reply.is_empty()).then_some(plan)
}

/// Parses a step with a known action. Drops arguments that are empty or that the action does not take: models send both.
fn parse_step(written: &Value) -> Option<ActionStep> {
    let name = written.get("action")?.as_str()?;
    let action = ACTIONS.iter().find(|action| action.name == name)?;
    let mut arguments = Map::new();
    for argument in ARGUMENTS.iter().filter(|argument| action.arguments.contains(&argument.name)) {
        let value = match written.get(argument.name) {
            Some(Value::String(text)) if argument.is_integer => text.trim().parse::<i64>().ok().map(Value::from),
            Some(Value::String(text)) => Some(text.trim()).filter(|text| !text.is_empty()).map(Value::from),
            Some(Value::Number(number)) if argument.is_integer => Some(Value::Number(number.clone())),
            _ => None,
        };
        arguments.extend(value.map(|value| (argument.name.to_owned(), value)));
    }
    Some(ActionStep { name: name.to_owned(), arguments })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(arguments: &Value) -> ToolCall {
        ToolCall { id: "1".into(), name: TOOL.into(), arguments: arguments.to_string(), signature: None }
    }

    #[test]
    fn a_tool_call_becomes_a_plan_with_its_last_step_as_the_intent() {
        let written = json!({"reply": " I would open WhatsApp and write to John. ", "steps": [
            {"action": "open_application", "application": "WhatsApp", "recipient": "nobody", "text": ""},
            {"action": "send_message", "application": "WhatsApp", "recipient": "John", "text": null},
        ]});
        let plan = plan(&[call(&written)]).unwrap();
        assert_eq!(plan.reply, "I would open WhatsApp and write to John.");
        assert_eq!(
            json!(plan.steps),
            json!([
                {"name": "open_application", "arguments": {"application": "WhatsApp"}},
                {"name": "send_message", "arguments": {"application": "WhatsApp", "recipient": "John"}},
            ])
        );
        assert_eq!(plan.intent().unwrap().name, "send_message");
    }

    #[test]
    fn unknown_actions_and_arguments_are_dropped() {
        let written =
            json!({"reply": "", "steps": [{"action": "format_disk"}, {"action": "set_timer", "seconds": "90"}, 7]});
        let plan = super::plan(&[call(&written)]).unwrap();
        assert_eq!(json!(plan.steps), json!([{"name": "set_timer", "arguments": {"seconds": 90}}]));
        assert_eq!(super::plan(&[call(&json!({"steps": [], "reply": ""}))]), None);
        assert_eq!(super::plan(&[ToolCall { arguments: "{\"steps\": [".into(), ..call(&json!({})) }]), None);
        assert_eq!(super::plan(&[ToolCall { name: "other".into(), ..call(&written) }]), None);
    }

    #[test]
    fn the_tool_declares_every_action_and_its_arguments() {
        let tool = tool().parameters.unwrap();
        let properties = &tool["properties"]["steps"]["items"]["properties"];
        for action in ACTIONS {
            assert!(properties["action"]["enum"].as_array().unwrap().contains(&json!(action.name)));
            for argument in action.arguments {
                assert!(properties.get(argument).is_some(), "{argument}");
            }
        }
    }
}
