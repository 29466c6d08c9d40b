//! The names that a caller uses for services, providers, models and sessions, made sure of before anything is done.

use aura_core::Assistant;
use aura_core::api::{ProviderView, Wishes};
use aura_core::providers::Service;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Problem;

/// The longest name of a session, characters.
const LONGEST_SESSION: usize = 200;

/// The routes a request asks for, in the guide's words. What is absent or empty is as the settings say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoParams, ToSchema)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct RouteFields {
    /// Who hears.
    pub(crate) stt_provider: Option<String>,
    /// With which model.
    pub(crate) stt_model: Option<String>,
    /// Who answers.
    pub(crate) llm_provider: Option<String>,
    /// With which model.
    pub(crate) llm_model: Option<String>,
    /// Who looks.
    pub(crate) vlm_provider: Option<String>,
    /// With which model.
    pub(crate) vlm_model: Option<String>,
    /// Who speaks.
    pub(crate) tts_provider: Option<String>,
    /// With which model.
    pub(crate) tts_model: Option<String>,
    /// With which voice.
    pub(crate) tts_voice: Option<String>,
    /// Whether others may answer although a provider was named.
    pub(crate) fallback: Option<bool>,
}

impl RouteFields {
    /// Takes a field by its name; false when there is none of that name.
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
                    _ => return Err(Problem::unusable("`fallback` is true or false.")),
                });
                return Ok(true);
            }
            _ => return Ok(false),
        };
        *field = Some(value);
        Ok(true)
    }

    /// The same with what another place of the request says; that place wins.
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

    /// The wishes in them, each made sure of.
    pub(crate) fn wishes(&self, assistant: &Assistant) -> Result<Wishes, Problem> {
        let wish = |service, provider: &Option<String>, model: &Option<String>| {
            route(assistant, service, given(provider), given(model))
        };
        Ok(Wishes {
            stt: wish(Service::Stt, &self.stt_provider, &self.stt_model)?,
            llm: wish(Service::Llm, &self.llm_provider, &self.llm_model)?,
            vlm: wish(Service::Vlm, &self.vlm_provider, &self.vlm_model)?,
            tts: wish(Service::Tts, &self.tts_provider, &self.tts_model)?,
            voice: given(&self.tts_voice).map(str::to_owned),
            fallback: self.fallback.unwrap_or(false),
        })
    }
}

/// A field that is there and not empty.
pub(crate) fn given(field: &Option<String>) -> Option<&str> {
    field.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// `provider` or `provider/model`, as the core wants it.
fn route(
    assistant: &Assistant,
    service: Service,
    provider: Option<&str>,
    model: Option<&str>,
) -> Result<Option<String>, Problem> {
    match (provider, model) {
        (None, None) => Ok(None),
        (Some(name), None) => Ok(Some(offering(assistant, service, name)?.name)),
        (Some(name), Some(model)) => {
            let provider = offering(assistant, service, name)?.name;
            check_model(assistant, service, &provider, model)?;
            Ok(Some(format!("{provider}/{model}")))
        }
        (None, Some(model)) => Ok(Some(format!("{}/{model}", provider_of(assistant, service, model)?))),
    }
}

/// A service by its name.
pub(crate) fn service(name: &str) -> Result<Service, Problem> {
    name.trim().to_lowercase().parse().map_err(|_| {
        let shown: String = name.chars().take(40).collect();
        Problem::unusable(format!("There is no service `{shown}`. Use stt, llm, vlm or tts."))
    })
}

/// A provider by its name.
pub(crate) fn provider(assistant: &Assistant, name: &str) -> Result<ProviderView, Problem> {
    let name = name.trim().to_lowercase();
    let providers = assistant.snapshot().providers;
    let names: Vec<String> = providers.iter().map(|provider| provider.name.clone()).collect();
    providers.into_iter().find(|provider| provider.name == name).ok_or_else(|| {
        let shown: String = name.chars().take(40).collect();
        Problem::unusable(format!("There is no provider `{shown}`. Use one of: {}.", names.join(", ")))
    })
}

/// A provider by its name, which offers a service.
pub(crate) fn offering(assistant: &Assistant, service: Service, name: &str) -> Result<ProviderView, Problem> {
    let provider = provider(assistant, name)?;
    if provider.services.contains(&service) {
        Ok(provider)
    } else {
        Err(Problem::unusable(format!("{} does not offer {}.", provider.label, service.as_str())))
    }
}

/// Makes sure that a provider serves a model, as far as it says which it has.
pub(crate) fn check_model(assistant: &Assistant, service: Service, provider: &str, model: &str) -> Result<(), Problem> {
    if assistant.serves(provider, service, model) == Some(false) {
        return Err(unknown_model(service, model));
    }
    Ok(())
}

/// Who serves a model that is named without a provider: the default route's provider, or else the first that has it.
pub(crate) fn provider_of(assistant: &Assistant, service: Service, model: &str) -> Result<String, Problem> {
    let snapshot = assistant.snapshot();
    let default = default_provider(&snapshot, service);
    let others = snapshot.providers.iter().map(|provider| provider.name.as_str());
    let all: Vec<&str> = default.as_deref().into_iter().chain(others).collect();
    let mut having = all.iter().filter(|name| assistant.serves(name, service, model) == Some(true));
    match (having.next(), default.as_deref()) {
        (Some(name), _) => Ok((*name).to_owned()),
        // Who does not say what it has may have it.
        (None, Some(name)) if assistant.serves(name, service, model).is_none() => Ok(name.to_owned()),
        _ => Err(unknown_model(service, model)),
    }
}

/// The provider of the default route: the chosen one, or the first that is ready.
pub(crate) fn default_provider(snapshot: &aura_core::api::Snapshot, service: Service) -> Option<String> {
    let chosen = snapshot.settings.routes.get(service).provider.clone();
    let ready = || {
        let view = snapshot.routes.iter().find(|view| view.service == service)?;
        view.routes.first().map(|route| route.provider.clone())
    };
    chosen.or_else(ready)
}

fn unknown_model(service: Service, model: &str) -> Problem {
    let shown: String = model.chars().take(80).collect();
    Problem::unusable(format!(
        "There is no model `{shown}` for {}. GET /providers/models lists those that there are.",
        service.as_str()
    ))
}

/// The session that a request names, or a new one.
pub(crate) fn session(name: Option<&str>) -> Result<String, Problem> {
    match name {
        None | Some("") => Ok(uuid::Uuid::now_v7().to_string()),
        Some(name) if name.chars().count() > LONGEST_SESSION || name.chars().any(char::is_control) => {
            Err(Problem::unusable(format!(
                "`session_id` has at most {LONGEST_SESSION} characters and no control characters."
            )))
        }
        Some(name) => Ok(name.to_owned()),
    }
}
