//! Google Gemini: all services use `generateContent`, with different input and output.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::api_client::{ApiClient, KeyHeader, Reply};
use crate::catalog::Catalog;
use crate::provider::{Connection, Provider, Services};
use crate::streaming;
use crate::types::{
    Chat, ChatRequest, ChatStream, Embed, EmbeddingReply, EmbeddingRequest, Failure, FailureDetail, FailureKind,
    ListedModel, ModelListing, ReasoningEffort, Service, SpeechRequest, SpeechStream, SpeechToText, StreamingRequest,
    StreamingSpeechToText, TextToSpeech, Transcript, TranscriptionRequest, TranscriptionSession,
};
use crate::wire::gemini_live::GeminiLive;
use crate::wire::json;
use crate::wire::json_events::JsonEvents;
use crate::wire::{
    classify, effort, embeddings, gemini_audio, gemini_generate, gemini_models, gemini_request, transcription,
};

/// The largest recording, in bytes: older models limit the whole request to 20 MB, and base64 adds a third.
const MAX_RECORDING_BYTES: usize = 14_000_000;
/// The longest text of a speech request, in characters. The limit is 8192 tokens, but these models speak best one
/// sentence at a time.
const MAX_CHARS: usize = 2000;
/// The most texts in one request for embeddings.
const MAX_TEXTS: usize = 100;
/// The most pages of the model list that are read.
const MAX_PAGES: usize = 10;

pub(super) static PROVIDER: Provider = Provider {
    id: "gemini",
    label: "Google Gemini",
    key_env: Some("GEMINI_API_KEY"),
    base_url_env: Some("GEMINI_BASE_URL"),
    base_url: Some("https://generativelanguage.googleapis.com/v1beta/"),
    local: false,
    services: &Service::ALL,
    connect,
};

struct Gemini {
    client: ApiClient,
    catalog: Arc<Catalog>,
    /// Models that rejected the thinking level `minimal`. The newest ones do; aliases with `latest` cannot be listed in advance.
    not_minimal: Mutex<HashSet<String>>,
}

fn connect(connection: Connection) -> Services {
    let Some(base) = connection.base_url else { return Services::default() };
    // The key goes into a header and never into the URL, because URLs end up in logs and messages.
    let client = ApiClient::new(connection.http, base, connection.key, KeyHeader::Named("x-goog-api-key"));
    let gemini = Arc::new(Gemini { client, catalog: connection.catalog, not_minimal: Mutex::default() });
    Services {
        stt: Some(gemini.clone()),
        streaming_stt: Some(gemini.clone()),
        chat: Some(gemini.clone()),
        tts: Some(gemini.clone()),
        embedding: Some(gemini.clone()),
        models: Some(gemini),
    }
}

impl Gemini {
    fn client(&self) -> Result<&ApiClient, Failure> {
        self.client.with_key(PROVIDER.label)
    }

    async fn call(&self, model: &str, method: &str, body: &Value) -> Result<Reply, Failure> {
        let client = self.client()?;
        let model = model.strip_prefix("models/").unwrap_or(model);
        let mut url = client.url(&["models", &format!("{model}:{method}")]);
        if method.starts_with("stream") {
            url.set_query(Some("alt=sse")); // without it the reply is one JSON array
        }
        client.post_json(url, body).await
    }

    /// Calls a model with the reasoning effort of the caller, or else of the catalog. If it rejects the thinking level `minimal`, later
    /// calls use `low`, and the failure has [`FailureDetail::RequestAdjusted`].
    async fn call_with_effort(
        &self,
        model: &str,
        method: &str,
        effort: Option<ReasoningEffort>,
        body: impl FnOnce(Option<&Map<String, Value>>) -> Value + Send,
    ) -> Result<Reply, Failure> {
        let efforts = &self.catalog.limits(PROVIDER.id, model).efforts;
        let mut params =
            effort::params(self.catalog.params(PROVIDER.id, model), effort, efforts, false).map(Cow::into_owned);
        let minimal = params.as_ref().is_some_and(|params| {
            params.get("thinkingConfig").is_some_and(|config| config["thinkingLevel"] == "minimal")
        });
        if minimal && self.rejected_minimal(model) {
            raise_thinking_level(&mut params);
        }
        let reply = self.call(model, method, &body(params.as_ref())).await;
        reply.map_err(|failure| {
            if !minimal || self.rejected_minimal(model) || !classify::rejects_thinking_level(&failure) {
                return failure;
            }
            self.not_minimal.lock().insert(model.to_owned());
            Failure { detail: Some(FailureDetail::RequestAdjusted), ..failure }
        })
    }
}

impl Gemini {
    fn rejected_minimal(&self, model: &str) -> bool {
        self.not_minimal.lock().contains(model)
    }
}

fn raise_thinking_level(params: &mut Option<Map<String, Value>>) {
    if let Some(config) = params.as_mut().and_then(|params| params.get_mut("thinkingConfig")) {
        config["thinkingLevel"] = json!("low");
    }
}

#[async_trait]
impl SpeechToText for Gemini {
    async fn transcribe(&self, request: &TranscriptionRequest) -> Result<Transcript, Failure> {
        self.client()?;
        transcription::check(request, MAX_RECORDING_BYTES)?;
        let reply = self
            .call_with_effort(&request.model, "generateContent", None, |params| {
                gemini_audio::transcription(request, params)
            })
            .await?;
        reply.read(|body| gemini_audio::transcript(&json::parse(body)?, request)).await
    }
}

impl StreamingSpeechToText for Gemini {
    fn streaming_model(&self, model: &str) -> Option<String> {
        self.catalog.streaming_model(PROVIDER.id, model).map(str::to_owned)
    }

    fn stream(&self, request: StreamingRequest) -> TranscriptionSession {
        let client = self.client().cloned();
        TranscriptionSession::live(async move |audio, partial| {
            let client = client?;
            let url = client.service_url("google.ai.generativelanguage", "GenerativeService.BidiGenerateContent");
            streaming::transcribe(client, url, GeminiLive::new(request), audio, partial).await
        })
    }
}

#[async_trait]
impl Chat for Gemini {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure> {
        let reply = self
            .call_with_effort(&request.model, "streamGenerateContent", request.effort, |params| {
                gemini_request::request(request, params)
            })
            .await?;
        Ok(reply.stream(JsonEvents::new(gemini_generate::GeminiChatReader::default())))
    }
}

#[async_trait]
impl TextToSpeech for Gemini {
    async fn speak(&self, request: &SpeechRequest) -> Result<SpeechStream, Failure> {
        let mut request = request.clone();
        request.voice = self.catalog.resolve_voice(PROVIDER.id, &request.model, &request.voice);
        let body = gemini_audio::speech(&request, self.catalog.params(PROVIDER.id, &request.model));
        let reply = self.call(&request.model, "streamGenerateContent", &body).await?;
        Ok(reply.stream(JsonEvents::with_limit(gemini_audio::GeminiSpeechReader::default(), gemini_audio::MAX_EVENT)))
    }

    fn max_chars(&self, model: &str) -> usize {
        self.catalog.max_chars(PROVIDER.id, model).unwrap_or(MAX_CHARS)
    }
}

#[async_trait]
impl Embed for Gemini {
    async fn embed(&self, request: &EmbeddingRequest) -> Result<EmbeddingReply, Failure> {
        if request.inputs.len() > MAX_TEXTS {
            let why = format!("Gemini embeds at most {MAX_TEXTS} texts in one request.");
            return Err(Failure::new(FailureKind::Unsupported, why));
        }
        let reply = self.call(&request.model, "batchEmbedContents", &embeddings::gemini_request(request)).await?;
        reply.read(|body| embeddings::gemini_reply(&json::parse(body)?, request)).await
    }
}

#[async_trait]
impl ModelListing for Gemini {
    async fn models(&self) -> Result<Vec<ListedModel>, Failure> {
        let client = self.client()?;
        let mut models = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut url = client.url(&["models"]);
            url.query_pairs_mut().append_pair("pageSize", "1000");
            if let Some(token) = &token {
                url.query_pairs_mut().append_pair("pageToken", token);
            }
            let value = client.get(url).await?.json().await?;
            let (page, next) = gemini_models::page(&self.catalog, &value);
            models.extend(page);
            if next.is_none() || next == token {
                break;
            }
            token = next;
        }
        if models.is_empty() {
            return Err(Failure::new(FailureKind::Empty, "The model list is empty."));
        }
        Ok(models)
    }

    async fn preconnect(&self) {
        self.client.preconnect().await;
    }
}
