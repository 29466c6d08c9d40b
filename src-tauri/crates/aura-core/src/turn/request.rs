//! The request of a turn, and the context that turns run in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aura_providers::{MAX_IMAGE_BYTES, MediaType};
use aura_router::{RouteOverrides, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::current_session::CurrentSession;
use super::hands_free::HandsFree;
use super::last_picture::LastPicture;
use super::last_voice::LastVoice;
use super::owner::Owner;
use super::summary_slot::SummarySlot;
use super::unsaved::UnsavedTurns;
use crate::config::SettingsStore;
use crate::consent::Consents;
use crate::error::{Error, Result};
use crate::event::EventSink;
use crate::mcp::McpServers;
use crate::ports::Ports;
use crate::purpose::Purpose;
use crate::timers::Timers;

/// The context that turns run in. One for all turns of the stage, and one for each detached turn.
#[derive(Clone)]
pub(crate) struct TurnContext {
    pub(crate) ports: Ports,
    pub(crate) router: Router,
    pub(crate) store: Arc<SettingsStore>,
    pub(crate) events: EventSink,
    /// The folder for recordings. `None` for a detached turn, which leaves no file behind.
    pub(crate) recordings: Option<PathBuf>,
    /// This process, as the owner of its turns.
    pub(crate) owner: Arc<Owner>,
    /// Turns that could not be saved.
    pub(crate) unsaved: UnsavedTurns,
    /// The session that the next question belongs to.
    pub(crate) session: CurrentSession,
    /// The slot for a summary.
    pub(crate) summary_slot: SummarySlot,
    /// The last picture that was sent. Detached turns neither use nor replace it.
    pub(crate) last_picture: LastPicture,
    /// The answer that is being spoken, or was spoken last. Detached turns do not replace it.
    pub(crate) last_voice: LastVoice,
    /// The question that waits for the person, and what was allowed.
    pub(crate) consents: Consents,
    /// How long a question waits for its answer; `None`: a minute.
    pub(crate) consent_timeout: Option<Duration>,
    /// The MCP servers, whose tools the model may call.
    pub(crate) mcp: McpServers,
    /// The timers that are set.
    pub(crate) timers: Timers,
    /// Cancelled when AURA ends: every turn stops then.
    pub(crate) closing: CancellationToken,
    /// Every turn that has not ended.
    pub(crate) running: TaskTracker,
}

impl TurnContext {
    /// Whether there is a provider of this name.
    pub(super) fn has_provider(&self, name: &str) -> bool {
        aura_providers::find(name).is_some() || self.router.provider_names().iter().any(|known| known == name)
    }
}

/// The source of a question.
#[derive(Debug, Clone)]
pub(crate) enum Question {
    /// The microphone, until the key is released.
    Microphone,
    /// An audio file on this computer.
    File(PathBuf),
    /// An audio file in memory.
    Audio(Bytes),
    /// Text.
    Text(String),
    /// None: AURA only says something.
    SayOnly(SpokenText),
}

/// What AURA says without a question: that a timer is over, or what another program wants to be said.
#[derive(Debug, Clone)]
pub(crate) struct SpokenText {
    /// The text.
    pub(crate) text: String,
    /// ISO 639-1 code of its language.
    pub(crate) language: String,
}

/// A picture that is sent with a question: a JPEG or PNG file.
#[derive(Debug, Clone)]
pub(crate) enum Attachment {
    /// A file on this computer.
    File(PathBuf),
    /// A file in memory.
    Bytes(Bytes),
}

impl Attachment {
    /// The picture in base64-encoded text.
    ///
    /// # Errors
    /// When the text is not base64, or the picture is too large, or neither JPEG nor PNG.
    pub(crate) fn decode(text: &str) -> Result<Self> {
        let picture = BASE64.decode(text).map_err(|_| Error::invalid("The picture is not base64."))?;
        check_picture(&picture, "The picture")?;
        Ok(Self::Bytes(picture.into()))
    }
}

/// Checks the size and the kind of a picture. `shown` begins the sentence that tells what is wrong.
///
/// # Errors
/// When it is too large, or neither JPEG nor PNG.
pub(super) fn check_picture(picture: &[u8], shown: &str) -> Result<()> {
    check_picture_size(picture.len() as u64, shown)?;
    match MediaType::of(picture) {
        Some(MediaType::Jpeg | MediaType::Png) => Ok(()),
        _ => Err(Error::invalid(format!("{shown} is neither JPEG nor PNG. Attach one of these."))),
    }
}

/// Checks the size of a picture, in bytes.
///
/// # Errors
/// When it is too large.
pub(super) fn check_picture_size(bytes: u64, shown: &str) -> Result<()> {
    if bytes > MAX_IMAGE_BYTES as u64 {
        return Err(Error::invalid(format!("{shown} is larger than 20 MB. Attach a smaller one.")));
    }
    Ok(())
}

/// Whether the answer to a question is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Speech {
    /// The answer is text alone.
    None,
    /// The answer is synthesized and saved as a file, but not played.
    File,
    /// The answer is synthesized, saved as a file, and played.
    #[default]
    Aloud,
}

/// The request of one turn.
#[derive(Debug, Clone)]
pub(crate) struct TurnRequest {
    pub(crate) question: Question,
    pub(crate) session: String,
    /// Whether a screenshot is sent with the question; `None`: as the settings say.
    pub(crate) screen: Option<bool>,
    /// A picture that is sent with the question.
    pub(crate) image: Option<Attachment>,
    /// Where the question was asked, for the model: for example the window in front.
    pub(crate) context: Option<String>,
    /// Whether the model may answer with an action plan.
    pub(crate) plans: bool,
    /// Name of the persona that answers; empty: none; `None`: the chosen one.
    pub(crate) persona: Option<String>,
    pub(crate) speech: Speech,
    pub(crate) purpose: Purpose,
    pub(crate) overrides: RouteOverrides,
    /// The hands-free use that this turn is a part of.
    pub(crate) hands_free: Option<Arc<HandsFree>>,
}

impl TurnRequest {
    /// A question in a session, spoken aloud, with everything else as the settings say.
    pub(crate) fn new(question: Question, session: String) -> Self {
        Self {
            question,
            session,
            screen: None,
            image: None,
            context: None,
            plans: false,
            persona: None,
            speech: Speech::default(),
            purpose: Purpose::default(),
            overrides: RouteOverrides::default(),
            hands_free: None,
        }
    }
}
