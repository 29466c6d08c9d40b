//! Speech to text through a chat model: the request with the recording in a message, and the transcript in the answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::reasoning_filter;
use super::transcription::{instruction, max_tokens, truncated, without_echo};
use crate::types::{Failure, FailureKind, Transcript, TranscriptionRequest, Usage};

/// The body of a chat request that transcribes, for servers such as llama.cpp's. `max_tokens_field` names the token limit.
pub(crate) fn transcription_chat(request: &TranscriptionRequest, max_tokens_field: &str) -> Value {
    let recording =
        json!({ "type": "input_audio", "input_audio": { "data": STANDARD.encode(&request.wav), "format": "wav" } });
    let instruction = json!({ "type": "text", "text": instruction(request) });
    let mut body = json!({
        "model": request.model,
        "messages": [{ "role": "user", "content": [recording, instruction] }],
        "temperature": request.temperature.unwrap_or(0.0),
        "stream": false,
    });
    body[max_tokens_field] = json!(max_tokens(request));
    body
}

/// Reads the transcript from the answer of a chat model. `starts_with_reasoning`: see `Catalog::starts_with_reasoning`.
pub(crate) fn transcript_of_chat(
    value: &Value,
    request: &TranscriptionRequest,
    starts_with_reasoning: bool,
) -> Result<Transcript, Failure> {
    let choice = &value["choices"][0];
    let Some(text) = choice["message"]["content"].as_str() else {
        return Err(Failure::new(
            FailureKind::Unsupported,
            "The reply contains no transcript. This model may not support audio.",
        ));
    };
    let mut filter = reasoning_filter::ReasoningFilter::new(starts_with_reasoning);
    let mut transcript = filter.push(text).0;
    transcript.push_str(&filter.finish());
    if choice["finish_reason"] == "length" {
        return Err(truncated(!transcript.trim().is_empty()));
    }
    let count = |name: &str| value["usage"][name].as_u64().and_then(|number| u32::try_from(number).ok());
    Ok(Transcript {
        text: without_echo(&transcript, request),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FailureDetail;
    use crate::wire::transcription::tests::sample_request;
    use crate::wire::transcription::{INSTRUCTION, TRANSLATION};

    #[test]
    fn a_chat_model_transcribes() {
        let request = TranscriptionRequest {
            model: "gemma".into(),
            wav: vec![1, 2, 3].into(),
            language: Some("de-AT".into()),
            ..sample_request(Some("We spoke of doors."), &["AURA"])
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
        let found = transcript_of_chat(&answer("<think>hm</think> Guten Tag.", "stop"), &request, false).unwrap();
        assert_eq!((found.text.as_str(), found.usage.input_tokens), ("Guten Tag.", Some(90)));
        let kind = |text, finish| transcript_of_chat(&answer(text, finish), &request, false).unwrap_err();
        assert_eq!(
            (kind("Guten", "length").kind, kind("", "length").kind),
            (FailureKind::Interrupted, FailureKind::Empty)
        );
        assert_eq!(kind("", "length").detail, Some(FailureDetail::MaxTokensExhausted));
        let english = instruction(&TranscriptionRequest { translate: true, ..request });
        assert!(english.starts_with(TRANSLATION) && !english.contains("language is"));
        assert_eq!(
            transcript_of_chat(&json!({}), &TranscriptionRequest::default(), false).unwrap_err().kind,
            FailureKind::Unsupported
        );
    }
}
