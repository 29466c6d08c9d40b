//! What the formats of live transcription share.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::error_reply;
use super::transcription::{prompt, without_echo};
use crate::types::{Failure, FailureKind, PartialTranscript, StreamingRequest, Transcript, TranscriptionRequest};

/// The longest transcript, in bytes: far more than is said in the longest recording.
pub(super) const MAX_TEXT: usize = 256 * 1024;

/// The messages of one provider's live transcription, and what is known from those that arrived. Does no I/O.
pub(crate) trait LiveFormat: Send + 'static {
    /// The sample rate that the provider expects, in hertz.
    fn rate(&self) -> u32;

    /// The messages that begin a session.
    fn begin(&self) -> Vec<String>;

    /// Whether audio may be sent now.
    fn is_ready(&self) -> bool {
        true
    }

    /// The message for samples at [`LiveFormat::rate`].
    fn audio(&self, samples: &[i16]) -> String;

    /// The messages that end the audio.
    fn end(&mut self) -> Vec<String>;

    /// Takes a message of the provider.
    ///
    /// # Errors
    /// When it reports an error, or is no event.
    fn read(&mut self, message: &str) -> Result<(), Failure>;

    /// What was recognised so far.
    fn partial(&self) -> PartialTranscript;

    /// The transcript, once it is complete. Never before [`LiveFormat::end`].
    fn transcript(&self) -> Option<Transcript>;
}

/// Samples as the base64 of 16-bit little-endian PCM.
pub(super) fn base64_pcm(samples: &[i16]) -> String {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

/// A message as JSON.
pub(super) fn event(message: &str) -> Result<Value, Failure> {
    match serde_json::from_str(message) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err(Failure::new(FailureKind::Interrupted, "The server sent a message that is no event.")),
    }
}

/// The failure that a message with the field `error` reports.
pub(super) fn reported(value: &Value) -> Failure {
    error_reply::in_success(value)
        .unwrap_or_else(|| Failure::new(FailureKind::Overloaded, "The server reported an error without saying which."))
}

/// The failure of a transcript that grew beyond every recording.
pub(super) fn too_long() -> Failure {
    Failure::new(FailureKind::Interrupted, "The transcript is longer than anybody can speak.")
}

/// The vocabulary as a prompt.
pub(super) fn vocabulary_prompt(request: &StreamingRequest) -> Option<String> {
    prompt(&as_transcription(request), true)
}

/// A complete text without an echo of the vocabulary.
pub(super) fn clean(text: &str, request: &StreamingRequest) -> String {
    without_echo(text, &as_transcription(request))
}

fn as_transcription(request: &StreamingRequest) -> TranscriptionRequest {
    TranscriptionRequest { vocabulary: request.vocabulary.clone(), ..TranscriptionRequest::default() }
}

/// Splits a text that only grows at its end: its last word may go on, so it is tentative.
pub(super) fn growing(text: &str) -> PartialTranscript {
    let text = text.trim_start();
    let at = text.trim_end().rfind(char::is_whitespace).unwrap_or_default();
    let (committed, tentative) = text.split_at(at);
    PartialTranscript { committed: committed.to_owned(), tentative: tentative.to_owned() }
}

/// Appends a settled part to a text. Parts that are sentences come without the space between them; those that are pieces bring it.
pub(super) fn append(text: &mut String, part: &str) {
    let needs_space = text.ends_with(['.', '!', '?', ',', ';', ':', '…']) && part.starts_with(char::is_alphanumeric);
    if needs_space {
        text.push(' ');
    }
    text.push_str(part);
}
