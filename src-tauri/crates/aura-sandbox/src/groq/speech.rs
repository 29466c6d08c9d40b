//! `POST /audio/speech`

use serde_json::Value;

use super::auth::check_access;
use super::models::{self, GroqModelKind};
use super::rate_limit::with_token_limit_headers;
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::faults::FaultKind;
use crate::http_reply::HttpReply;
use crate::ids::Service;
use crate::request::RequestContext;
use crate::synthesis::{audio_frames, speak, with_audio_fault};
use crate::wav;

const FIELDS: &[&str] = &["model", "input", "voice", "response_format", "sample_rate", "speed"];

const RATES: &[u64] = &[8000, 16000, 22050, 24000, 32000, 44100, 48000];

/// Longest input in characters, directions in brackets included.
const MAX_INPUT_CHARACTERS: usize = 200;

pub(super) async fn handle(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    check_access(context)?;
    let body = context.json()?;
    let field = |name: &str| body.get(name).and_then(Value::as_str);
    let id = field("model").unwrap_or_default();
    context.apply_fault(Service::Tts, id).await?;
    if id.is_empty() {
        return Err(context.invalid_request("'model' : property 'model' is missing"));
    }
    let model = models::find(context, id)?;
    if model.kind != GroqModelKind::Tts {
        return Err(context.invalid_request(format!("The model `{id}` does not support text to speech")));
    }
    if let Some(name) = body.as_object().and_then(|fields| fields.keys().find(|name| !FIELDS.contains(&name.as_str())))
    {
        return Err(context.invalid_request(format!("property '{name}' is unsupported")));
    }
    let input = field("input").ok_or_else(|| context.invalid_request("'input' : property 'input' is missing"))?;
    let voice = field("voice").ok_or_else(|| context.invalid_request("'voice' : property 'voice' is missing"))?;
    if !model.voices.iter().any(|known| known == voice) {
        return Err(context.invalid_request(format!("voice must be one of [{}]", model.voices.join(" "))));
    }
    match field("response_format") {
        Some("wav") => {}
        Some("flac" | "mp3" | "mulaw" | "ogg") => {
            return Err(context.invalid_request(format!("The model `{id}` only supports the response_format wav")));
        }
        _ => return Err(context.invalid_request("response_format must be one of [flac mp3 mulaw ogg wav]")),
    }
    let rate = body.get("sample_rate").filter(|rate| !rate.is_null());
    if rate.is_some_and(|rate| !rate.as_u64().is_some_and(|rate| RATES.contains(&rate))) {
        return Err(context.invalid_request("sample_rate must be one of [8000 16000 22050 24000 32000 44100 48000]"));
    }
    let speed = body.get("speed").filter(|speed| !speed.is_null());
    if speed.is_some_and(|speed| !speed.as_f64().is_some_and(|speed| (0.5..=5.0).contains(&speed))) {
        return Err(context.invalid_request("speed must be between 0.5 and 5"));
    }
    if input.chars().count() > MAX_INPUT_CHARACTERS {
        return Err(
            context.invalid_request(format!("Input text exceeds the maximum of {MAX_INPUT_CHARACTERS} characters"))
        );
    }
    if !input.chars().any(char::is_alphanumeric) {
        return Err(context.invalid_request("Input must contain at least one letter or digit"));
    }
    let pcm = speak(context, input, voice, &model.language)
        .await
        .map_err(|error| context.error(&ErrorCause::from(&error)))?;
    // The header is sent before the length is known, so its sizes are 0xFFFFFFFF.
    let mut bytes = wav::header(pcm.rate, pcm.channels, u32::MAX);
    bytes.extend(pcm.to_bytes());
    let bytes = match context.fault() {
        // With the true sizes, so that a client can detect the missing half.
        Some(FaultKind::TruncatedAudio) => with_audio_fault(context, pcm.to_wav()),
        _ => with_audio_fault(context, bytes),
    };
    let reply = HttpReply::stream("audio/wav", audio_frames(context, &bytes)).headers_with_first_frame();
    Ok(with_token_limit_headers(context, reply))
}
