//! The error type of the assistant: a code for programs, a message for the user, and the technical cause.

use aura_router::Attempt;
use serde::{Deserialize, Serialize};

/// The kind of an [`Error`]. Programs branch on the code, never on the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// There is no microphone, or the microphone cannot be opened.
    NoMicrophone,
    /// The microphone was disconnected while recording.
    MicrophoneLost,
    /// The operating system does not let AURA record.
    MicrophoneDenied,
    /// The recording holds no speech.
    NothingHeard,
    /// There is no loudspeaker, or the loudspeaker cannot be opened.
    NoSpeaker,
    /// The loudspeaker was disconnected during playback.
    SpeakerLost,
    /// The screen cannot be captured.
    CaptureRefused,
    /// No configured provider can serve the request.
    NoRoute,
    /// Every route failed. The detail lists the attempts.
    AllRoutesFailed,
    /// A provider blocked the question or the answer because of its content.
    Blocked,
    /// The operating system's keyring is missing, locked, or failed.
    Keyring,
    /// A file or the history database could not be read or written.
    Storage,
    /// The disk has no room.
    DiskFull,
    /// A model could not be downloaded: no connection, or the server does not deliver it.
    DownloadFailed,
    /// A file was written by a later version of AURA, so this version does not change it.
    NewerVersion,
    /// The global shortcut is not valid, or another program uses it.
    Shortcut,
    /// The desktop does not let AURA do this, or has no such program or window.
    Desktop,
    /// An MCP server cannot be used, or a call of one of its tools failed.
    McpServer,
    /// The request is not valid. The message says why.
    InvalidRequest,
    /// The requested object does not exist.
    NotFound,
    /// No running AURA process could be reached.
    NotRunning,
    /// Another program uses the port of the local API.
    PortTaken,
    /// The user or the caller stopped the work.
    Cancelled,
    /// AURA ended before the turn did: it was quit, or it was killed.
    Unfinished,
    /// A defect in AURA.
    Internal,
}

impl ErrorCode {
    /// The code's name in JSON and on standard error, such as `no_route`.
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
            Self::DiskFull => "disk_full",
            Self::DownloadFailed => "download_failed",
            Self::NewerVersion => "newer_version",
            Self::Shortcut => "shortcut",
            Self::Desktop => "desktop",
            Self::McpServer => "mcp_server",
            Self::InvalidRequest => "invalid_request",
            Self::NotFound => "not_found",
            Self::NotRunning => "not_running",
            Self::PortTaken => "port_taken",
            Self::Cancelled => "cancelled",
            Self::Unfinished => "unfinished",
            Self::Internal => "internal",
        }
    }
}

/// An error of the assistant, as every host shows it. The message says what to do next and never contains a secret.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[error("{message}")]
pub struct Error {
    /// The kind of failure.
    pub code: ErrorCode,
    /// One or two sentences for the user.
    pub message: String,
    /// The technical cause or the attempts, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub detail: Option<ErrorDetail>,
}

/// Detail of an [`Error`] beyond its message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(untagged)]
pub enum ErrorDetail {
    /// The message of the operating system, a library or a provider.
    Cause(String),
    /// Every call to a provider, in order.
    Attempts(Vec<Attempt>),
}

/// The result type of the assistant.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes an error without a detail.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), detail: None }
    }

    /// Sets the technical cause as the detail.
    #[must_use]
    pub fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.detail = Some(ErrorDetail::Cause(cause.to_string()));
        self
    }

    /// Makes the error of work that was stopped.
    pub fn cancelled() -> Self {
        Self::new(ErrorCode::Cancelled, "Stopped.")
    }

    /// Makes the error of a turn that AURA did not end. `retriable` says whether its text or its recording was saved.
    pub(crate) fn unfinished(retriable: bool) -> Self {
        let message = if retriable {
            "AURA ended before this turn did. Retry it to get an answer."
        } else {
            "AURA ended before this turn did, and before anything was recorded. Ask again."
        };
        Self::new(ErrorCode::Unfinished, message)
    }

    /// Makes the error of a file or the database. `action` completes the sentence "AURA could not …".
    pub fn storage(action: &str, cause: impl std::fmt::Display) -> Self {
        Self::new(
            ErrorCode::Storage,
            format!("AURA could not {action}. Check that the disk is not full and the folder is writable."),
        )
        .because(cause)
    }

    /// Makes the error of a request that is not valid.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    /// Makes the error of a defect in AURA, such as a task that panicked.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::new(ErrorCode::Internal, "Something went wrong inside AURA. Please report it with the log.")
            .because(cause)
    }

    /// The attempts in the detail, in order; empty when there are none.
    pub fn attempts(&self) -> &[Attempt] {
        match &self.detail {
            Some(ErrorDetail::Attempts(attempts)) => attempts,
            _ => &[],
        }
    }
}

impl From<aura_audio::Error> for Error {
    fn from(error: aura_audio::Error) -> Self {
        match error {
            aura_audio::Error::Write(cause) => Self::storage("write the recording", cause),
            error => Self::invalid(error.to_string()),
        }
    }
}

impl From<aura_providers::UnknownService> for Error {
    fn from(error: aura_providers::UnknownService) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<aura_router::Error> for Error {
    fn from(error: aura_router::Error) -> Self {
        use aura_router::Error as RouterError;
        let message = error.to_string();
        let (code, detail) = match error {
            RouterError::UnknownProvider { .. } => (ErrorCode::InvalidRequest, None),
            RouterError::NoRoute { reasons, .. } => {
                let reasons: Vec<String> =
                    reasons.into_iter().map(|(provider, reason)| format!("{provider}: {reason}")).collect();
                (ErrorCode::NoRoute, Some(ErrorDetail::Cause(reasons.join(" "))))
            }
            RouterError::AllFailed { attempts, .. } => {
                (ErrorCode::AllRoutesFailed, Some(ErrorDetail::Attempts(attempts)))
            }
            RouterError::Blocked { attempts, .. } => (ErrorCode::Blocked, Some(ErrorDetail::Attempts(attempts))),
            RouterError::InvalidRequest { attempts, .. } => {
                (ErrorCode::InvalidRequest, Some(ErrorDetail::Attempts(attempts)))
            }
            RouterError::Cancelled { attempts } => (ErrorCode::Cancelled, Some(ErrorDetail::Attempts(attempts))),
            error => return Self::internal(error),
        };
        Self { code, message, detail }
    }
}
