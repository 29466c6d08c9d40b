//! The arguments.

use std::path::PathBuf;

use aura_core::api::Wishes;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Hold a key, speak, and the computer answers aloud. Without a command the desktop app starts.
#[derive(Debug, Parser)]
#[command(name = "aura", version)]
pub(super) struct Arguments {
    /// Use the sandbox providers on this computer instead of the real ones.
    #[arg(long, global = true)]
    pub(super) sandbox: bool,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Ask a typed question.
    Ask(Ask),
    /// Take one spoken turn: from the microphone, or from a file.
    Listen(Listen),
    /// Drive the running app: for Wayland, window managers, foot pedals and scripts.
    Ptt {
        /// What the talk key does.
        edge: Edge,
    },
    /// Say what works on this machine and what to do about what does not.
    Doctor {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Ask {
    /// The question.
    pub(super) text: String,
    /// A JPEG or PNG picture that goes with it.
    #[arg(long, value_name = "FILE", conflicts_with = "screen")]
    pub(super) image: Option<PathBuf>,
    /// The screen goes with it.
    #[arg(long)]
    pub(super) screen: bool,
    /// Speak the answer aloud.
    #[arg(long)]
    pub(super) speak: bool,
    #[command(flatten)]
    pub(super) routes: Routes,
    /// Print the whole turn as JSON; the answer's speech is kept as a file.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Listen {
    /// Record for so many seconds instead of until Enter.
    #[arg(long, value_name = "N", conflicts_with = "audio", value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(super) seconds: Option<u32>,
    /// Take the question from a sound file: WAV, MP3, OGG or FLAC.
    #[arg(long, value_name = "FILE")]
    pub(super) audio: Option<PathBuf>,
    /// The screen goes with it.
    #[arg(long)]
    pub(super) screen: bool,
    /// Keep the answer's speech as a file without playing it.
    #[arg(long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) routes: Routes,
    /// Print the whole turn as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Routes for this turn alone: PROVIDER or PROVIDER/MODEL.
#[derive(Debug, Args)]
pub(super) struct Routes {
    /// Who hears.
    #[arg(long, value_name = "PROVIDER[/MODEL]")]
    stt: Option<String>,
    /// Who answers.
    #[arg(long, value_name = "PROVIDER[/MODEL]")]
    llm: Option<String>,
    /// Who looks.
    #[arg(long, value_name = "PROVIDER[/MODEL]")]
    vlm: Option<String>,
    /// Who speaks.
    #[arg(long, value_name = "PROVIDER[/MODEL]")]
    tts: Option<String>,
    /// With which voice.
    #[arg(long)]
    voice: Option<String>,
    /// Let others answer when a provider that was named fails.
    #[arg(long)]
    fallback: bool,
}

impl From<Routes> for Wishes {
    fn from(routes: Routes) -> Self {
        let Routes { stt, llm, vlm, tts, voice, fallback } = routes;
        Self { stt, llm, vlm, tts, voice, fallback }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Edge {
    /// The key went down.
    Press,
    /// The key went up.
    Release,
    /// Everything in flight stops.
    Cancel,
}
