//! OpenAI's format, so that any client of it gets the fallback for free.
//!
//! A model is named as `provider/model`, by its own name alone, or as `auto`. Who names a provider's model stays with it, unless the
//! request says `"fallback": true`; a model that several providers serve falls back among those; `auto` is AURA's own route with the
//! whole fallback order.

mod answer;
pub(crate) mod chat;
mod error;
pub(crate) mod models;
mod names;
mod request;
pub(crate) mod speech;
mod stream;
mod subtitles;
pub(crate) mod transcriptions;
mod watch;

use std::sync::Arc;

use aura_core::error::Error;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::de::DeserializeOwned;

use crate::{Door, Problem, body, shortened};
use error::Refused;
pub(crate) use error::RefusedBody;
use watch::Watch;

/// `/v1/…`
pub(crate) fn routes() -> Router<Door> {
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*model}", get(models::one))
        .route("/v1/chat/completions", post(chat::complete))
        .route("/v1/audio/transcriptions", post(transcriptions::transcribe))
        .route("/v1/audio/speech", post(speech::speak))
}

/// The middleware that says in OpenAI's form what the guard, the limits and the paths refuse.
pub(crate) async fn refusals(request: Request, next: Next) -> Response {
    let here = request.uri().path().starts_with("/v1/");
    let response = next.run(request).await;
    match response.extensions().get::<Arc<Problem>>() {
        Some(problem) if here => Refused::from(Problem::clone(problem)).into_response(),
        _ => response,
    }
}

/// The JSON of a request, of at most so many bytes, and how many there were.
async fn json<T: DeserializeOwned + Send + 'static>(request: Request, limit: usize) -> Result<(T, usize), Refused> {
    let (parts, sent) = request.into_parts();
    if body::media_type(&parts.headers).as_deref() != Some("application/json") {
        return Err(Refused::media("Send the request as JSON, with `Content-Type: application/json`."));
    }
    let text = body::read(sent, limit).await?;
    let length = text.len();
    let read = move || serde_json::from_slice(&text);
    // Megabytes are read where they keep nobody waiting.
    let read =
        if length > body::AT_ONCE { tokio::task::spawn_blocking(read).await.map_err(Error::internal)? } else { read() };
    let cannot = |cause: serde_json::Error| {
        Refused::bad(format!("The request cannot be read: {}.", shortened(&cause.to_string())), None)
    };
    Ok((read.map_err(cannot)?, length))
}

/// The headers that say by which route an answer came, after how many calls, and what AURA added.
fn provenance(watch: &Watch) -> HeaderMap {
    let seen = watch.seen();
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: Option<String>| {
        // A provider's name that is no header is left out.
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("x-aura-route", seen.route.as_ref().map(watch::route_name));
    set("x-aura-attempts", Some(seen.attempts.to_string()));
    set("x-aura-overhead-ms", Some(format!("{:.3}", seen.overhead.as_secs_f64() * 1_000.0)));
    headers
}
