//! The `aura-sandbox` program: starts a sandbox, prints its base URLs and runs until it is interrupted.

use std::error::Error;
use std::path::PathBuf;

use aura_sandbox::{DEFAULT_KEY, Delays, FixedAnswers, FixedAudio, Sandbox, SandboxConfig, Script, TestSignal};
use clap::{Parser, ValueEnum};

/// Run local stand-ins for Groq, Gemini and OpenAI, with fault injection.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// TCP port on 127.0.0.1; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// API key that every provider accepts.
    #[arg(long, default_value = DEFAULT_KEY)]
    key: String,
    /// JSON file with the rules for the models' replies.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Latencies in milliseconds, such as `stt=200,llm=150,chunk=10,tts=180`; also `tts_chunk` and `models`.
    #[arg(long, value_parser = parse_delays, default_value = "")]
    delays: Delays,
    /// Return this text for every transcription and run no recogniser.
    #[arg(long)]
    fixed_transcript: Option<String>,
    /// Return this generated sound for every synthesis and run no synthesiser.
    #[arg(long)]
    fixed_audio: Option<TestSignalArgument>,
    /// Length of the generated sound in milliseconds.
    #[arg(long, default_value_t = 1000)]
    fixed_audio_ms: u64,
    /// Model file for whisper-cli, which then replaces pocketsphinx as the recogniser.
    #[arg(long)]
    whisper_model: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TestSignalArgument {
    Tone,
    Silence,
    Noise,
}

impl From<TestSignalArgument> for TestSignal {
    fn from(name: TestSignalArgument) -> Self {
        match name {
            TestSignalArgument::Tone => Self::Tone,
            TestSignalArgument::Silence => Self::Silence,
            TestSignalArgument::Noise => Self::Noise,
        }
    }
}

fn parse_delays(text: &str) -> Result<Delays, String> {
    let mut delays = Delays::default();
    for pair in text.split(',').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` must be NAME=MILLISECONDS"))?;
        let value = value.parse().map_err(|_| format!("`{value}` must be a number of milliseconds"))?;
        match name {
            "stt" => delays.stt_ms = value,
            "llm" => delays.llm_first_ms = value,
            "chunk" => delays.llm_chunk_ms = value,
            "tts" => delays.tts_first_ms = value,
            "tts_chunk" => delays.tts_chunk_ms = value,
            "models" => delays.models_ms = value,
            _ => {
                return Err(format!("unknown delay `{name}`; use stt, llm, chunk, tts, tts_chunk or models"));
            }
        }
    }
    Ok(delays)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let script = match &arguments.script {
        Some(path) => {
            let failed = |error: &dyn Error| format!("cannot read the script {}: {error}", path.display());
            let content = tokio::fs::read(path).await.map_err(|error| failed(&error))?;
            serde_json::from_slice::<Script>(&content).map_err(|error| failed(&error))?
        }
        None => Script::default(),
    };
    let audio = arguments.fixed_audio.map(|sound| FixedAudio { sound: sound.into(), ms: arguments.fixed_audio_ms });
    let config = SandboxConfig {
        port: arguments.port,
        key: arguments.key,
        script,
        delays: arguments.delays,
        fixed: FixedAnswers { transcript: arguments.fixed_transcript, audio },
        whisper_model: arguments.whisper_model,
    };
    let sandbox = Sandbox::start(config).await?;
    println!("groq    {}", sandbox.groq_base_url());
    println!("gemini  {}", sandbox.gemini_base_url());
    println!("openai  {}", sandbox.openai_base_url());
    println!("control {}/control", sandbox.url());
    wait_for_stop_signal().await?;
    sandbox.stop().await;
    Ok(())
}

/// Waits for an interrupt (Ctrl+C) or, on Unix, for SIGTERM.
async fn wait_for_stop_signal() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
