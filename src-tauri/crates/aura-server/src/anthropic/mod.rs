//! Routes in the format of Anthropic's Messages API, which give its clients AURA's failover.
//!
//! `model` means the same as in the OpenAI-compatible routes: `auto`, `provider/model`, or a model name alone.

mod content;
mod error;
pub(crate) mod messages;
mod reply;
mod request;
mod stream;

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use error::MessageError;
pub(crate) use error::MessageErrorBody;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use request::MessagesBody;

use crate::LocalApi;
use crate::error::convert_problem;

/// The routes under `/v1/messages`.
pub(crate) fn routes() -> Router<LocalApi> {
    Router::new()
        .route("/v1/messages", post(messages::create))
        .route("/v1/messages/count_tokens", post(messages::count_tokens))
}

/// Middleware that converts errors of the guard, the limits and the fallback routes under `/v1/messages` to Anthropic's format.
pub(crate) async fn convert_errors(request: Request, next: Next) -> Response {
    let is_ours = |path: &str| path == "/v1/messages" || path.starts_with("/v1/messages/");
    convert_problem(request, next, is_ours, |problem| MessageError::from(problem).into_response()).await
}
