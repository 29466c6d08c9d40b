//! The tools of a response: functions, custom tools, and namespaces of functions.

use aura_providers::{Tool, ToolCall};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::item::OutputItem;
use crate::limits::MAX_TOOLS;
use crate::openai::error::ApiError;
use crate::openai::request::is_tool_name;

/// A tool that the model may call.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub(crate) struct ToolItem {
    /// `function`; `custom` for a tool whose input is free text; `namespace` for a group of functions. Other types run on OpenAI's
    /// servers: they are left out, and the response does not list them.
    #[serde(rename = "type")]
    kind: String,
    /// The name: 1 to 64 letters, digits, `_` or `-`.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// The JSON schema of the arguments of a function.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Map<String, Value>>,
    /// Whether the arguments must follow the schema exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    /// The functions of a namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tools: Vec<NamespacedTool>,
}

impl ToolItem {
    /// The tool as the response lists it. A function has all of its fields, null where the request does not say.
    fn listed(&self) -> Value {
        let Self { kind, name, description, parameters, strict, .. } = self;
        match kind.as_str() {
            "function" => json!({
                "type": kind, "name": name, "description": description, "parameters": parameters, "strict": strict,
            }),
            _ => json!(self),
        }
    }
}

/// A function of a namespace.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub(crate) struct NamespacedTool {
    /// Always `function`.
    #[serde(rename = "type")]
    _kind: NamespacedToolKind,
    /// The name: 1 to 64 letters, digits, `_` or `-`.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// The JSON schema of the arguments.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Map<String, Value>>,
    /// Whether the arguments must follow the schema exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// The type of a function of a namespace.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NamespacedToolKind {
    /// A function.
    Function,
}

/// A tool as a provider knows it, and what it is for the client.
#[derive(Debug, Clone)]
struct KnownTool {
    tool: Tool,
    namespace: Option<String>,
    /// The client's name of it.
    name: String,
    is_custom: bool,
}

/// The tools of a request. Providers have neither namespaces nor tools with free text, so each becomes a function with a name of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tools {
    known: Vec<KnownTool>,
    /// The tools in effect, for the response.
    pub(super) listed: Vec<Value>,
}

impl Tools {
    /// The tools of a request.
    ///
    /// # Errors
    /// Status 400 when there are too many, or a name is not valid.
    pub(super) fn new(items: &[ToolItem]) -> Result<Self, ApiError> {
        let mut tools = Self::default();
        for item in items {
            for name in item.name.iter().chain(item.tools.iter().map(|function| &function.name)) {
                valid_name(Some(name))?;
            }
            match item.kind.as_str() {
                "function" | "custom" => tools.add(item)?,
                "namespace" => tools.add_namespace(item)?,
                _ => continue, // it runs on OpenAI's servers
            }
            tools.listed.push(item.listed());
        }
        if tools.known.len() > MAX_TOOLS {
            return Err(invalid("`tools` may have at most 128 tools."));
        }
        Ok(tools)
    }

    fn add(&mut self, item: &ToolItem) -> Result<(), ApiError> {
        let name = valid_name(item.name.as_deref())?;
        let mut tool = Tool::new(name);
        tool.description.clone_from(&item.description);
        tool.strict = item.strict;
        let is_custom = item.kind == "custom";
        tool.parameters = if is_custom { Some(free_text()) } else { item.parameters.clone().map(Value::Object) };
        self.known.push(KnownTool { tool, namespace: None, name: name.to_owned(), is_custom });
        Ok(())
    }

    fn add_namespace(&mut self, item: &ToolItem) -> Result<(), ApiError> {
        let namespace = valid_name(item.name.as_deref())?;
        for function in &item.tools {
            let name = valid_name(Some(&function.name))?;
            let mut tool = Tool::new(sent_name(namespace, name));
            tool.description.clone_from(&function.description);
            tool.strict = function.strict;
            tool.parameters = function.parameters.clone().map(Value::Object);
            let namespace = Some(namespace.to_owned());
            self.known.push(KnownTool { tool, namespace, name: name.to_owned(), is_custom: false });
        }
        Ok(())
    }

    /// The tools as providers know them.
    pub(super) fn for_provider(&self) -> Vec<Tool> {
        self.known.iter().map(|known| known.tool.clone()).collect()
    }

    /// The item of the output for a call.
    pub(super) fn to_item(&self, call: &ToolCall, new_id: impl Fn(&str) -> String) -> OutputItem {
        let known = self.known.iter().find(|known| known.tool.name == call.name);
        let is_custom = known.is_some_and(|known| known.is_custom);
        let id = new_id(if is_custom { "ctc" } else { "fc" });
        let name = known.map_or(&call.name, |known| &known.name);
        let namespace = known.and_then(|known| known.namespace.clone());
        OutputItem::call(id, "completed", ToolCall { name: name.clone(), ..call.clone() }, namespace, is_custom)
    }
}

/// The name under which a provider knows a function of a namespace, at most 64 characters.
pub(super) fn sent_name(namespace: &str, name: &str) -> String {
    let mut sent = format!("{namespace}__{name}");
    sent.drain(..sent.len().saturating_sub(64));
    sent
}

fn valid_name(name: Option<&str>) -> Result<&str, ApiError> {
    name.filter(|name| is_tool_name(name))
        .ok_or_else(|| invalid("The name of a tool must have 1 to 64 letters, digits, `_` or `-`."))
}

fn invalid(message: &str) -> ApiError {
    ApiError::invalid_request(message, Some("tools"))
}

/// The schema that stands for the free text of a custom tool, because providers call functions only.
fn free_text() -> Value {
    json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_get_back_the_names_of_the_client() {
        let items: Vec<ToolItem> = serde_json::from_value(json!([
            {"type": "function", "name": "open", "parameters": {"type": "object"}},
            {"type": "custom", "name": "run"},
            {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "open"}]},
            {"type": "web_search"},
        ]))
        .unwrap();
        let tools = Tools::new(&items).unwrap();
        let sent: Vec<String> = tools.for_provider().into_iter().map(|tool| tool.name).collect();
        assert_eq!(sent, ["open", "run", "agents__open"]);
        assert_eq!(tools.listed.len(), 3, "a tool that runs elsewhere is left out");
        let item = |name: &str, arguments: &str| {
            let call = ToolCall { name: name.into(), arguments: arguments.into(), ..ToolCall::default() };
            json!(tools.to_item(&call, |prefix| prefix.to_owned()))
        };
        assert_eq!(item("open", "{}")["namespace"], Value::Null);
        assert_eq!(
            (&item("agents__open", "{}")["name"], &item("agents__open", "{}")["namespace"]),
            (&json!("open"), &json!("agents"))
        );
        assert_eq!(item("run", r#"{"input": "ls"}"#)["input"], "ls");
    }

    #[test]
    fn names_are_checked() {
        for item in [
            json!({"type": "function", "name": "not a name"}),
            json!({"type": "function"}),
            json!({"type": "namespace", "name": "a", "tools": [{"type": "function", "name": "not a name"}]}),
            json!({"type": "web_search", "name": "not a name"}),
        ] {
            assert!(Tools::new(&[serde_json::from_value(item.clone()).unwrap()]).is_err(), "{item}");
        }
        assert_eq!(sent_name(&"n".repeat(60), &"m".repeat(60)).len(), 64);
    }
}
