//! Settings that environment variables overrule, as they are shown.

use serde::{Deserialize, Serialize};

/// A remembered setting that an environment variable overrules, now or at the next start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Overruled {
    /// Path of the setting, such as `routes.llm.provider`.
    pub setting: String,
    /// The environment variable.
    pub variable: String,
    /// The value of the variable.
    pub value: String,
    /// The value that was remembered.
    pub remembered: String,
    /// Whether the variable's value is in effect now. If not, the setting was changed since the start, and the variable decides
    /// again at the next one.
    pub in_effect: bool,
}

impl Overruled {
    /// The notice as a sentence.
    pub fn message(&self) -> String {
        let Self { setting, variable, value, remembered, in_effect } = self;
        if *in_effect {
            format!(
                "{variable}={value} overrules the remembered `{setting}`, {remembered}. Remove the variable to keep that."
            )
        } else {
            format!(
                "{variable}={value} decides `{setting}` again when AURA starts next. Remove the variable to keep {remembered}."
            )
        }
    }
}
