//! `aura conversations`, and the conversation that `aura ask` and `aura listen` go on with.

use std::process::ExitCode;

use aura_core::Assistant;
use aura_core::api::{self, SessionId, SessionsQuery};
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::session::SessionView;
use serde_json::json;

use super::args::Conversation;
use super::history::shorten;
use super::{Operations, output, table};

/// Lists conversations, the one with the latest turn first.
pub(super) async fn run(sandbox: bool, search: Option<String>, limit: u32, as_json: bool) -> Result<ExitCode> {
    let operations = Operations::open(sandbox).await?;
    let found: Result<Vec<SessionView>> =
        operations.request("sessions", json!({ "search": search, "limit": limit })).await;
    operations.close().await;
    let found = found?;
    if as_json {
        return output::json(&found).map(|()| ExitCode::SUCCESS);
    }
    let rows: Vec<_> = found
        .into_iter()
        .map(|conversation| {
            let at = conversation.latest_at.to_zoned(jiff::tz::TimeZone::system());
            let time = at.strftime("%Y-%m-%d %H:%M").to_string();
            [conversation.id, time, conversation.turns.to_string(), shorten(&conversation.title)]
        })
        .collect();
    table::print(["conversation", "latest", "turns", "title"], &rows, "No conversations found.");
    Ok(ExitCode::SUCCESS)
}

/// Makes the chosen conversation the current one of this process.
///
/// # Errors
/// With [`ErrorCode::NotFound`] when the named one is not in the history, or when the history cannot be read.
pub(super) async fn enter(assistant: &Assistant, chosen: &Conversation) -> Result<()> {
    let id = match &chosen.conversation {
        Some(id) => id.clone(),
        None if chosen.newest => {
            let newest = api::sessions(assistant, SessionsQuery { limit: 1, ..SessionsQuery::default() }).await?;
            match newest.into_iter().next() {
                Some(newest) => newest.id,
                None => {
                    eprintln!("note: There is no earlier conversation. This question begins one.");
                    return Ok(());
                }
            }
        }
        None => return Ok(()),
    };
    match api::continue_session(assistant, SessionId { id: id.clone() }).await {
        Err(error) if error.code == ErrorCode::NotFound => {
            let message = format!("There is no conversation `{id}`. `aura conversations` lists them.");
            Err(Error::new(ErrorCode::NotFound, message))
        }
        entered => entered.map(drop),
    }
}
