//! The command-line arguments.

use std::path::PathBuf;

use aura_providers::Service;
use aura_router::RouteOverrides;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Hold a key, speak, and your computer answers aloud.
///
/// Without a command, the desktop app starts.
#[derive(Debug, Parser)]
#[command(name = "aura", version)]
pub(super) struct Arguments {
    /// Use simulated providers on this computer. Needs no API key and costs nothing.
    #[arg(long, global = true)]
    pub(super) sandbox: bool,
    /// Start the desktop app in the tray, without its window (if the desktop has a tray).
    #[arg(long)]
    pub(super) hidden: bool,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Ask a typed question.
    Ask(Ask),
    /// Ask a spoken question, from the microphone or a sound file.
    Listen(Listen),
    /// Run the local API without a window.
    ///
    /// It listens on this computer only, until you stop it with Ctrl+C. Open /docs on it for a list of its routes.
    Serve {
        /// Port on this computer's loopback address; 0 selects a free one.
        #[arg(long, default_value_t = aura_server::PORT)]
        port: u16,
    },
    /// Let another program ask and speak through AURA: a server of the Model Context Protocol on standard input and output.
    ///
    /// Name this command in the other program's list of MCP servers. What it asks costs what your own questions cost.
    Mcp {
        /// Let the other program listen through the microphone, too.
        #[arg(long)]
        microphone: bool,
        /// Let the other program see the screen, too.
        #[arg(long)]
        screen: bool,
    },
    /// Control the running app, for desktop keyboard settings, foot pedals and scripts.
    Ptt {
        /// What to do.
        action: PttAction,
    },
    /// Show what the running app asks before it acts, or answer it.
    Consent {
        /// The answer [default: only show the question].
        answer: Option<ConsentAnswer>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show, switch and test providers.
    Providers {
        #[command(subcommand)]
        what: Option<Providers>,
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
    },
    /// Show, search, delete and export past questions and answers.
    History {
        #[command(subcommand)]
        what: Option<History>,
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
    },
    /// List conversations, the one with the latest question first.
    ///
    /// `aura ask --conversation ID` goes on with one of them.
    Conversations {
        /// Only conversations whose title or text contains these words.
        #[arg(long, value_name = "WORDS")]
        search: Option<String>,
        /// How many to list at most.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Save, remove and list API keys.
    Keys {
        #[command(subcommand)]
        what: Option<Keys>,
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
    },
    /// List, download, choose and remove speech and language models that run on this computer.
    Models {
        #[command(subcommand)]
        what: Option<Models>,
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
    },
    /// Check this computer and say how to fix what does not work.
    Doctor {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look for a newer version of AURA, and for newer lists of models and prices.
    Update {
        /// Download the newest version's package, too. Nothing is installed.
        #[arg(long)]
        download: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the completions of a shell. AURA's packages install them.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write manual pages and shell completions into a folder, for packages.
    #[command(hide = true)]
    Manual {
        /// The folder.
        folder: PathBuf,
    },
}

/// An answer to the question whether something may be done.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ConsentAnswer {
    /// Do it this once.
    Yes,
    /// Do not do it.
    No,
    /// Do it, and do not ask again in this conversation.
    Conversation,
    /// Do it, and do not ask again.
    Always,
    /// Do not do it, and do not offer the tool again.
    Never,
}

impl From<ConsentAnswer> for aura_core::api::ConsentAnswer {
    fn from(answer: ConsentAnswer) -> Self {
        match answer {
            ConsentAnswer::Yes => Self::Yes,
            ConsentAnswer::No => Self::No,
            ConsentAnswer::Conversation => Self::Conversation,
            ConsentAnswer::Always => Self::Always,
            ConsentAnswer::Never => Self::Never,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Providers {
    /// Show availability, latency and cost, measured on your own requests. Costs nothing.
    Health,
    /// List models with context length, price and shutdown date.
    Models {
        /// Only models for this service: stt, llm, vlm or tts.
        #[arg(long)]
        service: Option<Service>,
        /// Only models of this provider.
        #[arg(long)]
        provider: Option<String>,
    },
    /// List voices.
    Voices {
        /// Only voices of this provider.
        #[arg(long)]
        provider: Option<String>,
    },
    /// Set the default provider, model and voice of a service.
    Switch {
        /// stt (speech to text), llm (answers), vlm (vision) or tts (speech).
        service: Service,
        /// Provider to use.
        provider: String,
        /// Model to use [default: the catalog's choice].
        model: Option<String>,
        /// Voice to use, for tts.
        #[arg(long)]
        voice: Option<String>,
    },
    /// Send one request to check that a service works. The provider may bill it.
    Test {
        /// stt (speech to text), llm (answers), vlm (vision) or tts (speech).
        service: Service,
        /// Provider to test [default: the current one].
        #[arg(long)]
        provider: Option<String>,
        /// Model to test.
        #[arg(long)]
        model: Option<String>,
        /// Voice to test, for tts.
        #[arg(long)]
        voice: Option<String>,
        /// Question for llm, or text to speak for tts.
        #[arg(long, conflicts_with = "file")]
        text: Option<String>,
        /// Sound file for stt, or picture for vlm.
        #[arg(long)]
        file: Option<PathBuf>,
        /// Play the speech, for tts.
        #[arg(long)]
        aloud: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Models {
    /// List the models, what is installed and what fits this computer.
    List,
    /// Download models. A download that stopped goes on where it was.
    #[command(alias = "resume")]
    Get {
        /// IDs of the models, as `aura models` lists them.
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Remove an installed model from the disk.
    Remove {
        /// ID of the model.
        id: String,
    },
    /// Prefer a model over the others on this computer.
    Use {
        /// ID of the model.
        id: String,
        /// Only for this service: stt, llm, vlm or tts [default: each that the model provides].
        #[arg(long)]
        service: Option<Service>,
    },
    /// Pause a download of the running app.
    Pause {
        /// ID of the model.
        id: String,
    },
    /// Stop a download and remove what has arrived.
    Cancel {
        /// ID of the model.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Save a provider's API key in the keyring. The key is read from standard input.
    Set {
        /// Provider of the key.
        provider: String,
    },
    /// Remove a provider's API key from the keyring.
    Remove {
        /// Provider of the key.
        provider: String,
    },
    /// List where each API key is stored, and its last characters.
    List,
}

#[derive(Debug, Subcommand)]
pub(super) enum History {
    /// Find turns whose question or answer contains all the words.
    Search {
        /// Words to find. The beginning of a word is enough.
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Repeat a turn from its transcript, or from its recording if there is no transcript.
    Retry {
        /// ID of the turn, as `aura history` lists it.
        id: String,
        #[command(flatten)]
        routes: Routes,
    },
    /// Delete turns for good, with AURA's recordings of them: one, those of a time, or all.
    #[command(group(clap::ArgGroup::new("which").required(true).multiple(true)))]
    Delete {
        /// ID of the turn, as `aura history` lists it.
        #[arg(group = "which", conflicts_with_all = ["from", "before", "all"])]
        id: Option<String>,
        /// Only turns that began at this date or time, or later.
        #[arg(long, value_name = "DATE", group = "which", value_parser = parse_time)]
        from: Option<jiff::Timestamp>,
        /// Only turns that began before this date or time.
        #[arg(long, value_name = "DATE", group = "which", value_parser = parse_time)]
        before: Option<jiff::Timestamp>,
        /// Every turn.
        #[arg(long, group = "which", conflicts_with_all = ["from", "before"])]
        all: bool,
    },
    /// Print all turns as a JSON list, oldest first.
    Export,
}

#[derive(Debug, Args)]
pub(super) struct Ask {
    /// The question.
    pub(super) text: String,
    /// Attach a JPEG or PNG picture.
    #[arg(long, value_name = "FILE", conflicts_with = "screen")]
    pub(super) image: Option<PathBuf>,
    /// Attach a screenshot.
    #[arg(long)]
    pub(super) screen: bool,
    /// Speak the answer.
    #[arg(long)]
    pub(super) speak: bool,
    #[command(flatten)]
    pub(super) conversation: Conversation,
    /// Let this persona of the settings answer; "" for none [default: the chosen one].
    #[arg(long, value_name = "NAME")]
    pub(super) persona: Option<String>,
    #[command(flatten)]
    pub(super) routes: Routes,
    /// Print the whole turn as JSON, and save the spoken answer to a file.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Listen {
    /// Record for N seconds instead of until you press Enter.
    #[arg(long, value_name = "N", conflicts_with = "audio", value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(super) seconds: Option<u32>,
    /// Read the question from a WAV, MP3, OGG or FLAC file.
    #[arg(long, value_name = "FILE")]
    pub(super) audio: Option<PathBuf>,
    /// Attach a screenshot.
    #[arg(long)]
    pub(super) screen: bool,
    /// Save the spoken answer to a file instead of playing it.
    #[arg(long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) conversation: Conversation,
    #[command(flatten)]
    pub(super) routes: Routes,
    /// Print the whole turn as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// The conversation that a question belongs to; without an option, a new one.
#[derive(Debug, Args)]
pub(super) struct Conversation {
    /// Go on with the conversation that had the latest question, if there is one.
    #[arg(long = "continue", conflicts_with = "conversation")]
    pub(super) newest: bool,
    /// Go on with this conversation.
    #[arg(long, value_name = "ID")]
    pub(super) conversation: Option<String>,
}

/// Route overrides for one turn: PROVIDER or PROVIDER/MODEL.
#[derive(Debug, Args)]
pub(super) struct Routes {
    /// Provider for speech to text, for this turn only.
    #[arg(long, value_name = "PROVIDER[/MODEL]")]
    stt: Option<String>,
    /// Provider for the answer, for this turn only.
    #[arg(long, value_name = "PROVIDER[/MODEL]")]
    llm: Option<String>,
    /// Provider for vision, for this turn only.
    #[arg(long, value_name = "PROVIDER[/MODEL]")]
    vlm: Option<String>,
    /// Provider for speech, for this turn only.
    #[arg(long, value_name = "PROVIDER[/MODEL]")]
    tts: Option<String>,
    /// Voice for the spoken answer, for this turn only.
    #[arg(long)]
    voice: Option<String>,
    /// Fall back to other providers if one named above fails.
    #[arg(long)]
    fallback: bool,
}

impl From<Routes> for RouteOverrides {
    fn from(routes: Routes) -> Self {
        let Routes { stt, llm, vlm, tts, voice, fallback } = routes;
        Self { stt, llm, vlm, tts, embedding: None, voice, fallback }
    }
}

/// An action of `aura ptt`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum PttAction {
    /// Press the push-to-talk key.
    Press,
    /// Press the key that types what you say where the cursor is.
    Dictate,
    /// Press the key that types the answer where the cursor is.
    AnswerHere,
    /// Press the key that changes the selected text as you say.
    EditSelection,
    /// Release the key that was pressed.
    Release,
    /// Cancel the current turn.
    Cancel,
    /// Begin hands-free use, or end it: AURA listens again after each answer.
    HandsFree,
    /// Say the last answer again, until its end.
    Repeat,
    /// Pause the answer that is read aloud, or go on with it.
    Pause,
    /// Go to the next sentence of the answer.
    Next,
    /// Go back to the last sentence of the answer, also after its end.
    Previous,
    /// Begin a new conversation.
    New,
}

/// A time of the command line: a date, which means its first moment in this computer's time zone, or a whole timestamp.
fn parse_time(text: &str) -> Result<jiff::Timestamp, String> {
    let date = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::system()).ok();
    let time = text.parse().ok().or_else(|| date().map(|day| day.timestamp()));
    time.ok_or_else(|| "Write a date such as 2026-11-28, or a time such as 2026-11-28T09:30:00Z.".to_owned())
}
