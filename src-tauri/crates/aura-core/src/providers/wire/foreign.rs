//! Every reader against every recorded body, and against noise: none panics, none takes a foreign body for an answer.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use reqwest::header::HeaderMap;

use super::json_events::JsonEvents;
use super::stream::decode_all;
use super::{
    errors, gemini_audio, gemini_generate, gemini_models, openai_audio, openai_chat, openai_models, recorded, speech,
};
use crate::providers::{ChatPiece, SttRequest};

static RECORDED: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| recorded::all(""));

fn read_by_all(bytes: &[u8]) -> [bool; 4] {
    let request = SttRequest { wav: bytes.to_vec().into(), ..SttRequest::default() };
    let cut: Vec<&[u8]> = bytes.chunks(11).collect();
    let ended = |pieces: Vec<ChatPiece>| matches!(pieces.last(), Some(ChatPiece::End { .. }));
    let openai = decode_all(JsonEvents::new(openai_chat::Answer::default()), &cut);
    let gemini = decode_all(JsonEvents::new(gemini_generate::Answer::default()), &cut);
    let spoken = decode_all(JsonEvents::new(gemini_audio::Speech::default()), &cut);
    let audio = decode_all(speech::Speech::new("audio/wav".into(), "wav", None), &cut);
    let value: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    drop((
        openai_audio::transcript(bytes, &request),
        gemini_audio::transcript(&value, &request),
        errors::in_success(&value),
    ));
    drop((
        openai_models::list("groq", &value),
        openai_models::lmstudio(&value),
        openai_models::voices(&value),
        gemini_models::page(&value),
    ));
    for status in [200, 302, 400, 404, 429, 500] {
        let failure = errors::failure(status, &HeaderMap::new(), &String::from_utf8_lossy(bytes));
        assert!(!failure.message.is_empty() && failure.message.chars().count() <= 300);
    }
    for (ended, failed) in [(ended(openai.0), openai.1.is_some()), (ended(gemini.0), gemini.1.is_some())] {
        assert_ne!(ended, failed, "an answer either ends or fails");
    }
    [openai.1.is_none(), gemini.1.is_none(), spoken.1.is_none(), audio.1.is_none()]
}

#[test]
fn nobody_takes_a_foreign_body_for_an_answer() {
    for (name, bytes) in recorded::all("") {
        let [openai, gemini, spoken, audio] = read_by_all(&bytes);
        let says = |part: &str| name.contains(part);
        assert!(!openai || says("chat"), "{name} as an OpenAI answer");
        assert!(!gemini || says("gemini"), "{name} as a Gemini answer");
        assert!(!spoken || says("gemini_tts"), "{name} as Gemini speech");
        assert!(!audio || name.ends_with(".wav"), "{name} as speech");
    }
}

#[test]
fn every_recording_is_used() {
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
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/providers"), &mut all);
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
