//! Why a call to a provider failed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::usage::{RateLimit, Usage};

/// The kind of a [`Failure`]: what a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The API key is missing, wrong, blocked or expired: only another key helps. Serialised as `auth`.
    #[serde(rename = "auth")]
    KeyRejected,
    /// The provider denied access for a reason other than the key, such as a gateway that blocks a region, or a missing permission.
    Forbidden,
    /// Too many requests for now. The same request works again after [`Failure::retry_after`].
    RateLimited,
    /// The quota of the day, or of the account, is used up.
    Quota,
    /// The model is unknown, retired, or not available to this account.
    ModelGone,
    /// The provider was reached and cannot answer now: an internal error, or no capacity.
    Overloaded,
    /// No connection, or the connection broke before an answer arrived.
    Unreachable,
    /// The provider took too long: to connect, to send headers or first content, or between two events.
    Timeout,
    /// The stream broke after content, without the event that marks a complete answer.
    Interrupted,
    /// A successful reply without content.
    Empty,
    /// This provider or model cannot process the request: context length, size, medium or parameter.
    Unsupported,
    /// A content filter blocked the question or the answer.
    Blocked,
    /// The request itself is invalid: no provider would accept it.
    InvalidRequest,
    /// The caller cancelled the call.
    Cancelled,
}

impl FailureKind {
    /// The serialised name, such as `rate_limited`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeyRejected => "auth",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate_limited",
            Self::Quota => "quota",
            Self::ModelGone => "model_gone",
            Self::Overloaded => "overloaded",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Interrupted => "interrupted",
            Self::Empty => "empty",
            Self::Unsupported => "unsupported",
            Self::Blocked => "blocked",
            Self::InvalidRequest => "invalid_request",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A more precise reason within a [`FailureKind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureDetail {
    /// The token limit ended a reply that is unusable when cut: with [`FailureKind::Empty`], reasoning used it up; with
    /// [`FailureKind::Interrupted`], a transcript did not fit. A larger limit helps.
    MaxTokensExhausted,
    /// With [`FailureKind::ModelGone`]: the model exists, but this account may not use it. The message says what to do.
    NotEntitled,
    /// The adapter has changed how it sends this request, so the same call may succeed now.
    RequestAdjusted,
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What a caller can do about it.
    pub kind: FailureKind,
    /// What went wrong, in the provider's words where there are any: at most 300 characters, without the API key and without the
    /// query of any URL.
    pub message: String,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// How long to wait before the next call to this model, as the provider demands it; at most 31 days.
    pub retry_after: Option<Duration>,
    /// A more precise reason, where a caller can act on it.
    pub detail: Option<FailureDetail>,
    /// What is left of the rate limit, if the reply said so.
    pub rate_limit: Option<Box<RateLimit>>,
    /// What the call consumed although it failed, if the reply said so.
    pub usage: Option<Box<Usage>>,
}

impl Failure {
    /// A failure with a kind and a message; every other field is `None`.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: None,
            retry_after: None,
            detail: None,
            rate_limit: None,
            usage: None,
        }
    }
}
