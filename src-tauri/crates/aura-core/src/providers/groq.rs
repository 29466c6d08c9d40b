//! Groq: Whisper for listening, open models for answers and pictures, Orpheus for speech.

use std::sync::Arc;

use async_trait::async_trait;

use super::wire::http::{KeyHeader, Link};
use super::wire::json_events::JsonEvents;
use super::wire::speech::Speech;
use super::wire::{effort, openai_audio, openai_chat, openai_models, openai_request};
use super::{
    Account, AnswerFormat, Chat, ChatRequest, ChatStream, Class, Connection, Failure, ListedModel, Provider, Service,
    Services, SpeechStream, SpeechToText, SttRequest, TextToSpeech, Transcript, TtsRequest,
};
use crate::catalog;

/// The largest upload on a free account, in bytes.
const MAX_UPLOAD: usize = 25_000_000;
/// The largest pictures inside a request, in bytes: 4 MB of base64 in all.
const MAX_IMAGES: usize = 3_000_000;
/// What Orpheus takes at once, in characters, with a direction if there is one.
const MOST_CHARS: usize = 200;
/// A text has a margin for what Orpheus counts differently.
const MAX_CHARS: usize = 190;
/// The only format Orpheus has. It must be named: the default is one that it refuses.
const FORMAT: &str = "wav";

/// Only the verbose form tells how likely it is that nobody spoke.
const FORM: openai_audio::Form<'static> =
    openai_audio::Form { format: "verbose_json", words: true, vocabulary: None, translate: None };

pub(super) static PROVIDER: Provider = Provider {
    id: "groq",
    label: "Groq",
    key_env: Some("GROQ_API_KEY"),
    base_url_env: Some("GROQ_BASE_URL"),
    base_url: Some("https://api.groq.com/openai/v1/"),
    local: false,
    services: &Service::ALL,
    connect,
};

struct Groq {
    link: Link,
}

fn connect(connection: Connection) -> Services {
    let Some(base) = connection.base_url else { return Services::default() };
    let groq = Arc::new(Groq { link: Link::new(connection.http, base, connection.key, KeyHeader::Bearer) });
    Services { stt: Some(groq.clone()), chat: Some(groq.clone()), tts: Some(groq.clone()), account: Some(groq) }
}

impl Groq {
    fn link(&self) -> Result<&Link, Failure> {
        self.link.with_key(PROVIDER.label)
    }
}

#[async_trait]
impl SpeechToText for Groq {
    async fn transcribe(&self, request: &SttRequest) -> Result<Transcript, Failure> {
        let link = self.link()?;
        openai_audio::check(request, MAX_UPLOAD)?;
        let mut request = request.clone();
        let endpoint = if request.translate {
            request.model = catalog::translator(PROVIDER.id, &request.model).to_owned();
            "translations"
        } else {
            "transcriptions"
        };
        let (content_type, body) = openai_audio::transcription_form(&request, FORM);
        let reply = link.post(link.url(&["audio", endpoint]), &content_type, body).await?;
        let rate_limit = reply.rate_limit();
        let mut transcript = reply.read(|body| openai_audio::transcript(body, &request)).await?;
        transcript.usage.rate_limit = rate_limit;
        transcript.usage.model = Some(request.model);
        Ok(transcript)
    }
}

#[async_trait]
impl Chat for Groq {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure> {
        let link = self.link()?;
        let limits = catalog::limits(PROVIDER.id, &request.model);
        let most = limits.max_images.unwrap_or(usize::MAX);
        let Some(request) = request.with_pictures_within(most, MAX_IMAGES) else {
            let why = "The pictures are more, or larger, than Groq takes: 4 MB in base64.";
            return Err(Failure::new(Class::Unsupported, why));
        };
        let base = catalog::reasoning(PROVIDER.id, &request.model);
        let params = effort::params(base, request.effort, &limits.efforts, false);
        let shape = openai_request::Shape {
            max_tokens_field: "max_completion_tokens",
            stream_options: false, // usage always comes
            penalties: false,
            top_k: false,
            tiers: Some(openai_request::Tiers::Groq),
            least_room: limits.least_room.unwrap_or_default(),
            name: PROVIDER.id,
            params: params.as_deref(),
        };
        let mut body = openai_request::request(&request, shape);
        if request.format != AnswerFormat::Text {
            if !request.tools.is_empty() {
                let why = "Groq does not write JSON and call tools in one answer.";
                return Err(Failure::new(Class::Unsupported, why));
            }
            body["stream"] = false.into(); // nor does it stream JSON reliably
        }
        let reply = link.post_json(link.url(&["chat", "completions"]), &body).await?;
        let answer = openai_chat::Answer::new(&request.model, reply.rate_limit());
        Ok(reply.stream(JsonEvents::new(answer)))
    }
}

#[async_trait]
impl TextToSpeech for Groq {
    async fn speak(&self, request: &TtsRequest) -> Result<SpeechStream, Failure> {
        let link = self.link()?;
        let mut request = request.clone();
        request.voice = catalog::resolve_voice(PROVIDER.id, &request.model, &request.voice);
        // English voices follow a direction; it counts as text, and a text without one is better than none.
        let english =
            catalog::voices(PROVIDER.id, &request.model).iter().any(|it| it.language.as_deref() == Some("en"));
        let direction = request.delivery.style.as_deref().map_or(0, |style| style.chars().count() + 3);
        let fits = request.text.chars().count() + direction <= MOST_CHARS;
        let body = openai_audio::speech(&request, FORMAT, openai_audio::Takes::directions(english && fits));
        let reply = link.post_json(link.url(&["audio", "speech"]), &body).await?;
        let decoder = Speech::new(reply.content_type(), FORMAT, reply.rate_limit());
        Ok(reply.stream(decoder))
    }

    fn max_chars(&self, model: &str) -> usize {
        catalog::max_chars(PROVIDER.id, model).unwrap_or(MAX_CHARS)
    }
}

#[async_trait]
impl Account for Groq {
    async fn models(&self) -> Result<Vec<ListedModel>, Failure> {
        let link = self.link()?;
        let reply = link.get(link.url(&["models"])).await?;
        Ok(openai_models::list(PROVIDER.id, &reply.json().await?))
    }

    async fn warm(&self) {
        self.link.warm().await;
    }
}
