//! The environment variables of the program, with those of a `.env` file in the working directory.

use std::path::Path;
use std::sync::LazyLock;

use aura_core::config::Environment;

const ENV_FILE: &str = ".env";

/// Read once, at the first use, so that every part of the program sees the same values.
static LOADED: LazyLock<Loaded> = LazyLock::new(|| {
    let mut environment = Environment::of_process();
    let EnvFile { variables, problem } = EnvFile::read(Path::new(ENV_FILE));
    for (name, value) in variables {
        environment.add(name, value);
    }
    Loaded { environment, problem }
});

struct Loaded {
    environment: Environment,
    problem: Option<String>,
}

/// The variables of the process, then those of the `.env` file that the process does not set.
pub(crate) fn environment() -> &'static Environment {
    &LOADED.environment
}

/// Why the `.env` file, or a part of it, was skipped. The text contains no line of the file, because a line may hold a key.
pub(crate) fn env_file_problem() -> Option<&'static str> {
    LOADED.problem.as_deref()
}

/// The log filter that `RUST_LOG` or else `LOG_LEVEL` sets, in the syntax of `tracing_subscriber::EnvFilter`.
pub(crate) fn log_level() -> Option<&'static str> {
    environment().get("RUST_LOG").or_else(|| environment().get("LOG_LEVEL"))
}

/// A `.env` file. It may belong to another program, so lines that cannot be read are skipped with a warning.
#[derive(Default)]
struct EnvFile {
    variables: Vec<(String, String)>,
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
        let mut malformed = 0;
        for line in lines {
            match line {
                Ok(variable) => file.variables.push(variable),
                Err(dotenvy::Error::Io(_)) => return file.unreadable(),
                Err(_) => malformed += 1,
            }
        }
        file.problem = match malformed {
            0 => None,
            1 => Some(
                "Skipped a line of the file .env that is not NAME=value. Correct it if it is meant for AURA.".into(),
            ),
            _ => Some(format!(
                "Skipped {malformed} lines of the file .env that are not NAME=value. Correct them if they are meant for AURA."
            )),
        };
        file
    }

    /// The path is a directory, as in some Python projects, or the file is not text.
    fn unreadable(mut self) -> Self {
        self.problem = Some("The file .env cannot be read. Its variables are not used.".into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_lines_and_unreadable_env_files_are_skipped_with_a_warning() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(".env");
        let read = |content: &[u8]| {
            std::fs::write(&path, content).expect("the folder can be written");
            EnvFile::read(&path)
        };
        assert!(EnvFile::read(&path).problem.is_none(), "a missing file is no problem");
        let file = read(b"# A comment\nGROQ_API_KEY=abc\nthis is = = no variable\nexport LOG_LEVEL='debug'\n");
        let variables = [("GROQ_API_KEY", "abc"), ("LOG_LEVEL", "debug")];
        assert_eq!(file.variables, variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let problem = file.problem.expect("the malformed line is reported");
        assert!(problem.starts_with("Skipped a line") && !problem.contains("no variable"), "{problem}");
        assert!(read(b"GROQ_API_KEY=abc\n\xff\xfe=\xff\n").problem.is_some_and(|problem| problem.contains("read")));
        std::fs::remove_file(&path).and_then(|()| std::fs::create_dir(&path)).expect("the folder can be written");
        assert!(EnvFile::read(&path).problem.is_some());
    }
}
