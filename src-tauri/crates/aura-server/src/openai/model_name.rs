//! Turns the models that a request names into a route plan.

use aura_core::Assistant;
use aura_providers::Service;
use aura_router::{RouteOverrides, RoutePlan};
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::ApiError;

/// The model name for AURA's default route with its whole fallback order.
pub(crate) const AUTO: &str = "auto";

/// The most models that a request may name: further ones would never be tried.
const MAX_NAMES: usize = 16;

/// Checks the lengths of `models` and `fallbacks`.
///
/// # Errors
/// Status 400 when one is too long.
pub(crate) fn check_names(models: usize, fallbacks: usize) -> Result<(), ApiError> {
    if models.max(fallbacks) > MAX_NAMES { Err(too_many()) } else { Ok(()) }
}

fn too_many() -> ApiError {
    ApiError::invalid_request(format!("A request may name at most {MAX_NAMES} models."), Some("models"))
}

/// A model to fall back to.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum FallbackName {
    /// Its name, as in `model`.
    Name(String),
    /// The name as an object, as LiteLLM's clients send it.
    Object {
        /// Its name, as in `model`.
        model: String,
    },
}

/// The models that a request names, in the order in which they are tried.
#[derive(Debug, Default)]
pub(crate) struct ModelOrder {
    /// At least one, none twice.
    names: Vec<String>,
    /// Whether others may be tried after them.
    fallback: bool,
}

impl ModelOrder {
    /// The order of a request: `model`, then `models`, then `fallbacks`. `fallback`: whether others may be tried after them.
    ///
    /// # Errors
    /// Status 400 when the request names none, or too many.
    pub(crate) fn new(
        model: Option<String>,
        models: Option<Vec<String>>,
        fallbacks: Option<Vec<FallbackName>>,
        fallback: Option<bool>,
    ) -> Result<Self, ApiError> {
        let fallbacks = fallbacks.into_iter().flatten().map(|entry| match entry {
            FallbackName::Name(name) | FallbackName::Object { model: name } => name,
        });
        let mut names: Vec<String> = Vec::new();
        for name in model.into_iter().chain(models.into_iter().flatten()).chain(fallbacks) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.len() > MAX_NAMES {
            return Err(too_many());
        }
        if names.is_empty() {
            return Err(ApiError::invalid_request("`model` is missing. `auto` uses AURA's default.", Some("model")));
        }
        Ok(Self { names, fallback: fallback.unwrap_or(false) })
    }

    /// The first model.
    pub(crate) fn first(&self) -> &str {
        self.names.first().map(String::as_str).unwrap_or_default()
    }

    /// Whether the request itself says that another model may answer.
    pub(crate) fn names_others(&self) -> bool {
        self.fallback || self.names.len() > 1
    }

    /// The route plan.
    ///
    /// # Errors
    /// When no provider has one of the models, one cannot be used for the service, or no route is ready.
    pub(crate) fn plan(
        &self,
        assistant: &Assistant,
        service: Service,
        voice: Option<&str>,
    ) -> Result<RoutePlan, ApiError> {
        let [only] = self.names.as_slice() else {
            return self.joined(assistant, service, voice);
        };
        plan(assistant, service, only, self.fallback, voice)?.map_err(ApiError::from)
    }

    fn joined(&self, assistant: &Assistant, service: Service, voice: Option<&str>) -> Result<RoutePlan, ApiError> {
        let names = self.names.iter().map(String::as_str);
        let others = self.fallback.then_some(AUTO).filter(|auto| !self.names.iter().any(|name| name == auto));
        let (mut joined, mut unready): (Option<RoutePlan>, Option<ApiError>) = (None, None);
        for name in names.chain(others) {
            match plan(assistant, service, name, false, voice)? {
                Ok(next) => {
                    joined = Some(match joined {
                        Some(joined) => joined.followed_by(next),
                        None => next,
                    })
                }
                // A route that is not ready gives way to the next.
                Err(error) => unready = unready.or(Some(error.into())),
            }
        }
        match (joined, unready) {
            (Some(joined), _) => Ok(joined),
            (None, Some(error)) => Err(error),
            (None, None) => Err(ApiError::model_not_found(self.first())),
        }
    }
}

/// The route plan for a model name, or why no route is ready. `fallback`: whether other providers may be tried although a model is named.
///
/// # Errors
/// When no provider has the model, or it cannot be used for the service.
fn plan(
    assistant: &Assistant,
    service: Service,
    name: &str,
    fallback: bool,
    voice: Option<&str>,
) -> Result<aura_router::Result<RoutePlan>, ApiError> {
    let router = assistant.router();
    let config = assistant.config();
    let name = config.settings.local_api.aliases.get(name).map_or(name, String::as_str);
    let voice = voice.filter(|voice| !voice.is_empty()).map(str::to_owned);
    let overrides = |route: String| {
        let mut overrides = RouteOverrides { fallback, voice: voice.clone(), ..RouteOverrides::default() };
        overrides.set(service, route);
        overrides
    };
    if name == AUTO {
        return Ok(router.plan(service, &RouteOverrides { fallback, voice, ..RouteOverrides::default() }));
    }
    let names = router.provider_names();
    let split = |(first, model)| names.iter().any(|name| name == first).then_some((first, model));
    let as_route = split(name.split_once('/').unwrap_or((name, "")));
    // When the whole name is a model, it is a route only if the provider before the slash also has the model after it.
    let is_listed = as_route.is_some_and(|(provider, model)| router.services_of(provider, model).is_some());
    let serving = if is_listed { Vec::new() } else { providers_serving(assistant, names.clone(), service, name) };
    if let Some((provider, model)) = as_route.filter(|_| serving.is_empty()) {
        check_service(assistant, service, provider, model)?;
        let route = if model.is_empty() { provider.to_owned() } else { format!("{provider}/{model}") };
        return Ok(router.plan(service, &overrides(route)));
    }
    if let Some(provider) = serving.first() {
        check_service(assistant, service, provider, name)?;
    }
    let mut plans = serving.into_iter().map(|provider| router.plan(service, &overrides(format!("{provider}/{name}"))));
    let Some(mut plan) = plans.next() else { return Err(ApiError::model_not_found(name)) };
    if fallback {
        return Ok(plan); // it contains the whole fallback order already
    }
    for other in plans {
        plan = match (plan, other) {
            (Ok(plan), Ok(other)) => Ok(plan.followed_by(other)),
            (plan @ Ok(_), Err(_)) => plan,
            (Err(_), other) => other,
        };
    }
    Ok(plan)
}

/// Rejects a listed model that cannot be used for the service.
fn check_service(assistant: &Assistant, service: Service, provider: &str, model: &str) -> Result<(), ApiError> {
    match assistant.router().services_of(provider, model) {
        Some(services) if !services.is_empty() && !services.contains(&service) => {
            let ability = match service {
                Service::Stt => "transcribe speech",
                Service::Llm => "answer chats",
                Service::Vlm => "accept pictures",
                Service::Tts => "generate speech",
                Service::Embedding => "embed texts",
            };
            Err(ApiError::invalid_request(
                format!("`{model}` of {provider} does not {ability}. Choose another model, or `auto`."),
                Some("model"),
            ))
        }
        _ => Ok(()),
    }
}

/// The providers that serve the model, also under a retired name. Those of the fallback order come first, in that order. `names` are all
/// providers.
fn providers_serving(assistant: &Assistant, names: Vec<String>, service: Service, model: &str) -> Vec<String> {
    let router = assistant.router();
    let order = router.plan(service, &RouteOverrides { fallback: true, ..RouteOverrides::default() });
    let mut providers: Vec<String> = order.map_or_else(
        |_| Vec::new(),
        |plan| plan.candidates().iter().map(|candidate| candidate.route.provider.clone()).collect(),
    );
    for name in names {
        if !providers.contains(&name) {
            providers.push(name);
        }
    }
    let serves = |provider: &String| {
        router.services_of(provider, model).is_some()
            || router.catalog().resolve(provider, service, model).replaced.is_some()
    };
    providers.retain(serves);
    providers
}
