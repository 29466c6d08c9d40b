//! API keys, each with the addresses that it may be sent to.

use std::collections::BTreeMap;

use aura_providers::{is_loopback, may_carry_key};
use secrecy::SecretString;
use url::Url;

/// Where an API key may be sent. Plain HTTP beyond this computer carries no key, whatever the scope.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyScope {
    /// To whatever address the provider has.
    Anywhere,
    /// To this origin, such as `https://api.groq.com`.
    Origin(String),
    /// To any server on this computer.
    Loopback,
    /// To no address.
    Nowhere,
}

impl KeyScope {
    /// The scope of a key for the server at this address: its scheme, host and port.
    pub fn origin(address: &Url) -> Self {
        Self::Origin(address.origin().ascii_serialization())
    }

    /// Whether the key is for a server at this address.
    pub fn includes(&self, address: &Url) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Origin(origin) => address.origin().ascii_serialization() == *origin,
            Self::Loopback => is_loopback(address),
            Self::Nowhere => false,
        }
    }
}

/// API keys by provider name. Neither `Debug` nor `Serialize`, so that no key reaches a log.
#[derive(Clone, Default)]
pub struct ApiKeys(BTreeMap<String, Vec<(SecretString, KeyScope)>>);

/// What became of a provider's API keys at its address.
pub(crate) enum KeyChoice<'a> {
    /// There is none.
    None,
    /// This key may be sent.
    Use(&'a SecretString),
    /// Every key is for another address.
    OtherAddress,
    /// The address is plain HTTP beyond this computer.
    Unprotected,
}

impl ApiKeys {
    /// Adds a key that may be sent to whatever address the provider has.
    pub fn insert(&mut self, provider: impl Into<String>, key: SecretString) {
        self.insert_for(provider, key, KeyScope::Anywhere);
    }

    /// Adds a key for the addresses in `scope`. Of several keys for an address, the first one is used.
    pub fn insert_for(&mut self, provider: impl Into<String>, key: SecretString, scope: KeyScope) {
        self.0.entry(provider.into()).or_default().push((key, scope));
    }

    /// The one place where a key meets an address.
    pub(crate) fn choose(&self, provider: &str, address: Option<&Url>) -> KeyChoice<'_> {
        let Some(keys) = self.0.get(provider).filter(|keys| !keys.is_empty()) else { return KeyChoice::None };
        let fits = |scope: &KeyScope| address.map_or(*scope == KeyScope::Anywhere, |address| scope.includes(address));
        let Some((key, _)) = keys.iter().find(|(_, scope)| fits(scope)) else { return KeyChoice::OtherAddress };
        if address.is_some_and(|address| !may_carry_key(address)) {
            return KeyChoice::Unprotected;
        }
        KeyChoice::Use(key)
    }
}

impl<N: Into<String>, K: Into<SecretString>> FromIterator<(N, K)> for ApiKeys {
    fn from_iter<I: IntoIterator<Item = (N, K)>>(keys: I) -> Self {
        let mut all = Self::default();
        for (provider, key) in keys {
            all.insert(provider, key.into());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_only_to_the_address_that_it_is_for() {
        let url = |text: &str| -> Url { text.parse().unwrap() };
        let mut keys = ApiKeys::default();
        keys.insert_for("groq", "own".into(), KeyScope::origin(&url("https://api.groq.com/openai/v1/")));
        keys.insert_for("local", "own".into(), KeyScope::Loopback);
        keys.insert("any", "own".into());
        let goes =
            |provider: &str, address: &str| matches!(keys.choose(provider, Some(&url(address))), KeyChoice::Use(_));
        for (provider, address, expected) in [
            ("groq", "https://api.groq.com/elsewhere", true),
            ("groq", "https://api.groq.com:8443/openai/v1/", false),
            ("groq", "http://api.groq.com/openai/v1/", false),
            ("groq", "https://api.groq.com.evil.example/", false),
            ("groq", "https://api.groq.com@evil.example/", false),
            ("groq", "http://127.0.0.1:9/", false),
            ("local", "http://127.0.0.1:8001/v1/", true),
            ("local", "https://127.0.0.1.example/v1/", false),
            ("any", "https://anywhere.example/", true),
            ("any", "http://127.0.0.1:9/", true),
            ("any", "http://192.168.1.9/v1/", false),
            ("any", "http://desk.local/v1/", false),
            ("other", "https://api.groq.com/", false),
        ] {
            assert_eq!(goes(provider, address), expected, "{provider} at {address}");
        }
    }
}
