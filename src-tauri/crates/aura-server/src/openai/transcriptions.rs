//! `POST /v1/audio/transcriptions`

use aura_core::error::Code;
use aura_core::providers::{Segment, Service, Transcript};
use axum::Json;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{Refused, RefusedBody};
use super::watch::{Provenance, Watch};
use super::{names, provenance, subtitles};
use crate::{Door, body, shortened};

/// The largest request, in bytes: the sound and the other fields.
const MOST_BODY: usize = body::AUDIO + 100_000;
/// The most parts of a form.
const PARTS: usize = 64;
/// The longest field that is not the sound, bytes.
const LONGEST_FIELD: usize = 10_000;
/// The longest prompt, characters: no provider reads more.
const LONGEST_PROMPT: usize = 2_000;
/// The longest language tag.
const LONGEST_LANGUAGE: usize = 35;

/// The form of a transcript.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Format {
    #[default]
    Json,
    Text,
    Verbose,
    Srt,
    Vtt,
}

/// The form of a request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the form")]
pub(crate) struct TranscriptionForm {
    /// The sound: WAV, MP3, OGG Vorbis or FLAC, at most 25 MB.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// `auto`, `provider/model`, or a model's own name.
    #[schema(examples("auto"))]
    model: String,
    /// The language that is spoken, such as `en`.
    #[schema(max_length = 35)]
    language: Option<String>,
    /// What was said before, or a text in the style that is wanted. Passed on to providers that take it.
    #[schema(max_length = 2000)]
    prompt: Option<String>,
    /// How freely unclear sounds are guessed. Passed on to providers that take it.
    #[schema(minimum = 0, maximum = 1)]
    temperature: Option<f64>,
    /// `json`, `text`, `verbose_json`, `srt` or `vtt`.
    #[schema(pattern = "^(json|text|verbose_json|srt|vtt)$")]
    response_format: Option<String>,
    /// AURA's own: whether others may listen although a model is named.
    fallback: Option<bool>,
}

/// A transcript; the last five only as `verbose_json`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Transcription {
    /// The words.
    text: String,
    /// AURA's own: how it came.
    aura: Provenance,
    /// Always `transcribe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'static str>,
    /// The language, as the provider names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// How long the sound is, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
    /// When what was said. One for all where the provider does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<Vec<SegmentBody>>,
    /// When each word was said, where it was asked for by `timestamp_granularities[]=word` and the provider tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<WordBody>>,
}

/// A word of a transcript.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WordBody {
    /// It.
    word: String,
    /// When it begins, seconds.
    start: f64,
    /// When it ends, seconds.
    end: f64,
}

/// A part of a transcript.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SegmentBody {
    /// Its number.
    id: usize,
    /// When it begins, seconds.
    start: f64,
    /// When it ends, seconds.
    end: f64,
    /// The words.
    text: String,
}

#[derive(Debug, Default)]
struct Form {
    file: Option<Bytes>,
    model: Option<String>,
    language: Option<String>,
    prompt: Option<String>,
    temperature: Option<f64>,
    words: bool,
    format: Format,
    fallback: bool,
}

/// Writes down what is said in a sound file: WAV, MP3, OGG Vorbis or FLAC.
#[utoipa::path(
    post, path = "/v1/audio/transcriptions", tag = "openai",
    request_body(content = TranscriptionForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, content(
            (Transcription = "application/json"), (String = "text/plain"), (String = "application/x-subrip"), (String = "text/vtt"),
        )),
        (status = 404, body = RefusedBody),
    ),
)]
pub(crate) async fn transcribe(State(door): State<Door>, request: Request) -> Result<Response, Refused> {
    let watch = Watch::of(&request);
    let form = read(request).await?;
    if form.words && form.format != Format::Verbose {
        let message = "The times of words come with `response_format=verbose_json`.";
        return Err(Refused::bad(message, Some("timestamp_granularities")));
    }
    let Some(model) = form.model else {
        return Err(Refused::bad("`model` is missing; `auto` takes the model that AURA is set to.", Some("model")));
    };
    let plan = names::plan(&door.assistant, Service::Stt, &model, form.fallback, None)?;
    let Some(file) = form.file.filter(|file| !file.is_empty()) else {
        return Err(Refused::bad("`file` is missing or empty: it is the sound to write down.", Some("file")));
    };
    let (mut request, surely_words) = door.assistant.recording(file).await.map_err(|error| match error.code {
        Code::InvalidRequest => Refused::bad(error.message, Some("file")),
        _ => error.into(),
    })?;
    request.language = form.language;
    request.prompt = form.prompt;
    request.temperature = form.temperature;
    request.words = form.words;
    let answered = door.assistant.router().transcribe(&plan, &request, surely_words, &watch).await?;
    let transcript = answered.value;
    let whole = || {
        let end = request.duration.as_secs_f64();
        let one = Segment { start: 0.0, end, text: transcript.text.clone() };
        // Not every provider tells when a word was said: then all of them are said from beginning to end.
        let told = if transcript.segments.is_empty() { vec![one] } else { transcript.segments.clone() };
        told.into_iter().filter(|segment| !segment.text.is_empty()).collect::<Vec<_>>()
    };
    let plain = |kind: &'static str, text: String| ([(header::CONTENT_TYPE, kind)], text).into_response();
    let body = match form.format {
        Format::Json => Json(Transcription {
            text: transcript.text,
            aura: watch.provenance(),
            task: None,
            language: None,
            duration: None,
            segments: None,
            words: None,
        })
        .into_response(),
        Format::Text => plain("text/plain; charset=utf-8", format!("{}\n", transcript.text)),
        Format::Srt => plain("application/x-subrip; charset=utf-8", subtitles::srt(&whole())),
        Format::Vtt => plain("text/vtt; charset=utf-8", subtitles::vtt(&whole())),
        Format::Verbose => Json(verbose(&transcript, &whole(), request.duration.as_secs_f64(), &watch)).into_response(),
    };
    Ok((provenance(&watch), body).into_response())
}

fn verbose(transcript: &Transcript, segments: &[Segment], seconds: f64, watch: &Watch) -> Transcription {
    let segments = segments.iter().enumerate();
    let segments = segments.map(|(id, of)| SegmentBody { id, start: of.start, end: of.end, text: of.text.clone() });
    Transcription {
        text: transcript.text.clone(),
        aura: watch.provenance(),
        task: Some("transcribe"),
        language: Some(transcript.language.clone().unwrap_or_else(|| "unknown".to_owned())),
        duration: Some(seconds),
        segments: Some(segments.collect()),
        words: (!transcript.words.is_empty()).then(|| {
            let words = transcript.words.iter();
            words.map(|of| WordBody { word: of.text.clone(), start: of.start, end: of.end }).collect()
        }),
    }
}

async fn read(request: Request) -> Result<Form, Refused> {
    let (parts, sent) = request.into_parts();
    let sent = body::read(sent, MOST_BODY).await?;
    let mut whole = Request::from_parts(parts, Body::from(sent));
    DefaultBodyLimit::disable().apply(&mut whole); // it was kept already
    let mut multipart = Multipart::from_request(whole, &())
        .await
        .map_err(|_| Refused::media("Send the sound as a form (multipart/form-data)."))?;
    let mut form = Form::default();
    let broken = |_| Refused::bad("The form is not complete, or no form.", None);
    for _ in 0..PARTS {
        let Some(field) = multipart.next_field().await.map_err(broken)? else { return Ok(form) };
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            let bytes = field.bytes().await.map_err(broken)?;
            if bytes.len() > body::AUDIO {
                return Err(body::too_large("recording", body::AUDIO).into());
            }
            form.file = Some(bytes);
            continue;
        }
        let value = field.text().await.map_err(broken)?;
        if value.len() > LONGEST_FIELD {
            let message = format!("`{}` is longer than {LONGEST_FIELD} bytes.", shortened(&name));
            return Err(Refused::bad(message, None));
        }
        take(&mut form, &name, value)?;
    }
    Err(Refused::bad(format!("The form has more than {PARTS} parts."), None))
}

fn take(form: &mut Form, name: &str, value: String) -> Result<(), Refused> {
    match name {
        "model" => form.model = Some(value),
        "language" if value.len() > LONGEST_LANGUAGE => {
            return Err(Refused::bad("`language` is a code such as `en`.", Some("language")));
        }
        "language" => form.language = Some(value).filter(|language| !language.is_empty()),
        "response_format" => {
            form.format = match value.as_str() {
                "json" => Format::Json,
                "text" => Format::Text,
                "verbose_json" => Format::Verbose,
                "srt" => Format::Srt,
                "vtt" => Format::Vtt,
                _ => {
                    let message = "`response_format` is one of json, text, verbose_json, srt and vtt.";
                    return Err(Refused::bad(message, Some("response_format")));
                }
            }
        }
        "fallback" => form.fallback = flag(&value, "fallback")?,
        "stream" if flag(&value, "stream")? => {
            return Err(Refused::bad("A transcript comes as a whole: leave `stream` out.", Some("stream")));
        }
        "timestamp_granularities[]" | "timestamp_granularities" => form.words |= value == "word",
        "prompt" if value.chars().count() > LONGEST_PROMPT => {
            let message = format!("`prompt` has at most {LONGEST_PROMPT} characters.");
            return Err(Refused::bad(message, Some("prompt")));
        }
        "prompt" => form.prompt = Some(value).filter(|prompt| !prompt.trim().is_empty()),
        "temperature" if value.is_empty() => {}
        "temperature" => match value.parse() {
            Ok(number) if (0.0..=1.0).contains(&number) => form.temperature = Some(number),
            _ => return Err(Refused::bad("`temperature` is from 0 to 1.", Some("temperature"))),
        },
        _ => {} // as with the other requests, a field that is not known changes nothing
    }
    Ok(())
}

fn flag(value: &str, name: &'static str) -> Result<bool, Refused> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        _ => Err(Refused::bad(format!("`{name}` is true or false."), Some(name))),
    }
}
