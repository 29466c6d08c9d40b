//! Which provider is being imitated, and which of its services a request is for.

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
    /// Any server that speaks OpenAI's format, mounted at `/openai/v1`.
    Openai,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Speech to text.
    Stt,
    /// Text to text.
    Llm,
    /// Text about an image.
    Vlm,
    /// Text to speech.
    Tts,
    /// The list of models, which doubles as the free check of a key.
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
            Self::Models => "models",
        })
    }
}
