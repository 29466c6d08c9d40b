//! Converts the requests of the services into requests of an engine.

use aura_audio::{read_wav, speech_wav};
use aura_providers::{
    ChatRequest, Failure, FailureKind, Message as ChatMessage, ResponseFormat, Role, SpeechRequest, ToolChoice,
    TranscriptionRequest, language_code, transcription_prompt,
};
use bytes::Bytes;
use serde_json::json;

use crate::protocol::{Message, Request, Sampling};

/// The bytes before the samples in a file of [`speech_wav`].
const WAV_HEADER: usize = 44;

/// The samples of a recording: 16-bit mono at [`aura_audio::SPEECH_RATE`].
pub(super) async fn samples(wav: &Bytes) -> Result<Bytes, Failure> {
    // All but the two lengths in the header are the same in every such file.
    let header = speech_wav(&[]);
    let is_speech_wav =
        wav.len() >= WAV_HEADER && header.len() == WAV_HEADER && wav[..4] == header[..4] && wav[8..40] == header[8..40];
    if is_speech_wav {
        return Ok(wav.slice(WAV_HEADER..));
    }
    let wav = wav.clone();
    let decoded = tokio::task::spawn_blocking(move || {
        let samples = read_wav(&wav)?.to_speech();
        Ok::<_, aura_audio::Error>(samples.into_iter().flat_map(i16::to_le_bytes).collect::<Vec<u8>>())
    })
    .await;
    match decoded {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(error)) => Err(Failure::new(FailureKind::InvalidRequest, error.to_string())),
        Err(cause) => Err(Failure::new(FailureKind::Overloaded, cause.to_string())),
    }
}

pub(super) fn transcribe(id: u64, request: &TranscriptionRequest) -> Request {
    Request::Transcribe {
        id,
        language: language_code(request.language.as_deref()),
        prompt: transcription_prompt(request, true),
        translate: request.translate,
        words: request.words,
    }
}

/// `voices` are the ids of the model's voices: a name that is none of them belongs to another model, and the first voice speaks.
pub(super) fn speak(id: u64, request: &SpeechRequest, voices: &[String]) -> Request {
    let voice = voices.iter().find(|voice| voice.eq_ignore_ascii_case(&request.voice));
    Request::Speak {
        id,
        text: request.text.clone(),
        voice: voice.cloned().unwrap_or_default(),
        language: language_code(request.options.language.as_deref()),
        speed: request.options.speed.filter(|speed| speed.is_finite()).unwrap_or(1.0).clamp(0.25, 4.0),
    }
}

/// Rejects what no local model can do.
pub(super) fn check(request: &ChatRequest, label: &str) -> Result<(), Failure> {
    let must_call = matches!(request.tool_choice, ToolChoice::Required | ToolChoice::Named(_));
    let may_call = !request.tools.is_empty() && request.tool_choice != ToolChoice::Never;
    if must_call || may_call && !request.tools_optional {
        return Err(Failure::new(FailureKind::Unsupported, format!("{label} cannot call tools.")));
    }
    Ok(())
}

/// The messages of a chat, the lengths of its images, and the images one after the other.
pub(super) fn conversation(request: &ChatRequest) -> (Vec<Message>, Vec<usize>, Bytes) {
    let (mut messages, mut lengths, mut payload) = (Vec::new(), Vec::new(), Vec::new());
    if !request.system.trim().is_empty() {
        messages.push(Message { role: "system".into(), text: request.system.clone(), images: Vec::new() });
    }
    for message in &request.messages {
        let first = lengths.len();
        for image in message.images() {
            lengths.push(image.len());
            payload.extend_from_slice(image);
        }
        let images = (first..lengths.len()).collect();
        messages.push(Message { role: role(message.role).into(), text: text(message), images });
    }
    (messages, lengths, payload.into())
}

/// The text of a message, with its tool calls, which an earlier model may have made.
fn text(message: &ChatMessage) -> String {
    let calls = message.tool_calls.iter().map(|call| format!("[calls {} with {}]", call.name, call.arguments));
    let text = message.text();
    let parts: Vec<String> = (!text.is_empty()).then(|| text.into_owned()).into_iter().chain(calls).collect();
    parts.join("\n")
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
        _ => "user",
    }
}

pub(super) fn sampling(request: &ChatRequest) -> Sampling {
    let options = &request.sampling;
    Sampling {
        max_tokens: request.max_tokens,
        temperature: options.temperature.map(|value| value as f32),
        top_p: options.top_p.map(|value| value as f32),
        top_k: request.top_k,
        stop: options.stop.clone(),
        // The engine takes half of the bits.
        seed: options.seed.map(|seed| seed as u32),
        json_schema: match &request.format {
            ResponseFormat::Json => Some(json!({})),
            ResponseFormat::Schema { schema, .. } => Some(schema.clone()),
            _ => None,
        },
    }
}

pub(super) fn generate(id: u64, messages: &[Message], images: &[usize], sampling: &Sampling) -> Request {
    Request::Generate { id, messages: messages.to_vec(), images: images.to_vec(), sampling: sampling.clone() }
}

#[cfg(test)]
mod tests {
    use aura_providers::{SpeechOptions, Tool, ToolCall};

    use super::*;

    #[tokio::test]
    async fn samples_are_taken_from_every_wav() {
        let speech: Vec<i16> = (0..1600).collect();
        let expected: Vec<u8> = speech.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        assert_eq!(samples(&speech_wav(&speech)).await.unwrap(), expected);
        let faster = samples(&aura_audio::wav(&speech, 2 * aura_audio::SPEECH_RATE)).await.unwrap();
        assert!(faster.len().abs_diff(1600) < 100, "{}", faster.len());
        assert_eq!(samples(&Bytes::from_static(b"RIFF")).await.unwrap_err().kind, FailureKind::InvalidRequest);
    }

    #[test]
    fn a_conversation_keeps_order_images_and_tool_calls() {
        let mut asked = ChatMessage::assistant("Let me see.");
        asked.tool_calls.push(ToolCall { name: "time".into(), arguments: "{}".into(), ..ToolCall::default() });
        let request = ChatRequest::new("m")
            .with_system("Be brief.")
            .with_message(ChatMessage::user("What is this?").with_image(Bytes::from_static(b"abc")))
            .with_message(asked)
            .with_message(ChatMessage::user("And this?").with_image(Bytes::from_static(b"de")));
        let (messages, lengths, payload) = conversation(&request);
        let shown: Vec<_> = messages.iter().map(|m| (m.role.as_str(), m.text.as_str(), m.images.clone())).collect();
        assert_eq!(
            shown,
            [
                ("system", "Be brief.", vec![]),
                ("user", "What is this?", vec![0]),
                ("assistant", "Let me see.\n[calls time with {}]", vec![]),
                ("user", "And this?", vec![1]),
            ]
        );
        assert_eq!((lengths, payload), (vec![3, 2], Bytes::from_static(b"abcde")));
    }

    #[test]
    fn tools_that_are_needed_are_refused() {
        let with_tool = ChatRequest::new("m").with_tools([Tool::new("time")]);
        assert_eq!(check(&with_tool, "Model").unwrap_err().kind, FailureKind::Unsupported);
        assert!(check(&ChatRequest { tools_optional: true, ..with_tool.clone() }, "Model").is_ok());
        assert!(check(&ChatRequest { tool_choice: ToolChoice::Never, ..with_tool }, "Model").is_ok());
    }

    #[test]
    fn voice_language_and_speed_fit_the_model() {
        let voices = ["Amy".to_owned(), "joe".to_owned()];
        let options = SpeechOptions::default().with_speed(9.0).with_language("de-AT");
        let request = SpeechRequest::new("m", "Hallo.").with_voice("amy").with_options(options);
        let Request::Speak { voice, language, speed, .. } = speak(1, &request, &voices) else { panic!() };
        assert_eq!((voice.as_str(), language.as_deref(), speed), ("Amy", Some("de"), 4.0));
        let Request::Speak { voice, .. } = speak(1, &request.with_voice("en-us"), &voices) else { panic!() };
        assert_eq!(voice, "", "a voice of another model");
    }
}
