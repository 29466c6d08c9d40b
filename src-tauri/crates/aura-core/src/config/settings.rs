//! The settings and their defaults.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ports::CaptureTarget;
use crate::providers::Service;

/// Everything the person can change. Keys are not here: they live in the operating system's keyring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Settings {
    /// Version of the file's layout.
    pub schema: u32,
    /// Whether another provider may answer when the first one fails.
    pub fallback: bool,
    /// Whether another provider may answer what the first one blocked for its content.
    pub fallback_when_blocked: bool,
    /// Whether the next route is started as well when the first takes longer than it usually does. The faster one answers; both
    /// may be billed.
    pub hedge: bool,
    /// How the first route is chosen where no provider is.
    pub choose: Preference,
    /// Who does what.
    pub routes: Routes,
    /// Per provider: where it is and what it may receive. Entries that are no built-in provider are OpenAI-compatible servers.
    #[ts(as = "BTreeMap<String, Option<ProviderSettings>>")]
    pub providers: BTreeMap<String, ProviderSettings>,
    /// How AURA listens.
    pub listening: Listening,
    /// How AURA speaks.
    pub speaking: Speaking,
    /// What AURA may see.
    pub screen: ScreenSharing,
    /// The global shortcut that is held to talk.
    pub shortcut: String,
    /// How long AURA waits for a provider.
    pub clocks: Clocks,
    /// How AURA looks.
    pub appearance: Appearance,
    /// When AURA runs.
    pub startup: Startup,
    /// The HTTP door.
    pub door: Door,
    /// What AURA is told about how to answer, in addition to its own instructions.
    pub instructions: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            schema: 1,
            fallback: true,
            fallback_when_blocked: false,
            hedge: false,
            choose: Preference::default(),
            routes: Routes::default(),
            providers: BTreeMap::new(),
            listening: Listening::default(),
            speaking: Speaking::default(),
            screen: ScreenSharing::default(),
            shortcut: "Ctrl+Shift+Space".into(),
            clocks: Clocks::default(),
            appearance: Appearance::default(),
            startup: Startup::default(),
            door: Door::default(),
            instructions: String::new(),
        }
    }
}

/// How the first route is chosen where no provider is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Preference {
    /// The first provider that is ready, in the order of the fallback.
    #[default]
    Order,
    /// The one that answers soonest, as measured.
    Speed,
    /// Speed, quality and cost alike.
    Balanced,
    /// The most capable model.
    Quality,
    /// The cheapest.
    Cost,
}

/// When AURA runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Startup {
    /// Whether AURA goes on when its main window is closed, where the desktop has a tray to bring it back.
    pub background: bool,
    /// Whether it starts, without its window, when the person logs in.
    pub at_login: bool,
}

impl Default for Startup {
    /// Whoever closes the window still wants to hold the key and speak.
    fn default() -> Self {
        Self { background: true, at_login: false }
    }
}

/// The HTTP door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Door {
    /// Whether the desktop app opens it.
    pub open: bool,
    /// The port on the loopback.
    pub port: u16,
}

impl Default for Door {
    /// The port of the multi-provider guide.
    fn default() -> Self {
        Self { open: false, port: 8000 }
    }
}

/// The choice for each service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Routes {
    /// Speech to text.
    pub stt: RouteChoice,
    /// Text.
    pub llm: RouteChoice,
    /// Text about an image.
    pub vlm: RouteChoice,
    /// Text to speech.
    pub tts: RouteChoice,
}

impl Routes {
    /// The choice for a service.
    pub fn get(&self, service: Service) -> &RouteChoice {
        match service {
            Service::Stt => &self.stt,
            Service::Llm => &self.llm,
            Service::Vlm => &self.vlm,
            Service::Tts => &self.tts,
        }
    }

    /// The choice for a service, to be changed.
    pub fn get_mut(&mut self, service: Service) -> &mut RouteChoice {
        match service {
            Service::Stt => &mut self.stt,
            Service::Llm => &mut self.llm,
            Service::Vlm => &mut self.vlm,
            Service::Tts => &mut self.tts,
        }
    }
}

/// Who does one service. Everything left open is filled from the provider table and the catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct RouteChoice {
    /// The default provider; empty: the first one that is ready, offline last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub provider: Option<String>,
    /// Its model; empty: the catalog's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub model: Option<String>,
    /// Its voice; empty: the catalog's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub voice: Option<String>,
    /// Providers tried after it, in order; empty: all others in the order of the provider table.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub then: Option<Vec<String>>,
}

/// One provider's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct ProviderSettings {
    /// What kind of OpenAI-compatible server it is; see the presets in the catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub preset: Option<String>,
    /// Where it is, if not where the provider table or the preset says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub base_url: Option<String>,
    /// What it may receive.
    pub may_receive: Consent,
}

/// The kinds of data a provider may receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Consent {
    /// Recordings of the person's voice.
    pub audio: bool,
    /// Pictures of the screen.
    pub screen: bool,
    /// What was said, as text.
    pub text: bool,
}

impl Default for Consent {
    /// Saving a key for a provider, or adding a server, is the consent; each kind can be taken back.
    fn default() -> Self {
        Self { audio: true, screen: true, text: true }
    }
}

impl Consent {
    /// Whether what a service sends may be sent.
    pub fn allows(self, service: Service) -> bool {
        match service {
            Service::Stt => self.audio,
            Service::Vlm => self.screen && self.text,
            Service::Llm | Service::Tts => self.text,
        }
    }
}

/// How AURA listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Listening {
    /// The microphone; empty: the operating system's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub microphone: Option<String>,
    /// How the key works.
    pub mode: Mode,
    /// The longest recording, seconds.
    pub longest_seconds: u32,
    /// ISO 639-1 code of the language that is spoken; empty: recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub language: Option<String>,
}

impl Default for Listening {
    fn default() -> Self {
        Self { microphone: None, mode: Mode::Auto, longest_seconds: 120, language: None }
    }
}

/// How the talk key works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Mode {
    /// A hold talks, a tap toggles.
    #[default]
    Auto,
    /// Only a hold talks.
    Hold,
    /// Only a tap toggles.
    Toggle,
}

/// How AURA speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Speaking {
    /// The loudspeaker; empty: the operating system's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub speaker: Option<String>,
    /// Answers are shown but not spoken.
    pub muted: bool,
}

/// What AURA may see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct ScreenSharing {
    /// When the screen goes with a question.
    pub share: Share,
    /// Which part of it.
    pub target: CaptureTarget,
}

/// When the screen goes with a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Share {
    /// Never.
    Never,
    /// When the question speaks of the screen, or the person attached it.
    #[default]
    WhenAsked,
    /// With every question.
    Always,
}

/// How long AURA waits, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Clocks {
    /// For a connection.
    pub connect_ms: u32,
    /// For the first content of an answer or of speech.
    pub first_content_ms: u32,
    /// For a transcript.
    pub transcript_ms: u32,
    /// For the first content of a server on this computer, which may be loading its model.
    pub local_first_content_ms: u32,
    /// Between two pieces.
    pub between_ms: u32,
    /// For the words of an error, whose kind is known already.
    pub error_body_ms: u32,
    /// For a whole request, all attempts together.
    pub whole_ms: u32,
}

impl Default for Clocks {
    fn default() -> Self {
        Self {
            connect_ms: 3_000,
            first_content_ms: 8_000,
            transcript_ms: 15_000,
            local_first_content_ms: 60_000,
            between_ms: 5_000,
            error_body_ms: 3_000,
            whole_ms: 60_000,
        }
    }
}

/// How AURA looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Appearance {
    /// The colours.
    pub theme: Theme,
    /// Whether the overlay shows while AURA listens and answers.
    pub overlay: bool,
    /// The language of the windows and the tray.
    pub language: Language,
}

impl Default for Appearance {
    fn default() -> Self {
        Self { theme: Theme::System, overlay: true, language: Language::System }
    }
}

/// The colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Theme {
    /// As the operating system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The language of the windows and the tray.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Language {
    /// The operating system's, where AURA speaks it; else English.
    #[default]
    System,
    /// English.
    En,
    /// German.
    De,
}
