//! What goes in and out of the operations; the same for every door.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::config::{Consent, KeyPlace, Settings};
use crate::ports::{Area, CaptureTarget, Device};
use crate::providers::Service;
use crate::record::{Route, Stage};

/// An operation that takes or gives nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Nothing {}

/// All that the interface shows at rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Snapshot {
    /// AURA's version.
    pub version: String,
    /// Whether the sandbox answers instead of the real providers.
    pub sandbox: bool,
    /// Where the turn is.
    pub stage: Stage,
    /// The turns that share memory now.
    pub session: String,
    /// What the person can change, with the environment over it.
    pub settings: Settings,
    /// Names of settings that the environment holds, such as `routes.llm.provider`.
    pub from_environment: Vec<String>,
    /// What was wrong with the settings file; each value that could not be used kept its default.
    pub settings_problems: Vec<String>,
    /// Every provider and configured server.
    pub providers: Vec<ProviderView>,
    /// Who would do each service now.
    pub routes: Vec<RouteView>,
    /// Why keys cannot be kept on this computer; absent when they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub keyring_problem: Option<String>,
    /// Why the global shortcut does not work; absent when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub shortcut_problem: Option<String>,
    /// Why the HTTP door could not be opened; absent when it could, or need not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub door_problem: Option<String>,
}

/// A provider as the interface shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ProviderView {
    /// Its name in settings and requests.
    pub name: String,
    /// Its name for the person.
    pub label: String,
    /// What it offers.
    pub services: Vec<Service>,
    /// Whether it runs on this computer.
    pub local: bool,
    /// Whether it needs a key.
    pub needs_key: bool,
    /// Where its key is kept, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub key: Option<KeyView>,
    /// What it may receive.
    pub may_receive: Consent,
    /// Why it is not used; absent when it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub problem: Option<String>,
}

/// What may be shown of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct KeyView {
    /// Its last four characters; empty when it is shorter than twelve.
    pub ends_with: String,
    /// Where it is kept.
    pub place: KeyPlace,
}

/// Who would do a service now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RouteView {
    /// What.
    pub service: Service,
    /// First the default route, then the fallback order; routes that are not ready are left out.
    pub routes: Vec<Route>,
    /// Why the first one is first, in a sentence, when AURA chose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub why: Option<String>,
}

/// Starts a spoken turn, or ends it when a tap toggles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Press {
    /// Whether the screen goes with this question; absent: as the settings say.
    #[ts(optional)]
    pub screen: Option<bool>,
    /// What happens with the answer's speech.
    #[ts(as = "Option<_>", optional)]
    pub speech: Speech,
    /// The routes.
    #[ts(as = "Option<_>", optional)]
    pub wishes: Wishes,
}

/// The routes a request asks for. A service that is named stays with its provider unless `fallback` is true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Wishes {
    /// `provider` or `provider/model`.
    #[ts(optional)]
    pub stt: Option<String>,
    /// `provider` or `provider/model`.
    #[ts(optional)]
    pub llm: Option<String>,
    /// `provider` or `provider/model`.
    #[ts(optional)]
    pub vlm: Option<String>,
    /// `provider` or `provider/model`.
    #[ts(optional)]
    pub tts: Option<String>,
    /// The voice for `tts`.
    #[ts(optional)]
    pub voice: Option<String>,
    /// Whether others may answer although a provider was named.
    #[ts(as = "Option<_>", optional)]
    pub fallback: bool,
}

impl Wishes {
    /// The wish for a service.
    pub fn get(&self, service: Service) -> Option<&str> {
        match service {
            Service::Stt => self.stt.as_deref(),
            Service::Llm => self.llm.as_deref(),
            Service::Vlm => self.vlm.as_deref(),
            Service::Tts => self.tts.as_deref(),
        }
    }
}

/// What happens with the answer's speech.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Speech {
    /// None is made.
    None,
    /// It is made and kept as a file.
    File,
    /// It is heard, and kept as a file.
    #[default]
    Aloud,
}

/// A typed question.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Ask {
    /// The question.
    pub text: String,
    /// The turns it belongs to; absent: the current ones.
    #[ts(optional)]
    pub session: Option<String>,
    /// A picture that belongs to the question: a JPEG or PNG file on this computer.
    #[ts(optional, type = "string")]
    pub image: Option<PathBuf>,
    /// Whether the screen goes with it; absent: as the settings say.
    #[ts(optional)]
    pub screen: Option<bool>,
    /// What happens with the answer's speech.
    #[ts(as = "Option<_>", optional)]
    pub speech: Speech,
    /// The routes.
    #[ts(as = "Option<_>", optional)]
    pub wishes: Wishes,
}

/// A spoken question from a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Listen {
    /// A sound file on this computer: WAV, MP3, OGG or FLAC.
    #[ts(type = "string")]
    pub audio: PathBuf,
    /// The turns it belongs to; absent: the current ones.
    #[ts(optional)]
    pub session: Option<String>,
    /// Whether the screen goes with it; absent: as the settings say.
    #[ts(optional)]
    pub screen: Option<bool>,
    /// What happens with the answer's speech.
    #[ts(as = "Option<_>", optional)]
    pub speech: Speech,
    /// The routes.
    #[ts(as = "Option<_>", optional)]
    pub wishes: Wishes,
}

/// Which turns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct HistoryQuery {
    /// Only of this session.
    #[ts(optional)]
    pub session: Option<String>,
    /// Only those whose question or answer hold every one of these words.
    #[ts(optional)]
    pub search: Option<String>,
    /// Only those that began before this turn.
    #[ts(optional)]
    pub before: Option<String>,
    /// How many at most; 0 means 50.
    #[ts(as = "Option<_>", optional)]
    pub limit: u32,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct TurnId {
    /// Its name.
    pub id: String,
}

/// Looks at the screen without asking anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Look {
    /// What; absent: what the settings share.
    #[ts(optional)]
    pub target: Option<CaptureTarget>,
}

/// A picture exactly as it would be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Preview {
    /// The JPEG, base64.
    pub jpeg: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Size of the JPEG in bytes.
    pub bytes: u32,
    /// What of the desktop it shows.
    pub area: Area,
}

/// Listens to a microphone to show how loud it is; nothing is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Meter {
    /// Which; absent: the one that the settings name.
    #[ts(optional)]
    pub microphone: Option<String>,
    /// For how long, seconds; 0 means 10, and never more than 60.
    #[ts(as = "Option<_>", optional)]
    pub seconds: u32,
}

/// How the history is written into a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum ExportFormat {
    /// Everything that is known of each turn.
    #[default]
    Json,
    /// Questions and answers, to be read.
    Markdown,
}

/// Writes the history into a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Export {
    /// How.
    #[ts(as = "Option<_>", optional)]
    pub format: ExportFormat,
}

/// The file that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Exported {
    /// Where it is.
    #[ts(type = "string")]
    pub path: PathBuf,
    /// Turns in it.
    pub turns: u32,
}

/// Takes a turn again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Retry {
    /// Its name.
    pub id: String,
    /// The routes, to try others than the last time.
    #[ts(as = "Option<_>", optional)]
    pub wishes: Wishes,
}

/// Makes another route the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Switch {
    /// For what.
    pub service: Service,
    /// The provider.
    pub provider: String,
    /// Its model; absent: the catalog's.
    #[serde(default)]
    #[ts(optional)]
    pub model: Option<String>,
    /// Its voice; absent: the catalog's.
    #[serde(default)]
    #[ts(optional)]
    pub voice: Option<String>,
}

/// Saves a key. It goes in and never comes out again.
#[derive(Clone, Deserialize, TS)]
#[ts(export)]
pub struct SaveKey {
    /// For which provider.
    pub provider: String,
    /// The key.
    #[ts(type = "string")]
    pub key: secrecy::SecretString,
    /// Keep it only until AURA ends, on a computer without a keyring.
    #[serde(default)]
    #[ts(as = "Option<_>", optional)]
    pub session_only: bool,
}

/// One provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ProviderName {
    /// Its name.
    pub provider: String,
}

/// Changes settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ChangeSettings {
    /// The changed settings alone, in the shape of `Settings`; `null` takes a value back to its default.
    #[ts(type = "unknown")]
    pub changes: serde_json::Value,
}

/// What can be picked on this computer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Devices {
    /// Microphones.
    pub microphones: Vec<Device>,
    /// Loudspeakers.
    pub speakers: Vec<Device>,
    /// Monitors and windows.
    pub screens: Vec<CaptureTarget>,
}
