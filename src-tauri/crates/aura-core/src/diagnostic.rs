//! The findings of the system check.

use aura_providers::Service;
use aura_router::ProviderProblem;
use serde::{Deserialize, Serialize};

use crate::config::{Overruled, SettingsProblem};
use crate::error::ErrorCode;
use crate::history_problem::HistoryProblem;

/// One finding of the system check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Diagnostic {
    /// The subject of the check.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub area: DiagnosticArea,
    /// Whether the subject works.
    pub ok: bool,
    /// What was found, with its facts, for a sentence in another language.
    #[serde(default)]
    pub finding: Finding,
    /// The finding, in a sentence.
    pub message: String,
    /// What the user can do; absent when nothing needs to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub remedy: Option<String>,
}

impl Diagnostic {
    /// The subject works. `message` says how, in a sentence.
    pub fn passed(area: DiagnosticArea, finding: Finding, message: impl Into<String>) -> Self {
        Self { area, ok: true, finding, message: message.into(), remedy: None }
    }

    /// The subject needs attention: `message` says why, `remedy` what the user can do, each in a sentence or two.
    pub fn problem(
        area: DiagnosticArea,
        finding: Finding,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { area, ok: false, finding, message: message.into(), remedy: Some(remedy.into()) }
    }
}

/// The subject of a [`Diagnostic`]. Serialized as a word such as `microphone`, or as the name of a program or provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
#[non_exhaustive]
pub enum DiagnosticArea {
    /// Recording.
    Microphone,
    /// Playback.
    Speaker,
    /// Screenshots.
    Screen,
    /// The operating system's keyring.
    Keyring,
    /// The global push-to-talk shortcut.
    Shortcut,
    /// The settings file.
    Settings,
    /// The database of turns.
    History,
    /// The current route of a service: `stt route`, `llm route`, `vlm route`, `tts route`.
    Route(Service),
    /// A local program or a provider, by name.
    Named(String),
}

impl std::fmt::Display for DiagnosticArea {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Microphone => f.write_str("microphone"),
            Self::Speaker => f.write_str("speaker"),
            Self::Screen => f.write_str("screen"),
            Self::Keyring => f.write_str("keyring"),
            Self::Shortcut => f.write_str("shortcut"),
            Self::Settings => f.write_str("settings"),
            Self::History => f.write_str("history"),
            Self::Route(service) => write!(f, "{} route", service.as_str()),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl From<DiagnosticArea> for String {
    fn from(area: DiagnosticArea) -> Self {
        area.to_string()
    }
}

impl From<String> for DiagnosticArea {
    fn from(name: String) -> Self {
        let devices = [Self::Microphone, Self::Speaker, Self::Screen, Self::Keyring, Self::Shortcut];
        let files = [Self::Settings, Self::History];
        let routes = Service::ALL.map(Self::Route);
        let known = devices.into_iter().chain(files).chain(routes).find(|area| area.to_string() == name);
        known.unwrap_or(Self::Named(name))
    }
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// The microphone records.
    MicrophoneWorks {
        /// Milliseconds until the first block of sound.
        first_ms: u32,
        /// The level of the recording, percent.
        level_percent: u32,
    },
    /// The microphone records nothing but zeros.
    MicrophoneSilent {
        /// Milliseconds until the first block of sound.
        first_ms: u32,
    },
    /// Another microphone records, because the first choice cannot be used.
    MicrophoneReplaced {
        /// The name of the one that records.
        microphone: String,
    },
    /// The speaker can be opened.
    SpeakerWorks {
        /// Samples per second.
        rate: u32,
    },
    /// The screen can be captured.
    ScreenWorks {
        /// The width in pixels.
        width: u32,
        /// The height in pixels.
        height: u32,
        /// How long the capture took, milliseconds.
        ms: u32,
    },
    /// Keys can be saved.
    KeyringWorks,
    /// Turns are saved, and the database is undamaged.
    HistoryWorks,
    /// The desktop supports a global shortcut.
    ShortcutWorks,
    /// Using it failed.
    Failed {
        /// The error.
        code: ErrorCode,
    },
    /// There is a program for a task.
    ProgramFound {
        /// The task.
        task: ProgramTask,
        /// The path of the program.
        path: String,
    },
    /// No program for a task was found.
    ProgramMissing {
        /// The task.
        task: ProgramTask,
        /// The programs that can do it.
        names: Vec<String>,
        /// Debian's packages of such a program, separated by spaces.
        packages: String,
    },
    /// Models for a service are installed on this computer.
    ModelsInstalled {
        /// The service.
        service: Service,
        /// Their names.
        labels: Vec<String>,
    },
    /// No model for a service is installed on this computer.
    ModelMissing {
        /// The service.
        service: Service,
    },
    /// Installed models lack a library.
    LibraryMissing {
        /// Their service.
        service: Service,
        /// Their names.
        labels: Vec<String>,
        /// The name of the library.
        library: String,
    },
    /// A server of language models runs on this computer.
    ServerRunning {
        /// The port that it listens on.
        port: u16,
    },
    /// No such server runs, and none is needed.
    ServerNotNeeded,
    /// Nothing on this computer can answer.
    NothingAnswers,
    /// The provider can be used.
    ProviderReady,
    /// The provider and the model that a service uses now.
    Routed {
        /// The service.
        service: Service,
        /// ID of the provider.
        provider: String,
        /// ID of the model.
        model: String,
    },
    /// No provider can be used for a service.
    NotRouted {
        /// The service.
        service: Service,
    },
    /// A value of the settings file is not valid, or the file is not.
    SettingsProblem {
        /// What is wrong.
        problem: SettingsProblem,
    },
    /// An environment variable overrules a setting.
    SettingOverruled {
        /// Which, and by what.
        overruled: Overruled,
    },
    /// A provider cannot be used.
    ProviderProblem {
        /// Why.
        problem: ProviderProblem,
    },
    /// Something is wrong with the history, or was repaired.
    HistoryProblem {
        /// What it is.
        problem: HistoryProblem,
    },
    /// The message says it.
    #[default]
    #[serde(other)]
    Other,
}

/// What a local program does for AURA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ProgramTask {
    /// It recognises speech.
    Hear,
    /// It reads text on the screen.
    Read,
    /// It speaks.
    Speak,
}
