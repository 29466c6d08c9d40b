//! Errors as OpenAI's clients read them: `{"error": {message, type, code, param}}`, with AURA's attempts beside them.

use aura_core::error::{Code, Error};
use aura_core::record::Attempt;
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Problem, shortened};

/// A request in OpenAI's format that was not answered.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    error: RefusedFields,
    /// After how many seconds it may work again.
    retry_after: Option<u32>,
}

/// The body of a refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedBody {
    /// What is wrong.
    pub(crate) error: RefusedFields,
}

/// What a refusal says.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RefusedFields {
    /// One or two sentences for the person.
    message: String,
    /// `invalid_request_error`, `rate_limit_error` or `api_error`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What programs branch on.
    code: &'static str,
    /// The field that it is about.
    param: Option<&'static str>,
    /// Every call that was made before it was given up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<Attempt>,
}

impl Refused {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let kind = match status {
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "api_error",
            _ => "invalid_request_error",
        };
        let error = RefusedFields { message: message.into(), kind, code, param: None, attempts: Vec::new() };
        Self { status, error, retry_after: None }
    }

    /// A field that cannot be used.
    pub(crate) fn bad(message: impl Into<String>, param: Option<&'static str>) -> Self {
        let mut refused = Self::new(StatusCode::BAD_REQUEST, Code::InvalidRequest.as_str(), message);
        refused.error.param = param;
        refused
    }

    /// A model that nobody has.
    pub(crate) fn no_model(name: &str) -> Self {
        let message = format!(
            "There is no model `{}`. GET /v1/models lists what there is; `auto` takes the model that AURA is set to.",
            shortened(name)
        );
        let mut refused = Self::new(StatusCode::NOT_FOUND, "model_not_found", message);
        refused.error.param = Some("model");
        refused
    }

    /// A body of a kind that is not taken.
    pub(crate) fn media(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidRequest.as_str(), message)
    }

    /// The error as it travels inside a stream that has begun.
    pub(crate) fn body(self) -> RefusedBody {
        RefusedBody { error: self.error }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Problem::from(error).into()
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        // OpenAI's clients know no 422: what is wrong with a request is 400.
        let status = match problem.status {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        let mut message = problem.message;
        // What keeps each provider from answering is all that a person can do something about.
        if problem.code == Code::NoRoute.as_str()
            && let Some(Value::String(reasons)) = &problem.detail
        {
            message = format!("{message} {reasons}");
        }
        let mut refused = Self::new(status, problem.code, message);
        refused.error.attempts = problem.attempts;
        refused.retry_after = problem.retry_after;
        refused
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        let mut response = (status, Json(self.body())).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status.is_server_error() {
            // Everything was tried already: OpenAI's clients would ask twice more on their own.
            response.headers_mut().insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
        }
        response
    }
}
