//! What is wrong with the settings file: typed, and in sentences for the command line and the local API.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A problem of the settings file. Displayed as a sentence that says what happens instead. The causes are words of the system or of a
/// parser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SettingsProblem {
    /// The file cannot be read.
    Unreadable {
        /// Why.
        cause: String,
    },
    /// The file is not TOML, and a copy of it was made before the next change overwrites it.
    NotToml {
        /// Why.
        cause: String,
        /// The copy.
        copy: PathBuf,
    },
    /// The file is not TOML, and could not be copied.
    NotCopied {
        /// Why it is no TOML, and why it could not be copied.
        cause: String,
    },
    /// A later version of AURA wrote the file. It is not changed.
    NewerVersion {
        /// The layout of the file.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        version: i64,
        /// The newest layout that is known.
        known: u32,
    },
    /// A value is not valid; its default is used.
    Value {
        /// The path of the setting, such as `listening.mode`.
        setting: String,
        /// Why.
        cause: String,
    },
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { cause } => write!(f, "The settings file could not be read: {cause}."),
            Self::NotToml { cause, copy } => {
                write!(f, "The settings file is not valid TOML ({cause}); a copy was saved as {}.", copy.display())
            }
            Self::NotCopied { cause } => {
                write!(
                    f,
                    "The settings file is not valid TOML and could not be copied ({cause}). Save it before you change a setting."
                )
            }
            Self::NewerVersion { version, known } => write!(
                f,
                "A later version of AURA wrote the settings file (layout {version}, this version knows {known}). AURA uses what it \
                 understands and changes nothing. Update AURA, or move the file away to begin with new settings."
            ),
            Self::Value { setting, cause } => {
                let cause = cause.trim_end_matches('.');
                write!(f, "`{setting}` in the settings file is not valid, so its default is used: {cause}.")
            }
        }
    }
}
