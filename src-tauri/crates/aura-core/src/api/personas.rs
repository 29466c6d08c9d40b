//! Choosing a persona by a change of the settings.

use serde::Deserialize;
use serde_json::Value;

use crate::assistant::Assistant;
use crate::config::{Persona, check_chosen_persona};
use crate::error::Result;

/// Checks that a change chooses a persona that there will be. The settings themselves may name one that is gone: a file that is written
/// by hand must not refuse every other change.
///
/// # Errors
/// When there is no persona of that name.
pub(super) fn check(assistant: &Assistant, changes: &Value) -> Result<()> {
    let Some(chosen) = changes.get("persona").and_then(Value::as_str) else { return Ok(()) };
    let config = assistant.config();
    match changes.get("personas") {
        None => check_chosen_persona(chosen, &config.settings.personas),
        Some(Value::Null) => check_chosen_persona(chosen, &[]),
        // What is no list of personas is refused with the change itself.
        Some(new) => match Vec::<Persona>::deserialize(new) {
            Ok(new) => check_chosen_persona(chosen, &new),
            Err(_) => Ok(()),
        },
    }
}
