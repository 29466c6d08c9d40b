//! Keys in the operating system's key store: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.

use std::time::Duration;

use async_trait::async_trait;
use aura_core::error::{Code, Error, Result};
use aura_core::ports::Secrets;
use keyring::v1::{Entry, Error as StoreError};
use secrecy::{ExposeSecret, SecretString};

use crate::off::{Stuck, off_runtime};

/// Under this name the keys are found in the operating system's own key manager.
const SERVICE: &str = "aura";

/// A name that is never saved; looking it up shows whether the store answers and is unlocked.
const PROBE: &str = "aura-probe";

/// A locked store asks the person for a password, or, with no desktop to ask on, never answers.
const LIMIT: Duration = Duration::from_secs(5);

/// The operating system's key store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keyring;

#[async_trait]
impl Secrets for Keyring {
    async fn check(&self) -> Result<()> {
        self.get(PROBE).await.map(drop)
    }

    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        ask(name, |entry| match entry.get_password() {
            Ok(secret) => Ok(Some(SecretString::from(secret))),
            Err(StoreError::NoEntry) => Ok(None),
            Err(cause) => Err(cause),
        })
        .await
    }

    async fn set(&self, name: &str, secret: SecretString) -> Result<()> {
        ask(name, move |entry| entry.set_password(secret.expose_secret())).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        ask(name, |entry| match entry.delete_credential() {
            Ok(()) | Err(StoreError::NoEntry) => Ok(()),
            Err(cause) => Err(cause),
        })
        .await
    }
}

/// Asks the store about one key, on a thread of its own.
async fn ask<T: Send + 'static>(
    name: &str,
    question: impl FnOnce(&Entry) -> Result<T, StoreError> + Send + 'static,
) -> Result<T> {
    let name = name.to_owned();
    let answer = off_runtime("aura-keyring", LIMIT, move || {
        if let Err(cause) = Entry::store_status() {
            return Err(absent().because(describe(cause)));
        }
        Entry::new(SERVICE, &name).and_then(|entry| question(&entry)).map_err(|cause| refused(&cause))
    });
    match answer.await {
        Ok(answer) => answer,
        Err(Stuck::Limit) => Err(Error::new(
            Code::Keyring,
            "The key store did not answer. Unlock it (a password window may be waiting), then try again.",
        )),
        Err(Stuck::Broke) => Err(Error::internal("the key store's thread ended early")),
    }
}

fn absent() -> Error {
    let remedy = if cfg!(target_os = "linux") {
        "No key store was found. Install and start gnome-keyring or KWallet (Debian: `apt install gnome-keyring`), then start AURA again; \
         until then keys are kept for this session only."
    } else {
        "The operating system's key store cannot be used. Keys are kept for this session only."
    };
    Error::new(Code::Keyring, remedy)
}

fn refused(cause: &StoreError) -> Error {
    let message = match cause {
        StoreError::NoDefaultStore => return absent(),
        StoreError::NoStorageAccess(_) => "The key store is locked. Unlock it, then try again.",
        _ => "The key store refused. Check that it is unlocked, then try again.",
    };
    Error::new(Code::Keyring, message).because(describe(cause))
}

/// What the store said. Some of its errors carry the stored bytes; those must never be written anywhere.
fn describe(cause: &StoreError) -> String {
    match cause {
        StoreError::PlatformFailure(inner) | StoreError::NoStorageAccess(inner) => inner.to_string(),
        StoreError::BadEncoding(_) | StoreError::BadDataFormat(..) => "the saved key cannot be read as text".into(),
        other => other.to_string(),
    }
}
