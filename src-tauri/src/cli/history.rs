//! `aura history`: what was asked and answered.

use std::process::ExitCode;

use aura_core::api::Wishes;
use aura_core::error::{Error, Result};
use aura_core::record::TurnRecord;
use serde_json::json;

use super::args::History;
use super::{Operations, output, table};

/// Turns in a list.
const SHOWN: u32 = 20;
/// Turns that are read at once for an export.
const PAGE: u32 = 500;
/// Letters of a question or an answer in a list.
const LETTERS: usize = 60;

pub(super) async fn run(sandbox: bool, what: Option<History>, json: bool) -> Result<ExitCode> {
    let operations = Operations::open(sandbox).await?;
    let done = answer(&operations, what, json).await;
    operations.close().await;
    done
}

async fn answer(operations: &Operations, what: Option<History>, as_json: bool) -> Result<ExitCode> {
    match what {
        None => list(&turns(operations, json!({ "limit": SHOWN })).await?, as_json),
        Some(History::Search { words }) => {
            list(&turns(operations, json!({ "search": words.join(" "), "limit": SHOWN })).await?, as_json)
        }
        Some(History::Retry { id, routes }) => {
            let request = json!({ "id": id, "wishes": Wishes::from(routes) });
            let record = operations.call("retry", request).await?;
            output::turn(&serde_json::from_value(record).map_err(Error::internal)?, as_json)
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
            let outcome = turn.error.as_ref().map_or_else(|| short(&turn.answer), |error| short(&error.message));
            [turn.id.clone(), at.strftime("%Y-%m-%d %H:%M").to_string(), short(&turn.transcript), outcome]
        })
        .collect();
    table::print(["turn", "when", "asked", "answered"], &rows, "Nothing was found.");
    Ok(ExitCode::SUCCESS)
}

fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LETTERS) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}
