//! Export of the history to a file.

use std::fmt::Write as _;

use super::{ExportFormat, Exported};
use crate::assistant::Assistant;
use crate::error::{Error, Result};
use crate::ports::TurnFilter;
use crate::record::TurnRecord;

/// Turns per query of the history.
const PAGE: u32 = 500;

pub(super) async fn export(assistant: &Assistant, format: ExportFormat) -> Result<Exported> {
    let mut turns: Vec<TurnRecord> = Vec::new();
    loop {
        let before = turns.last().map(|turn| turn.id.clone());
        let filter = TurnFilter { before, limit: PAGE, ..TurnFilter::default() };
        let page = assistant.ports().history.find(&filter).await?;
        if page.is_empty() {
            break;
        }
        turns.extend(page);
    }
    // The history lists the newest turn first; the exported file begins with the oldest.
    turns.reverse();
    let (text, extension) = match format {
        ExportFormat::Json => (serde_json::to_string_pretty(&turns).map_err(Error::internal)?, "json"),
        ExportFormat::Markdown => (to_markdown(&turns), "md"),
    };
    let time = jiff::Zoned::now().strftime("%Y-%m-%d-%H%M%S").to_string();
    let path = assistant.exports().join(format!("aura-history-{time}.{extension}"));
    tokio::fs::write(&path, text).await.map_err(|cause| Error::storage("write the export", cause))?;
    Ok(Exported { path, turns: u32::try_from(turns.len()).unwrap_or(u32::MAX) })
}

fn to_markdown(turns: &[TurnRecord]) -> String {
    let mut text = String::from("# AURA\n");
    for turn in turns {
        let time = turn.started_at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string();
        let answer = match &turn.error {
            Some(error) => format!("*{}*", error.message),
            None => turn.answer.trim().to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## {time}\n\n**{}**\n\n{answer}\n", turn.transcript.trim());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_history_exports_a_title_alone_and_json_is_the_default_format() {
        assert_eq!(to_markdown(&[]), "# AURA\n");
        assert_eq!(ExportFormat::default(), ExportFormat::Json);
    }
}
