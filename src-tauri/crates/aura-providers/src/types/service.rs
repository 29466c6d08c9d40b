//! The services that a provider can offer.

use serde::{Deserialize, Serialize};

/// A service that a provider can offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// Speech to text.
    Stt,
    /// Text: answers by a language model.
    Llm,
    /// Vision: answers about an image.
    Vlm,
    /// Text to speech.
    Tts,
    /// Embeddings: texts as vectors. No question needs them; programs ask for them through the local API.
    #[cfg_attr(feature = "ts", ts(skip))]
    Embedding,
}

impl Service {
    /// The services of a question, in the order in which it passes through them. [`Service::Embedding`] is not one of them.
    pub const ALL: [Service; 4] = [Service::Stt, Service::Llm, Service::Vlm, Service::Tts];

    /// The serialised name: `stt`, `llm`, `vlm`, `tts` or `embedding`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stt => "stt",
            Self::Llm => "llm",
            Self::Vlm => "vlm",
            Self::Tts => "tts",
            Self::Embedding => "embedding",
        }
    }
}

impl std::str::FromStr for Service {
    type Err = UnknownService;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter().chain([Self::Embedding]);
        let named = all.find(|service| service.as_str() == name);
        named.ok_or_else(|| UnknownService(name.to_owned()))
    }
}

/// The name that was parsed is not one of the services. Holds that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("There is no service `{0}`. Use stt, llm, vlm, tts or embedding.")]
pub struct UnknownService(pub String);
