//! Google Gemini: one call, `generateContent`, for everything; what goes in and comes out decides the service.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::wire::http::{self, KeyHeader, Link, Reply};
use super::wire::json_events::JsonEvents;
use super::wire::{effort, gemini_audio, gemini_generate, gemini_models, gemini_request, openai_audio, verdict};
use super::{
    Account, Chat, ChatRequest, ChatStream, Class, Connection, Effort, Failure, ListedModel, Provider, Service,
    Services, SpeechStream, SpeechToText, SttRequest, TextToSpeech, Transcript, TtsRequest,
};
use crate::catalog;

/// The whole request may be 20 MB in the older limits; base64 makes a third more of the recording.
const MAX_UPLOAD: usize = 14_000_000;
/// 8192 tokens is the limit; a sentence at a time is what these models speak well.
const MAX_CHARS: usize = 2000;
/// More pages than this no model list has.
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

/// Models that refused the lowest level of thinking. The newest do, and names with `latest` change what they mean.
static NOT_MINIMAL: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

struct Gemini {
    link: Link,
}

fn connect(connection: Connection) -> Services {
    let Some(base) = connection.base_url else { return Services::default() };
    // In a header and never in the address: addresses end up in logs and messages.
    let link = Link::new(connection.http, base, connection.key, KeyHeader::Named("x-goog-api-key"));
    let gemini = Arc::new(Gemini { link });
    Services { stt: Some(gemini.clone()), chat: Some(gemini.clone()), tts: Some(gemini.clone()), account: Some(gemini) }
}

impl Gemini {
    fn link(&self) -> Result<&Link, Failure> {
        self.link.with_key(PROVIDER.label)
    }

    async fn call(&self, model: &str, method: &str, body: &Value) -> Result<Reply, Failure> {
        let link = self.link()?;
        let model = model.strip_prefix("models/").unwrap_or(model);
        let mut url = link.url(&["models", &format!("{model}:{method}")]);
        if method.starts_with("stream") {
            url.set_query(Some("alt=sse")); // without it the answer is one list of JSON
        }
        link.post_json(url, body).await
    }

    /// Calls with the parameters of the catalog, or of the caller. A model that refuses to think so little is remembered, and told
    /// `low` from then on; that the next call is another one is told with the failure.
    async fn call_thinking(
        &self,
        model: &str,
        method: &str,
        wish: Option<Effort>,
        body: impl FnOnce(Option<&Map<String, Value>>) -> Value + Send,
    ) -> Result<Reply, Failure> {
        let efforts = &catalog::limits(PROVIDER.id, model).efforts;
        let mut params =
            effort::params(catalog::reasoning(PROVIDER.id, model), wish, efforts, false).map(Cow::into_owned);
        let minimal = params.as_ref().is_some_and(|params| {
            params.get("thinkingConfig").is_some_and(|config| config["thinkingLevel"] == "minimal")
        });
        if minimal && refused(model) {
            raise(&mut params);
        }
        let reply = self.call(model, method, &body(params.as_ref())).await;
        reply.map_err(|failure| {
            if !minimal || refused(model) || !verdict::refuses_to_think_so_little(&failure) {
                return failure;
            }
            remember(model);
            Failure { learnt: true, ..failure }
        })
    }
}

fn refused(model: &str) -> bool {
    NOT_MINIMAL.lock().unwrap_or_else(PoisonError::into_inner).contains(model)
}

fn remember(model: &str) {
    NOT_MINIMAL.lock().unwrap_or_else(PoisonError::into_inner).insert(model.to_owned());
}

fn raise(params: &mut Option<Map<String, Value>>) {
    if let Some(config) = params.as_mut().and_then(|params| params.get_mut("thinkingConfig")) {
        config["thinkingLevel"] = json!("low");
    }
}

#[async_trait]
impl SpeechToText for Gemini {
    async fn transcribe(&self, request: &SttRequest) -> Result<Transcript, Failure> {
        self.link()?;
        openai_audio::check(request, MAX_UPLOAD)?;
        let reply = self
            .call_thinking(&request.model, "generateContent", None, |params| {
                gemini_audio::transcription(request, params)
            })
            .await?;
        reply.read(|body| gemini_audio::transcript(&http::parse(body)?, request)).await
    }
}

#[async_trait]
impl Chat for Gemini {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure> {
        let reply = self
            .call_thinking(&request.model, "streamGenerateContent", request.effort, |params| {
                gemini_request::request(request, params)
            })
            .await?;
        Ok(reply.stream(JsonEvents::new(gemini_generate::Answer::default())))
    }
}

#[async_trait]
impl TextToSpeech for Gemini {
    async fn speak(&self, request: &TtsRequest) -> Result<SpeechStream, Failure> {
        let mut request = request.clone();
        request.voice = catalog::resolve_voice(PROVIDER.id, &request.model, &request.voice);
        let body = gemini_audio::speech(&request, catalog::reasoning(PROVIDER.id, &request.model));
        let reply = self.call(&request.model, "streamGenerateContent", &body).await?;
        Ok(reply.stream(JsonEvents::with_limit(gemini_audio::Speech::default(), gemini_audio::MAX_EVENT)))
    }

    fn max_chars(&self, model: &str) -> usize {
        catalog::max_chars(PROVIDER.id, model).unwrap_or(MAX_CHARS)
    }
}

#[async_trait]
impl Account for Gemini {
    async fn models(&self) -> Result<Vec<ListedModel>, Failure> {
        let link = self.link()?;
        let mut models = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut url = link.url(&["models"]);
            url.query_pairs_mut().append_pair("pageSize", "1000");
            if let Some(token) = &token {
                url.query_pairs_mut().append_pair("pageToken", token);
            }
            let value = link.get(url).await?.json().await?;
            let (page, next) = gemini_models::page(&value);
            models.extend(page);
            if next.is_none() || next == token {
                break;
            }
            token = next;
        }
        if models.is_empty() {
            return Err(Failure::new(Class::Empty, "The model list is empty."));
        }
        Ok(models)
    }

    async fn warm(&self) {
        self.link.warm().await;
    }
}
