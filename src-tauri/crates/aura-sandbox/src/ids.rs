//! Identifiers of the imitated providers and of their services.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A provider that the sandbox imitates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Groq, mounted at `/groq/openai/v1`.
    Groq,
    /// The Gemini Developer API, mounted at `/gemini/v1beta` (and `/gemini/v1`).
    Gemini,
    /// A server with OpenAI's API, mounted at `/openai/v1`.
    Openai,
}

/// A service of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Speech to text.
    Stt,
    /// Text completion by a language model.
    Llm,
    /// Text completion for a prompt with an image, by a vision model.
    Vlm,
    /// Text to speech.
    Tts,
    /// Embeddings.
    Embedding,
    /// List of models, which clients also use to check an API key at no cost.
    Models,
}

impl fmt::Display for Provider {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Groq => "groq",
            Self::Gemini => "gemini",
            Self::Openai => "openai",
        })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Stt => "stt",
            Self::Llm => "llm",
            Self::Vlm => "vlm",
            Self::Tts => "tts",
            Self::Embedding => "embedding",
            Self::Models => "models",
        })
    }
}
