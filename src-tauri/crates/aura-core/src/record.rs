//! The record of a turn: question, answer, routes, attempts, and how long each stage took.

use std::path::PathBuf;

use aura_router::{Attempt, Route, RouteNotice, RouteNoticeFacts, RouteNoticeKind, RouteNoticeReason};
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::consent::ConsentTrace;
use crate::error::{Error, ErrorCode};
use crate::purpose::Purpose;

/// Whether the sound of an answer is being played.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Playback {
    /// No.
    #[default]
    Idle,
    /// Yes.
    Playing,
    /// It is paused.
    Paused,
}

/// The stage of a turn: idle → listening → transcribing → (looking) → thinking → speaking → idle. A turn whose model asks to see the
/// screen looks while it thinks: thinking → looking → thinking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// No turn is running.
    #[default]
    Idle,
    /// The microphone records the question.
    Listening,
    /// The recording is transcribed.
    Transcribing,
    /// The turn waits for its screenshot or picture. In the record, it may lie within [`Stage::Thinking`].
    Looking,
    /// The answer is written.
    Thinking,
    /// The answer is played.
    Speaking,
}

impl Stage {
    /// The stage's name in events and records, such as `thinking`.
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

/// One stage of a turn: when it ran, and its calls to providers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StageTrace {
    /// The stage.
    pub stage: Stage,
    /// When the stage began, in milliseconds since the turn began.
    pub start_ms: u32,
    /// How long the stage took, in milliseconds.
    pub ms: u32,
    /// The route that succeeded; absent when none did, or the stage calls no provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub route: Option<Route>,
    /// Every call to a provider, in order.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

/// A tool that the model called during a turn. It is in the record before the tool runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ToolTrace {
    /// The name that the model called, at most 64 characters.
    pub name: String,
    /// The arguments as the model wrote them: a JSON object, cut after 300 characters.
    pub arguments: String,
    /// When the tool began, in milliseconds since the turn began.
    pub start_ms: u32,
    /// How long it took, in milliseconds; 0 while it runs.
    pub ms: u32,
    /// What came of it.
    pub outcome: ToolOutcome,
    /// What it did, or would have done, exactly; absent for a tool that does nothing outside AURA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub action: Option<Action>,
    /// Who allowed or declined it; absent when nobody was asked, or nobody has answered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub consent: Option<ConsentTrace>,
    /// Whether it gave the model text or a picture that is not the person's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub foreign: bool,
    /// Whether it could be undone when it was done, and was; absent when it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub undone: Option<bool>,
}

/// What came of a tool call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ToolOutcome {
    /// It has begun. In a turn that has ended: AURA ended before the tool did.
    Running,
    /// It gave the model a result.
    Done,
    /// It could not do its work. The model was told why.
    Failed,
    /// It was not carried out: there is no such tool, or its arguments are wrong. The model was told so.
    Refused,
    /// The person said no, or said nothing in time. The model was told so.
    Declined,
    /// The turn was stopped meanwhile.
    Stopped,
    /// An outcome that a later version of AURA wrote.
    #[serde(other)]
    Unknown,
}

/// A message to the user about something that did not end the turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notice {
    /// The kind of notice.
    pub kind: NoticeKind,
    /// One or two sentences to show, in English.
    pub message: String,
    /// What the notice tells, for a sentence in another language; absent when its kind tells everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub facts: Option<NoticeFacts>,
}

/// The facts of a [`Notice`]; those of its kind are set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct NoticeFacts {
    /// ID of the provider that was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub provider: Option<String>,
    /// ID of the model that was to be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub model: Option<String>,
    /// ID of the model that is used in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub replacement: Option<String>,
    /// When the model was retired, as a date (YYYY-MM-DD).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub retired_on: Option<String>,
    /// Why the provider was skipped or the model replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub reason: Option<RouteNoticeReason>,
    /// The limit of a recording, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub seconds: Option<u32>,
    /// The name of the microphone that was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub microphone: Option<String>,
    /// The limit for the costs of a day, in US cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub limit_cents: Option<u32>,
    /// The ISO 639-1 code of the language that no voice speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub language: Option<String>,
    /// The error that the notice is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub error: Option<ErrorCode>,
}

impl Notice {
    /// A notice whose kind tells everything.
    pub fn new(kind: NoticeKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), facts: None }
    }

    /// Sets the facts.
    #[must_use]
    pub fn with(mut self, facts: NoticeFacts) -> Self {
        self.facts = Some(facts);
        self
    }

    /// A notice about an error that did not end the turn.
    pub fn of_error(kind: NoticeKind, error: &Error) -> Self {
        Self::new(kind, error.message.clone()).with(NoticeFacts { error: Some(error.code), ..NoticeFacts::default() })
    }
}

/// What a [`Notice`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Another provider answered after the first one failed.
    Fallback,
    /// The chosen provider was skipped: it has no key, no consent, or its circuit is open.
    NotReady,
    /// The model was retired or overloaded; another one was used.
    ModelReplaced,
    /// The provider reported that the model is gone; another one was used.
    ModelGone,
    /// The recording reached its time limit.
    RecordingLimit,
    /// The microphone was disconnected; the recording up to then was used.
    MicrophoneLost,
    /// The chosen microphone could not be used; another one was used.
    OtherMicrophone,
    /// The answer could not be played.
    NoSpeaker,
    /// The chosen speaker could not be used; the default one was used.
    OtherSpeaker,
    /// The screen could not be captured; the question was answered without a screenshot.
    NoScreen,
    /// A spoken yes or no could not be recorded or understood.
    AnswerNotHeard,
    /// The answer could not be synthesized; it can be read.
    NotSpoken,
    /// The recording of the question or the answer could not be saved.
    #[serde(rename = "not_kept")]
    RecordingNotSaved,
    /// The turn could not be saved in the history yet; AURA tries again until it can.
    NotSaved,
    /// The answer reached the token limit and was cut off.
    #[serde(rename = "cut")]
    AnswerTruncated,
    /// No voice that may be used speaks the language of the answer.
    VoiceLanguage,
    /// Today's costs reached the limit that the user set.
    DailyLimit,
    /// A kind that a later version of AURA wrote.
    #[serde(other)]
    Unknown,
}

impl From<RouteNotice> for Notice {
    fn from(notice: RouteNotice) -> Self {
        let kind = match notice.kind {
            RouteNoticeKind::Fallback => NoticeKind::Fallback,
            RouteNoticeKind::NotReady => NoticeKind::NotReady,
            RouteNoticeKind::ModelReplaced => NoticeKind::ModelReplaced,
            RouteNoticeKind::ModelGone => NoticeKind::ModelGone,
            _ => NoticeKind::Unknown,
        };
        let RouteNoticeFacts { provider, model, replacement, retired_on, reason } = notice.facts;
        let facts = NoticeFacts { provider, model, replacement, retired_on, reason, ..NoticeFacts::default() };
        Self { kind, message: notice.message, facts: (facts != NoticeFacts::default()).then_some(facts) }
    }
}

/// The picture that was sent with a question: a screenshot, or a file that the user attached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(rename = "Seen"))]
pub struct SentPicture {
    /// Width in pixels; 0 for an attached file, whose size is not read.
    pub width: u32,
    /// Height in pixels; 0 for an attached file, whose size is not read.
    pub height: u32,
    /// Size of the file in bytes.
    pub bytes: u32,
}

impl SentPicture {
    /// An attached file of this size in bytes.
    pub(crate) fn attached(bytes: usize) -> Self {
        Self { width: 0, height: 0, bytes: u32::try_from(bytes).unwrap_or(u32::MAX) }
    }

    /// Whether the picture is a screenshot rather than an attached file.
    pub fn is_screenshot(&self) -> bool {
        self.width > 0 && self.height > 0
    }
}

/// Why AURA deleted recordings of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum RecordingsDeleted {
    /// They were older than the settings allow.
    Age {
        /// The limit at that time, in days.
        days: u32,
    },
    /// All recordings together were larger than the settings allow, and these were the oldest.
    Space {
        /// The limit at that time, in gigabytes.
        gigabytes: u32,
    },
    /// A reason that a later version of AURA wrote.
    #[serde(other)]
    Unknown,
}

impl RecordingsDeleted {
    /// The reason in a sentence, for users.
    pub fn message(self) -> String {
        match self {
            Self::Age { days: 1 } => "The recording was deleted after 1 day.".into(),
            Self::Age { days } => format!("The recording was deleted after {days} days."),
            Self::Space { gigabytes } => {
                format!("The recording was deleted because all recordings together had reached {gigabytes} GB.")
            }
            Self::Unknown => "The recording was deleted.".into(),
        }
    }
}

/// One turn: a question and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TurnRecord {
    /// The turn's ID: a version 7 UUID, which sorts by time.
    pub id: String,
    /// ID of the session. Turns of one session share memory.
    pub session: String,
    /// When the turn began: when the key was pressed, or the request arrived.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub started_at: jiff::Timestamp,
    /// What became of the question.
    #[serde(default, skip_serializing_if = "Purpose::is_answered")]
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub purpose: Purpose,
    /// The question as text; empty when it was not transcribed.
    pub transcript: String,
    /// The answer as it was written, up to the point where writing stopped.
    pub answer: String,
    /// The part of the answer that was played.
    pub spoken: String,
    /// Whether the user interrupted the turn.
    pub interrupted: bool,
    /// Why the turn failed; absent when it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub error: Option<Error>,
    /// The stages of the turn, in the order in which they began.
    pub stages: Vec<StageTrace>,
    /// The tools that the model called, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "ts", ts(as = "Option<_>", optional))]
    pub tools: Vec<ToolTrace>,
    /// Notices to show to the user, in order.
    pub notices: Vec<Notice>,
    /// The audio file of the question: AURA's recording, or the file that the user passed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "string"))]
    pub question_audio: Option<PathBuf>,
    /// The audio file of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "string"))]
    pub answer_audio: Option<PathBuf>,
    /// Why AURA deleted recordings of this turn; absent when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub recordings_deleted: Option<RecordingsDeleted>,
    /// The picture that was sent with the question, or that the model looked at to answer it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub seen: Option<SentPicture>,
    /// The path of the picture that was attached: the user's own file, which AURA never deletes, or AURA's copy of one that came without
    /// a file, which is deleted with the turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional, type = "string"))]
    pub picture: Option<PathBuf>,
    /// Time from the release of the key, or from the typed question, to the first sample handed to the speaker, in milliseconds;
    /// absent when nothing was played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub first_sound_ms: Option<u32>,
    /// Present until the turn has ended. The history lists only turns that have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub running: Option<Running>,
}

impl TurnRecord {
    /// A turn that has just begun.
    pub(crate) fn begun(id: String, session: String, started_at: jiff::Timestamp) -> Self {
        Self {
            id,
            session,
            started_at,
            purpose: Purpose::default(),
            transcript: String::new(),
            answer: String::new(),
            spoken: String::new(),
            interrupted: false,
            error: None,
            stages: Vec::new(),
            tools: Vec::new(),
            notices: Vec::new(),
            question_audio: None,
            answer_audio: None,
            recordings_deleted: None,
            seen: None,
            picture: None,
            first_sound_ms: None,
            running: None,
        }
    }
}

/// The state of a turn that had not ended when its record was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Running {
    /// The last stage that the turn had begun; `idle` before the first.
    pub stage: Stage,
    /// The process that runs the turn: the name of its lock file in the folder `running` of the data folder. Once nobody holds
    /// that lock, the turn has ended without its end being saved.
    pub owner: String,
}
