//! Settings of what AURA may do in other programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::consent::Permission;
use crate::error::{Error, Result};

/// The longest name of a tool, in characters.
const MAX_NAME: usize = 64;

/// What AURA may do in other programs. Unless a permission says otherwise, it asks before each action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Actions {
    /// Whether the model is offered tools that act. Applies to the desktop app alone.
    pub enabled: bool,
    /// What may be done without a question, by the name of the tool. A tool that is not listed asks.
    #[cfg_attr(feature = "ts", ts(as = "BTreeMap<String, Option<Permission>>"))]
    pub permissions: BTreeMap<String, Permission>,
}

impl Default for Actions {
    fn default() -> Self {
        Self { enabled: true, permissions: BTreeMap::new() }
    }
}

impl Actions {
    /// What may be done with a tool without a question.
    pub(crate) fn permission(&self, tool: &str) -> Permission {
        self.permissions.get(tool).copied().unwrap_or_default()
    }
}

/// Checks the names.
///
/// # Errors
/// When one cannot be the name of a tool.
pub(super) fn check(actions: &Actions) -> Result<()> {
    let is_name = |name: &str| {
        (1..=MAX_NAME).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    match actions.permissions.keys().find(|name| !is_name(name)) {
        Some(name) => Err(Error::invalid(format!("`{name}` is not the name of a tool."))),
        None => Ok(()),
    }
}
