//! `POST /v1/audio/transcriptions`

use aura_core::error::ErrorCode;
use aura_providers::{MAX_AUDIO_FILE_BYTES, Segment, Service, Transcript};
use axum::Json;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, ApiErrorBody};
use super::request_trace::{Provenance, RequestTrace};
use super::{model_name, provenance_headers, subtitles};
use crate::{LocalApi, body, shortened};

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
enum TranscriptFormat {
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
    model: String,
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
    /// An extension of AURA: whether to fall back to other providers although a model is named. Default false.
    fallback: Option<bool>,
}

/// A transcript. `task`, `language`, `duration`, `segments` and `words` are present only with `verbose_json`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Transcription {
    /// The whole text.
    text: String,
    /// An extension of AURA: the route, attempts and notices.
    aura: Provenance,
    /// Always `transcribe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'static str>,
    /// The language, as the provider names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// The duration of the sound, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
    /// The segments with their times; a single one if the provider reports none.
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<Vec<SegmentBody>>,
    /// The words with their times, if requested by `timestamp_granularities[]=word` and reported by the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<WordBody>>,
}

/// A word of a transcript.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WordBody {
    /// The word.
    word: String,
    /// The start, seconds.
    start: f64,
    /// The end, seconds.
    end: f64,
}

/// A segment of a transcript.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SegmentBody {
    /// The index of the segment.
    id: usize,
    /// The start, seconds.
    start: f64,
    /// The end, seconds.
    end: f64,
    /// The text.
    text: String,
}

/// The fields of the form that are used.
#[derive(Debug, Default)]
struct TranscriptionFields {
    file: Option<Bytes>,
    model: Option<String>,
    language: Option<String>,
    prompt: Option<String>,
    temperature: Option<f64>,
    words: bool,
    format: TranscriptFormat,
    fallback: bool,
}

/// Transcribes a sound file: WAV, MP3, OGG Vorbis or FLAC.
#[utoipa::path(
    post, path = "/v1/audio/transcriptions", tag = "openai",
    request_body(content = TranscriptionForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, content(
            (Transcription = "application/json"), (String = "text/plain"), (String = "application/x-subrip"), (String = "text/vtt"),
        )),
        (status = 404, body = ApiErrorBody),
    ),
)]
pub(crate) async fn transcribe(State(api): State<LocalApi>, request: Request) -> Result<Response, ApiError> {
    let trace = RequestTrace::new(&request);
    let form = parse(request).await?;
    if form.words && form.format != TranscriptFormat::Verbose {
        let message = "Word times need `response_format=verbose_json`.";
        return Err(ApiError::invalid_request(message, Some("timestamp_granularities")));
    }
    let Some(model) = form.model else {
        return Err(ApiError::invalid_request("`model` is missing. `auto` uses AURA's default.", Some("model")));
    };
    let plan = model_name::plan(&api.assistant, Service::Stt, &model, form.fallback, None)?;
    let Some(file) = form.file.filter(|file| !file.is_empty()) else {
        return Err(ApiError::invalid_request("`file` is missing or empty. Send the sound file in it.", Some("file")));
    };
    let (mut request, expects_words) =
        api.assistant.transcription_request(file).await.map_err(|error| match error.code {
            ErrorCode::InvalidRequest => ApiError::invalid_request(error.message, Some("file")),
            _ => error.into(),
        })?;
    request.language = form.language;
    request.prompt = form.prompt;
    request.temperature = form.temperature;
    request.words = form.words;
    let routed = api.assistant.router().transcribe(&plan, &request, expects_words, &trace).await?;
    let transcript = routed.value;
    let segments = || {
        let end = request.duration.as_secs_f64();
        let whole = Segment { start: 0.0, end, text: transcript.text.clone() };
        // A provider that reports no times yields one segment that spans the whole sound.
        let segments = if transcript.segments.is_empty() { vec![whole] } else { transcript.segments.clone() };
        segments.into_iter().filter(|segment| !segment.text.is_empty()).collect::<Vec<_>>()
    };
    let text_response = |kind: &'static str, text: String| ([(header::CONTENT_TYPE, kind)], text).into_response();
    let body = match form.format {
        TranscriptFormat::Json => Json(Transcription {
            text: transcript.text,
            aura: trace.provenance(),
            task: None,
            language: None,
            duration: None,
            segments: None,
            words: None,
        })
        .into_response(),
        TranscriptFormat::Text => text_response("text/plain; charset=utf-8", format!("{}\n", transcript.text)),
        TranscriptFormat::Srt => text_response("application/x-subrip; charset=utf-8", subtitles::srt(&segments())),
        TranscriptFormat::Vtt => text_response("text/vtt; charset=utf-8", subtitles::vtt(&segments())),
        TranscriptFormat::Verbose => {
            Json(verbose(&transcript, &segments(), request.duration.as_secs_f64(), &trace)).into_response()
        }
    };
    Ok((provenance_headers(&trace), body).into_response())
}

fn verbose(transcript: &Transcript, segments: &[Segment], seconds: f64, trace: &RequestTrace) -> Transcription {
    let segments = segments.iter().enumerate().map(|(id, segment)| SegmentBody {
        id,
        start: segment.start,
        end: segment.end,
        text: segment.text.clone(),
    });
    Transcription {
        text: transcript.text.clone(),
        aura: trace.provenance(),
        task: Some("transcribe"),
        language: Some(transcript.language.clone().unwrap_or_else(|| "unknown".to_owned())),
        duration: Some(seconds),
        segments: Some(segments.collect()),
        words: (!transcript.words.is_empty()).then(|| {
            let words = transcript.words.iter();
            words.map(|word| WordBody { word: word.text.clone(), start: word.start, end: word.end }).collect()
        }),
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
    let mut form = TranscriptionFields::default();
    let malformed = |_| ApiError::invalid_request("The form is incomplete or malformed.", None);
    for _ in 0..MAX_PARTS {
        let Some(field) = multipart.next_field().await.map_err(malformed)? else { return Ok(form) };
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            let bytes = field.bytes().await.map_err(malformed)?;
            if bytes.len() > MAX_AUDIO_FILE_BYTES {
                return Err(body::too_large("recording", MAX_AUDIO_FILE_BYTES).into());
            }
            form.file = Some(bytes);
            continue;
        }
        let value = field.text().await.map_err(malformed)?;
        if value.len() > MAX_FIELD {
            let message = format!("`{}` is longer than {MAX_FIELD} bytes. Shorten it.", shortened(&name));
            return Err(ApiError::invalid_request(message, None));
        }
        set_field(&mut form, &name, value)?;
    }
    Err(ApiError::invalid_request(format!("The form has more than {MAX_PARTS} parts. Send fewer."), None))
}

fn set_field(form: &mut TranscriptionFields, name: &str, value: String) -> Result<(), ApiError> {
    match name {
        "model" => form.model = Some(value),
        "language" if value.len() > MAX_LANGUAGE => {
            return Err(ApiError::invalid_request(
                "`language` must be a language code, such as `en`.",
                Some("language"),
            ));
        }
        "language" => form.language = Some(value).filter(|language| !language.is_empty()),
        "response_format" => {
            form.format = match value.as_str() {
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
        "fallback" => form.fallback = parse_bool(&value, "fallback")?,
        "stream" if parse_bool(&value, "stream")? => {
            return Err(ApiError::invalid_request(
                "AURA does not stream transcripts. Leave `stream` out.",
                Some("stream"),
            ));
        }
        "timestamp_granularities[]" | "timestamp_granularities" => form.words |= value == "word",
        "prompt" if value.chars().count() > MAX_PROMPT => {
            let message = format!("`prompt` may have at most {MAX_PROMPT} characters.");
            return Err(ApiError::invalid_request(message, Some("prompt")));
        }
        "prompt" => form.prompt = Some(value).filter(|prompt| !prompt.trim().is_empty()),
        "temperature" if value.is_empty() => {}
        "temperature" => match value.parse() {
            Ok(number) if (0.0..=1.0).contains(&number) => form.temperature = Some(number),
            _ => return Err(ApiError::invalid_request("`temperature` must be from 0 to 1.", Some("temperature"))),
        },
        _ => {} // unknown fields are ignored
    }
    Ok(())
}

fn parse_bool(value: &str, name: &'static str) -> Result<bool, ApiError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        _ => Err(ApiError::invalid_request(format!("`{name}` must be true or false."), Some(name))),
    }
}
