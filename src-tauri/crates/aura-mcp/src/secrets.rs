//! The values of a server's variables and headers, which are secrets: the configuration has only their names.

use std::fmt;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// The shortest value that is looked for in what a server says. A shorter one, such as `1` or `true`, is hardly a secret and occurs everywhere.
const MIN_REDACTED: usize = 6;

/// What a value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// A variable in the environment of the server's program.
    Env,
    /// A header of the requests to the server.
    Header,
}

/// Which value of which server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecretName {
    /// The name of the server.
    pub server: String,
    /// What the value is for.
    pub kind: SecretKind,
    /// The name of the variable or header.
    pub name: String,
}

/// The name under which the value is kept in a keyring, such as `mcp env github TOKEN`. No two names share one: a variable or header
/// contains no space.
impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            SecretKind::Env => "env",
            SecretKind::Header => "header",
        };
        write!(f, "mcp {kind} {} {}", self.server, self.name)
    }
}

/// Why a value could not be read, in a sentence for the user. It must not contain the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretError(pub String);

/// Gives the values of variables and headers, each time that a server starts.
#[async_trait]
pub trait SecretResolver: Send + Sync {
    /// The value with this name; `None` when there is none.
    ///
    /// # Errors
    /// When the keyring fails.
    async fn resolve(&self, name: &SecretName) -> Result<Option<SecretString>, SecretError>;
}

/// A resolver without values.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSecrets;

#[async_trait]
impl SecretResolver for NoSecrets {
    async fn resolve(&self, _name: &SecretName) -> Result<Option<SecretString>, SecretError> {
        Ok(None)
    }
}

/// Removes a server's own secrets from what it says: many a program prints its environment.
#[derive(Clone, Default)]
pub(crate) struct Redactor(Vec<SecretString>);

impl Redactor {
    pub(crate) fn new(values: impl IntoIterator<Item = SecretString>) -> Self {
        let mut found: Vec<SecretString> = Vec::new();
        for value in values {
            // `Bearer abc` is also told as `abc`.
            let words =
                value.expose_secret().split_whitespace().filter(|word| word.len() < value.expose_secret().len());
            found.extend(words.map(SecretString::from));
            found.push(value);
        }
        found.retain(|value| value.expose_secret().len() >= MIN_REDACTED);
        // A value that contains another one goes first.
        found.sort_by_key(|value| std::cmp::Reverse(value.expose_secret().len()));
        Self(found)
    }

    /// The text, with `•••` for each secret in it.
    pub(crate) fn redact(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| {
            let secret = secret.expose_secret();
            if text.contains(secret) { text.replace(secret, "•••") } else { text }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_removed_alone_and_within_a_longer_one() {
        let redactor = Redactor::new(["Bearer sk-12345678".into(), "sk-1234".into(), "on".into()]);
        let text = "on: Bearer sk-12345678, sk-12345678, sk-1234";
        assert_eq!(redactor.redact(text.into()), "on: •••, •••, •••");
    }

    #[test]
    fn names_in_the_keyring_are_distinct() {
        let name =
            |kind, server: &str, name: &str| SecretName { server: server.into(), kind, name: name.into() }.to_string();
        assert_eq!(name(SecretKind::Env, "git hub", "TOKEN"), "mcp env git hub TOKEN");
        assert_ne!(name(SecretKind::Env, "a", "B"), name(SecretKind::Header, "a", "B"));
    }
}
