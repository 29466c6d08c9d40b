//! Validation of the services, providers, models and sessions that a request names.

use aura_core::Assistant;
use aura_core::api::RouteView;
use aura_core::config::Settings;
use aura_providers::Service;
use aura_router::{ProviderInfo, RouteOverrides};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Problem;

/// The longest session id, characters.
const MAX_SESSION_ID: usize = 200;

/// Route overrides of a request. A field that is absent or empty leaves the setting as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoParams, ToSchema)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct RouteFields {
    /// The provider for speech to text.
    pub(crate) stt_provider: Option<String>,
    /// Its model.
    pub(crate) stt_model: Option<String>,
    /// The provider for answers.
    pub(crate) llm_provider: Option<String>,
    /// Its model.
    pub(crate) llm_model: Option<String>,
    /// The provider for questions with a picture.
    pub(crate) vlm_provider: Option<String>,
    /// Its model.
    pub(crate) vlm_model: Option<String>,
    /// The provider for text to speech.
    pub(crate) tts_provider: Option<String>,
    /// Its model.
    pub(crate) tts_model: Option<String>,
    /// Its voice.
    pub(crate) tts_voice: Option<String>,
    /// Whether AURA may fall back to other providers if the named one fails. Default false.
    pub(crate) fallback: Option<bool>,
}

impl RouteFields {
    /// Sets a field by name; false if there is no such field.
    pub(crate) fn set(&mut self, name: &str, value: String) -> Result<bool, Problem> {
        let field = match name {
            "stt_provider" => &mut self.stt_provider,
            "stt_model" => &mut self.stt_model,
            "llm_provider" => &mut self.llm_provider,
            "llm_model" => &mut self.llm_model,
            "vlm_provider" => &mut self.vlm_provider,
            "vlm_model" => &mut self.vlm_model,
            "tts_provider" => &mut self.tts_provider,
            "tts_model" => &mut self.tts_model,
            "tts_voice" => &mut self.tts_voice,
            "fallback" => {
                self.fallback = Some(match value.trim().to_lowercase().as_str() {
                    "true" | "1" => true,
                    "false" | "0" | "" => false,
                    _ => return Err(Problem::unprocessable("`fallback` must be true or false.")),
                });
                return Ok(true);
            }
            _ => return Ok(false),
        };
        *field = Some(value);
        Ok(true)
    }

    /// Fills the fields that are absent with those of `other`.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            stt_provider: self.stt_provider.or(other.stt_provider),
            stt_model: self.stt_model.or(other.stt_model),
            llm_provider: self.llm_provider.or(other.llm_provider),
            llm_model: self.llm_model.or(other.llm_model),
            vlm_provider: self.vlm_provider.or(other.vlm_provider),
            vlm_model: self.vlm_model.or(other.vlm_model),
            tts_provider: self.tts_provider.or(other.tts_provider),
            tts_model: self.tts_model.or(other.tts_model),
            tts_voice: self.tts_voice.or(other.tts_voice),
            fallback: self.fallback.or(other.fallback),
        }
    }

    /// The overrides, each validated.
    pub(crate) fn overrides(&self, assistant: &Assistant) -> Result<RouteOverrides, Problem> {
        let route = |service, provider: &Option<String>, model: &Option<String>| {
            route(assistant, service, non_empty(provider), non_empty(model))
        };
        Ok(RouteOverrides {
            stt: route(Service::Stt, &self.stt_provider, &self.stt_model)?,
            llm: route(Service::Llm, &self.llm_provider, &self.llm_model)?,
            vlm: route(Service::Vlm, &self.vlm_provider, &self.vlm_model)?,
            tts: route(Service::Tts, &self.tts_provider, &self.tts_model)?,
            embedding: None,
            voice: non_empty(&self.tts_voice).map(str::to_owned),
            fallback: self.fallback.unwrap_or(false),
        })
    }
}

/// The trimmed text of a field, unless it is empty.
pub(crate) fn non_empty(field: &Option<String>) -> Option<&str> {
    field.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// The route override `provider` or `provider/model` for the router.
fn route(
    assistant: &Assistant,
    service: Service,
    provider: Option<&str>,
    model: Option<&str>,
) -> Result<Option<String>, Problem> {
    match (provider, model) {
        (None, None) => Ok(None),
        (Some(name), None) => Ok(Some(provider_offering(assistant, service, name)?.name)),
        (Some(name), Some(model)) => {
            let provider = provider_offering(assistant, service, name)?.name;
            check_model(assistant, service, &provider, model)?;
            Ok(Some(format!("{provider}/{model}")))
        }
        (None, Some(model)) => Ok(Some(format!("{}/{model}", provider_serving(assistant, service, model)?))),
    }
}

/// Finds a service by name.
pub(crate) fn service(name: &str) -> Result<Service, Problem> {
    name.trim().to_lowercase().parse().map_err(|_| {
        let shown: String = name.chars().take(40).collect();
        Problem::unprocessable(format!("There is no service `{shown}`. Use stt, llm, vlm, tts or embedding."))
    })
}

/// Finds a provider by name.
pub(crate) fn provider(assistant: &Assistant, name: &str) -> Result<ProviderInfo, Problem> {
    let name = name.trim().to_lowercase();
    let providers = assistant.router().providers();
    let names: Vec<String> = providers.iter().map(|provider| provider.name.clone()).collect();
    providers.into_iter().find(|provider| provider.name == name).ok_or_else(|| {
        let shown: String = name.chars().take(40).collect();
        Problem::unprocessable(format!("There is no provider `{shown}`. Use one of: {}.", names.join(", ")))
    })
}

/// Finds a provider by name, and checks that it offers a service.
pub(crate) fn provider_offering(assistant: &Assistant, service: Service, name: &str) -> Result<ProviderInfo, Problem> {
    let provider = provider(assistant, name)?;
    if provider.services.contains(&service) {
        Ok(provider)
    } else {
        Err(Problem::unprocessable(format!(
            "{} does not offer {}. GET /providers/info lists the services of each provider.",
            provider.label,
            service.as_str()
        )))
    }
}

/// Checks that a provider serves a model. Passes if the provider does not list its models.
pub(crate) fn check_model(assistant: &Assistant, service: Service, provider: &str, model: &str) -> Result<(), Problem> {
    if assistant.router().serves(provider, service, model) == Some(false) {
        return Err(unknown_model(service, model));
    }
    Ok(())
}

/// Finds the provider of a model that is named without one: the default provider, or else the first that serves it.
pub(crate) fn provider_serving(assistant: &Assistant, service: Service, model: &str) -> Result<String, Problem> {
    let router = assistant.router();
    let default = default_provider(&assistant.config().settings, &assistant.routes(), service);
    let others = router.providers().into_iter().map(|provider| provider.name);
    let mut candidates = default.clone().into_iter().chain(others);
    match (candidates.find(|name| router.serves(name, service, model) == Some(true)), default) {
        (Some(name), _) => Ok(name),
        // A provider that does not list its models may serve any.
        (None, Some(name)) if router.serves(&name, service, model).is_none() => Ok(name),
        _ => Err(unknown_model(service, model)),
    }
}

/// The provider of the default route: the one in the settings, or else the first that is ready.
pub(crate) fn default_provider(settings: &Settings, routes: &[RouteView], service: Service) -> Option<String> {
    let configured = settings.routes.get(service).provider.clone();
    let first_ready = || {
        let view = routes.iter().find(|view| view.service == service)?;
        view.routes.first().map(|route| route.provider.clone())
    };
    configured.or_else(first_ready)
}

fn unknown_model(service: Service, model: &str) -> Problem {
    let shown: String = model.chars().take(80).collect();
    Problem::unprocessable(format!(
        "There is no model `{shown}` for {}. GET /providers/models lists the models.",
        service.as_str()
    ))
}

/// The session id of a request, or a new one.
pub(crate) fn session(name: Option<&str>) -> Result<String, Problem> {
    match name {
        None | Some("") => Ok(uuid::Uuid::now_v7().to_string()),
        Some(name) if name.chars().count() > MAX_SESSION_ID || name.chars().any(char::is_control) => {
            Err(Problem::unprocessable(format!(
                "`session_id` may have at most {MAX_SESSION_ID} characters and no control characters."
            )))
        }
        Some(name) => Ok(name.to_owned()),
    }
}
