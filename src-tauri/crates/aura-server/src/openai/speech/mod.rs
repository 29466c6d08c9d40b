//! `POST /v1/audio/speech`

mod format;
mod stream;

use std::sync::Arc;

use aura_audio::Pcm;
use aura_core::error::Error;
use aura_providers::{Service, SpeechOptions};
use aura_router::sink_fn;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use self::format::{AudioFormat, SpeechFile};
use self::stream::SpeechEvents;
use super::error::{ApiError, ApiErrorBody};
use super::model_name::{FallbackName, ModelOrder};
use super::request_trace::RequestTrace;
use super::{json, provenance_headers};
use crate::event_stream::ServerSentEvent;
use crate::{LocalApi, body};

/// The longest text, characters.
const MAX_INPUT: usize = 16_384;
/// The longest style, characters.
const MAX_INSTRUCTIONS: usize = 4_096;

/// A request for speech. OpenAI's fields that are not listed here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SpeechBody {
    /// `auto`, `provider/model`, or a model name alone.
    #[schema(examples("auto"))]
    model: Option<String>,
    /// The text to speak.
    #[schema(min_length = 1, max_length = 16384, pattern = r"\S")]
    input: String,
    /// The voice. If the provider does not have it, its default voice is used.
    voice: Option<VoiceName>,
    /// The style in words. Passed on to providers that support it.
    #[schema(max_length = 4096)]
    instructions: Option<String>,
    /// `mp3` (the default), `opus`, `aac`, `flac`, `wav`, or `pcm`: 24 kHz, 16-bit, mono, without a header.
    #[schema(pattern = "^(mp3|opus|aac|flac|wav|pcm)$", examples("mp3"))]
    response_format: Option<String>,
    /// The speed as a factor. AURA stretches the speech of providers that have no speed.
    #[schema(minimum = 0.25, maximum = 4)]
    speed: Option<f64>,
    /// `audio` (the default) for a sound file, or `sse` for server-sent events: `pcm` and `wav` while it is spoken, other formats at the end.
    #[schema(pattern = "^(audio|sse)$")]
    stream_format: Option<String>,
    /// An extension of AURA: further models, tried in this order after `model`, which may then be left out.
    #[schema(max_items = 16)]
    models: Option<Vec<String>>,
    /// An extension of AURA: further models, tried after those.
    #[schema(max_items = 16)]
    fallbacks: Option<Vec<FallbackName>>,
    /// An extension of AURA: whether to fall back to other providers although a model is named. Default false.
    fallback: Option<bool>,
}

/// A voice.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum VoiceName {
    /// The name of the voice.
    Name(String),
    /// The name as an object, as OpenAI's custom voices have it.
    Object {
        /// The name of the voice.
        id: String,
    },
}

/// Turns text into speech.
#[utoipa::path(
    post, path = "/v1/audio/speech", tag = "openai", request_body = SpeechBody,
    responses(
        (status = 200, content(
            (Vec<u8> = "audio/mpeg"), (Vec<u8> = "audio/ogg"), (Vec<u8> = "audio/aac"), (Vec<u8> = "audio/flac"),
            (Vec<u8> = "audio/wav"), (Vec<u8> = "audio/pcm"), (ServerSentEvent = "text/event-stream"),
        )),
        (status = 404, body = ApiErrorBody),
    ),
)]
pub(crate) async fn speak(State(api): State<LocalApi>, request: Request) -> Result<Response, ApiError> {
    let trace = Arc::new(RequestTrace::new(&request));
    let (mut body, _): (SpeechBody, usize) = json(request, body::MAX_JSON).await?;
    let order = ModelOrder::new(body.model.take(), body.models.take(), body.fallbacks.take(), body.fallback)?;
    let voice = body.voice.as_ref().map(|voice| match voice {
        VoiceName::Name(name) | VoiceName::Object { id: name } => name.as_str(),
    });
    let plan = order.plan(&api.assistant, Service::Tts, voice)?;
    let (format, events) = validate(&body)?;
    let options = SpeechOptions {
        speed: body.speed.map(|speed| speed as f32),
        style: body.instructions,
        ..SpeechOptions::default()
    };
    let plan = plan.with_speech_options(options);
    if events {
        let events = SpeechEvents::start(api.assistant, plan, body.input, format, trace.clone()).await?;
        return Ok(events.into_response(provenance_headers(&trace), trace));
    }
    let mut file = SpeechFile::new(format);
    api.assistant.speak(&plan, &body.input, &*trace, &mut sink_fn(|pcm: Pcm| file.push(&pcm))).await?;
    let file = tokio::task::spawn_blocking(|| file.finish()).await.map_err(Error::internal)??;
    let mut headers = provenance_headers(&trace);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    Ok((headers, file).into_response())
}

/// Validates the request: the format, and whether the reply is a stream of events.
fn validate(body: &SpeechBody) -> Result<(AudioFormat, bool), ApiError> {
    let invalid = |message: String, param| Err(ApiError::invalid_request(message, Some(param)));
    let format = AudioFormat::parse(body.response_format.as_deref())?;
    if body.speed.is_some_and(|speed| !(0.25..=4.0).contains(&speed)) {
        return invalid("`speed` must be from 0.25 to 4.".to_owned(), "speed");
    }
    let events = match body.stream_format.as_deref() {
        None | Some("audio") => false,
        Some("sse") => true,
        Some(_) => return invalid("`stream_format` must be audio or sse.".to_owned(), "stream_format"),
    };
    if body.instructions.as_ref().is_some_and(|style| style.chars().count() > MAX_INSTRUCTIONS) {
        return invalid(format!("`instructions` may have at most {MAX_INSTRUCTIONS} characters."), "instructions");
    }
    if !body.input.chars().any(char::is_alphanumeric) {
        return invalid("`input` contains nothing to speak. Send text with letters or digits.".to_owned(), "input");
    }
    if body.input.chars().count() > MAX_INPUT {
        return invalid(format!("`input` may have at most {MAX_INPUT} characters."), "input");
    }
    Ok((format, events))
}
