//! The API keys of the providers: from environment variables, from the operating system's keyring, or kept in memory for this
//! session only. A key is sent only to the address that it was saved for, or that comes from the same environment.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aura_providers::PROVIDERS;
use aura_router::{ApiKeys, KeyScope, ProviderInfo};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::environment::EnvironmentKey;
use super::{Environment, Settings};
use crate::error::{Error, ErrorCode, Result};
use crate::ports::Secrets;

/// Where an API key is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// The operating system's keyring.
    Keyring,
    /// Memory: the key is lost when AURA ends.
    Session,
    /// An environment variable or a `.env` file.
    Environment,
}

/// The part of an API key that may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct KeyView {
    /// The last four characters of the key; empty for a key shorter than twelve characters.
    pub ends_with: String,
    /// Where the key is stored.
    pub place: KeyPlace,
    /// The address that the key is for, when the provider now has another one, so that the key is not sent; else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub only_for: Option<String>,
}

/// A key in the keyring or in memory.
#[derive(Clone)]
struct SavedKey {
    key: SecretString,
    place: KeyPlace,
    scope: KeyScope,
}

/// The known API keys. The saved ones are read once and kept in memory, so that a request never waits for the keyring.
pub struct Keys {
    secrets: Arc<dyn Secrets>,
    environment: Environment,
    saved: ArcSwap<BTreeMap<String, SavedKey>>,
    problem: ArcSwap<Option<String>>,
}

/// The name in the keyring of the address that a provider's key is for. The name of a provider contains no space.
fn address_name(provider: &str) -> String {
    format!("{provider} address")
}

impl Keys {
    /// Makes an empty set of keys. [`Keys::load`] reads the saved ones.
    pub fn new(secrets: Arc<dyn Secrets>, environment: Environment) -> Self {
        Self { secrets, environment, saved: ArcSwap::default(), problem: ArcSwap::default() }
    }

    /// Reads the saved keys of these providers. [`Keys::problem`] reports failures.
    pub async fn load(&self, providers: &[ProviderInfo]) {
        let keyring = self.secrets.check().await;
        self.problem.store(Arc::new(keyring.as_ref().err().map(|error| error.message.clone())));
        if keyring.is_err() {
            return;
        }
        for provider in providers {
            match self.read(provider).await {
                Ok(Some(key)) => self.remember(&provider.name, Some(key)),
                Ok(None) => {}
                Err(error) => self.problem.store(Arc::new(Some(error.message))),
            }
        }
    }

    async fn read(&self, provider: &ProviderInfo) -> Result<Option<SavedKey>> {
        let name = &provider.name;
        let Some(key) = self.secrets.get(name).await? else { return Ok(None) };
        let scope = match self.secrets.get(&address_name(name)).await? {
            Some(address) => KeyScope::Origin(address.expose_secret().to_owned()),
            // Saved by an earlier version, which noted no address: a built-in provider's key is for its own one. That of a server
            // is for the present one, from now on.
            None => match PROVIDERS.iter().find(|known| known.id == name).and_then(|known| known.base_url) {
                Some(own) => Url::parse(own).map_or(KeyScope::Nowhere, |own| KeyScope::origin(&own)),
                None => {
                    let scope = provider.address.as_ref().map_or(KeyScope::Nowhere, KeyScope::origin);
                    self.note_address(name, &scope).await?;
                    scope
                }
            },
        };
        Ok(Some(SavedKey { key, place: KeyPlace::Keyring, scope }))
    }

    async fn note_address(&self, provider: &str, scope: &KeyScope) -> Result<()> {
        match scope {
            KeyScope::Origin(origin) => self.secrets.set(&address_name(provider), origin.as_str().into()).await,
            _ => Ok(()),
        }
    }

    /// Every known key with the addresses that it may be sent to. A variable takes precedence over a saved key.
    pub fn all(&self, settings: &Settings) -> ApiKeys {
        let mut keys = ApiKeys::default();
        let saved = self.saved.load();
        let builtin = PROVIDERS.iter().map(|provider| (provider.id, provider.id));
        let servers =
            settings.providers.iter().map(|(name, server)| (name.as_str(), server.preset.as_deref().unwrap_or(name)));
        let all: BTreeMap<&str, &str> = servers.chain(builtin).collect();
        for (name, preset) in all {
            if let Some(EnvironmentKey { key, scope }) = self.environment.key(name, preset) {
                keys.insert_for(name, key, scope);
            }
            if let Some(SavedKey { key, scope, .. }) = saved.get(name) {
                keys.insert_for(name, key.clone(), scope.clone());
            }
        }
        keys
    }

    /// The part of a provider's key that may be shown; `None` without a key.
    pub fn view(&self, provider: &ProviderInfo) -> Option<KeyView> {
        let from_environment = self
            .environment
            .key(&provider.name, &provider.preset)
            .map(|EnvironmentKey { key, scope }| SavedKey { key, place: KeyPlace::Environment, scope });
        let saved = self.saved.load().get(&provider.name).cloned();
        let keys: Vec<SavedKey> = from_environment.into_iter().chain(saved).collect();
        let is_sent = |key: &&SavedKey| provider.address.as_ref().is_some_and(|address| key.scope.includes(address));
        let in_use = keys.iter().find(is_sent);
        let key = in_use.or(keys.last())?;
        let only_for = match &key.scope {
            KeyScope::Origin(origin) if in_use.is_none() => Some(origin.clone()),
            _ => None,
        };
        let letters: Vec<char> = key.key.expose_secret().chars().collect();
        let ends_with = if letters.len() < 12 { String::new() } else { letters[letters.len() - 4..].iter().collect() };
        Some(KeyView { ends_with, place: key.place, only_for })
    }

    /// Why keys cannot be saved on this computer, in a sentence; `None` when they can.
    pub fn problem(&self) -> Option<String> {
        self.problem.load().as_ref().clone()
    }

    /// Whether a variable sets the key that is sent to the provider's present address.
    fn is_from_environment(&self, provider: &ProviderInfo) -> bool {
        let key = self.environment.key(&provider.name, &provider.preset);
        key.is_some_and(|key| provider.address.as_ref().is_none_or(|address| key.scope.includes(address)))
    }

    /// Saves a key for the provider's present address, in the keyring or in memory alone.
    ///
    /// # Errors
    /// With [`ErrorCode::InvalidRequest`] when the text cannot be a key, the provider has no address, or a variable sets the key; with
    /// [`ErrorCode::Keyring`] when the keyring fails. Nothing is changed then.
    pub async fn save(&self, provider: &ProviderInfo, key: SecretString, session_only: bool) -> Result<()> {
        let trimmed = key.expose_secret().trim();
        if trimmed.is_empty() || trimmed.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Error::invalid(
                "This is not an API key: it is empty or contains spaces. Copy it again from the provider's page.",
            ));
        }
        if self.is_from_environment(provider) {
            return Err(Error::invalid(
                "An environment variable sets this provider's API key. Change the variable, or remove it and restart AURA.",
            ));
        }
        let Some(address) = &provider.address else {
            return Err(Error::invalid(
                "This provider has no address to send a key to. Set its address, then save the key.",
            ));
        };
        let (key, scope) = (SecretString::from(trimmed), KeyScope::origin(address));
        let place = if session_only { KeyPlace::Session } else { KeyPlace::Keyring };
        if !session_only {
            // The key first: when the second step fails, the new key is bound to the old address, where it may not be sent.
            let saved = async {
                self.secrets.set(&provider.name, key.clone()).await?;
                self.note_address(&provider.name, &scope).await
            };
            saved.await.map_err(|error| Error {
                code: ErrorCode::Keyring,
                message: format!("{} The key was not saved. You can keep it for this session only.", error.message),
                detail: error.detail,
            })?;
        }
        self.remember(&provider.name, Some(SavedKey { key, place, scope }));
        Ok(())
    }

    /// Deletes a saved key from memory and from the keyring.
    ///
    /// # Errors
    /// When an environment variable sets the key, or the keyring fails.
    pub async fn forget(&self, provider: &ProviderInfo) -> Result<()> {
        let saved = self.saved.load().get(&provider.name).map(|saved| saved.place);
        if saved.is_none() && self.environment.key(&provider.name, &provider.preset).is_some() {
            return Err(Error::invalid(
                "An environment variable sets this provider's API key. Remove the variable and restart AURA.",
            ));
        }
        if saved == Some(KeyPlace::Keyring) {
            self.secrets.delete(&provider.name).await?;
            self.secrets.delete(&address_name(&provider.name)).await?;
        }
        self.remember(&provider.name, None);
        Ok(())
    }

    fn remember(&self, provider: &str, key: Option<SavedKey>) {
        self.saved.rcu(|saved| {
            let mut saved = BTreeMap::clone(saved);
            match &key {
                Some(key) => saved.insert(provider.to_owned(), key.clone()),
                None => saved.remove(provider),
            };
            saved
        });
    }
}
