//! One error type for every door: a code to branch on, a sentence for the person, a detail for the curious.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What kind of failure this is. Programs branch on it, never on the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Code {
    /// There is no microphone, or none can be opened.
    NoMicrophone,
    /// The microphone went away while recording.
    MicrophoneLost,
    /// The operating system does not let AURA record.
    MicrophoneDenied,
    /// The recording holds no speech.
    NothingHeard,
    /// There is no loudspeaker, or none can be opened.
    NoSpeaker,
    /// The speaker went away while speaking.
    SpeakerLost,
    /// The screen cannot be captured.
    CaptureRefused,
    /// No configured provider can do what was asked.
    NoRoute,
    /// Every route that was tried failed; the attempts are in the detail.
    AllRoutesFailed,
    /// The provider blocked the question or the answer.
    Blocked,
    /// The key store of the operating system is not there or refused.
    Keyring,
    /// A file or the history database failed.
    Storage,
    /// The shortcut is not valid or another program holds it.
    Shortcut,
    /// The request is wrong; the message says what is.
    InvalidRequest,
    /// The thing asked for does not exist.
    NotFound,
    /// No running AURA could be reached.
    NotRunning,
    /// Another program has the port of the HTTP door.
    PortTaken,
    /// The person or the caller stopped it.
    Cancelled,
    /// A defect in AURA.
    Internal,
}

impl Code {
    /// The code as it is written in JSON and on standard error.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoMicrophone => "no_microphone",
            Self::MicrophoneLost => "microphone_lost",
            Self::MicrophoneDenied => "microphone_denied",
            Self::NothingHeard => "nothing_heard",
            Self::NoSpeaker => "no_speaker",
            Self::SpeakerLost => "speaker_lost",
            Self::CaptureRefused => "capture_refused",
            Self::NoRoute => "no_route",
            Self::AllRoutesFailed => "all_routes_failed",
            Self::Blocked => "blocked",
            Self::Keyring => "keyring",
            Self::Storage => "storage",
            Self::Shortcut => "shortcut",
            Self::InvalidRequest => "invalid_request",
            Self::NotFound => "not_found",
            Self::NotRunning => "not_running",
            Self::PortTaken => "port_taken",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

/// An error as every door shows it. The message says what to do next; it never holds a secret.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize, TS)]
#[error("{message}")]
#[ts(export)]
pub struct Error {
    /// What kind of failure this is.
    pub code: Code,
    /// One or two sentences for the person.
    pub message: String,
    /// What the machine said, or the attempts of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "unknown")]
    pub detail: Option<serde_json::Value>,
}

/// The result of everything in AURA that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error without a detail.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), detail: None }
    }

    /// The same error with what caused it.
    #[must_use]
    pub fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.detail = Some(serde_json::Value::String(cause.to_string()));
        self
    }

    /// The error of a turn that was stopped.
    pub fn cancelled() -> Self {
        Self::new(Code::Cancelled, "Stopped.")
    }

    /// A file or database failure, with what was being done.
    pub fn storage(doing: &str, cause: impl std::fmt::Display) -> Self {
        Self::new(
            Code::Storage,
            format!("AURA could not {doing}. Check that the disk is not full and the folder can be written."),
        )
        .because(cause)
    }

    /// A caller's mistake.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, message)
    }

    /// A defect in AURA, such as a task that panicked.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::new(Code::Internal, "Something went wrong inside AURA. Please report it with the log.").because(cause)
    }
}
