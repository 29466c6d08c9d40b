//! The HTTP door onto the assistant. It offers its health so far; the guide's routes come next.
#![forbid(unsafe_code)]

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

/// The routes of the door.
pub fn router() -> Router {
    Router::new().route("/health", get(health))
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}
