//! `POST /audio/transcriptions` and `/audio/translations`

use bytes::Bytes;
use serde_json::{Value, json};

use super::auth::check_access;
use super::errors;
use super::models::{self, GroqModelKind};
use super::rate_limit::with_rate_limit_headers;
use crate::data_url::decode_base64;
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::http_reply::HttpReply;
use crate::ids::Service;
use crate::request::{MultipartForm, RequestContext};
use crate::speech::recogniser::Transcript;
use crate::transcription::{received_audio, transcribe, transcript_due};

/// Largest upload in bytes, on the free tier.
const MAX_FILE_BYTES: usize = 25 * 1024 * 1024;

/// Shortest recording in seconds.
const MIN_SECONDS: f64 = 0.01;

const EXTENSIONS: &[&str] = &["flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "opus", "wav", "webm"];

const FIELDS: &[&str] =
    &["model", "url", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]"];

pub(super) async fn handle_transcription(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    handle(context, false).await
}

pub(super) async fn handle_translation(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    handle(context, true).await
}

async fn handle(context: &mut RequestContext, is_translation: bool) -> Result<HttpReply, ErrorReply> {
    check_access(context)?;
    let form = context.multipart_form().await?;
    let id = form.get("model").unwrap_or_default().to_owned();
    context.apply_fault(Service::Stt, &id).await?;
    if id.is_empty() {
        return Err(context.invalid_request("'model' : property 'model' is missing"));
    }
    let model = models::find(context, &id)?;
    if model.kind != GroqModelKind::Stt {
        return Err(context.invalid_request(format!("The model `{id}` does not support transcription")));
    }
    if is_translation && !model.translates {
        return Err(context.invalid_request(format!("The model `{id}` does not support translation")));
    }
    check_fields(context, &form, is_translation)?;
    let file = uploaded_audio(context, &form)?;
    let pcm = received_audio(context, &file).await.map_err(|error| context.error(&ErrorCause::from(&error)))?;
    if pcm.seconds() < MIN_SECONDS {
        return Err(context.invalid_request("Audio file is too short. Minimum audio length is 0.01 seconds."));
    }
    let transcript = transcribe(context, &pcm).await.map_err(|error| context.error(&ErrorCause::from(&error)))?;
    let reply = transcript_reply(context, &form, &transcript, is_translation);
    Ok(with_rate_limit_headers(context, reply)
        .with_header("x-ratelimit-limit-audio-seconds", "7200")
        .with_header("x-ratelimit-remaining-audio-seconds", "7190")
        .with_header("x-ratelimit-reset-audio-seconds", "5s"))
}

fn check_fields(context: &RequestContext, form: &MultipartForm, is_translation: bool) -> Result<(), ErrorReply> {
    for (name, value) in &form.fields {
        let known = FIELDS.contains(&name.as_str());
        let only_transcription = matches!(name.as_str(), "language" | "timestamp_granularities[]");
        if !known || (is_translation && only_transcription) {
            return Err(context.invalid_request(format!("property '{name}' is unsupported")));
        }
        let message = match name.as_str() {
            "response_format" if !matches!(value.as_str(), "json" | "text" | "verbose_json") => {
                "response_format must be one of [json text verbose_json]"
            }
            "language" if !(2..=3).contains(&value.len()) || !value.bytes().all(|b| b.is_ascii_lowercase()) => {
                "language must be an ISO-639-1 code"
            }
            "temperature" if !value.parse().is_ok_and(|t: f64| (0.0..=1.0).contains(&t)) => {
                "temperature must be between 0 and 1"
            }
            "timestamp_granularities[]" if !matches!(value.as_str(), "word" | "segment") => {
                "timestamp_granularities must be one of [word segment]"
            }
            "timestamp_granularities[]" if form.get("response_format") != Some("verbose_json") => {
                "timestamp_granularities is only supported with response_format verbose_json"
            }
            _ => continue,
        };
        return Err(context.invalid_request(message));
    }
    Ok(())
}

/// The uploaded file, or the base64 data in `url`. The sandbox fetches no URL.
fn uploaded_audio(context: &RequestContext, form: &MultipartForm) -> Result<Bytes, ErrorReply> {
    let Some((record, bytes)) = &form.file else {
        let url = form.get("url").ok_or_else(|| context.invalid_request("one of 'file' or 'url' must be provided"))?;
        let data = url.rsplit_once("base64,").map_or(url, |(_, data)| data);
        return decode_base64(data)
            .ok_or_else(|| context.invalid_request("the sandbox takes base64 data in 'url' only"));
    };
    if bytes.len() > MAX_FILE_BYTES {
        return Err(context.error(&ErrorCause::BodyTooLarge));
    }
    let name = record.name.as_deref().unwrap_or_default().to_lowercase();
    if !name.rsplit_once('.').is_some_and(|(_, extension)| EXTENSIONS.contains(&extension)) {
        let message = format!("file must be one of the following types: [{}]", EXTENSIONS.join(" "));
        return Err(context.invalid_request(message));
    }
    Ok(bytes.clone())
}

fn transcript_reply(
    context: &RequestContext,
    form: &MultipartForm,
    transcript: &Transcript,
    is_translation: bool,
) -> HttpReply {
    // Whisper's text begins with a space.
    let text = if transcript.text.is_empty() { String::new() } else { format!(" {}", transcript.text) };
    let id = errors::request_id(context.record.id());
    match form.get("response_format") {
        Some("text") => HttpReply::buffered("text/plain; charset=utf-8", transcript_due(context), text),
        Some("verbose_json") => {
            let mut body = json!({
                "task": if is_translation { "translate" } else { "transcribe" },
                "language": "English",
                "duration": transcript.seconds,
                "text": text,
                "segments": [segment(transcript, &text)],
                "x_groq": {"id": id},
            });
            if form.fields.iter().any(|(name, value)| name == "timestamp_granularities[]" && value == "word") {
                body["words"] = Value::from(words(transcript));
            }
            HttpReply::json(transcript_due(context), &body)
        }
        _ => HttpReply::json(transcript_due(context), &json!({"text": text, "x_groq": {"id": id}})),
    }
}

fn segment(transcript: &Transcript, text: &str) -> Value {
    // Typical figures of Whisper for text hallucinated in silence, and for speech.
    let (log_probability, no_speech) = if transcript.is_silent { (-0.93, 0.91) } else { (-0.214, 1.2e-6) };
    json!({
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": transcript.seconds,
        "text": text,
        "tokens": [50_365, 50_536],
        "temperature": 0,
        "avg_logprob": log_probability,
        "compression_ratio": 0.87,
        "no_speech_prob": no_speech,
    })
}

/// Word timestamps, spread evenly over the recording. The recogniser's own times are not used.
fn words(transcript: &Transcript) -> Vec<Value> {
    let words: Vec<&str> = transcript.text.split_whitespace().collect();
    let step = transcript.seconds / words.len().max(1) as f64;
    let at = |n: usize| (step * n as f64 * 100.0).round() / 100.0;
    words.iter().enumerate().map(|(n, word)| json!({"word": word, "start": at(n), "end": at(n + 1)})).collect()
}
