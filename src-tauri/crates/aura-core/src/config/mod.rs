//! Settings and API keys. Settings come from three layers: the defaults, the settings file with the differences from them, and
//! environment variables, which decide at the start.

mod actions;
mod environment;
mod keys;
mod mcp_servers;
mod merge_patch;
mod overruled;
mod personas;
mod settings;
mod settings_document;
mod settings_file;
mod settings_problem;
mod start_values;
mod store;
mod vocabulary;
mod voices;

pub use actions::Actions;
pub use environment::{Environment, key_variable};
pub use keys::{KeyPlace, KeyView, Keys};
pub use mcp_servers::{McpServer, ToolPermission};
pub use overruled::Overruled;
pub use personas::Persona;
pub(crate) use personas::check_chosen as check_chosen_persona;
pub use settings::{
    Announcements, Appearance, Budget, Cues, HistorySettings, Language, Listening, LocalApi, ScreenPolicy,
    ScreenSharing, Settings, Speaking, Startup, TalkKeyMode, Theme, UpdateSettings,
};
pub use settings_problem::SettingsProblem;
pub use store::{Config, SettingsStore};
pub use voices::LanguageVoice;
