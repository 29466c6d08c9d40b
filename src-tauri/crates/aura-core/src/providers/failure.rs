//! Why a call to a provider failed. The class decides what the router does next (see `router::policy`).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{RateLimit, Usage};

/// The error classes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Class {
    /// The key is missing, wrong, blocked or expired.
    Auth,
    /// Too many requests for now; the same route works again shortly.
    RateLimited,
    /// The day's or the account's allowance is used up.
    Quota,
    /// The model is unknown, retired or not offered to this account.
    ModelGone,
    /// The provider is there but cannot answer now.
    Overloaded,
    /// No connection, or it broke before an answer.
    Unreachable,
    /// No headers, no first content, or too long between two pieces.
    Timeout,
    /// The stream ended or broke after content without saying that it was complete.
    Interrupted,
    /// A success with nothing in it.
    Empty,
    /// This route cannot take the request: context, size, medium or parameter.
    Unsupported,
    /// The provider refused the question or the answer for what it says.
    Blocked,
    /// The request itself is wrong.
    InvalidRequest,
    /// The caller stopped it.
    Cancelled,
}

impl Class {
    /// The class as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
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

/// How a call failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind of failure.
    pub class: Class,
    /// What the provider said, at most 300 characters, never with a key or a URL's query.
    pub message: String,
    /// The HTTP status, if one came.
    pub status: Option<u16>,
    /// How long to leave this route alone, when the provider said so.
    pub retry_after: Option<Duration>,
    /// The token limit was reached before anything was said: thinking took all the room.
    pub no_room: bool,
    /// The model is there, and only this account may not use it; the message says what to do. With [`Class::ModelGone`].
    pub not_offered: bool,
    /// The provider's adapter learnt from it: the same call would be made in another way now.
    pub learnt: bool,
    /// What is left of the provider's allowance, where the refusal tells.
    pub rate_limit: Option<Box<RateLimit>>,
    /// What the call used all the same.
    pub usage: Option<Box<Usage>>,
}

impl Failure {
    /// A failure with neither status nor delay.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            status: None,
            retry_after: None,
            no_room: false,
            not_offered: false,
            learnt: false,
            rate_limit: None,
            usage: None,
        }
    }
}
