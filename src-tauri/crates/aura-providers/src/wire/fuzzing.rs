//! Runs the decoders and parsers on arbitrary bytes and checks their invariants, for the property tests and the fuzz targets.
//!
//! No decoder may panic, and its events may not depend on how the bytes are cut.

use std::fmt::Debug;
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::decoder::{Decoder, decode_all};
use super::gemini_live::GeminiLive;
use super::json_events::JsonEvents;
use super::live::LiveFormat;
use super::openai_realtime::OpenaiRealtime;
use super::vllm_realtime::VllmRealtime;
use super::{
    chat_transcription, embeddings, error_reply, gemini_audio, gemini_generate, gemini_models, json, openai_audio,
    openai_chat, openai_models, retry_after, speech_decoder, sse,
};
use crate::catalog::Catalog;
use crate::types::{
    ChatEvent, EmbeddingRequest, Failure, FailureKind, ListedModel, PartialTranscript, Service, SpeechEvent,
    StreamingRequest, TranscriptionRequest,
};
use aura_audio::{Pcm, WavDecoder};

/// Longer delays are not compared: they are measured from now, which changes while a test runs.
const ONE_HOUR: Duration = Duration::from_secs(3_600);
/// The longest delay that a parser may return.
const MAX_DELAY: Duration = Duration::from_secs(31 * 24 * 3_600);

/// A seed derived from the bytes (FNV-1a), so that a finding can be reproduced.
pub fn seed(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Splits bytes into pieces of 1 to 64 bytes, whose lengths derive from the seed.
pub fn pieces(mut bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut state = seed | 1;
    let mut all = Vec::new();
    while !bytes.is_empty() {
        // Xorshift
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let (piece, rest) = bytes.split_at((state % 64 + 1).min(bytes.len() as u64) as usize);
        all.push(piece);
        bytes = rest;
    }
    all
}

/// Decodes server-sent events.
pub fn events(bytes: &[u8], seed: u64) {
    let decode = |chunks: &[&[u8]]| {
        let (mut decoder, mut items) = (sse::SseDecoder::default(), Vec::new());
        let pushed = chunks.iter().try_for_each(|chunk| decoder.push(chunk, &mut items));
        (pushed.and_then(|()| decoder.finish(&mut items)).is_err(), items)
    };
    let (failed, whole) = decode(&[bytes]);
    if !failed {
        assert_eq!(decode(&pieces(bytes, seed)), (failed, whole));
    }
}

/// Decodes streams and complete replies of JSON in every format.
pub fn replies(bytes: &[u8], seed: u64) {
    let cut = pieces(bytes, seed);
    check_split(&cut, bytes, || JsonEvents::new(openai_chat::OpenaiChatReader::default()), normalised_chat);
    check_split(&cut, bytes, || JsonEvents::new(openai_chat::OpenaiChatReader::new(true, None)), normalised_chat);
    check_split(&cut, bytes, || JsonEvents::new(gemini_generate::GeminiChatReader::default()), normalised_chat);
    check_split(&cut, bytes, || JsonEvents::new(gemini_audio::GeminiSpeechReader::default()), normalised_speech);

    let request = TranscriptionRequest::default();
    drop(openai_audio::transcript(bytes, &request));
    let Ok(value) = json::parse(bytes) else { return };
    drop((gemini_audio::transcript(&value, &request), chat_transcription::transcript_of_chat(&value, &request, false)));
    let mut model = ListedModel { services: vec![Service::Llm], ..ListedModel::default() };
    openai_models::add_ollama_details(&mut model, &value);
    openai_models::add_audio_input(std::slice::from_mut(&mut model), &value);
    drop((
        openai_models::list(&Catalog::embedded(), "groq", &value),
        openai_models::lmstudio(&value),
        openai_models::voices(&value),
    ));
    drop(gemini_models::page(&Catalog::embedded(), &value));
    let texts = EmbeddingRequest { dimensions: Some(2), ..EmbeddingRequest::new("m", ["a", "b"]) };
    for embedded in [embeddings::openai_reply(&value, 2), embeddings::gemini_reply(&value, &texts)] {
        let vectors = embedded.map(|embedded| embedded.vectors).unwrap_or_default();
        assert!(vectors.is_empty() || (vectors.len() == 2 && vectors[0].len() == vectors[1].len()));
    }
}

/// Decodes speech under every content type that a server may send, and WAV files.
pub fn sound(bytes: &[u8], seed: u64) {
    let cut = pieces(bytes, seed);
    for (content_type, requested) in [
        ("audio/wav", "wav"),
        ("audio/L16;codec=pcm;rate=16000", "wav"),
        ("audio/pcm", "pcm"),
        ("audio/mpeg", "mp3"),
        ("application/json", "wav"),
        ("text/html", "wav"),
        ("", "wav"),
    ] {
        check_split(
            &cut,
            bytes,
            || speech_decoder::SpeechDecoder::new(content_type.to_ascii_lowercase(), requested, None),
            normalised_speech,
        );
    }
    let mut decoder = WavDecoder::new();
    let mut samples = 0;
    for chunk in cut {
        match decoder.push(chunk) {
            Ok(pcm) => samples += pcm.map_or(0, |pcm| pcm.samples.len()),
            Err(_) => return,
        }
    }
    assert!(decoder.missing() < Duration::from_secs(u64::from(u32::MAX)));
    samples += decoder.finish().ok().flatten().map_or(0, |pcm| pcm.samples.len());
    assert!(samples <= bytes.len(), "more samples than bytes");
}

/// Reads lines as the messages of a live transcription in every format; the seed says before which of them the audio ends.
pub fn live(bytes: &[u8], seed: u64) {
    let request = StreamingRequest::default();
    session(OpenaiRealtime::new(request.clone(), true), bytes, seed);
    session(VllmRealtime::new(request.clone()), bytes, seed);
    session(GeminiLive::new(request), bytes, seed);
}

fn session(mut format: impl LiveFormat, bytes: &[u8], seed: u64) {
    let text = String::from_utf8_lossy(bytes);
    let end = seed % (text.lines().count() as u64 + 1);
    for (at, message) in text.lines().enumerate() {
        if at as u64 == end {
            assert!(!format.end().is_empty());
        }
        if let Err(failure) = format.read(message) {
            check_failure(&failure);
            return;
        }
        let PartialTranscript { committed, tentative } = format.partial();
        assert!(!committed.starts_with(char::is_whitespace), "{committed:?} {tentative:?}");
        assert!(at as u64 >= end || format.transcript().is_none(), "a transcript before the end of the audio");
    }
}

/// Parses error bodies under every status, and the delays in them.
pub fn error_bodies(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for status in [200, 302, 400, 401, 403, 404, 408, 413, 418, 422, 429, 498, 500, 503, 529, 999] {
        check_failure(&error_reply::failure(status, &HeaderMap::new(), &text));
    }
    for wait in [retry_after::go_duration(&text), retry_after::in_text(&text)].into_iter().flatten() {
        assert!(wait <= MAX_DELAY, "{wait:?}");
    }
    if let Ok(value) = serde_json::from_slice::<Value>(bytes)
        && let Some(failure) = error_reply::in_success(&value)
    {
        check_failure(&failure);
    }
}

/// Checks that a failure has a message that can be shown.
fn check_failure(failure: &Failure) {
    assert!(!failure.message.trim().is_empty(), "{failure:?}");
    assert!(failure.message.chars().count() <= 300, "{failure:?}");
    assert!(failure.retry_after.is_none_or(|wait| wait <= MAX_DELAY), "{failure:?}");
}

/// Checks that bytes decode to the same events whole and in events. `normalise` makes events comparable that may be cut in other
/// places.
fn check_split<D: Decoder, T: PartialEq + Debug>(
    cut: &[&[u8]],
    whole: &[u8],
    decoder: impl Fn() -> D,
    normalise: fn(Vec<D::Output>) -> T,
) {
    // A quota lasts from now until the provider's midnight.
    let without_passing_delay = |failure: Failure| Failure {
        retry_after: failure.retry_after.filter(|wait| failure.kind != FailureKind::Quota && *wait < ONE_HOUR),
        ..failure
    };
    let (events, failure) = decode_all(decoder(), &[whole]);
    let whole = (normalise(events), failure.map(without_passing_delay));
    let (events, failure) = decode_all(decoder(), cut);
    assert_eq!((normalise(events), failure.map(without_passing_delay)), whole);
}

fn normalised_chat(events: Vec<ChatEvent>) -> Vec<ChatEvent> {
    let ended = matches!(events.last(), Some(ChatEvent::End { .. }));
    let ends = events.iter().filter(|event| matches!(event, ChatEvent::End { .. })).count();
    assert_eq!(ends, usize::from(ended), "there is at most one end, and it is last: {events:?}");
    let calls = events.into_iter().map(|event| match event {
        // A call without an id gets a random one.
        ChatEvent::ToolCall(mut call) if call.id.starts_with("call_") => {
            call.id.clear();
            ChatEvent::ToolCall(call)
        }
        event => event,
    });
    calls.collect()
}

fn normalised_speech(events: Vec<SpeechEvent>) -> Vec<SpeechEvent> {
    let mut all: Vec<SpeechEvent> = Vec::new();
    for event in events {
        match (all.last_mut(), event) {
            (Some(SpeechEvent::Pcm(Pcm { rate, samples })), SpeechEvent::Pcm(pcm)) if *rate == pcm.rate => {
                samples.extend(pcm.samples);
            }
            (_, event) => all.push(event),
        }
    }
    // NaN differs from itself; a WAV file with floats may contain it.
    for event in &mut all {
        if let SpeechEvent::Pcm(pcm) = event {
            pcm.samples.iter_mut().filter(|sample| sample.is_nan()).for_each(|sample| *sample = 2.0);
        }
    }
    all
}
