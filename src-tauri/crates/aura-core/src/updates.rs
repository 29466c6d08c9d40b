//! New versions of AURA, as an interface shows them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Whether there is a newer version, and what becomes of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct UpdatesView {
    /// The server that AURA asks for its newest version; absent in a build that knows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub server: Option<String>,
    /// When that server answered last; absent before the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "string"))]
    pub checked_at: Option<Timestamp>,
    /// A version that is newer than this one; absent when there is none, or none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub release: Option<ReleaseView>,
    /// The date of a newer list of models and prices, which is used from the next start on; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "string"))]
    pub new_catalogs: Option<jiff::civil::Date>,
    /// What is being done.
    pub state: UpdateState,
}

/// A version of AURA.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ReleaseView {
    /// Its number, such as `0.2.0`.
    pub version: String,
    /// The day on which it was published.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub published: jiff::civil::Date,
    /// What is new, in Markdown.
    pub notes: String,
    /// The package for this computer; absent when AURA was not installed by one, or there is none of its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub package: Option<PackageView>,
}

/// A package of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PackageView {
    /// The name of its file.
    pub name: String,
    /// Its size in bytes.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub size_bytes: u64,
}

/// What is being done about updates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum UpdateState {
    /// Nothing.
    #[default]
    Idle,
    /// The server is asked.
    Checking,
    /// The package arrives.
    Downloading {
        /// The bytes that have arrived.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        done_bytes: u64,
        /// The bytes in all.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        total_bytes: u64,
    },
    /// The package is on the disk, and its signature is right.
    Ready {
        /// Its path.
        file: String,
        /// The command that installs it in a terminal; absent where only its window does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        command: Option<String>,
    },
    /// The check or the download failed. What has arrived of a package is kept.
    Failed {
        /// Why, and what to do.
        error: Error,
    },
}
