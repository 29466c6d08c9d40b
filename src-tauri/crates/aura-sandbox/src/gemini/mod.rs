//! Gemini's Developer API: generateContent in its three uses, and its own errors.

pub(crate) mod errors;
mod fields;
mod generate;
mod models;
mod request;
mod speech;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use axum::routing::get;

use crate::call::{Answerer, Call, serve};
use crate::kinds::{Provider, Service};
use crate::refusal::{Cause, Refusal};
use crate::reply::Reply;
use crate::state::State;

/// Everything below `/gemini/v1beta`.
pub(crate) fn routes() -> Router<Arc<State>> {
    Router::new()
        .route(
            "/models",
            get(|state, request| on(state, Service::Models, request, |call| Box::pin(models::list(call)))),
        )
        .route(
            "/models/{*rest}",
            get(|state, request| on(state, Service::Models, request, |call| Box::pin(models::one(call))))
                .post(|state, request| on(state, Service::Llm, request, |call| Box::pin(generate::answer(call)))),
        )
        .fallback(|state, request| on(state, Service::Models, request, |call| Box::pin(unknown(call))))
}

async fn on(Shared(state): Shared<Arc<State>>, service: Service, request: Request, answer: Answerer) -> Response {
    serve(state, Provider::Gemini, service, request, answer).await
}

async fn unknown(call: &mut Call) -> Result<Reply, Refusal> {
    admit(call)?;
    Err(call.refuse(&Cause::UnknownRoute { method: call.method.clone(), path: call.path.clone() }))
}

/// One parameter of the query.
fn parameter<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The key travels in a header or, unwisely, in the query.
fn admit(call: &Call) -> Result<(), Refusal> {
    match call.header("x-goog-api-key").or_else(|| parameter(call, "key")) {
        None | Some("") => Err(call.refuse(&Cause::NoKey)),
        Some(key) if key == call.state.config.key => Ok(()),
        Some(_) => Err(call.refuse(&Cause::BadKey)),
    }
}
