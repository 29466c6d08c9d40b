//! Environment variables that decide settings at start, from the process or from a `.env` file. Their names are those of the
//! multi-provider guide.

use std::collections::BTreeMap;

use aura_providers::{PROVIDERS, presets};
use aura_router::KeyScope;
use secrecy::SecretString;
use url::Url;

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

    /// The API key that a variable sets for a provider: its own, or that of the preset of its kind of server.
    pub(super) fn key(&self, provider: &str, preset: &str) -> Option<EnvironmentKey> {
        if let Some(known) = PROVIDERS.iter().find(|known| known.id == provider) {
            let own = known.base_url_env.and_then(|variable| self.get(variable)).or(known.base_url);
            let scope =
                own.and_then(|own| Url::parse(own).ok()).map_or(KeyScope::Nowhere, |own| KeyScope::origin(&own));
            return Some(EnvironmentKey { key: self.get(known.key_env?)?.into(), scope });
        }
        let preset = presets().iter().find(|known| known.id == preset)?;
        let own = preset.base_url.as_ref()?;
        let scope = if preset.local { KeyScope::Loopback } else { KeyScope::origin(own) };
        Some(EnvironmentKey { key: self.get(&key_variable(&preset.id))?.into(), scope })
    }
}

/// An API key that a variable sets, and where it may be sent.
pub(super) struct EnvironmentKey {
    pub(super) key: SecretString,
    pub(super) scope: KeyScope,
}

/// The variable for the API key of a preset, such as `OPENAI_API_KEY`.
pub fn key_variable(preset: &str) -> String {
    format!("{}_API_KEY", preset.to_uppercase().replace(['-', '.'], "_"))
}
