//! Recordings as a model that chats hears them, and the words that it heard, without those that it was told itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{openai_audio, think};
use crate::catalog;
use crate::providers::{Class, Failure, SttRequest, Transcript, Usage};

/// What a model that chats is told, so that it writes down what it hears. Without the last sentence silence is answered with
/// invented words.
pub(super) const INSTRUCTION: &str =
    "Transcribe the speech in this audio verbatim. Output only the transcript. If there is no speech, output nothing.";
/// The same for English words of whatever was spoken.
pub(super) const TRANSLATION: &str = "Translate the speech in this audio into English. Output only the translation. If there is no speech, output nothing.";

/// How long a prompt may be, in characters: Whisper takes 224 tokens of it, and servers refuse more.
const MAX_PROMPT: usize = 800;
/// Letters from which on the same words are an echo: a single name of the prompt may well be what somebody said.
const ECHO: usize = 20;
/// Room for three minutes of fast speech.
const LEAST_ROOM: u32 = 2_048;

/// The prompt, and in it the names and terms where a server has no field for them. The end of one that is too long counts: Whisper
/// reads only that.
pub(super) fn prompt(request: &SttRequest, with_terms: bool) -> Option<String> {
    let terms = if with_terms { request.vocabulary.join(", ") } else { String::new() };
    let parts = [terms.as_str(), request.prompt.as_deref().unwrap_or_default()];
    let whole = parts.into_iter().filter(|part| !part.trim().is_empty()).collect::<Vec<_>>().join(". ");
    let start = whole.chars().count().saturating_sub(MAX_PROMPT);
    let kept: String = whole.chars().skip(start).collect();
    (!kept.is_empty()).then_some(kept)
}

/// What is said to a model that chats, with what the caller knows of the recording.
pub(super) fn instruction(request: &SttRequest) -> String {
    let mut text = if request.translate { TRANSLATION } else { INSTRUCTION }.to_owned();
    if let Some(language) = openai_audio::language(request.language.as_deref()).filter(|_| !request.translate) {
        text.push_str(&format!(" The language is {language}."));
    }
    if !request.vocabulary.is_empty() {
        text.push_str(&format!(" These may be said: {}.", request.vocabulary.join(", ")));
    }
    if let Some(prompt) = request.prompt.as_deref().filter(|prompt| !prompt.trim().is_empty()) {
        text.push_str(&format!(" Before it was said: {}", prompt.trim()));
    }
    text
}

/// A question to a model that hears, for servers that transcribe in a chat alone, as llama.cpp's does.
pub(in crate::providers) fn transcription_chat(request: &SttRequest, most: &str) -> Value {
    let heard =
        json!({ "type": "input_audio", "input_audio": { "data": STANDARD.encode(&request.wav), "format": "wav" } });
    let asked = json!({ "type": "text", "text": instruction(request) });
    let mut body = json!({
        "model": request.model,
        "messages": [{ "role": "user", "content": [heard, asked] }],
        "temperature": request.temperature.unwrap_or(0.0),
        "stream": false,
    });
    body[most] = json!(room(request));
    body
}

/// Room for a transcript, tokens: fast speech is four words a second, and some languages take two tokens a word or more.
pub(super) fn room(request: &SttRequest) -> u32 {
    let needed = 256 + 12 * u32::try_from(request.duration.as_secs()).unwrap_or(u32::MAX / 64).min(u32::MAX / 64);
    needed.max(LEAST_ROOM).saturating_mul(if request.more_room { 4 } else { 1 })
}

/// Reads a transcript that came as an answer.
pub(in crate::providers) fn transcript_of_chat(value: &Value, request: &SttRequest) -> Result<Transcript, Failure> {
    let choice = &value["choices"][0];
    let Some(text) = choice["message"]["content"].as_str() else {
        return Err(Failure::new(Class::Unsupported, "The reply holds no transcript. This model may not hear."));
    };
    let mut thoughts = think::Filter::new(catalog::thinks_aloud(&request.model));
    let mut said = thoughts.push(text).0;
    said.push_str(&thoughts.finish());
    if choice["finish_reason"] == "length" {
        return Err(cut_off(!said.trim().is_empty()));
    }
    let count = |name: &str| value["usage"][name].as_u64().and_then(|number| u32::try_from(number).ok());
    Ok(Transcript {
        text: words(&said, request),
        usage: Usage {
            input_tokens: count("prompt_tokens"),
            output_tokens: count("completion_tokens"),
            audio_seconds: Some(request.duration.as_secs_f32()),
            model: value["model"].as_str().map(str::to_owned),
            ..Usage::default()
        },
        ..Transcript::default()
    })
}

/// A transcript that the token limit cut is none: nobody would notice what is missing.
pub(super) fn cut_off(words: bool) -> Failure {
    let (class, why) = if words {
        (Class::Interrupted, "The transcript is longer than the room for it.")
    } else {
        (Class::Empty, "The model thought so long that no room was left for the transcript.")
    };
    Failure { no_room: true, ..Failure::new(class, why) }
}

/// What was said, unless it is what the model was told: for silence some models repeat that word for word.
pub(super) fn words(text: &str, request: &SttRequest) -> String {
    let plain =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let said = plain(text);
    let told =
        || [INSTRUCTION, TRANSLATION, &instruction(request)].into_iter().any(|told| plain(told).starts_with(&said));
    let prompts = || [prompt(request, true), request.prompt.clone()];
    let prompted = || prompts().into_iter().flatten().any(|prompt| plain(&prompt) == said);
    let echoed = said.len() >= ECHO && (told() || prompted());
    if echoed { String::new() } else { text.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn asked(prompt: Option<&str>, vocabulary: &[&str]) -> SttRequest {
        SttRequest {
            prompt: prompt.map(str::to_owned),
            vocabulary: vocabulary.iter().map(|term| (*term).to_owned()).collect(),
            duration: Duration::from_secs(3),
            ..SttRequest::default()
        }
    }

    /// For silence a prompt may come back word for word, and what a chatting model was told as well.
    #[test]
    fn trap_04_a_prompt_that_comes_back_is_no_transcript() {
        let request = asked(Some("We are going to speak of windows."), &["AURA", "Tauri", "Orpheus"]);
        let plain = SttRequest::default();
        for echo in [
            "We are going to speak of windows.",
            "we are going to speak of windows",
            "AURA, Tauri, Orpheus. We are going to speak of windows.",
            INSTRUCTION,
            "Transcribe the speech in this audio, verbatim\n",
        ] {
            assert_eq!(words(echo, &request), "", "{echo}");
        }
        for said in
            ["Transcribe the speech in this audio for me.", "transcribe", "AURA", "We are going to speak of doors."]
        {
            assert_eq!(words(said, &request), said);
        }
        let said = "We are going to speak of windows.";
        assert_eq!(words(said, &plain), said, "nobody was told that");
    }

    #[test]
    fn a_prompt_is_cut_at_its_beginning() {
        assert_eq!(prompt(&asked(None, &[]), true), None);
        let long = prompt(&asked(Some(&format!("{} the end", "é".repeat(2_000))), &["AURA"]), true).unwrap();
        assert_eq!((long.chars().count(), long.ends_with(" the end")), (MAX_PROMPT, true));
    }

    #[test]
    fn a_chat_transcribes() {
        let request = SttRequest {
            model: "gemma".into(),
            wav: vec![1, 2, 3].into(),
            language: Some("de-AT".into()),
            ..asked(Some("We spoke of doors."), &["AURA"])
        };
        let sent = transcription_chat(&request, "max_tokens");
        let expected = json!({
            "model": "gemma",
            "messages": [{ "role": "user", "content": [
                { "type": "input_audio", "input_audio": { "data": "AQID", "format": "wav" } },
                { "type": "text", "text":
                    format!("{INSTRUCTION} The language is de. These may be said: AURA. Before it was said: We spoke of doors.") },
            ] }],
            "temperature": 0.0, "stream": false, "max_tokens": 2_048,
        });
        assert_eq!(sent, expected);
        let answer = |text: &str, finish: &str| {
            let choice = json!({ "message": { "content": text }, "finish_reason": finish });
            json!({ "choices": [choice], "usage": { "prompt_tokens": 90, "completion_tokens": 4 } })
        };
        let found = transcript_of_chat(&answer("<think>hm</think> Guten Tag.", "stop"), &request).unwrap();
        assert_eq!((found.text.as_str(), found.usage.input_tokens), ("Guten Tag.", Some(90)));
        let class = |text, finish| transcript_of_chat(&answer(text, finish), &request).unwrap_err();
        assert_eq!((class("Guten", "length").class, class("", "length").class), (Class::Interrupted, Class::Empty));
        assert!(class("", "length").no_room);
        let english = instruction(&SttRequest { translate: true, ..request });
        assert!(english.starts_with(TRANSLATION) && !english.contains("language is"));
        assert_eq!(transcript_of_chat(&json!({}), &SttRequest::default()).unwrap_err().class, Class::Unsupported);
    }

    #[test]
    fn there_is_room_for_what_is_long() {
        let room = |seconds, more_room| {
            room(&SttRequest { duration: Duration::from_secs(seconds), more_room, ..SttRequest::default() })
        };
        assert_eq!((room(10, false), room(10, true)), (2_048, 8_192));
        assert_eq!(room(600, false), 256 + 7_200);
        assert!(room(u64::MAX, true) > 0);
    }
}
