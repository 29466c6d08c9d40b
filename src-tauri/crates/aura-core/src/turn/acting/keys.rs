//! The tools that type and press keys in the window in front.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::tools::{Call, Tool, ToolResult};
use super::super::turn::Turn;
use crate::action::{Action, Effect};
use crate::desktop::KeyCombination;
use crate::error::{Error, Result};

/// Types a text where the cursor is.
pub(super) struct TypeText;

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[async_trait]
impl Tool for TypeText {
    fn name(&self) -> &str {
        "type_text"
    }

    fn description(&self) -> String {
        "Types a text where the cursor is in the window in front. A line break at its end presses Enter. Replaces what is selected there.".into()
    }

    fn parameters(&self) -> Value {
        json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]})
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    async fn plan(&self, turn: &Turn, arguments: &Map<String, Value>) -> Result<Option<Action>> {
        let Text { text } = super::arguments(arguments)?;
        let text = typable(&text);
        super::check_text(&text)?;
        Ok(Some(Action::TypeText { text, window: turn.context.ports.desktop.target_window().await? }))
    }

    async fn run(&self, turn: &Turn, call: Call) -> Result<ToolResult> {
        turn.perform(call).await
    }
}

/// Presses a combination of keys.
pub(super) struct PressShortcut;

#[derive(Deserialize)]
struct Keys {
    keys: String,
}

#[async_trait]
impl Tool for PressShortcut {
    fn name(&self) -> &str {
        "press_shortcut"
    }

    fn description(&self) -> String {
        "Presses a key or a combination of keys in the window in front, such as Ctrl+S, Alt+Left or Enter.".into()
    }

    fn parameters(&self) -> Value {
        json!({"type": "object", "properties": {"keys": {"type": "string"}}, "required": ["keys"]})
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    async fn plan(&self, turn: &Turn, arguments: &Map<String, Value>) -> Result<Option<Action>> {
        let Keys { keys } = super::arguments(arguments)?;
        let keys = keys.parse::<KeyCombination>()?.to_string();
        for (_, shortcut) in turn.config.settings.shortcuts() {
            check_own(&keys, &shortcut)?;
        }
        Ok(Some(Action::PressShortcut { keys, window: turn.context.ports.desktop.target_window().await? }))
    }

    async fn run(&self, turn: &Turn, call: Call) -> Result<ToolResult> {
        turn.perform(call).await
    }
}

/// Checks that a combination is none that AURA itself listens to.
///
/// # Errors
/// When it is: it would stop the turn, or begin another one.
fn check_own(keys: &str, shortcut: &str) -> Result<()> {
    let own = shortcut.parse::<KeyCombination>().map(|own| own.to_string());
    if keys == "Escape" || own.is_ok_and(|own| own == keys) {
        return Err(Error::invalid(format!("AURA itself listens to {keys}, so it cannot press it. Nothing was done.")));
    }
    Ok(())
}

/// The text without what a terminal would take as a command and a window would not show: control characters, and marks that change the
/// direction of writing. So what is shown is what is typed.
fn typable(text: &str) -> String {
    let is_hidden = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.replace("\r\n", "\n").replace('\r', "\n").chars().filter(|c| !is_hidden(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_aura_listens_to_are_not_pressed() {
        assert!(check_own("Escape", "F9").is_err());
        assert!(check_own("Ctrl+Shift+Space", "ctrl+shift+space").is_err());
        assert!(check_own("Ctrl+Escape", "Ctrl+Shift+Space").is_ok());
    }

    #[test]
    fn what_is_typed_is_what_is_shown() {
        assert_eq!(typable("Grüße,\r\nzwei\tDinge 你好 🎉"), "Grüße,\nzwei\tDinge 你好 🎉");
        assert_eq!(typable("a\u{1b}[2Jb\u{8}\u{202e}c\u{0}"), "a[2Jbc");
    }
}
