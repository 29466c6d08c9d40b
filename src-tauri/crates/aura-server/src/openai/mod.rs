//! OpenAI-compatible routes, which give any OpenAI client AURA's failover.
//!
//! `model` is `provider/model`, a model name alone, or `auto`. A request for `provider/model` does not fall back to other providers unless
//! it has `"fallback": true`. A model that several providers serve falls back among these. `auto` is AURA's default route with its whole
//! fallback order.

pub(crate) mod chat;
mod completion;
mod effort;
pub(crate) mod embeddings;
mod error;
mod model_name;
pub(crate) mod models;
mod request;
mod request_trace;
pub(crate) mod responses;
pub(crate) mod speech;
mod stream;
pub(crate) mod transcriptions;
pub(crate) mod voices;

use aura_core::error::Error;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::de::DeserializeOwned;

use crate::error::convert_problem;
use crate::{LocalApi, body, shortened};
pub(crate) use error::{ApiError, ApiErrorBody, with_error_headers};
pub(crate) use model_name::{FallbackName, ModelOrder, check_names};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use request::ChatBody;
pub(crate) use request::{decode_image, is_tool_name};
pub(crate) use request_trace::{Provenance, RequestTrace, route_name};

/// Where Groq's client expects the routes, besides `/v1/`.
const GROQ_PREFIX: &str = "/openai";

/// The routes under `/v1/`, and again under `/openai/v1/`.
pub(crate) fn routes() -> Router<LocalApi> {
    v1().nest(GROQ_PREFIX, v1())
}

fn v1() -> Router<LocalApi> {
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*model}", get(models::one))
        .route("/v1/chat/completions", post(chat::complete))
        .route("/v1/responses", post(responses::create))
        .route("/v1/responses/input_tokens", post(responses::count_input_tokens))
        .route("/v1/embeddings", post(embeddings::embed))
        .route("/v1/audio/transcriptions", post(transcriptions::transcribe))
        .route("/v1/audio/translations", post(transcriptions::translate))
        .route("/v1/audio/speech", post(speech::speak))
        .route("/v1/audio/voices", get(voices::list))
}

/// Middleware that converts errors of the guard, the limits and the fallback routes under `/v1/` to OpenAI's format.
pub(crate) async fn convert_errors(request: Request, next: Next) -> Response {
    let is_ours = |path: &str| path.strip_prefix(GROQ_PREFIX).unwrap_or(path).starts_with("/v1/");
    convert_problem(request, next, is_ours, |problem| ApiError::from(problem).into_response()).await
}

/// Deserializes a JSON body of at most `limit` bytes, and gives its length in bytes.
pub(crate) async fn json<T: DeserializeOwned + Send + 'static>(
    request: Request,
    limit: usize,
) -> Result<(T, usize), ApiError> {
    let (parts, body) = request.into_parts();
    if body::media_type(&parts.headers).as_deref() != Some("application/json") {
        return Err(ApiError::unsupported_media_type("Send JSON, with the header `Content-Type: application/json`."));
    }
    let text = body::read(body, limit).await?;
    let length = text.len();
    let parse = move || serde_json::from_slice(&text);
    let parsed = if length > body::INLINE_LIMIT {
        tokio::task::spawn_blocking(parse).await.map_err(Error::internal)?
    } else {
        parse()
    };
    let invalid = |cause: serde_json::Error| {
        ApiError::invalid_request(format!("The request is not valid: {}.", shortened(&cause.to_string())), None)
    };
    Ok((parsed.map_err(invalid)?, length))
}

/// Headers with the route of the answer, the number and the cost of the attempts, and the time added by AURA.
pub(crate) fn provenance_headers(trace: &RequestTrace) -> HeaderMap {
    let summary = trace.summary();
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: Option<String>| {
        // A provider name that is not a valid header value is left out.
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("x-aura-route", summary.route.as_ref().map(route_name));
    set("x-aura-attempts", Some(summary.attempts.to_string()));
    set("x-aura-cost-usd", summary.usd.map(|usd| format!("{usd:.8}")));
    set("x-aura-overhead-ms", Some(format!("{:.3}", summary.overhead.as_secs_f64() * 1_000.0)));
    headers
}
