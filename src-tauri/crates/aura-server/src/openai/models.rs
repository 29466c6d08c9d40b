//! `GET /v1/models` and `GET /v1/models/{model}`

use aura_core::Assistant;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, ApiErrorBody};
use super::model_name::AUTO;
use crate::LocalApi;
use crate::extract::InPath;

/// A model that requests can name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelBody {
    /// The name to send as `model`.
    id: String,
    /// Always `model`.
    object: &'static str,
    /// Always 0: AURA does not know it.
    created: u32,
    /// The provider.
    owned_by: String,
    /// The services it can be used for: `stt`, `llm`, `vlm`, `tts`, `embedding`. An extension of AURA.
    services: Vec<&'static str>,
}

/// A list of models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    /// Always `list`.
    object: &'static str,
    /// The models.
    data: Vec<ModelBody>,
}

/// Lists `auto`, every model of every provider that is ready, and the aliases in the settings.
#[utoipa::path(get, path = "/v1/models", tag = "openai", responses((status = 200, body = ModelList)))]
pub(crate) async fn list(State(api): State<LocalApi>) -> Json<ModelList> {
    Json(ModelList { object: "list", data: all(&api.assistant) })
}

/// Describes one model. Its name may contain slashes.
#[utoipa::path(
    get, path = "/v1/models/{model}", tag = "openai",
    params(("model" = String, Path, description = "The name of the model", pattern = "^[A-Za-z0-9][A-Za-z0-9./_:-]*$")),
    responses((status = 200, body = ModelBody), (status = 404, body = ApiErrorBody)),
)]
pub(crate) async fn one(State(api): State<LocalApi>, InPath(model): InPath) -> Result<Json<ModelBody>, ApiError> {
    let found = all(&api.assistant).into_iter().find(|listed| listed.id == model);
    found.map(Json).ok_or_else(|| ApiError::model_not_found(&model))
}

fn all(assistant: &Assistant) -> Vec<ModelBody> {
    let router = assistant.router();
    let ready: Vec<String> = router
        .providers()
        .into_iter()
        .filter(|provider| provider.problem.is_none())
        .map(|provider| provider.name)
        .collect();
    let entry =
        |id: String, owned_by: String, services| ModelBody { id, object: "model", created: 0, owned_by, services };
    let auto = entry(AUTO.to_owned(), "aura".to_owned(), vec!["stt", "llm", "vlm", "tts", "embedding"]);
    let models = router.models().into_iter().filter(|model| model.problem.is_none() && ready.contains(&model.provider));
    let models = models.map(|model| {
        let services = model.services.iter().map(|service| service.as_str()).collect();
        entry(format!("{}/{}", model.provider, model.name), model.provider, services)
    });
    let mut all: Vec<ModelBody> = std::iter::once(auto).chain(models).collect();
    for (alias, name) in &assistant.config().settings.local_api.aliases {
        if let Some(services) = all.iter().find(|known| known.id == *name).map(|known| known.services.clone()) {
            all.push(entry(alias.clone(), "aura".to_owned(), services));
        }
    }
    all
}
