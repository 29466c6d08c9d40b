//! Live transcription in vLLM's realtime format.

use aura_audio::SPEECH_RATE;
use serde_json::json;

use super::live::{self, LiveFormat, MAX_TEXT};
use crate::types::{Failure, PartialTranscript, StreamingRequest, Transcript, Usage};

/// One session.
#[derive(Debug)]
pub(crate) struct VllmRealtime {
    request: StreamingRequest,
    /// What the server has written.
    text: String,
    has_ended: bool,
    is_complete: bool,
    usage: Usage,
}

impl VllmRealtime {
    pub(crate) fn new(request: StreamingRequest) -> Self {
        Self { request, text: String::new(), has_ended: false, is_complete: false, usage: Usage::default() }
    }
}

impl LiveFormat for VllmRealtime {
    fn rate(&self) -> u32 {
        SPEECH_RATE
    }

    fn begin(&self) -> Vec<String> {
        let update = json!({ "type": "session.update", "model": self.request.model });
        // The first commit begins the transcription of what follows.
        let commit = json!({ "type": "input_audio_buffer.commit", "final": false });
        vec![update.to_string(), commit.to_string()]
    }

    fn audio(&self, samples: &[i16]) -> String {
        json!({ "type": "input_audio_buffer.append", "audio": live::base64_pcm(samples) }).to_string()
    }

    fn end(&mut self) -> Vec<String> {
        self.has_ended = true;
        vec![json!({ "type": "input_audio_buffer.commit", "final": true }).to_string()]
    }

    fn read(&mut self, message: &str) -> Result<(), Failure> {
        let value = live::event(message)?;
        match value["type"].as_str().unwrap_or_default() {
            "error" => return Err(live::reported(&value)),
            "transcription.delta" => self.text.push_str(value["delta"].as_str().unwrap_or_default()),
            "transcription.done" => {
                if let Some(text) = value["text"].as_str() {
                    self.text = text.to_owned();
                }
                self.is_complete = self.has_ended;
                let count = |name: &str| value["usage"][name].as_u64().and_then(|count| u32::try_from(count).ok());
                self.usage.input_tokens = count("prompt_tokens");
                self.usage.output_tokens = count("completion_tokens");
            }
            _ => {}
        }
        if self.text.len() > MAX_TEXT { Err(live::too_long()) } else { Ok(()) }
    }

    fn partial(&self) -> PartialTranscript {
        live::growing(&self.text)
    }

    fn transcript(&self) -> Option<Transcript> {
        self.is_complete.then(|| Transcript {
            text: live::clean(&self.text, &self.request),
            usage: self.usage.clone(),
            ..Transcript::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FailureKind;

    #[test]
    fn deltas_are_shown_and_done_is_the_transcript_after_the_end() {
        let mut session = VllmRealtime::new(StreamingRequest::default());
        session.read(r#"{"type":"session.created","id":"s"}"#).unwrap();
        session.read(r#"{"type":"transcription.delta","delta":"Good mor"}"#).unwrap();
        assert_eq!(session.partial(), PartialTranscript { committed: "Good".into(), tentative: " mor".into() });
        session.read(r#"{"type":"transcription.done","text":"Good"}"#).unwrap();
        assert_eq!(session.transcript(), None, "more audio follows");
        session.end();
        let done = r#"{"type":"transcription.done","text":" Good morning.","usage":{"prompt_tokens":9,"completion_tokens":3}}"#;
        session.read(done).unwrap();
        let transcript = session.transcript().unwrap();
        assert_eq!((transcript.text.as_str(), transcript.usage.output_tokens), ("Good morning.", Some(3)));
        let error = r#"{"type":"error","error":"model not found: x","code":"model_not_found"}"#;
        assert_eq!(session.read(error).unwrap_err().kind, FailureKind::ModelGone);
    }
}
