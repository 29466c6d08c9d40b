//! What is known of a turn: what was asked, answered and spoken, by which routes, and how long each stage took.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::error::Error;
use crate::providers::{Class, Service, Usage};
use crate::usage::Cost;

/// Where a turn is. Idle → Listening → Transcribing → (Looking) → Thinking → Speaking → Idle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Stage {
    /// Nothing is going on.
    #[default]
    Idle,
    /// The microphone records.
    Listening,
    /// Speech becomes text.
    Transcribing,
    /// The screenshot is waited for.
    Looking,
    /// The answer is written.
    Thinking,
    /// The answer is heard.
    Speaking,
}

impl Stage {
    /// As it is written in events and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Listening => "listening",
            Self::Transcribing => "transcribing",
            Self::Looking => "looking",
            Self::Thinking => "thinking",
            Self::Speaking => "speaking",
        }
    }
}

/// A provider and model, and for speech a voice, for one service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[ts(export)]
pub struct Route {
    /// The provider's name.
    pub provider: String,
    /// The model as it is sent.
    pub model: String,
    /// The voice, for `tts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub voice: Option<String>,
}

/// One call to one route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[ts(export)]
pub struct Attempt {
    /// What it was for.
    pub service: Service,
    /// Where it went.
    pub route: Route,
    /// From its start to its end, milliseconds.
    pub ms: u32,
    /// From its start to the first content of a stream, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub first_ms: Option<u32>,
    /// How it failed; absent when it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub class: Option<Class>,
    /// What the provider said when it failed, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub message: Option<String>,
    /// What it used.
    #[serde(default)]
    pub usage: Usage,
    /// What it cost.
    #[serde(default)]
    pub cost: Cost,
}

/// One stage of a turn, as it happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[ts(export)]
pub struct StageTrace {
    /// Which stage.
    pub stage: Stage,
    /// When it began, milliseconds after the turn did.
    pub start_ms: u32,
    /// How long it took, milliseconds.
    pub ms: u32,
    /// The route that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub route: Option<Route>,
    /// Every attempt, in order.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

/// Something the person should know that is not a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[ts(export)]
pub struct Notice {
    /// What it is about: `fallback`, `not_ready`, `model_replaced`, `model_gone`, `recording_limit`, `microphone_lost`, `no_speaker`,
    /// `no_screen`, `not_spoken`, `not_kept`, `cut`.
    pub kind: String,
    /// One sentence.
    pub message: String,
}

impl Seen {
    /// A picture that was attached; how large it is, is not looked at.
    pub(crate) fn attached(bytes: usize) -> Self {
        Self { width: 0, height: 0, bytes: u32::try_from(bytes).unwrap_or(u32::MAX) }
    }

    /// Whether it is a picture of the screen: an attached one has no size.
    pub fn is_of_the_screen(&self) -> bool {
        self.width > 0 && self.height > 0
    }
}

/// The picture that was sent with a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Seen {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Size of the JPEG in bytes.
    pub bytes: u32,
}

/// One press, question and spoken answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct TurnRecord {
    /// Its name: a UUID that sorts by time.
    pub id: String,
    /// The turns that share memory.
    pub session: String,
    /// When the key was pressed.
    #[ts(type = "string")]
    pub started_at: jiff::Timestamp,
    /// What was asked; empty when it was not understood.
    pub transcript: String,
    /// The whole answer as it was written.
    pub answer: String,
    /// The part of the answer that was heard.
    pub spoken: String,
    /// Whether the person cut it short.
    pub interrupted: bool,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub error: Option<Error>,
    /// Each stage, in order.
    pub stages: Vec<StageTrace>,
    /// What the person should know.
    pub notices: Vec<Notice>,
    /// The recording of the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    pub question_audio: Option<PathBuf>,
    /// The recording of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    pub answer_audio: Option<PathBuf>,
    /// The picture that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub seen: Option<Seen>,
    /// The picture file that was attached. It is the person's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    pub picture: Option<PathBuf>,
    /// From release (or from the typed question) to the first sample handed to the speaker, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub first_sound_ms: Option<u32>,
}
