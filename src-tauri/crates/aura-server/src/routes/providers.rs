//! `/providers/…`: who there is, how they are, what they offer, and whether it works.

use std::collections::BTreeMap;

use aura_core::api::{self, ModelView, ModelsQuery, Nothing, PriceView, Source, Test, VoiceView};
use aura_core::health::{Circuit, LastError, ServiceHealth, Status};
use aura_core::providers::{RateLimit, Service};
use axum::Json;
use axum::extract::{Request, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::configuration::{Changed, ServiceConfig};
use crate::body::{self, JSON, JSON_WITH_FILE};
use crate::extract::InQuery;
use crate::{Door, Problem, ProblemBody, names};

/// How the providers are.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProvidersHealth {
    /// Healthy when each service has a healthy route.
    pub(crate) overall_status: Status,
    /// Each provider.
    pub(crate) providers: BTreeMap<String, ProviderHealth>,
}

/// How one provider is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProviderHealth {
    /// The worst of its services, or `unavailable` when it is not set up.
    pub(crate) status: Status,
    /// Why, in a sentence; null when healthy.
    pub(crate) reason: Option<String>,
    /// Each service that it offers.
    pub(crate) services: BTreeMap<String, ProviderService>,
}

/// How it does one service, as the real traffic of the last hour showed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProviderService {
    /// Whether calls go there.
    pub(crate) circuit: Circuit,
    /// The part of the calls that answered, 0 to 1; null without calls.
    pub(crate) success_rate: Option<f32>,
    /// The median time, milliseconds.
    pub(crate) p50_ms: Option<u32>,
    /// The time that one in twenty exceeds, milliseconds.
    pub(crate) p95_ms: Option<u32>,
    /// Calls.
    pub(crate) requests: u32,
    /// The last failure.
    pub(crate) last_error: Option<LastError>,
    /// Until when it is left alone.
    pub(crate) cooldown_until: Option<jiff::Timestamp>,
    /// What is left of the allowance.
    pub(crate) rate_limit: Option<RateLimit>,
}

impl From<ServiceHealth> for ProviderService {
    fn from(of: ServiceHealth) -> Self {
        Self {
            circuit: of.circuit,
            success_rate: of.success_rate,
            p50_ms: of.p50_ms,
            p95_ms: of.p95_ms,
            requests: of.requests,
            last_error: of.last_error,
            cooldown_until: of.cooldown_until,
            rate_limit: of.rate_limit,
        }
    }
}

/// `GET /providers/health`: costs nothing, for it makes no call.
#[utoipa::path(get, path = "/providers/health", tag = "providers", responses((status = 200, body = ProvidersHealth)))]
pub(crate) async fn health(State(door): State<Door>) -> Result<Json<ProvidersHealth>, Problem> {
    let report = api::health(&door.assistant, Nothing {}).await?;
    let providers = report.providers.into_iter().map(|of| {
        let services = of.services.into_iter().map(|of| (of.service.as_str().to_owned(), of.into())).collect();
        (of.name, ProviderHealth { status: of.status, reason: of.reason, services })
    });
    Ok(Json(ProvidersHealth { overall_status: report.status, providers: providers.collect() }))
}

/// Who there is and who does what.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProvidersInfo {
    /// Each provider.
    pub(crate) providers: BTreeMap<String, ProviderInfo>,
    /// How each service is done.
    pub(crate) service_configs: BTreeMap<String, ServiceConfig>,
    /// The services that somebody can do now.
    pub(crate) available_services: Vec<Service>,
}

/// One provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProviderInfo {
    /// Whether it is set up.
    pub(crate) available: bool,
    /// What it offers.
    pub(crate) capabilities: Vec<Service>,
    /// Its models for each service.
    pub(crate) models: BTreeMap<String, Vec<String>>,
}

/// `GET /providers/info`
#[utoipa::path(get, path = "/providers/info", tag = "providers", responses((status = 200, body = ProvidersInfo)))]
pub(crate) async fn info(State(door): State<Door>) -> Result<Json<ProvidersInfo>, Problem> {
    let snapshot = door.assistant.snapshot();
    let models = api::models(&door.assistant, ModelsQuery::default()).await?;
    let of = |provider: &str, service: Service| -> Vec<String> {
        let fits = |model: &&ModelView| model.provider == provider && model.services.contains(&service);
        models.iter().filter(fits).map(|model| model.name.clone()).collect()
    };
    let providers = snapshot.providers.iter().map(|view| {
        let models = view.services.iter().map(|service| (service.as_str().to_owned(), of(&view.name, *service)));
        let info = ProviderInfo {
            available: view.problem.is_none(),
            capabilities: view.services.clone(),
            models: models.collect(),
        };
        (view.name.clone(), info)
    });
    let configs = Service::ALL.map(|service| (service.as_str().to_owned(), ServiceConfig::of(&snapshot, service)));
    let available = snapshot.routes.iter().filter(|view| !view.routes.is_empty()).map(|view| view.service);
    Ok(Json(ProvidersInfo {
        providers: providers.collect(),
        service_configs: configs.into(),
        available_services: available.collect(),
    }))
}

/// Which models, or voices.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only for this service.
    #[param(value_type = Option<Service>)]
    pub(crate) service_type: Option<String>,
    /// Only of this provider.
    pub(crate) provider: Option<String>,
}

impl ListQuery {
    fn made_sure(self, door: &Door) -> Result<ModelsQuery, Problem> {
        let provider = names::given(&self.provider).map(|name| names::provider(&door.assistant, name)).transpose()?;
        let service = names::given(&self.service_type).map(names::service).transpose()?;
        Ok(ModelsQuery { provider: provider.map(|provider| provider.name), service })
    }
}

/// A model.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Model {
    /// The name to send.
    pub(crate) name: String,
    /// Whose it is.
    pub(crate) provider: String,
    /// What it does.
    pub(crate) capabilities: Vec<Service>,
    /// Tokens it writes.
    pub(crate) max_tokens: Option<u32>,
    /// Tokens it reads.
    pub(crate) context_length: Option<u32>,
    /// What to know about it; null when there is nothing.
    pub(crate) description: Option<String>,
    /// Whether its answer comes piece by piece.
    pub(crate) supports_streaming: bool,
    /// What it costs, US dollars; null when unknown.
    pub(crate) price: Option<PriceView>,
    /// When the provider switches it off, or did.
    pub(crate) retired_on: Option<jiff::civil::Date>,
    /// What answers in its place.
    pub(crate) replaced_by: Option<String>,
    /// Whether the provider lists it, or only AURA's catalog does.
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

/// `GET /providers/models`
#[utoipa::path(
    get, path = "/providers/models", tag = "providers", params(ListQuery),
    responses((status = 200, body = Vec<Model>), (status = 422, body = ProblemBody)),
)]
pub(crate) async fn models(
    State(door): State<Door>,
    InQuery(query): InQuery<ListQuery>,
) -> Result<Json<Vec<Model>>, Problem> {
    let models = api::models(&door.assistant, query.made_sure(&door)?).await?;
    Ok(Json(models.into_iter().map(Model::from).collect()))
}

/// `GET /providers/voices`
#[utoipa::path(
    get, path = "/providers/voices", tag = "providers", params(ListQuery),
    responses((status = 200, body = Vec<Voice>), (status = 422, body = ProblemBody)),
)]
pub(crate) async fn voices(
    State(door): State<Door>,
    InQuery(query): InQuery<ListQuery>,
) -> Result<Json<Vec<Voice>>, Problem> {
    let voices = api::voices(&door.assistant, query.made_sure(&door)?).await?;
    Ok(Json(voices.into_iter().map(Voice::from).collect()))
}

/// A voice.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Voice {
    /// The name to send.
    pub(crate) name: String,
    /// Whose it is.
    pub(crate) provider: String,
    /// ISO 639-1 code; null when it speaks several languages.
    pub(crate) language: Option<String>,
    /// `female` or `male`; null when the provider does not say.
    pub(crate) gender: Option<String>,
    /// The model that has it.
    pub(crate) model: String,
}

impl From<VoiceView> for Voice {
    fn from(voice: VoiceView) -> Self {
        let VoiceView { name, provider, model, language, gender } = voice;
        Self { name, provider, language, gender, model }
    }
}

/// A call to see whether a service works. It may be billed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct TestRequest {
    /// What: stt, llm, vlm or tts.
    #[schema(value_type = Service)]
    pub(crate) service_type: String,
    /// By whom; absent: by the default route.
    #[serde(default)]
    pub(crate) provider: Option<String>,
    /// With which model.
    #[serde(default)]
    pub(crate) model: Option<String>,
    /// With which voice, for tts.
    #[serde(default)]
    pub(crate) voice: Option<String>,
    /// A text for llm and tts, a base64 sound file for stt, a base64 picture for vlm; absent: AURA's own.
    #[serde(default)]
    pub(crate) test_input: Option<String>,
}

/// `POST /providers/test`
#[utoipa::path(post, path = "/providers/test", tag = "providers", request_body = TestRequest, responses((status = 200, body = Changed)))]
pub(crate) async fn test(State(door): State<Door>, request: Request) -> Result<Json<Changed>, Problem> {
    let (body, length): (TestRequest, usize) = body::measured(request, JSON_WITH_FILE).await?;
    let TestRequest { service_type, provider, model, voice, test_input } = body;
    let service = names::service(&service_type)?;
    let file = test_input.as_ref().filter(|_| matches!(service, Service::Stt | Service::Vlm));
    if length - file.map_or(0, String::len) > JSON {
        return Err(body::too_large("request without its file", JSON));
    }
    let model = names::given(&model).map(str::to_owned);
    let provider = match (names::given(&provider), &model) {
        (Some(name), _) => Some(names::offering(&door.assistant, service, name)?.name),
        (None, Some(model)) => Some(names::provider_of(&door.assistant, service, model)?),
        (None, None) => None,
    };
    if let (Some(provider), Some(model)) = (&provider, &model) {
        names::check_model(&door.assistant, service, provider, model)?;
    }
    let input = names::given(&test_input).map(str::to_owned);
    if let Some(input) = &input {
        check_input(service, input)?;
    }
    let voice = names::given(&voice).map(str::to_owned);
    let tested = api::test(&door.assistant, Test { service, provider, model, voice, input, aloud: false }).await?;
    let message = format!("{} answers with {} in {} ms.", tested.route.provider, tested.route.model, tested.latency_ms);
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
    Ok(Json(Changed { success: true, message, data }))
}

/// Files come in base64; what is none is told before anybody is called.
fn check_input(service: Service, input: &str) -> Result<(), Problem> {
    // A file is known by its first bytes; the rest of it is decoded where it is used.
    const HEAD: usize = 64;
    let check = match service {
        Service::Stt => body::check_audio,
        Service::Vlm => body::check_image,
        Service::Llm | Service::Tts => return Ok(()),
    };
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let head = input.bytes().all(known).then(|| STANDARD.decode(&input[..input.len().min(HEAD)]).ok()).flatten();
    let Some(head) = head.filter(|_| input.len().is_multiple_of(4)) else {
        return Err(Problem::unusable("`test_input` is not base64. Send the file in standard base64."));
    };
    check(&head, input.trim_end_matches('=').len() * 3 / 4)
}
