//! Errors before an answer began, in each provider's own form.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

use crate::faults::{ErrorBody, GoneForm};
use crate::kinds::Provider;
use crate::speech::SpeechError;
use crate::{gemini, groq, openai};

/// An error response.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Bytes,
}

/// Why a request is refused.
#[derive(Debug, Clone)]
pub(crate) enum Cause {
    /// No key was sent.
    NoKey,
    /// A key was sent, and it is wrong.
    BadKey,
    /// The caller's mistake, in words.
    Invalid(String),
    /// A body over the limit.
    TooLarge,
    /// No such address.
    UnknownRoute { method: String, path: String },
    /// A model that was never served, or is not served any more.
    Gone(GoneForm),
    /// The prompt does not fit.
    ContextTooLong,
    /// The prompt is blocked, where that is an error.
    Filtered,
    /// Whatever this status usually means; a variant names another meaning.
    Status { code: u16, variant: Option<String> },
    /// A program that the sandbox needs is missing or failed.
    Speech(String),
}

impl Refusal {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let body = Bytes::from(body.to_string());
        Self { status, content_type: "application/json", headers: BTreeMap::new(), body }
    }

    pub(crate) fn text(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type, headers: BTreeMap::new(), body: body.into() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The provider's words for a cause.
    pub(crate) fn of(provider: Provider, cause: &Cause, model: &str) -> Self {
        match provider {
            Provider::Groq => groq::errors::refuse(cause, model),
            Provider::Gemini => gemini::errors::refuse(cause, model),
            Provider::Openai => openai::errors::refuse(cause, model),
        }
    }

    /// A status that was ordered.
    pub(crate) fn ordered(
        provider: Provider,
        model: &str,
        code: u16,
        body: &ErrorBody,
        headers: &BTreeMap<String, String>,
    ) -> Self {
        let usual = |variant| Self::of(provider, &Cause::Status { code, variant }, model);
        let mut refusal = match body {
            ErrorBody::Provider => usual(None),
            ErrorBody::Variant(name) => usual(Some(name.clone())),
            ErrorBody::Empty => Self::text(code, "application/json", Bytes::new()),
            ErrorBody::Html => html(code),
            ErrorBody::Json(value) => Self::json(code, value),
            ErrorBody::Text(text) => Self::text(code, "text/plain; charset=UTF-8", text.clone()),
        };
        // What was ordered wins over what the provider usually sends.
        refusal.headers.extend(headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())));
        refusal
    }

    /// The same with the key in place of `{key}`.
    pub(crate) fn quoting(mut self, key: &str) -> Self {
        if let Ok(text) = std::str::from_utf8(&self.body)
            && text.contains("{key}")
        {
            self.body = text.replace("{key}", key).into();
        }
        self
    }

    pub(crate) fn response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        put(response.headers_mut(), self.headers);
        response
    }
}

impl From<&SpeechError> for Cause {
    fn from(error: &SpeechError) -> Self {
        match error {
            SpeechError::NotMedia => Self::Invalid(error.to_string()),
            other => Self::Speech(other.to_string()),
        }
    }
}

/// The page that a proxy in front of a provider answers.
pub(crate) fn html(code: u16) -> Refusal {
    let name = StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    let title = format!("{code} {name}");
    let page = format!(
        "<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center><hr>\
         <center>cloudflare</center></body></html>"
    );
    Refusal::text(code, "text/html", page)
}

/// Puts headers that may have been ordered by a test; those that are no headers are left out.
pub(crate) fn put(headers: &mut HeaderMap, more: impl IntoIterator<Item = (String, String)>) {
    for (name, value) in more {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                headers.insert(name, value);
            }
            _ => tracing::warn!("a header that was ordered is not a valid header"),
        }
    }
}
