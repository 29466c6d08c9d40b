//! `/providers/switch` and `/providers/config/…`: reads and changes the default routes.

use aura_core::api::{self as operations, Snapshot, Switch};
use aura_providers::Service;
use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::body::{self, MAX_JSON};
use crate::extract::{InPath, InQuery};
use crate::{LocalApi, Problem, ProblemBody, validate};

/// The result of an operation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct OperationReply {
    /// Always true: failures have an error body and another status.
    pub(crate) success: bool,
    /// The result as a sentence.
    pub(crate) message: String,
    /// The result for programs.
    pub(crate) data: Value,
}

/// A new default route.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct SwitchRequest {
    /// The service: stt, llm, vlm or tts.
    #[schema(value_type = Service)]
    pub(crate) service_type: String,
    /// The provider.
    pub(crate) provider: String,
    /// Its model. If absent, the catalog's default.
    #[serde(default)]
    pub(crate) model: Option<String>,
    /// Its voice, for tts. If absent, the catalog's default.
    #[serde(default)]
    pub(crate) voice: Option<String>,
}

/// Changes the default route of a service, from the next request on and after restarts.
#[utoipa::path(post, path = "/providers/switch", tag = "providers", request_body = SwitchRequest, responses((status = 200, body = OperationReply)))]
pub(crate) async fn switch(State(api): State<LocalApi>, request: Request) -> Result<Json<OperationReply>, Problem> {
    let SwitchRequest { service_type, provider, model, voice } = body::json(request, MAX_JSON).await?;
    let service = validate::service(&service_type)?;
    let provider = validate::provider_offering(&api.assistant, service, &provider)?.name;
    let model = validate::non_empty(&model).map(str::to_owned);
    if let Some(model) = &model {
        validate::check_model(&api.assistant, service, &provider, model)?;
    }
    let voice = validate::non_empty(&voice).map(str::to_owned);
    change(&api, Switch { service, provider, model, voice }).await
}

/// The query of `set_model`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ModelQuery {
    /// The model. If the default provider does not serve it, the provider that does becomes the default.
    #[param(required = true, value_type = String)]
    pub(crate) model: Option<String>,
}

/// Changes the default model of a service.
#[utoipa::path(
    post, path = "/providers/config/{service}/model", tag = "providers",
    params(("service" = Service, Path, description = "The service"), ModelQuery),
    responses((status = 200, body = OperationReply), (status = 404, body = ProblemBody)),
)]
pub(crate) async fn set_model(
    State(api): State<LocalApi>,
    InPath(service): InPath,
    InQuery(query): InQuery<ModelQuery>,
) -> Result<Json<OperationReply>, Problem> {
    let service = path_service(&service)?;
    let Some(model) = validate::non_empty(&query.model).map(str::to_owned) else {
        return Err(Problem::unprocessable("The query parameter `model` is missing."));
    };
    let provider = validate::provider_serving(&api.assistant, service, &model)?;
    change(&api, Switch { service, provider, model: Some(model), voice: None }).await
}

/// Changes a default route and describes the result.
async fn change(api: &LocalApi, switch: Switch) -> Result<Json<OperationReply>, Problem> {
    let Switch { service, provider, model, voice } = switch.clone();
    let snapshot = operations::switch(&api.assistant, switch).await?;
    let route = snapshot.routes.iter().find(|view| view.service == service).and_then(|view| view.routes.first());
    let problem = snapshot.providers.iter().find(|view| view.name == provider).and_then(|view| view.problem.clone());
    let mut message = format!("{} now uses {provider}", service.as_str());
    if let Some(model) = &model {
        message.push_str(&format!(" with {model}"));
    }
    match problem {
        Some(problem) => message.push_str(&format!(", once it is ready. {problem}")),
        None => message.push('.'),
    }
    let of_service = format!("routes.{}.", service.as_str());
    for overruled in snapshot.overruled.iter().filter(|overruled| overruled.setting.starts_with(&of_service)) {
        message.push_str(&format!(" {}", overruled.message()));
    }
    let data = json!({
        "service_type": service, "provider": provider, "model": model, "voice": voice,
        // The route that the next request will use: a retired model is replaced by its successor.
        "route": route,
    });
    Ok(Json(OperationReply { success: true, message, data }))
}

/// The configuration of a service.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ServiceConfig {
    /// The service.
    pub(crate) service_type: Service,
    /// The provider for requests that name none; null when none is ready.
    pub(crate) default_provider: Option<String>,
    /// The ready providers that are tried after it, in order.
    pub(crate) fallback_providers: Vec<String>,
    /// The model of the default provider; null when it is unknown.
    pub(crate) default_model: Option<String>,
    /// Whether AURA falls back to other providers.
    pub(crate) enable_fallback: bool,
    /// The timeout of a request, all attempts included, seconds.
    pub(crate) timeout: f64,
}

impl ServiceConfig {
    /// The current configuration of a service.
    pub(crate) fn new(snapshot: &Snapshot, service: Service) -> Self {
        let choice = snapshot.settings.routes.get(service);
        let default_provider = validate::default_provider(&snapshot.settings, &snapshot.routes, service);
        let routes = snapshot.routes.iter().find(|view| view.service == service);
        let is_default = |route: &&aura_router::Route| Some(&route.provider) == default_provider.as_ref();
        let default_model = routes
            .and_then(|view| view.routes.iter().find(is_default).map(|route| route.model.clone()))
            .or_else(|| choice.model.clone());
        let offering =
            snapshot.providers.iter().filter(|view| view.services.contains(&service)).map(|view| view.name.clone());
        let order = choice.then.clone().unwrap_or_else(|| offering.collect());
        let is_ready =
            |name: &String| snapshot.providers.iter().any(|view| view.name == *name && view.problem.is_none());
        let fallback_providers =
            order.into_iter().filter(|name| Some(name) != default_provider.as_ref() && is_ready(name)).collect();
        Self {
            service_type: service,
            default_provider,
            fallback_providers,
            default_model,
            enable_fallback: snapshot.settings.fallback,
            timeout: f64::from(snapshot.settings.timeouts.whole_ms) / 1_000.0,
        }
    }
}

/// Describes the configuration of a service.
#[utoipa::path(
    get, path = "/providers/config/{service}", tag = "providers",
    params(("service" = Service, Path, description = "The service")),
    responses((status = 200, body = ServiceConfig), (status = 404, body = ProblemBody)),
)]
pub(crate) async fn config(
    State(api): State<LocalApi>,
    InPath(service): InPath,
) -> Result<Json<ServiceConfig>, Problem> {
    Ok(Json(ServiceConfig::new(&api.assistant.snapshot(), path_service(&service)?)))
}

/// The service in the path. Status 404, not 422, when there is no such service.
fn path_service(name: &str) -> Result<Service, Problem> {
    validate::service(name).map_err(|problem| Problem {
        status: axum::http::StatusCode::NOT_FOUND,
        code: aura_core::error::ErrorCode::NotFound.as_str(),
        ..problem
    })
}
