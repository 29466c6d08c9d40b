//! `POST /audio/speech`

use serde_json::Value;

use super::models::{self, OpenAiModelKind};
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::http_reply::HttpReply;
use crate::ids::Service;
use crate::programs::ProgramError;
use crate::request::RequestContext;
use crate::speech::synthesiser::encode;
use crate::synthesis::{audio_frames, speak, with_audio_fault};

/// Longest input in characters.
const MAX_INPUT_CHARACTERS: usize = 4096;

pub(super) async fn handle(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    context.check_bearer()?;
    let body = context.json()?;
    let field = |name: &str| body.get(name).and_then(Value::as_str);
    let id = field("model").unwrap_or_default();
    context.apply_fault(Service::Tts, id).await?;
    models::find(context, id, OpenAiModelKind::Tts)?;
    let input = field("input").ok_or_else(|| context.invalid_request("Missing required parameter: 'input'."))?;
    let voice = field("voice").ok_or_else(|| context.invalid_request("Missing required parameter: 'voice'."))?;
    if !models::voices().iter().any(|known| known == voice) {
        return Err(context.invalid_request(format!("Input should be one of: {}", models::voices().join(", "))));
    }
    if input.is_empty() || input.chars().count() > MAX_INPUT_CHARACTERS {
        return Err(
            context.invalid_request(format!("String should have between 1 and {MAX_INPUT_CHARACTERS} characters"))
        );
    }
    let format = field("response_format").unwrap_or("mp3");
    let pcm = speak(context, input, voice, "en-us").await.map_err(|error| context.error(&ErrorCause::from(&error)))?;
    let programs = &context.state.programs;
    let encoded = match format {
        "wav" => Ok(("audio/wav", pcm.to_wav())),
        "pcm" => Ok(("audio/pcm", pcm.to_bytes())),
        "flac" => encode(programs, &pcm, "flac").await.map(|bytes| ("audio/flac", bytes)),
        "mp3" => encode(programs, &pcm, "mp3").await.map(|bytes| ("audio/mpeg", bytes)),
        _ => Err(ProgramError::Missing("an encoder for this format")),
    };
    let (content_type, bytes) = encoded.map_err(|error| {
        context
            .invalid_request(format!("response_format '{format}' is not possible here ({error}); ask for wav or pcm"))
    })?;
    let bytes = with_audio_fault(context, bytes);
    Ok(HttpReply::stream(content_type, audio_frames(context, &bytes)).headers_with_first_frame())
}
