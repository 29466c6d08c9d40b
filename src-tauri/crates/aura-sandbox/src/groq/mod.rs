//! Groq: OpenAI's dialect with its own errors, limits, usage and headers.

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

/// Everything below `/groq/openai/v1`.
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
            post(|state, request| on(state, Service::Stt, request, |call| Box::pin(transcribe::transcribe(call)))),
        )
        .route(
            "/audio/translations",
            post(|state, request| on(state, Service::Stt, request, |call| Box::pin(transcribe::translate(call)))),
        )
        .route(
            "/audio/speech",
            post(|state, request| on(state, Service::Tts, request, |call| Box::pin(speech::speak(call)))),
        )
        .fallback(|state, request| on(state, Service::Models, request, |call| Box::pin(unknown(call))))
}

async fn on(Shared(state): Shared<Arc<State>>, service: Service, request: Request, answer: Answerer) -> Response {
    serve(state, Provider::Groq, service, request, answer).await
}

async fn unknown(call: &mut Call) -> Result<Reply, Refusal> {
    admit(call)?;
    Err(call.refuse(&Cause::UnknownRoute { method: call.method.clone(), path: call.path.clone() }))
}

/// The edge wants a User-Agent, the service a key.
fn admit(call: &Call) -> Result<(), Refusal> {
    if call.header("user-agent").is_none_or(str::is_empty) {
        return Err(errors::edge());
    }
    call.check_bearer()
}

/// The rate-limit headers that come with every success.
fn limits(call: &Call, reply: Reply) -> Reply {
    let used = call.entry.id();
    reply
        .with("x-request-id", errors::request_id(call.entry.id()))
        .with("x-ratelimit-limit-requests", "1000")
        .with("x-ratelimit-remaining-requests", 1000u64.saturating_sub(used).to_string())
        .with("x-ratelimit-reset-requests", "2m52.8s")
}

fn token_limits(call: &Call, reply: Reply) -> Reply {
    limits(call, reply)
        .with("x-ratelimit-limit-tokens", "8000")
        .with("x-ratelimit-remaining-tokens", "7927")
        .with("x-ratelimit-reset-tokens", "547ms")
}
