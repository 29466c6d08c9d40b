//! The environment variables of the program, with what a `.env` file in the working directory may add to them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use aura_core::config::{Environment, key_variable};
use aura_providers::{PROVIDERS, Service, presets};

use crate::env_file::EnvFile;

const ENV_FILE: &str = ".env";

/// Read once, at the first use, so that every part of the program sees the same values.
static LOADED: LazyLock<Loaded> = LazyLock::new(|| Loaded::from(Environment::of_process(), Path::new(ENV_FILE)));

/// The variables of the process, then what the `.env` file may add.
pub(crate) fn environment() -> &'static Environment {
    &LOADED.environment
}

/// What was taken from the `.env` file, what was not, and why. The sentences contain names of variables and no value.
pub(crate) fn env_file_notes() -> &'static [String] {
    &LOADED.notes
}

/// The log filter that `RUST_LOG` or else `LOG_LEVEL` sets, in the syntax of `tracing_subscriber::EnvFilter`.
pub(crate) fn log_level() -> Option<&'static str> {
    environment().get("RUST_LOG").or_else(|| environment().get("LOG_LEVEL"))
}

struct Loaded {
    environment: Environment,
    notes: Vec<String>,
}

impl Loaded {
    /// A `.env` file may be another program's, or come with a folder that somebody else made. It may name keys and defaults. It may
    /// move a provider's address only for a key of its own: a key from elsewhere must never go to an address from this file.
    fn from(mut environment: Environment, path: &Path) -> Self {
        let EnvFile { variables, problems } = EnvFile::read(path);
        let mut notes = problems;
        let keys = key_variables();
        let addresses: Vec<(&str, &str)> =
            PROVIDERS.iter().filter_map(|provider| Some((provider.base_url_env?, provider.key_env?))).collect();
        let has_own_key = |key: &str| {
            environment.get(key).is_none()
                && variables.iter().any(|(name, value)| name == key && !value.trim().is_empty())
        };
        let is_default =
            |name: &str| name == "ENABLE_PROVIDER_FALLBACK" || default_variables().any(|known| known == name);
        let (mut taken, mut refused) = (BTreeSet::new(), BTreeSet::new());
        for (name, value) in &variables {
            let address_of = addresses.iter().find(|(address, _)| address == name);
            if keys.contains(name) || is_default(name) || address_of.is_some_and(|(_, key)| has_own_key(key)) {
                if environment.get(name).is_none() && !value.trim().is_empty() {
                    taken.insert((name.clone(), value.clone()));
                }
            } else if address_of.is_some() || is_reserved(name) {
                refused.insert(name.clone());
            }
        }
        let list = |names: Vec<&str>| names.join(", ");
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if !taken.is_empty() {
            let names = list(taken.iter().map(|(name, _)| name.as_str()).collect());
            notes.push(format!("Taken from {}: {names}.", path.display()));
        }
        if !refused.is_empty() {
            notes.push(format!(
                "Not taken from {}: {}. A .env file may only name keys and defaults, and the address of a provider whose key it names \
                 too. Set the others in the environment.",
                path.display(),
                list(refused.iter().map(String::as_str).collect())
            ));
        }
        for (name, value) in taken {
            environment.set(name, value);
        }
        Self { environment, notes }
    }
}

/// The variables for API keys: those of the providers, and those of the kinds of servers.
fn key_variables() -> BTreeSet<String> {
    let own = PROVIDERS.iter().filter_map(|provider| provider.key_env).map(str::to_owned);
    let servers = presets().iter().filter(|preset| preset.base_url.is_some()).map(|preset| key_variable(&preset.id));
    own.chain(servers).collect()
}

/// The variables for default routes, such as `DEFAULT_LLM_MODEL`.
fn default_variables() -> impl Iterator<Item = String> {
    let of = |service: Service| {
        ["PROVIDER", "MODEL", "VOICE"].map(|field| format!("DEFAULT_{}_{field}", service.as_str().to_uppercase()))
    };
    Service::ALL.into_iter().flat_map(of)
}

/// Whether AURA reads the variable from the process and never from a file: its folders, models, programs and logs.
fn is_reserved(name: &str) -> bool {
    name.starts_with("AURA_") || matches!(name, "OLLAMA_HOST" | "LOG_LEVEL" | "RUST_LOG")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "https://evil.example/v1";

    fn loaded(process: &[(&str, &str)], file: &str) -> Loaded {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(".env");
        std::fs::write(&path, file).expect("the folder can be written");
        Loaded::from(process.iter().copied().collect(), &path)
    }

    #[test]
    fn a_file_names_keys_and_defaults() {
        let file = "GROQ_API_KEY=file-key\nOPENAI_API_KEY=file-openai\nDEFAULT_LLM_PROVIDER=gemini\nENABLE_PROVIDER_FALLBACK=false\n\
                    DATABASE_URL=postgres://somebody\n";
        let Loaded { environment, notes } = loaded(&[("DEFAULT_LLM_PROVIDER", "groq")], file);
        assert_eq!(environment.get("GROQ_API_KEY"), Some("file-key"));
        assert_eq!(environment.get("OPENAI_API_KEY"), Some("file-openai"));
        assert_eq!(environment.get("DEFAULT_LLM_PROVIDER"), Some("groq"), "the process decides");
        assert_eq!(environment.get("DATABASE_URL"), None, "it is another program's");
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].ends_with(".env: ENABLE_PROVIDER_FALLBACK, GROQ_API_KEY, OPENAI_API_KEY."), "{notes:?}");
        assert!(!notes[0].contains("file-key"));
    }

    #[test]
    fn an_address_needs_a_key_of_the_same_file() {
        let address = format!("GROQ_BASE_URL={EVIL}\n");
        for (process, file, taken) in [
            (vec![], address.clone(), false),
            (vec![("GROQ_API_KEY", "own")], address.clone(), false),
            // The key of the process would be used, not that of the file.
            (vec![("GROQ_API_KEY", "own")], format!("{address}GROQ_API_KEY=theirs\n"), false),
            (vec![], format!("{address}GROQ_API_KEY=\n"), false),
            (vec![], format!("{address}GEMINI_API_KEY=theirs\n"), false),
            (vec![], format!("{address}GROQ_API_KEY=theirs\n"), true),
        ] {
            let Loaded { environment, notes } = loaded(&process, &file);
            assert_eq!(environment.get("GROQ_BASE_URL").is_some(), taken, "{process:?} {file}");
            let told = notes.iter().any(|note| note.starts_with("Not taken") && note.contains("GROQ_BASE_URL"));
            assert_eq!(told, !taken, "{notes:?}");
        }
        let own = [("GROQ_BASE_URL", "https://mine.example/v1")];
        let Loaded { environment, .. } = loaded(&own, &format!("{address}GROQ_API_KEY=theirs\n"));
        assert_eq!(environment.get("GROQ_BASE_URL"), Some("https://mine.example/v1"));
    }

    #[test]
    fn folders_models_and_logs_are_never_taken() {
        let names = [
            "AURA_CONFIG_DIR",
            "AURA_DATA_DIR",
            "AURA_WHISPER_MODEL",
            "AURA_PIPER_MODEL",
            "AURA_OFFLINE_LLM",
            "OLLAMA_HOST",
            "LOG_LEVEL",
            "RUST_LOG",
        ];
        let file: String = names.iter().map(|name| format!("{name}=evil\n")).collect();
        let Loaded { environment, notes } = loaded(&[], &file);
        for name in names {
            assert_eq!(environment.get(name), None, "{name}");
            assert!(notes[0].contains(name), "{name}: {notes:?}");
        }
    }

    #[test]
    fn a_value_never_takes_in_another_variable() {
        let file = "GROQ_API_KEY=$GEMINI_API_KEY\nGROQ_BASE_URL=https://evil.example/${GEMINI_API_KEY}/\n";
        let Loaded { environment, .. } = loaded(&[("GEMINI_API_KEY", "victim")], file);
        assert_eq!(environment.get("GROQ_API_KEY"), Some("$GEMINI_API_KEY"));
        assert_eq!(environment.get("GROQ_BASE_URL"), Some("https://evil.example/${GEMINI_API_KEY}/"));
    }
}
