//! What a person wants done on the computer: a declared set of actions, told to the model as a tool, and its call read back as a plan.
//!
//! Nothing is carried out here. One tool takes all steps at once: not every model calls several tools in one answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::providers::{Tool, ToolCall};

/// The tool's name.
const TOOL: &str = "plan_actions";
/// A plan longer than this is none: the model repeats itself.
const MOST_STEPS: usize = 20;

/// What the model is told besides its instructions when it may plan.
pub(crate) const INSTRUCTIONS: &str = "If the person wants something done on the computer, call `plan_actions` with every step in order \
and a short sentence in `reply`; you cannot do it yourself and must not claim that it is done. Answer questions without the tool.";

/// Something that can be done on a computer.
struct Action {
    name: &'static str,
    about: &'static str,
    takes: &'static [&'static str],
}

/// What can be planned.
const ACTIONS: &[Action] = &[
    Action { name: "open_application", about: "opens a program", takes: &["application"] },
    Action { name: "open_address", about: "opens a web page or a file", takes: &["address"] },
    Action { name: "type_text", about: "types into what has the focus", takes: &["text"] },
    Action { name: "press_keys", about: "presses a key combination", takes: &["keys"] },
    Action { name: "read_screen", about: "reads out what is on the screen", takes: &[] },
    Action { name: "set_volume", about: "sets how loud the computer is", takes: &["percent"] },
    Action { name: "set_timer", about: "starts a timer", takes: &["seconds", "label"] },
    Action { name: "send_message", about: "sends a message to somebody", takes: &["application", "recipient", "text"] },
];

/// What an action takes.
struct Argument {
    name: &'static str,
    about: &'static str,
    whole: bool,
}

const ARGUMENTS: &[Argument] = &[
    Argument { name: "application", about: "a program's name", whole: false },
    Argument { name: "address", about: "a URL or a path", whole: false },
    Argument { name: "text", about: "the words to type or to send", whole: false },
    Argument { name: "keys", about: "such as Ctrl+S", whole: false },
    Argument { name: "percent", about: "0 to 100", whole: true },
    Argument { name: "seconds", about: "how long", whole: true },
    Argument { name: "label", about: "what the timer is for", whole: false },
    Argument { name: "recipient", about: "to whom", whole: false },
];

/// One thing to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Step {
    /// One of the declared actions, such as `open_application`.
    pub name: String,
    /// What it needs, as far as the person said.
    pub arguments: Map<String, Value>,
}

/// What the person wants done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The steps, in order. The last one is what the others lead up to.
    pub steps: Vec<Step>,
    /// What the model says about it; empty when it said nothing.
    pub reply: String,
}

impl Plan {
    /// What it is all for: the last step.
    pub fn intent(&self) -> Option<&Step> {
        self.steps.last()
    }

    /// What the model says about it, or what it planned when it says nothing.
    pub(crate) fn said(&self) -> String {
        if !self.reply.is_empty() {
            return self.reply.clone();
        }
        let steps: Vec<String> = self.steps.iter().map(|step| step.name.replace('_', " ")).collect();
        format!("What you want: {}.", steps.join(", then "))
    }
}

/// The tool that is declared to the model.
pub(crate) fn tool() -> Tool {
    let mut properties = Map::new();
    let about: Vec<String> = ACTIONS.iter().map(described).collect();
    let names: Vec<&str> = ACTIONS.iter().map(|action| action.name).collect();
    properties.insert("action".into(), json!({"type": "string", "enum": names, "description": about.join("; ")}));
    for Argument { name, about, whole } in ARGUMENTS {
        let kind = if *whole { "integer" } else { "string" };
        properties.insert((*name).into(), json!({"type": kind, "description": about}));
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

fn described(action: &Action) -> String {
    match action.takes {
        [] => format!("{} {}", action.name, action.about),
        takes => format!("{} {} ({})", action.name, action.about, takes.join(", ")),
    }
}

/// The plan in the tools that the model called; `None` when it planned nothing.
pub(crate) fn plan(calls: &[ToolCall]) -> Option<Plan> {
    let mut plan = Plan::default();
    for call in calls.iter().filter(|call| call.name == TOOL) {
        let Ok(Value::Object(written)) = serde_json::from_str(&call.arguments) else {
            tracing::debug!("the model's plan is no JSON object and is left out");
            continue;
        };
        let steps = written.get("steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        plan.steps.extend(steps.iter().filter_map(step));
        if let Some(reply) = written.get("reply").and_then(Value::as_str) {
            plan.reply = reply.trim().to_owned();
        }
    }
    plan.steps.truncate(MOST_STEPS);
    (!plan.steps.is_empty() || !plan.reply.is_empty()).then_some(plan)
}

/// A declared action with what it takes; models add what does not belong, or leave fields empty.
fn step(written: &Value) -> Option<Step> {
    let name = written.get("action")?.as_str()?;
    let action = ACTIONS.iter().find(|action| action.name == name)?;
    let mut arguments = Map::new();
    for argument in ARGUMENTS.iter().filter(|argument| action.takes.contains(&argument.name)) {
        let value = match written.get(argument.name) {
            Some(Value::String(text)) if argument.whole => text.trim().parse::<i64>().ok().map(Value::from),
            Some(Value::String(text)) => Some(text.trim()).filter(|text| !text.is_empty()).map(Value::from),
            Some(Value::Number(number)) if argument.whole => Some(Value::Number(number.clone())),
            _ => None,
        };
        arguments.extend(value.map(|value| (argument.name.to_owned(), value)));
    }
    Some(Step { name: name.to_owned(), arguments })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(arguments: &Value) -> ToolCall {
        ToolCall { id: "1".into(), name: TOOL.into(), arguments: arguments.to_string(), signature: None }
    }

    #[test]
    fn a_call_becomes_a_plan_and_its_last_step_the_intent() {
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
    fn what_is_not_declared_is_left_out() {
        let written =
            json!({"reply": "", "steps": [{"action": "format_disk"}, {"action": "set_timer", "seconds": "90"}, 7]});
        let plan = super::plan(&[call(&written)]).unwrap();
        assert_eq!(json!(plan.steps), json!([{"name": "set_timer", "arguments": {"seconds": 90}}]));
        assert_eq!(super::plan(&[call(&json!({"steps": [], "reply": ""}))]), None);
        assert_eq!(super::plan(&[ToolCall { arguments: "{\"steps\": [".into(), ..call(&json!({})) }]), None);
        assert_eq!(super::plan(&[ToolCall { name: "other".into(), ..call(&written) }]), None);
    }

    #[test]
    fn the_tool_declares_every_action_and_what_it_takes() {
        let tool = tool().parameters.unwrap();
        let properties = &tool["properties"]["steps"]["items"]["properties"];
        for action in ACTIONS {
            assert!(properties["action"]["enum"].as_array().unwrap().contains(&json!(action.name)));
            for argument in action.takes {
                assert!(properties.get(argument).is_some(), "{argument}");
            }
        }
    }
}
