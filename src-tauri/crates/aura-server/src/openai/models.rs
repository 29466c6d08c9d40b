//! `GET /v1/models` and `GET /v1/models/{model}`

use aura_core::Assistant;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{Refused, RefusedBody};
use super::names::AUTO;
use crate::Door;
use crate::extract::InPath;

/// A model that can be asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelBody {
    /// The name to ask for.
    id: String,
    /// Always `model`.
    object: &'static str,
    /// Not known: 0.
    created: u32,
    /// Whose it is.
    owned_by: String,
    /// What it does: `stt`, `llm`, `vlm`, `tts`.
    services: Vec<&'static str>,
}

/// The models that can be asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    /// Always `list`.
    object: &'static str,
    /// They.
    data: Vec<ModelBody>,
}

/// Lists `auto`, and every model of every provider that is ready.
#[utoipa::path(get, path = "/v1/models", tag = "openai", responses((status = 200, body = ModelList)))]
pub(crate) async fn list(State(door): State<Door>) -> Json<ModelList> {
    Json(ModelList { object: "list", data: all(&door.assistant) })
}

/// One of them. Its name may hold strokes.
#[utoipa::path(
    get, path = "/v1/models/{model}", tag = "openai",
    params(("model" = String, Path, description = "Its name", pattern = "^[A-Za-z0-9][A-Za-z0-9./_:-]*$")),
    responses((status = 200, body = ModelBody), (status = 404, body = RefusedBody)),
)]
pub(crate) async fn one(State(door): State<Door>, InPath(model): InPath) -> Result<Json<ModelBody>, Refused> {
    let found = all(&door.assistant).into_iter().find(|known| known.id == model);
    found.map(Json).ok_or_else(|| Refused::no_model(&model))
}

fn all(assistant: &Assistant) -> Vec<ModelBody> {
    let router = assistant.router();
    let ready: Vec<String> = router
        .providers()
        .into_iter()
        .filter(|provider| provider.problem.is_none())
        .map(|provider| provider.name)
        .collect();
    let of = |id: String, owned_by: String, services| ModelBody { id, object: "model", created: 0, owned_by, services };
    let auto = of(AUTO.to_owned(), "aura".to_owned(), vec!["stt", "llm", "vlm", "tts"]);
    let models = router.models().into_iter().filter(|model| model.problem.is_none() && ready.contains(&model.provider));
    let models = models.map(|model| {
        let services = model.services.iter().map(|service| service.as_str()).collect();
        of(format!("{}/{}", model.provider, model.name), model.provider, services)
    });
    std::iter::once(auto).chain(models).collect()
}
