//! What a sandbox is started with, and the timing that can be changed while it runs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::script::Script;

/// The key that a sandbox accepts unless told otherwise.
pub const DEFAULT_KEY: &str = "sandbox-key";

/// What a sandbox is started with.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The one key that every provider accepts.
    pub key: String,
    /// What the models answer.
    pub script: Script,
    /// How long each service takes.
    pub delays: Delays,
    /// Fixed answers in place of real speech recognition and synthesis.
    pub fixed: Fixed,
    /// A model for `whisper-cli`; without one, pocketsphinx recognises.
    pub whisper_model: Option<PathBuf>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            port: 0,
            key: DEFAULT_KEY.to_owned(),
            script: Script::default(),
            delays: Delays::default(),
            fixed: Fixed::default(),
            whisper_model: None,
        }
    }
}

/// Milliseconds, counted from the moment the request's body was complete. A service whose real work takes
/// longer than its delay answers when the work is done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delays {
    /// Until a transcript is answered.
    pub stt_ms: u64,
    /// Until the first content of a text answer.
    pub llm_first_ms: u64,
    /// Between two pieces of a text answer.
    pub llm_chunk_ms: u64,
    /// Until the first bytes of speech.
    pub tts_first_ms: u64,
    /// Between two pieces of streamed speech.
    pub tts_chunk_ms: u64,
    /// Until the list of models is answered.
    pub models_ms: u64,
}

/// Fixed answers that run no program: for benchmarks, whose timing must be exact.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fixed {
    /// Every transcription answers this text.
    pub transcript: Option<String>,
    /// Every synthesis answers this sound.
    pub audio: Option<FixedAudio>,
}

/// A generated sound of exact length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedAudio {
    /// What it sounds like.
    pub sound: Sound,
    /// How long it is, in milliseconds.
    pub ms: u64,
}

/// Kinds of generated sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sound {
    /// A 440 Hz sine at half scale, loud from its first sample.
    Tone,
    /// Zeros.
    Silence,
    /// White noise at a quarter of full scale, the same samples every time.
    Noise,
}
