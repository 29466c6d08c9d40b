//! Any server with an OpenAI-compatible API. The differences between servers are data: see [`crate::presets`].

use std::sync::Arc;

use async_trait::async_trait;
use futures::future;
use reqwest::Url;
use serde_json::json;

use crate::api_client::{ApiClient, KeyHeader};
use crate::catalog::{self, Catalog};
use crate::limits::MAX_UPLOAD_BYTES;
use crate::presets::{ModelListFormat, Preset, Realtime, TranscriptionEndpoint, preset};
use crate::provider::{Connection, Provider, Services};
use crate::types::{
    Chat, ChatRequest, ChatStream, Embed, EmbeddingReply, EmbeddingRequest, Failure, FailureKind, ListedModel,
    ListedVoice, ModelListing, Service, SpeechRequest, SpeechStream, SpeechToText, StreamingRequest,
    StreamingSpeechToText, TextToSpeech, Transcript, TranscriptionRequest, TranscriptionSession,
};
use crate::wire::json;
use crate::wire::json_events::JsonEvents;
use crate::wire::openai_realtime::OpenaiRealtime;
use crate::wire::speech_decoder::SpeechDecoder;
use crate::wire::vllm_realtime::VllmRealtime;
use crate::wire::{
    chat_transcription, effort, embeddings, openai_audio, openai_chat, openai_models, openai_request, transcription,
};
use crate::{streaming, upload};

/// The longest text that OpenAI's speech endpoint accepts, in characters.
const MAX_CHARS: usize = 4096;
/// The most models whose details are requested from a local server.
const MAX_DETAILED: usize = 30;

pub(super) static PROVIDER: Provider = Provider {
    id: "openai_compatible",
    label: "OpenAI-compatible server",
    key_env: None,
    base_url_env: None,
    base_url: None,
    local: false,
    services: &Service::ALL,
    connect,
};

/// One configured server.
pub(super) struct Server {
    /// The name of the connection, under which the caller's extra fields are kept.
    name: String,
    client: ApiClient,
    /// The base URL without version and prefix, for endpoints that are not OpenAI's.
    root: ApiClient,
    preset: &'static Preset,
    /// How the user says that it transcribes live speech.
    realtime: Option<Realtime>,
    catalog: Arc<Catalog>,
}

fn connect(connection: Connection) -> Services {
    let preset = preset(connection.preset.as_deref().unwrap_or(&connection.name));
    let Some(server) = Server::new(connection, preset) else { return Services::default() };
    let server = Arc::new(server);
    let offers = |service: Service| preset.services.contains(&service).then(|| server.clone());
    Services {
        stt: offers(Service::Stt).map(|server| server as Arc<dyn SpeechToText>),
        streaming_stt: offers(Service::Stt).map(|server| server as Arc<dyn StreamingSpeechToText>),
        chat: offers(Service::Llm).map(|server| server as Arc<dyn Chat>),
        tts: offers(Service::Tts).map(|server| server as Arc<dyn TextToSpeech>),
        embedding: preset.embeddings.then(|| server.clone() as Arc<dyn Embed>),
        models: Some(server.clone()),
    }
}

impl Server {
    /// A server at its configured URL, or else at its preset's; `None` without either.
    pub(super) fn new(connection: Connection, preset: &'static Preset) -> Option<Self> {
        let address = connection.base_url.or_else(|| preset.base_url.clone())?;
        let (base, root) = addresses(&address, &preset.prefix);
        let client = |base| ApiClient::new(connection.http.clone(), base, connection.key.clone(), KeyHeader::Bearer);
        Some(Self {
            client: client(base),
            root: client(root),
            preset,
            realtime: connection.realtime,
            name: connection.name,
            catalog: connection.catalog,
        })
    }

    fn client(&self) -> Result<&ApiClient, Failure> {
        if self.preset.needs_key { self.client.with_key(&self.preset.label) } else { Ok(&self.client) }
    }

    fn transcription_dialect(&self, model: &str) -> openai_audio::TranscriptionDialect<'static> {
        openai_audio::TranscriptionDialect {
            format: &self.preset.stt_format,
            words: self.preset.stt_words || self.catalog.limits(&self.preset.id, model).words,
            vocabulary: self.preset.stt_vocabulary.as_deref(),
            translate: None,
        }
    }
}

/// The base URL of the endpoints, and the one above the version. The user may have left out the version and the slash.
fn addresses(address: &Url, prefix: &str) -> (Url, Url) {
    let mut base = address.clone();
    base.set_query(None);
    base.set_fragment(None);
    let path: Vec<String> = base.path().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let version =
        |part: &str| part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let mut root = path.clone();
    if root.last().is_some_and(|part| version(part)) {
        root.pop();
    }
    let mut full = path;
    if !prefix.is_empty() && !full.iter().any(|part| version(part)) {
        full.push(prefix.to_owned());
    } else if prefix.is_empty() {
        full.clone_from(&root);
    }
    let with = |parts: &[String]| {
        let mut url = base.clone();
        let slash = if parts.is_empty() { "" } else { "/" };
        url.set_path(&format!("/{}{slash}", parts.join("/")));
        url
    };
    (with(&full), with(&root))
}

#[async_trait]
impl SpeechToText for Server {
    async fn transcribe(&self, request: &TranscriptionRequest) -> Result<Transcript, Failure> {
        let client = self.client()?;
        transcription::check(request, MAX_UPLOAD_BYTES)?;
        if request.translate && !self.preset.stt_translates {
            return Err(Failure::new(FailureKind::Unsupported, "This server transcribes but does not translate."));
        }
        let mut dialect = self.transcription_dialect(&request.model);
        let endpoint = ["audio", if request.translate { "translations" } else { "transcriptions" }];
        let mut in_chat = false;
        let reply = match self.preset.stt {
            TranscriptionEndpoint::Multipart => {
                let model = self.catalog.translator(&self.preset.id, &request.model);
                let request = TranscriptionRequest {
                    model: if request.translate { model } else { &request.model }.into(),
                    ..request.clone()
                };
                let (content_type, body) = openai_audio::transcription_form(&request, dialect).with(&request.wav);
                client.post(client.url(&endpoint), &content_type, body).await?
            }
            TranscriptionEndpoint::Openrouter => {
                client.post_json(client.url(&endpoint), &openai_audio::transcription_json(request)).await?
            }
            TranscriptionEndpoint::Whispercpp => {
                dialect.translate = Some("translate");
                let (content_type, body) = openai_audio::transcription_form(request, dialect).with(&request.wav);
                client.post(client.url(&["inference"]), &content_type, body).await?
            }
            TranscriptionEndpoint::Chat => {
                in_chat = true;
                let body = chat_transcription::transcription_chat(request, &self.preset.max_tokens_field);
                client.post_json(client.url(&["chat", "completions"]), &body).await?
            }
        };
        let rate_limit = reply.rate_limit();
        let mut transcript = if in_chat {
            let starts_with_reasoning = self.catalog.starts_with_reasoning(&request.model);
            reply
                .read(|body| {
                    chat_transcription::transcript_of_chat(&json::parse(body)?, request, starts_with_reasoning)
                })
                .await?
        } else {
            reply.read(|body| openai_audio::transcript(body, request)).await?
        };
        transcript.usage.rate_limit = rate_limit;
        Ok(transcript)
    }
}

impl StreamingSpeechToText for Server {
    fn streaming_model(&self, model: &str) -> Option<String> {
        let known = self.catalog.streaming_model(&self.preset.id, model).map(str::to_owned);
        match self.realtime {
            // The user says that the server does, and there is no other model to name.
            Some(_) => known.or_else(|| Some(model.to_owned())),
            None => {
                let live = known.filter(|_| self.preset.realtime.is_some());
                live.or_else(|| self.preset.stt_upload.then(|| model.to_owned()))
            }
        }
    }

    fn stream(&self, request: StreamingRequest) -> TranscriptionSession {
        let client = self.client().cloned();
        let is_live_model = self.catalog.is_streaming_model(&self.preset.id, &request.model);
        let Some(format) = self.realtime.or(self.preset.realtime.filter(|_| is_live_model)) else {
            let dialect = self.transcription_dialect(&request.model);
            return TranscriptionSession::upload(async move |audio| {
                let client = client?;
                let url = client.url(&["audio", "transcriptions"]);
                upload::transcribe(&client, url, request, dialect, audio).await
            });
        };
        let names_model = self.realtime.is_some();
        let takes_keywords = self.catalog.takes_keywords(&self.preset.id, &request.model);
        TranscriptionSession::live(async move |audio, partial| {
            let client = client?;
            let mut url = client.url(&["realtime"]);
            match format {
                Realtime::Vllm => streaming::transcribe(client, url, VllmRealtime::new(request), audio, partial).await,
                Realtime::Openai => {
                    url.query_pairs_mut().append_pair("intent", "transcription");
                    // OpenAI takes a model here for a request to talk. LocalAI and speaches need it.
                    if names_model {
                        url.query_pairs_mut().append_pair("model", &request.model);
                    }
                    let format = OpenaiRealtime::new(request, takes_keywords);
                    streaming::transcribe(client, url, format, audio, partial).await
                }
            }
        })
    }
}

#[async_trait]
impl Chat for Server {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure> {
        let client = self.client()?;
        let limits = self.catalog.limits(&self.preset.id, &request.model);
        let Some(request) = request.with_images_within(limits.max_images.unwrap_or(usize::MAX), usize::MAX) else {
            return Err(Failure::new(FailureKind::Unsupported, "The question has more images than the model accepts."));
        };
        let base = self.catalog.params(&self.preset.id, &request.model);
        let params = effort::params(base, request.effort, &limits.efforts, true);
        let dialect = openai_request::RequestDialect {
            max_tokens_field: &self.preset.max_tokens_field,
            stream_options: self.preset.stream_options,
            penalties: true,
            logprobs: true,
            top_k: self.preset.top_k,
            tiers: self.preset.tiers,
            min_max_tokens: limits.min_max_tokens.unwrap_or_default(),
            name: &self.name,
            params: params.as_deref(),
        };
        let reply =
            client.post_json(client.url(&["chat", "completions"]), &openai_request::request(&request, dialect)).await?;
        let answer =
            openai_chat::OpenaiChatReader::new(self.catalog.starts_with_reasoning(&request.model), reply.rate_limit())
                .continuing(request.continues);
        Ok(reply.stream(JsonEvents::new(answer)))
    }
}

#[async_trait]
impl TextToSpeech for Server {
    async fn speak(&self, request: &SpeechRequest) -> Result<SpeechStream, Failure> {
        let client = self.client()?;
        let mut request = request.clone();
        request.voice = self.catalog.resolve_voice(&self.preset.id, &request.model, &request.voice);
        let format = &self.preset.tts_format;
        let body = openai_audio::speech(&request, format, self.preset.tts_takes);
        let reply = client.post_json(client.url(&["audio", "speech"]), &body).await?;
        let decoder = SpeechDecoder::new(reply.content_type(), format, reply.rate_limit());
        Ok(reply.stream(decoder))
    }

    fn max_chars(&self, model: &str) -> usize {
        self.catalog.max_chars(&self.preset.id, model).or(self.preset.tts_max_chars).unwrap_or(MAX_CHARS)
    }

    fn takes_speed(&self) -> bool {
        self.preset.tts_takes.speed
    }
}

#[async_trait]
impl Embed for Server {
    async fn embed(&self, request: &EmbeddingRequest) -> Result<EmbeddingReply, Failure> {
        let client = self.client()?;
        let reply = client.post_json(client.url(&["embeddings"]), &embeddings::openai_request(request)).await?;
        let rate_limit = reply.rate_limit();
        let mut embedded =
            reply.read(|body| embeddings::openai_reply(&json::parse(body)?, request.inputs.len())).await?;
        embedded.usage.rate_limit = rate_limit;
        Ok(embedded)
    }
}

#[async_trait]
impl ModelListing for Server {
    async fn models(&self) -> Result<Vec<ListedModel>, Failure> {
        let client = self.client()?;
        let from_catalog = || self.catalog.models(&self.preset.id).iter().map(listed).collect();
        match self.preset.models {
            ModelListFormat::None => {
                client.get(client.url(&[])).await?; // no model list: only check that the server replies
                return Ok(from_catalog());
            }
            ModelListFormat::Lmstudio => {
                if let Ok(reply) = self.root.get(self.root.url(&["api", "v1", "models"])).await
                    && let Ok(value) = reply.json().await
                    && value["models"].is_array()
                {
                    return Ok(openai_models::lmstudio(&value));
                }
            }
            ModelListFormat::List | ModelListFormat::Ollama => {}
        }
        let value = client.get(client.url(&["models"])).await?.json().await?;
        let mut models = openai_models::list(&self.catalog, &self.preset.id, &value);
        if matches!(self.preset.stt, TranscriptionEndpoint::Chat) {
            openai_models::add_audio_input(&mut models, &value);
        }
        if self.preset.models == ModelListFormat::Ollama {
            let detailed = models.iter_mut().take(MAX_DETAILED).map(|model| async move {
                let reply = self.root.post_json(self.root.url(&["api", "show"]), &json!({ "model": model.id })).await;
                if let Ok(reply) = reply
                    && let Ok(value) = reply.json().await
                {
                    openai_models::add_ollama_details(model, &value);
                }
            });
            future::join_all(detailed).await;
            models.retain(|model| !model.services.is_empty());
        }
        Ok(models)
    }

    async fn voices(&self) -> Result<Vec<ListedVoice>, Failure> {
        if !self.preset.voices {
            return Ok(Vec::new());
        }
        let client = self.client()?;
        Ok(openai_models::voices(&client.get(client.url(&["audio", "voices"])).await?.json().await?))
    }

    async fn preconnect(&self) {
        self.client.preconnect().await;
    }
}

fn listed(model: &catalog::Model) -> ListedModel {
    ListedModel {
        id: model.id.clone(),
        services: model.services.clone(),
        context: model.context,
        max_output: model.max_output,
        ..ListedModel::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_completed_with_slash_and_version() {
        let of = |address: &str, prefix: &str| {
            let (base, root) = addresses(&address.parse().unwrap(), prefix);
            (base.to_string(), root.to_string())
        };
        for address in ["http://h:1/v1/", "http://h:1/v1", "http://h:1", "http://h:1/", "http://h:1/v1/?x=1"] {
            assert_eq!(of(address, "v1"), ("http://h:1/v1/".into(), "http://h:1/".into()), "{address}");
        }
        assert_eq!(of("https://openrouter.ai/api", "v1").0, "https://openrouter.ai/api/v1/");
        assert_eq!(
            of("https://openrouter.ai/api/v1", "v1"),
            ("https://openrouter.ai/api/v1/".into(), "https://openrouter.ai/api/".into())
        );
        assert_eq!(of("https://g.example/v1beta/openai/", "v1").0, "https://g.example/v1beta/openai/");
        assert_eq!(of("http://h:8080/", "").0, "http://h:8080/");
        assert_eq!(of("http://h:8080/v1/", "").0, "http://h:8080/", "whisper.cpp has no version");
    }
}
