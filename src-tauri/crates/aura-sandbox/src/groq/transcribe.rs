//! `POST /audio/transcriptions` and `/audio/translations`

use bytes::Bytes;
use serde_json::{Value, json};

use super::models::{self, Kind};
use super::{admit, errors, limits};
use crate::call::{Call, Form};
use crate::hearing::{due, listen, transcribe as hear};
use crate::kinds::Service;
use crate::refusal::{Cause, Refusal};
use crate::reply::Reply;
use crate::speech::Heard;
use crate::vision::base64;

/// Bytes of one upload on the free tier.
const LARGEST_FILE: usize = 25 * 1024 * 1024;

/// Seconds.
const SHORTEST: f64 = 0.01;

const EXTENSIONS: &[&str] = &["flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "opus", "wav", "webm"];

const FIELDS: &[&str] =
    &["model", "url", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]"];

pub(super) async fn transcribe(call: &mut Call) -> Result<Reply, Refusal> {
    answer(call, false).await
}

pub(super) async fn translate(call: &mut Call) -> Result<Reply, Refusal> {
    answer(call, true).await
}

async fn answer(call: &mut Call, translating: bool) -> Result<Reply, Refusal> {
    admit(call)?;
    let form = call.form().await?;
    let id = form.get("model").unwrap_or_default().to_owned();
    call.meet(Service::Stt, &id).await?;
    if id.is_empty() {
        return Err(call.invalid("'model' : property 'model' is missing"));
    }
    let model = models::find(call, &id)?;
    if model.kind != Kind::Stt {
        return Err(call.invalid(format!("The model `{id}` does not support transcription")));
    }
    if translating && !model.translates {
        return Err(call.invalid(format!("The model `{id}` does not support translation")));
    }
    check_fields(call, &form, translating)?;
    let file = sound(call, &form)?;
    let pcm = listen(call, &file).await.map_err(|error| call.refuse(&Cause::from(&error)))?;
    if pcm.seconds() < SHORTEST {
        return Err(call.invalid("Audio file is too short. Minimum audio length is 0.01 seconds."));
    }
    let heard = hear(call, &pcm).await.map_err(|error| call.refuse(&Cause::from(&error)))?;
    let reply = write(call, &form, &heard, translating);
    Ok(limits(call, reply)
        .with("x-ratelimit-limit-audio-seconds", "7200")
        .with("x-ratelimit-remaining-audio-seconds", "7190")
        .with("x-ratelimit-reset-audio-seconds", "5s"))
}

fn check_fields(call: &Call, form: &Form, translating: bool) -> Result<(), Refusal> {
    for (name, value) in &form.fields {
        let known = FIELDS.contains(&name.as_str());
        let only_transcription = matches!(name.as_str(), "language" | "timestamp_granularities[]");
        if !known || (translating && only_transcription) {
            return Err(call.invalid(format!("property '{name}' is unsupported")));
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
        return Err(call.invalid(message));
    }
    Ok(())
}

/// The uploaded file, or base64 in `url`; the sandbox fetches nothing.
fn sound(call: &Call, form: &Form) -> Result<Bytes, Refusal> {
    let Some((record, bytes)) = &form.file else {
        let url = form.get("url").ok_or_else(|| call.invalid("one of 'file' or 'url' must be provided"))?;
        let data = url.rsplit_once("base64,").map_or(url, |(_, data)| data);
        return base64(data).ok_or_else(|| call.invalid("the sandbox takes base64 data in 'url' only"));
    };
    if bytes.len() > LARGEST_FILE {
        return Err(call.refuse(&Cause::TooLarge));
    }
    let name = record.name.as_deref().unwrap_or_default().to_lowercase();
    if !name.rsplit_once('.').is_some_and(|(_, extension)| EXTENSIONS.contains(&extension)) {
        let message = format!("file must be one of the following types: [{}]", EXTENSIONS.join(" "));
        return Err(call.invalid(message));
    }
    Ok(bytes.clone())
}

fn write(call: &Call, form: &Form, heard: &Heard, translating: bool) -> Reply {
    // The recognised text begins with a space, as Whisper's does.
    let text = if heard.text.is_empty() { String::new() } else { format!(" {}", heard.text) };
    let id = errors::request_id(call.entry.id());
    match form.get("response_format") {
        Some("text") => Reply::whole("text/plain; charset=utf-8", due(call), text),
        Some("verbose_json") => {
            let mut body = json!({
                "task": if translating { "translate" } else { "transcribe" },
                "language": "English",
                "duration": heard.seconds,
                "text": text,
                "segments": [segment(heard, &text)],
                "x_groq": {"id": id},
            });
            if form.fields.iter().any(|(name, value)| name == "timestamp_granularities[]" && value == "word") {
                body["words"] = Value::from(words(heard));
            }
            Reply::json(due(call), &body)
        }
        _ => Reply::json(due(call), &json!({"text": text, "x_groq": {"id": id}})),
    }
}

fn segment(heard: &Heard, text: &str) -> Value {
    // The figures that Whisper gives for speech, and for text it makes up about silence.
    let (log_probability, no_speech) = if heard.silent { (-0.93, 0.91) } else { (-0.214, 1.2e-6) };
    json!({
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": heard.seconds,
        "text": text,
        "tokens": [50_365, 50_536],
        "temperature": 0,
        "avg_logprob": log_probability,
        "compression_ratio": 0.87,
        "no_speech_prob": no_speech,
    })
}

/// The words spread evenly: the recogniser is not asked for its times.
fn words(heard: &Heard) -> Vec<Value> {
    let words: Vec<&str> = heard.text.split_whitespace().collect();
    let step = heard.seconds / words.len().max(1) as f64;
    let at = |n: usize| (step * n as f64 * 100.0).round() / 100.0;
    words.iter().enumerate().map(|(n, word)| json!({"word": word, "start": at(n), "end": at(n + 1)})).collect()
}
