//! Invariants of every decoder, whatever arrives and however it is cut.

use std::fmt::Write as _;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::decoder::{Decoder, decode_all};
use super::json_events::JsonEvents;
use super::{fuzzing, gemini_audio, gemini_generate, openai_chat, recorded, speech_decoder, sse};
use crate::types::ChatEvent;

static RECORDED: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| recorded::all(""));

fn all(bytes: &[u8], seed: u64) {
    fuzzing::events(bytes, seed);
    fuzzing::replies(bytes, seed);
    fuzzing::sound(bytes, seed);
    fuzzing::live(bytes, seed);
    fuzzing::error_bodies(bytes);
}

/// The fuzz targets are outside the workspace, so the compiler does not check what they call.
#[test]
fn fuzz_targets_and_fuzzing_functions_match() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/fuzz_targets");
    let called: std::collections::BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .filter(|text| text.contains("use aura_providers::fuzzing;"))
        .map(|text| text.split("|bytes: &[u8]| ").nth(1).unwrap().trim_end_matches(");\n").to_owned())
        .collect();
    let seeded = |name: &str| format!("fuzzing::{name}(bytes, fuzzing::seed(bytes))");
    let seeds = ["events", "replies", "sound", "live"].map(seeded);
    let expected = seeds.into_iter().chain(["fuzzing::error_bodies(bytes)".into()]);
    assert_eq!(called, expected.collect());
    let _: [fn(&[u8], u64); 4] = [fuzzing::events, fuzzing::replies, fuzzing::sound, fuzzing::live];
    let _: fn(&[u8]) = fuzzing::error_bodies;
    let _: fn(&[u8]) -> u64 = fuzzing::seed;
}

/// A multi-byte character may be split between two chunks.
#[test]
fn trap_32_a_character_split_between_two_chunks_is_decoded() {
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"é👍ü\"},\"finish_reason\":\"stop\"}]}\n\n".as_bytes();
    for cut in 0..stream.len() {
        let answer = JsonEvents::new(openai_chat::OpenaiChatReader::default());
        let (events, failure) = decode_all(answer, &[&stream[..cut], &stream[cut..]]);
        assert_eq!((&events[0], failure), (&ChatEvent::Text("é👍ü".into()), None), "cut at {cut}");
    }
}

#[test]
fn recordings_decode_the_same_however_they_are_cut() {
    for (_, bytes) in RECORDED.iter() {
        for seed in 0..20 {
            all(bytes, seed * 7_919 + 1);
        }
    }
}

/// Fragments of real streams. Together they reach more code than noise does.
fn fragment() -> impl Strategy<Value = &'static [u8]> {
    let fragments: [&[u8]; 40] = [
        b"data: ",
        b"data:",
        b"event: error\n",
        b"id: 1\n",
        b"retry: 5\n",
        b": hello\n",
        b"\n",
        b"\n\n",
        b"\r",
        b"\r\n\r\n",
        b"[DONE]",
        b"{\"choices\":[{\"delta\":{\"content\":\"",
        b"hi",
        b"<think>",
        b"</think>",
        b"\"}}]}",
        b"\",\"tool_calls\":[{",
        b"\"index\":1,\"function\":{\"arguments\":\"{\"}}]}}]}",
        b"{\"error\":{\"message\":\"no\"}}",
        b"{\"error\":null}",
        b"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]}",
        b",\"finishReason\":\"STOP\"}]}",
        b",\"finish_reason\":\"stop\"}]}",
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\xc0\x5d\0\0\x80\xbb\0\0\x02\0\x10\0data",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"\x10\0\0\0",
        b"ID3",
        b"OggS",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
        b"\xc2\x85",
        b"\xf0\x9f",
        b"[",
        b"]",
        b"{",
        b"}",
        b"\"",
        b"\\",
        b"<html><title>",
    ];
    prop::sample::select(fragments.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn noise_decodes_the_same_however_it_is_cut(bytes in prop::collection::vec(any::<u8>(), 0..400), seed: u64) {
        all(&bytes, seed);
    }

    #[test]
    fn fragments_decode_the_same_however_they_are_cut(parts in prop::collection::vec(fragment(), 0..60), seed: u64) {
        all(&parts.concat(), seed);
    }

    #[test]
    fn damaged_recordings_decode_the_same_however_they_are_cut(
        which in 0_usize..500,
        at in 0_usize..20_000,
        put in prop::collection::vec(any::<u8>(), 0..8),
        drop in 0_usize..40,
        seed: u64,
    ) {
        let mut bytes = RECORDED[which % RECORDED.len()].1.clone();
        let at = at % (bytes.len() + 1);
        let end = (at + drop).min(bytes.len());
        bytes.splice(at..end, put);
        all(&bytes, seed);
    }
}

/// Messages of live transcriptions, whole and damaged.
fn live_message() -> impl Strategy<Value = String> {
    let item = || prop::sample::select(vec!["a", "b", "c"]);
    let text = "[ a-zA-Z.é日]{0,12}";
    let kind = "conversation.item.input_audio_transcription";
    prop_oneof![
        (item(), text)
            .prop_map(move |(id, text)| format!(r#"{{"type":"{kind}.delta","item_id":"{id}","delta":"{text}"}}"#)),
        (item(), text).prop_map(move |(id, text)| format!(
            r#"{{"type":"{kind}.completed","item_id":"{id}","transcript":"{text}"}}"#
        )),
        (item(), item()).prop_map(|(id, previous)| {
            format!(r#"{{"type":"input_audio_buffer.committed","item_id":"{id}","previous_item_id":"{previous}"}}"#)
        }),
        text.prop_map(|text| format!(r#"{{"type":"transcription.delta","delta":"{text}"}}"#)),
        text.prop_map(|text| format!(r#"{{"type":"transcription.done","text":"{text}"}}"#)),
        text.prop_map(|text| format!(r#"{{"serverContent":{{"interimInputTranscription":{{"text":"{text}"}}}}}}"#)),
        text.prop_map(|text| format!(r#"{{"serverContent":{{"inputTranscription":{{"text":"{text}"}}}}}}"#)),
        Just(r#"{"serverContent":{"turnComplete":true}}"#.to_owned()),
        Just(r#"{"setupComplete":{}}"#.to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn live_transcriptions_end_only_after_their_audio(
        messages in prop::collection::vec(live_message(), 0..30),
        seed: u64,
        cut in 0_usize..4_000,
    ) {
        let text = messages.join("\n");
        fuzzing::live(text.as_bytes(), seed);
        fuzzing::live(&text.as_bytes()[..cut.min(text.len())], seed);
    }
}

/// Feeds a decoder with repeated bytes, until it fails or 2 MiB are read. Returns the length of its state as debug text.
fn kept<D: Decoder + std::fmt::Debug>(mut decoder: D, unit: &[u8]) -> usize {
    const FED: usize = 2 * 1024 * 1024;
    const CHUNK: usize = 16 * 1024; // what a socket delivers at once
    let block = unit.repeat((CHUNK / unit.len()).max(1));
    let (mut fed, mut most) = (0, 0);
    for chunk in std::iter::repeat_with(|| block.chunks(CHUNK)).flatten() {
        let mut out = Vec::new();
        let failed = decoder.push(chunk, &mut out).is_err();
        fed += chunk.len();
        if failed || fed >= FED {
            let mut text = String::new();
            write!(text, "{decoder:?}").unwrap();
            most = most.max(text.len());
            break;
        }
    }
    most
}

/// As debug text, a byte takes up to five characters.
#[test]
fn an_endless_stream_needs_bounded_memory() {
    const LIMIT: usize = 64 * 1024;
    let most = 5 * (2 * LIMIT + 2 * super::MAX_TOOL_CALL_BYTES);
    let tool = |index: &str| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{{index}\"function\":{{\"name\":\"f\",\"arguments\":\"{}\"}}}}]}}}}]}}\n\n",
            "x".repeat(100)
        )
    };
    let call = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}}}]}}]}\n\n";
    let units: Vec<Vec<u8>> = vec![
        b"x".to_vec(),
        b"data: x\n".to_vec(),
        b"{\"a\":\n".to_vec(),
        b"[".to_vec(),
        b": comment\n".to_vec(),
        b"event: x\nid: y\n".to_vec(),
        b"data: {\"choices\":[{\"delta\":{\"content\":\"<think>aaaaaaaaaaaaaaaaaaaa\"}}]}\n\n".to_vec(),
        b"data: {\"choices\":[{\"delta\":{\"content\":\"<\"}}]}\n\n".to_vec(),
        tool("\"index\":0,").into_bytes(),
        tool("").into_bytes(),
        call.as_bytes().to_vec(),
        b"RIFF".to_vec(),
        b"<html>".to_vec(),
    ];
    for unit in &units {
        let named = || String::from_utf8_lossy(unit);
        let openai = kept(JsonEvents::with_limit(openai_chat::OpenaiChatReader::default(), LIMIT), unit);
        assert!(openai < most, "{openai} of {} in OpenAI's format", named());
        let gemini = kept(JsonEvents::with_limit(gemini_generate::GeminiChatReader::default(), LIMIT), unit);
        assert!(gemini < most, "{gemini} of {} in Gemini's format", named());
        let spoken = kept(JsonEvents::with_limit(gemini_audio::GeminiSpeechReader::default(), LIMIT), unit);
        assert!(spoken < most, "{spoken} of {} as Gemini's speech", named());
        for content_type in ["audio/wav", "text/html", "audio/pcm"] {
            let sound = kept(speech_decoder::SpeechDecoder::new(content_type.into(), "wav", None), unit);
            assert!(sound < most, "{sound} of {} as {content_type}", named());
        }
    }
    // Many tool calls, each with its own index.
    let mut numbers = String::new();
    for index in 0..20_000 {
        numbers.push_str(&tool(&format!("\"index\":{index},")));
    }
    let many = kept(JsonEvents::with_limit(openai_chat::OpenaiChatReader::default(), LIMIT), numbers.as_bytes());
    assert!(many < most, "{many} of many calls");
    // An endless WAV header.
    let mut header = b"RIFF\0\0\0\0WAVE".to_vec();
    header.extend(b"LIST\x04\0\0\0abcd".repeat(100_000));
    assert!(kept(speech_decoder::SpeechDecoder::new("audio/wav".into(), "wav", None), &header) < most);
    let mut endless = sse::SseDecoder::with_limit(100);
    let mut items = Vec::new();
    assert!((0..100).any(|_| endless.push(b"event: xxxxxxxxxxxxxxx", &mut items).is_err()));
}
