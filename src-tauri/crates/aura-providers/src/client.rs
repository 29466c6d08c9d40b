//! A client for several providers: the short way from names and keys to services.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Url;
use secrecy::SecretString;

use crate::catalog::Catalog;
use crate::http::{HttpError, HttpPools, HttpTimeouts};
use crate::local_models::{LocalModels, NoLocalModels};
use crate::presets::presets;
use crate::programs::{NoPrograms, Programs};
use crate::provider::{Connection, Provider, Services};
use crate::registry;
use crate::types::{Chat, Embed, ModelListing, Service, SpeechToText, StreamingSpeechToText, TextToSpeech};

/// The services of several providers, by name. Cheap to clone: clones share their connections.
#[derive(Clone)]
pub struct Client {
    providers: BTreeMap<String, Services>,
    catalog: Arc<Catalog>,
}

impl Client {
    /// A builder without providers.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Text and vision by the provider with this name.
    ///
    /// # Errors
    /// When no such provider was added, or it does not offer the service.
    pub fn chat(&self, name: &str) -> Result<Arc<dyn Chat>, ClientError> {
        self.service(name, "chat", |services| services.chat.clone())
    }

    /// Speech to text by the provider with this name.
    ///
    /// # Errors
    /// When no such provider was added, or it does not offer the service.
    pub fn speech_to_text(&self, name: &str) -> Result<Arc<dyn SpeechToText>, ClientError> {
        self.service(name, "speech to text", |services| services.stt.clone())
    }

    /// Speech to text while it is spoken, by the provider with this name.
    ///
    /// # Errors
    /// When no such provider was added, or it does not offer the service.
    pub fn streaming_speech_to_text(&self, name: &str) -> Result<Arc<dyn StreamingSpeechToText>, ClientError> {
        self.service(name, "live transcription", |services| services.streaming_stt.clone())
    }

    /// Text to speech by the provider with this name.
    ///
    /// # Errors
    /// When no such provider was added, or it does not offer the service.
    pub fn text_to_speech(&self, name: &str) -> Result<Arc<dyn TextToSpeech>, ClientError> {
        self.service(name, "text to speech", |services| services.tts.clone())
    }

    /// Embeddings by the provider with this name.
    ///
    /// # Errors
    /// When no such provider was added, or it does not offer the service.
    pub fn embedding(&self, name: &str) -> Result<Arc<dyn Embed>, ClientError> {
        self.service(name, "embeddings", |services| services.embedding.clone())
    }

    /// The model list of the provider with this name.
    ///
    /// # Errors
    /// When no such provider was added, or it has no model list.
    pub fn models(&self, name: &str) -> Result<Arc<dyn ModelListing>, ClientError> {
        self.service(name, "model lists", |services| services.models.clone())
    }

    /// The catalog's default model of a provider for a service; empty when it has none.
    pub fn default_model(&self, name: &str, service: Service) -> &str {
        self.catalog.default_model(name, service).unwrap_or_default()
    }

    fn service<T>(
        &self,
        name: &str,
        service: &'static str,
        of: impl Fn(&Services) -> Option<T>,
    ) -> Result<T, ClientError> {
        let services = self.providers.get(name).ok_or_else(|| ClientError::NotAdded(name.to_owned()))?;
        of(services).ok_or_else(|| ClientError::NotOffered { name: name.to_owned(), service })
    }
}

/// Why a [`Client`] could not be built, or has no such service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The HTTP client could not be set up.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The name is neither a provider nor a preset, and no preset was given for it.
    #[error("There is no provider `{0}`. Name a provider, or give a preset for this name.")]
    UnknownProvider(String),
    /// A base URL is not an absolute `http` or `https` URL.
    #[error("The base URL of {name} is not valid: {url}")]
    InvalidBaseUrl {
        /// The name of the provider.
        name: String,
        /// The text that is not a URL.
        url: String,
    },
    /// No provider with this name was added to the builder.
    #[error("The provider `{0}` was not added to the client.")]
    NotAdded(String),
    /// The provider does not offer this service.
    #[error("{name} does not offer {service}.")]
    NotOffered {
        /// The name of the provider.
        name: String,
        /// The service, for users.
        service: &'static str,
    },
}

/// The settings of one provider.
#[derive(Default)]
struct ProviderSettings {
    key: Option<SecretString>,
    base_url: Option<String>,
    preset: Option<String>,
}

/// Builds a [`Client`]. Every method with a name adds the provider with that name: `groq`, `gemini`, `offline`, the id of a
/// [`Preset`](crate::Preset), or any name with a preset.
#[derive(Default)]
pub struct ClientBuilder {
    providers: BTreeMap<String, ProviderSettings>,
    catalog: Option<Arc<Catalog>>,
    timeouts: HttpTimeouts,
    programs: Option<Arc<dyn Programs>>,
    local_models: Option<Arc<dyn LocalModels>>,
}

impl ClientBuilder {
    /// Adds a provider with its API key.
    #[must_use]
    pub fn with_key(mut self, name: &str, key: impl Into<SecretString>) -> Self {
        self.settings(name).key = Some(key.into());
        self
    }

    /// Adds a provider at another base URL than its own.
    #[must_use]
    pub fn with_base_url(mut self, name: &str, base_url: impl Into<String>) -> Self {
        self.settings(name).base_url = Some(base_url.into());
        self
    }

    /// Adds an OpenAI-compatible server with the preset for its kind: `ollama`, `vllm`, `custom`, …
    #[must_use]
    pub fn with_preset(mut self, name: &str, preset: impl Into<String>) -> Self {
        self.settings(name).preset = Some(preset.into());
        self
    }

    /// Adds a provider with the API key and the base URL from its environment variables, such as `GROQ_API_KEY` and
    /// `GROQ_BASE_URL`. A variable that is not set changes nothing.
    #[must_use]
    pub fn with_env(mut self, name: &str) -> Self {
        let variable = |name: Option<&str>| std::env::var(name?).ok().filter(|value| !value.is_empty());
        let provider = registry::find(name);
        let key = variable(provider.and_then(|provider| provider.key_env));
        let base_url = variable(provider.and_then(|provider| provider.base_url_env));
        let settings = self.settings(name);
        settings.key = key.map(SecretString::from).or_else(|| settings.key.take());
        settings.base_url = base_url.or_else(|| settings.base_url.take());
        self
    }

    /// Uses this catalog instead of the embedded one.
    #[must_use]
    pub fn with_catalog(mut self, catalog: Arc<Catalog>) -> Self {
        self.catalog = Some(catalog);
        self
    }

    /// Sets the timeouts of the HTTP client.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: HttpTimeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Runs local programs for `offline` through `programs`.
    #[must_use]
    pub fn with_programs(mut self, programs: Arc<dyn Programs>) -> Self {
        self.programs = Some(programs);
        self
    }

    /// Runs installed models for `offline` through `models`.
    #[must_use]
    pub fn with_local_models(mut self, models: Arc<dyn LocalModels>) -> Self {
        self.local_models = Some(models);
        self
    }

    /// Builds the client. Opens no connection.
    ///
    /// # Errors
    /// When a name is unknown, a base URL is invalid, or TLS cannot be set up.
    pub fn build(self) -> Result<Client, ClientError> {
        let http = HttpPools::new(self.timeouts)?;
        let catalog = self.catalog.unwrap_or_else(Catalog::embedded);
        let programs = self.programs.unwrap_or_else(|| Arc::new(NoPrograms));
        let local_models = self.local_models.unwrap_or_else(|| Arc::new(NoLocalModels));
        let mut providers = BTreeMap::new();
        for (name, settings) in self.providers {
            let provider = provider_of(&name, &settings)?;
            let mut connection = Connection::new(&name, http.clone())
                .with_catalog(catalog.clone())
                .with_programs(programs.clone())
                .with_local_models(local_models.clone());
            if let Some(url) = settings.base_url.as_deref().or(provider.base_url) {
                connection = connection.with_base_url(base_url(&name, url)?);
            }
            connection.key = settings.key;
            connection.preset = settings.preset;
            providers.insert(name, (provider.connect)(connection));
        }
        Ok(Client { providers, catalog })
    }

    fn settings(&mut self, name: &str) -> &mut ProviderSettings {
        self.providers.entry(name.to_owned()).or_default()
    }
}

fn provider_of(name: &str, settings: &ProviderSettings) -> Result<&'static Provider, ClientError> {
    let is_preset = settings.preset.is_some() || presets().iter().any(|preset| preset.id == name);
    let id = if is_preset { "openai_compatible" } else { name };
    registry::find(id).ok_or_else(|| ClientError::UnknownProvider(name.to_owned()))
}

fn base_url(name: &str, url: &str) -> Result<Url, ClientError> {
    let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    parsed.ok_or_else(|| ClientError::InvalidBaseUrl { name: name.to_owned(), url: url.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_presets_and_named_servers_are_connected() {
        let client = Client::builder()
            .with_key("groq", "key")
            .with_key("openai", "key")
            .with_preset("desk", "lmstudio")
            .with_base_url("desk", "http://127.0.0.1:1234")
            .build()
            .unwrap();
        assert!(
            client.chat("groq").is_ok() && client.text_to_speech("openai").is_ok() && client.models("desk").is_ok()
        );
        let missing = client.text_to_speech("desk").err().unwrap();
        assert_eq!(missing, ClientError::NotOffered { name: "desk".into(), service: "text to speech" });
        assert_eq!(client.chat("gemini").err().unwrap(), ClientError::NotAdded("gemini".into()));
        assert_eq!(client.default_model("groq", Service::Stt), "whisper-large-v3-turbo");
    }

    #[test]
    fn unknown_names_and_invalid_urls_are_errors() {
        let unknown = Client::builder().with_key("gorq", "key").build().err().unwrap();
        assert_eq!(unknown, ClientError::UnknownProvider("gorq".into()));
        for url in ["desk:1234", "", "ftp://desk/", "/v1"] {
            let error = Client::builder().with_base_url("groq", url).build().err().unwrap();
            assert!(matches!(error, ClientError::InvalidBaseUrl { .. }), "{url}: {error}");
        }
    }
}
