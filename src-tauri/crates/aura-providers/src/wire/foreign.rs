//! Feeds every reader with every recorded body, and with noise: no reader panics, and none accepts another format as an answer.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use reqwest::header::HeaderMap;

use super::decoder::decode_all;
use super::json_events::JsonEvents;
use super::{
    error_reply, gemini_audio, gemini_generate, gemini_models, openai_audio, openai_chat, openai_models, recorded,
    speech_decoder,
};
use crate::catalog::Catalog;
use crate::types::{ChatEvent, TranscriptionRequest};

static RECORDED: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| recorded::all(""));

fn read_by_all(bytes: &[u8]) -> [bool; 4] {
    let request = TranscriptionRequest { wav: bytes.to_vec().into(), ..TranscriptionRequest::default() };
    let cut: Vec<&[u8]> = bytes.chunks(11).collect();
    let ended = |events: Vec<ChatEvent>| matches!(events.last(), Some(ChatEvent::End { .. }));
    let openai = decode_all(JsonEvents::new(openai_chat::OpenaiChatReader::default()), &cut);
    let gemini = decode_all(JsonEvents::new(gemini_generate::GeminiChatReader::default()), &cut);
    let spoken = decode_all(JsonEvents::new(gemini_audio::GeminiSpeechReader::default()), &cut);
    let audio = decode_all(speech_decoder::SpeechDecoder::new("audio/wav".into(), "wav", None), &cut);
    let value: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    drop((
        openai_audio::transcript(bytes, &request),
        gemini_audio::transcript(&value, &request),
        error_reply::in_success(&value),
    ));
    drop((
        openai_models::list(&Catalog::embedded(), "groq", &value),
        openai_models::lmstudio(&value),
        openai_models::voices(&value),
        gemini_models::page(&Catalog::embedded(), &value),
    ));
    for status in [200, 302, 400, 404, 429, 500] {
        let failure = error_reply::failure(status, &HeaderMap::new(), &String::from_utf8_lossy(bytes));
        assert!(!failure.message.is_empty() && failure.message.chars().count() <= 300);
    }
    for (ended, failed) in [(ended(openai.0), openai.1.is_some()), (ended(gemini.0), gemini.1.is_some())] {
        assert_ne!(ended, failed, "an answer either ends or fails");
    }
    [openai.1.is_none(), gemini.1.is_none(), spoken.1.is_none(), audio.1.is_none()]
}

#[test]
fn no_reader_accepts_a_body_in_another_format() {
    for (name, bytes) in recorded::all("") {
        let [openai, gemini, spoken, audio] = read_by_all(&bytes);
        let has = |part: &str| name.contains(part);
        assert!(!openai || has("chat"), "{name} as an OpenAI answer");
        assert!(!gemini || has("gemini"), "{name} as a Gemini answer");
        assert!(!spoken || has("gemini_tts"), "{name} as Gemini speech");
        assert!(!audio || name.ends_with(".wav"), "{name} as speech");
    }
}

#[test]
fn every_recording_is_used_by_a_test() {
    fn sources(folder: &Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, all);
            } else {
                all.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut all = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    for (name, _) in recorded::all("") {
        assert!(all.contains(&format!("\"{name}\"")), "no test reads {name}");
    }
}

proptest! {
    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_by_all(&bytes);
    }

    #[test]
    fn damaged_recordings_never_panic(which in 0usize..200, at in 0usize..5000, byte in any::<u8>()) {
        let all = &*RECORDED;
        let mut bytes = all[which % all.len()].1.clone();
        let at = at % bytes.len();
        bytes[at] = byte;
        read_by_all(&bytes);
    }
}
