//! Error responses, and the reasons for them.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::Value;

use crate::faults::GoneForm;
use crate::headers::insert_headers;
use crate::programs::ProgramError;

/// An error response.
#[derive(Debug, Clone)]
pub(crate) struct ErrorReply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Bytes,
}

/// Reason for an error response, independent of the provider's format.
#[derive(Debug, Clone)]
pub(crate) enum ErrorCause {
    /// The request has no API key.
    MissingKey,
    /// The request's API key is wrong.
    WrongKey,
    /// The request is invalid; the text says why.
    InvalidRequest(String),
    /// The request's body exceeds the limit.
    BodyTooLarge,
    /// No route has this method and path.
    UnknownRoute { method: String, path: String },
    /// The model is unknown or no longer served.
    ModelGone(GoneForm),
    /// The prompt exceeds the model's context window.
    ContextTooLong,
    /// The content filter blocked the prompt. Only for providers that report this with an error status.
    PromptBlocked,
    /// The usual error for a status code. `variant` selects another cause of the same code.
    Status { code: u16, variant: Option<String> },
    /// A speech or OCR program is missing or failed; the text says which.
    ProgramFailed(String),
}

impl ErrorReply {
    /// A JSON error.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let body = Bytes::from(body.to_string());
        Self { status, content_type: "application/json", headers: BTreeMap::new(), body }
    }

    /// An error with a body of any content type.
    pub(crate) fn text(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type, headers: BTreeMap::new(), body: body.into() }
    }

    /// Adds a header, or replaces the header of that name.
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Replaces `{key}` in the body with the API key of the request.
    pub(crate) fn with_key_inserted(mut self, key: &str) -> Self {
        if let Ok(text) = std::str::from_utf8(&self.body)
            && text.contains("{key}")
        {
            self.body = text.replace("{key}", key).into();
        }
        self
    }
}

impl IntoResponse for ErrorReply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        insert_headers(response.headers_mut(), self.headers);
        response
    }
}

impl From<&ProgramError> for ErrorCause {
    fn from(error: &ProgramError) -> Self {
        match error {
            ProgramError::UnsupportedMedia => Self::InvalidRequest(error.to_string()),
            other => Self::ProgramFailed(other.to_string()),
        }
    }
}

/// The HTML error page of a proxy in front of a provider.
pub(crate) fn proxy_error_page(code: u16) -> ErrorReply {
    let name = StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    let title = format!("{code} {name}");
    let page = format!(
        "<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center><hr>\
         <center>cloudflare</center></body></html>"
    );
    ErrorReply::text(code, "text/html", page)
}
