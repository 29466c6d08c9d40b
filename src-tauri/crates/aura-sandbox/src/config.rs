//! Configuration of a sandbox. Script, delays and fixed answers can also be changed while it runs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::script::Script;

/// The API key that a sandbox accepts by default.
pub const DEFAULT_KEY: &str = "sandbox-key";

/// Configuration to start a sandbox with.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// TCP port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// API key that every imitated provider accepts.
    pub key: String,
    /// Replies of the models.
    pub script: Script,
    /// Latency of each service.
    pub delays: Delays,
    /// Fixed answers that replace speech recognition and synthesis.
    pub fixed: FixedAnswers,
    /// Model file for `whisper-cli`. Without one, pocketsphinx recognises speech.
    pub whisper_model: Option<PathBuf>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            port: 0,
            key: DEFAULT_KEY.to_owned(),
            script: Script::default(),
            delays: Delays::default(),
            fixed: FixedAnswers::default(),
            whisper_model: None,
        }
    }
}

/// Latencies in milliseconds, counted from the moment the request's body was complete. Where the real work takes longer
/// than the delay, the reply is sent when the work is done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delays {
    /// Delay of a transcript.
    pub stt_ms: u64,
    /// Delay of the first content of a completion (time to first token).
    pub llm_first_ms: u64,
    /// Time between two chunks of a completion.
    pub llm_chunk_ms: u64,
    /// Delay of the first bytes of speech.
    pub tts_first_ms: u64,
    /// Time between two chunks of streamed speech.
    pub tts_chunk_ms: u64,
    /// Delay of a model list.
    pub models_ms: u64,
}

/// Fixed answers that need no speech program, for tests of the wire format and for benchmarks with exact timing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FixedAnswers {
    /// Transcript of every recording. `None` runs the recogniser.
    pub transcript: Option<String>,
    /// Sound of every synthesis. `None` runs the synthesiser.
    pub audio: Option<FixedAudio>,
}

/// A generated sound of exact length, 24 kHz mono.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedAudio {
    /// Waveform.
    pub sound: TestSignal,
    /// Length in milliseconds.
    pub ms: u64,
}

/// Waveform of a generated sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TestSignal {
    /// A 440 Hz sine wave at half of full scale that starts at its peak, so its first sample can be detected.
    Tone,
    /// Silence: every sample is zero.
    Silence,
    /// White noise at a quarter of full scale, with the same samples every time.
    Noise,
}
