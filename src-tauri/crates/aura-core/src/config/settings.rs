//! The settings and their defaults.

use std::collections::BTreeMap;
use std::iter;

use aura_router::{ProviderSettings, RoutePreference, Routes, RoutingSettings, Timeouts};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::actions::{self, Actions};
use super::mcp_servers::{self, McpServer};
use super::merge_patch::merge;
use super::personas::{self, Persona};
use super::vocabulary;
use super::voices::{self, LanguageVoice};
use crate::error::{Error, Result};
use crate::ports::{CaptureTarget, Standby};
use crate::purpose::Purpose;

/// The version of the settings file's layout. Version 2 renamed `clocks` to `timeouts` and `door` to `local_api`.
pub(super) const SCHEMA: u32 = 2;

/// Everything that the user can change, apart from API keys, which are in the operating system's keyring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Settings {
    /// Version of the layout of the settings file.
    pub schema: u32,
    /// Whether another provider may answer when the first one fails.
    pub fallback: bool,
    /// Whether another provider may answer when the first one blocked the question or answer because of its content.
    pub fallback_when_blocked: bool,
    /// Whether requests are hedged: when the first route is slower than usual, the next one is called too. The faster one
    /// answers; both may be billed.
    pub hedge: bool,
    /// How the first route is chosen for a service that names no provider.
    pub choose: RoutePreference,
    /// The default routes, one choice per service.
    pub routes: Routes,
    /// Address and consent per provider, by provider ID. An ID that is not a built-in provider is an OpenAI-compatible server.
    #[cfg_attr(feature = "ts", ts(as = "BTreeMap<String, Option<ProviderSettings>>"))]
    pub providers: BTreeMap<String, ProviderSettings>,
    /// Microphone and push-to-talk.
    pub listening: Listening,
    /// Speech output.
    pub speaking: Speaking,
    /// Screen sharing.
    pub screen: ScreenSharing,
    /// What AURA may do in other programs.
    pub actions: Actions,
    /// Programs of others whose tools the model may call, by their names: at most 32. They need `actions.enabled`.
    #[cfg_attr(feature = "ts", ts(as = "BTreeMap<String, Option<McpServer>>"))]
    pub mcp_servers: BTreeMap<String, McpServer>,
    /// How long questions, answers and recordings are kept.
    pub history: HistorySettings,
    /// The global push-to-talk shortcut, such as `Ctrl+Shift+Space`.
    pub shortcut: String,
    /// The global shortcuts that end with a text at the cursor.
    pub cursor_shortcuts: CursorShortcuts,
    /// Timeouts of calls to providers.
    pub timeouts: Timeouts,
    /// Appearance of the windows and the overlay.
    pub appearance: Appearance,
    /// When the desktop app runs.
    pub startup: Startup,
    /// Looking for new versions.
    pub updates: UpdateSettings,
    /// What may be spent on a day.
    pub budget: Budget,
    /// The local API.
    pub local_api: LocalApi,
    /// The user's own instructions for the model, added to the system prompt.
    pub instructions: String,
    /// Name of the chosen persona; empty: none.
    pub persona: String,
    /// The personas to choose from: at most 50, with different names.
    pub personas: Vec<Persona>,
}

impl Settings {
    /// The settings of the router.
    pub fn routing(&self) -> RoutingSettings {
        let mut routing = RoutingSettings::default();
        routing.fallback = self.fallback;
        routing.fallback_when_blocked = self.fallback_when_blocked;
        routing.hedge = self.hedge;
        routing.preference = self.choose;
        routing.routes.clone_from(&self.routes);
        routing.providers.clone_from(&self.providers);
        routing.timeouts = self.timeouts;
        routing.daily_limit = (self.budget.stop && self.budget.daily_usd > 0.0).then_some(self.budget.daily_usd);
        routing
    }

    /// ISO 639-1 code of the person's language: the one that they speak, else that of the windows; `None` where neither is set.
    pub(crate) fn language(&self) -> Option<&str> {
        self.listening.language.as_deref().or(self.appearance.language.code())
    }

    /// The shortcuts that are on, each with what it is for; that for push-to-talk first.
    pub fn shortcuts(&self) -> Vec<(Purpose, String)> {
        let CursorShortcuts { dictate, answer_here, edit_selection } = &self.cursor_shortcuts;
        let others =
            [(Purpose::Dictate, dictate), (Purpose::AnswerHere, answer_here), (Purpose::EditSelection, edit_selection)];
        let on = others.into_iter().filter(|(_, keys)| !keys.trim().is_empty());
        [(Purpose::Answer, &self.shortcut)]
            .into_iter()
            .chain(on)
            .map(|(purpose, keys)| (purpose, keys.clone()))
            .collect()
    }

    /// The persona of a turn: the one that the turn names, where an empty name means none, else the chosen one. `None` as well for a name
    /// that no persona has.
    pub fn find_persona(&self, named: Option<&str>) -> Option<&Persona> {
        personas::find(named.unwrap_or(&self.persona), &self.personas)
    }

    /// Applies differences, a JSON merge patch, to the defaults.
    ///
    /// # Errors
    /// When a value has another type than its setting.
    pub(super) fn from_differences(differences: &Value) -> Result<Self, serde_json::Error> {
        let mut whole = Self::default().to_json();
        merge(&mut whole, differences);
        serde_json::from_value(whole)
    }

    /// The settings as JSON.
    pub(super) fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Checks the rules that the types do not express: ranges, provider IDs and addresses.
    ///
    /// # Errors
    /// With [`ErrorCode::InvalidRequest`](crate::error::ErrorCode::InvalidRequest) for the first value that is not valid.
    pub(super) fn check(&self) -> Result<()> {
        if !(5..=600).contains(&self.listening.longest_seconds) {
            return Err(Error::invalid("The recording limit must be between 5 and 600 seconds."));
        }
        let spare = &self.listening.spare_microphones;
        let is_wrong = |(at, id): (usize, &String)| id.is_empty() || id.len() > 500 || spare[..at].contains(id);
        if spare.len() > 20 || spare.iter().enumerate().any(is_wrong) {
            return Err(Error::invalid("At most 20 other microphones can be chosen, each once and by its ID."));
        }
        voices::check(&self.speaking.voices)?;
        vocabulary::check(&self.listening.vocabulary)?;
        personas::check(&self.personas)?;
        actions::check(&self.actions)?;
        mcp_servers::check(&self.mcp_servers)?;
        if !(50..=300).contains(&self.speaking.speed_percent) {
            return Err(Error::invalid("The speed of the voice must be between 50 and 300 percent."));
        }
        if !(5..=100).contains(&self.speaking.volume_percent) {
            return Err(Error::invalid(
                "The volume of the voice must be between 5 and 100 percent. Mute it to hear nothing.",
            ));
        }
        if self.history.keep_recordings_days.max(self.history.keep_turns_days) > 36_500 {
            return Err(Error::invalid(
                "The days for which the history is kept must be between 0 (for ever) and 36500.",
            ));
        }
        if self.history.max_gigabytes > 100_000 {
            return Err(Error::invalid("The limit for recordings must be between 0 (none) and 100000 gigabytes."));
        }
        if !(0.0..=100_000.0).contains(&self.budget.daily_usd) {
            return Err(Error::invalid("The limit for a day must be between 0 (none) and 100000 dollars."));
        }
        let timeouts = self.timeouts;
        let times = [
            timeouts.connect_ms,
            timeouts.first_content_ms,
            timeouts.transcript_ms,
            timeouts.local_first_content_ms,
            timeouts.between_ms,
            timeouts.error_body_ms,
            timeouts.whole_ms,
        ];
        if times.iter().any(|ms| !(100..=600_000).contains(ms)) {
            return Err(Error::invalid("Timeouts must be between 100 and 600000 milliseconds."));
        }
        for (name, provider) in &self.providers {
            let is_valid_name = !name.is_empty()
                && name.len() <= 40
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c));
            if !is_valid_name {
                return Err(Error::invalid(
                    "A provider name must have 1 to 40 characters: lowercase letters, digits, dots, dashes and underscores.",
                ));
            }
            if let Some(url) = &provider.base_url {
                let is_web_address =
                    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
                if !is_web_address {
                    return Err(Error::invalid(format!(
                        "`{url}` is not a valid address. Write it like http://localhost:11434/v1."
                    )));
                }
            }
        }
        Ok(())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            fallback: true,
            fallback_when_blocked: false,
            hedge: false,
            choose: RoutePreference::default(),
            routes: Routes::default(),
            providers: BTreeMap::new(),
            listening: Listening::default(),
            speaking: Speaking::default(),
            screen: ScreenSharing::default(),
            actions: Actions::default(),
            mcp_servers: BTreeMap::new(),
            history: HistorySettings::default(),
            shortcut: "Ctrl+Shift+Space".into(),
            cursor_shortcuts: CursorShortcuts::default(),
            timeouts: Timeouts::default(),
            appearance: Appearance::default(),
            startup: Startup::default(),
            updates: UpdateSettings::default(),
            budget: Budget::default(),
            local_api: LocalApi::default(),
            instructions: String::new(),
            persona: String::new(),
            personas: Vec::new(),
        }
    }
}

/// Global shortcuts that work like that for push-to-talk, and end with a text at the cursor. An empty one is off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct CursorShortcuts {
    /// Types what was said.
    pub dictate: String,
    /// Types the answer.
    pub answer_here: String,
    /// Changes the selected text as was said.
    pub edit_selection: String,
}

/// When the desktop app runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Startup {
    /// Whether AURA keeps running when its main window is closed. Applies only where the desktop has a tray to open it again.
    pub background: bool,
    /// Whether AURA starts without a window when the user logs in.
    pub at_login: bool,
}

impl Default for Startup {
    /// AURA keeps running by default, so that push-to-talk works without the window.
    fn default() -> Self {
        Self { background: true, at_login: false }
    }
}

/// Looking for new versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct UpdateSettings {
    /// Whether AURA asks once a day for its newest version and for newer lists of models and prices. Off unless the user turns it on.
    pub check: bool,
}

/// How long questions, answers and recordings are kept. Screenshots are never kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct HistorySettings {
    /// Days after which a recording is deleted; 0: never. The text of the turn stays.
    pub keep_recordings_days: u32,
    /// Days after which a turn is deleted; 0: never.
    pub keep_turns_days: u32,
    /// Size of all recordings together, in gigabytes, from which on the oldest are deleted; 0: no limit.
    pub max_gigabytes: u32,
}

impl Default for HistorySettings {
    /// Recordings for a month, texts for ever.
    fn default() -> Self {
        Self { keep_recordings_days: 30, keep_turns_days: 0, max_gigabytes: 5 }
    }
}

/// What may be spent on a day.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Budget {
    /// US dollars that may be spent on a day before AURA says so; 0: no limit. Costs are estimates from list prices.
    pub daily_usd: f64,
    /// Whether AURA makes no billed calls for the rest of a day once the limit is reached. Providers on this computer go on.
    pub stop: bool,
}

/// Settings of the local API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct LocalApi {
    /// Whether the desktop app opens the local API.
    pub open: bool,
    /// The TCP port on the loopback interface.
    pub port: u16,
    /// Other names for models, for programs that cannot be told one: `gpt-4o = "auto"`.
    #[cfg_attr(feature = "ts", ts(skip))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, String>,
}

impl Default for LocalApi {
    /// Closed, on the port of the multi-provider guide.
    fn default() -> Self {
        Self { open: false, port: 8000, aliases: BTreeMap::new() }
    }
}

/// Settings of the microphone and of push-to-talk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Listening {
    /// ID of the microphone; absent: the operating system's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub microphone: Option<String>,
    /// IDs of the microphones that are used, in this order, when the chosen one cannot be: at most 20. The operating system's default comes
    /// last.
    pub spare_microphones: Vec<String>,
    /// When the microphone is open, apart from recordings. Applies to the desktop app alone.
    pub standby: Standby,
    /// How the push-to-talk key works.
    pub mode: TalkKeyMode,
    /// The longest recording in seconds, from 5 to 600.
    pub longest_seconds: u32,
    /// ISO 639-1 code of the language that the user speaks; absent: detected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub language: Option<String>,
    /// Names and terms that every transcription expects: at most 200, each of 1 to 80 characters.
    pub vocabulary: Vec<String>,
    /// Whether speech is sent while it is recorded, to a route that takes that: the transcript comes sooner, and words appear while they are
    /// spoken if the route transcribes live speech. What is cancelled has been sent too.
    pub streaming: bool,
    /// Whether other programs are quieter while AURA records. Only on Linux, with PulseAudio or PipeWire.
    pub lower_other_sound: bool,
}

impl Default for Listening {
    fn default() -> Self {
        Self {
            microphone: None,
            spare_microphones: Vec::new(),
            standby: Standby::default(),
            mode: TalkKeyMode::Auto,
            longest_seconds: 120,
            language: None,
            vocabulary: Vec::new(),
            streaming: true,
            lower_other_sound: false,
        }
    }
}

impl Listening {
    /// IDs of the chosen microphones in the person's order; none: the operating system's default.
    pub(crate) fn microphones(&self) -> Vec<String> {
        self.microphone.iter().flat_map(|first| iter::once(first).chain(&self.spare_microphones)).cloned().collect()
    }
}

/// How the push-to-talk key works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum TalkKeyMode {
    /// A hold records until it is released; a tap starts and the next tap ends a recording.
    #[default]
    Auto,
    /// A hold records until it is released; a tap does nothing.
    Hold,
    /// A press starts and the next press ends a recording; a release does nothing.
    Toggle,
}

/// Settings of the speech output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Speaking {
    /// ID of the loudspeaker; absent: the operating system's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub speaker: Option<String>,
    /// Whether answers are only shown, not spoken.
    pub muted: bool,
    /// How fast answers are spoken, in percent of the voice's own speed: 50 to 300.
    pub speed_percent: u32,
    /// How loud answers are spoken, in percent of the voice's own loudness: 5 to 100.
    pub volume_percent: u32,
    /// The voices for answers in languages, by ISO 639-1 code. Other languages have the voice of the route for `tts`.
    #[cfg_attr(feature = "ts", ts(as = "BTreeMap<String, Option<LanguageVoice>>"))]
    pub voices: BTreeMap<String, LanguageVoice>,
    /// The tones that tell what a turn does.
    pub cues: Cues,
    /// What AURA says about a turn itself, in one short sentence.
    pub say: Announcements,
}

/// What AURA says about a turn itself, in one short sentence. Nothing when answers are muted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Announcements {
    /// That the question could not be answered, and why.
    pub failures: bool,
    /// That another provider took over.
    pub switches: bool,
}

impl Default for Announcements {
    fn default() -> Self {
        Self { failures: true, switches: false }
    }
}

/// Tones that tell by ear what a turn does, each by itself. None is played while an answer is spoken, or when answers are muted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Cues {
    /// The microphone is ready: speak.
    pub listening: bool,
    /// The question was understood.
    pub heard: bool,
    /// Another provider took over.
    pub switched: bool,
    /// The question could not be answered.
    pub failed: bool,
}

impl Default for Cues {
    fn default() -> Self {
        Self { listening: true, heard: false, switched: false, failed: true }
    }
}

impl Default for Speaking {
    fn default() -> Self {
        Self {
            speaker: None,
            muted: false,
            speed_percent: 100,
            volume_percent: 100,
            voices: BTreeMap::new(),
            cues: Cues::default(),
            say: Announcements::default(),
        }
    }
}

impl Speaking {
    /// The volume as a factor.
    pub(crate) fn volume(&self) -> f32 {
        self.volume_percent as f32 / 100.0
    }
}

/// Settings of screen sharing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct ScreenSharing {
    /// When a screenshot is sent with a question.
    pub share: ScreenPolicy,
    /// The part of the desktop that is captured.
    pub target: CaptureTarget,
}

/// When a screenshot is sent with a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ScreenPolicy {
    /// Never, unless the user attaches it to a question.
    Never,
    /// When the answer needs it: the model asks to see the screen, or the user attaches a screenshot.
    #[default]
    WhenAsked,
    /// With every question.
    Always,
}

/// Appearance of the windows and the overlay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Appearance {
    /// The colour theme.
    pub theme: Theme,
    /// Whether the overlay is shown during a turn.
    pub overlay: bool,
    /// The language of the windows and the tray.
    pub language: Language,
}

impl Default for Appearance {
    fn default() -> Self {
        Self { theme: Theme::System, overlay: true, language: Language::System }
    }
}

/// The colour theme.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// The theme of the operating system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The language of the windows and the tray.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// The language of the operating system if AURA supports it, else English.
    #[default]
    System,
    /// English.
    En,
    /// German.
    De,
    /// Spanish.
    Es,
}

impl Language {
    /// Its ISO 639-1 code; `None` for that of the operating system.
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::En => Some("en"),
            Self::De => Some("de"),
            Self::Es => Some("es"),
        }
    }
}
