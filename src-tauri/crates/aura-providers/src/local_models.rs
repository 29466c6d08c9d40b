//! Models that run on this computer for the `offline` provider: the interface that a host implements.

use async_trait::async_trait;

use crate::types::{
    ChatRequest, ChatStream, Failure, FailureKind, Service, SpeechRequest, SpeechStream, Transcript,
    TranscriptionRequest,
};
use crate::wire::transcription::language_code;

/// A model that is installed and can be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalModel {
    /// The id, which a request names as its model.
    pub id: String,
    /// The name for users.
    pub label: String,
    /// What it does.
    pub services: Vec<Service>,
    /// The ISO 639-1 codes of the languages that it hears or speaks; empty for all.
    pub languages: Vec<String>,
}

impl LocalModel {
    /// Whether the model knows a language, given as an ISO 639-1 code or BCP 47 tag.
    pub fn knows(&self, language: &str) -> bool {
        let code = language_code(Some(language));
        self.languages.is_empty() || code.is_some_and(|code| self.languages.contains(&code))
    }
}

/// Lists and runs models on this computer.
///
/// A request names an installed model; each call is one attempt, as with any other provider.
#[async_trait]
pub trait LocalModels: Send + Sync {
    /// The installed models, for each service the preferred one first.
    fn installed(&self) -> Vec<LocalModel>;

    /// Transcribes a recording.
    ///
    /// # Errors
    /// When the model cannot be loaded or does not finish.
    async fn transcribe(&self, request: &TranscriptionRequest) -> Result<Transcript, Failure>;

    /// Starts an answer. Dropping the stream stops it.
    ///
    /// # Errors
    /// When the model cannot be loaded. Later failures are items of the stream.
    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure>;

    /// Starts to speak. Dropping the stream stops it.
    ///
    /// # Errors
    /// When the model cannot be loaded. Later failures are items of the stream.
    async fn speak(&self, request: &SpeechRequest) -> Result<SpeechStream, Failure>;

    /// Loads these models in the background, so that the next calls do not wait for them. Returns at once.
    fn preload(&self, ids: &[String]);
}

/// A host without models of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLocalModels;

fn none<T>() -> Result<T, Failure> {
    Err(Failure::new(FailureKind::ModelGone, "This program has no models of its own."))
}

#[async_trait]
impl LocalModels for NoLocalModels {
    fn installed(&self) -> Vec<LocalModel> {
        Vec::new()
    }

    async fn transcribe(&self, _request: &TranscriptionRequest) -> Result<Transcript, Failure> {
        none()
    }

    async fn chat(&self, _request: &ChatRequest) -> Result<ChatStream, Failure> {
        none()
    }

    async fn speak(&self, _request: &SpeechRequest) -> Result<SpeechStream, Failure> {
        none()
    }

    fn preload(&self, _ids: &[String]) {}
}
