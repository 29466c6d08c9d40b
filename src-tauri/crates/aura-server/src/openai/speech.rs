//! `POST /v1/audio/speech`

use aura_core::SOUND_RATE;
use aura_core::audio::{Pcm, Resampler, to_i16};
use aura_core::error::Error;
use aura_core::providers::Service;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::{Refused, RefusedBody};
use super::watch::Watch;
use super::{json, names, provenance};
use crate::routes::wav;
use crate::{Door, body};

/// The longest text, in characters.
const LONGEST: usize = 16_384;

/// A request for speech. Fields of OpenAI's that are not listed here change nothing.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SpeechBody {
    /// `auto`, `provider/model`, or a model's own name.
    #[schema(examples("auto"))]
    model: String,
    /// The words.
    #[schema(min_length = 1, max_length = 16384, pattern = r"\S")]
    input: String,
    /// The voice. One that the provider does not have is replaced by its default.
    voice: Option<VoiceName>,
    /// `wav`, which is meant when it is left out, or `pcm`: 24 kHz, 16 bit, mono, without a header.
    #[schema(pattern = "^(wav|pcm)$", examples("wav"))]
    response_format: Option<String>,
    /// How fast; only 1.
    #[schema(minimum = 1, maximum = 1)]
    speed: Option<f64>,
    /// `audio`: the sound comes as a file.
    #[schema(pattern = "^audio$")]
    stream_format: Option<String>,
    /// AURA's own: whether others may speak although a model is named.
    fallback: Option<bool>,
}

/// A voice by its name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum VoiceName {
    /// Its name.
    Name(String),
    /// Its name, as OpenAI's own voices have it.
    Own {
        /// Its name.
        id: String,
    },
}

/// Says a text.
#[utoipa::path(
    post, path = "/v1/audio/speech", tag = "openai", request_body = SpeechBody,
    responses(
        (status = 200, content((Vec<u8> = "audio/wav"), (Vec<u8> = "audio/pcm"))),
        (status = 404, body = RefusedBody),
    ),
)]
pub(crate) async fn speak(State(door): State<Door>, request: Request) -> Result<Response, Refused> {
    let watch = Watch::of(&request);
    let (body, _): (SpeechBody, usize) = json(request, body::JSON).await?;
    let voice = body.voice.as_ref().map(|voice| match voice {
        VoiceName::Name(name) | VoiceName::Own { id: name } => name.as_str(),
    });
    let plan = names::plan(&door.assistant, Service::Tts, &body.model, body.fallback.unwrap_or(false), voice)?;
    let with_header = check(&body)?;
    let mut sound = Sound::default();
    let mut on_sound = |pcm: Pcm| sound.push(&pcm);
    door.assistant.say(&plan, &body.input, &watch, &mut on_sound).await?;
    let file = tokio::task::spawn_blocking(move || sound.file(with_header)).await.map_err(Error::internal)?;
    let mut headers = provenance(&watch);
    let kind = if with_header { "audio/wav" } else { "audio/pcm" };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok((headers, file).into_response())
}

/// Whether the sound is a WAV file.
fn check(body: &SpeechBody) -> Result<bool, Refused> {
    let with_header = match body.response_format.as_deref() {
        None | Some("wav") => true,
        Some("pcm") => false,
        Some(_) => {
            let message = "AURA gives `wav` and `pcm`; it writes no compressed sound.";
            return Err(Refused::bad(message, Some("response_format")));
        }
    };
    if body.speed.is_some_and(|speed| speed != 1.0) {
        return Err(Refused::bad("Not every voice can be made faster: leave `speed` out.", Some("speed")));
    }
    if body.stream_format.as_deref().is_some_and(|format| format != "audio") {
        return Err(Refused::bad("The sound comes as a file: leave `stream_format` out.", Some("stream_format")));
    }
    if !body.input.chars().any(char::is_alphanumeric) {
        return Err(Refused::bad("`input` holds nothing that can be said.", Some("input")));
    }
    if body.input.chars().count() > LONGEST {
        return Err(Refused::bad(format!("`input` holds at most {LONGEST} characters."), Some("input")));
    }
    Ok(with_header)
}

/// Sound at [`SOUND_RATE`], which is what OpenAI's `pcm` has, whatever the rate of its pieces.
#[derive(Default)]
struct Sound {
    samples: Vec<f32>,
    rate: Option<(u32, Resampler)>,
}

impl Sound {
    fn push(&mut self, pcm: &Pcm) {
        if self.rate.as_ref().is_none_or(|(rate, _)| *rate != pcm.rate) {
            self.flush();
            self.rate = Some((pcm.rate, Resampler::new(pcm.rate, SOUND_RATE)));
        }
        if let Some((_, resampler)) = &mut self.rate {
            self.samples.extend(resampler.push(&pcm.samples));
        }
    }

    fn flush(&mut self) {
        if let Some((_, mut resampler)) = self.rate.take() {
            self.samples.extend(resampler.finish());
        }
    }

    fn file(mut self, with_header: bool) -> Vec<u8> {
        self.flush();
        if with_header {
            return wav(&self.samples);
        }
        self.samples.into_iter().flat_map(|sample| to_i16(sample).to_le_bytes()).collect()
    }
}
