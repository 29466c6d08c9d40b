//! Waits for complete answers where events are not needed.

use aura_audio::Pcm;
use futures::TryStreamExt;

use super::chat::{ChatEvent, ChatStream, FinishReason, ToolCall};
use super::failure::{Failure, FailureKind};
use super::speech::{SpeechEvent, SpeechStream};
use super::usage::Usage;

/// A complete answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChatAnswer {
    /// The text.
    pub text: String,
    /// The tool calls.
    pub tool_calls: Vec<ToolCall>,
    /// Why the answer ended.
    pub finish: FinishReason,
    /// What the call consumed.
    pub usage: Usage,
}

/// Waits for the complete answer of a chat.
///
/// # Errors
/// When the stream fails. The text so far is lost; read the stream to keep it.
pub async fn collect_chat(mut stream: ChatStream) -> Result<ChatAnswer, Failure> {
    let (mut text, mut tool_calls) = (String::new(), Vec::new());
    while let Some(event) = stream.try_next().await? {
        match event {
            ChatEvent::Text(part) => text.push_str(&part),
            ChatEvent::ToolCall(call) => tool_calls.push(call),
            ChatEvent::Thinking | ChatEvent::Logprobs(_) => {}
            ChatEvent::End { finish, usage } => return Ok(ChatAnswer { text, tool_calls, finish, usage }),
        }
    }
    Err(Failure::new(FailureKind::Interrupted, "The answer ended early."))
}

/// Waits for complete speech, and decodes it if it is a compressed file.
///
/// # Errors
/// When the stream fails, contains no audio, or contains a file that cannot be decoded.
pub async fn collect_speech(mut stream: SpeechStream) -> Result<Pcm, Failure> {
    let mut speech = Pcm::default();
    while let Some(event) = stream.try_next().await? {
        let pcm = match event {
            SpeechEvent::Pcm(pcm) => pcm,
            SpeechEvent::File(file) => {
                aura_audio::decode(file).map_err(|error| Failure::new(FailureKind::Unsupported, error.to_string()))?
            }
            SpeechEvent::Usage(_) => continue,
        };
        if speech.rate != 0 && speech.rate != pcm.rate {
            return Err(Failure::new(FailureKind::Unsupported, "The sample rate changed within the speech."));
        }
        speech.rate = pcm.rate;
        speech.samples.extend(pcm.samples);
    }
    if speech.samples.is_empty() { Err(Failure::new(FailureKind::Empty, "The speech is empty.")) } else { Ok(speech) }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    fn stream<T: Send + 'static>(events: Vec<T>) -> futures::stream::BoxStream<'static, Result<T, Failure>> {
        futures::stream::iter(events.into_iter().map(Ok)).boxed()
    }

    #[tokio::test]
    async fn a_stream_without_an_end_is_interrupted() {
        let text = |text: &str| ChatEvent::Text(text.into());
        let end = ChatEvent::End { finish: FinishReason::Stop, usage: Usage::default() };
        let answer = collect_chat(stream(vec![text("Good "), text("morning."), end])).await.unwrap();
        assert_eq!((answer.text.as_str(), answer.finish), ("Good morning.", FinishReason::Stop));
        let failure = collect_chat(stream(vec![text("Good ")])).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Interrupted);
    }

    #[tokio::test]
    async fn speech_is_joined_at_one_sample_rate() {
        let pcm = |rate, samples: &[f32]| SpeechEvent::Pcm(Pcm { rate, samples: samples.to_vec() });
        let speech = collect_speech(stream(vec![pcm(24_000, &[0.1]), pcm(24_000, &[0.2])])).await.unwrap();
        assert_eq!(speech, Pcm { rate: 24_000, samples: vec![0.1, 0.2] });
        let file = SpeechEvent::File(aura_audio::speech_wav(&[1, 2, 3]));
        assert_eq!(collect_speech(stream(vec![file])).await.unwrap().samples.len(), 3);
        assert_eq!(collect_speech(stream(vec![])).await.unwrap_err().kind, FailureKind::Empty);
        let failure = collect_speech(stream(vec![pcm(24_000, &[0.1]), pcm(16_000, &[0.2])])).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unsupported);
    }
}
