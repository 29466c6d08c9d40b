//! `GET /`, `GET /health`, `GET /metrics`: that the door is there, and how it does.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Door;

/// What this is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Root {
    /// AURA.
    pub(crate) name: &'static str,
    /// Its version.
    pub(crate) version: String,
    /// Where the routes are described.
    pub(crate) docs: &'static str,
    /// Where they are described for programs.
    pub(crate) openapi: &'static str,
}

/// `GET /`
#[utoipa::path(get, path = "/", tag = "door", responses((status = 200, body = Root)))]
pub(crate) async fn root() -> Json<Root> {
    let version = env!("CARGO_PKG_VERSION").into();
    Json(Root { name: "AURA", version, docs: "/docs", openapi: "/openapi.json" })
}

/// That the door works.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `healthy`: it answers. How the providers are is told by `/providers/health`.
    pub(crate) status: &'static str,
    /// AURA's version.
    pub(crate) version: String,
    /// Since it was opened, seconds.
    pub(crate) uptime_seconds: f64,
    /// Whether the sandbox answers instead of the real providers.
    pub(crate) sandbox: bool,
}

/// `GET /health`
#[utoipa::path(get, path = "/health", tag = "door", responses((status = 200, body = Health)))]
pub(crate) async fn health(State(door): State<Door>) -> Json<Health> {
    let snapshot = door.assistant.snapshot();
    Json(Health {
        status: "healthy",
        version: snapshot.version,
        uptime_seconds: door.opened.elapsed().as_secs_f64(),
        sandbox: snapshot.sandbox,
    })
}

/// `GET /metrics`
#[utoipa::path(get, path = "/metrics", tag = "door", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(door): State<Door>) -> impl IntoResponse {
    let text = door.metrics.text(&door.assistant).await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
