//! `POST /audio/speech`

use serde_json::Value;

use super::models::{self, Kind};
use super::{admit, token_limits};
use crate::call::Call;
use crate::faults::FaultKind;
use crate::kinds::Service;
use crate::refusal::{Cause, Refusal};
use crate::reply::Reply;
use crate::speaking::{frames, speak as say, spoiled};
use crate::wav;

const FIELDS: &[&str] = &["model", "input", "voice", "response_format", "sample_rate", "speed"];

const RATES: &[u64] = &[8000, 16000, 22050, 24000, 32000, 44100, 48000];

/// Characters, directions in brackets included.
const LONGEST_INPUT: usize = 200;

pub(super) async fn speak(call: &mut Call) -> Result<Reply, Refusal> {
    admit(call)?;
    let body = call.json()?;
    let field = |name: &str| body.get(name).and_then(Value::as_str);
    let id = field("model").unwrap_or_default();
    call.meet(Service::Tts, id).await?;
    if id.is_empty() {
        return Err(call.invalid("'model' : property 'model' is missing"));
    }
    let model = models::find(call, id)?;
    if model.kind != Kind::Tts {
        return Err(call.invalid(format!("The model `{id}` does not support text to speech")));
    }
    if let Some(name) = body.as_object().and_then(|fields| fields.keys().find(|name| !FIELDS.contains(&name.as_str())))
    {
        return Err(call.invalid(format!("property '{name}' is unsupported")));
    }
    let input = field("input").ok_or_else(|| call.invalid("'input' : property 'input' is missing"))?;
    let voice = field("voice").ok_or_else(|| call.invalid("'voice' : property 'voice' is missing"))?;
    if !model.voices.iter().any(|known| known == voice) {
        return Err(call.invalid(format!("voice must be one of [{}]", model.voices.join(" "))));
    }
    match field("response_format") {
        Some("wav") => {}
        Some("flac" | "mp3" | "mulaw" | "ogg") => {
            return Err(call.invalid(format!("The model `{id}` only supports the response_format wav")));
        }
        _ => return Err(call.invalid("response_format must be one of [flac mp3 mulaw ogg wav]")),
    }
    let rate = body.get("sample_rate").filter(|rate| !rate.is_null());
    if rate.is_some_and(|rate| !rate.as_u64().is_some_and(|rate| RATES.contains(&rate))) {
        return Err(call.invalid("sample_rate must be one of [8000 16000 22050 24000 32000 44100 48000]"));
    }
    let speed = body.get("speed").filter(|speed| !speed.is_null());
    if speed.is_some_and(|speed| !speed.as_f64().is_some_and(|speed| (0.5..=5.0).contains(&speed))) {
        return Err(call.invalid("speed must be between 0.5 and 5"));
    }
    if input.chars().count() > LONGEST_INPUT {
        return Err(call.invalid(format!("Input text exceeds the maximum of {LONGEST_INPUT} characters")));
    }
    if !input.chars().any(char::is_alphanumeric) {
        return Err(call.invalid("Input must contain at least one letter or digit"));
    }
    let pcm = say(call, input, voice, &model.language).await.map_err(|error| call.refuse(&Cause::from(&error)))?;
    // The header is sent before the length is known.
    let mut bytes = wav::header(pcm.rate, pcm.channels, u32::MAX);
    bytes.extend(pcm.raw());
    let bytes = match call.fault() {
        // With true sizes, so that the missing half can be noticed.
        Some(FaultKind::TruncatedAudio) => spoiled(call, pcm.file()),
        _ => spoiled(call, bytes),
    };
    let reply = Reply::stream("audio/wav", frames(call, &bytes)).headers_with_first_piece();
    Ok(token_limits(call, reply))
}
