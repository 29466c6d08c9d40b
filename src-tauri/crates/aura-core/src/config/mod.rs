//! Settings and API keys. Settings come from three layers: the defaults, the settings file with the differences from them, and
//! environment variables that override both.

mod environment;
mod keys;
mod merge_patch;
mod settings;
mod settings_file;
mod store;

pub use environment::Environment;
pub use keys::{KeyPlace, KeyView, Keys};
pub use settings::{
    Appearance, HistorySettings, Language, Listening, LocalApi, ScreenPolicy, ScreenSharing, Settings, Speaking,
    Startup, TalkKeyMode, Theme,
};
pub use store::{Config, SettingsStore};
