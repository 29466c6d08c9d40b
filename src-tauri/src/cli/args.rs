//! The arguments.

use std::path::PathBuf;

use aura_core::api::Wishes;
use aura_core::providers::Service;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Hold a key, speak, and the computer answers aloud. Without a command the desktop app starts.
#[derive(Debug, Parser)]
#[command(name = "aura", version)]
pub(super) struct Arguments {
    /// Use the sandbox providers on this computer instead of the real ones.
    #[arg(long, global = true)]
    pub(super) sandbox: bool,
    /// Start the desktop app without its window, where the desktop has a tray to bring it.
    #[arg(long)]
    pub(super) hidden: bool,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Ask a typed question.
    Ask(Ask),
    /// Take one spoken turn: from the microphone, or from a file.
    Listen(Listen),
    /// Open the HTTP door on the loopback, without a window.
    Serve {
        /// The port; 0 takes a free one.
        #[arg(long, default_value_t = aura_server::PORT)]
        port: u16,
    },
    /// Drive the running app: for Wayland, window managers, foot pedals and scripts.
    Ptt {
        /// What the talk key does.
        edge: Edge,
    },
    /// Look after the providers: how they are, what they offer, which one is the default.
    Providers {
        #[command(subcommand)]
        what: Option<Providers>,
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
    },
    /// Look through what was asked and answered.
    History {
        #[command(subcommand)]
        what: Option<History>,
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
    },
    /// Say what works on this machine and what to do about what does not.
    Doctor {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Providers {
    /// How each provider does each service, as real traffic showed. Costs nothing.
    Health,
    /// The models, with context, price and shutdown date.
    Models {
        /// Only for this service: stt, llm, vlm or tts.
        #[arg(long)]
        service: Option<Service>,
        /// Only of this provider.
        #[arg(long)]
        provider: Option<String>,
    },
    /// The voices.
    Voices {
        /// Only of this provider.
        #[arg(long)]
        provider: Option<String>,
    },
    /// Make another route the default for a service.
    Switch {
        /// stt, llm, vlm or tts.
        service: Service,
        /// The provider.
        provider: String,
        /// Its model; without one the catalog's.
        model: Option<String>,
        /// Its voice, for tts.
        #[arg(long)]
        voice: Option<String>,
    },
    /// Make one call to see whether a service works. It may be billed.
    Test {
        /// stt, llm, vlm or tts.
        service: Service,
        /// By whom; without one the default route.
        #[arg(long)]
        provider: Option<String>,
        /// With which model.
        #[arg(long)]
        model: Option<String>,
        /// With which voice, for tts.
        #[arg(long)]
        voice: Option<String>,
        /// What to answer or to speak, for llm and tts.
        #[arg(long, conflicts_with = "file")]
        text: Option<String>,
        /// A sound file for stt, a picture for vlm.
        #[arg(long)]
        file: Option<PathBuf>,
        /// Let the speech be heard, for tts.
        #[arg(long)]
        aloud: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum History {
    /// Turns whose question or answer hold every word.
    Search {
        /// The words; each matches by its beginning.
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Take a turn again: from its transcript, or from its recording when it was not understood.
    Retry {
        /// The turn's name, as the list shows it.
        id: String,
        #[command(flatten)]
        routes: Routes,
    },
    /// Every turn as one JSON list, the oldest first.
    Export,
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
