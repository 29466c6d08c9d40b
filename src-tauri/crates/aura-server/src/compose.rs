//! The assistant on this machine: folders, environment, ports, and the sandbox when it is asked for.

use std::path::{Path, PathBuf};

use aura_core::config::Environment;
use aura_core::error::{Code, Error, Result};
use aura_core::{Assistant, Setup};
use aura_platform::Paths;

/// Variables that a person keeps beside their work.
const ENV_FILE: &str = ".env";

/// The assistant and what lives as long as it does.
pub struct Composed {
    /// The assistant.
    pub assistant: Assistant,
    /// The folder with what it gathers.
    pub data: PathBuf,
    /// The sandbox's server, if it answers instead of the real providers.
    _sandbox: Option<aura_sandbox::Sandbox>,
}

/// The folders of this person.
pub fn paths() -> Result<Paths> {
    Paths::find()
}

/// Composes the assistant on the current runtime. Keys are not read yet.
pub async fn compose(sandbox: bool) -> Result<Composed> {
    let paths = paths()?;
    let mut environment = environment();
    let sandbox = if sandbox { Some(start_sandbox(&mut environment).await?) } else { None };
    let ports = aura_platform::ports(&paths)?;
    let setup = Setup {
        settings_file: Some(paths.config.join("config.toml")),
        data: paths.data.clone(),
        exports: aura_platform::documents(),
        environment,
        sandbox: sandbox.is_some(),
    };
    Ok(Composed { assistant: Assistant::start(ports, setup).await?, data: paths.data, _sandbox: sandbox })
}

/// A `.env` file in the current folder. It may be another program's: what cannot be read of it is passed over and said.
#[derive(Default)]
struct EnvFile {
    variables: Vec<(String, String)>,
    /// Without the lines themselves, which may hold a key.
    problem: Option<String>,
}

impl EnvFile {
    fn read(path: &Path) -> Self {
        let mut file = Self::default();
        let lines = match dotenvy::from_path_iter(path) {
            Ok(lines) => lines,
            Err(error) if error.not_found() => return file,
            Err(_) => return file.unreadable(),
        };
        let mut wrong = 0;
        for line in lines {
            match line {
                Ok(variable) => file.variables.push(variable),
                Err(dotenvy::Error::Io(_)) => return file.unreadable(),
                Err(_) => wrong += 1,
            }
        }
        file.problem = match wrong {
            0 => None,
            1 => Some(
                "A line of the file .env is not NAME=value and is passed over. Correct it if it is meant for AURA."
                    .into(),
            ),
            _ => Some(format!(
                "{wrong} lines of the file .env are not NAME=value and are passed over. Correct them if they are meant for AURA."
            )),
        };
        file
    }

    /// A folder of that name, as some Python projects have it, or a file that is no text.
    fn unreadable(mut self) -> Self {
        self.problem = Some("The file .env cannot be read and is passed over. Its variables are not used.".into());
        self
    }
}

/// Whether a variable is looked up in the process itself: before there are settings, or by what has never heard of them.
fn is_of_the_process(name: &str) -> bool {
    name.starts_with("AURA_") || matches!(name, "LOG_LEVEL" | "RUST_LOG" | "OLLAMA_HOST")
}

/// Makes those variables of a `.env` file the process's own that it looks up by itself, as far as they are not set.
///
/// # Safety
/// Called while the calling thread is the only one.
#[expect(unsafe_code, reason = "the variables of a process are no thread's own")]
pub unsafe fn adopt_env_file() {
    for (name, value) in EnvFile::read(Path::new(ENV_FILE)).variables {
        if is_of_the_process(&name) && std::env::var_os(&name).is_none() {
            // SAFETY: there is no other thread, as the caller promises.
            unsafe { std::env::set_var(name, value) };
        }
    }
}

/// The process's variables, and those of a `.env` file that are not set already.
fn environment() -> Environment {
    let mut environment = Environment::of_process();
    let file = EnvFile::read(Path::new(ENV_FILE));
    if let Some(problem) = file.problem {
        tracing::warn!("{problem}");
    }
    for (name, value) in file.variables {
        environment.add(name, value);
    }
    environment
}

/// Starts the sandbox and points the providers at it, with keys that only it takes.
async fn start_sandbox(environment: &mut Environment) -> Result<aura_sandbox::Sandbox> {
    let sandbox = aura_sandbox::Sandbox::start(aura_sandbox::SandboxConfig::default()).await.map_err(|cause| {
        Error::new(Code::Internal, "The sandbox could not be started on the loopback.").because(cause)
    })?;
    for (name, value) in [
        ("GROQ_BASE_URL", sandbox.groq_base_url()),
        ("GEMINI_BASE_URL", sandbox.gemini_base_url()),
        ("GROQ_API_KEY", sandbox.key().to_owned()),
        ("GEMINI_API_KEY", sandbox.key().to_owned()),
    ] {
        environment.set(name, value);
    }
    Ok(sandbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_in_a_file_of_variables_is_passed_over() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(".env");
        let read = |content: &[u8]| {
            std::fs::write(&path, content).expect("the folder can be written");
            EnvFile::read(&path)
        };
        assert!(EnvFile::read(&path).problem.is_none(), "there is none");
        let file = read(b"# A comment\nGROQ_API_KEY=abc\nthis is = = no variable\nexport LOG_LEVEL='debug'\n");
        let variables = [("GROQ_API_KEY", "abc"), ("LOG_LEVEL", "debug")];
        assert_eq!(file.variables, variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let problem = file.problem.expect("the line is missed");
        assert!(problem.starts_with("A line of") && !problem.contains("no variable"), "{problem}");
        assert!(read(b"GROQ_API_KEY=abc\n\xff\xfe=\xff\n").problem.is_some_and(|problem| problem.contains("read")));
        std::fs::remove_file(&path).and_then(|()| std::fs::create_dir(&path)).expect("the folder can be written");
        assert!(EnvFile::read(&path).problem.is_some());
    }

    #[test]
    fn of_a_foreign_file_the_process_takes_only_what_is_auras() {
        let names = ["AURA_DATA_DIR", "LOG_LEVEL", "OLLAMA_HOST", "PATH", "LD_PRELOAD", "GROQ_API_KEY"];
        let taken: Vec<&str> = names.into_iter().filter(|name| is_of_the_process(name)).collect();
        assert_eq!(taken, ["AURA_DATA_DIR", "LOG_LEVEL", "OLLAMA_HOST"]);
    }
}
