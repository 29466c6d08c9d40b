//! `/providers/switch` and `/providers/config/…`: the default routes, read and changed.

use aura_core::api::{self, Snapshot, Switch};
use aura_core::providers::Service;
use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::body::{self, JSON};
use crate::extract::{InPath, InQuery};
use crate::{Door, Problem, ProblemBody, names};

/// What was done.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Changed {
    /// Always true: what failed has another form and status.
    pub(crate) success: bool,
    /// It in a sentence.
    pub(crate) message: String,
    /// It for programs.
    pub(crate) data: Value,
}

/// Another default route.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct SwitchRequest {
    /// For what: stt, llm, vlm or tts.
    #[schema(value_type = Service)]
    pub(crate) service_type: String,
    /// The provider.
    pub(crate) provider: String,
    /// Its model; absent: the catalog's.
    #[serde(default)]
    pub(crate) model: Option<String>,
    /// Its voice, for tts; absent: the catalog's.
    #[serde(default)]
    pub(crate) voice: Option<String>,
}

/// `POST /providers/switch`: holds from the next request on, and after a restart.
#[utoipa::path(post, path = "/providers/switch", tag = "providers", request_body = SwitchRequest, responses((status = 200, body = Changed)))]
pub(crate) async fn switch(State(door): State<Door>, request: Request) -> Result<Json<Changed>, Problem> {
    let SwitchRequest { service_type, provider, model, voice } = body::json(request, JSON).await?;
    let service = names::service(&service_type)?;
    let provider = names::offering(&door.assistant, service, &provider)?.name;
    let model = names::given(&model).map(str::to_owned);
    if let Some(model) = &model {
        names::check_model(&door.assistant, service, &provider, model)?;
    }
    let voice = names::given(&voice).map(str::to_owned);
    change(&door, Switch { service, provider, model, voice }).await
}

/// Which model.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ModelQuery {
    /// Its name. One that the default provider does not have makes the provider that has it the default.
    #[param(required = true, value_type = String)]
    pub(crate) model: Option<String>,
}

/// `POST /providers/config/{service}/model?model=…`
#[utoipa::path(
    post, path = "/providers/config/{service}/model", tag = "providers",
    params(("service" = Service, Path, description = "Which service"), ModelQuery),
    responses((status = 200, body = Changed), (status = 404, body = ProblemBody)),
)]
pub(crate) async fn set_model(
    State(door): State<Door>,
    InPath(service): InPath,
    InQuery(query): InQuery<ModelQuery>,
) -> Result<Json<Changed>, Problem> {
    let service = in_path(&service)?;
    let Some(model) = names::given(&query.model).map(str::to_owned) else {
        return Err(Problem::unusable("`model` is missing in the query."));
    };
    let provider = names::provider_of(&door.assistant, service, &model)?;
    change(&door, Switch { service, provider, model: Some(model), voice: None }).await
}

/// Switches, and says what holds from now on.
async fn change(door: &Door, switch: Switch) -> Result<Json<Changed>, Problem> {
    let Switch { service, provider, model, voice } = switch.clone();
    let snapshot = api::switch(&door.assistant, switch).await?;
    let route = snapshot.routes.iter().find(|view| view.service == service).and_then(|view| view.routes.first());
    let problem = snapshot.providers.iter().find(|of| of.name == provider).and_then(|of| of.problem.clone());
    let mut message = format!("{} now goes to {provider}", service.as_str());
    if let Some(model) = &model {
        message.push_str(&format!(" with {model}"));
    }
    match problem {
        Some(problem) => message.push_str(&format!(", as soon as it is ready. {problem}")),
        None => message.push('.'),
    }
    let data = json!({
        "service_type": service, "provider": provider, "model": model, "voice": voice,
        // What the next request will really use: a retired model is answered by its replacement.
        "route": route,
    });
    Ok(Json(Changed { success: true, message, data }))
}

/// How one service is done.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ServiceConfig {
    /// The service.
    pub(crate) service_type: Service,
    /// Who does it when a request names nobody; null when nobody can.
    pub(crate) default_provider: Option<String>,
    /// Who is tried after it, in order.
    pub(crate) fallback_providers: Vec<String>,
    /// With which model.
    pub(crate) default_model: Option<String>,
    /// Whether others are tried at all.
    pub(crate) enable_fallback: bool,
    /// How long the whole of it may take, seconds.
    pub(crate) timeout: f64,
}

impl ServiceConfig {
    /// As things are.
    pub(crate) fn of(snapshot: &Snapshot, service: Service) -> Self {
        let choice = snapshot.settings.routes.get(service);
        let default_provider = names::default_provider(snapshot, service);
        let routes = snapshot.routes.iter().find(|view| view.service == service);
        let of_default = |route: &&aura_core::record::Route| Some(&route.provider) == default_provider.as_ref();
        let default_model = routes
            .and_then(|view| view.routes.iter().find(of_default).map(|route| route.model.clone()))
            .or_else(|| choice.model.clone());
        let offering = snapshot.providers.iter().filter(|of| of.services.contains(&service)).map(|of| of.name.clone());
        let order = choice.then.clone().unwrap_or_else(|| offering.collect());
        let ready = |name: &String| snapshot.providers.iter().any(|of| of.name == *name && of.problem.is_none());
        let fallback_providers =
            order.into_iter().filter(|name| Some(name) != default_provider.as_ref() && ready(name)).collect();
        Self {
            service_type: service,
            default_provider,
            fallback_providers,
            default_model,
            enable_fallback: snapshot.settings.fallback,
            timeout: f64::from(snapshot.settings.clocks.whole_ms) / 1_000.0,
        }
    }
}

/// `GET /providers/config/{service}`
#[utoipa::path(
    get, path = "/providers/config/{service}", tag = "providers",
    params(("service" = Service, Path, description = "Which service")),
    responses((status = 200, body = ServiceConfig), (status = 404, body = ProblemBody)),
)]
pub(crate) async fn config(State(door): State<Door>, InPath(service): InPath) -> Result<Json<ServiceConfig>, Problem> {
    Ok(Json(ServiceConfig::of(&door.assistant.snapshot(), in_path(&service)?)))
}

/// A service that is a part of the path: one that is not there is not found.
fn in_path(name: &str) -> Result<Service, Problem> {
    names::service(name).map_err(|problem| Problem {
        status: axum::http::StatusCode::NOT_FOUND,
        code: aura_core::error::Code::NotFound.as_str(),
        ..problem
    })
}
