//! Groq: Whisper for transcription, open models for text and vision, Orpheus for speech.

use std::sync::Arc;

use async_trait::async_trait;

use crate::api_client::{ApiClient, KeyHeader};
use crate::catalog::Catalog;
use crate::limits::MAX_UPLOAD_BYTES;
use crate::provider::{Connection, Provider, Services};
use crate::types::{
    Chat, ChatRequest, ChatStream, Failure, FailureKind, ListedModel, ModelListing, ResponseFormat, Service,
    SpeechRequest, SpeechStream, SpeechToText, StreamingRequest, StreamingSpeechToText, TextToSpeech, Transcript,
    TranscriptionRequest, TranscriptionSession,
};
use crate::upload;
use crate::wire::json_events::JsonEvents;
use crate::wire::speech_decoder::SpeechDecoder;
use crate::wire::{effort, openai_audio, openai_chat, openai_models, openai_request, transcription};

/// The most image bytes in a request: 4 MB of base64.
const MAX_IMAGE_BYTES: usize = 3_000_000;
/// The longest text that Orpheus accepts, in characters, style direction included.
const MAX_CHARS_WITH_DIRECTION: usize = 200;
/// The longest text of a request, in characters: a margin for what Orpheus counts differently.
const MAX_CHARS: usize = 190;
/// The only format that Orpheus supports. It must be named, because Orpheus refuses the endpoint's default.
const FORMAT: &str = "wav";

/// Only `verbose_json` contains the probability that nobody spoke.
const TRANSCRIPTION: openai_audio::TranscriptionDialect<'static> =
    openai_audio::TranscriptionDialect { format: "verbose_json", words: true, vocabulary: None, translate: None };

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
    client: ApiClient,
    catalog: Arc<Catalog>,
}

fn connect(connection: Connection) -> Services {
    let Some(base) = connection.base_url else { return Services::default() };
    let groq = Arc::new(Groq {
        client: ApiClient::new(connection.http, base, connection.key, KeyHeader::Bearer),
        catalog: connection.catalog,
    });
    Services {
        stt: Some(groq.clone()),
        streaming_stt: Some(groq.clone()),
        chat: Some(groq.clone()),
        tts: Some(groq.clone()),
        embedding: None,
        models: Some(groq),
    }
}

impl Groq {
    fn client(&self) -> Result<&ApiClient, Failure> {
        self.client.with_key(PROVIDER.label)
    }
}

#[async_trait]
impl SpeechToText for Groq {
    async fn transcribe(&self, request: &TranscriptionRequest) -> Result<Transcript, Failure> {
        let client = self.client()?;
        transcription::check(request, MAX_UPLOAD_BYTES)?;
        let mut request = request.clone();
        let endpoint = if request.translate {
            request.model = self.catalog.translator(PROVIDER.id, &request.model).to_owned();
            "translations"
        } else {
            "transcriptions"
        };
        let (content_type, body) = openai_audio::transcription_form(&request, TRANSCRIPTION).with(&request.wav);
        let reply = client.post(client.url(&["audio", endpoint]), &content_type, body).await?;
        let rate_limit = reply.rate_limit();
        let mut transcript = reply.read(|body| openai_audio::transcript(body, &request)).await?;
        transcript.usage.rate_limit = rate_limit;
        transcript.usage.model = Some(request.model);
        Ok(transcript)
    }
}

impl StreamingSpeechToText for Groq {
    fn streaming_model(&self, model: &str) -> Option<String> {
        Some(model.to_owned())
    }

    fn stream(&self, request: StreamingRequest) -> TranscriptionSession {
        let client = self.client().cloned();
        TranscriptionSession::upload(async move |audio| {
            let client = client?;
            let url = client.url(&["audio", "transcriptions"]);
            let model = request.model.clone();
            let mut transcript = upload::transcribe(&client, url, request, TRANSCRIPTION, audio).await?;
            transcript.usage.model = Some(model);
            Ok(transcript)
        })
    }
}

#[async_trait]
impl Chat for Groq {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure> {
        let client = self.client()?;
        let limits = self.catalog.limits(PROVIDER.id, &request.model);
        let most = limits.max_images.unwrap_or(usize::MAX);
        let Some(request) = request.with_images_within(most, MAX_IMAGE_BYTES) else {
            let why = "The images are more, or larger, than Groq accepts: 4 MB as base64.";
            return Err(Failure::new(FailureKind::Unsupported, why));
        };
        let base = self.catalog.params(PROVIDER.id, &request.model);
        let params = effort::params(base, request.effort, &limits.efforts, false);
        let dialect = openai_request::RequestDialect {
            max_tokens_field: "max_completion_tokens",
            stream_options: false, // usage is always sent
            penalties: false,
            logprobs: false,
            top_k: false,
            tiers: Some(openai_request::TierNames::Groq),
            min_max_tokens: limits.min_max_tokens.unwrap_or_default(),
            name: PROVIDER.id,
            params: params.as_deref(),
        };
        let mut body = openai_request::request(&request, dialect);
        if request.format != ResponseFormat::Text {
            if !request.tools.is_empty() {
                let why = "Groq supports either JSON output or tools in one request, not both.";
                return Err(Failure::new(FailureKind::Unsupported, why));
            }
            body["stream"] = false.into(); // Groq does not stream JSON output reliably
        }
        let reply = client.post_json(client.url(&["chat", "completions"]), &body).await?;
        let answer =
            openai_chat::OpenaiChatReader::new(self.catalog.starts_with_reasoning(&request.model), reply.rate_limit())
                .continuing(request.continues);
        Ok(reply.stream(JsonEvents::new(answer)))
    }
}

#[async_trait]
impl TextToSpeech for Groq {
    async fn speak(&self, request: &SpeechRequest) -> Result<SpeechStream, Failure> {
        let client = self.client()?;
        let mut request = request.clone();
        request.voice = self.catalog.resolve_voice(PROVIDER.id, &request.model, &request.voice);
        // English voices follow a style direction, which counts as text. It is left out where both would be too long.
        let english = self
            .catalog
            .voices(PROVIDER.id, &request.model)
            .iter()
            .any(|voice| voice.language.as_deref() == Some("en"));
        let direction = request.options.style.as_deref().map_or(0, |style| style.chars().count() + 3);
        let fits = request.text.chars().count() + direction <= MAX_CHARS_WITH_DIRECTION;
        let body =
            openai_audio::speech(&request, FORMAT, openai_audio::SpeechDialect::with_directions(english && fits));
        let reply = client.post_json(client.url(&["audio", "speech"]), &body).await?;
        let decoder = SpeechDecoder::new(reply.content_type(), FORMAT, reply.rate_limit());
        Ok(reply.stream(decoder))
    }

    fn max_chars(&self, model: &str) -> usize {
        self.catalog.max_chars(PROVIDER.id, model).unwrap_or(MAX_CHARS)
    }
}

#[async_trait]
impl ModelListing for Groq {
    async fn models(&self) -> Result<Vec<ListedModel>, Failure> {
        let client = self.client()?;
        let reply = client.get(client.url(&["models"])).await?;
        Ok(openai_models::list(&self.catalog, PROVIDER.id, &reply.json().await?))
    }

    async fn preconnect(&self) {
        self.client.preconnect().await;
    }
}
