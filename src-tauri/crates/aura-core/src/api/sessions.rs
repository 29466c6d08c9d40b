//! Conversations: the sessions of the history, as a list that can be continued, renamed and deleted from.

use serde::{Deserialize, Serialize};

use super::DeletedTurns;
use super::types::{page_size, search_words};
use crate::assistant::Assistant;
use crate::error::{Error, ErrorCode, Result};
use crate::ports::{Deleted, Selection, SessionFilter};
use crate::session::SessionView;
use crate::views::Snapshot;

/// The longest title, in characters.
pub const MAX_TITLE_CHARS: usize = 200;

/// Request of `sessions`: filters and paging.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct SessionsQuery {
    /// Only sessions whose title contains this text, or with a turn that contains every one of its words.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub search: Option<String>,
    /// Only sessions that come after the session with this ID in the list.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub before: Option<String>,
    /// The largest number of sessions, at most 1000; 0 means 50.
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub limit: u32,
}

/// Request of `continue_session` and `delete_session`: one session of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SessionId {
    /// The session's ID.
    pub id: String,
}

/// Request of `rename_session`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RenameSession {
    /// The session's ID.
    pub id: String,
    /// The new title, at most 200 characters in one line; empty: the first question again.
    pub title: String,
}

pub(super) async fn list(assistant: &Assistant, request: SessionsQuery) -> Result<Vec<SessionView>> {
    let SessionsQuery { search, before, limit } = request;
    let (limit, words) = (page_size(limit), search_words(search));
    assistant.ports().history.sessions(&SessionFilter { words, before, limit }).await
}

pub(super) async fn resume(assistant: &Assistant, id: String) -> Result<Snapshot> {
    let filter = crate::ports::TurnFilter { session: Some(id.clone()), limit: 1, ..Default::default() };
    if assistant.ports().history.find(&filter).await?.is_empty() {
        return Err(missing());
    }
    Ok(assistant.enter_session(id))
}

pub(super) async fn rename(assistant: &Assistant, request: &RenameSession) -> Result<()> {
    let title = request.title.trim();
    if title.chars().count() > MAX_TITLE_CHARS || title.contains(char::is_control) {
        return Err(Error::invalid(format!("A title has one line of at most {MAX_TITLE_CHARS} characters.")));
    }
    match assistant.ports().history.rename_session(&request.id, title).await? {
        true => Ok(()),
        false => Err(missing()),
    }
}

pub(super) async fn delete(assistant: &Assistant, id: String) -> Result<DeletedTurns> {
    assistant.forget_last();
    let deleted = assistant.ports().history.delete(&Selection::Session(id.clone())).await?;
    if assistant.session() == id {
        assistant.begin_session();
    }
    Ok(deleted.into())
}

fn missing() -> Error {
    Error::new(ErrorCode::NotFound, "This conversation is no longer in the history.")
}

impl From<Deleted> for DeletedTurns {
    fn from(deleted: Deleted) -> Self {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Self {
            turns: count(deleted.ids.len()),
            recordings: count(deleted.files.len()),
            recordings_left: count(deleted.files_left.len()),
        }
    }
}
