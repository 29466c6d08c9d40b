//! The values of a server's variables and headers, which are secrets: the configuration has only their names.

use std::fmt;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// The shortest value that is looked for in what a server says. A shorter one, such as `1` or `true`, is hardly a secret and occurs everywhere.
const MIN_REDACTED: usize = 6;

/// What a value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// A variable in the environment of the server's program.
    Env,
    /// A header of the requests to the server.
    Header,
}

/// Which value of which server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
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
pub(crate) struct Redactor {
    /// What is removed from messages for people.
    all: Vec<SecretString>,
    /// What is removed from outputs. A variable may also hold a folder or a language, which the model needs.
    likely: Vec<SecretString>,
}

impl Redactor {
    /// For values with their names.
    pub(crate) fn new<'a>(values: impl IntoIterator<Item = (SecretKind, &'a str, &'a SecretString)>) -> Self {
        let (mut all, mut likely) = (Vec::new(), Vec::new());
        for (kind, name, value) in values {
            let parts = parts(value.expose_secret());
            if kind == SecretKind::Header || is_named_secret(name) || is_like_secret(value.expose_secret()) {
                likely.extend(parts.clone());
            }
            all.extend(parts);
        }
        Self { all: longest_first(all), likely: longest_first(likely) }
    }

    /// A message for people, with `•••` for each secret in it.
    pub(crate) fn message(&self, text: String) -> String {
        redact(&self.all, text)
    }

    /// An output for the model, with `•••` for each secret in it.
    pub(crate) fn output(&self, text: String) -> String {
        redact(&self.likely, text)
    }
}

/// The value, and what may be told of it alone: `abc` of `Bearer abc`, the password of `https://me:password@host`.
fn parts(value: &str) -> Vec<SecretString> {
    let words = value.split_whitespace().filter(|word| word.len() < value.len());
    let password = value.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')?.0.split_once(':'));
    let parts = words.chain(password.map(|(_, password)| password)).chain([value]);
    parts.filter(|part| part.len() >= MIN_REDACTED).map(SecretString::from).collect()
}

fn is_named_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["KEY", "TOKEN", "SECRET", "PASS", "AUTH", "CREDENTIAL", "COOKIE", "LICEN"].iter().any(|word| name.contains(word))
}

/// Whether a value looks like a key: long, in one word, with letters and digits; or an address with a password.
fn is_like_secret(value: &str) -> bool {
    let is_key = value.len() >= 16
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+=~".contains(&byte))
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().any(|byte| byte.is_ascii_alphabetic());
    is_key || value.contains("://") && value.contains('@')
}

/// A value that contains another one goes first.
fn longest_first(mut values: Vec<SecretString>) -> Vec<SecretString> {
    values.sort_by_key(|value| std::cmp::Reverse(value.expose_secret().len()));
    values
}

fn redact(secrets: &[SecretString], text: String) -> String {
    secrets.iter().fold(text, |text, secret| {
        let secret = secret.expose_secret();
        if text.contains(secret) { text.replace(secret, "•••") } else { text }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(values: &[(SecretKind, &str, &str)]) -> Redactor {
        let values: Vec<_> = values.iter().map(|(kind, name, value)| (*kind, *name, (*value).into())).collect();
        Redactor::new(values.iter().map(|(kind, name, value)| (*kind, *name, value)))
    }

    #[test]
    fn a_secret_is_removed_alone_and_within_a_longer_one() {
        let values = [
            (SecretKind::Header, "Authorization", "Bearer sk-12345678"),
            (SecretKind::Env, "TOKEN", "sk-1234"),
            (SecretKind::Env, "MODE", "on"),
            (SecretKind::Env, "DATABASE", "postgres://me:pass word@host/db"),
        ];
        let text = "on: Bearer sk-12345678, sk-12345678, sk-1234, pass word";
        assert_eq!(redactor(&values).output(text.into()), "on: •••, •••, •••, •••");
    }

    #[test]
    fn an_output_keeps_what_is_no_secret() {
        let values = [
            (SecretKind::Env, "ROOT", "/home/me/documents"),
            (SecretKind::Env, "LANGUAGE_CODE", "german"),
            (SecretKind::Env, "X", "a1b2c3d4e5f6a7b8"),
        ];
        let text = "/home/me/documents/a.txt, german, a1b2c3d4e5f6a7b8";
        let redactor = redactor(&values);
        assert_eq!(redactor.output(text.into()), "/home/me/documents/a.txt, german, •••");
        assert_eq!(redactor.message(text.into()), "•••/a.txt, •••, •••");
    }

    #[test]
    fn names_in_the_keyring_are_distinct() {
        let name =
            |kind, server: &str, name: &str| SecretName { server: server.into(), kind, name: name.into() }.to_string();
        assert_eq!(name(SecretKind::Env, "git hub", "TOKEN"), "mcp env git hub TOKEN");
        assert_ne!(name(SecretKind::Env, "a", "B"), name(SecretKind::Header, "a", "B"));
    }
}
