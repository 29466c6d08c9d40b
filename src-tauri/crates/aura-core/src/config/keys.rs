//! The API keys of the providers: from environment variables, from the operating system's keyring, or kept in memory for this
//! session only.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aura_router::ApiKeys;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::Environment;
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
}

/// The known API keys. They are read once and kept in memory, so that a request never waits for the keyring.
pub struct Keys {
    secrets: Arc<dyn Secrets>,
    environment: Environment,
    known: ArcSwap<BTreeMap<String, (SecretString, KeyPlace)>>,
    problem: ArcSwap<Option<String>>,
}

impl Keys {
    /// Makes an empty set of keys. [`Keys::load`] reads them.
    pub fn new(secrets: Arc<dyn Secrets>, environment: Environment) -> Self {
        Self { secrets, environment, known: ArcSwap::default(), problem: ArcSwap::default() }
    }

    /// Reads the keys of these providers. A variable takes precedence over the keyring. [`Keys::problem`] reports failures.
    pub async fn load(&self, providers: &[String]) {
        let keyring = self.secrets.check().await;
        self.problem.store(Arc::new(keyring.as_ref().err().map(|error| error.message.clone())));
        for provider in providers {
            if let Some(key) = self.environment.key(provider) {
                self.remember(provider, Some((key, KeyPlace::Environment)));
            } else if keyring.is_ok() {
                match self.secrets.get(provider).await {
                    Ok(Some(key)) => self.remember(provider, Some((key, KeyPlace::Keyring))),
                    Ok(None) => {}
                    Err(error) => self.problem.store(Arc::new(Some(error.message))),
                }
            }
        }
    }

    /// The key of a provider.
    pub fn get(&self, provider: &str) -> Option<SecretString> {
        self.known.load().get(provider).map(|(key, _)| key.clone())
    }

    /// Every known key.
    pub fn all(&self) -> ApiKeys {
        self.known.load().iter().map(|(provider, (key, _))| (provider.clone(), key.clone())).collect()
    }

    /// The part of a provider's key that may be shown; `None` without a key.
    pub fn view(&self, provider: &str) -> Option<KeyView> {
        let known = self.known.load();
        let (key, place) = known.get(provider)?;
        let letters: Vec<char> = key.expose_secret().chars().collect();
        let ends_with = if letters.len() < 12 { String::new() } else { letters[letters.len() - 4..].iter().collect() };
        Some(KeyView { ends_with, place: *place })
    }

    /// Why keys cannot be saved on this computer, in a sentence; `None` when they can.
    pub fn problem(&self) -> Option<String> {
        self.problem.load().as_ref().clone()
    }

    /// Saves a key in the keyring, or in memory alone.
    ///
    /// # Errors
    /// With [`ErrorCode::InvalidRequest`] when the text cannot be a key, or an environment variable sets the key; with
    /// [`ErrorCode::Keyring`] when the keyring fails. Nothing is changed then.
    pub async fn save(&self, provider: &str, key: SecretString, session_only: bool) -> Result<()> {
        let trimmed = key.expose_secret().trim();
        if trimmed.is_empty() || trimmed.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Error::invalid(
                "This is not an API key: it is empty or contains spaces. Copy it again from the provider's page.",
            ));
        }
        if self.environment.key(provider).is_some() {
            return Err(Error::invalid(
                "An environment variable sets this provider's API key. Change the variable, or remove it and restart AURA.",
            ));
        }
        let key = SecretString::from(trimmed);
        let place = if session_only { KeyPlace::Session } else { KeyPlace::Keyring };
        if !session_only {
            self.secrets.set(provider, key.clone()).await.map_err(|error| Error {
                code: ErrorCode::Keyring,
                message: format!("{} The key was not saved. You can keep it for this session only.", error.message),
                detail: error.detail,
            })?;
        }
        self.remember(provider, Some((key, place)));
        Ok(())
    }

    /// Deletes a key from memory and from the keyring.
    ///
    /// # Errors
    /// When an environment variable sets the key, or the keyring fails.
    pub async fn forget(&self, provider: &str) -> Result<()> {
        if self.environment.key(provider).is_some() {
            return Err(Error::invalid(
                "An environment variable sets this provider's API key. Remove the variable and restart AURA.",
            ));
        }
        if self.known.load().get(provider).is_some_and(|(_, place)| *place == KeyPlace::Keyring) {
            self.secrets.delete(provider).await?;
        }
        self.remember(provider, None);
        Ok(())
    }

    fn remember(&self, provider: &str, key: Option<(SecretString, KeyPlace)>) {
        self.known.rcu(|known| {
            let mut known = BTreeMap::clone(known);
            match &key {
                Some(key) => known.insert(provider.to_owned(), key.clone()),
                None => known.remove(provider),
            };
            known
        });
    }
}
