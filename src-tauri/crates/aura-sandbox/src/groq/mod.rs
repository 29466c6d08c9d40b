//! Groq: OpenAI's format with Groq's errors, limits, usage and headers.

mod auth;
mod chat;
mod errors;
mod models;
mod rate_limit;
mod speech;
mod transcribe;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;

use crate::dialect::Dialect;
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::faults::StreamErrorForm;
use crate::ids::{Provider, Service};
use crate::request::{serve, unknown_route};
use crate::state::SandboxState;

/// Groq's error format.
#[derive(Debug)]
struct GroqDialect;

impl Dialect for GroqDialect {
    fn provider(&self) -> Provider {
        Provider::Groq
    }

    fn error_reply(&self, cause: &ErrorCause, model: &str) -> ErrorReply {
        errors::error_reply(cause, model)
    }

    fn stream_error(&self, form: StreamErrorForm) -> Vec<Bytes> {
        errors::stream_error(form)
    }
}

/// Routes below `/groq/openai/v1`.
pub(crate) fn routes() -> Router<Arc<SandboxState>> {
    Router::new()
        .route("/models", get(serve(&GroqDialect, Service::Models, |context| Box::pin(models::list(context)))))
        .route(
            "/models/{*id}",
            get(serve(&GroqDialect, Service::Models, |context| Box::pin(models::retrieve(context)))),
        )
        .route("/chat/completions", post(serve(&GroqDialect, Service::Llm, |context| Box::pin(chat::handle(context)))))
        .route(
            "/audio/transcriptions",
            post(serve(&GroqDialect, Service::Stt, |context| Box::pin(transcribe::handle_transcription(context)))),
        )
        .route(
            "/audio/translations",
            post(serve(&GroqDialect, Service::Stt, |context| Box::pin(transcribe::handle_translation(context)))),
        )
        .route("/audio/speech", post(serve(&GroqDialect, Service::Tts, |context| Box::pin(speech::handle(context)))))
        .fallback(serve(&GroqDialect, Service::Models, |context| Box::pin(unknown_route(context, auth::check_access))))
}
