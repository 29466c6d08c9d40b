//! The form of a request for a transcript or a translation.

use aura_providers::MAX_AUDIO_FILE_BYTES;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use bytes::Bytes;
use utoipa::ToSchema;

use crate::openai::error::ApiError;
use crate::{body, shortened};

/// The largest request, bytes: the sound file and the other fields.
const MAX_BODY: usize = MAX_AUDIO_FILE_BYTES + 100_000;
/// The most parts in one form.
const MAX_PARTS: usize = 64;
/// The longest field other than the sound file, bytes.
const MAX_FIELD: usize = 10_000;
/// The longest prompt, characters. No provider reads more.
const MAX_PROMPT: usize = 2_000;
/// The longest language tag, bytes.
const MAX_LANGUAGE: usize = 35;

/// The format of a transcript.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum TranscriptFormat {
    #[default]
    Json,
    Text,
    Verbose,
    Srt,
    Vtt,
}

/// A request for a transcript.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its OpenAPI schema is used")]
pub(crate) struct TranscriptionForm {
    /// The sound file: WAV, MP3, OGG Vorbis or FLAC, at most 25 MB.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// `auto`, `provider/model`, or a model name alone.
    #[schema(examples("auto"))]
    model: Option<String>,
    /// The spoken language, such as `en`.
    #[schema(max_length = 35)]
    language: Option<String>,
    /// The preceding text, or a text in the desired style. Passed on to providers that support it.
    #[schema(max_length = 2000)]
    prompt: Option<String>,
    /// The sampling temperature. Passed on to providers that support it.
    #[schema(minimum = 0, maximum = 1)]
    temperature: Option<f64>,
    /// `json`, `text`, `verbose_json`, `srt` or `vtt`.
    #[schema(pattern = "^(json|text|verbose_json|srt|vtt)$")]
    response_format: Option<String>,
    /// Whether to send the transcript as server-sent events. Needs the response format `json`.
    stream: Option<bool>,
    /// Which times `verbose_json` has: `segment`, `word`, or both. Routes that report no word times are passed over for `word`.
    #[schema(rename = "timestamp_granularities[]", max_items = 2)]
    timestamp_granularities: Option<Vec<Granularity>>,
    /// An extension of AURA: further models, tried in this order after `model`, which may then be left out.
    #[schema(rename = "models[]", max_items = 16)]
    models: Option<Vec<String>>,
    /// An extension of AURA: whether to fall back to other providers although a model is named. Default false.
    fallback: Option<bool>,
}

/// A request for a translation into English.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its OpenAPI schema is used")]
pub(crate) struct TranslationForm {
    /// The sound file: WAV, MP3, OGG Vorbis or FLAC, at most 25 MB.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// `auto`, `provider/model`, or a model name alone.
    #[schema(examples("auto"))]
    model: Option<String>,
    /// The preceding text in English, or a text in the desired style. Passed on to providers that support it.
    #[schema(max_length = 2000)]
    prompt: Option<String>,
    /// The sampling temperature. Passed on to providers that support it.
    #[schema(minimum = 0, maximum = 1)]
    temperature: Option<f64>,
    /// `json`, `text`, `verbose_json`, `srt` or `vtt`.
    #[schema(pattern = "^(json|text|verbose_json|srt|vtt)$")]
    response_format: Option<String>,
    /// An extension of AURA: further models, tried in this order after `model`, which may then be left out.
    #[schema(rename = "models[]", max_items = 16)]
    models: Option<Vec<String>>,
    /// An extension of AURA: whether to fall back to other providers although a model is named. Default false.
    fallback: Option<bool>,
}

/// Which times a transcript has.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its OpenAPI schema is used")]
pub(crate) enum Granularity {
    /// Those of segments.
    Segment,
    /// Those of words.
    Word,
}

/// The fields of the form that are used.
#[derive(Debug, Default)]
pub(super) struct TranscriptionFields {
    pub(super) file: Option<Bytes>,
    pub(super) model: Option<String>,
    /// Further models.
    pub(super) models: Vec<String>,
    pub(super) language: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) temperature: Option<f64>,
    /// Whether the times of words are wanted.
    pub(super) words: bool,
    /// Whether the times of segments are wanted.
    pub(super) segments: bool,
    pub(super) format: TranscriptFormat,
    pub(super) stream: bool,
    pub(super) fallback: bool,
}

impl TranscriptionFields {
    /// Reads and validates a form.
    ///
    /// # Errors
    /// When it is malformed, too large, or a field is not valid.
    pub(super) async fn read(request: Request) -> Result<Self, ApiError> {
        let fields = parse(request).await?;
        let invalid = |message: &str, param| Err(ApiError::invalid_request(message, Some(param)));
        if (fields.words || fields.segments) && fields.format != TranscriptFormat::Verbose {
            return invalid("Times need `response_format=verbose_json`.", "timestamp_granularities");
        }
        if fields.stream && fields.format != TranscriptFormat::Json {
            return invalid("A streamed transcript needs `response_format=json`.", "response_format");
        }
        Ok(fields)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), ApiError> {
        match name {
            "model" => self.model = Some(value),
            "models" | "models[]" | "fallbacks" | "fallbacks[]" => self.models.push(value),
            "language" if value.len() > MAX_LANGUAGE => {
                let message = "`language` must be a language code, such as `en`.";
                return Err(ApiError::invalid_request(message, Some("language")));
            }
            "language" => self.language = Some(value).filter(|language| !language.is_empty()),
            "response_format" => {
                self.format = match value.as_str() {
                    "json" => TranscriptFormat::Json,
                    "text" => TranscriptFormat::Text,
                    "verbose_json" => TranscriptFormat::Verbose,
                    "srt" => TranscriptFormat::Srt,
                    "vtt" => TranscriptFormat::Vtt,
                    _ => {
                        let message = "`response_format` must be json, text, verbose_json, srt or vtt.";
                        return Err(ApiError::invalid_request(message, Some("response_format")));
                    }
                }
            }
            "fallback" => self.fallback = parse_bool(&value, "fallback")?,
            "stream" => self.stream = parse_bool(&value, "stream")?,
            "timestamp_granularities[]" | "timestamp_granularities" => match value.as_str() {
                "word" => self.words = true,
                "segment" => self.segments = true,
                _ => {
                    let message = "`timestamp_granularities[]` must be word or segment.";
                    return Err(ApiError::invalid_request(message, Some("timestamp_granularities")));
                }
            },
            "prompt" if value.chars().count() > MAX_PROMPT => {
                let message = format!("`prompt` may have at most {MAX_PROMPT} characters.");
                return Err(ApiError::invalid_request(message, Some("prompt")));
            }
            "prompt" => self.prompt = Some(value).filter(|prompt| !prompt.trim().is_empty()),
            "temperature" if value.is_empty() => {}
            "temperature" => match value.parse() {
                Ok(number) if (0.0..=1.0).contains(&number) => self.temperature = Some(number),
                _ => return Err(ApiError::invalid_request("`temperature` must be from 0 to 1.", Some("temperature"))),
            },
            _ => {} // unknown fields are ignored
        }
        Ok(())
    }
}

async fn parse(request: Request) -> Result<TranscriptionFields, ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = body::read(body, MAX_BODY).await?;
    let mut request = Request::from_parts(parts, Body::from(bytes));
    DefaultBodyLimit::disable().apply(&mut request); // `MAX_BODY` is enforced already
    let mut multipart = Multipart::from_request(request, &()).await.map_err(|_| {
        ApiError::unsupported_media_type("Send a form (multipart/form-data) with the sound file in `file`.")
    })?;
    let mut fields = TranscriptionFields::default();
    let malformed = |_| ApiError::invalid_request("The form is incomplete or malformed.", None);
    for _ in 0..MAX_PARTS {
        let Some(field) = multipart.next_field().await.map_err(malformed)? else { return Ok(fields) };
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            let bytes = field.bytes().await.map_err(malformed)?;
            if bytes.len() > MAX_AUDIO_FILE_BYTES {
                return Err(body::too_large("recording", MAX_AUDIO_FILE_BYTES).into());
            }
            fields.file = Some(bytes);
            continue;
        }
        let value = field.text().await.map_err(malformed)?;
        if value.len() > MAX_FIELD {
            let message = format!("`{}` is longer than {MAX_FIELD} bytes. Shorten it.", shortened(&name));
            return Err(ApiError::invalid_request(message, None));
        }
        fields.set(&name, value)?;
    }
    Err(ApiError::invalid_request(format!("The form has more than {MAX_PARTS} parts. Send fewer."), None))
}

fn parse_bool(value: &str, name: &'static str) -> Result<bool, ApiError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        _ => Err(ApiError::invalid_request(format!("`{name}` must be true or false."), Some(name))),
    }
}
