//! Why a provider cannot be used: typed, and in a sentence.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a provider cannot be used, and for how long: until its settings or its key change. Displayed as a sentence about it, without its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProviderProblem {
    /// Its address is no URL.
    InvalidAddress {
        /// The address of the settings or the environment.
        address: String,
    },
    /// It needs an API key and has none.
    NoKey,
    /// Its API key was saved for another address, and is not sent to this one.
    KeyOfOtherAddress,
    /// Its address is plain http beyond this computer, to which no API key is sent.
    KeyUnprotected,
    /// It rejected its API key.
    KeyRejected,
}

impl fmt::Display for ProviderProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidAddress { address } => return write!(f, "Its address `{address}` is not valid."),
            Self::NoKey => "It has no API key yet.",
            Self::KeyOfOtherAddress => {
                "Its address is not the one that its API key is for, so the key is not sent. Save its key again."
            }
            Self::KeyUnprotected => {
                "Its address is not encrypted (http), so its API key is not sent. Use an https address, or remove the key."
            }
            Self::KeyRejected => "Its API key was rejected. Save a new one.",
        })
    }
}
