//! `/providers/…`: providers with their health, models and voices, and test calls.

use std::collections::BTreeMap;

use aura_core::api::{self as operations, ModelView, ModelsQuery, Nothing, PriceView, Source, Test, VoiceView};
use aura_providers::{RateLimit, Service};
use aura_router::health::{CircuitState, LastError, ServiceHealth, Status};
use axum::Json;
use axum::extract::{Request, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::configuration::{OperationReply, ServiceConfig};
use crate::body::{self, MAX_JSON, MAX_JSON_WITH_FILE};
use crate::extract::InQuery;
use crate::{LocalApi, Problem, ProblemBody, validate};

/// The health of the providers.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProvidersHealth {
    /// `healthy` when each service has a healthy route.
    pub(crate) overall_status: Status,
    /// Each provider, by name.
    pub(crate) providers: BTreeMap<String, ProviderHealth>,
}

/// The health of a provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProviderHealth {
    /// The worst status of its services, or `unavailable` when it is not set up.
    pub(crate) status: Status,
    /// The reason, as a sentence; null when healthy.
    pub(crate) reason: Option<String>,
    /// Each service that it offers, by name.
    pub(crate) services: BTreeMap<String, ProviderServiceHealth>,
}

/// The health of one service of a provider, from the real traffic of the last hour.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProviderServiceHealth {
    /// The state of the circuit breaker.
    pub(crate) circuit: CircuitState,
    /// The share of calls that succeeded, 0 to 1; null without calls.
    pub(crate) success_rate: Option<f32>,
    /// The median duration, milliseconds.
    pub(crate) p50_ms: Option<u32>,
    /// The 95th percentile of the duration, milliseconds.
    pub(crate) p95_ms: Option<u32>,
    /// The number of calls.
    pub(crate) requests: u32,
    /// The most recent failure.
    pub(crate) last_error: Option<LastError>,
    /// When the circuit lets the next call through; null when it is closed.
    pub(crate) cooldown_until: Option<jiff::Timestamp>,
    /// The rate limit, as the provider last reported it.
    pub(crate) rate_limit: Option<RateLimit>,
}

impl From<ServiceHealth> for ProviderServiceHealth {
    fn from(health: ServiceHealth) -> Self {
        Self {
            circuit: health.circuit,
            success_rate: health.success_rate,
            p50_ms: health.p50_ms,
            p95_ms: health.p95_ms,
            requests: health.requests,
            last_error: health.last_error,
            cooldown_until: health.cooldown_until,
            rate_limit: health.rate_limit,
        }
    }
}

/// Reports the health of every provider, without calling one.
#[utoipa::path(get, path = "/providers/health", tag = "providers", responses((status = 200, body = ProvidersHealth)))]
pub(crate) async fn health(State(api): State<LocalApi>) -> Result<Json<ProvidersHealth>, Problem> {
    let report = operations::health(&api.assistant, Nothing {}).await?;
    let mut embedding: BTreeMap<_, _> = api.assistant.router().embedding_health().into_iter().collect();
    let providers = report.providers.into_iter().map(|provider| {
        let services = provider.services.into_iter().chain(embedding.remove(&provider.name));
        let services = services.map(|service| (service.service.as_str().to_owned(), service.into())).collect();
        (provider.name, ProviderHealth { status: provider.status, reason: provider.reason, services })
    });
    Ok(Json(ProvidersHealth { overall_status: report.status, providers: providers.collect() }))
}

/// Every provider, and the configuration of every service.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProvidersInfo {
    /// Each provider, by name.
    pub(crate) providers: BTreeMap<String, ProviderInfo>,
    /// The configuration of each service, by name.
    pub(crate) service_configs: BTreeMap<String, ServiceConfig>,
    /// The services for which a provider is ready.
    pub(crate) available_services: Vec<Service>,
}

/// A provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProviderInfo {
    /// Whether it is set up.
    pub(crate) available: bool,
    /// The services it offers.
    pub(crate) capabilities: Vec<Service>,
    /// Its models, by service.
    pub(crate) models: BTreeMap<String, Vec<String>>,
}

/// Lists the providers and the configuration of the services.
#[utoipa::path(get, path = "/providers/info", tag = "providers", responses((status = 200, body = ProvidersInfo)))]
pub(crate) async fn info(State(api): State<LocalApi>) -> Result<Json<ProvidersInfo>, Problem> {
    let snapshot = api.assistant.snapshot();
    let models = operations::models(&api.assistant, ModelsQuery::default()).await?;
    let model_names = |provider: &str, service: Service| -> Vec<String> {
        let fits = |model: &&ModelView| model.provider == provider && model.services.contains(&service);
        models.iter().filter(fits).map(|model| model.name.clone()).collect()
    };
    let providers = snapshot.providers.iter().map(|view| {
        let models =
            view.services.iter().map(|service| (service.as_str().to_owned(), model_names(&view.name, *service)));
        let info = ProviderInfo {
            available: view.problem.is_none(),
            capabilities: view.services.clone(),
            models: models.collect(),
        };
        (view.name.clone(), info)
    });
    let configs = Service::ALL.map(|service| (service.as_str().to_owned(), ServiceConfig::new(&snapshot, service)));
    let available = snapshot.routes.iter().filter(|view| !view.routes.is_empty()).map(|view| view.service);
    Ok(Json(ProvidersInfo {
        providers: providers.collect(),
        service_configs: configs.into(),
        available_services: available.collect(),
    }))
}

/// A filter for models or voices.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only those for this service.
    #[param(value_type = Option<Service>)]
    pub(crate) service_type: Option<String>,
    /// Only those of this provider.
    pub(crate) provider: Option<String>,
}

impl ListQuery {
    fn validated(self, api: &LocalApi) -> Result<ModelsQuery, Problem> {
        let provider =
            validate::non_empty(&self.provider).map(|name| validate::provider(&api.assistant, name)).transpose()?;
        let service = validate::non_empty(&self.service_type).map(validate::service).transpose()?;
        Ok(ModelsQuery { provider: provider.map(|provider| provider.name), service })
    }
}

/// A model of a provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Model {
    /// The name to send in requests.
    pub(crate) name: String,
    /// The provider.
    pub(crate) provider: String,
    /// The services it can be used for.
    pub(crate) capabilities: Vec<Service>,
    /// The longest answer, tokens; null when unknown.
    pub(crate) max_tokens: Option<u32>,
    /// The context window, tokens; null when unknown.
    pub(crate) context_length: Option<u32>,
    /// Why it cannot be used, or a note about it; null when there is neither.
    pub(crate) description: Option<String>,
    /// Whether it can stream its output.
    pub(crate) supports_streaming: bool,
    /// The price, US dollars; null when unknown.
    pub(crate) price: Option<PriceView>,
    /// The date on which the provider retires it, or did.
    pub(crate) retired_on: Option<jiff::civil::Date>,
    /// The model that replaces it.
    pub(crate) replaced_by: Option<String>,
    /// Whether the provider lists it, or only AURA's catalog.
    pub(crate) source: Source,
}

impl From<ModelView> for Model {
    fn from(model: ModelView) -> Self {
        let streams = |service: &Service| matches!(service, Service::Llm | Service::Vlm);
        Self {
            supports_streaming: model.services.iter().any(streams),
            name: model.name,
            provider: model.provider,
            capabilities: model.services,
            max_tokens: model.max_output,
            context_length: model.context,
            description: model.problem.or(model.note),
            price: model.price,
            retired_on: model.retired_on,
            replaced_by: model.replaced_by,
            source: model.source,
        }
    }
}

/// Lists the models.
#[utoipa::path(
    get, path = "/providers/models", tag = "providers", params(ListQuery),
    responses((status = 200, body = Vec<Model>), (status = 422, body = ProblemBody)),
)]
pub(crate) async fn models(
    State(api): State<LocalApi>,
    InQuery(query): InQuery<ListQuery>,
) -> Result<Json<Vec<Model>>, Problem> {
    let models = operations::models(&api.assistant, query.validated(&api)?).await?;
    Ok(Json(models.into_iter().map(Model::from).collect()))
}

/// Lists the voices.
#[utoipa::path(
    get, path = "/providers/voices", tag = "providers", params(ListQuery),
    responses((status = 200, body = Vec<Voice>), (status = 422, body = ProblemBody)),
)]
pub(crate) async fn voices(
    State(api): State<LocalApi>,
    InQuery(query): InQuery<ListQuery>,
) -> Result<Json<Vec<Voice>>, Problem> {
    let voices = operations::voices(&api.assistant, query.validated(&api)?).await?;
    Ok(Json(voices.into_iter().map(Voice::from).collect()))
}

/// A voice of a provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Voice {
    /// The name to send in requests.
    pub(crate) name: String,
    /// The provider.
    pub(crate) provider: String,
    /// The language, ISO 639-1; null for a voice with several languages.
    pub(crate) language: Option<String>,
    /// `female` or `male`; null when the provider does not say.
    pub(crate) gender: Option<String>,
    /// The model that offers it.
    pub(crate) model: String,
}

impl From<VoiceView> for Voice {
    fn from(voice: VoiceView) -> Self {
        let VoiceView { name, provider, model, language, gender } = voice;
        Self { name, provider, language, gender, model }
    }
}

/// A test call to a provider, which may bill it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct TestRequest {
    /// The service: stt, llm, vlm or tts.
    #[schema(value_type = Service)]
    pub(crate) service_type: String,
    /// The provider. If absent, that of the default route.
    #[serde(default)]
    pub(crate) provider: Option<String>,
    /// The model.
    #[serde(default)]
    pub(crate) model: Option<String>,
    /// The voice, for tts.
    #[serde(default)]
    pub(crate) voice: Option<String>,
    /// A text for llm and tts, a sound file in base64 for stt, a picture in base64 for vlm. If absent, a built-in one.
    #[serde(default)]
    pub(crate) test_input: Option<String>,
}

/// Tests a service with a real call, which may be billed.
#[utoipa::path(post, path = "/providers/test", tag = "providers", request_body = TestRequest, responses((status = 200, body = OperationReply)))]
pub(crate) async fn test(State(api): State<LocalApi>, request: Request) -> Result<Json<OperationReply>, Problem> {
    let (body, length): (TestRequest, usize) = body::json_with_length(request, MAX_JSON_WITH_FILE).await?;
    let TestRequest { service_type, provider, model, voice, test_input } = body;
    let service = validate::service(&service_type)?;
    let file = test_input.as_ref().filter(|_| matches!(service, Service::Stt | Service::Vlm));
    if length - file.map_or(0, String::len) > MAX_JSON {
        return Err(body::too_large("request without its file", MAX_JSON));
    }
    let model = validate::non_empty(&model).map(str::to_owned);
    let provider = match (validate::non_empty(&provider), &model) {
        (Some(name), _) => Some(validate::provider_offering(&api.assistant, service, name)?.name),
        (None, Some(model)) => Some(validate::provider_serving(&api.assistant, service, model)?),
        (None, None) => None,
    };
    if let (Some(provider), Some(model)) = (&provider, &model) {
        validate::check_model(&api.assistant, service, provider, model)?;
    }
    let input = validate::non_empty(&test_input).map(str::to_owned);
    if let Some(input) = &input {
        check_input(service, input)?;
    }
    let voice = validate::non_empty(&voice).map(str::to_owned);
    let tested =
        operations::test(&api.assistant, Test { service, provider, model, voice, input, aloud: false }).await?;
    let message =
        format!("{} answered with {} in {} ms.", tested.route.provider, tested.route.model, tested.latency_ms);
    let data = json!({
        "service_type": tested.service,
        "provider": tested.route.provider,
        "model": tested.route.model,
        "voice": tested.route.voice,
        "result": tested.result,
        "latency_ms": tested.latency_ms,
        "first_ms": tested.first_ms,
        "audio": tested.audio,
        "cost": tested.cost,
        "notices": tested.notices,
    });
    Ok(Json(OperationReply { success: true, message, data }))
}

/// Checks the file in the input of a test, before a provider is called. Files are in base64.
fn check_input(service: Service, input: &str) -> Result<(), Problem> {
    // Base64 characters to decode here: the first bytes show the type of a file, and the rest is decoded where it is used.
    const HEAD: usize = 64;
    let check = match service {
        Service::Stt => body::check_audio,
        Service::Vlm => body::check_image,
        Service::Llm | Service::Tts | Service::Embedding => return Ok(()),
    };
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let head = input.bytes().all(is_base64).then(|| STANDARD.decode(&input[..input.len().min(HEAD)]).ok()).flatten();
    let Some(head) = head.filter(|_| input.len().is_multiple_of(4)) else {
        return Err(Problem::unprocessable("`test_input` is not base64. Send the file in standard base64."));
    };
    check(&head, input.trim_end_matches('=').len() * 3 / 4)
}
