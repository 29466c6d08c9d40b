//! `cargo xtask clients`: programs that others wrote for OpenAI's and Anthropic's APIs do real tasks against the local API.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::program::{self, Result};
use crate::sdk;
use crate::system::{self, Purpose};

/// Libraries whose own tests run too, and the files that run them.
const SUITES: [(&str, &str); 2] =
    [("openai-python", "openai_suite.py"), ("anthropic-sdk-python", "anthropic_suite.py")];

/// Installs the programs from PyPI and npm, and prints a table of what they can do.
#[derive(Debug, clap::Args)]
pub(crate) struct Clients {
    /// Only these clients; `openai-python` and `anthropic-sdk-python` stand for those libraries' own tests.
    names: Vec<String>,
}

impl Clients {
    pub(crate) fn start(self) -> Result<ExitCode> {
        system::prepare(Purpose::Test)?;
        program::run(program::cargo("build").args(["--workspace", "--bins"]))?;
        let (python, sandbox) = (sdk::python()?, sdk::Sandbox::start()?);
        let is_all = self.names.is_empty();
        let is_suite = |name: &String| SUITES.iter().any(|(suite, _)| suite == name);
        let (suites, programs): (Vec<_>, Vec<_>) = self.names.into_iter().partition(is_suite);
        let mut runs = Vec::new();
        if is_all || !programs.is_empty() {
            runs.push(("run.py", programs));
        }
        for (name, file) in SUITES {
            if is_all || suites.iter().any(|suite| suite == name) {
                runs.push((file, Vec::new()));
            }
        }
        let mut failed = false;
        for (file, arguments) in runs {
            let mut run = script(&python, file);
            run.args(arguments).env("AURA_SANDBOX_URL", sandbox.url());
            run.env("AURA_SERVER", program::target().join("debug/aura-server"));
            failed |= program::run(&mut run).is_err();
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// Installs the library whose own tests are a part of all tests: they take seconds.
pub(crate) fn install_suite() -> Result {
    program::run(script(&sdk::python()?, "anthropic_suite.py").arg("--prepare"))
}

/// A file of `tests/clients`.
fn script(python: &Path, file: &str) -> Command {
    let mut run = program::command(python);
    run.arg(program::root().join("tests/clients").join(file));
    run.env("AURA_CLIENTS", program::target().join("clients")).env("PYTHONDONTWRITEBYTECODE", "1");
    run
}
