//! Errors in OpenAI's format, `{"error": {message, type, code, param}}`, extended by AURA's `attempts`.

use aura_core::error::{Error, ErrorCode};
use aura_router::Attempt;
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Problem, shortened};

/// An error response of the OpenAI-compatible routes.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    error: ApiErrorFields,
    /// The value of the `Retry-After` header, seconds.
    retry_after: Option<u32>,
}

/// The body of an error response in OpenAI's format.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiErrorBody {
    /// The error.
    pub(crate) error: ApiErrorFields,
}

/// The fields of an error in OpenAI's format.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ApiErrorFields {
    /// One or two sentences for the user.
    pub(super) message: String,
    /// `invalid_request_error`, `rate_limit_error` or `api_error`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The code that programs branch on.
    pub(super) code: &'static str,
    /// The request field that is wrong; null when it is none or unknown.
    param: Option<&'static str>,
    /// Every provider call of the request, in order. An extension of AURA.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<Attempt>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let kind = match status {
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "api_error",
            _ => "invalid_request_error",
        };
        let error = ApiErrorFields { message: message.into(), kind, code, param: None, attempts: Vec::new() };
        Self { status, error, retry_after: None }
    }

    /// Status 400: a field is not valid.
    pub(crate) fn invalid_request(message: impl Into<String>, param: Option<&'static str>) -> Self {
        let mut error = Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest.as_str(), message);
        error.error.param = param;
        error
    }

    /// Adds the provider calls that were made.
    #[must_use]
    pub(super) fn with_attempts(mut self, attempts: Vec<Attempt>) -> Self {
        self.error.attempts = attempts;
        self
    }

    /// Status 404: no provider has the model.
    pub(crate) fn model_not_found(name: &str) -> Self {
        let message = format!(
            "There is no model `{}`. GET /v1/models lists the models; `auto` uses AURA's default.",
            shortened(name)
        );
        let mut error = Self::new(StatusCode::NOT_FOUND, "model_not_found", message);
        error.error.param = Some("model");
        error
    }

    /// Status 415: the body has the wrong type.
    pub(crate) fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::InvalidRequest.as_str(), message)
    }

    /// Its status, message, attempts, and the value of `Retry-After` in seconds.
    pub(crate) fn into_parts(self) -> (StatusCode, String, Vec<Attempt>, Option<u32>) {
        (self.status, self.error.message, self.error.attempts, self.retry_after)
    }

    /// The response body. Once a stream has started, it is sent as an event instead.
    pub(crate) fn into_body(self) -> ApiErrorBody {
        ApiErrorBody { error: self.error }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Problem::from(error).into()
    }
}

impl From<aura_router::Error> for ApiError {
    fn from(error: aura_router::Error) -> Self {
        Problem::from(error).into()
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        // OpenAI's clients expect 400, not 422, for an invalid request.
        let status = match problem.status {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        let mut message = problem.message;
        // OpenAI's format has no detail, and only these reasons show the user what to fix.
        if problem.code == ErrorCode::NoRoute.as_str()
            && let Some(reasons) = &problem.detail
        {
            message = format!("{message} {reasons}");
        }
        let mut error = Self::new(status, problem.code, message);
        error.error.attempts = problem.attempts;
        error.retry_after = problem.retry_after;
        error
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        with_error_headers((status, Json(self.into_body())).into_response(), retry_after)
    }
}

/// Adds the headers of an error response that the clients of OpenAI and Anthropic read. `retry_after` is in seconds.
pub(crate) fn with_error_headers(mut response: Response, retry_after: Option<u32>) -> Response {
    let status = response.status();
    let headers = response.headers_mut();
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status.is_server_error() {
        // Every route was tried already. The clients would otherwise retry twice.
        headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
    }
    response
}
