//! From a model's name in a request to the routes that may answer it.

use aura_core::Assistant;
use aura_core::api::Wishes;
use aura_core::catalog;
use aura_core::providers::Service;
use aura_core::router::Plan;

use super::error::Refused;

/// AURA's own choice, with its whole fallback order.
pub(super) const AUTO: &str = "auto";

/// The routes for a model's name. `fallback` lets others answer although a model was named.
pub(super) fn plan(
    assistant: &Assistant,
    service: Service,
    name: &str,
    fallback: bool,
    voice: Option<&str>,
) -> Result<Plan, Refused> {
    let router = assistant.router();
    let voice = voice.filter(|voice| !voice.is_empty()).map(str::to_owned);
    let wishes = |route: String| {
        let mut wishes = Wishes { fallback, voice: voice.clone(), ..Wishes::default() };
        match service {
            Service::Stt => wishes.stt = Some(route),
            Service::Llm => wishes.llm = Some(route),
            Service::Vlm => wishes.vlm = Some(route),
            Service::Tts => wishes.tts = Some(route),
        }
        wishes
    };
    if name == AUTO {
        return Ok(router.plan(service, &Wishes { fallback, voice, ..Wishes::default() })?);
    }
    let serving = serving(assistant, service, name);
    if let Some((provider, model)) = addressed(assistant, name, !serving.is_empty()) {
        check(assistant, service, &provider, &model)?;
        let route = if model.is_empty() { provider } else { format!("{provider}/{model}") };
        return Ok(router.plan(service, &wishes(route))?);
    }
    if let Some(provider) = serving.first() {
        check(assistant, service, provider, name)?;
    }
    let mut plans = serving.into_iter().map(|provider| router.plan(service, &wishes(format!("{provider}/{name}"))));
    let Some(mut plan) = plans.next() else { return Err(Refused::no_model(name)) };
    if fallback {
        return Ok(plan?); // the order of everyone is in it already
    }
    for other in plans {
        plan = match (plan, other) {
            (Ok(plan), Ok(other)) => Ok(plan.then(other)),
            (plan @ Ok(_), Err(_)) => plan,
            (Err(_), other) => other,
        };
    }
    Ok(plan?)
}

/// The provider and the model of `provider/model`; the model is empty when a provider alone is named. A name that some provider has
/// as a whole is only read so if the model before the stroke has it, too.
fn addressed(assistant: &Assistant, name: &str, known_as_a_whole: bool) -> Option<(String, String)> {
    let (first, model) = name.split_once('/').unwrap_or((name, ""));
    let router = assistant.router();
    let provider = router.providers().into_iter().find(|provider| provider.name == first)?.name;
    let has = || router.models().iter().any(|known| known.provider == provider && known.name == model);
    (!known_as_a_whole || has()).then(|| (provider, model.to_owned()))
}

/// Refuses a model that is known and does something else.
fn check(assistant: &Assistant, service: Service, provider: &str, model: &str) -> Result<(), Refused> {
    let models = assistant.router().models();
    let known = models.iter().find(|known| known.provider == provider && known.name == model);
    match known {
        Some(known) if !known.services.is_empty() && !known.services.contains(&service) => {
            let cannot = match service {
                Service::Stt => "transcribe",
                Service::Llm => "answer",
                Service::Vlm => "look at pictures",
                Service::Tts => "speak",
            };
            Err(Refused::bad(
                format!("`{model}` of {provider} does not {cannot}. Choose another model, or `auto`."),
                Some("model"),
            ))
        }
        _ => Ok(()),
    }
}

/// The providers that have the model, also under a name that was retired: those of the fallback order first, in its order.
fn serving(assistant: &Assistant, service: Service, name: &str) -> Vec<String> {
    let router = assistant.router();
    let models = router.models();
    let order = router.plan(service, &Wishes { fallback: true, ..Wishes::default() });
    let ordered = order.map(|plan| plan.candidates).unwrap_or_default().into_iter().map(|of| of.route.provider);
    let mut providers: Vec<String> = ordered.collect();
    for provider in router.providers() {
        if !providers.contains(&provider.name) {
            providers.push(provider.name);
        }
    }
    let serves = |provider: &String| {
        models.iter().any(|model| model.provider == *provider && model.name == name)
            || catalog::resolve(provider, service, name).replaced.is_some()
    };
    providers.retain(serves);
    providers
}
