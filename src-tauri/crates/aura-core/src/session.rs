//! Sessions of the history, as a list shows them, and the summaries of long ones.

use serde::{Deserialize, Serialize};

/// A session of the history: a conversation, whose turns share memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SessionView {
    /// The session's ID.
    pub id: String,
    /// The title that the user gave it, else its first question; empty when no question was understood.
    pub title: String,
    /// Whether the user gave it the title.
    pub renamed: bool,
    /// When its first turn began.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub started_at: jiff::Timestamp,
    /// When its latest turn began.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub latest_at: jiff::Timestamp,
    /// The number of its turns.
    pub turns: u32,
}

/// A summary of the older turns of a session, which stands for them when not all fit into a model's context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSummary {
    /// The session's ID.
    pub session: String,
    /// The number of turns that it covers: the first ones of the session.
    pub turns: u32,
    /// ID of the last turn that it covers.
    pub through: String,
    /// The summary.
    pub text: String,
}
