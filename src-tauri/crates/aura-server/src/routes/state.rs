//! `GET /`, `GET /health`, `GET /metrics`: the state of the server.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::LocalApi;

/// The program and where its API is described.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Root {
    /// Always `AURA`.
    pub(crate) name: &'static str,
    /// AURA's version.
    pub(crate) version: &'static str,
    /// The path of the documentation page.
    pub(crate) docs: &'static str,
    /// The path of the OpenAPI description.
    pub(crate) openapi: &'static str,
}

/// Reports the version and where the API is described.
#[utoipa::path(get, path = "/", tag = "server", responses((status = 200, body = Root)))]
pub(crate) async fn root() -> Json<Root> {
    Json(Root { name: "AURA", version: env!("CARGO_PKG_VERSION"), docs: "/docs", openapi: "/openapi.json" })
}

/// The health of the server.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `healthy`: the server responds. The health of the providers is at `/providers/health`.
    pub(crate) status: &'static str,
    /// AURA's version.
    pub(crate) version: &'static str,
    /// Seconds since the server started.
    pub(crate) uptime_seconds: f64,
    /// Whether the sandbox replaces the real providers.
    pub(crate) sandbox: bool,
}

/// Reports that the server responds.
#[utoipa::path(get, path = "/health", tag = "server", responses((status = 200, body = Health)))]
pub(crate) async fn health(State(api): State<LocalApi>) -> Json<Health> {
    Json(Health {
        status: "healthy",
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: api.started.elapsed().as_secs_f64(),
        sandbox: api.sandbox,
    })
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "server", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(api): State<LocalApi>) -> impl IntoResponse {
    let text = api.metrics.render(&api.assistant, api.sandbox).await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
