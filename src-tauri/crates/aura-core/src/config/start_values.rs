//! Settings that environment variables decide when AURA starts. They are defaults: a change while AURA runs takes effect at once and
//! is remembered in the file; at the next start, the variable decides again.

use aura_providers::Service;
use aura_router::RouteChoice;
use serde_json::{Map, Value, json};

use super::{Environment, Overruled, Settings};

/// The values of the variables for the route of one service.
#[derive(Debug, Clone)]
struct RouteValues {
    service: Service,
    choice: RouteChoice,
    /// Whether they decide now: nobody has changed the route since the start.
    is_active: bool,
}

/// The fields of a route that variables set.
const FIELDS: [&str; 3] = ["provider", "model", "voice"];

fn field<'a>(choice: &'a RouteChoice, name: &str) -> Option<&'a str> {
    match name {
        "provider" => choice.provider.as_deref(),
        "model" => choice.model.as_deref(),
        _ => choice.voice.as_deref(),
    }
}

/// The settings that variables decide at start.
#[derive(Debug, Clone, Default)]
pub(super) struct StartValues {
    routes: Vec<RouteValues>,
    /// The value of `ENABLE_PROVIDER_FALLBACK`, and whether it decides now.
    fallback: Option<(bool, bool)>,
}

impl StartValues {
    pub(super) fn of(environment: &Environment) -> Self {
        let routes = Service::ALL.into_iter().filter_map(|service| {
            let value = |field: &str| environment.get(&variable(service, field)).map(str::to_owned);
            let choice = RouteChoice {
                provider: value("provider").map(|provider| provider.to_lowercase()),
                model: value("model"),
                voice: value("voice"),
                then: None,
            };
            (choice != RouteChoice::default()).then_some(RouteValues { service, choice, is_active: true })
        });
        let fallback = environment
            .get("ENABLE_PROVIDER_FALLBACK")
            .map(|value| (!matches!(value.to_lowercase().as_str(), "false" | "0" | "no" | "off"), true));
        Self { routes: routes.collect(), fallback }
    }

    /// Puts the values that decide now over those of the file. Returns the paths of these settings.
    pub(super) fn apply(&self, settings: &mut Settings) -> Vec<String> {
        let mut paths = Vec::new();
        for RouteValues { service, choice: values, .. } in self.routes.iter().filter(|route| route.is_active) {
            let choice = settings.routes.get_mut(*service);
            if values.provider.is_some() && values.provider != choice.provider {
                // A saved model belongs to the saved provider.
                *choice = RouteChoice { then: choice.then.take(), ..RouteChoice::default() };
            }
            for (value, target) in [
                (&values.provider, &mut choice.provider),
                (&values.model, &mut choice.model),
                (&values.voice, &mut choice.voice),
            ] {
                if value.is_some() {
                    target.clone_from(value);
                }
            }
            let set = FIELDS.into_iter().filter(|name| field(values, name).is_some());
            paths.extend(set.map(|name| format!("routes.{}.{name}", service.as_str())));
        }
        if let Some((value, true)) = self.fallback {
            settings.fallback = value;
            paths.push("fallback".into());
        }
        paths
    }

    /// What the variables overrule of the settings in the file. `remembered` are the differences from the defaults.
    pub(super) fn overruled(&self, remembered: &Value) -> Vec<Overruled> {
        let mut overruled = Vec::new();
        for RouteValues { service, choice, is_active } in &self.routes {
            let service_name = service.as_str();
            for name in FIELDS {
                let (Some(value), Some(old)) = (field(choice, name), remembered["routes"][service_name][name].as_str())
                else {
                    continue;
                };
                if value != old {
                    overruled.push(Overruled {
                        setting: format!("routes.{service_name}.{name}"),
                        variable: variable(*service, name),
                        value: value.to_owned(),
                        remembered: old.to_owned(),
                        in_effect: *is_active,
                    });
                }
            }
        }
        if let (Some((value, is_active)), Some(old)) = (self.fallback, remembered["fallback"].as_bool())
            && value != old
        {
            overruled.push(Overruled {
                setting: "fallback".into(),
                variable: "ENABLE_PROVIDER_FALLBACK".into(),
                value: value.to_string(),
                remembered: old.to_string(),
                in_effect: is_active,
            });
        }
        overruled
    }

    /// Prepares a change: the variables no longer decide what it names. Returns the change completed by the other fields of the
    /// routes in effect, so that a model never meets the provider of another route.
    pub(super) fn release(&mut self, patch: &Value, effective: &Settings) -> Value {
        let mut patch = patch.clone();
        if patch.get("fallback").is_some() {
            self.release_fallback();
        }
        for route in self.routes.iter_mut().filter(|route| route.is_active) {
            let service = route.service.as_str();
            let change = match patch.get("routes") {
                Some(Value::Null) => Some(&Value::Null),
                routes => routes.and_then(|routes| routes.get(service)),
            };
            let touches = match change {
                Some(Value::Object(change)) => FIELDS.iter().any(|name| change.contains_key(*name)),
                Some(_) => true,
                None => false,
            };
            if !touches {
                continue;
            }
            route.is_active = false;
            if let Some(Value::Object(change)) = change {
                let choice = effective.routes.get(route.service);
                let in_effect: Map<String, Value> =
                    FIELDS.iter().map(|name| ((*name).to_owned(), json!(field(choice, name)))).collect();
                let mut whole = in_effect;
                whole.extend(change.clone());
                patch["routes"][service] = Value::Object(whole);
            }
        }
        patch
    }

    /// Gives way to a change of the file by another program.
    pub(super) fn release_changed(&mut self, old: &Value, new: &Value, is_rewritten: bool) {
        // A program that switched to what was remembered already writes the same file again.
        let overruled = self.overruled(new);
        let gives_way = |setting: &str, old: &Value, new: &Value| {
            old != new || (is_rewritten && overruled.iter().any(|known| known.setting.starts_with(setting)))
        };
        for route in &mut self.routes {
            let of =
                |differences: &Value| FIELDS.map(|name| differences["routes"][route.service.as_str()][name].clone());
            let (old, new) = (json!(of(old)), json!(of(new)));
            if gives_way(&format!("routes.{}.", route.service.as_str()), &old, &new) {
                route.is_active = false;
            }
        }
        if gives_way("fallback", &old["fallback"], &new["fallback"]) {
            self.release_fallback();
        }
    }

    fn release_fallback(&mut self) {
        if let Some((_, is_active)) = &mut self.fallback {
            *is_active = false;
        }
    }
}

/// The variable for a field of a service's route.
fn variable(service: Service, field: &str) -> String {
    format!("DEFAULT_{}_{}", service.as_str().to_uppercase(), field.to_uppercase())
}
