//! Speech synthesis with generateContent.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::generate_request::GenerateRequest;
use super::models::{GeminiModel, voices};
use super::response::{ResponseMode, candidate_response, stream_reply};
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::faults::FaultKind;
use crate::http_reply::{FrameKind, HttpReply};
use crate::request::RequestContext;
use crate::synthesis::{audio_chunk_due, first_audio_due, speak, with_audio_fault};
use crate::wav;

/// Largest prompt of a TTS model, in tokens.
const MAX_PROMPT_TOKENS: u64 = 8_192;

/// Bytes in a streamed chunk. Odd on purpose, so that clients must join a sample that is split
/// between two chunks.
const CHUNK_BYTES: usize = 4_801;

pub(super) async fn handle(
    context: &RequestContext,
    model: &GeminiModel,
    body: &Value,
    request: &GenerateRequest,
    mode: ResponseMode,
) -> Result<HttpReply, ErrorReply> {
    if !request.images.is_empty() || !request.audio.is_empty() {
        return Err(context.invalid_request("The model only supports text input."));
    }
    if !request.prompt.tools.is_empty() {
        return Err(context.invalid_request("Tool use is not supported for this model."));
    }
    if request.text_tokens > MAX_PROMPT_TOKENS {
        return Err(context.error(&ErrorCause::ContextTooLong));
    }
    let config = &body["generationConfig"];
    let voice = voice(context, &config["speechConfig"])?;
    let wants_wav = wants_wav(context, model, &config["responseFormat"])?;
    let language = config["speechConfig"]["languageCode"].as_str().unwrap_or("en-US").to_lowercase();
    let language = if language.starts_with("en") { "en-us" } else { language.split('-').next().unwrap_or("en-us") };
    let pcm = speak(context, &request.prompt.user_text, voice, language).await;
    let pcm = pcm.map_err(|error| context.error(&ErrorCause::from(&error)))?;
    let mime = if wants_wav { "audio/wav".to_owned() } else { format!("audio/L16;codec=pcm;rate={}", pcm.rate) };
    // Gemini counts 25 tokens for one second of speech.
    let spoken = (pcm.seconds() * 25.0) as u64;
    let used = usage(request, spoken);
    if let Some(FaultKind::EmptyAnswer { finish }) = context.fault() {
        let finish = finish.as_deref().unwrap_or("OTHER");
        let response = candidate_response(context, model, json!({}), Some(finish), used);
        return Ok(match mode {
            ResponseMode::Single => HttpReply::json(first_audio_due(context), &response),
            _ => stream_reply(mode, vec![(FrameKind::Finish, first_audio_due(context), response)]),
        });
    }
    let audio = |bytes: &[u8]| json!({"parts": [{"inlineData": {"mimeType": mime, "data": BASE64_STANDARD.encode(bytes)}}], "role": "model"});
    if mode == ResponseMode::Single {
        let bytes = with_audio_fault(context, if wants_wav { pcm.to_wav() } else { pcm.to_bytes() });
        return Ok(HttpReply::json(
            first_audio_due(context),
            &candidate_response(context, model, audio(&bytes), Some("STOP"), used),
        ));
    }
    let mut bytes = if wants_wav { wav::header(pcm.rate, pcm.channels, u32::MAX) } else { Vec::new() };
    bytes.extend(pcm.to_bytes());
    let bytes = with_audio_fault(context, bytes);
    let mut responses: Vec<_> = bytes
        .chunks(CHUNK_BYTES)
        .enumerate()
        .map(|(n, chunk)| {
            (
                FrameKind::Content,
                audio_chunk_due(context, n),
                candidate_response(context, model, audio(chunk), None, Value::Null),
            )
        })
        .collect();
    let end = audio_chunk_due(context, responses.len().saturating_sub(1));
    let last = json!({"parts": [], "role": "model"});
    responses.push((FrameKind::Finish, end, candidate_response(context, model, last, Some("STOP"), used)));
    Ok(stream_reply(mode, responses))
}

fn voice<'a>(context: &RequestContext, config: &'a Value) -> Result<&'a str, ErrorReply> {
    let speakers = &config["multiSpeakerVoiceConfig"]["speakerVoiceConfigs"];
    let several = speakers.as_array().map_or(0, Vec::len);
    if several > 2 || (several > 0 && !config["voiceConfig"].is_null()) {
        return Err(
            context.invalid_request("multi_speaker_voice_config takes at most 2 speakers and excludes voice_config")
        );
    }
    // With two speakers, the first one's voice reads everything.
    let config = if several > 0 { &speakers[0]["voiceConfig"] } else { &config["voiceConfig"] };
    let name = config["prebuiltVoiceConfig"]["voiceName"].as_str().unwrap_or("Kore");
    if voices().iter().any(|known| known == name) {
        return Ok(name);
    }
    Err(context.invalid_request(format!(
        "Voice name {name} is not supported. Allowed voice names are: {}",
        voices().join(", ")
    )))
}

/// Whether the response is a WAV file. Otherwise it is raw samples.
fn wants_wav(context: &RequestContext, model: &GeminiModel, format: &Value) -> Result<bool, ErrorReply> {
    // The documentation has an object here; the official client sends a list.
    let audio = format.get("audio").or_else(|| format.get(0)?.get("audio"));
    match audio.and_then(|audio| audio["mimeType"].as_str()) {
        None => Ok(model.wav),
        Some("AUDIO_WAV") => Ok(true),
        Some("AUDIO_L16") => Ok(false),
        Some(other) => Err(context.invalid_request(format!("Unsupported response audio format: {other}"))),
    }
}

fn usage(request: &GenerateRequest, spoken: u64) -> Value {
    json!({
        "promptTokenCount": request.text_tokens,
        "candidatesTokenCount": spoken,
        "totalTokenCount": request.text_tokens + spoken,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": request.text_tokens}],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": spoken}],
    })
}
