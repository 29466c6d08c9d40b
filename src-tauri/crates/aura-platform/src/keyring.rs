//! API keys in the operating system's key store: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.

use std::time::Duration;

use async_trait::async_trait;
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::Secrets;
use keyring::v1::{Entry, Error as StoreError};
use secrecy::{ExposeSecret, SecretString};

use crate::blocking::{BlockingError, run_blocking};

/// The service name of AURA's entries in the key store.
const SERVICE: &str = "aura";

/// A name that is never saved. Looking it up shows whether the store answers and is unlocked.
const PROBE: &str = "aura-probe";

/// Longest wait for an answer. A locked store prompts for a password; without a desktop to prompt on, it never answers.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// The operating system's key store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keyring;

#[async_trait]
impl Secrets for Keyring {
    async fn check(&self) -> Result<()> {
        self.get(PROBE).await.map(drop)
    }

    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        with_entry(name, |entry| match entry.get_password() {
            Ok(secret) => Ok(Some(SecretString::from(secret))),
            Err(StoreError::NoEntry) => Ok(None),
            Err(cause) => Err(cause),
        })
        .await
    }

    async fn set(&self, name: &str, secret: SecretString) -> Result<()> {
        with_entry(name, move |entry| entry.set_password(secret.expose_secret())).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        with_entry(name, |entry| match entry.delete_credential() {
            Ok(()) | Err(StoreError::NoEntry) => Ok(()),
            Err(cause) => Err(cause),
        })
        .await
    }
}

/// Runs a call on one entry of the store, on a thread of its own.
async fn with_entry<T: Send + 'static>(
    name: &str,
    call: impl FnOnce(&Entry) -> Result<T, StoreError> + Send + 'static,
) -> Result<T> {
    let name = name.to_owned();
    let result = run_blocking("aura-keyring", STORE_TIMEOUT, move || {
        if let Err(cause) = Entry::store_status() {
            return Err(no_store_error().because(redacted(cause)));
        }
        Entry::new(SERVICE, &name).and_then(|entry| call(&entry)).map_err(|cause| store_error(&cause))
    });
    match result.await {
        Ok(result) => result,
        Err(BlockingError::TimedOut) => Err(Error::new(
            ErrorCode::Keyring,
            "The key store did not respond. Unlock it (look for a password prompt), then try again.",
        )),
        Err(BlockingError::ThreadFailed) => Err(Error::internal("the key store thread ended unexpectedly")),
    }
}

/// There is no key store.
fn no_store_error() -> Error {
    let remedy = if cfg!(target_os = "linux") {
        "No key store was found. Install and start gnome-keyring or KWallet (Debian: `apt install gnome-keyring`), then restart AURA. \
         Until then, keys are kept for this session only."
    } else {
        "The operating system's key store is not available. Keys are kept for this session only."
    };
    Error::new(ErrorCode::Keyring, remedy)
}

/// The store returned an error.
fn store_error(cause: &StoreError) -> Error {
    let message = match cause {
        StoreError::NoDefaultStore => return no_store_error(),
        StoreError::NoStorageAccess(_) => "The key store is locked. Unlock it, then try again.",
        _ => "The key store returned an error. Check that it is unlocked, then try again.",
    };
    Error::new(ErrorCode::Keyring, message).because(redacted(cause))
}

/// The cause without any secret: some of the store's errors contain the stored bytes.
fn redacted(cause: &StoreError) -> String {
    match cause {
        StoreError::PlatformFailure(inner) | StoreError::NoStorageAccess(inner) => inner.to_string(),
        StoreError::BadEncoding(_) | StoreError::BadDataFormat(..) => "the saved key cannot be read as text".into(),
        other => other.to_string(),
    }
}
