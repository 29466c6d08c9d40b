//! `/session/{id}/history`: what was said in a session, and its end.

use aura_core::api::{self, HistoryQuery, TurnId};
use aura_core::record::{Notice, TurnRecord};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::configuration::Changed;
use crate::extract::InPath;
use crate::{Door, Problem};

/// Turns that are read at once.
const PAGE: u32 = 500;

/// What was said.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SessionHistory {
    /// The session.
    pub(crate) session_id: String,
    /// Its turns, the oldest first.
    pub(crate) history: Vec<SessionTurn>,
}

/// One question and its answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SessionTurn {
    /// Its name.
    pub(crate) id: String,
    /// When it was asked.
    pub(crate) timestamp: jiff::Timestamp,
    /// The question; empty when it was not understood.
    pub(crate) transcript: String,
    /// The answer.
    pub(crate) response_text: String,
    /// Why it failed; null when it did not.
    pub(crate) error_message: Option<String>,
    /// What the person was told besides.
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

/// `GET`: the turns; of a session that nobody knows there are none.
#[utoipa::path(get, path = "/session/{id}/history", tag = "sessions", params(("id" = String, Path, description = "The session")), responses((status = 200, body = SessionHistory)))]
pub(crate) async fn history(State(door): State<Door>, InPath(id): InPath) -> Result<Json<SessionHistory>, Problem> {
    let turns = turns(&door, &id).await?;
    Ok(Json(SessionHistory { session_id: id, history: turns.into_iter().map(SessionTurn::from).collect() }))
}

/// `DELETE`: forgets the turns, with what was recorded of them.
#[utoipa::path(delete, path = "/session/{id}/history", tag = "sessions", params(("id" = String, Path, description = "The session")), responses((status = 200, body = Changed)))]
pub(crate) async fn forget(State(door): State<Door>, InPath(id): InPath) -> Result<Json<Changed>, Problem> {
    let turns = turns(&door, &id).await?;
    let count = turns.len();
    for turn in turns {
        api::delete_turn(&door.assistant, TurnId { id: turn.id }).await?;
    }
    let message = format!("The session was forgotten: {count} turns.");
    Ok(Json(Changed { success: true, message, data: serde_json::json!({"session_id": id, "deleted": count}) }))
}

/// Every turn of a session, the oldest first.
async fn turns(door: &Door, session: &str) -> Result<Vec<TurnRecord>, Problem> {
    let mut all: Vec<TurnRecord> = Vec::new();
    loop {
        let before = all.last().map(|turn| turn.id.clone());
        let query = HistoryQuery { session: Some(session.to_owned()), before, limit: PAGE, search: None };
        let page = api::history(&door.assistant, query).await?;
        let last = page.len() < PAGE as usize;
        all.extend(page);
        if last {
            all.reverse();
            return Ok(all);
        }
    }
}
