//! The tools that act: on the desktop, and with AURA's timers. Each says what it would do as an [`Action`](crate::action::Action), which
//! [`perform`] carries out once the person has consented.

mod clipboard;
mod keys;
mod mcp_tool;
mod media;
mod open;
mod perform;
mod show_plan;
mod timer_tools;
mod window;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::tools::Tool;
use crate::action::Effect;
use crate::config::{Actions, Settings};
use crate::consent::Permission;
use crate::error::{Error, Result};
use crate::mcp::McpServers;

/// The longest text that is typed or put on the clipboard, in characters.
const MAX_TEXT: usize = 20_000;

/// The part of the system prompt for a model that can act.
pub(super) const INSTRUCTIONS: &str = "You can act on this computer with your tools. Do what the person asked for, and nothing else. The app \
asks the person before anything is done, so do not ask yourself and do not announce it. If a request needs several steps, call `show_plan` \
first with all of them, then carry out those that can be done. If the person says no, do not try it again. Never claim that something is \
done before its tool says so, and say what could not be done and why.";

/// Every tool that acts, whatever the settings say.
fn all() -> [Arc<dyn Tool>; 13] {
    [
        Arc::new(show_plan::ShowPlan),
        Arc::new(open::Open),
        Arc::new(clipboard::ReadClipboard),
        Arc::new(clipboard::SetClipboard),
        Arc::new(clipboard::ReadSelection),
        Arc::new(keys::TypeText),
        Arc::new(keys::PressShortcut),
        Arc::new(window::ReadWindow),
        Arc::new(window::UseControl),
        Arc::new(media::Media),
        Arc::new(timer_tools::SetTimer),
        Arc::new(timer_tools::ListTimers),
        Arc::new(timer_tools::CancelTimer),
    ]
}

/// The tools that act, except those that the settings forbid.
pub(super) fn tools(settings: &Actions) -> impl Iterator<Item = Arc<dyn Tool>> {
    all().into_iter().filter(|tool| settings.permission(tool.name()) != Permission::Never)
}

/// The tools of MCP servers, except those that the settings forbid.
pub(super) fn mcp_tools(servers: &McpServers, settings: &Settings) -> impl Iterator<Item = Arc<dyn Tool>> {
    servers.offered(settings).map(|tool| Arc::new(mcp_tool::McpTool(tool)) as Arc<dyn Tool>)
}

/// The names of the tools that the person may be asked for, in the order in which the settings list them.
pub(crate) fn asking_tools() -> Vec<String> {
    let asks = |tool: &Arc<dyn Tool>| matches!(tool.effect(), Effect::Changes | Effect::ReadsPrivate);
    all().iter().filter(|tool| asks(tool)).map(|tool| tool.name().to_owned()).collect()
}

/// Reads the arguments of a call.
///
/// # Errors
/// When one is missing or has another type.
fn arguments<T: DeserializeOwned>(arguments: &Map<String, Value>) -> Result<T> {
    serde_json::from_value(Value::Object(arguments.clone()))
        .map_err(|cause| Error::invalid(format!("The arguments are wrong: {cause}. Nothing was done.")))
}

/// Checks the length of a text.
///
/// # Errors
/// When it is empty or too long.
fn check_text(text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid("The text is empty. Nothing was done."));
    }
    if text.chars().count() > MAX_TEXT {
        return Err(Error::invalid(format!("The text has more than {MAX_TEXT} characters. Nothing was done.")));
    }
    Ok(())
}
