//! One trait per service. Each method makes one call: no retries, no fallback, no total timeout.

use async_trait::async_trait;

use super::chat::{ChatRequest, ChatStream};
use super::embedding::{EmbeddingReply, EmbeddingRequest};
use super::failure::Failure;
use super::models::{ListedModel, ListedVoice};
use super::service::Service;
use super::speech::{SpeechRequest, SpeechStream};
use super::streaming::{StreamingRequest, TranscriptionSession};
use super::transcription::{Transcript, TranscriptionRequest};

/// Speech to text.
#[async_trait]
pub trait SpeechToText: Send + Sync {
    /// Transcribes a recording. A transcript without text means that no speech was recognised.
    ///
    /// # Errors
    /// When the call fails, and [`InvalidRequest`](super::FailureKind::InvalidRequest) for a recording shorter than 10 ms.
    async fn transcribe(&self, request: &TranscriptionRequest) -> Result<Transcript, Failure>;
}

/// Speech to text while it is spoken.
pub trait StreamingSpeechToText: Send + Sync {
    /// The model that gets speech while it is spoken, in the place of `model`: one for live speech, or `model` itself where the recording is
    /// uploaded while it is made. `None` when the audio cannot be sent before its end.
    fn streaming_model(&self, model: &str) -> Option<String>;

    /// Whether a model on this computer does the work. It may take as long as the computer needs.
    fn runs_locally(&self) -> bool {
        false
    }

    /// Opens a session; returns at once. Must be called on a Tokio runtime. Failures, also those to connect, are the result of
    /// [`TranscriptionSession::finish`].
    fn stream(&self, request: StreamingRequest) -> TranscriptionSession;
}

/// Answers by a language model, with or without images in the question.
#[async_trait]
pub trait Chat: Send + Sync {
    /// Starts an answer; returns when the headers of a successful reply have arrived. Dropping the stream cancels the call.
    ///
    /// # Errors
    /// When the call fails before the first event. Later failures are items of the stream.
    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure>;

    /// Whether the model can call tools: false only where that is known to be impossible. A model of which it is not known is asked, and
    /// its refusal is [`FailureKind::Unsupported`](super::FailureKind::Unsupported).
    async fn calls_tools(&self, _model: &str) -> bool {
        true
    }

    /// Whether a question with an image can be answered when this model is named: false only where that is known to be impossible.
    async fn sees(&self, _model: &str) -> bool {
        true
    }
}

/// Text to speech.
#[async_trait]
pub trait TextToSpeech: Send + Sync {
    /// Starts to speak; returns when the headers of a successful reply have arrived. Dropping the stream cancels the call.
    ///
    /// # Errors
    /// When the call fails before the first event. Later failures are items of the stream.
    async fn speak(&self, request: &SpeechRequest) -> Result<SpeechStream, Failure>;

    /// The longest text that one call to this model accepts, in characters.
    fn max_chars(&self, model: &str) -> usize;

    /// Whether the voices follow [`SpeechOptions::speed`](super::SpeechOptions::speed). Others speak at their own speed, and the caller may
    /// stretch the sound.
    fn takes_speed(&self) -> bool {
        false
    }
}

/// Embeddings.
#[async_trait]
pub trait Embed: Send + Sync {
    /// Embeds texts.
    ///
    /// # Errors
    /// When the call fails, or does not return a vector for every text.
    async fn embed(&self, request: &EmbeddingRequest) -> Result<EmbeddingReply, Failure>;
}

/// Calls that cost nothing: the model list, the voice list, and opening a connection ahead of time.
#[async_trait]
pub trait ModelListing: Send + Sync {
    /// The models that this account can use. Also checks the API key.
    ///
    /// # Errors
    /// When the call fails.
    async fn models(&self) -> Result<Vec<ListedModel>, Failure>;

    /// The voices that the server lists itself; empty for providers whose voices are only in the catalog.
    ///
    /// # Errors
    /// When the call fails.
    async fn voices(&self) -> Result<Vec<ListedVoice>, Failure> {
        Ok(Vec::new())
    }

    /// Opens a connection, so that the next call does not wait for it. Errors are ignored.
    async fn preconnect(&self);

    /// The same for calls of these services: a provider with models on this computer loads them.
    async fn preconnect_for(&self, _services: &[Service]) {
        self.preconnect().await;
    }
}
