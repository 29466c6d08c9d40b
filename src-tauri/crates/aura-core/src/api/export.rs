//! Export of the history to a file.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{ExportFormat, Exported};
use crate::assistant::Assistant;
use crate::error::{Error, Result};
use crate::files::private_file;
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
    let found = assistant.ports().history.summaries(None).await?;
    let summaries: Summaries = found.into_iter().map(|summary| (summary.through, summary.text)).collect();
    let (text, extension) = match format {
        ExportFormat::Json => (to_json(&turns, &summaries)?, "json"),
        ExportFormat::Markdown => (to_markdown(&turns, &summaries), "md"),
    };
    let time = jiff::Zoned::now().strftime("%Y-%m-%d-%H%M%S").to_string();
    let base = assistant.exports().join(format!("aura-history-{time}"));
    let path = tokio::task::spawn_blocking(move || write_new(&base, extension, text.as_bytes()))
        .await
        .map_err(Error::internal)?
        .map_err(|cause| Error::storage("write the export", cause))?;
    Ok(Exported { path, turns: u32::try_from(turns.len()).unwrap_or(u32::MAX) })
}

/// Exports of the same second that are numbered at most.
const MAX_NUMBER: u32 = 1_000;

/// Writes a new file that only the current user can read, `base.extension` or `base-2.extension` and so on. Never replaces a file, and never
/// follows a link. A file that could not be written whole is deleted.
fn write_new(base: &Path, extension: &str, content: &[u8]) -> std::io::Result<PathBuf> {
    let mut options = private_file();
    options.create_new(true);
    let mut number = 1;
    let (mut file, path) = loop {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let path = PathBuf::from(format!("{}{suffix}.{extension}", base.display()));
        match options.open(&path) {
            Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists && number < MAX_NUMBER => number += 1,
            opened => break (opened?, path),
        }
    };
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        drop(std::fs::remove_file(&path));
    }
    written.map(|()| path)
}

/// The summaries of long conversations, by the ID of the last turn that each covers.
type Summaries = HashMap<String, String>;

/// The records. One with which a summary ends has it as `summary`.
fn to_json(turns: &[TurnRecord], summaries: &Summaries) -> Result<String> {
    #[derive(Serialize)]
    struct Exported<'a> {
        #[serde(flatten)]
        turn: &'a TurnRecord,
        #[serde(skip_serializing_if = "Option::is_none")]
        summary: Option<&'a String>,
    }
    let turns: Vec<_> = turns.iter().map(|turn| Exported { turn, summary: summaries.get(&turn.id) }).collect();
    serde_json::to_string_pretty(&turns).map_err(Error::internal)
}

fn to_markdown(turns: &[TurnRecord], summaries: &Summaries) -> String {
    let mut text = String::from("# AURA\n");
    for turn in turns {
        let time = turn.started_at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string();
        let answer = match &turn.error {
            Some(error) => format!("*{}*", error.message),
            None => turn.answer.trim().to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## {time}\n\n**{}**\n\n{answer}\n", turn.transcript.trim());
        if let Some(summary) = summaries.get(&turn.id) {
            let quoted = summary.trim().replace('\n', "\n> ");
            let _ = write!(text, "\n> *The conversation so far:* {quoted}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_history_exports_a_title_alone_and_json_is_the_default_format() {
        assert_eq!(to_markdown(&[], &Summaries::new()), "# AURA\n");
        assert_eq!(ExportFormat::default(), ExportFormat::Json);
    }

    #[test]
    fn a_summary_follows_the_turn_with_which_it_ends() {
        let turn = |id: &str| TurnRecord::begun(id.into(), "x".into(), jiff::Timestamp::UNIX_EPOCH);
        let (turns, summaries) =
            ([turn("a"), turn("b")], Summaries::from([("b".into(), "Lamps.\nAll of them.".into())]));
        let json: serde_json::Value = serde_json::from_str(&to_json(&turns, &summaries).unwrap()).unwrap();
        assert_eq!((json[0].get("summary"), &json[1]["summary"]), (None, &"Lamps.\nAll of them.".into()));
        assert_eq!(serde_json::from_value::<TurnRecord>(json[1].clone()).unwrap(), turns[1]);
        let text = to_markdown(&turns, &summaries);
        assert!(text.ends_with("\n> *The conversation so far:* Lamps.\n> All of them.\n"), "{text}");
        assert_eq!(text.matches("so far").count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn an_export_is_private_and_neither_replaces_a_file_nor_follows_a_link() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("aura-history");
        let outside = folder.path().join("outside");
        std::fs::write(&outside, "mine").unwrap();
        symlink(&outside, base.with_extension("json")).unwrap();
        symlink(folder.path().join("missing"), folder.path().join("aura-history-2.json")).unwrap();
        let third = write_new(&base, "json", b"[]").unwrap();
        assert_eq!(third, folder.path().join("aura-history-3.json"));
        assert_eq!(std::fs::metadata(&third).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write_new(&base, "json", b"[1]").unwrap(), folder.path().join("aura-history-4.json"));
        assert_eq!(std::fs::read(&third).unwrap(), b"[]");
        assert_eq!(std::fs::read(&outside).unwrap(), b"mine");
        assert!(!folder.path().join("missing").exists());
    }
}
