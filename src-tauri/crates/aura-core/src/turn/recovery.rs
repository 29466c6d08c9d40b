//! Finds turns that nobody ended, because AURA was killed or the computer lost its power, and makes failed turns of them, which can be
//! retried.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::owner::Owner;
use super::unsaved::UnsavedTurns;
use crate::blocking::blocking;
use crate::error::{Error, Result};
use crate::ports::History;
use crate::record::TurnRecord;

/// What the file name of a recorded question ends with, after the turn's ID.
const QUESTION: &str = "-question.wav";
/// What the file name of a recorded answer ends with, after the turn's ID.
const ANSWER: &str = "-answer.wav";
/// How many recordings are compared with the history at a time.
const BATCH: usize = 500;

/// Ends the turns in the history whose process has ended. Those that cannot be saved are passed to `unsaved`.
///
/// # Errors
/// When the history cannot be read.
pub(crate) async fn end_unfinished(
    history: &dyn History,
    owner: &std::sync::Arc<Owner>,
    recordings: &Path,
    unsaved: &UnsavedTurns,
) -> Result<()> {
    let mut alive = std::collections::HashMap::new();
    for found in history.unfinished().await? {
        let Some(running) = &found.running else { continue };
        let (owner, name) = (owner.clone(), running.owner.clone());
        let is_alive = match alive.get(&name) {
            Some(known) => *known,
            None => {
                let asked = name.clone();
                let is_alive = blocking(move || owner.is_alive(&asked)).await?;
                *alive.entry(name).or_insert(is_alive)
            }
        };
        if is_alive {
            continue;
        }
        // Read again: the process may have ended the turn after the first reading, and then itself.
        let Some(turn) = history.get(&found.id).await?.filter(|turn| turn.running.is_some()) else { continue };
        end(turn, history, recordings, unsaved).await?;
    }
    let owner = owner.clone();
    blocking(move || owner.sweep()).await
}

/// Adds a turn for each recorded question that the history does not know. Returns how many there were.
///
/// # Errors
/// When the history or the folder cannot be read.
pub(crate) async fn add_unknown_recordings(
    history: &dyn History,
    recordings: &Path,
    unsaved: &UnsavedTurns,
) -> Result<usize> {
    let folder = recordings.to_owned();
    let ids = blocking(move || question_ids(&folder)).await?;
    let mut added = 0;
    for ids in ids.chunks(BATCH) {
        for id in history.unknown(ids.to_vec()).await? {
            let Some(started_at) = time_of(&id) else { continue };
            // The session is not known.
            let turn = TurnRecord::begun(id.clone(), id, started_at);
            added += usize::from(end(turn, history, recordings, unsaved).await?);
        }
    }
    Ok(added)
}

/// Makes a failed turn of one that did not end, with what there is of its recordings. Returns whether there is such a turn now.
async fn end(turn: TurnRecord, history: &dyn History, recordings: &Path, unsaved: &UnsavedTurns) -> Result<bool> {
    let folder = recordings.to_owned();
    let Some(turn) = blocking(move || ended(turn, &folder)).await? else { return Ok(false) };
    tracing::info!(turn = turn.id, "a turn that had not ended was found");
    if let Err(error) = history.save(&turn).await {
        tracing::warn!(%error, "a turn that had not ended is not saved yet");
        unsaved.push(turn);
    }
    Ok(true)
}

/// The turn as a failed one; `None` while another process writes its recording.
fn ended(mut turn: TurnRecord, recordings: &Path) -> Option<TurnRecord> {
    let was_known = turn.running.take().is_some();
    let question = match restore(recordings.join(format!("{}{QUESTION}", turn.id))) {
        Restored::BeingWritten => return None,
        Restored::Missing => None,
        Restored::Sound(path) => Some(path),
    };
    // The sound of an unknown turn is all there is of it.
    if !was_known && question.is_none() {
        return None;
    }
    // A question from a file keeps its own path.
    if question.is_some() || turn.question_audio.as_ref().is_some_and(|path| path.starts_with(recordings)) {
        turn.question_audio = question.or_else(|| turn.question_audio.take().filter(|path| path.exists()));
    }
    turn.answer_audio = match restore(recordings.join(format!("{}{ANSWER}", turn.id))) {
        Restored::Sound(path) => Some(path),
        _ => None,
    };
    let retriable = turn.question_audio.is_some() || !turn.transcript.is_empty();
    turn.error = Some(Error::unfinished(retriable));
    turn.interrupted = true;
    Some(turn)
}

/// What is left of a recording.
enum Restored {
    /// Nothing, or no sound.
    Missing,
    /// Sound in this file.
    Sound(PathBuf),
    /// Another process is writing the file.
    BeingWritten,
}

/// Corrects the header of a recording, and removes a file without sound.
fn restore(path: PathBuf) -> Restored {
    if !path.exists() {
        return Restored::Missing;
    }
    match aura_audio::restore_wav(&path) {
        Ok(None) => Restored::BeingWritten,
        Ok(Some(0)) => {
            let _ = std::fs::remove_file(&path);
            Restored::Missing
        }
        Ok(Some(_)) => Restored::Sound(path),
        // Perhaps it can be read all the same.
        Err(cause) => {
            tracing::warn!(%cause, file = %path.display(), "a recording that was not completed cannot be corrected");
            Restored::Sound(path)
        }
    }
}

/// The IDs of the turns whose question was recorded.
fn question_ids(recordings: &Path) -> Vec<String> {
    let files = std::fs::read_dir(recordings).into_iter().flatten().flatten();
    files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(QUESTION)?.to_owned())).collect()
}

/// When a turn with this ID began; `None` when AURA did not make the ID.
fn time_of(id: &str) -> Option<Timestamp> {
    let (seconds, nanoseconds) = uuid::Uuid::parse_str(id).ok()?.get_timestamp()?.to_unix();
    let since_1970 = Duration::new(seconds, nanoseconds);
    Timestamp::UNIX_EPOCH.checked_add(since_1970).ok()
}
