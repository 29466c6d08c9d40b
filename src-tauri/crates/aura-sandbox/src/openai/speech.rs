//! `POST /audio/speech`

use serde_json::Value;

use super::models::{self, Kind};
use crate::call::Call;
use crate::kinds::Service;
use crate::refusal::{Cause, Refusal};
use crate::reply::Reply;
use crate::speaking::{frames, speak, spoiled};
use crate::speech::{SpeechError, encode};

/// Characters.
const LONGEST_INPUT: usize = 4096;

pub(super) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    call.check_bearer()?;
    let body = call.json()?;
    let field = |name: &str| body.get(name).and_then(Value::as_str);
    let id = field("model").unwrap_or_default();
    call.meet(Service::Tts, id).await?;
    models::find(call, id, Kind::Tts)?;
    let input = field("input").ok_or_else(|| call.invalid("Missing required parameter: 'input'."))?;
    let voice = field("voice").ok_or_else(|| call.invalid("Missing required parameter: 'voice'."))?;
    if !models::voices().iter().any(|known| known == voice) {
        return Err(call.invalid(format!("Input should be one of: {}", models::voices().join(", "))));
    }
    if input.is_empty() || input.chars().count() > LONGEST_INPUT {
        return Err(call.invalid(format!("String should have between 1 and {LONGEST_INPUT} characters")));
    }
    let format = field("response_format").unwrap_or("mp3");
    let pcm = speak(call, input, voice, "en-us").await.map_err(|error| call.refuse(&Cause::from(&error)))?;
    let programs = &call.state.programs;
    let encoded = match format {
        "wav" => Ok(("audio/wav", pcm.file())),
        "pcm" => Ok(("audio/pcm", pcm.raw())),
        "flac" => encode(programs, &pcm, "flac").await.map(|bytes| ("audio/flac", bytes)),
        "mp3" => encode(programs, &pcm, "mp3").await.map(|bytes| ("audio/mpeg", bytes)),
        _ => Err(SpeechError::Missing("an encoder for this format")),
    };
    let (content_type, bytes) = encoded.map_err(|error| {
        call.invalid(format!("response_format '{format}' is not possible here ({error}); ask for wav or pcm"))
    })?;
    let bytes = spoiled(call, bytes);
    Ok(Reply::stream(content_type, frames(call, &bytes)).headers_with_first_piece())
}
