//! The tools, as the other program sees them.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool as Definition, ToolAnnotations};
use serde_json::{Value, json};

use super::Allowed;

/// The longest question, and the longest text that is said, in bytes.
pub const MAX_TEXT: usize = 16 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Ask,
    Listen,
    Speak,
    LookAtScreen,
}

/// A call whose arguments are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    Ask(String),
    Listen,
    Speak(String),
    LookAtScreen,
}

impl Tool {
    pub(super) const ALL: [Self; 4] = [Self::Ask, Self::Listen, Self::Speak, Self::LookAtScreen];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Listen => "listen",
            Self::Speak => "speak",
            Self::LookAtScreen => "look_at_screen",
        }
    }

    pub(super) fn is_allowed(self, allowed: Allowed) -> bool {
        match self {
            Self::Ask | Self::Speak => true,
            Self::Listen => allowed.microphone,
            Self::LookAtScreen => allowed.screen,
        }
    }

    /// The name of the only argument, and what it is for.
    fn argument(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Ask => Some(("question", "The question, in the user's language.")),
            Self::Speak => Some(("text", "What to say: plain text without Markdown, in the user's language.")),
            Self::Listen | Self::LookAtScreen => None,
        }
    }

    pub(super) fn definition(self) -> Definition {
        let (title, description) = match self {
            Self::Ask => ("Ask AURA", "Asks AURA's own language model a question and returns its answer as text."),
            Self::Listen => (
                "Listen to the user",
                "Opens the microphone, waits until the user has said something, and returns it as text. The user sees that AURA listens.",
            ),
            Self::Speak => ("Speak to the user", "Says a text aloud with AURA's voice. Returns when it was said."),
            Self::LookAtScreen => {
                ("Look at the screen", "Takes a picture of the user's screen. The user sees it happen.")
            }
        };
        let (mut properties, mut required) = (JsonObject::new(), Vec::new());
        if let Some((name, what)) = self.argument() {
            properties.insert(name.into(), json!({"type": "string", "description": what, "minLength": 1}));
            required.push(name);
        }
        let mut schema = JsonObject::new();
        schema.insert("type".into(), "object".into());
        schema.insert("properties".into(), properties.into());
        schema.insert("required".into(), json!(required));
        schema.insert("additionalProperties".into(), false.into());
        // None of them changes anything that lasts; a question goes to the user's provider.
        let hints = ToolAnnotations::with_title(title)
            .read_only(self != Self::Speak)
            .destructive(false)
            .open_world(self == Self::Ask);
        Definition::new(self.name(), description, Arc::new(schema)).with_title(title).with_annotations(hints)
    }

    /// Reads the arguments of a call.
    pub(super) fn request(self, arguments: Option<JsonObject>) -> Result<Request, String> {
        let arguments = arguments.unwrap_or_default();
        let wanted = self.argument().map(|(name, _)| name);
        if let Some(unknown) = arguments.keys().find(|name| Some(name.as_str()) != wanted) {
            return Err(format!("There is no argument `{}`.", unknown.chars().take(60).collect::<String>()));
        }
        let text = |name: &str| match arguments.get(name) {
            Some(Value::String(text)) if text.trim().is_empty() => Err(format!("`{name}` is empty.")),
            Some(Value::String(text)) if text.len() > MAX_TEXT => {
                Err(format!("`{name}` is longer than {MAX_TEXT} bytes."))
            }
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(format!("`{name}` must be a text.")),
        };
        match self {
            Self::Ask => text("question").map(Request::Ask),
            Self::Speak => text("text").map(Request::Speak),
            Self::Listen => Ok(Request::Listen),
            Self::LookAtScreen => Ok(Request::LookAtScreen),
        }
    }
}
