//! The guide's routes.

pub(crate) mod chat;
pub(crate) mod configuration;
pub(crate) mod events;
pub(crate) mod local_models;
pub(crate) mod process;
pub(crate) mod providers;
pub(crate) mod sessions;
pub(crate) mod state;
mod turn;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};

use crate::LocalApi;

/// The guide's routes.
pub(crate) fn routes() -> Router<LocalApi> {
    Router::new()
        .route("/", get(state::root))
        .route("/health", get(state::health))
        .route("/metrics", get(state::metrics))
        .route("/events", get(events::events))
        .route("/chat", post(chat::chat))
        .route("/process", post(process::process).layer(DefaultBodyLimit::disable()))
        .route("/providers/health", get(providers::health))
        .route("/providers/info", get(providers::info))
        .route("/providers/models", get(providers::models))
        .route("/providers/voices", get(providers::voices))
        .route("/providers/test", post(providers::test))
        .route("/providers/switch", post(configuration::switch))
        .route("/providers/config/{service}", get(configuration::config))
        .route("/providers/config/{service}/model", post(configuration::set_model))
        .route("/models/local", get(local_models::list))
        .route("/models/local/{id}", delete(local_models::remove))
        .route("/models/local/{id}/download", post(local_models::download))
        .route("/models/local/{id}/pause", post(local_models::pause))
        .route("/models/local/{id}/resume", post(local_models::resume))
        .route("/models/local/{id}/cancel", post(local_models::cancel))
        .route("/models/local/{id}/use", post(local_models::prefer))
        .route("/session/{id}/history", get(sessions::history).delete(sessions::forget))
}
