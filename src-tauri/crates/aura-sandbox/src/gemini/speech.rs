//! Speech from a TTS model.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::generate::{Form, candidate, written};
use super::models::{Model, voices};
use super::request::Generate;
use crate::call::Call;
use crate::faults::FaultKind;
use crate::refusal::{Cause, Refusal};
use crate::reply::{Part, Reply};
use crate::speaking::{due, piece_due, speak, spoiled};
use crate::wav;

/// Tokens that the prompt of a TTS model may have.
const MOST_TOKENS: u64 = 8_192;

/// Bytes in a streamed piece. Odd on purpose: a sample may be split between two pieces.
const PIECE: usize = 4_801;

pub(super) async fn answer(
    call: &Call,
    model: &Model,
    body: &Value,
    request: &Generate,
    form: Form,
) -> Result<Reply, Refusal> {
    if !request.images.is_empty() || !request.audio.is_empty() {
        return Err(call.invalid("The model only supports text input."));
    }
    if !request.question.tools.is_empty() {
        return Err(call.invalid("Tool use is not supported for this model."));
    }
    if request.text_tokens > MOST_TOKENS {
        return Err(call.refuse(&Cause::ContextTooLong));
    }
    let config = &body["generationConfig"];
    let voice = voice(call, &config["speechConfig"])?;
    let wav_wanted = encoding(call, model, &config["responseFormat"])?;
    let language = config["speechConfig"]["languageCode"].as_str().unwrap_or("en-US").to_lowercase();
    let language = if language.starts_with("en") { "en-us" } else { language.split('-').next().unwrap_or("en-us") };
    let pcm = speak(call, &request.question.heard, voice, language).await;
    let pcm = pcm.map_err(|error| call.refuse(&Cause::from(&error)))?;
    let mime = if wav_wanted { "audio/wav".to_owned() } else { format!("audio/L16;codec=pcm;rate={}", pcm.rate) };
    // Gemini counts 25 tokens a second of speech.
    let spoken = (pcm.seconds() * 25.0) as u64;
    let used = usage(request, spoken);
    if let Some(FaultKind::EmptyAnswer { finish }) = call.fault() {
        let finish = finish.as_deref().unwrap_or("OTHER");
        let response = candidate(call, model, json!({}), Some(finish), used);
        return Ok(match form {
            Form::Whole => Reply::json(due(call), &response),
            _ => written(form, vec![(Part::Finish, due(call), response)]),
        });
    }
    let audio = |bytes: &[u8]| json!({"parts": [{"inlineData": {"mimeType": mime, "data": BASE64_STANDARD.encode(bytes)}}], "role": "model"});
    if form == Form::Whole {
        let bytes = spoiled(call, if wav_wanted { pcm.file() } else { pcm.raw() });
        return Ok(Reply::json(due(call), &candidate(call, model, audio(&bytes), Some("STOP"), used)));
    }
    let mut bytes = if wav_wanted { wav::header(pcm.rate, pcm.channels, u32::MAX) } else { Vec::new() };
    bytes.extend(pcm.raw());
    let bytes = spoiled(call, bytes);
    let mut pieces: Vec<_> = bytes
        .chunks(PIECE)
        .enumerate()
        .map(|(n, piece)| (Part::Content, piece_due(call, n), candidate(call, model, audio(piece), None, Value::Null)))
        .collect();
    let end = piece_due(call, pieces.len().saturating_sub(1));
    let last = json!({"parts": [], "role": "model"});
    pieces.push((Part::Finish, end, candidate(call, model, last, Some("STOP"), used)));
    Ok(written(form, pieces))
}

fn voice<'a>(call: &Call, config: &'a Value) -> Result<&'a str, Refusal> {
    let speakers = &config["multiSpeakerVoiceConfig"]["speakerVoiceConfigs"];
    let several = speakers.as_array().map_or(0, Vec::len);
    if several > 2 || (several > 0 && !config["voiceConfig"].is_null()) {
        return Err(call.invalid("multi_speaker_voice_config takes at most 2 speakers and excludes voice_config"));
    }
    // Two speakers are read by the first one's voice.
    let config = if several > 0 { &speakers[0]["voiceConfig"] } else { &config["voiceConfig"] };
    let name = config["prebuiltVoiceConfig"]["voiceName"].as_str().unwrap_or("Kore");
    if voices().iter().any(|known| known == name) {
        return Ok(name);
    }
    Err(call.invalid(format!("Voice name {name} is not supported. Allowed voice names are: {}", voices().join(", "))))
}

/// Whether a WAV file is wanted, rather than bare samples.
fn encoding(call: &Call, model: &Model, format: &Value) -> Result<bool, Refusal> {
    // The field is documented as an object and sent as a list by the official client.
    let audio = format.get("audio").or_else(|| format.get(0)?.get("audio"));
    match audio.and_then(|audio| audio["mimeType"].as_str()) {
        None => Ok(model.wav),
        Some("AUDIO_WAV") => Ok(true),
        Some("AUDIO_L16") => Ok(false),
        Some(other) => Err(call.invalid(format!("Unsupported response audio format: {other}"))),
    }
}

fn usage(request: &Generate, spoken: u64) -> Value {
    json!({
        "promptTokenCount": request.text_tokens,
        "candidatesTokenCount": spoken,
        "totalTokenCount": request.text_tokens + spoken,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": request.text_tokens}],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": spoken}],
    })
}
