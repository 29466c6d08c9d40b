//! What a caller is told when something is wrong: `{"error": {code, message, detail, attempts}}` with the right status.

use std::sync::Arc;

use aura_core::error::{Code, Error};
use aura_core::providers::Class;
use aura_core::record::Attempt;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What a caller sent, as it may be repeated to it: no message is as long as somebody else likes.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// A request that was not answered.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The status it goes out with.
    pub status: StatusCode,
    /// What programs branch on: a [`Code`], or the door's own.
    pub code: &'static str,
    /// One or two sentences for the person.
    pub message: String,
    /// What the machine said.
    pub detail: Option<Value>,
    /// Every call that was made before it was given up.
    pub attempts: Vec<Attempt>,
    /// After how many seconds it may work again.
    pub retry_after: Option<u32>,
}

/// The body of a problem.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemBody {
    /// The problem.
    pub error: ProblemFields,
}

/// What a problem says.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemFields {
    /// What programs branch on.
    pub code: String,
    /// One or two sentences for the person.
    pub message: String,
    /// What the machine said; null when it said nothing.
    pub detail: Option<Value>,
    /// Every call that was made before it was given up.
    pub attempts: Vec<Attempt>,
}

impl Problem {
    /// A problem without a detail.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), detail: None, attempts: Vec::new(), retry_after: None }
    }

    /// What the caller sent cannot be used.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::InvalidRequest.as_str(), message)
    }

    /// What the caller sent can be read, but a value in it cannot be used.
    pub fn unusable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidRequest.as_str(), message)
    }

    /// The same with what caused it.
    #[must_use]
    pub fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.detail = Some(Value::String(cause.to_string()));
        self
    }

    /// The same with the calls that were made.
    #[must_use]
    pub fn after(mut self, attempts: Vec<Attempt>) -> Self {
        if self.code == Code::AllRoutesFailed.as_str() {
            self.status = status_of(&attempts);
        }
        self.attempts = attempts;
        self
    }

    /// As it is written.
    pub fn body(&self) -> ProblemBody {
        ProblemBody {
            error: ProblemFields {
                code: self.code.to_owned(),
                message: self.message.clone(),
                detail: self.detail.clone(),
                attempts: self.attempts.clone(),
            },
        }
    }
}

/// The status of a request that no route answered: 504 when all were too slow, 502 otherwise.
fn status_of(attempts: &[Attempt]) -> StatusCode {
    let slow = |attempt: &Attempt| attempt.class == Some(Class::Timeout);
    if !attempts.is_empty() && attempts.iter().all(slow) {
        StatusCode::GATEWAY_TIMEOUT
    } else {
        StatusCode::BAD_GATEWAY
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match error.code {
            Code::InvalidRequest | Code::NothingHeard | Code::Blocked => StatusCode::UNPROCESSABLE_ENTITY,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::AllRoutesFailed => StatusCode::BAD_GATEWAY,
            Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Code::NoRoute
            | Code::Cancelled
            | Code::Keyring
            | Code::Storage
            | Code::Shortcut
            | Code::NotRunning
            | Code::PortTaken
            | Code::NoMicrophone
            | Code::MicrophoneLost
            | Code::MicrophoneDenied
            | Code::NoSpeaker
            | Code::SpeakerLost
            | Code::CaptureRefused => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut problem = Self::new(status, error.code.as_str(), error.message);
        problem.detail = error.detail;
        // The core keeps the attempts of a failed request in the detail; here they have a field of their own.
        if let Some(attempts) = problem.detail.as_ref().and_then(attempts_in) {
            problem = problem.after(attempts);
            problem.detail = None;
        }
        problem
    }
}

/// The attempts that are an error's detail.
fn attempts_in(detail: &Value) -> Option<Vec<Attempt>> {
    detail.as_array()?;
    serde_json::from_value(detail.clone()).ok()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // Whoever speaks another form than this door's own says it in that form.
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
