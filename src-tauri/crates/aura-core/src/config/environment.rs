//! Environment variables that override the settings, from the process or from a `.env` file. Their names are those of the
//! multi-provider guide.

use std::collections::BTreeMap;

use aura_providers::{PROVIDERS, Service};
use secrecy::SecretString;

use super::Settings;

/// A copy of the environment variables, so that tests need not change those of the process.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Environment {
    /// Copies the variables of this process. Variables that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// Sets a variable unless it is set already, as for the lines of a `.env` file.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.entry(name.into()).or_insert_with(|| value.into());
    }

    /// Sets or replaces a variable.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Every variable that is not empty, without surrounding white space.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let set = self.0.iter().filter(|(_, value)| !value.trim().is_empty());
        set.map(|(name, value)| (name.clone(), value.trim().to_owned())).collect()
    }

    /// The value of a variable, without surrounding white space; `None` when it is unset or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The API key of a built-in provider; `None` when its variable is unset or empty.
    pub fn key(&self, provider: &str) -> Option<SecretString> {
        let variable = PROVIDERS.iter().find(|known| known.id == provider)?.key_env?;
        self.get(variable).map(SecretString::from)
    }

    /// Overrides settings by the variables. Returns the paths of the overridden settings, such as `routes.llm.provider`.
    pub fn apply(&self, settings: &mut Settings) -> Vec<String> {
        let mut overridden = Vec::new();
        for service in Service::ALL {
            let upper = service.as_str().to_uppercase();
            let choice = settings.routes.get_mut(service);
            let provider = self.get(&format!("DEFAULT_{upper}_PROVIDER"));
            if let Some(provider) = provider {
                choice.provider = Some(provider.to_lowercase());
                // A saved model belongs to the saved provider.
                choice.model = None;
                choice.voice = None;
                overridden.push(format!("routes.{}.provider", service.as_str()));
            }
            for (name, field, target) in [
                (format!("DEFAULT_{upper}_MODEL"), "model", &mut choice.model),
                (format!("DEFAULT_{upper}_VOICE"), "voice", &mut choice.voice),
            ] {
                if let Some(value) = self.get(&name) {
                    *target = Some(value.to_owned());
                    overridden.push(format!("routes.{}.{field}", service.as_str()));
                }
            }
        }
        if let Some(value) = self.get("ENABLE_PROVIDER_FALLBACK") {
            settings.fallback = !matches!(value.to_lowercase().as_str(), "false" | "0" | "no" | "off");
            overridden.push("fallback".into());
        }
        overridden
    }
}
