//! A server with OpenAI's API.

mod chat;
mod errors;
mod models;
mod speech;
mod transcribe;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;

use crate::dialect::Dialect;
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::faults::StreamErrorForm;
use crate::http_reply::HttpReply;
use crate::ids::{Provider, Service};
use crate::request::{Handler, RequestContext, handle_request};
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
        .route(
            "/models",
            get(|state, request| dispatch(state, Service::Models, request, |context| Box::pin(models::list(context)))),
        )
        .route(
            "/models/{*id}",
            get(|state, request| {
                dispatch(state, Service::Models, request, |context| Box::pin(models::retrieve(context)))
            }),
        )
        .route(
            "/chat/completions",
            post(|state, request| dispatch(state, Service::Llm, request, |context| Box::pin(chat::handle(context)))),
        )
        .route(
            "/audio/transcriptions",
            post(|state, request| {
                dispatch(state, Service::Stt, request, |context| Box::pin(transcribe::handle(context)))
            }),
        )
        .route(
            "/audio/speech",
            post(|state, request| dispatch(state, Service::Tts, request, |context| Box::pin(speech::handle(context)))),
        )
        .fallback(|state, request| {
            dispatch(state, Service::Models, request, |context| Box::pin(unknown_route(context)))
        })
}

async fn dispatch(
    Shared(state): Shared<Arc<SandboxState>>,
    service: Service,
    request: Request,
    handler: Handler,
) -> Response {
    handle_request(state, &OpenAiDialect, service, request, handler).await
}

async fn unknown_route(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    context.check_bearer()?;
    Err(context.error(&ErrorCause::UnknownRoute { method: context.method.clone(), path: context.path.clone() }))
}
