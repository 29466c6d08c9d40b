//! The settings file: only what differs from the defaults, written atomically, read value by value.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use serde_json::{Map, Value};

use super::{Environment, Settings};
use crate::error::{Code, Error, Result};

/// The settings as they hold now, in one piece: a reader takes it once per request.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The settings, with the environment over them.
    pub settings: Settings,
    /// Names of settings that the environment holds.
    pub from_environment: Vec<String>,
    /// Values of the file that could not be used.
    pub problems: Vec<String>,
}

/// Another AURA holds the settings file for a moment; one that holds it longer hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads and changes the settings.
pub struct Store {
    file: Option<PathBuf>,
    environment: Environment,
    /// What the person changed. Held over the whole of a change, so that none undoes another.
    changes: Mutex<Changes>,
    current: ArcSwap<Config>,
}

/// What the person changed, as JSON, and the file that it came from.
#[derive(Default)]
struct Changes {
    values: Value,
    file: Option<Stamp>,
}

/// What tells one settings file from the next without reading it: each is a new file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    #[cfg(unix)]
    inode: u64,
}

impl Store {
    /// Reads the file, if it is there. A file or value that cannot be used is named in [`Config::problems`] and keeps its default.
    pub fn open(file: Option<PathBuf>, environment: Environment) -> Self {
        let store = Self { file, environment, changes: Mutex::default(), current: ArcSwap::default() };
        store.take_over(&mut store.changes(), None);
        store
    }

    /// The settings as they hold now.
    pub fn get(&self) -> Arc<Config> {
        self.current.load_full()
    }

    /// The environment that is over them.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Merges changes in (RFC 7396: `null` takes a value back to its default) and writes the file. Nothing is changed on an error.
    ///
    /// They are merged with what the file holds at that moment: another AURA on the same settings may have written it. Blocks for
    /// the disk.
    pub fn change(&self, changes: &Value) -> Result<Arc<Config>> {
        let mut known = self.changes();
        let _alone = self.file.as_deref().map(alone).transpose()?;
        let found = self.file.as_deref().map(read);
        // A file that somebody broke meanwhile is replaced by what is known.
        let mut merged = found.and_then(Result::ok).map_or_else(|| known.values.clone(), |(present, _)| present);
        merge(&mut merged, changes);
        let settings =
            build(&merged).map_err(|cause| Error::invalid(format!("These settings cannot be used: {cause}.")))?;
        check(&settings)?;
        let differences = difference(&default_json(), &to_json(&settings)).unwrap_or_else(empty);
        if let Some(file) = &self.file {
            write(file, &differences)?;
        }
        *known = Changes { values: differences, file: self.stamp() };
        self.publish(&known.values, Vec::new());
        Ok(self.get())
    }

    /// Takes over what another AURA, or the person, wrote into the file since; true when there was something. Blocks for the disk.
    pub fn refresh(&self) -> bool {
        let mut known = self.changes();
        let stamp = self.stamp();
        let new = stamp != known.file;
        if new {
            self.take_over(&mut known, stamp);
        }
        new
    }

    fn take_over(&self, known: &mut Changes, stamp: Option<Stamp>) {
        // The stamp is older than what is read: a file that is replaced in between is read once more.
        let stamp = stamp.or_else(|| self.stamp());
        let found = self.file.as_deref().map_or_else(|| Ok((empty(), Vec::new())), read);
        let (values, problems) = found.unwrap_or_else(|problem| (known_or_empty(known), vec![problem]));
        *known = Changes { values, file: stamp };
        self.publish(&known.values, problems);
    }

    fn stamp(&self) -> Option<Stamp> {
        let found = fs::metadata(self.file.as_deref()?).ok()?;
        Some(Stamp {
            modified: found.modified().ok(),
            length: found.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(&found),
        })
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, changes: &Value, problems: Vec<String>) {
        let mut settings = build(changes).unwrap_or_default();
        let from_environment = self.environment.apply(&mut settings);
        self.current.store(Arc::new(Config { settings, from_environment, problems }));
    }
}

/// What is known stays when the file cannot be read.
fn known_or_empty(known: &Changes) -> Value {
    if known.values.is_object() { known.values.clone() } else { empty() }
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// Holds the settings file against every other AURA on this computer until it is dropped. What is held is a file beside it, because
/// the settings file itself is replaced.
fn alone(file: &Path) -> Result<Option<fs::File>> {
    let held = fs::OpenOptions::new().create(true).truncate(false).write(true).open(file.with_extension("lock"));
    let held = held.map_err(|cause| Error::storage("save the settings", cause))?;
    let end = Instant::now() + PATIENCE;
    loop {
        match held.try_lock() {
            Ok(()) => return Ok(Some(held)),
            Err(fs::TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            Err(fs::TryLockError::WouldBlock) => {
                return Err(Error::new(
                    Code::Storage,
                    "Another AURA is changing the settings and does not end. Close it, then try again.",
                ));
            }
            // A file system that knows no locks, as some networks have it: there the last one wins.
            Err(fs::TryLockError::Error(cause)) => {
                tracing::debug!(%cause, "the settings file cannot be held");
                return Ok(None);
            }
        }
    }
}

fn to_json(settings: &Settings) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}

fn default_json() -> Value {
    to_json(&Settings::default())
}

fn build(changes: &Value) -> Result<Settings, serde_json::Error> {
    let mut whole = default_json();
    merge(&mut whole, changes);
    serde_json::from_value(whole)
}

/// What a person may set but no default shows.
fn check(settings: &Settings) -> Result<()> {
    let invalid = |message: &str| Err(Error::invalid(message));
    if !(5..=600).contains(&settings.listening.longest_seconds) {
        return invalid("The longest recording must be between 5 and 600 seconds.");
    }
    let clocks = settings.clocks;
    let times = [
        clocks.connect_ms,
        clocks.first_content_ms,
        clocks.transcript_ms,
        clocks.local_first_content_ms,
        clocks.between_ms,
        clocks.error_body_ms,
        clocks.whole_ms,
    ];
    if times.iter().any(|ms| !(100..=600_000).contains(ms)) {
        return invalid("The times AURA waits must be between 100 and 600000 milliseconds.");
    }
    for (name, provider) in &settings.providers {
        let plain = !name.is_empty()
            && name.len() <= 40
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c));
        if !plain {
            return invalid("A provider's name has at most 40 small letters, digits, dots and dashes.");
        }
        if let Some(url) = &provider.base_url {
            let web =
                reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            if !web {
                return Err(Error::invalid(format!(
                    "`{url}` is not an address. Write it like http://localhost:11434/v1."
                )));
            }
        }
    }
    Ok(())
}

/// JSON merge patch, RFC 7396. A value with a `kind` is replaced as a whole: its fields belong together.
fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) if !patch.contains_key("kind") => {
            for (name, change) in patch {
                if change.is_null() {
                    target.remove(name);
                } else if let Some(old) = target.get_mut(name) {
                    merge(old, change);
                } else {
                    target.insert(name.clone(), change.clone());
                }
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

/// What of `new` differs from `old`; `None` when nothing does.
fn difference(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) if !new.contains_key("kind") => {
            let changed: Map<String, Value> = new
                .iter()
                .filter_map(|(name, value)| {
                    let difference = match old.get(name) {
                        Some(old) => difference(old, value),
                        None => Some(value.clone()),
                    };
                    difference.map(|value| (name.clone(), value))
                })
                .collect();
            (!changed.is_empty()).then_some(Value::Object(changed))
        }
        (old, new) => (old != new).then(|| new.clone()),
    }
}

/// Reads the file value by value, so that one bad value never resets the others: what can be used, and what is wrong with the rest.
/// Fails, with what to tell the person, when there is nothing that can be read.
fn read(file: &Path) -> Result<(Value, Vec<String>), String> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok((empty(), Vec::new())),
        Err(cause) => return Err(format!("The settings file could not be read: {cause}.")),
    };
    let table: toml::Table = match toml::from_str(&text) {
        Ok(table) => table,
        Err(cause) => {
            // The next change would overwrite it: what the person wrote is kept beside it.
            let kept = file.with_extension("broken.toml");
            let told = match fs::copy(file, &kept) {
                Ok(_) => format!("a copy is kept as {}", kept.display()),
                Err(cause) => format!("it could not be copied: {cause}"),
            };
            return Err(format!("The settings file is not valid TOML ({}); {told}.", cause.message()));
        }
    };
    let (mut accepted, mut problems) = (empty(), Vec::new());
    let written = migrate(serde_json::to_value(table).unwrap_or_else(|_| empty()));
    let mut leaves = Vec::new();
    collect(&default_json(), &written, &mut Vec::new(), &mut leaves);
    for (path, value) in leaves {
        let patch = path.iter().rev().fold(value, |inner, name| Value::Object(Map::from_iter([(name.clone(), inner)])));
        let mut tried = accepted.clone();
        merge(&mut tried, &patch);
        match build(&tried)
            .map_err(|cause| cause.to_string())
            .and_then(|settings| check(&settings).map_err(|error| error.message))
        {
            Ok(()) => accepted = tried,
            Err(cause) => problems.push(format!(
                "`{}` in the settings file cannot be used and keeps its default: {cause}.",
                path.join(".")
            )),
        }
    }
    Ok((accepted, problems))
}

/// Brings a file of an older layout to this one. There is one layout so far.
fn migrate(mut written: Value) -> Value {
    if let Some(table) = written.as_object_mut() {
        table.remove("schema");
    }
    written
}

/// The values of the file with their paths; it descends only where the defaults do.
fn collect(defaults: &Value, written: &Value, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, Value)>) {
    match (defaults, written) {
        (Value::Object(defaults), Value::Object(written)) if !written.contains_key("kind") => {
            for (name, value) in written {
                path.push(name.clone());
                collect(defaults.get(name).unwrap_or(&Value::Null), value, path, leaves);
                path.pop();
            }
        }
        _ => leaves.push((path.clone(), written.clone())),
    }
}

/// Writes a new file beside the old one and puts it in its place: a crash leaves the old or the new one, never half.
fn write(file: &Path, differences: &Value) -> Result<()> {
    let failed = |cause: &dyn std::fmt::Display| Error::storage("save the settings", cause);
    let text = toml::to_string_pretty(differences).map_err(|cause| failed(&cause))?;
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    let written = (|| {
        let mut new = fs::File::create(&beside)?;
        new.write_all(b"# What differs from AURA's defaults. Keys are not kept here.\n")?;
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
        fs::rename(&beside, file)
    })();
    written.map_err(|cause: std::io::Error| {
        let _ = fs::remove_file(&beside);
        failed(&cause)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Share;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        (folder, file)
    }

    #[test]
    fn the_file_holds_only_what_was_changed_and_survives_a_restart() {
        let (_folder, file) = folder();
        let store = Store::open(Some(file.clone()), Environment::default());
        store.change(&json!({"routes": {"llm": {"provider": "gemini"}}, "screen": {"share": "always"}})).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("gemini") && !text.contains("shortcut"), "{text}");
        let again = Store::open(Some(file.clone()), Environment::default()).get();
        assert_eq!(again.settings.routes.llm.provider.as_deref(), Some("gemini"));
        assert_eq!(again.settings.screen.share, Share::Always);
        let store = Store::open(Some(file.clone()), Environment::default());
        store.change(&json!({"routes": null, "screen": {"share": "when_asked"}})).unwrap();
        assert_eq!(store.get().settings, Settings::default());
        assert!(!fs::read_to_string(&file).unwrap().contains("share"));
    }

    #[test]
    fn one_bad_value_never_resets_the_others() {
        let (_folder, file) = folder();
        fs::write(&file, "fallback = false\nshortcut = 7\n[listening]\nlongest_seconds = 9999\nmode = \"hold\"\n[appearance]\ntheme = \"pink\"\n").unwrap();
        let config = Store::open(Some(file), Environment::default()).get();
        assert!(!config.settings.fallback);
        assert_eq!(config.settings.listening.mode, crate::config::Mode::Hold);
        assert_eq!(config.settings.shortcut, "Ctrl+Shift+Space");
        assert_eq!(config.problems.len(), 3, "{:?}", config.problems);
    }

    #[test]
    fn a_file_that_is_no_toml_is_kept_and_said() {
        let (folder, file) = folder();
        fs::write(&file, "this is = = not toml").unwrap();
        let store = Store::open(Some(file), Environment::default());
        assert_eq!(store.get().problems.len(), 1);
        assert_eq!(fs::read_to_string(folder.path().join("config.broken.toml")).unwrap(), "this is = = not toml");
    }

    #[test]
    fn of_many_changes_at_once_none_is_lost() {
        let (_folder, file) = folder();
        let stores = [(); 2].map(|()| Store::open(Some(file.clone()), Environment::default()));
        // Two programs with four threads each.
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
        let kept = Store::open(Some(file), Environment::default()).get();
        assert_eq!((kept.settings.providers.len(), &kept.problems), (40, &Vec::new()));
        assert!(stores.iter().any(|store| store.get().settings == kept.settings));
        // Whoever wrote first does not know yet what came after.
        for store in &stores {
            store.refresh();
        }
        assert!(stores.iter().all(|store| store.get().settings == kept.settings));
        assert!(stores.iter().all(|store| !store.refresh()), "there is nothing new");
    }

    #[test]
    fn a_file_that_was_broken_meanwhile_resets_nothing() {
        let (folder, file) = folder();
        let store = Store::open(Some(file.clone()), Environment::default());
        store.change(&json!({"fallback": false})).unwrap();
        fs::write(&file, "this is = = not toml").unwrap();
        assert!(store.refresh());
        assert!(!store.get().settings.fallback && store.get().problems.len() == 1);
        store.change(&json!({"shortcut": "F9"})).unwrap();
        let kept = Store::open(Some(file), Environment::default()).get();
        assert_eq!((kept.settings.fallback, kept.settings.shortcut.as_str()), (false, "F9"));
        assert!(folder.path().join("config.broken.toml").exists());
    }

    #[test]
    fn a_change_that_cannot_be_used_changes_nothing() {
        let (_folder, file) = folder();
        let store = Store::open(Some(file.clone()), Environment::default());
        for bad in [
            json!({"listening": {"longest_seconds": 0}}),
            json!({"fallback": "perhaps"}),
            json!({"providers": {"my server": {}}}),
            json!({"providers": {"mine": {"base_url": "not an address"}}}),
        ] {
            assert_eq!(store.change(&bad).unwrap_err().code, crate::error::Code::InvalidRequest, "{bad}");
        }
        assert_eq!(store.get().settings, Settings::default());
        assert!(!file.exists(), "nothing was written");
    }

    #[test]
    fn the_guides_variables_are_over_the_file() {
        let environment = Environment::from_iter([
            ("DEFAULT_LLM_PROVIDER", "gemini"),
            ("DEFAULT_LLM_MODEL", "gemini-1.5-flash"),
            ("ENABLE_PROVIDER_FALLBACK", "false"),
        ]);
        let store = Store::open(None, environment);
        store.change(&json!({"routes": {"llm": {"provider": "groq", "model": "x"}}})).unwrap();
        let config = store.get();
        assert_eq!(config.settings.routes.llm.provider.as_deref(), Some("gemini"));
        assert_eq!(config.settings.routes.llm.model.as_deref(), Some("gemini-1.5-flash"));
        assert!(!config.settings.fallback);
        assert_eq!(config.from_environment, ["routes.llm.provider", "routes.llm.model", "fallback"]);
    }
}
