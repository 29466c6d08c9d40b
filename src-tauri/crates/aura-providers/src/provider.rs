//! A provider kind, one configured connection to it, and the services of that connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Url;
use secrecy::SecretString;

use crate::catalog::Catalog;
use crate::http::HttpPools;
use crate::local_models::{LocalModels, NoLocalModels};
use crate::presets::Realtime;
use crate::programs::{NoPrograms, Programs};
use crate::types::{Chat, Embed, ModelListing, Service, SpeechToText, StreamingSpeechToText, TextToSpeech};

/// A provider kind: its name, its base URL, and what it offers.
#[non_exhaustive]
pub struct Provider {
    /// The name in settings and requests: `groq`, `gemini`, `openai_compatible` or `offline`.
    pub id: &'static str,
    /// The name for users.
    pub label: &'static str,
    /// The environment variable for its API key; `None` when it needs no key, or when each configured server has its own.
    pub key_env: Option<&'static str>,
    /// The environment variable for another base URL.
    pub base_url_env: Option<&'static str>,
    /// The base URL. `None` when each configured server has its own, and for `offline`, which has none.
    pub base_url: Option<&'static str>,
    /// Whether it runs on this computer. Such a provider sends nothing over the network, and may take long to load a model.
    pub local: bool,
    /// The services of a question that it offers.
    pub services: &'static [Service],
    /// Builds the services of one connection. Cheap: opens no connection.
    pub connect: fn(Connection) -> Services,
}

/// How to reach one configured provider.
#[derive(Clone)]
#[non_exhaustive]
pub struct Connection {
    /// The configured name: `groq`, `gemini`, `offline`, or the name that a user gave a server.
    pub name: String,
    /// The HTTP connection pools, which all connections share.
    pub http: HttpPools,
    /// Model data: limits, parameters, voices.
    pub catalog: Arc<Catalog>,
    /// The base URL, with a trailing slash. `None` for `offline`, and for a server at its preset's base URL.
    pub base_url: Option<Url>,
    /// The API key.
    pub key: Option<SecretString>,
    /// Finds and runs local programs, for `offline`.
    pub programs: Arc<dyn Programs>,
    /// Runs the installed models, for `offline`.
    pub local_models: Arc<dyn LocalModels>,
    /// The [`Preset::id`](crate::Preset::id) of an OpenAI-compatible server. `None` looks for a preset with the connection's name.
    pub preset: Option<String>,
    /// How an OpenAI-compatible server transcribes live speech. `None` is as the preset says.
    pub realtime: Option<Realtime>,
    /// Environment variables that configure local programs and models, for `offline`:
    /// `AURA_WHISPER_MODEL`, `AURA_PIPER_MODEL`, `AURA_OFFLINE_LLM`, `OLLAMA_HOST`.
    pub variables: BTreeMap<String, String>,
}

impl Connection {
    /// A connection with the embedded catalog, without base URL, API key, preset and local programs.
    pub fn new(name: impl Into<String>, http: HttpPools) -> Self {
        Self {
            name: name.into(),
            http,
            catalog: Catalog::embedded(),
            base_url: None,
            key: None,
            programs: Arc::new(NoPrograms),
            local_models: Arc::new(NoLocalModels),
            preset: None,
            realtime: None,
            variables: BTreeMap::new(),
        }
    }

    /// Uses this catalog instead of the embedded one.
    #[must_use]
    pub fn with_catalog(mut self, catalog: Arc<Catalog>) -> Self {
        self.catalog = catalog;
        self
    }

    /// Sets the base URL. A missing trailing slash is added.
    #[must_use]
    pub fn with_base_url(mut self, mut base_url: Url) -> Self {
        if !base_url.path().ends_with('/') {
            base_url.set_path(&format!("{}/", base_url.path()));
        }
        self.base_url = Some(base_url);
        self
    }

    /// Sets the API key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<SecretString>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the preset of an OpenAI-compatible server.
    #[must_use]
    pub fn with_preset(mut self, preset: impl Into<String>) -> Self {
        self.preset = Some(preset.into());
        self
    }

    /// Sets how an OpenAI-compatible server transcribes live speech.
    #[must_use]
    pub fn with_realtime(mut self, realtime: Realtime) -> Self {
        self.realtime = Some(realtime);
        self
    }

    /// Runs local programs through `programs`.
    #[must_use]
    pub fn with_programs(mut self, programs: Arc<dyn Programs>) -> Self {
        self.programs = programs;
        self
    }

    /// Runs installed models through `models`.
    #[must_use]
    pub fn with_local_models(mut self, models: Arc<dyn LocalModels>) -> Self {
        self.local_models = models;
        self
    }

    /// Adds a variable that configures the `offline` provider.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

/// The services of one connection. `None`: not offered.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Services {
    /// Speech to text.
    pub stt: Option<Arc<dyn SpeechToText>>,
    /// Speech to text while it is spoken, for some models.
    pub streaming_stt: Option<Arc<dyn StreamingSpeechToText>>,
    /// Text and vision: both are chat, with or without images in the request.
    pub chat: Option<Arc<dyn Chat>>,
    /// Text to speech.
    pub tts: Option<Arc<dyn TextToSpeech>>,
    /// Embeddings.
    pub embedding: Option<Arc<dyn Embed>>,
    /// The model list, and opening a connection ahead of time.
    pub models: Option<Arc<dyn ModelListing>>,
}
