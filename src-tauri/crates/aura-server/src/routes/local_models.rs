//! `/models/local/…`: the models on this computer.

use aura_core::api::{self as operations, LocalModelsView, ModelId, Nothing, UseModel};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::extract::{InPath, InQuery};
use crate::{LocalApi, Problem, ProblemBody, validate};

/// The reply of every route here.
type Reply = Result<Json<LocalModelsView>, Problem>;

/// Lists the models that can run on this computer: what is installed, what is being downloaded, and what fits.
#[utoipa::path(get, path = "/models/local", tag = "models", responses((status = 200, body = LocalModelsView)))]
pub(crate) async fn list(State(api): State<LocalApi>) -> Reply {
    Ok(Json(operations::local_models(&api.assistant, Nothing {}).await?))
}

/// Starts to download a model, and returns at once. `GET /models/local` and the events tell how it goes.
#[utoipa::path(
    post, path = "/models/local/{id}/download", tag = "models", params(("id" = String, Path, description = "The ID of the model")),
    responses((status = 200, body = LocalModelsView), (status = 404, body = ProblemBody)),
)]
pub(crate) async fn download(State(api): State<LocalApi>, InPath(id): InPath) -> Reply {
    Ok(Json(operations::download_model(&api.assistant, ModelId { id }).await?))
}

/// Pauses a download. What has arrived is kept.
#[utoipa::path(
    post, path = "/models/local/{id}/pause", tag = "models", params(("id" = String, Path, description = "The ID of the model")),
    responses((status = 200, body = LocalModelsView), (status = 404, body = ProblemBody)),
)]
pub(crate) async fn pause(State(api): State<LocalApi>, InPath(id): InPath) -> Reply {
    Ok(Json(operations::pause_model(&api.assistant, ModelId { id }).await?))
}

/// Goes on with a download that was paused or broke off.
#[utoipa::path(
    post, path = "/models/local/{id}/resume", tag = "models", params(("id" = String, Path, description = "The ID of the model")),
    responses((status = 200, body = LocalModelsView), (status = 404, body = ProblemBody)),
)]
pub(crate) async fn resume(State(api): State<LocalApi>, InPath(id): InPath) -> Reply {
    Ok(Json(operations::resume_model(&api.assistant, ModelId { id }).await?))
}

/// Stops a download and removes what has arrived.
#[utoipa::path(
    post, path = "/models/local/{id}/cancel", tag = "models", params(("id" = String, Path, description = "The ID of the model")),
    responses((status = 200, body = LocalModelsView), (status = 404, body = ProblemBody)),
)]
pub(crate) async fn cancel(State(api): State<LocalApi>, InPath(id): InPath) -> Reply {
    Ok(Json(operations::cancel_model(&api.assistant, ModelId { id }).await?))
}

/// The query of `use`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UseQuery {
    /// The service: stt, llm, vlm or tts.
    #[param(required = true, value_type = aura_providers::Service)]
    pub(crate) service: Option<String>,
}

/// Prefers an installed model for a service over the other models on this computer.
#[utoipa::path(
    post, path = "/models/local/{id}/use", tag = "models",
    params(("id" = String, Path, description = "The ID of the model"), UseQuery),
    responses((status = 200, body = LocalModelsView), (status = 404, body = ProblemBody)),
)]
pub(crate) async fn prefer(
    State(api): State<LocalApi>,
    InPath(id): InPath,
    InQuery(query): InQuery<UseQuery>,
) -> Reply {
    let Some(service) = validate::non_empty(&query.service) else {
        return Err(Problem::unprocessable("The query parameter `service` is missing. Use stt, llm, vlm or tts."));
    };
    let service = validate::service(service)?;
    Ok(Json(operations::use_model(&api.assistant, UseModel { id, service }).await?))
}

/// Removes an installed model from the disk.
#[utoipa::path(
    delete, path = "/models/local/{id}", tag = "models", params(("id" = String, Path, description = "The ID of the model")),
    responses((status = 200, body = LocalModelsView), (status = 404, body = ProblemBody)),
)]
pub(crate) async fn remove(State(api): State<LocalApi>, InPath(id): InPath) -> Reply {
    Ok(Json(operations::delete_model(&api.assistant, ModelId { id }).await?))
}
