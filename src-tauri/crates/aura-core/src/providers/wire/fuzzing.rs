//! Every reader of foreign bytes, one call each, with what must hold of it: for the property tests and the fuzz targets.
//!
//! A reader never panics, gives the same however the bytes are cut, and keeps no more than it is allowed to.

use std::fmt::Debug;
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::json_events::JsonEvents;
use super::stream::{Decoder, decode_all};
use super::{
    delay, errors, gemini_audio, gemini_generate, gemini_models, heard, http, openai_audio, openai_chat, openai_models,
    speech, sse,
};
use crate::audio::{Pcm, WavDecoder};
use crate::providers::{ChatPiece, Failure, ListedModel, Service, SpeechPiece, SttRequest};

/// A wait that is not told in so many words.
const AN_HOUR: Duration = Duration::from_secs(3_600);
/// No wait that a provider tells of is believed when it is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(31 * 24 * 3_600);

/// A seed that follows from the bytes themselves, so that a finding can be repeated.
pub fn seed(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The same bytes in pieces whose lengths follow from the seed.
pub fn pieces(mut bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut state = seed | 1;
    let mut all = Vec::new();
    while !bytes.is_empty() {
        // Xorshift: lengths of 1 to 64, as unlike each other as chance makes them.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let (piece, rest) = bytes.split_at((state % 64 + 1).min(bytes.len() as u64) as usize);
        all.push(piece);
        bytes = rest;
    }
    all
}

/// Server-sent events.
pub fn events(bytes: &[u8], seed: u64) {
    let decode = |chunks: &[&[u8]]| {
        let (mut decoder, mut items) = (sse::Decoder::default(), Vec::new());
        let pushed = chunks.iter().try_for_each(|chunk| decoder.push(chunk, &mut items));
        (pushed.and_then(|()| decoder.finish(&mut items)).is_err(), items)
    };
    let (failed, whole) = decode(&[bytes]);
    if !failed {
        assert_eq!(decode(&pieces(bytes, seed)), (failed, whole));
    }
}

/// Streams and whole replies of JSON, in every dialect.
pub fn replies(bytes: &[u8], seed: u64) {
    let cut = pieces(bytes, seed);
    same(&cut, bytes, || JsonEvents::new(openai_chat::Answer::default()), told);
    same(&cut, bytes, || JsonEvents::new(openai_chat::Answer::new("qwq", None)), told);
    same(&cut, bytes, || JsonEvents::new(gemini_generate::Answer::default()), told);
    same(&cut, bytes, || JsonEvents::new(gemini_audio::Speech::default()), sounded);

    let request = SttRequest::default();
    drop(openai_audio::transcript(bytes, &request));
    let Ok(value) = http::parse(bytes) else { return };
    drop((gemini_audio::transcript(&value, &request), heard::transcript_of_chat(&value, &request)));
    let mut model = ListedModel { services: vec![Service::Llm], ..ListedModel::default() };
    openai_models::ollama(&mut model, &value);
    openai_models::hearing(std::slice::from_mut(&mut model), &value);
    drop((openai_models::list("groq", &value), openai_models::lmstudio(&value), openai_models::voices(&value)));
    drop(gemini_models::page(&value));
}

/// Speech, under every content type that a server may claim, and the headers of WAV files.
pub fn sound(bytes: &[u8], seed: u64) {
    let cut = pieces(bytes, seed);
    for (content_type, asked_for) in [
        ("audio/wav", "wav"),
        ("audio/L16;codec=pcm;rate=16000", "wav"),
        ("audio/pcm", "pcm"),
        ("audio/mpeg", "mp3"),
        ("application/json", "wav"),
        ("text/html", "wav"),
        ("", "wav"),
    ] {
        same(&cut, bytes, || speech::Speech::new(content_type.to_ascii_lowercase(), asked_for, None), sounded);
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

/// The bodies of errors under every status, and the waits they tell of.
pub fn error_bodies(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for status in [200, 302, 400, 401, 403, 404, 408, 413, 418, 422, 429, 498, 500, 503, 529, 999] {
        good(&errors::failure(status, &HeaderMap::new(), &text));
    }
    for wait in [delay::go_duration(&text), delay::in_text(&text)].into_iter().flatten() {
        assert!(wait <= LONGEST_WAIT, "{wait:?}");
    }
    if let Ok(value) = serde_json::from_slice::<Value>(bytes)
        && let Some(failure) = errors::in_success(&value)
    {
        good(&failure);
    }
}

/// A message that can be shown.
fn good(failure: &Failure) {
    assert!(!failure.message.trim().is_empty(), "{failure:?}");
    assert!(failure.message.chars().count() <= 300, "{failure:?}");
    assert!(failure.retry_after.is_none_or(|wait| wait <= LONGEST_WAIT), "{failure:?}");
}

/// Whole or in pieces, the same comes out. `plain` makes pieces comparable that may be cut in other places.
fn same<D: Decoder, T: PartialEq + Debug>(
    cut: &[&[u8]],
    whole: &[u8],
    decoder: impl Fn() -> D,
    plain: fn(Vec<D::Piece>) -> T,
) {
    // Until midnight is less and less as time goes by.
    let still =
        |failure: Failure| Failure { retry_after: failure.retry_after.filter(|wait| *wait < AN_HOUR), ..failure };
    let (pieces, failure) = decode_all(decoder(), &[whole]);
    let whole = (plain(pieces), failure.map(still));
    let (pieces, failure) = decode_all(decoder(), cut);
    assert_eq!((plain(pieces), failure.map(still)), whole);
}

fn told(pieces: Vec<ChatPiece>) -> Vec<ChatPiece> {
    let ended = matches!(pieces.last(), Some(ChatPiece::End { .. }));
    let ends = pieces.iter().filter(|piece| matches!(piece, ChatPiece::End { .. })).count();
    assert_eq!(ends, usize::from(ended), "the end is one, and last: {pieces:?}");
    let calls = pieces.into_iter().map(|piece| match piece {
        // A call that came without a name got a new one each time.
        ChatPiece::ToolCall(mut call) if call.id.starts_with("call_") => {
            call.id.clear();
            ChatPiece::ToolCall(call)
        }
        piece => piece,
    });
    calls.collect()
}

fn sounded(pieces: Vec<SpeechPiece>) -> Vec<SpeechPiece> {
    let mut all: Vec<SpeechPiece> = Vec::new();
    for piece in pieces {
        match (all.last_mut(), piece) {
            (Some(SpeechPiece::Pcm(Pcm { rate, samples })), SpeechPiece::Pcm(pcm)) if *rate == pcm.rate => {
                samples.extend(pcm.samples);
            }
            (_, piece) => all.push(piece),
        }
    }
    // Samples are compared by their bits: a float in a file may be no number.
    for piece in &mut all {
        if let SpeechPiece::Pcm(pcm) = piece {
            pcm.samples.iter_mut().filter(|sample| sample.is_nan()).for_each(|sample| *sample = 2.0);
        }
    }
    all
}
