//! The settings store: the settings file with the environment over it, as one immutable [`Config`] at a time.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde_json::Value;

use super::merge_patch::{difference, empty, merge};
use super::settings_file::{FileStamp, lock, read, rename, write};
use super::{Environment, Settings};
use crate::error::{Error, Result};

/// The settings at one moment. A reader takes one per request.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The settings in effect: the settings file, overridden by environment variables.
    pub settings: Settings,
    /// Paths of the settings that environment variables override, such as `routes.llm.provider`.
    pub from_environment: Vec<String>,
    /// Problems found in the settings file, one sentence each. A value with a problem keeps its default.
    pub problems: Vec<String>,
}

/// Reads and changes the settings.
pub struct SettingsStore {
    file: Option<PathBuf>,
    environment: Environment,
    /// Locked for the whole of a change, so that concurrent changes do not overwrite each other.
    differences: Mutex<Differences>,
    current: ArcSwap<Config>,
}

/// What the user changed, and the version of the file that it was read from.
#[derive(Default)]
struct Differences {
    /// The differences from the defaults, as a JSON merge patch.
    values: Value,
    stamp: Option<FileStamp>,
}

impl SettingsStore {
    /// Opens the settings file, if there is one. A file or value that is not valid is reported in [`Config::problems`]; the
    /// defaults are used instead. Blocks on the disk.
    pub fn open(file: Option<PathBuf>, environment: Environment) -> Self {
        let store = Self { file, environment, differences: Mutex::default(), current: ArcSwap::default() };
        let stamp = store.stamp();
        store.load(&mut store.differences.lock(), stamp);
        store
    }

    /// The current settings.
    pub fn get(&self) -> Arc<Config> {
        self.current.load_full()
    }

    /// The environment that overrides the settings.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Applies a JSON merge patch (RFC 7396: `null` restores a default) and writes the file. The patch is applied to what the
    /// file holds at that moment, because another AURA process may have changed it. Blocks on the disk.
    ///
    /// # Errors
    /// With [`ErrorCode::InvalidRequest`](crate::error::ErrorCode::InvalidRequest) when a value is not valid, and with
    /// [`ErrorCode::Storage`](crate::error::ErrorCode::Storage) when the file cannot be locked or written. Nothing is changed then.
    pub fn change(&self, patch: &Value) -> Result<Arc<Config>> {
        let mut known = self.differences.lock();
        let _lock = self.file.as_deref().map(lock).transpose()?;
        // A file that was damaged meanwhile is replaced by the known differences.
        let present = self.file.as_deref().and_then(|file| read(file).ok());
        let mut merged = present.map_or_else(|| known.values.clone(), |(values, _)| values);
        merge(&mut merged, &rename(patch.clone()));
        let settings = Settings::from_differences(&merged)
            .map_err(|cause| Error::invalid(format!("These settings are not valid: {cause}.")))?;
        settings.check()?;
        let values = difference(&Settings::default().to_json(), &settings.to_json()).unwrap_or_else(empty);
        if let Some(file) = &self.file {
            write(file, &values)?;
        }
        *known = Differences { values, stamp: self.stamp() };
        self.publish(&known.values, Vec::new());
        Ok(self.get())
    }

    /// Reloads the file if another program changed it. Returns whether it did. Blocks on the disk.
    pub fn refresh(&self) -> bool {
        let mut known = self.differences.lock();
        let stamp = self.stamp();
        let has_changed = stamp != known.stamp;
        if has_changed {
            self.load(&mut known, stamp);
        }
        has_changed
    }

    /// Reads and publishes the file. `stamp` was taken before, so a file that is replaced in between is read again.
    fn load(&self, known: &mut Differences, stamp: Option<FileStamp>) {
        let found = self.file.as_deref().map_or_else(|| Ok((empty(), Vec::new())), read);
        let (values, problems) = found.unwrap_or_else(|problem| {
            // The known differences stay in effect while the file cannot be read.
            let values = if known.values.is_object() { known.values.clone() } else { empty() };
            (values, vec![problem])
        });
        *known = Differences { values, stamp };
        self.publish(&known.values, problems);
    }

    fn stamp(&self) -> Option<FileStamp> {
        FileStamp::of(self.file.as_deref()?)
    }

    fn publish(&self, differences: &Value, problems: Vec<String>) {
        let mut settings = Settings::from_differences(differences).unwrap_or_default();
        let from_environment = self.environment.apply(&mut settings);
        self.current.store(Arc::new(Config { settings, from_environment, problems }));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::config::ScreenPolicy;

    fn settings_file() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        (folder, file)
    }

    #[test]
    fn the_file_holds_only_differences_and_is_read_after_a_restart() {
        let (_folder, file) = settings_file();
        let store = SettingsStore::open(Some(file.clone()), Environment::default());
        store.change(&json!({"routes": {"llm": {"provider": "gemini"}}, "screen": {"share": "always"}})).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("gemini") && !text.contains("shortcut"), "{text}");
        let again = SettingsStore::open(Some(file.clone()), Environment::default()).get();
        assert_eq!(again.settings.routes.llm.provider.as_deref(), Some("gemini"));
        assert_eq!(again.settings.screen.share, ScreenPolicy::Always);
        let store = SettingsStore::open(Some(file.clone()), Environment::default());
        store.change(&json!({"routes": null, "screen": {"share": "when_asked"}})).unwrap();
        assert_eq!(store.get().settings, Settings::default());
        assert!(!fs::read_to_string(&file).unwrap().contains("share"));
    }

    #[test]
    fn one_value_that_is_not_valid_does_not_reset_the_others() {
        let (_folder, file) = settings_file();
        fs::write(&file, "fallback = false\nshortcut = 7\n[listening]\nlongest_seconds = 9999\nmode = \"hold\"\n[appearance]\ntheme = \"pink\"\n").unwrap();
        let config = SettingsStore::open(Some(file), Environment::default()).get();
        assert!(!config.settings.fallback);
        assert_eq!(config.settings.listening.mode, crate::config::TalkKeyMode::Hold);
        assert_eq!(config.settings.shortcut, "Ctrl+Shift+Space");
        assert_eq!(config.problems.len(), 3, "{:?}", config.problems);
    }

    #[test]
    fn a_file_that_is_not_toml_is_copied_and_reported() {
        let (folder, file) = settings_file();
        fs::write(&file, "this is = = not toml").unwrap();
        let store = SettingsStore::open(Some(file), Environment::default());
        assert_eq!(store.get().problems.len(), 1);
        assert_eq!(fs::read_to_string(folder.path().join("config.broken.toml")).unwrap(), "this is = = not toml");
    }

    #[test]
    fn concurrent_changes_by_two_processes_are_all_kept() {
        let (_folder, file) = settings_file();
        let stores = [(); 2].map(|()| SettingsStore::open(Some(file.clone()), Environment::default()));
        // Two stores stand for two processes, with four threads each.
        std::thread::scope(|scope| {
            for number in 0..8 {
                let store = &stores[number % 2];
                scope.spawn(move || {
                    for turn in 0..5 {
                        let name = format!("server-{number}-{turn}");
                        store.change(&json!({"providers": {name: {"base_url": "http://127.0.0.1:1/v1"}}})).unwrap();
                    }
                });
            }
        });
        let saved = SettingsStore::open(Some(file), Environment::default()).get();
        assert_eq!((saved.settings.providers.len(), &saved.problems), (40, &Vec::new()));
        assert!(stores.iter().any(|store| store.get().settings == saved.settings));
        // The store that did not make the last change has not seen it yet.
        for store in &stores {
            store.refresh();
        }
        assert!(stores.iter().all(|store| store.get().settings == saved.settings));
        assert!(stores.iter().all(|store| !store.refresh()), "nothing changed since");
    }

    #[test]
    fn a_file_that_is_damaged_while_running_resets_nothing() {
        let (folder, file) = settings_file();
        let store = SettingsStore::open(Some(file.clone()), Environment::default());
        store.change(&json!({"fallback": false})).unwrap();
        fs::write(&file, "this is = = not toml").unwrap();
        assert!(store.refresh());
        assert!(!store.get().settings.fallback && store.get().problems.len() == 1);
        store.change(&json!({"shortcut": "F9"})).unwrap();
        let saved = SettingsStore::open(Some(file), Environment::default()).get();
        assert_eq!((saved.settings.fallback, saved.settings.shortcut.as_str()), (false, "F9"));
        assert!(folder.path().join("config.broken.toml").exists());
    }

    #[test]
    fn a_change_that_is_not_valid_changes_nothing() {
        let (_folder, file) = settings_file();
        let store = SettingsStore::open(Some(file.clone()), Environment::default());
        for bad in [
            json!({"listening": {"longest_seconds": 0}}),
            json!({"fallback": "perhaps"}),
            json!({"providers": {"my server": {}}}),
            json!({"providers": {"mine": {"base_url": "not an address"}}}),
        ] {
            assert_eq!(store.change(&bad).unwrap_err().code, crate::error::ErrorCode::InvalidRequest, "{bad}");
        }
        assert_eq!(store.get().settings, Settings::default());
        assert!(!file.exists(), "nothing was written");
    }

    #[test]
    fn environment_variables_override_the_file() {
        let environment = Environment::from_iter([
            ("DEFAULT_LLM_PROVIDER", "gemini"),
            ("DEFAULT_LLM_MODEL", "gemini-1.5-flash"),
            ("ENABLE_PROVIDER_FALLBACK", "false"),
        ]);
        let store = SettingsStore::open(None, environment);
        store.change(&json!({"routes": {"llm": {"provider": "groq", "model": "x"}}})).unwrap();
        let config = store.get();
        assert_eq!(config.settings.routes.llm.provider.as_deref(), Some("gemini"));
        assert_eq!(config.settings.routes.llm.model.as_deref(), Some("gemini-1.5-flash"));
        assert!(!config.settings.fallback);
        assert_eq!(config.from_environment, ["routes.llm.provider", "routes.llm.model", "fallback"]);
    }

    #[test]
    fn the_first_change_rewrites_a_file_of_version_1_under_present_names() {
        let (_folder, file) = settings_file();
        fs::write(&file, include_str!("version_1.toml")).unwrap();
        let store = SettingsStore::open(Some(file.clone()), Environment::default());
        let before = store.get().settings.clone();
        assert_eq!((before.timeouts.connect_ms, before.local_api.port), (1_001, 9_001));
        store.change(&json!({"speaking": {"muted": false}})).unwrap();
        let table: toml::Table = toml::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert!(table.contains_key("timeouts") && table.contains_key("local_api"), "{table:?}");
        assert!(
            !table.contains_key("clocks") && !table.contains_key("door") && !table.contains_key("schema"),
            "{table:?}"
        );
        let reopened = SettingsStore::open(Some(file), Environment::default()).get();
        let mut expected = before;
        expected.speaking.muted = false;
        assert_eq!((&reopened.settings, &reopened.problems), (&expected, &Vec::new()));
    }

    #[test]
    fn a_change_may_use_the_names_of_version_1() {
        let store = SettingsStore::open(None, Environment::default());
        store.change(&json!({"clocks": {"between_ms": 300}, "door": {"open": true}})).unwrap();
        let settings = store.get().settings.clone();
        assert_eq!((settings.timeouts.between_ms, settings.local_api.open), (300, true));
        store.change(&json!({"clocks": null, "door": {"open": false}, "local_api": {"open": true}})).unwrap();
        let settings = store.get().settings.clone();
        assert_eq!((settings.timeouts, settings.local_api.open), (Settings::default().timeouts, true));
    }
}
