//! A server with OpenAI's API.

mod chat;
mod embeddings;
mod errors;
mod models;
mod realtime;
mod speech;
mod transcribe;
mod vllm;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;

use crate::dialect::Dialect;
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::faults::StreamErrorForm;
use crate::ids::{Provider, Service};
use crate::live;
use crate::request::{RequestContext, serve, unknown_route};
use crate::state::SandboxState;

/// OpenAI's error format.
#[derive(Debug)]
struct OpenAiDialect;

impl Dialect for OpenAiDialect {
    fn provider(&self) -> Provider {
        Provider::Openai
    }

    fn error_reply(&self, cause: &ErrorCause, model: &str) -> ErrorReply {
        errors::error_reply(cause, model)
    }

    fn stream_error(&self, _form: StreamErrorForm) -> Vec<Bytes> {
        errors::stream_error()
    }
}

/// Routes below `/openai/v1`.
pub(crate) fn routes() -> Router<Arc<SandboxState>> {
    Router::new()
        .route("/models", get(serve(&OpenAiDialect, Service::Models, |context| Box::pin(models::list(context)))))
        .route(
            "/models/{*id}",
            get(serve(&OpenAiDialect, Service::Models, |context| Box::pin(models::retrieve(context)))),
        )
        .route(
            "/chat/completions",
            post(serve(&OpenAiDialect, Service::Llm, |context| Box::pin(chat::handle(context)))),
        )
        .route(
            "/embeddings",
            post(serve(&OpenAiDialect, Service::Embedding, |context| Box::pin(embeddings::handle(context)))),
        )
        .route(
            "/audio/transcriptions",
            post(serve(&OpenAiDialect, Service::Stt, |context| Box::pin(transcribe::handle(context)))),
        )
        .route("/realtime", get(live::serve(&OpenAiDialect, RequestContext::check_bearer, realtime::talk)))
        .route("/audio/speech", post(serve(&OpenAiDialect, Service::Tts, |context| Box::pin(speech::handle(context)))))
        .fallback(serve(&OpenAiDialect, Service::Models, |context| {
            Box::pin(unknown_route(context, RequestContext::check_bearer))
        }))
}
