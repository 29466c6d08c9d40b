//! What the person can change: defaults compiled in, a file that holds only the differences, and the environment over both.

mod environment;
mod keys;
mod settings;
mod store;

pub use environment::Environment;
pub use keys::{KeyPlace, Keys};
pub use settings::{
    Appearance, Clocks, Consent, Door, Language, Listening, Mode, Preference, ProviderSettings, RouteChoice, Routes,
    ScreenSharing, Settings, Share, Speaking, Startup, Theme,
};
pub use store::{Config, Store};
