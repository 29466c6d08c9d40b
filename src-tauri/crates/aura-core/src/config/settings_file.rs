//! The settings file: reading it value by value, locking it, and migrating older layouts.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value};
use toml_edit::DocumentMut;

use super::merge_patch::{empty, merge};
use super::settings::SCHEMA;
use super::settings_document::{self, RENAMED};
use super::{Settings, SettingsProblem};
use crate::error::{Error, ErrorCode, Result};

/// How long to wait for another AURA process to release the settings file. A process that holds it longer hangs.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The first line of a file that AURA creates.
const HEADING: &str = "# Only settings that differ from AURA's defaults. API keys are not stored here.\n";

/// The version of a settings file's layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// The present one.
    Present,
    /// An older one, with this version. The first change migrates it.
    Older(i64),
    /// That of a later version of AURA. The file is not changed.
    Newer(i64),
}

/// The content of the settings file.
pub(super) struct Content {
    /// The valid differences from the defaults, as a JSON merge patch under present names.
    pub(super) values: Value,
    /// A problem for each value that is not valid.
    pub(super) problems: Vec<SettingsProblem>,
    /// The text of the file.
    pub(super) text: String,
    pub(super) layout: Layout,
    document: DocumentMut,
}

impl Default for Content {
    /// An absent file.
    fn default() -> Self {
        let (values, text) = (empty(), String::new());
        Self { values, problems: Vec::new(), text, layout: Layout::Present, document: DocumentMut::new() }
    }
}

impl Content {
    /// The content of a new file with these differences from the defaults.
    pub(super) fn new(values: Value) -> Self {
        let document = settings_document::new(&values);
        let text = document.to_string();
        Self { values, text, document, ..Self::default() }
    }

    /// The text after a change; everything that the change does not name stays as it is written. `patch` is the change under
    /// present names, `settings` are the differences from the defaults after it.
    pub(super) fn changed(mut self, patch: &Value, settings: &Value) -> String {
        let heading = if self.text.is_empty() { HEADING } else { "" };
        if matches!(self.layout, Layout::Older(_)) {
            settings_document::migrate(&mut self.document);
        }
        settings_document::apply(&mut self.document, patch, settings);
        format!("{heading}{}", self.document)
    }
}

/// Tells one version of the settings file from the next without reading it. Every change creates a new file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileStamp {
    modified: Option<SystemTime>,
    /// Size in bytes.
    length: u64,
    #[cfg(unix)]
    inode: u64,
}

impl FileStamp {
    /// The stamp of the file; `None` when its metadata cannot be read.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let metadata = fs::metadata(file).ok()?;
        Some(Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(&metadata),
        })
    }
}

/// Locks the settings file against other AURA processes until the returned file is dropped. The lock is on a file beside it,
/// because the settings file itself is replaced. `None` on a file system without locks.
///
/// # Errors
/// When the lock file cannot be opened, or another process holds the lock for more than [`LOCK_TIMEOUT`].
pub(super) fn lock(file: &Path) -> Result<Option<fs::File>> {
    let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(file.with_extension("lock"));
    let lock = lock.map_err(|cause| Error::storage("save the settings", cause))?;
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Some(lock)),
            Err(fs::TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(fs::TryLockError::WouldBlock) => {
                return Err(Error::new(
                    ErrorCode::Storage,
                    "Another AURA process is still changing the settings. Close it, then try again.",
                ));
            }
            // Some network file systems have no locks: there, the last change wins.
            Err(fs::TryLockError::Error(cause)) => {
                tracing::debug!(%cause, "the settings file cannot be locked");
                return Ok(None);
            }
        }
    }
}

/// Reads the file value by value, so that one value that is not valid does not reset the others. A missing file holds no
/// differences.
///
/// # Errors
/// When nothing can be read.
pub(super) fn read(file: &Path) -> Result<Content, SettingsProblem> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Content::default()),
        Err(cause) => return Err(SettingsProblem::Unreadable { cause: cause.to_string() }),
    };
    parse(text).map_err(|cause| {
        // The next change overwrites the file, so what the user wrote is copied first.
        let copy = file.with_extension("broken.toml");
        match fs::copy(file, &copy) {
            Ok(_) => SettingsProblem::NotToml { cause, copy },
            Err(copied) => SettingsProblem::NotCopied { cause: format!("{cause}; {copied}") },
        }
    })
}

/// Reads the text of a settings file.
///
/// # Errors
/// With the cause, when the text is not TOML.
pub(super) fn parse(text: String) -> Result<Content, String> {
    let table: toml::Table = toml::from_str(&text).map_err(|cause| cause.message().to_owned())?;
    let document: DocumentMut = text.parse().map_err(|cause: toml_edit::TomlError| cause.message().to_owned())?;
    let (mut valid, mut problems) = (empty(), Vec::new());
    let layout = layout(&table);
    if let Layout::Newer(version) = layout {
        problems.push(SettingsProblem::NewerVersion { version, known: SCHEMA });
    }
    let written = migrate(serde_json::to_value(table).unwrap_or_else(|_| empty()));
    let mut leaves = Vec::new();
    collect(&Settings::default().to_json(), &written, &mut Vec::new(), &mut leaves);
    for (path, value) in leaves {
        let patch = path.iter().rev().fold(value, |inner, name| Value::Object(Map::from_iter([(name.clone(), inner)])));
        let mut candidate = valid.clone();
        merge(&mut candidate, &patch);
        let checked = Settings::from_differences(&candidate)
            .map_err(|cause| cause.to_string())
            .and_then(|settings| settings.check().map_err(|error| error.message));
        match checked {
            Ok(()) => valid = candidate,
            Err(cause) => problems.push(SettingsProblem::Value { setting: path.join("."), cause }),
        }
    }
    Ok(Content { values: valid, problems, text, layout, document })
}

/// The version of the layout. A file that names none has the present one, unless it uses the names of version 1.
fn layout(table: &toml::Table) -> Layout {
    let present = i64::from(SCHEMA);
    match table.get("schema").and_then(toml::Value::as_integer) {
        Some(version) if version > present => Layout::Newer(version),
        Some(version) if version < present => Layout::Older(version),
        _ if RENAMED.iter().any(|(old, _)| table.contains_key(*old)) => Layout::Older(1),
        _ => Layout::Present,
    }
}

/// Copies a file of another layout, once, to a file beside it whose name has the version.
///
/// # Errors
/// When it cannot be copied.
pub(super) fn keep_copy(file: &Path, version: i64) -> Result<()> {
    let copy = file.with_extension(format!("schema-{version}.toml"));
    if copy.exists() {
        return Ok(());
    }
    fs::copy(file, &copy).map(drop).map_err(|cause| Error::storage("copy the settings before they are migrated", cause))
}

/// Brings the content of a file of an older layout to the present one.
fn migrate(mut written: Value) -> Value {
    if let Some(table) = written.as_object_mut() {
        table.remove("schema");
    }
    rename(written)
}

/// Replaces the names of version 1 by the present ones. A value under a present name takes precedence.
pub(super) fn rename(mut written: Value) -> Value {
    let Some(table) = written.as_object_mut() else { return written };
    for (old, new) in RENAMED {
        let Some(old) = table.remove(*old) else { continue };
        match (old, table.get_mut(*new)) {
            (Value::Object(old), Some(Value::Object(present))) => {
                for (name, value) in old {
                    present.entry(name).or_insert(value);
                }
            }
            (_, Some(_)) => {}
            (old, None) => {
                table.insert((*new).to_owned(), old);
            }
        }
    }
    written
}

/// Collects the values of the file with their paths. Descends only into tables that the defaults have too.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Every setting of version 1 with a value that is not its default.
    const VERSION_1: &str = include_str!("version_1.toml");

    /// The same settings under their present names.
    fn version_1_settings() -> Value {
        json!({
            "fallback": false,
            "fallback_when_blocked": true,
            "hedge": true,
            "choose": "balanced",
            "shortcut": "Ctrl+Alt+F9",
            "instructions": "Answer like a pirate.",
            "routes": {
                "stt": {"provider": "groq", "model": "a-recogniser", "then": ["gemini", "offline"]},
                "llm": {"provider": "gemini", "model": "a-model", "then": []},
                "vlm": {"provider": "lmstudio", "model": "a-vision-model"},
                "tts": {"provider": "groq", "model": "a-speaker", "voice": "a-voice", "then": ["offline"]},
            },
            "providers": {
                "groq": {"base_url": "https://proxy.example/groq", "may_receive": {"audio": false, "screen": false, "text": true}},
                "lmstudio": {
                    "preset": "lmstudio",
                    "base_url": "http://localhost:1234/v1",
                    "may_receive": {"audio": true, "screen": true, "text": false},
                },
            },
            "listening": {"microphone": "alsa:usb", "mode": "toggle", "longest_seconds": 300, "language": "de"},
            "speaking": {"speaker": "alsa:hdmi", "muted": true},
            "screen": {"share": "always", "target": {"kind": "region", "x": -10, "y": 20, "width": 640, "height": 480}},
            "timeouts": {
                "connect_ms": 1_001,
                "first_content_ms": 1_002,
                "transcript_ms": 1_003,
                "local_first_content_ms": 1_004,
                "between_ms": 1_005,
                "error_body_ms": 1_006,
                "whole_ms": 1_007,
            },
            "appearance": {"theme": "dark", "overlay": false, "language": "de"},
            "startup": {"background": false, "at_login": true},
            "local_api": {"open": true, "port": 9_001},
        })
    }

    /// The leaves of an object with their paths.
    fn leaves(value: &Value) -> Vec<(Vec<String>, Value)> {
        let mut leaves = Vec::new();
        collect(value, value, &mut Vec::new(), &mut leaves);
        leaves
    }

    #[test]
    fn a_file_of_version_1_is_read_completely() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs::write(&file, VERSION_1).unwrap();
        let Content { values: differences, problems, layout, .. } = read(&file).unwrap();
        assert_eq!(layout, Layout::Older(1));
        assert_eq!(problems, Vec::new());
        assert_eq!(differences, version_1_settings());
        // The file above has every setting of its time, and each of them differs from its default.
        let defaults = Settings::default().to_json();
        let is_later = |path: &[String]| {
            let later = [
                "schema",
                "history",
                "budget",
                "updates",
                "actions",
                "cursor_shortcuts",
                "mcp_servers",
                "persona",
                "listening/lower_other_sound",
                "listening/spare_microphones",
                "listening/standby",
                "listening/streaming",
                "listening/vocabulary",
                "speaking/cues",
                "speaking/say",
                "speaking/voices",
            ];
            let later = [&later[..], &["speaking/speed_percent", "speaking/volume_percent"]].concat();
            later.iter().any(|name| path.join("/").starts_with(name))
        };
        for (path, default) in leaves(&defaults).into_iter().filter(|(path, _)| !is_later(path)) {
            let pointer = format!("/{}", path.join("/"));
            let set = differences.pointer(&pointer);
            assert!(set.is_some_and(|set| *set != default), "{pointer} is not set: {set:?}");
        }
    }

    #[test]
    fn a_present_name_takes_precedence_over_its_name_in_version_1() {
        let both = json!({
            "clocks": {"connect_ms": 1_001, "whole_ms": 1_007},
            "timeouts": {"connect_ms": 2_001},
            "door": {"port": 9_001},
            "local_api": null,
        });
        let expected = json!({"timeouts": {"connect_ms": 2_001, "whole_ms": 1_007}, "local_api": null});
        assert_eq!(rename(both), expected);
        assert_eq!(rename(json!({"clocks": null})), json!({"timeouts": null}));
        assert_eq!(rename(json!("clocks")), json!("clocks"));
    }
}
