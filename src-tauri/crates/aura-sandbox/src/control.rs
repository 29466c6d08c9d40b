//! HTTP routes that control a running sandbox, for clients in another process or language.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::{Delays, FixedAnswers};
use crate::faults::Fault;
use crate::request_log::RequestRecord;
use crate::script::Script;
use crate::state::SandboxState;

/// Routes below `/control`.
pub(crate) fn routes() -> Router<Arc<SandboxState>> {
    Router::new()
        .route("/health", get(health))
        .route("/script", get(script).put(set_script))
        .route("/faults", get(faults).put(set_faults).post(add_faults).delete(clear_faults))
        .route("/delays", get(delays).put(set_delays))
        .route("/fixed", get(fixed).put(set_fixed))
        .route("/requests", get(requests).delete(clear_requests))
        .route("/reset", post(reset))
}

async fn health(Shared(state): Shared<Arc<SandboxState>>) -> Json<Value> {
    Json(json!({"status": "ok", "programs": state.programs.names()}))
}

async fn script(Shared(state): Shared<Arc<SandboxState>>) -> Json<Script> {
    Json(state.script().script())
}

async fn set_script(Shared(state): Shared<Arc<SandboxState>>, Json(script): Json<Script>) -> StatusCode {
    state.set_script(script);
    StatusCode::NO_CONTENT
}

/// A request body with one fault or a list of faults.
#[derive(Deserialize)]
#[serde(untagged)]
enum FaultList {
    Many(Vec<Fault>),
    One(Box<Fault>),
}

impl FaultList {
    fn list(self) -> Vec<Fault> {
        match self {
            Self::Many(faults) => faults,
            Self::One(fault) => vec![*fault],
        }
    }
}

async fn faults(Shared(state): Shared<Arc<SandboxState>>) -> Json<Vec<Fault>> {
    Json(state.faults().list())
}

async fn set_faults(Shared(state): Shared<Arc<SandboxState>>, Json(faults): Json<FaultList>) -> StatusCode {
    state.set_faults(faults.list());
    StatusCode::NO_CONTENT
}

async fn add_faults(Shared(state): Shared<Arc<SandboxState>>, Json(faults): Json<FaultList>) -> StatusCode {
    let mut queue = state.faults();
    for fault in faults.list() {
        queue.push(fault);
    }
    StatusCode::NO_CONTENT
}

async fn clear_faults(Shared(state): Shared<Arc<SandboxState>>) -> StatusCode {
    state.faults().clear();
    StatusCode::NO_CONTENT
}

async fn delays(Shared(state): Shared<Arc<SandboxState>>) -> Json<Delays> {
    Json(state.delays())
}

async fn set_delays(Shared(state): Shared<Arc<SandboxState>>, Json(delays): Json<Delays>) -> StatusCode {
    state.set_delays(delays);
    StatusCode::NO_CONTENT
}

async fn fixed(Shared(state): Shared<Arc<SandboxState>>) -> Json<FixedAnswers> {
    Json(state.fixed())
}

async fn set_fixed(Shared(state): Shared<Arc<SandboxState>>, Json(fixed): Json<FixedAnswers>) -> StatusCode {
    state.set_fixed(fixed);
    StatusCode::NO_CONTENT
}

async fn requests(Shared(state): Shared<Arc<SandboxState>>) -> Json<Vec<RequestRecord>> {
    Json(state.log.list())
}

async fn clear_requests(Shared(state): Shared<Arc<SandboxState>>) -> StatusCode {
    state.log.clear();
    StatusCode::NO_CONTENT
}

async fn reset(Shared(state): Shared<Arc<SandboxState>>) -> StatusCode {
    state.reset();
    StatusCode::NO_CONTENT
}
