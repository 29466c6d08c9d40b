//! The settings store: the settings file with the environment over it, as one immutable [`Config`] at a time.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde_json::Value;

use super::merge_patch::{difference, empty, merge};
use super::settings_file::{Content, FileStamp, Layout, keep_copy, lock, parse, read, rename};
use super::start_values::StartValues;
use super::{Environment, Overruled, Settings, SettingsProblem};
use crate::error::{Error, ErrorCode, Result};
use crate::files::replace_file;

/// The settings at one moment. A reader takes one per request.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The settings in effect: the settings file, and over it the environment variables that nobody has changed since the start.
    pub settings: Settings,
    /// Paths of the settings that environment variables decide now, such as `routes.llm.provider`.
    pub from_environment: Vec<String>,
    /// What was remembered and is overruled by an environment variable, now or at the next start.
    pub overruled: Vec<Overruled>,
    /// Problems found in the settings file, one sentence each. A value with a problem keeps its default.
    pub problems: Vec<SettingsProblem>,
}

/// Reads and changes the settings.
pub struct SettingsStore {
    file: Option<PathBuf>,
    environment: Environment,
    /// Locked for the whole of a change, so that concurrent changes do not overwrite each other.
    known: Mutex<Known>,
    current: ArcSwap<Config>,
}

/// What is known of the settings file, and what variables decide over it.
struct Known {
    /// The differences from the defaults, as a JSON merge patch.
    values: Value,
    problems: Vec<SettingsProblem>,
    text: String,
    stamp: Option<FileStamp>,
    start_values: StartValues,
}

impl SettingsStore {
    /// Opens the settings file, if there is one. A file or value that is not valid is reported in [`Config::problems`]; the
    /// defaults are used instead. Blocks on the disk.
    pub fn open(file: Option<PathBuf>, environment: Environment) -> Self {
        let known = Known {
            values: empty(),
            problems: Vec::new(),
            text: String::new(),
            stamp: None,
            start_values: StartValues::of(&environment),
        };
        let store = Self { file, environment, known: Mutex::new(known), current: ArcSwap::default() };
        let stamp = store.stamp();
        let mut known = store.known.lock();
        store.load(&mut known, stamp);
        store.publish(&known);
        drop(known);
        store
    }

    /// The current settings.
    pub fn get(&self) -> Arc<Config> {
        self.current.load_full()
    }

    /// The environment that decides settings at start.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Applies a JSON merge patch (RFC 7396: `null` restores a default) and writes the file. The patch is applied to what the
    /// file holds at that moment, because another AURA process may have changed it; what it does not name stays as it is written.
    /// A variable no longer decides what the patch names. Blocks on the disk.
    ///
    /// # Errors
    /// With [`ErrorCode::InvalidRequest`] when a value is not valid, with [`ErrorCode::NewerVersion`] when a later version of AURA
    /// wrote the file, and with [`ErrorCode::Storage`] when the file cannot be locked or written. Nothing is changed then.
    pub fn change(&self, patch: &Value) -> Result<Arc<Config>> {
        let mut known = self.known.lock();
        let _lock = self.file.as_deref().map(lock).transpose()?;
        // A file that was damaged meanwhile is replaced by the known differences.
        let present = self.file.as_deref().and_then(|file| read(file).ok());
        let present = present.unwrap_or_else(|| Content::new(known.values.clone()));
        if let Layout::Newer(version) = present.layout {
            return Err(Error::new(
                ErrorCode::NewerVersion,
                format!(
                    "A later version of AURA wrote the settings (layout {version}), so this version does not change them. Update AURA, \
                     or move the settings file away to begin with new settings."
                ),
            ));
        }
        let mut start_values = known.start_values.clone();
        let patch = start_values.release(&rename(patch.clone()), &self.get().settings);
        let mut merged = present.values.clone();
        merge(&mut merged, &patch);
        let settings = Settings::from_differences(&merged)
            .map_err(|cause| Error::invalid(format!("These settings are not valid: {cause}.")))?;
        settings.check()?;
        let values = difference(&Settings::default().to_json(), &settings.to_json()).unwrap_or_else(empty);
        let (values, problems, text) = match &self.file {
            Some(file) => {
                if let Layout::Older(version) = present.layout {
                    keep_copy(file, version)?;
                }
                let text = present.changed(&patch, &values);
                replace_file(file, text.as_bytes()).map_err(|cause| Error::storage("save the settings", cause))?;
                let written = parse(text).map_err(Error::internal)?;
                (written.values, written.problems, written.text)
            }
            None => (values, Vec::new(), String::new()),
        };
        *known = Known { values, problems, text, stamp: self.stamp(), start_values };
        self.publish(&known);
        Ok(self.get())
    }

    /// Reloads the file if another program changed it. Returns whether it did. Blocks on the disk.
    pub fn refresh(&self) -> bool {
        let mut known = self.known.lock();
        let stamp = self.stamp();
        let has_changed = stamp != known.stamp;
        if has_changed {
            let (old, text) = (known.values.clone(), known.text.clone());
            self.load(&mut known, stamp);
            let Known { values, text: new_text, start_values, .. } = &mut *known;
            start_values.release_changed(&old, values, text == *new_text);
            self.publish(&known);
        }
        has_changed
    }

    /// Reads the file. `stamp` was taken before, so a file that is replaced in between is read again.
    fn load(&self, known: &mut Known, stamp: Option<FileStamp>) {
        match self.file.as_deref().map_or_else(|| Ok(Content::default()), read) {
            Ok(content) => {
                if let (Some(file), Layout::Newer(version)) = (&self.file, content.layout)
                    && let Err(error) = keep_copy(file, version)
                {
                    tracing::debug!(%error, "the settings of a later version cannot be copied");
                }
                (known.values, known.problems, known.text) = (content.values, content.problems, content.text);
            }
            // The known differences stay in effect while the file cannot be read.
            Err(problem) => known.problems = vec![problem],
        }
        known.stamp = stamp;
    }

    fn stamp(&self) -> Option<FileStamp> {
        FileStamp::of(self.file.as_deref()?)
    }

    fn publish(&self, known: &Known) {
        let mut settings = Settings::from_differences(&known.values).unwrap_or_default();
        let from_environment = known.start_values.apply(&mut settings);
        let overruled = known.start_values.overruled(&known.values);
        let problems = known.problems.clone();
        self.current.store(Arc::new(Config { settings, from_environment, overruled, problems }));
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
        let SettingsProblem::Value { setting, cause } = &config.problems[0] else { panic!("{:?}", config.problems) };
        assert_eq!((config.problems.len(), setting.as_str()), (3, "appearance.theme"), "{:?}", config.problems);
        assert!(cause.contains("pink"), "{cause}");
    }

    #[test]
    fn a_file_that_is_not_toml_is_copied_and_reported() {
        let (folder, file) = settings_file();
        fs::write(&file, "this is = = not toml").unwrap();
        let store = SettingsStore::open(Some(file), Environment::default());
        let kept = folder.path().join("config.broken.toml");
        let problems = &store.get().problems;
        assert!(
            matches!(problems.as_slice(), [SettingsProblem::NotToml { copy, .. }] if *copy == kept),
            "{problems:?}"
        );
        assert_eq!(fs::read_to_string(kept).unwrap(), "this is = = not toml");
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

    fn guide() -> Environment {
        Environment::from_iter([
            ("DEFAULT_LLM_PROVIDER", "gemini"),
            ("DEFAULT_LLM_MODEL", "gemini-1.5-flash"),
            ("DEFAULT_TTS_VOICE", "Arista-PlayAI"),
            ("ENABLE_PROVIDER_FALLBACK", "false"),
        ])
    }

    fn llm(store: &SettingsStore) -> (Option<String>, Option<String>) {
        let choice = store.get().settings.routes.llm.clone();
        (choice.provider, choice.model)
    }

    fn some(provider: &str, model: &str) -> (Option<String>, Option<String>) {
        (Some(provider.into()), Some(model.into()))
    }

    #[test]
    fn a_variable_decides_at_start_and_a_change_takes_effect_at_once() {
        let (_folder, file) = settings_file();
        let store = SettingsStore::open(Some(file.clone()), guide());
        assert_eq!(llm(&store), some("gemini", "gemini-1.5-flash"));
        assert_eq!(
            store.get().from_environment,
            ["routes.llm.provider", "routes.llm.model", "routes.tts.voice", "fallback"]
        );
        assert!(store.get().overruled.is_empty(), "nothing was remembered");
        store.change(&json!({"routes": {"llm": {"provider": "groq", "model": "x"}}})).unwrap();
        assert_eq!(llm(&store), some("groq", "x"));
        assert!(!store.get().settings.fallback, "the other variables still decide");
        assert_eq!(store.get().from_environment, ["routes.tts.voice", "fallback"]);
        store.change(&json!({"fallback": true})).unwrap();
        assert!(store.get().settings.fallback);

        // At the next start the variable decides again, and what was remembered is kept and told.
        let again = SettingsStore::open(Some(file.clone()), guide());
        assert_eq!(llm(&again), some("gemini", "gemini-1.5-flash"));
        let told = again.get().overruled.clone();
        assert_eq!(
            told.iter().map(|told| told.setting.as_str()).collect::<Vec<_>>(),
            ["routes.llm.provider", "routes.llm.model"]
        );
        assert_eq!((told[0].remembered.as_str(), told[0].value.as_str(), told[0].in_effect), ("groq", "gemini", true));
        let plain = SettingsStore::open(Some(file), Environment::default());
        assert_eq!(llm(&plain), some("groq", "x"));
    }

    #[test]
    fn a_part_of_a_route_is_changed_on_top_of_the_variables() {
        let (_folder, file) = settings_file();
        fs::write(&file, "[routes.llm]\nprovider = \"groq\"\nthen = [\"offline\"]\n").unwrap();
        let store = SettingsStore::open(Some(file), guide());
        // The order alone leaves the variables in charge.
        store.change(&json!({"routes": {"llm": {"then": ["groq"]}}})).unwrap();
        assert_eq!(llm(&store), some("gemini", "gemini-1.5-flash"));
        // Another model is one of the provider in effect, not of the remembered one.
        store.change(&json!({"routes": {"llm": {"model": "gemini-2.0-flash-exp"}}})).unwrap();
        assert_eq!(llm(&store), some("gemini", "gemini-2.0-flash-exp"));
        assert_eq!(store.get().settings.routes.llm.then, Some(vec!["groq".to_owned()]));
        store.change(&json!({"routes": null})).unwrap();
        assert_eq!(llm(&store), (None, None));
    }

    #[test]
    fn a_remembered_model_of_the_provider_in_the_variable_stays() {
        let (_folder, file) = settings_file();
        fs::write(&file, "[routes.llm]\nprovider = \"groq\"\nmodel = \"mine\"\n").unwrap();
        let of = |provider| Environment::from_iter([("DEFAULT_LLM_PROVIDER", provider)]);
        assert_eq!(llm(&SettingsStore::open(Some(file.clone()), of("Groq"))), some("groq", "mine"));
        assert_eq!(llm(&SettingsStore::open(Some(file), of("gemini"))), (Some("gemini".into()), None));
    }

    #[test]
    fn a_switch_by_another_program_takes_effect_against_the_variables() {
        let (_folder, file) = settings_file();
        let server = SettingsStore::open(Some(file.clone()), guide());
        let command = || SettingsStore::open(Some(file.clone()), guide());
        command().change(&json!({"routes": {"stt": {"provider": "groq"}}})).unwrap();
        assert!(server.refresh());
        assert_eq!(llm(&server), some("gemini", "gemini-1.5-flash"), "another service was switched");
        command().change(&json!({"routes": {"llm": {"provider": "groq", "model": null, "voice": null}}})).unwrap();
        assert!(server.refresh());
        assert_eq!(llm(&server), (Some("groq".into()), None));

        // To what is remembered already: the file is written again with the same text.
        let server = SettingsStore::open(Some(file.clone()), guide());
        assert_eq!(llm(&server), some("gemini", "gemini-1.5-flash"));
        command().change(&json!({"routes": {"llm": {"provider": "groq", "model": null, "voice": null}}})).unwrap();
        assert!(server.refresh());
        assert_eq!(llm(&server), (Some("groq".into()), None));
    }

    #[test]
    fn a_change_keeps_comments_later_keys_and_values_that_are_being_corrected() {
        let (_folder, file) = settings_file();
        let text = "# My settings.\nnovelty = 3 # of a later version\nshortcut = 7\n\n[appearance]\ntheme = \"pink\" # nearly\n\n\
                    [providers.groq]\nregion = \"eu\"\n";
        fs::write(&file, text).unwrap();
        let store = SettingsStore::open(Some(file.clone()), Environment::default());
        assert_eq!(store.get().problems.len(), 2);
        store.change(&json!({"routes": {"llm": {"provider": "offline", "model": null, "voice": null}}})).unwrap();
        let after = fs::read_to_string(&file).unwrap();
        assert_eq!(after, format!("{text}\n[routes.llm]\nprovider = \"offline\"\n"));
        assert_eq!(store.get().problems.len(), 2, "they are still there");
        store.change(&json!({"appearance": {"theme": "dark"}})).unwrap();
        assert!(fs::read_to_string(&file).unwrap().contains("theme = \"dark\" # nearly"));
        store.change(&json!({"shortcut": null})).unwrap();
        assert_eq!(store.get().problems, Vec::new());
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_stays_one() {
        let (folder, file) = settings_file();
        let dotfiles = folder.path().join("dotfiles");
        fs::create_dir(&dotfiles).unwrap();
        std::os::unix::fs::symlink("dotfiles/aura.toml", &file).unwrap();
        let store = SettingsStore::open(Some(file.clone()), Environment::default());
        for fallback in [false, true, false] {
            store.change(&json!({"fallback": fallback})).unwrap();
            assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
            let text = fs::read_to_string(dotfiles.join("aura.toml")).unwrap();
            assert_eq!(text.contains("fallback = false"), !fallback, "{text}");
            assert!(!store.refresh(), "its own change is known");
        }
        let left: Vec<_> = fs::read_dir(&dotfiles).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["aura.toml"]);
    }

    #[test]
    fn a_file_of_a_later_version_is_read_and_not_changed() {
        let (folder, file) = settings_file();
        let text = "schema = 99\nfallback = false\nchoose = \"telepathy\"\n";
        fs::write(&file, text).unwrap();
        let store = SettingsStore::open(Some(file.clone()), Environment::default());
        assert!(!store.get().settings.fallback, "what is understood is used");
        assert!(store.get().problems[0].to_string().contains("later version"), "{:?}", store.get().problems);
        let refused = store.change(&json!({"fallback": true})).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NewerVersion, "{refused:?}");
        assert!(!store.get().settings.fallback);
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        assert_eq!(fs::read_to_string(folder.path().join("config.schema-99.toml")).unwrap(), text);
    }

    #[test]
    fn the_first_change_rewrites_a_file_of_version_1_under_present_names() {
        let (_folder, file) = settings_file();
        fs::write(&file, include_str!("version_1.toml")).unwrap();
        let store = SettingsStore::open(Some(file.clone()), Environment::default());
        let before = store.get().settings.clone();
        assert_eq!((before.timeouts.connect_ms, before.local_api.port), (1_001, 9_001));
        store.change(&json!({"speaking": {"muted": false}})).unwrap();
        let copy = file.with_file_name("config.schema-1.toml");
        assert_eq!(fs::read_to_string(copy).unwrap(), include_str!("version_1.toml"));
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
