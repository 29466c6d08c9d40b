//! The Gemini Developer API: generateContent for text, transcription and speech, with Gemini's errors.

mod auth;
mod embeddings;
mod errors;
mod fields;
mod generate;
mod generate_request;
mod live_transcription;
mod models;
mod response;
mod speech;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;

use crate::dialect::Dialect;
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::faults::StreamErrorForm;
use crate::ids::{Provider, Service};
use crate::live;
use crate::request::{serve, unknown_route};
use crate::state::SandboxState;

/// Gemini's error format.
#[derive(Debug)]
struct GeminiDialect;

impl Dialect for GeminiDialect {
    fn provider(&self) -> Provider {
        Provider::Gemini
    }

    fn error_reply(&self, cause: &ErrorCause, model: &str) -> ErrorReply {
        errors::error_reply(cause, model)
    }

    fn stream_error(&self, form: StreamErrorForm) -> Vec<Bytes> {
        errors::stream_error(form)
    }

    // Gemini reports a blocked prompt with status 200.
    fn rejects_blocked_prompts(&self) -> bool {
        false
    }
}

/// Routes below `/gemini/ws`: the version is a part of the method's name.
pub(crate) fn live_routes() -> Router<Arc<SandboxState>> {
    Router::new().route("/{method}", get(live::serve(&GeminiDialect, auth::check_access, live_transcription::talk)))
}

/// Routes below `/gemini/v1beta`.
pub(crate) fn routes() -> Router<Arc<SandboxState>> {
    Router::new()
        .route("/models", get(serve(&GeminiDialect, Service::Models, |context| Box::pin(models::list(context)))))
        .route(
            "/models/{*rest}",
            get(serve(&GeminiDialect, Service::Models, |context| Box::pin(models::retrieve(context)))).post(serve(
                &GeminiDialect,
                Service::Llm,
                |context| Box::pin(generate::handle(context)),
            )),
        )
        .fallback(serve(&GeminiDialect, Service::Models, |context| {
            Box::pin(unknown_route(context, auth::check_access))
        }))
}
