//! `POST /v1/audio/speech`

use aura_audio::{Pcm, Resampler, to_i16};
use aura_core::ANSWER_RATE;
use aura_core::error::Error;
use aura_providers::Service;
use aura_router::sink_fn;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::{ApiError, ApiErrorBody};
use super::request_trace::RequestTrace;
use super::{json, model_name, provenance_headers};
use crate::wav::wav;
use crate::{LocalApi, body};

/// The longest text, characters.
const MAX_INPUT: usize = 16_384;

/// A request for speech. OpenAI's fields that are not listed here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SpeechBody {
    /// `auto`, `provider/model`, or a model name alone.
    #[schema(examples("auto"))]
    model: String,
    /// The text to speak.
    #[schema(min_length = 1, max_length = 16384, pattern = r"\S")]
    input: String,
    /// The voice. If the provider does not have it, its default voice is used.
    voice: Option<VoiceName>,
    /// `wav` (the default), or `pcm`: 24 kHz, 16-bit, mono, without a header.
    #[schema(pattern = "^(wav|pcm)$", examples("wav"))]
    response_format: Option<String>,
    /// The speed; only 1 is supported.
    #[schema(minimum = 1, maximum = 1)]
    speed: Option<f64>,
    /// Only `audio` is supported: the response is a sound file.
    #[schema(pattern = "^audio$")]
    stream_format: Option<String>,
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
        (status = 200, content((Vec<u8> = "audio/wav"), (Vec<u8> = "audio/pcm"))),
        (status = 404, body = ApiErrorBody),
    ),
)]
pub(crate) async fn speak(State(api): State<LocalApi>, request: Request) -> Result<Response, ApiError> {
    let trace = RequestTrace::new(&request);
    let (body, _): (SpeechBody, usize) = json(request, body::MAX_JSON).await?;
    let voice = body.voice.as_ref().map(|voice| match voice {
        VoiceName::Name(name) | VoiceName::Object { id: name } => name.as_str(),
    });
    let plan = model_name::plan(&api.assistant, Service::Tts, &body.model, body.fallback.unwrap_or(false), voice)?;
    let with_header = validate(&body)?;
    let mut recording = ResampledSpeech::default();
    api.assistant.speak(&plan, &body.input, &trace, &mut sink_fn(|pcm: Pcm| recording.push(&pcm))).await?;
    let file = tokio::task::spawn_blocking(move || recording.into_file(with_header)).await.map_err(Error::internal)?;
    let mut headers = provenance_headers(&trace);
    let kind = if with_header { "audio/wav" } else { "audio/pcm" };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok((headers, file).into_response())
}

/// Validates the request; true if the response is a WAV file.
fn validate(body: &SpeechBody) -> Result<bool, ApiError> {
    let with_header = match body.response_format.as_deref() {
        None | Some("wav") => true,
        Some("pcm") => false,
        Some(_) => {
            let message = "AURA supports only `wav` and `pcm`. Choose one of these, or leave `response_format` out.";
            return Err(ApiError::invalid_request(message, Some("response_format")));
        }
    };
    if body.speed.is_some_and(|speed| speed != 1.0) {
        return Err(ApiError::invalid_request("AURA does not support `speed`. Leave it out.", Some("speed")));
    }
    if body.stream_format.as_deref().is_some_and(|format| format != "audio") {
        return Err(ApiError::invalid_request(
            "AURA does not stream speech. Leave `stream_format` out.",
            Some("stream_format"),
        ));
    }
    if !body.input.chars().any(char::is_alphanumeric) {
        return Err(ApiError::invalid_request(
            "`input` contains nothing to speak. Send text with letters or digits.",
            Some("input"),
        ));
    }
    if body.input.chars().count() > MAX_INPUT {
        return Err(ApiError::invalid_request(
            format!("`input` may have at most {MAX_INPUT} characters."),
            Some("input"),
        ));
    }
    Ok(with_header)
}

/// Speech resampled to [`ANSWER_RATE`], the rate of OpenAI's `pcm`. Chunks may have any rate.
#[derive(Default)]
struct ResampledSpeech {
    samples: Vec<f32>,
    /// The rate of the current chunks, Hz, and its resampler.
    resampler: Option<(u32, Resampler)>,
}

impl ResampledSpeech {
    fn push(&mut self, pcm: &Pcm) {
        if self.resampler.as_ref().is_none_or(|(rate, _)| *rate != pcm.rate) {
            self.flush();
            self.resampler = Some((pcm.rate, Resampler::new(pcm.rate, ANSWER_RATE)));
        }
        if let Some((_, resampler)) = &mut self.resampler {
            self.samples.extend(resampler.push(&pcm.samples));
        }
    }

    fn flush(&mut self) {
        if let Some((_, mut resampler)) = self.resampler.take() {
            self.samples.extend(resampler.finish());
        }
    }

    fn into_file(mut self, with_header: bool) -> Bytes {
        self.flush();
        if with_header {
            return wav(&self.samples);
        }
        self.samples.into_iter().flat_map(|sample| to_i16(sample).to_le_bytes()).collect::<Vec<_>>().into()
    }
}
