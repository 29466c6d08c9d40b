//! A server that speaks OpenAI's format, as many do.

mod chat;
pub(crate) mod errors;
mod models;
mod speech;
mod transcribe;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use axum::routing::{get, post};

use crate::call::{Answerer, Call, serve};
use crate::kinds::{Provider, Service};
use crate::refusal::{Cause, Refusal};
use crate::reply::Reply;
use crate::state::State;

/// Everything below `/openai/v1`.
pub(crate) fn routes() -> Router<Arc<State>> {
    Router::new()
        .route(
            "/models",
            get(|state, request| on(state, Service::Models, request, |call| Box::pin(models::list(call)))),
        )
        .route(
            "/models/{*id}",
            get(|state, request| on(state, Service::Models, request, |call| Box::pin(models::one(call)))),
        )
        .route(
            "/chat/completions",
            post(|state, request| on(state, Service::Llm, request, |call| Box::pin(chat::answer(call)))),
        )
        .route(
            "/audio/transcriptions",
            post(|state, request| on(state, Service::Stt, request, |call| Box::pin(transcribe::answer(call)))),
        )
        .route(
            "/audio/speech",
            post(|state, request| on(state, Service::Tts, request, |call| Box::pin(speech::answer(call)))),
        )
        .fallback(|state, request| on(state, Service::Models, request, |call| Box::pin(unknown(call))))
}

async fn on(Shared(state): Shared<Arc<State>>, service: Service, request: Request, answer: Answerer) -> Response {
    serve(state, Provider::Openai, service, request, answer).await
}

async fn unknown(call: &mut Call) -> Result<Reply, Refusal> {
    call.check_bearer()?;
    Err(call.refuse(&Cause::UnknownRoute { method: call.method.clone(), path: call.path.clone() }))
}
