//! `/session/{id}/history`: reads and deletes the history of a session.

use aura_core::api::{self as operations, HistoryQuery, TurnId};
use aura_core::record::{Notice, TurnRecord};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::configuration::OperationReply;
use crate::extract::InPath;
use crate::{LocalApi, Problem};

/// Turns read per page.
const PAGE_SIZE: u32 = 500;

/// The history of a session.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SessionHistory {
    /// The session.
    pub(crate) session_id: String,
    /// The turns, oldest first.
    pub(crate) history: Vec<SessionTurn>,
}

/// A turn: one question and its answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SessionTurn {
    /// The id of the turn.
    pub(crate) id: String,
    /// When the turn started.
    pub(crate) timestamp: jiff::Timestamp,
    /// The question; empty when no speech was recognised.
    pub(crate) transcript: String,
    /// The answer.
    pub(crate) response_text: String,
    /// Why the turn failed; null when it succeeded.
    pub(crate) error_message: Option<String>,
    /// Notices for the user.
    pub(crate) notices: Vec<Notice>,
}

impl From<TurnRecord> for SessionTurn {
    fn from(turn: TurnRecord) -> Self {
        Self {
            id: turn.id,
            timestamp: turn.started_at,
            transcript: turn.transcript,
            response_text: turn.answer.trim().to_owned(),
            error_message: turn.error.map(|error| error.message),
            notices: turn.notices,
        }
    }
}

/// Lists the turns of a session. An unknown session has none.
#[utoipa::path(get, path = "/session/{id}/history", tag = "sessions", params(("id" = String, Path, description = "The id of the session")), responses((status = 200, body = SessionHistory)))]
pub(crate) async fn history(State(api): State<LocalApi>, InPath(id): InPath) -> Result<Json<SessionHistory>, Problem> {
    let turns = turns(&api, &id).await?;
    Ok(Json(SessionHistory { session_id: id, history: turns.into_iter().map(SessionTurn::from).collect() }))
}

/// Deletes the turns of a session and their recordings.
#[utoipa::path(delete, path = "/session/{id}/history", tag = "sessions", params(("id" = String, Path, description = "The id of the session")), responses((status = 200, body = OperationReply)))]
pub(crate) async fn forget(State(api): State<LocalApi>, InPath(id): InPath) -> Result<Json<OperationReply>, Problem> {
    let turns = turns(&api, &id).await?;
    let count = turns.len();
    for turn in turns {
        operations::delete_turn(&api.assistant, TurnId { id: turn.id }).await?;
    }
    let message = format!("Deleted {count} turns of the session.");
    Ok(Json(OperationReply { success: true, message, data: serde_json::json!({"session_id": id, "deleted": count}) }))
}

/// Every turn of a session, oldest first.
async fn turns(api: &LocalApi, session: &str) -> Result<Vec<TurnRecord>, Problem> {
    let mut all: Vec<TurnRecord> = Vec::new();
    loop {
        let before = all.last().map(|turn| turn.id.clone());
        let query = HistoryQuery { session: Some(session.to_owned()), before, limit: PAGE_SIZE, search: None };
        let page = operations::history(&api.assistant, query).await?;
        let last = page.len() < PAGE_SIZE as usize;
        all.extend(page);
        if last {
            all.reverse();
            return Ok(all);
        }
    }
}
