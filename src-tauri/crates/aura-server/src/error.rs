//! Errors of the local API: `{"error": {code, message, detail, attempts}}` with an HTTP status.

use std::sync::Arc;

use aura_core::error::{Error, ErrorCode, ErrorDetail};
use aura_providers::FailureKind;
use aura_router::Attempt;
use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Text from a request, cut to 100 characters so that it can be quoted in a message.
pub(crate) fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 100;
    match text.char_indices().nth(MAX_CHARS) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// An error response of the local API.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The code that programs branch on: an [`ErrorCode`], or one that only the local API uses.
    pub code: &'static str,
    /// One or two sentences for the user.
    pub message: String,
    /// The technical cause.
    pub detail: Option<String>,
    /// Every provider call of the request, in order.
    pub attempts: Vec<Attempt>,
    /// The value of the `Retry-After` header, seconds.
    pub retry_after: Option<u32>,
}

/// The body of an error response.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemBody {
    /// The error.
    pub error: ProblemFields,
}

/// The fields of an error.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemFields {
    /// The code that programs branch on.
    pub code: String,
    /// One or two sentences for the user.
    pub message: String,
    /// The technical cause; null when there is none.
    pub detail: Option<String>,
    /// Every provider call of the request, in order.
    pub attempts: Vec<Attempt>,
}

impl Problem {
    /// A problem without a detail, attempts or `Retry-After`.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), detail: None, attempts: Vec::new(), retry_after: None }
    }

    /// Status 400: the request cannot be parsed.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest.as_str(), message)
    }

    /// Status 422: the request can be parsed, but a value in it is not valid.
    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::InvalidRequest.as_str(), message)
    }

    /// Status 429: too many requests are in flight, or their bodies fill the memory budget.
    pub(crate) fn busy() -> Self {
        let message = "AURA is handling as many requests as it can. Try again in a second.";
        Self { retry_after: Some(1), ..Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", message) }
    }

    /// Adds the technical cause.
    #[must_use]
    pub fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.detail = Some(cause.to_string());
        self
    }

    /// Adds the provider calls that were made. If all routes failed, they also decide between the statuses 502 and 504.
    #[must_use]
    pub fn with_attempts(mut self, attempts: Vec<Attempt>) -> Self {
        if self.code == ErrorCode::AllRoutesFailed.as_str() {
            self.status = status_of(&attempts);
        }
        self.attempts = attempts;
        self
    }

    /// The body of the response.
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

/// The status when all routes failed: 504 if every attempt timed out, 502 otherwise.
fn status_of(attempts: &[Attempt]) -> StatusCode {
    let timed_out = |attempt: &Attempt| attempt.kind == Some(FailureKind::Timeout);
    if !attempts.is_empty() && attempts.iter().all(timed_out) {
        StatusCode::GATEWAY_TIMEOUT
    } else {
        StatusCode::BAD_GATEWAY
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match error.code {
            ErrorCode::InvalidRequest | ErrorCode::NothingHeard | ErrorCode::Blocked => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::AllRoutesFailed | ErrorCode::DownloadFailed | ErrorCode::McpServer => StatusCode::BAD_GATEWAY,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::NoRoute
            | ErrorCode::Cancelled
            | ErrorCode::Unfinished
            | ErrorCode::Keyring
            | ErrorCode::Storage
            | ErrorCode::DiskFull
            | ErrorCode::NewerVersion
            | ErrorCode::Shortcut
            | ErrorCode::Desktop
            | ErrorCode::NotRunning
            | ErrorCode::PortTaken
            | ErrorCode::NoMicrophone
            | ErrorCode::MicrophoneLost
            | ErrorCode::MicrophoneDenied
            | ErrorCode::NoSpeaker
            | ErrorCode::SpeakerLost
            | ErrorCode::CaptureRefused => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut problem = Self::new(status, error.code.as_str(), error.message);
        match error.detail {
            Some(ErrorDetail::Cause(cause)) => problem.detail = Some(cause),
            Some(ErrorDetail::Attempts(attempts)) => problem = problem.with_attempts(attempts),
            None => {}
        }
        problem
    }
}

impl From<aura_router::Error> for Problem {
    fn from(error: aura_router::Error) -> Self {
        Error::from(error).into()
    }
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
        // `openai::convert_errors` reads this to send the error in OpenAI's format.
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Answers a request, and converts an error of the guard, the limits and the fallback routes to the format of the routes that `is_ours`
/// selects by their path.
pub(crate) async fn convert_problem(
    request: Request,
    next: Next,
    is_ours: impl Fn(&str) -> bool,
    to_response: impl Fn(Problem) -> Response,
) -> Response {
    let is_ours = is_ours(request.uri().path());
    let response = next.run(request).await;
    match response.extensions().get::<Arc<Problem>>() {
        Some(problem) if is_ours => {
            let mut converted = to_response(Problem::clone(problem));
            // Set when the connection cannot be used again.
            if let Some(close) = response.headers().get(header::CONNECTION) {
                converted.headers_mut().insert(header::CONNECTION, close.clone());
            }
            converted
        }
        _ => response,
    }
}
