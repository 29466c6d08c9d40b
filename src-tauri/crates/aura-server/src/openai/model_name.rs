//! Turns the `model` of a request into a route plan.

use aura_core::Assistant;
use aura_providers::Service;
use aura_router::{RouteOverrides, RoutePlan};

use super::error::ApiError;

/// The model name for AURA's default route with its whole fallback order.
pub(crate) const AUTO: &str = "auto";

/// The route plan for a model name. `fallback`: whether other providers may be tried although a model is named.
///
/// # Errors
/// When no provider has the model, it cannot be used for the service, or no route is ready.
pub(crate) fn plan(
    assistant: &Assistant,
    service: Service,
    name: &str,
    fallback: bool,
    voice: Option<&str>,
) -> Result<RoutePlan, ApiError> {
    let router = assistant.router();
    let voice = voice.filter(|voice| !voice.is_empty()).map(str::to_owned);
    let overrides = |route: String| {
        let mut overrides = RouteOverrides { fallback, voice: voice.clone(), ..RouteOverrides::default() };
        overrides.set(service, route);
        overrides
    };
    if name == AUTO {
        return Ok(router.plan(service, &RouteOverrides { fallback, voice, ..RouteOverrides::default() })?);
    }
    let serving = providers_serving(assistant, service, name);
    if let Some((provider, model)) = split_provider(assistant, name, !serving.is_empty()) {
        check_service(assistant, service, &provider, &model)?;
        let route = if model.is_empty() { provider } else { format!("{provider}/{model}") };
        return Ok(router.plan(service, &overrides(route))?);
    }
    if let Some(provider) = serving.first() {
        check_service(assistant, service, provider, name)?;
    }
    let mut plans = serving.into_iter().map(|provider| router.plan(service, &overrides(format!("{provider}/{name}"))));
    let Some(mut plan) = plans.next() else { return Err(ApiError::model_not_found(name)) };
    if fallback {
        return Ok(plan?); // it contains the whole fallback order already
    }
    for other in plans {
        plan = match (plan, other) {
            (Ok(plan), Ok(other)) => Ok(plan.followed_by(other)),
            (plan @ Ok(_), Err(_)) => plan,
            (Err(_), other) => other,
        };
    }
    Ok(plan?)
}

/// Splits `provider/model`; the model is empty when only a provider is named. When the whole name is a model (`is_model`), it is split
/// only if the provider before the slash also has the model after it.
fn split_provider(assistant: &Assistant, name: &str, is_model: bool) -> Option<(String, String)> {
    let (first, model) = name.split_once('/').unwrap_or((name, ""));
    let router = assistant.router();
    let provider = router.providers().into_iter().find(|provider| provider.name == first)?.name;
    let has_model = || router.models().iter().any(|listed| listed.provider == provider && listed.name == model);
    (!is_model || has_model()).then(|| (provider, model.to_owned()))
}

/// Rejects a listed model that cannot be used for the service.
fn check_service(assistant: &Assistant, service: Service, provider: &str, model: &str) -> Result<(), ApiError> {
    let models = assistant.router().models();
    let listed = models.iter().find(|listed| listed.provider == provider && listed.name == model);
    match listed {
        Some(listed) if !listed.services.is_empty() && !listed.services.contains(&service) => {
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

/// The providers that serve the model, also under a retired name. Those of the fallback order come first, in that order.
fn providers_serving(assistant: &Assistant, service: Service, name: &str) -> Vec<String> {
    let router = assistant.router();
    let models = router.models();
    let order = router.plan(service, &RouteOverrides { fallback: true, ..RouteOverrides::default() });
    let mut providers: Vec<String> = order.map_or_else(
        |_| Vec::new(),
        |plan| plan.candidates().iter().map(|candidate| candidate.route.provider.clone()).collect(),
    );
    for provider in router.providers() {
        if !providers.contains(&provider.name) {
            providers.push(provider.name);
        }
    }
    let serves = |provider: &String| {
        models.iter().any(|model| model.provider == *provider && model.name == name)
            || router.catalog().resolve(provider, service, name).replaced.is_some()
    };
    providers.retain(serves);
    providers
}
