//! The sandbox as a program: starts, prints its addresses, and serves until it is told to stop.

use std::error::Error;
use std::path::PathBuf;

use aura_sandbox::{DEFAULT_KEY, Delays, Fixed, FixedAudio, Sandbox, SandboxConfig, Script, Sound};
use clap::{Parser, ValueEnum};

/// Imitates Groq, Gemini and an OpenAI-compatible server on loopback.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The key that every provider accepts.
    #[arg(long, default_value = DEFAULT_KEY)]
    key: String,
    /// A JSON file with the rules that the models answer by.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Milliseconds per service, such as `stt=200,llm=150,chunk=10,tts=180`.
    #[arg(long, value_parser = delays, default_value = "")]
    delays: Delays,
    /// Every transcription answers this text, without recognising anything.
    #[arg(long)]
    fixed_transcript: Option<String>,
    /// Every synthesis answers a generated sound of `--fixed-audio-ms`.
    #[arg(long)]
    fixed_audio: Option<SoundName>,
    /// Length of the generated sound.
    #[arg(long, default_value_t = 1000)]
    fixed_audio_ms: u64,
    /// A model for whisper-cli, which then recognises in place of pocketsphinx.
    #[arg(long)]
    whisper_model: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SoundName {
    Tone,
    Silence,
    Noise,
}

impl From<SoundName> for Sound {
    fn from(name: SoundName) -> Self {
        match name {
            SoundName::Tone => Self::Tone,
            SoundName::Silence => Self::Silence,
            SoundName::Noise => Self::Noise,
        }
    }
}

fn delays(text: &str) -> Result<Delays, String> {
    let mut delays = Delays::default();
    for pair in text.split(',').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("{pair} is not NAME=MILLISECONDS"))?;
        let value = value.parse().map_err(|_| format!("{value} is not a number of milliseconds"))?;
        match name {
            "stt" => delays.stt_ms = value,
            "llm" => delays.llm_first_ms = value,
            "chunk" => delays.llm_chunk_ms = value,
            "tts" => delays.tts_first_ms = value,
            "tts_chunk" => delays.tts_chunk_ms = value,
            "models" => delays.models_ms = value,
            _ => {
                return Err(format!("{name} is none of stt, llm, chunk, tts, tts_chunk, models"));
            }
        }
    }
    Ok(delays)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let script = match &arguments.script {
        Some(path) => serde_json::from_slice::<Script>(&tokio::fs::read(path).await?)?,
        None => Script::default(),
    };
    let audio = arguments.fixed_audio.map(|sound| FixedAudio { sound: sound.into(), ms: arguments.fixed_audio_ms });
    let config = SandboxConfig {
        port: arguments.port,
        key: arguments.key,
        script,
        delays: arguments.delays,
        fixed: Fixed { transcript: arguments.fixed_transcript, audio },
        whisper_model: arguments.whisper_model,
    };
    let sandbox = Sandbox::start(config).await?;
    println!("groq    {}", sandbox.groq_base_url());
    println!("gemini  {}", sandbox.gemini_base_url());
    println!("openai  {}", sandbox.openai_base_url());
    println!("control {}/control", sandbox.url());
    stopped().await?;
    sandbox.stop().await;
    Ok(())
}

/// Waits for an interrupt, or for a request to terminate where there is such a thing.
async fn stopped() -> std::io::Result<()> {
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
