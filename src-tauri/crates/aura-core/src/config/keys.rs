//! The providers' keys: from the environment, else from the operating system's keyring, else for this session only.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::Environment;
use crate::api::KeyView;
use crate::error::{Code, Error, Result};
use crate::ports::Secrets;

/// Where a key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum KeyPlace {
    /// In the operating system's keyring.
    Keyring,
    /// In memory, until AURA ends.
    Session,
    /// In a variable or a `.env` file.
    Environment,
}

/// The keys that are known, read once and kept in memory: a request must not wait for the keyring.
pub struct Keys {
    secrets: Arc<dyn Secrets>,
    environment: Environment,
    known: ArcSwap<BTreeMap<String, (SecretString, KeyPlace)>>,
    problem: ArcSwap<Option<String>>,
}

impl Keys {
    /// Keys over a key store and the environment. Nothing is read yet.
    pub fn new(secrets: Arc<dyn Secrets>, environment: Environment) -> Self {
        Self { secrets, environment, known: ArcSwap::default(), problem: ArcSwap::default() }
    }

    /// Reads the keys of these providers.
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

    /// A provider's key.
    pub fn get(&self, provider: &str) -> Option<SecretString> {
        self.known.load().get(provider).map(|(key, _)| key.clone())
    }

    /// What may be shown of it.
    pub fn view(&self, provider: &str) -> Option<KeyView> {
        let known = self.known.load();
        let (key, place) = known.get(provider)?;
        let letters: Vec<char> = key.expose_secret().chars().collect();
        let ends_with = if letters.len() < 12 { String::new() } else { letters[letters.len() - 4..].iter().collect() };
        Some(KeyView { ends_with, place: *place })
    }

    /// Why keys cannot be kept on this computer.
    pub fn problem(&self) -> Option<String> {
        self.problem.load().as_ref().clone()
    }

    /// Saves a key in the keyring, or only in memory. A key from the environment stays over it.
    pub async fn save(&self, provider: &str, key: SecretString, session_only: bool) -> Result<()> {
        let trimmed = key.expose_secret().trim();
        if trimmed.is_empty() || trimmed.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Error::invalid(
                "This is not a key: it is empty or has spaces in it. Copy it again from the provider's page.",
            ));
        }
        if self.environment.key(provider).is_some() {
            return Err(Error::invalid(
                "The environment holds this provider's key. Change it there, or remove the variable first.",
            ));
        }
        let key = SecretString::from(trimmed);
        let place = if session_only { KeyPlace::Session } else { KeyPlace::Keyring };
        if !session_only {
            self.secrets.set(provider, key.clone()).await.map_err(|error| Error {
                code: Code::Keyring,
                message: format!("{} The key was not saved. You can keep it for this session only.", error.message),
                detail: error.detail,
            })?;
        }
        self.remember(provider, Some((key, place)));
        Ok(())
    }

    /// Forgets a key, in memory and in the keyring.
    pub async fn forget(&self, provider: &str) -> Result<()> {
        if self.environment.key(provider).is_some() {
            return Err(Error::invalid(
                "The environment holds this provider's key. Remove the variable and start AURA again.",
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
