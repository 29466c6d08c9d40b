//! Errors in Anthropic's format, `{"type": "error", "error": {type, message}}`, extended by AURA's `attempts`.

use aura_core::error::Error;
use aura_router::Attempt;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Problem;
use crate::openai::{ApiError, with_error_headers};

/// An error response of the routes in Anthropic's format.
#[derive(Debug)]
pub(crate) struct MessageError {
    status: StatusCode,
    error: MessageErrorFields,
    /// The value of the `Retry-After` header, seconds.
    retry_after: Option<u32>,
}

/// The body of an error response in Anthropic's format.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageErrorBody {
    /// Always `error`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The error.
    error: MessageErrorFields,
}

/// The fields of an error in Anthropic's format.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct MessageErrorFields {
    /// What kind of error, such as `invalid_request_error`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// One or two sentences for the user.
    message: String,
    /// Every provider call of the request, in order. An extension of AURA.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<Attempt>,
}

impl MessageError {
    /// Status 400: a field is not valid.
    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message.into(), Vec::new(), None)
    }

    fn new(status: StatusCode, message: String, attempts: Vec<Attempt>, retry_after: Option<u32>) -> Self {
        Self { status, error: MessageErrorFields { kind: kind(status), message, attempts }, retry_after }
    }

    /// The response body. Once a stream has started, it is sent as an event instead.
    pub(super) fn into_body(self) -> MessageErrorBody {
        MessageErrorBody { kind: "error", error: self.error }
    }
}

/// Anthropic's name for a status.
fn kind(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        StatusCode::SERVICE_UNAVAILABLE => "overloaded_error",
        StatusCode::GATEWAY_TIMEOUT => "timeout_error",
        status if status.is_server_error() => "api_error",
        _ => "invalid_request_error",
    }
}

impl From<ApiError> for MessageError {
    fn from(error: ApiError) -> Self {
        let (status, message, attempts, retry_after) = error.into_parts();
        Self::new(status, message, attempts, retry_after)
    }
}

impl From<Problem> for MessageError {
    fn from(problem: Problem) -> Self {
        ApiError::from(problem).into()
    }
}

impl From<Error> for MessageError {
    fn from(error: Error) -> Self {
        ApiError::from(error).into()
    }
}

impl From<aura_router::Error> for MessageError {
    fn from(error: aura_router::Error) -> Self {
        ApiError::from(error).into()
    }
}

impl IntoResponse for MessageError {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        with_error_headers((status, Json(self.into_body())).into_response(), retry_after)
    }
}
