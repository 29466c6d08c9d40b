//! Requests and responses of the operations, apart from those in [`super::catalog_types`].

use std::path::PathBuf;

use aura_providers::Service;
use aura_router::RouteOverrides;
use serde::{Deserialize, Serialize};

use crate::ports::{Area, CaptureTarget, Device};
use crate::purpose::Purpose;
use crate::turn::Speech;

/// The empty request or response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Nothing {}

/// Request of `press`: starts a spoken turn, or ends the recording that is running.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Press {
    /// Whether a screenshot is sent with the question; absent: as the settings say.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub screen: Option<bool>,
    /// Whether the answer is spoken, and whether it is played.
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub speech: Speech,
    /// What becomes of the question.
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub purpose: Purpose,
    /// Routes for this turn that differ from the default ones.
    #[serde(alias = "wishes")]
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub overrides: RouteOverrides,
}

/// Request of `hands_free`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct SetHandsFree {
    /// Whether hands-free use is to be on; absent: the other one.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub on: Option<bool>,
}

/// Request of `ask`: a typed question.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Ask {
    /// The question; must not be empty.
    pub text: String,
    /// ID of the session that the turn belongs to; absent: the current session.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub session: Option<String>,
    /// A picture to send with the question: the path of a JPEG or PNG file of at most 20 MB on this computer.
    #[cfg_attr(feature = "ts", ts(optional, type = "string"))]
    pub image: Option<PathBuf>,
    /// A picture to send with the question, for a caller that has no file of it: a JPEG or PNG file of at most 20 MB, base64-encoded.
    /// AURA keeps it beside the recordings until the turn is deleted. Not together with `image`.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub picture: Option<String>,
    /// Whether a screenshot is sent with the question; absent: as the settings say.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub screen: Option<bool>,
    /// Name of the persona that answers; empty: none; absent: the chosen one.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub persona: Option<String>,
    /// Whether the answer is spoken, and whether it is played.
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub speech: Speech,
    /// Routes for this turn that differ from the default ones.
    #[serde(alias = "wishes")]
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub overrides: RouteOverrides,
}

/// Request of `listen`: a spoken question from an audio file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Listen {
    /// The path of a WAV, MP3, Ogg Vorbis or FLAC file of at most 25 MB on this computer.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub audio: PathBuf,
    /// ID of the session that the turn belongs to; absent: the current session.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub session: Option<String>,
    /// Whether a screenshot is sent with the question; absent: as the settings say.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub screen: Option<bool>,
    /// Whether the answer is spoken, and whether it is played.
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub speech: Speech,
    /// Routes for this turn that differ from the default ones.
    #[serde(alias = "wishes")]
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub overrides: RouteOverrides,
}

/// Request of `history`: filters and paging.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct HistoryQuery {
    /// Only turns of the session with this ID.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub session: Option<String>,
    /// Only turns whose question or answer contains every one of these words.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub search: Option<String>,
    /// Only turns that began before the turn with this ID.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub before: Option<String>,
    /// The largest number of turns, at most 1000; 0 means 50.
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub limit: u32,
}

/// The number of entries that a `limit` asks for: at most 1000, and 50 for 0.
pub(super) fn page_size(limit: u32) -> u32 {
    if limit == 0 { 50 } else { limit.min(1_000) }
}

/// The words of a `search`; `None` when it has none.
pub(super) fn search_words(search: Option<String>) -> Option<String> {
    search.filter(|words| !words.trim().is_empty())
}

/// Request of `delete_turn` and `replay`: one turn of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TurnId {
    /// The turn's ID.
    pub id: String,
}

/// Request of `delete_turns`: turns of a time, or all. Nothing is deleted when no field is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default, deny_unknown_fields)]
pub struct DeleteTurns {
    /// Only turns that began at or after this time.
    #[cfg_attr(feature = "ts", ts(optional, type = "string"))]
    pub from: Option<jiff::Timestamp>,
    /// Only turns that began before this time.
    #[cfg_attr(feature = "ts", ts(optional, type = "string"))]
    pub before: Option<jiff::Timestamp>,
    /// Every turn. Neither `from` nor `before` may be set then.
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub all: bool,
}

/// Response of `delete_turns`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct DeletedTurns {
    /// The number of turns that were deleted.
    pub turns: u32,
    /// The number of recordings that were removed.
    pub recordings: u32,
    /// The number of recordings that could not be removed now. AURA removes them at the next deletion or start.
    pub recordings_left: u32,
}

/// Request of `look`: takes a screenshot without a question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Look {
    /// The part of the desktop to capture; absent: as the settings say.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub target: Option<CaptureTarget>,
}

/// A screenshot exactly as it would be sent with a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Preview {
    /// The JPEG file, base64-encoded.
    pub jpeg: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Size of the JPEG file in bytes.
    pub bytes: u32,
    /// The rectangle of the desktop that the screenshot shows.
    pub area: Area,
}

/// Request of `meter`: reports the level of a microphone. Nothing is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Meter {
    /// ID of the microphone; absent: the one in the settings.
    #[cfg_attr(feature = "ts", ts(optional))]
    pub microphone: Option<String>,
    /// Duration in seconds, at most 60; 0 means 10.
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub seconds: u32,
}

/// File format of an exported history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// A JSON array of complete turn records. A record with which the summary of a long conversation ends has it as `summary`.
    #[default]
    Json,
    /// Questions and answers alone, to read.
    Markdown,
}

/// Request of `export`: writes the whole history to a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Export {
    /// The file format.
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub format: ExportFormat,
}

/// Response of `export`: the file that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Exported {
    /// The file's path.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub path: PathBuf,
    /// The number of turns in the file.
    pub turns: u32,
}

/// Request of `retry`: runs a turn of the history again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Retry {
    /// The turn's ID.
    pub id: String,
    /// Routes for the new turn that differ from the default ones.
    #[serde(alias = "wishes")]
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub overrides: RouteOverrides,
}

/// Request of `switch`: changes the default route of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Switch {
    /// The service.
    pub service: Service,
    /// ID of the provider; it must offer the service.
    pub provider: String,
    /// The model's ID; absent: the catalog's default model.
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub model: Option<String>,
    /// The voice's ID, for `tts`; absent: the catalog's default voice.
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub voice: Option<String>,
}

/// Request of `save_key`: saves a provider's API key. No operation returns a saved key.
#[derive(Clone, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SaveKey {
    /// ID of the provider.
    pub provider: String,
    /// The API key; surrounding white space is removed.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub key: secrecy::SecretString,
    /// Whether the key is kept in memory only, until AURA ends: for a computer without a keyring.
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub session_only: bool,
}

/// Request of `forget_key`: one provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ProviderName {
    /// ID of the provider.
    pub provider: String,
}

/// Request of `change_settings`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ChangeSettings {
    /// A JSON merge patch (RFC 7396) for `Settings`: only the values to change. `null` restores a default.
    #[cfg_attr(feature = "ts", ts(type = "unknown"))]
    pub changes: serde_json::Value,
}

/// Response of `devices`: the devices of this computer that can be chosen in the settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Devices {
    /// Microphones.
    pub microphones: Vec<Device>,
    /// Loudspeakers.
    pub speakers: Vec<Device>,
    /// Monitors and windows that can be captured.
    pub screens: Vec<CaptureTarget>,
    /// Whether AURA can lower what other programs play.
    pub can_lower_sound: bool,
}
