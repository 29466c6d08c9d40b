//! Consent: answering what a turn asks, and undoing what was done.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::types::Nothing;
pub use crate::action::{Action, PlanStep};
use crate::assistant::Assistant;
pub use crate::consent::{AnsweredBy, ConsentAnswer, ConsentRequest, ConsentTrace, Permission};
use crate::error::{Error, ErrorCode, Result};

/// Request of `answer_consent`: the answer to the question in `consent` of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AnswerConsent {
    /// ID of the question.
    pub id: String,
    /// The answer.
    pub answer: ConsentAnswer,
    /// Who gives it, for the record.
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub by: AnsweredBy,
}

/// Request of `undo`: a call of a tool that can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct UndoAction {
    /// ID of the turn.
    pub turn: String,
    /// The index of the call among those of the turn.
    pub index: u32,
}

/// Answers the question whether something may be done.
///
/// # Errors
/// With [`ErrorCode::NotFound`] when the question no longer waits, with [`ErrorCode::InvalidRequest`] when this answer must not be remembered,
/// or when the settings cannot be saved; the answer still holds this once then.
pub async fn answer_consent(assistant: &Assistant, request: AnswerConsent) -> Result<Nothing> {
    let AnswerConsent { id, answer, by } = request;
    let taken = assistant.turns().context().consents.take(&id, answer)?;
    let (tool, action) = (taken.request().tool.clone(), taken.request().action.clone());
    // First the answer: a person who said no is not made to wait for a disk.
    if !taken.answer(answer, by) {
        return Err(Error::new(ErrorCode::NotFound, "This question is over. Nothing was done."));
    }
    let permission = match answer {
        ConsentAnswer::Always => Permission::Always,
        ConsentAnswer::Never => Permission::Never,
        _ => return Ok(Nothing {}),
    };
    let changes = match action {
        Action::CallMcpTool { server, tool, fingerprint, .. } => {
            let kept = json!({"permission": permission, "fingerprint": fingerprint});
            json!({"mcp_servers": {server: {"tools": {tool: kept}}}})
        }
        _ => json!({"actions": {"permissions": {tool: permission}}}),
    };
    assistant.change(changes).await?;
    Ok(Nothing {})
}

/// Undoes what a call of a tool has changed.
///
/// # Errors
/// With [`ErrorCode::NotFound`] when it can no longer be undone, or when the desktop does not let AURA do it.
pub async fn undo(assistant: &Assistant, request: UndoAction) -> Result<Nothing> {
    let UndoAction { turn, index } = request;
    assistant.turns().context().undo(&turn, index).await?;
    Ok(Nothing {})
}
