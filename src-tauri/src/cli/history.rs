//! `aura history`: past questions and answers.

use std::process::ExitCode;

use aura_core::api::DeletedTurns;
use aura_core::error::{Error, Result};
use aura_core::record::TurnRecord;
use aura_router::RouteOverrides;
use serde_json::json;

use super::args::History;
use super::{Operations, output, table};

/// Turns that a list shows.
const LIST_LIMIT: u32 = 20;
/// Turns per request of an export.
const PAGE: u32 = 500;
/// Characters of a question or an answer that a list shows.
const MAX_CHARS: usize = 60;

pub(super) async fn run(sandbox: bool, what: Option<History>, json: bool) -> Result<ExitCode> {
    let operations = Operations::open(sandbox).await?;
    let result = run_command(&operations, what, json).await;
    operations.close().await;
    result
}

async fn run_command(operations: &Operations, what: Option<History>, as_json: bool) -> Result<ExitCode> {
    match what {
        None => list(&turns(operations, json!({ "limit": LIST_LIMIT })).await?, as_json),
        Some(History::Search { words }) => {
            list(&turns(operations, json!({ "search": words.join(" "), "limit": LIST_LIMIT })).await?, as_json)
        }
        Some(History::Retry { id, routes }) => {
            let request = json!({ "id": id, "overrides": RouteOverrides::from(routes) });
            let record = operations.call("retry", request).await?;
            output::turn(&serde_json::from_value(record).map_err(Error::internal)?, as_json)
        }
        Some(History::Delete { id: Some(id), .. }) => {
            operations.call("delete_turn", json!({ "id": id })).await?;
            if as_json {
                return output::json(&json!({})).map(|()| ExitCode::SUCCESS);
            }
            output::print("Deleted.");
            Ok(ExitCode::SUCCESS)
        }
        Some(History::Delete { id: None, from, before, all }) => {
            let request = json!({ "from": from, "before": before, "all": all });
            let deleted = operations.call("delete_turns", request).await?;
            let deleted: DeletedTurns = serde_json::from_value(deleted).map_err(Error::internal)?;
            report(deleted, as_json)
        }
        Some(History::Export) => {
            let mut all: Vec<TurnRecord> = Vec::new();
            loop {
                let before = all.last().map(|turn| turn.id.clone());
                let page = turns(operations, json!({ "before": before, "limit": PAGE })).await?;
                if page.is_empty() {
                    break;
                }
                all.extend(page);
            }
            all.reverse();
            output::json(&all).map(|()| ExitCode::SUCCESS)
        }
    }
}

fn report(deleted: DeletedTurns, as_json: bool) -> Result<ExitCode> {
    if as_json {
        return output::json(&deleted).map(|()| ExitCode::SUCCESS);
    }
    output::print(format!("Deleted {} turns and {} recordings.", deleted.turns, deleted.recordings));
    if deleted.recordings_left > 0 {
        eprintln!(
            "note: {} recordings could not be removed. AURA removes them at its next start. Check the folder's permissions.",
            deleted.recordings_left
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn turns(operations: &Operations, query: serde_json::Value) -> Result<Vec<TurnRecord>> {
    serde_json::from_value(operations.call("history", query).await?).map_err(Error::internal)
}

fn list(turns: &[TurnRecord], as_json: bool) -> Result<ExitCode> {
    if as_json {
        return output::json(&turns).map(|()| ExitCode::SUCCESS);
    }
    let rows: Vec<_> = turns
        .iter()
        .map(|turn| {
            let at = turn.started_at.to_zoned(jiff::tz::TimeZone::system());
            let outcome = turn.error.as_ref().map_or_else(|| shorten(&turn.answer), |error| shorten(&error.message));
            [turn.id.clone(), at.strftime("%Y-%m-%d %H:%M").to_string(), shorten(&turn.transcript), outcome]
        })
        .collect();
    table::print(["turn", "time", "question", "answer"], &rows, "No turns found.");
    Ok(ExitCode::SUCCESS)
}

/// The beginning of a text, in one line.
pub(super) fn shorten(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_CHARS) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}
