//! The environment over the settings: the guide's variables, as the process and a `.env` file gave them.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::Settings;
use crate::providers::{PROVIDERS, Service};

/// The variables as they were at start. A copy, so that tests need not touch the process.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Environment {
    /// The variables of this process. Those that are not UTF-8 are none of ours.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// Adds a variable that is not set yet, as a `.env` file does.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.entry(name.into()).or_insert_with(|| value.into());
    }

    /// Sets a variable, whatever it was.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// A variable; one that is empty counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The key for a provider.
    pub fn key(&self, provider: &str) -> Option<SecretString> {
        let variable = PROVIDERS.iter().find(|known| known.id == provider)?.key_env?;
        self.get(variable).map(SecretString::from)
    }

    /// Puts the variables over the settings and says which ones they hold.
    pub fn apply(&self, settings: &mut Settings) -> Vec<String> {
        let mut held = Vec::new();
        for service in Service::ALL {
            let upper = service.as_str().to_uppercase();
            let choice = settings.routes.get_mut(service);
            let provider = self.get(&format!("DEFAULT_{upper}_PROVIDER"));
            if let Some(provider) = provider {
                choice.provider = Some(provider.to_lowercase());
                // A saved model belongs to the saved provider.
                choice.model = None;
                choice.voice = None;
                held.push(format!("routes.{}.provider", service.as_str()));
            }
            for (name, field, target) in [
                (format!("DEFAULT_{upper}_MODEL"), "model", &mut choice.model),
                (format!("DEFAULT_{upper}_VOICE"), "voice", &mut choice.voice),
            ] {
                if let Some(value) = self.get(&name) {
                    *target = Some(value.to_owned());
                    held.push(format!("routes.{}.{field}", service.as_str()));
                }
            }
        }
        if let Some(value) = self.get("ENABLE_PROVIDER_FALLBACK") {
            settings.fallback = !matches!(value.to_lowercase().as_str(), "false" | "0" | "no" | "off");
            held.push("fallback".into());
        }
        held
    }
}
